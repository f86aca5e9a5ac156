package introspect

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/grantwell/grantwell/internal/base/fetch"
	"github.com/grantwell/grantwell/internal/base/jws"
)

// maxKeys bounds the keys of a JWK Set.
const maxKeys = 100

// LocalJWT is an [Introspector] for signed access tokens (RFC 9068). It verifies
// them by the issuer's public keys and does not ask the issuer, so it does not see
// a revocation before exp. Use it by pointer and do not change it after the first
// call.
//
// A token must be a compact JWS of at most 16 KiB with an accepted typ and alg,
// verified by a key of the issuer for that algorithm. It must have iss, aud, sub,
// client_id, exp and iat with the right types and values. Headers with a key or a
// reference to one (jwk, jku, x5u, x5c) or with a feature (crit, zip, b64, enc) are
// refused. Claims are read after the signature was verified.
type LocalJWT struct {
	// Issuer must be the iss of every token. Required.
	Issuer string
	// Audience names this resource. A token's aud must have at least one of
	// these. Required.
	Audience []string
	// JWKSURI is the issuer's JWK Set, an https URL (see AllowPrivate). Either
	// it or Keys is required.
	JWKSURI string
	// Keys is a JWK Set as JSON (RFC 7517 section 5), instead of JWKSURI. A set
	// with a private or symmetric key is refused.
	Keys []byte
	// Algorithms are the accepted values of alg. Empty means RS256 to RS512,
	// PS256 to PS512, ES256 to ES512, EdDSA and Ed25519, which are two names of
	// one algorithm. Neither a symmetric algorithm nor "none" is allowed.
	Algorithms []string
	// Types are the accepted values of typ, with or without "application/".
	// Empty means at+jwt (RFC 9068 section 4). For an issuer that writes "JWT"
	// that value must be listed; only Audience then distinguishes an access
	// token from an ID token. With Types set, azp takes the place of a missing
	// client_id.
	Types []string
	// Leeway is how far iat and nbf may be in the future, because clocks
	// differ. Zero means 10 seconds; at most one minute. It does not apply to
	// exp.
	Leeway time.Duration
	// ClientMap returns the local client ID for that of the issuer, or "" if
	// there is none; the token is then not active. Nil keeps the ID.
	ClientMap func(ctx context.Context, clientID string) (string, error)

	// AllowPrivate permits a JWKSURI that resolves to an address that is not
	// public, and plain http to this machine.
	AllowPrivate bool
	// RootCAs are the authorities that verify the server of JWKSURI. Nil means
	// those of the system.
	RootCAs *x509.CertPool
	// Client fetches JWKSURI. Without it, a client that refuses private
	// addresses does. The addresses that Client connects to are the host's
	// responsibility, and RootCAs has no effect. Its redirect policy is not
	// used.
	Client *http.Client
	// Timeout bounds one fetch of JWKSURI. Zero means 2 seconds.
	Timeout time.Duration
	// Interval is the shortest time between two fetches of JWKSURI, however
	// many unknown keys tokens name. Zero means 10 seconds.
	Interval time.Duration
	// MaxAge is how long keys are used before they are fetched again, in the
	// background. Zero means 15 minutes. While fetches fail, the last good keys
	// stay in use for at most 24 hours.
	MaxAge time.Duration

	once       sync.Once
	broken     error
	algorithms []string
	keys       *keyring
}

// Check returns every mistake in the configuration, joined.
func (j *LocalJWT) Check() error {
	var errs []error
	add := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, errors.New("introspect: LocalJWT."+text))
		}
	}
	add(j.Issuer == "", "Issuer: required")
	add(len(j.Audience) == 0 || slices.Contains(j.Audience, ""), "Audience: required, without empty elements")
	add((j.JWKSURI == "") == (len(j.Keys) == 0), "JWKSURI, Keys: exactly one is required")
	if j.JWKSURI != "" {
		add(j.getter().CheckURL(j.JWKSURI) != nil, "JWKSURI: not an https URL")
	}
	if len(j.Keys) > 0 {
		keys, err := jws.ParseSet(j.Keys, maxKeys)
		add(err != nil || len(keys) == 0, "Keys: not a JWK Set with a public signature key")
	}
	for _, alg := range j.Algorithms {
		add(!jws.PublicKey(alg), "Algorithms: not an asymmetric signature algorithm")
	}
	add(slices.Contains(j.Types, ""), "Types: an element is empty")
	add(j.Leeway < 0 || j.Leeway > futureSlack, "Leeway: outside 0 to 1 minute")
	add(j.Timeout < 0 || j.Interval < 0 || j.MaxAge < 0, "Timeout, Interval, MaxAge: negative")
	return errors.Join(errs...)
}

