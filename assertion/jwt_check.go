package assertion

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// jwtRules are the rules for a token whose signature was verified.
type jwtRules struct {
	use     Use
	token   *jwtToken
	lenient bool
	types   []string // the values of typ that are accepted
	list    []jwtRule
}

// jwtRule is one rule about the claims of a token.
type jwtRule struct {
	name  string
	check func(*jwtClaims) *Error
}

// form judges what stands before the claims.
func (r jwtRules) form() *Error {
	if r.token.Padded && !r.lenient {
		return newError(r.use, ReasonEncoding, "base64 padding, which only a lenient sender may use")
	}
	return checkType(r.use, r.token.Header.Type, r.types...)
}

// claims reads the claims.
func (r jwtRules) claims() (*jwtClaims, *Error) {
	c, err := readClaims(r.token.claims, r.lenient)
	if err != nil {
		return nil, newError(r.use, ReasonContent, "%v", err)
	}
	return c, nil
}

// applyRules returns the claims, or the first refusal.
func applyRules(r jwtRules) (*jwtClaims, *Error) {
	if refusal := r.form(); refusal != nil {
		return nil, refusal
	}
	c, refusal := r.claims()
	if refusal != nil {
		return nil, refusal
	}
	for _, rule := range r.list {
		if refusal := rule.check(c); refusal != nil {
			return nil, refusal
		}
	}
	return c, nil
}

// checkType refuses every type of token that is not accepted as an assertion, so
// that an access token, a logout token or a proof of the same issuer is not taken
// for one (RFC 8725 section 3.11).
func checkType(use Use, typ string, accepted ...string) *Error {
	for _, a := range accepted {
		if jws.SameType(typ, a) {
			return nil
		}
	}
	return newError(use, ReasonType, "typ is %s, expected one of %q", shown(typ), accepted)
}

// checkTimes compares exp, nbf and iat with the clock and the configured skew. If
// maxAge is zero, iat is not required.
func (j *JWTVerifier) checkTimes(use Use, c *jwtClaims, now time.Time, maxLifetime, maxAge time.Duration) *Error {
	skew := j.c.ClockSkew
	switch {
	case c.exp.IsZero():
		return newError(use, ReasonLifetime, "no exp")
	case !now.Before(c.exp.Add(skew)):
		return newError(use, ReasonExpired, "exp %s, now %s, skew %s", instant(c.exp), instant(now), skew)
	case c.exp.After(now.Add(maxLifetime + skew)):
		return newError(use, ReasonLifetime, "exp %s is more than %s after now, %s", instant(c.exp), maxLifetime, instant(now))
	case c.nbf.After(now.Add(skew)):
		return newError(use, ReasonNotYetValid, "nbf %s, now %s, skew %s", instant(c.nbf), instant(now), skew)
	case c.iat.After(now.Add(skew)):
		return newError(use, ReasonNotYetValid, "iat %s, now %s, skew %s", instant(c.iat), instant(now), skew)
	case maxAge > 0 && c.iat.IsZero():
		return newError(use, ReasonLifetime, "no iat")
	case maxAge > 0 && now.After(c.iat.Add(maxAge+skew)):
		return newError(use, ReasonExpired, "iat %s is more than %s before now, %s", instant(c.iat), maxAge, instant(now))
	}
	return nil
}

// instant returns a time for an error text.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// onlyAudience demands exactly one audience, the wanted one, compared octet by
// octet (draft-ietf-oauth-rfc7523bis section 4).
func onlyAudience(use Use, c *jwtClaims, want string) *Error {
	if len(c.aud) == 1 && c.aud[0] == want {
		return nil
	}
	return newError(use, ReasonAudience, "aud is %s, expected only %q", shownList(c.aud), want)
}

// someAudience demands that one of the audiences is a wanted one.
func someAudience(use Use, c *jwtClaims, want []string) *Error {
	for _, w := range want {
		if w != "" && slices.Contains(c.aud, w) {
			return nil
		}
	}
	return newError(use, ReasonAudience, "aud is %s, expected one of %q", shownList(c.aud), want)
}

// shownList returns the first elements of a list for an error text.
func shownList(list []string) string {
	const most = 4
	s := "["
	for i, v := range list {
		if i == most {
			return s + " ...]"
		}
		if i > 0 {
			s += " "
		}
		s += shown(v)
	}
	return s + "]"
}

// spend enters the token into the replay store, under its jti. A token without one
// is entered under its signed text. The signature is not part of the key, because
// others can vary it.
func (j *JWTVerifier) spend(ctx context.Context, use Use, namespace string, t *jwtToken, c *jwtClaims) *Error {
	id := "jti:" + c.jti
	advice := ""
	if c.jti == "" {
		sum := sha256.Sum256([]byte(t.Signed))
		id = "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:])
		advice = "; without a jti, two assertions with the same claims are the same one: add a random jti to each"
	}
	first, err := j.c.Replay.Use(ctx, namespace, id, c.exp.Add(j.c.ClockSkew))
	switch {
	case err != nil:
		return newError(use, ReasonUnavailable, "the replay store").because(err)
	case !first:
		return newError(use, ReasonReplay, "%s of %s was used before%s", shown(id), shown(c.iss), advice)
	}
	return nil
}

// The namespaces of replay entries. All assertions of a client share one, so that
// an assertion cannot serve as authentication and then as a grant. An issuer whose
// name is that of a client has its own.
func clientNamespace(id string) string { return "jwt client " + id }
func issuerNamespace(id string) string { return "jwt issuer " + id }
