package tokens

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/grantwell/grantwell/internal/base/strictjson"
)

const (
	typ          = "at+jwt" // RFC 9068 section 2.1
	typLong      = "application/at+jwt"
	maxJWT       = 16 << 10 // characters of a token
	maxHeader    = 1 << 10  // characters of its header
	defaultSkew  = 10 * time.Second
	maxClockSkew = 5 * time.Minute
)

// allAlgorithms are the algorithms that exist here; "none" and the HMAC family do not.
var allAlgorithms = []string{RS256, PS256, ES256, ES384, EdDSA}

// JWT makes signed access tokens that a resource server can verify by itself (RFC 9068). It keeps no state: it is a
// value, safe for concurrent use.
//
// Such a token cannot be called back by itself; revoking one means that introspection says no.
type JWT struct {
	// Keys sign and verify. Required.
	Keys Keys
	// Issuer is the iss of every token. Required.
	Issuer string
	// Algorithms that Verify accepts. Whatever it says, a key only verifies the one algorithm that it is for. Default
	// RS256, PS256, ES256, ES384 and EdDSA.
	Algorithms []string
	// ClockSkew is how far in the future iat and nbf may be, because the instances' clocks differ. Default 10 seconds;
	// negative: none; at most 5 minutes. It never prolongs a token: exp has no tolerance.
	ClockSkew time.Duration
}

var _ Strategy = JWT{}

// Validate returns an error for every field that is missing or wrong. It does not ask for keys.
func (j JWT) Validate() error {
	var errs []error
	if j.Keys == nil {
		errs = append(errs, errors.New("tokens: JWT.Keys is required"))
	}
	if !validText(j.Issuer) {
		errs = append(errs, errors.New("tokens: JWT.Issuer is required"))
	}
	for _, a := range j.Algorithms {
		if !slices.Contains(allAlgorithms, a) {
			errs = append(errs, fmt.Errorf("tokens: JWT.Algorithms: %q is not one of %s", a, strings.Join(allAlgorithms, ", ")))
		}
	}
	if j.ClockSkew > maxClockSkew {
		errs = append(errs, fmt.Errorf("tokens: JWT.ClockSkew is more than %v", maxClockSkew))
	}
	return errors.Join(errs...)
}

// Mint signs the claims. Issuer may be empty; Subject, ClientID, ID, Audience, IssuedAt and ExpiresAt are required. It
// returns an error when the claims are not complete, when Extra names a registered claim, when the token would have
// more than 16 KiB, and when no key signs.
func (j JWT) Mint(ctx context.Context, c Claims) (string, error) {
	if err := j.Validate(); err != nil {
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
	if !slices.Contains(j.algorithms(), key.Algorithm) {
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

// Verify returns the claims of a token that this strategy signed and that has not expired. Its header must consist of
// typ, alg and kid and nothing else, so no jwk, jku, x5u, x5c, crit or zip is ever acted upon. The caller compares Audience.
func (j JWT) Verify(ctx context.Context, token string) (Claims, error) {
	if err := j.Validate(); err != nil {
		return Claims{}, err
	}
	header, payload, err := split(token)
	if err != nil {
		return Claims{}, err
	}
	if !slices.Contains(j.algorithms(), header.alg) {
		return Claims{}, invalidError("an algorithm that is not allowed")
	}
	keys, err := j.Keys.Published(ctx)
	if err != nil {
		return Claims{}, fmt.Errorf("tokens: no verification keys: %w", err)
	}
	at := slices.IndexFunc(keys, func(k Key) bool { return k.ID == header.kid })
	if at < 0 {
		return Claims{}, invalidError("no published key has its kid")
	}
	pub, err := keys[at].public()
	if err != nil {
		return Claims{}, err
	}
	if keys[at].Algorithm != header.alg {
		return Claims{}, invalidError("its algorithm is not the key's")
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(header.alg)})
	if err != nil {
		return Claims{}, invalidError("not a compact JWS")
	}
	if _, err := jws.Verify(pub); err != nil {
		return Claims{}, invalidError("wrong signature")
	}
	c, err := decodeClaims(payload)
	if err != nil {
		return Claims{}, invalidError(strings.TrimPrefix(err.Error(), "tokens: "))
	}
	if err := j.checkLive(c, time.Now()); err != nil {
		return Claims{}, err
	}
	return c, nil
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

func (j JWT) algorithms() []string {
	if len(j.Algorithms) == 0 {
		return allAlgorithms
	}
	return j.Algorithms
}

// header is the whole header of a token: no other member is allowed.
type header struct{ alg, kid string }

// split takes a compact JWS apart without judging its signature. Size, characters and dots are checked first, so that
// a hostile text costs no memory.
func split(token string) (header, []byte, error) {
	if len(token) > maxJWT {
		return header{}, nil, invalidError("more than 16 KiB")
	}
	dots := 0
	for i := range len(token) { // base64 decoders skip line breaks: nothing but the alphabet gets to one
		if token[i] == '.' {
			dots++
		} else if !inAlphabet[token[i]] {
			return header{}, nil, invalidError("not a compact JWS")
		}
	}
	if dots != 2 {
		return header{}, nil, invalidError("not a compact JWS")
	}
	first, rest, _ := strings.Cut(token, ".")
	second, third, _ := strings.Cut(rest, ".")
	if len(first) > maxHeader {
		return header{}, nil, invalidError("a header of more than 1 KiB")
	}
	strict := base64.RawURLEncoding.Strict() // one spelling for one token: spare bits are zero
	rawHeader, err1 := strict.DecodeString(first)
	payload, err2 := strict.DecodeString(second)
	_, err3 := strict.DecodeString(third)
	if err1 != nil || err2 != nil || err3 != nil {
		return header{}, nil, invalidError("not canonical base64url")
	}
	h, err := parseHeader(rawHeader)
	return h, payload, err
}

func parseHeader(raw []byte) (header, error) {
	members, err := strictjson.Object(raw, claimLimits)
	if err != nil {
		return header{}, invalidError("a malformed header")
	}
	t, _ := members["typ"].(string)
	alg, _ := members["alg"].(string)
	kid, _ := members["kid"].(string)
	switch {
	case t != typ && t != typLong: // RFC 9068 section 4: an ID token or an assertion is no access token
		return header{}, invalidError("its typ is not at+jwt")
	case alg == "" || !validKeyID(kid):
		return header{}, invalidError("a header without alg or kid")
	case len(members) != 3:
		return header{}, invalidError("a header with more than typ, alg and kid")
	}
	return header{alg: alg, kid: kid}, nil
}