// start prepares the first call.
func (j *LocalJWT) start() {
	if j.broken = j.Check(); j.broken != nil {
		return
	}

	j.algorithms = j.Algorithms
	if len(j.algorithms) == 0 {
		j.algorithms = jws.PublicKeyAlgorithms()
	}
	j.keys, j.broken = newKeyring(j)
}

// getter returns what fetches JWKSURI.
func (j *LocalJWT) getter() *fetch.Getter {
	return &fetch.Getter{
		AllowPrivate: j.AllowPrivate,
		Timeout:      j.Timeout,
		MaxSize:      jws.MaxSetSize,
		Types:        []string{"application/json", "application/jwk-set+json"},
		RootCAs:      j.RootCAs,
		Proxy:        true,
		Client:       j.Client,
	}
}

// Introspect verifies a token. An error means that the keys could not be had, or
// that ClientMap failed.
func (j *LocalJWT) Introspect(ctx context.Context, token string) (*Token, error) {
	if j.once.Do(j.start); j.broken != nil {
		return nil, j.broken
	}
	signed, err := jws.Parse(token, jws.Rules{Size: maxToken})
	if err != nil || !complete(signed) {
		return inactive(ReasonMalformed), nil //nolint:nilerr // a malformed token is not active
	}
	switch h := signed.Header; {
	case !j.acceptsType(h.Type):
		return inactive(ReasonType), nil
	case !j.acceptsAlgorithm(h.Algorithm):
		return inactive(ReasonSignature), nil
	}

	verified, err := j.keys.verify(ctx, signed)
	if err != nil {
		return nil, fmt.Errorf("introspect: JWKSURI: %w", err)
	}
	if !verified {
		return inactive(ReasonSignature), nil
	}

	claims, err := parseObject(signed.Payload)
	if err != nil {
		return inactive(ReasonMalformed), nil //nolint:nilerr // a malformed token is not active
	}
	t, why := j.judge(claims, time.Now())
	if why != "" {
		return inactive(why), nil
	}
	return mapClient(ctx, t, j.ClientMap)
}

// complete reports whether the token has a payload and a signature, and no empty
// kid.
func complete(t *jws.Token) bool {
	_, named := t.Header.Members["kid"]
	return len(t.Payload) > 0 && len(t.Signature) > 0 && (!named || t.Header.KeyID != "")
}

// acceptsType reports whether typ is one of Types, or that of RFC 9068.
func (j *LocalJWT) acceptsType(typ string) bool {
	if len(j.Types) == 0 {
		return jws.SameType(typ, "at+jwt")
	}
	return typ != "" && slices.ContainsFunc(j.Types, func(t string) bool { return jws.SameType(typ, t) })
}

// acceptsAlgorithm reports whether alg, or another name of it, is one of
// Algorithms.
func (j *LocalJWT) acceptsAlgorithm(alg string) bool {
	return slices.ContainsFunc(j.algorithms, func(a string) bool { return jws.SameAlgorithm(a, alg) })
}

// judge reads the claims of a verified token.
func (j *LocalJWT) judge(claims object, now time.Time) (*Token, Reason) {
	t, err := claims.token()
	if err != nil {
		return nil, ReasonMalformed
	}
	if t.ClientID == "" && len(j.Types) > 0 {
		// An azp that is not a string is none, and a token without one is malformed.
		t.ClientID, _ = claims.text("azp")
	}
	leeway := j.Leeway
	if leeway == 0 {
		leeway = 10 * time.Second
	}
	ahead := now.Add(leeway)
	switch {
	case t.Issuer != j.Issuer:
		return nil, ReasonIssuer
	case !overlap(t.Audience, j.Audience):
		return nil, ReasonAudience
	case t.ExpiresAt.IsZero() || t.IssuedAt.IsZero() || t.Subject == "" || t.ClientID == "":
		return nil, ReasonMalformed
	case !now.Before(t.ExpiresAt):
		return nil, ReasonExpired
	case t.NotBefore.After(ahead) || t.IssuedAt.After(ahead):
		return nil, ReasonNotYetValid
	}
	t.Active = true
	return t, ""
}
