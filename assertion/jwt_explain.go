package assertion

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// The names of the steps of a JWT, as reports show them.
const (
	stepForm   = "form"
	stepIssuer = "issuer"
	stepClient = "client"
)

// Explain goes through the steps of Verify and reports each of them. If the signature is
// valid, it applies every rule, so that one report has all mistakes. It does not use the
// replay store and does not call Observe. It asks the sources of issuers, clients and
// keys, as Verify does.
func (j *JWTVerifier) Explain(ctx context.Context, r Request) *Report {
	e := jwtExplanation{Report: &Report{Format: FormatJWT}, use: r.Use}
	if e.add(layerParameter, "", j.checkParameter(r)) {
		return e.Report
	}
	t, refusal := parseJWT(r.Use, r.Assertion)
	if e.add(stepForm, describeToken(t), refusal) {
		return e.Report
	}
	if claimed(t) == "" {
		e.add(stepIssuer, "", newError(r.Use, ReasonIssuer, "no iss"))
		return e.Report
	}

	now := j.c.Now()
	if r.Use == ClientAuth {
		j.explainClient(ctx, r, t, now, &e)
	} else {
		j.explainGrant(ctx, r, t, now, &e)
	}
	return e.Report
}

// explainGrant reports the steps of verifyGrant.
func (j *JWTVerifier) explainGrant(ctx context.Context, r Request, t *jwtToken, now time.Time, e *jwtExplanation) {
	issuer, refusal := findIssuer(ctx, j.c.Issuers, Grant, claimed(t))
	if e.add(stepIssuer, "", refusal) {
		return
	}
	key, refusal := j.checkSignature(ctx, Grant, t, issuer.signer(), now)
	if e.add(layerSignature, describeKey(key), refusal) {
		return
	}
	c := e.rules(j.grantRules(issuer, t, now))
	if c == nil {
		return
	}
	a := t.assertion(c, key)
	a.Trust = issuer
	e.add(stepClient, "", checkPresenter(issuer, a, r.ClientID, t))
	e.finish(a)
}

// explainClient reports the steps of verifyClient.
func (j *JWTVerifier) explainClient(ctx context.Context, r Request, t *jwtToken, now time.Time, e *jwtExplanation) {
	found, refusal := j.findClient(ctx, r, t)
	if refusal == nil && found.unknown != nil {
		refusal = newError(ClientAuth, ReasonIssuer, "%s is not known", shown(claimed(t))).because(found.unknown)
	}
	if e.add(stepClient, "", refusal) {
		return
	}
	key, refusal := j.checkSignature(ctx, ClientAuth, t, found.signer(), now)
	if e.add(layerSignature, describeKey(key), refusal) {
		return
	}
	if c := e.rules(j.clientRules(t, found.ClientCredentials, now)); c != nil {
		e.finish(t.assertion(c, key))
	}
}

// jwtExplanation is a report that is being made.
type jwtExplanation struct {
	*Report
	use Use
}

// add appends a step, and reports whether it was refused.
func (e *jwtExplanation) add(name, note string, refusal *Error) bool {
	if refusal != nil {
		note = ""
		if e.use == ClientAuth && refusal.Code != codeServerError {
			refusal.Code = codeInvalidClient
		}
	}
	e.Steps = append(e.Steps, Step{name, note, refusal})
	e.Err = cmp.Or(e.Err, refusal)
	return refusal != nil
}

// rules reports every rule, and returns the claims, nil if they cannot be read.
func (e *jwtExplanation) rules(r jwtRules) *jwtClaims {
	e.add("type", "", r.form())
	c, refusal := r.claims()
	if e.add(layerContent, "", refusal) {
		return nil
	}
	for _, rule := range r.list {
		e.add(rule.name, "", rule.check(c))
	}
	return c
}

// finish ends the report of an assertion that passed every step so far.
func (e *jwtExplanation) finish(a *Assertion) {
	e.add(layerReplay, "not asked, so that the assertion is not used up", nil)
	if e.Err == nil {
		e.Assertion = a
	}
}

// describeToken says what the header and the issuer of a token claim.
func describeToken(t *jwtToken) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf("claims issuer %s, kid %s and algorithm %s",
		shown(claimed(t)), shown(t.Header.KeyID), shown(t.Header.Algorithm))
}

// describeKey says which key has verified a token.
func describeKey(key jws.Key) string {
	if key.Thumbprint == "" {
		return "verified by a shared secret"
	}
	return "verified by key " + key.Thumbprint
}
