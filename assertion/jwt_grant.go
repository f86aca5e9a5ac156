package assertion

import (
	"context"
	"time"
)

// selfIssuedLifetime is the default for how far in the future a self-issued
// assertion may expire. A client can sign a new one whenever it needs one, and an
// assertion is worth a token to a thief.
const selfIssuedLifetime = 5 * time.Minute

// verifyGrant judges t as an authorization grant (RFC 7523 sections 3 and 3.1).
func (j *JWTVerifier) verifyGrant(ctx context.Context, r Request, t *jwtToken, now time.Time) (*Assertion, *Error) {
	issuer, unknown := findIssuer(ctx, j.c.Issuers, Grant, claimed(t))
	if unknown != nil && unknown.Reason != ReasonIssuer {
		return nil, unknown
	}

	// The signature of an unknown issuer is checked too, against nothing, so
	// that it takes the same time.
	var s jwtSigner
	if unknown == nil {
		s = issuer.signer()
	}
	key, refusal := j.checkSignature(ctx, Grant, t, s, now)
	if unknown != nil {
		return nil, unknown
	}
	if refusal != nil {
		return nil, refusal
	}

	c, refusal := applyRules(j.grantRules(issuer, t, now))
	if refusal != nil {
		return nil, claimsRefused(refusal)
	}
	a := t.assertion(c, key)
	a.Trust = issuer
	if refusal := checkPresenter(issuer, a, r.ClientID, t); refusal != nil {
		return nil, refusal
	}
	if refusal := j.spendGrant(ctx, issuer, t, c); refusal != nil {
		return nil, refusal
	}
	return a, nil
}

// signer returns what may verify the issuer's JWTs.
func (i *Issuer) signer() jwtSigner {
	return jwtSigner{
		known:      true,
		keys:       i.JWT.Keys,
		jwks:       i.JWKS,
		algorithms: i.Algorithms,
		dates:      i.JWT.CertificateDates,
	}
}

// grantRules are the rules for a token whose signature was verified, apart from the
// client that presents it. The last completes the subject of a self-issued assertion.
func (j *JWTVerifier) grantRules(issuer *Issuer, t *jwtToken, now time.Time) jwtRules {
	accepted := []string{"", "JWT"}
	if issuer.JWT.Type != "" {
		accepted = []string{issuer.JWT.Type}
	}
	lifetime, age := j.grantLimits(issuer)
	return jwtRules{
		use:     Grant,
		token:   t,
		lenient: issuer.JWT.Lenient,
		types:   accepted,
		list: []jwtRule{
			{"times", func(c *jwtClaims) *Error { return j.checkTimes(Grant, c, now, lifetime, age) }},
			{"audience", func(c *jwtClaims) *Error { return j.checkGrantAudience(issuer, c) }},
			{"subject and claims", func(c *jwtClaims) *Error { return j.checkGrantClaims(issuer, t, c) }},
		},
	}
}

// grantLimits returns how far in the future exp may be, and how long ago iat.
func (j *JWTVerifier) grantLimits(issuer *Issuer) (lifetime, age time.Duration) {
	lifetime = j.c.MaxLifetime
	if issuer.JWT.SelfIssued {
		lifetime = min(lifetime, selfIssuedLifetime)
	}
	if issuer.MaxLifetime > 0 {
		lifetime = issuer.MaxLifetime
	}
	age = j.c.MaxAge
	if issuer.JWT.MaxAge > 0 {
		age = issuer.JWT.MaxAge
	}
	return lifetime, age
}

func (j *JWTVerifier) checkGrantAudience(issuer *Issuer, c *jwtClaims) *Error {
	if issuer.JWT.IssuerAudience {
		return onlyAudience(Grant, c, j.c.Issuer)
	}
	own := []string{j.c.Issuer, j.c.TokenEndpoint}
	return someAudience(Grant, c, append(own, issuer.Audiences...))
}

// checkGrantClaims judges the subject and the required claims.
func (j *JWTVerifier) checkGrantClaims(issuer *Issuer, t *jwtToken, c *jwtClaims) *Error {
	rules := issuer.JWT
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
	for _, name := range rules.Required {
		if t.claims[name] == nil {
			return newError(Grant, ReasonContent, "no %s", name)
		}
	}
	return nil
}

// checkPresenter holds the assertion to the client that presents it.
func checkPresenter(issuer *Issuer, a *Assertion, clientID string, t *jwtToken) *Error {
	if issuer.JWT.SelfIssued && clientID != "" && clientID != issuer.ID {
		return newError(Grant, ReasonClient, "client %s presents an assertion of client %s", shown(clientID), shown(issuer.ID))
	}
	claim := func(name string) []string { return claimStrings(t.claims[name]) }
	return checkClient(issuer, a, clientID, claim)
}

// spendGrant enters the grant into the replay store unless it may be used again.
func (j *JWTVerifier) spendGrant(ctx context.Context, issuer *Issuer, t *jwtToken, c *jwtClaims) *Error {
	if j.c.AllowReuse || issuer.AllowReuse {
		return nil
	}
	namespace := issuerNamespace(issuer.ID)
	if issuer.JWT.SelfIssued {
		namespace = clientNamespace(issuer.ID)
	}
	return j.spend(ctx, Grant, namespace, t, c)
}
