package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/base/jws"
)

const (
	typ          = "at+jwt" // RFC 9068 section 2.1
	typLong      = "application/at+jwt"
	maxJWT       = 16 << 10 // characters of a token
	maxHeader    = 1 << 10  // characters of its encoded header
	defaultSkew  = 10 * time.Second
	maxClockSkew = 5 * time.Minute
)

// allAlgorithms are the algorithms that keys of this package can have. They do not
// include "none" or an HMAC.
var allAlgorithms = []string{RS256, PS256, ES256, ES384, EdDSA, Ed25519}

// JWT makes signed access tokens, which a resource server can verify without
// asking the authorization server (RFC 9068). It is a value without state, and
// safe for concurrent use.
//
// After a revocation, introspection answers that such a token is inactive. A
// resource server that does not ask still accepts it until it expires.
type JWT struct {
	// Keys sign and verify. Required.
	Keys Keys
	// Issuer is the iss of every token. Required.
	Issuer string
	// Algorithms are those that Verify accepts. A key verifies its own
	// algorithm only, even if others are listed. Empty means RS256, PS256,
	// ES256, ES384 and EdDSA, which has Ed25519 as its second name.
	Algorithms []string
	// ClockSkew is how far in the future iat and nbf may be, because the
	// clocks of instances differ. Zero means 10 seconds, negative none; at most
	// 5 minutes. It does not apply to exp, so it never prolongs a token.
	ClockSkew time.Duration
}

var _ Strategy = JWT{}

// Check returns an error for each field that is missing or wrong. It does not
// ask for keys.
func (j JWT) Check() error {
	var errs []error
	if j.Keys == nil {
		errs = append(errs, errors.New("tokens: JWT.Keys is required"))
	}
	if !validText(j.Issuer) {
		errs = append(errs, errors.New("tokens: JWT.Issuer is required"))
	}
	for _, a := range j.Algorithms {
		if !slices.Contains(allAlgorithms, a) {
			all := strings.Join(allAlgorithms, ", ")
			errs = append(errs, fmt.Errorf("tokens: JWT.Algorithms: %q is not one of %s", a, all))
		}
	}
	if j.ClockSkew > maxClockSkew {
		errs = append(errs, fmt.Errorf("tokens: JWT.ClockSkew is more than %v", maxClockSkew))
	}
	return errors.Join(errs...)
}

// Mint signs the claims. Issuer may be empty. Subject, ClientID, ID, Audience,
// IssuedAt and ExpiresAt are required. Mint returns an error if the claims are not
// complete, if Extra has the name of a registered claim, if the token would have
// more than 16 KiB, or if no key signs.
func (j JWT) Mint(ctx context.Context, c Claims) (string, error) {
	if err := j.Check(); err != nil {
		return "", err
	}
	if c.Issuer == "" {
		c.Issuer = j.Issuer
	}
	if c.Issuer != j.Issuer {
		return "", errors.New("tokens: Claims.Issuer is not the issuer of the strategy")
	}
	payload, err := encodeClaims(c)
	if err != nil {
		return "", err
	}

	key, err := j.Keys.Signing(ctx)
	if err != nil {
		return "", fmt.Errorf("tokens: no signing key: %w", err)
	}
	if err := key.signs(); err != nil {
		return "", err
	}
	if !j.accepts(key.Algorithm) {
		return "", fmt.Errorf("tokens: key %q is for %s, which JWT.Algorithms does not list", key.ID, key.Algorithm)
	}

	token, err := sign(key, payload)
	if err != nil {
		return "", err
	}
	if len(token) > maxJWT {
		return "", errors.New("tokens: the claims make a token of more than 16 KiB")
	}
	return token, nil
}

// Verify returns the claims of a token that this strategy signed and that has not
// expired. Its header must have the members typ, alg and kid and no others, so
// that jwk, jku, x5u, x5c, crit and zip have no effect. The caller compares the
// audience.
func (j JWT) Verify(ctx context.Context, token string) (Claims, error) {
	if err := j.Check(); err != nil {
		return Claims{}, err
	}
	signed, err := parse(token)
	if err != nil {
		return Claims{}, err
	}
	if !j.accepts(signed.Header.Algorithm) {
		return Claims{}, invalidError("an algorithm that is not allowed")
	}
	key, err := j.published(ctx, signed.Header.KeyID)
	if err != nil {
		return Claims{}, err
	}
	if !key.Serves(signed.Header.Algorithm) {
		return Claims{}, invalidError("its algorithm is not the key's")
	}
	if _, ok := signed.Verify([]jws.Key{key}); !ok {
		return Claims{}, invalidError("wrong signature")
	}

	// The claims are read only now, after the signature was verified.
	c, err := decodeClaims(signed.Payload)
	if err != nil {
		return Claims{}, invalidError(strings.TrimPrefix(err.Error(), "tokens: "))
	}
	if err := j.checkLive(c, time.Now()); err != nil {
		return Claims{}, err
	}
	return c, nil
}

// published returns the published key with this ID.
func (j JWT) published(ctx context.Context, id string) (jws.Key, error) {
	keys, err := j.Keys.Published(ctx)
	if err != nil {
		return jws.Key{}, fmt.Errorf("tokens: no verification keys: %w", err)
	}
	at := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id })
	if at < 0 {
		return jws.Key{}, invalidError("no published key has its kid")
	}
	pub, err := keys[at].public()
	if err != nil {
		return jws.Key{}, err
	}
	return jws.Key{
		ID:        keys[at].ID,
		Algorithm: keys[at].Algorithm,
		Key:       pub,
	}, nil
}

// checkLive compares the claims with the issuer and the clock.
func (j JWT) checkLive(c Claims, now time.Time) error {
	skew := j.ClockSkew
	if skew == 0 {
		skew = defaultSkew
	}
	latest := now.Add(max(skew, 0))
	switch {
	case c.Issuer != j.Issuer:
		return invalidError("another issuer")
	case !now.Before(c.ExpiresAt):
		return invalidError("expired")
	case c.IssuedAt.After(latest):
		return invalidError("issued in the future")
	case c.NotBefore.After(latest):
		return invalidError("not valid yet")
	}
	return nil
}

// accepts reports whether alg, or another name of it, is one of Algorithms.
func (j JWT) accepts(alg string) bool {
	list := j.Algorithms
	if len(list) == 0 {
		list = allAlgorithms
	}
	return slices.ContainsFunc(list, func(a string) bool { return jws.SameAlgorithm(a, alg) })
}

// parse takes a token apart and does not verify its signature. The header must
// have exactly the members that sign writes.
func parse(token string) (*jws.Token, error) {
	t, err := jws.Parse(token, jws.Rules{Size: maxJWT, HeaderSize: maxHeader})
	if err != nil {
		return nil, invalidError(strings.TrimPrefix(err.Error(), "jws: "))
	}
	switch h := t.Header; {
	case h.Type != typ && h.Type != typLong:
		// RFC 9068 section 4: an ID token or an assertion is not accepted.
		return nil, invalidError("its typ is not at+jwt")
	case h.Algorithm == "" || !validKeyID(h.KeyID):
		return nil, invalidError("a header without alg or kid")
	case len(h.Members) != 3:
		return nil, invalidError("a header with more than typ, alg and kid")
	}
	return t, nil
}
