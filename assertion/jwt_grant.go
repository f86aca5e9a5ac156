package assertion

import (
	"context"
	"slices"
	"time"
)

// selfIssuedLifetime is how far away the expiry of a self-issued assertion may be by default. A client
// signs a new one whenever it needs one, and what it signed is good for a token to whoever has it.
const selfIssuedLifetime = 5 * time.Minute

// verifyGrant judges t as an authorization grant (RFC 7523 sections 3 and 3.1).
func (j *JWTVerifier) verifyGrant(ctx context.Context, r Request, t *jwtToken, now time.Time) (*Assertion, *Error) {
	issuer, refusal := findIssuer(ctx, j.c.Issuers, Grant, claimed(t))
	if refusal != nil && refusal.Reason != ReasonIssuer {
		return nil, refusal
	}
	var s jwtSigner
	if refusal == nil {
		s = jwtSigner{known: true, keys: issuer.JWT.Keys, jwks: issuer.JWKS, algorithms: issuer.Algorithms, dates: issuer.JWT.CertificateDates}
	}
	key, unsigned := j.checkSignature(ctx, Grant, t, s, now)
	if refusal != nil {
		return nil, refusal
	}
	if unsigned != nil {
		return nil, unsigned
	}

	rules := issuer.JWT
	if t.Padded && !rules.Lenient {
		return nil, newError(Grant, ReasonEncoding, "base64 padding, which only a lenient issuer may send")
	}
	accepted := []string{"", "JWT"}
	if rules.Type != "" {
		accepted = []string{rules.Type}
	}
	if refusal := checkType(Grant, t.Header.Type, accepted...); refusal != nil {
		return nil, refusal
	}
	c, err := readClaims(t.claims, rules.Lenient)
	if err != nil {
		return nil, newError(Grant, ReasonContent, "%v", err)
	}
	if refusal := j.checkGrant(issuer, t, c, now); refusal != nil {
		return nil, refusal
	}

	a := t.assertion(c, key)
	a.Trust = issuer
	if refusal := checkPresenter(issuer, a, r.ClientID, t); refusal != nil {
		return nil, refusal
	}
	if j.c.AllowReuse {
		return a, nil
	}
	namespace := issuerNamespace(issuer.ID)
	if rules.SelfIssued {
		namespace = clientNamespace(issuer.ID)
	}
	if refusal := j.spend(ctx, Grant, namespace, t, c); refusal != nil {
		return nil, refusal
	}
	return a, nil
}

// checkGrant applies the rules on claims. It completes the subject of a self-issued assertion.
func (j *JWTVerifier) checkGrant(issuer *Issuer, t *jwtToken, c *jwtClaims, now time.Time) *Error {
	rules := issuer.JWT
	lifetime, age := j.c.MaxLifetime, j.c.MaxAge
	if rules.SelfIssued {
		lifetime = min(lifetime, selfIssuedLifetime)
	}
	if issuer.MaxLifetime > 0 {
		lifetime = issuer.MaxLifetime
	}
	if rules.MaxAge > 0 {
		age = rules.MaxAge
	}
	if refusal := j.checkTimes(Grant, c, now, lifetime, age); refusal != nil {
		return refusal
	}
	var refusal *Error
	if rules.IssuerAudience {
		refusal = onlyAudience(Grant, c, j.c.Issuer)
	} else {
		refusal = someAudience(Grant, c, append([]string{j.c.Issuer, j.c.TokenEndpoint}, issuer.Audiences...))
	}
	if refusal != nil {
		return refusal
	}
	if c.sub == "" && rules.SelfIssued {
		c.sub = issuer.ID
	}
	switch {
	case c.sub == "":
		return newError(Grant, ReasonSubject, "no sub")
	case rules.SelfIssued && c.sub != issuer.ID && issuer.Subject == nil:
		return newError(Grant, ReasonSubject, "client %s may not name subject %s", shown(issuer.ID), shown(c.sub))
	case c.jti == "" && (rules.RequireJTI || j.c.RequireJTI):
		return newError(Grant, ReasonContent, "no jti")
	}
	if i := slices.IndexFunc(rules.Required, func(name string) bool { return t.claims[name] == nil }); i >= 0 {
		return newError(Grant, ReasonContent, "no %s", rules.Required[i])
	}
	return nil
}

// checkPresenter holds the assertion to the client that presents it.
func checkPresenter(issuer *Issuer, a *Assertion, clientID string, t *jwtToken) *Error {
	if issuer.JWT.SelfIssued && clientID != "" && clientID != issuer.ID {
		return newError(Grant, ReasonClient, "client %s presents an assertion of client %s", shown(clientID), shown(issuer.ID))
	}
	return checkClient(issuer, a, clientID, func(name string) []string { return claimStrings(t.claims[name]) })
}
