package assertion

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// checkContent reads the verified tree and applies the rules (RFC 7522 section 3).
func (r *samlRun) checkContent() *Error {
	if refusal := r.load(); refusal != nil {
		return refusal
	}
	for _, rule := range samlRules() {
		if refusal := rule.run(r); refusal != nil {
			return refusal
		}
	}
	r.accepted.Trust = r.issuer
	return nil
}

// load reads the verified tree into an [Assertion], which is not judged yet.
func (r *samlRun) load() *Error {
	if r.verified == nil || r.issuer == nil {
		return r.fail(ReasonSignature, "nothing was verified")
	}
	content, err := r.readContent()
	if err != nil {
		reason := ReasonContent
		var own contentError
		if errors.As(err, &own) {
			reason = own.reason
		}
		return r.fail(reason, "in the assertion").because(err)
	}
	r.content = content
	a := &Assertion{
		Format:     FormatSAML2,
		Issuer:     content.issuer,
		ID:         content.id,
		IssuedAt:   content.issuedAt,
		Attributes: content.attributes,
		Authn:      content.authn,
		KeyID:      r.keyID,
	}
	if content.subject != nil {
		a.Subject = *content.subject
	}
	if c := content.conditions; c != nil {
		a.NotBefore = c.notBefore
		a.OneTimeUse = c.oneTimeUse
		for _, restriction := range c.restrictions {
			a.Audiences = append(a.Audiences, restriction...)
		}
	}
	r.accepted = a
	return nil
}

// samlRule is one rule about the content of an assertion.
type samlRule struct {
	name string
	run  func(*samlRun) *Error
}

func samlRules() []samlRule {
	return []samlRule{
		{"issue instant", (*samlRun).ruleIssueInstant},
		{"subject", (*samlRun).ruleSubject},
		{"audience", (*samlRun).ruleAudience},
		{"conditions", (*samlRun).ruleConditions},
		{"confirmation", (*samlRun).ruleConfirmation},
		{"lifetime", (*samlRun).ruleLifetime},
		{"client", (*samlRun).ruleClient},
	}
}

func (r *samlRun) ruleIssueInstant() *Error {
	if r.tooEarly(r.content.issuedAt) {
		return r.fail(ReasonNotYetValid, "issued at %s, it is %s", instant(r.content.issuedAt), instant(r.now))
	}
	return nil
}

func (r *samlRun) ruleSubject() *Error {
	if r.content.subject == nil {
		return r.fail(ReasonSubject, "no Subject with an identifier")
	}
	return nil
}

// ruleAudience demands one of this server's names in every restriction. Restrictions
// are joined by AND, the audiences of one by OR (SAML core section 2.5.1.4).
func (r *samlRun) ruleAudience() *Error {
	ours := slices.Concat(r.config.Audiences, r.issuer.Audiences)
	if r.content.conditions == nil || len(r.content.conditions.restrictions) == 0 {
		return r.fail(ReasonAudience, "no AudienceRestriction; expected one of %q", ours)
	}
	for _, audiences := range r.content.conditions.restrictions {
		if !slices.ContainsFunc(audiences, func(a string) bool { return a != "" && slices.Contains(ours, a) }) {
			return r.fail(ReasonAudience, "%s names none of %q", shown(strings.Join(audiences, " ")), ours)
		}
	}
	return nil
}

func (r *samlRun) ruleConditions() *Error {
	c := r.content.conditions
	if c == nil {
		// ruleAudience and ruleConfirmation demand what must be there.
		return nil
	}
	if r.tooEarly(c.notBefore) {
		return r.fail(ReasonNotYetValid, "Conditions: not before %s, it is %s", instant(c.notBefore), instant(r.now))
	}
	if r.tooLate(c.notOnOrAfter) {
		return r.fail(ReasonExpired, "Conditions: not on or after %s, it is %s", instant(c.notOnOrAfter), instant(r.now))
	}
	if !c.notOnOrAfter.IsZero() && !c.notBefore.Before(c.notOnOrAfter) {
		return r.fail(ReasonContent, "Conditions: NotBefore is not before NotOnOrAfter")
	}
	return nil
}

// ruleConfirmation looks for a bearer confirmation that is valid. One is enough.
func (r *samlRun) ruleConfirmation() *Error {
	// limit is the expiry of the Conditions, which applies to all confirmations.
	var limit time.Time
	if c := r.content.conditions; c != nil {
		limit = c.notOnOrAfter
	}
	var refusals []*Error
	holds := false
	for i := range r.content.confirmations {
		c := &r.content.confirmations[i]
		if !c.bearer {
			continue
		}
		expires := earliest(limit, c.notOnOrAfter)
		// A confirmation that is not valid now may be valid later, so the replay
		// entry must outlive the longest one.
		if expires.After(r.until) {
			r.until = expires
		}
		refusal := r.checkBearer(c, expires)
		if refusal != nil {
			refusals = append(refusals, refusal)
		} else if !holds {
			holds = true
			r.accepted.Expires = expires
			r.accepted.Presenter = c.presenter
			if c.notBefore.After(r.accepted.NotBefore) {
				r.accepted.NotBefore = c.notBefore
			}
		}
	}
	switch {
	case holds:
		return nil
	case len(refusals) == 0:
		return r.fail(ReasonConfirmation, "no SubjectConfirmation with method bearer")
	}
	for _, further := range refusals[1:] {
		refusals[0].Detail += "; another: " + further.Detail
	}
	return refusals[0]
}

// checkBearer judges one bearer confirmation (RFC 7522 section 3, item 5).
func (r *samlRun) checkBearer(c *confirmation, expires time.Time) *Error {
	ours := slices.Concat(r.config.Recipients, r.issuer.Recipients)
	switch {
	case expires.IsZero():
		return r.fail(ReasonLifetime, "no NotOnOrAfter on the Conditions or the confirmation")
	case !c.hasData:
		// RFC 7522 section 3, item 5B: the Conditions have the expiry.
		return nil
	case c.recipient == "" || !slices.Contains(ours, c.recipient):
		return r.fail(ReasonRecipient, "recipient %s is none of %q", shown(c.recipient), ours)
	case c.notOnOrAfter.IsZero():
		return r.fail(ReasonLifetime, "the confirmation has data without NotOnOrAfter")
	case r.tooLate(c.notOnOrAfter):
		return r.fail(ReasonExpired, "confirmation: not on or after %s, it is %s", instant(c.notOnOrAfter), instant(r.now))
	case r.tooEarly(c.notBefore):
		return r.fail(ReasonNotYetValid, "confirmation: not before %s, it is %s", instant(c.notBefore), instant(r.now))
	case r.config.RejectInResponseTo && c.hasInResponseTo:
		return r.fail(ReasonInResponseTo, "it answers request %s", shown(c.inResponseTo))
	case r.config.CheckAddress && c.hasAddress && !sameAddress(c.address, r.req.Remote):
		return r.fail(ReasonAddress, "address %s, sent from %s", shown(c.address), r.req.Remote)
	}
	return nil
}

func sameAddress(want string, got netip.Addr) bool {
	a, err := netip.ParseAddr(want)
	return err == nil && got.IsValid() && a.Unmap() == got.Unmap()
}

// ruleLifetime bounds the time for which the assertion could be accepted, and so the
// time for which the replay store must remember it.
func (r *samlRun) ruleLifetime() *Error {
	most := r.config.MaxLifetime
	if r.issuer.MaxLifetime > 0 {
		most = r.issuer.MaxLifetime
	}
	if r.until.After(r.now.Add(most + r.config.ClockSkew)) {
		return r.fail(ReasonLifetime, "good until %s, more than %v from now", instant(r.until), most)
	}
	return nil
}

// ruleClient compares the assertion with the client (RFC 7522 sections 3 and 3.2).
func (r *samlRun) ruleClient() *Error {
	if r.req.Use == Grant {
		return checkClient(r.issuer, r.accepted, r.req.ClientID, r.accepted.Attribute)
	}
	subject := r.accepted.Subject.Value
	if r.req.ClientID != "" && subject != r.req.ClientID {
		return r.fail(ReasonSubject, "subject %s is not client %s", shown(subject), shown(r.req.ClientID))
	}
	if subject != r.issuer.ID && !slices.Contains(r.issuer.Clients, subject) {
		return r.fail(ReasonClient, "issuer %s may not vouch for client %s", shown(r.issuer.ID), shown(subject))
	}
	return nil
}

// tooEarly and tooLate compare with the clock of this run and the skew. A zero time is
// no bound. At exactly NotOnOrAfter plus skew it is too late.
func (r *samlRun) tooEarly(notBefore time.Time) bool {
	return !notBefore.IsZero() && r.now.Add(r.config.ClockSkew).Before(notBefore)
}

func (r *samlRun) tooLate(notOnOrAfter time.Time) bool {
	return !notOnOrAfter.IsZero() && !r.now.Before(notOnOrAfter.Add(r.config.ClockSkew))
}

// earliest returns the earlier of two times. A zero time is no bound.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
