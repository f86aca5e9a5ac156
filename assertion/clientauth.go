package assertion

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"
)

// The values of token_endpoint_auth_method that [ClientCredentials] can have
// (OpenID Connect Core section 9).
const (
	methodPrivateKeyJWT   = "private_key_jwt"
	methodClientSecretJWT = "client_secret_jwt"
)

// ErrUnknownClient is the error of [ClientKeys] for a client that does not exist,
// is disabled, or does not authenticate with a JWT.
var ErrUnknownClient = errors.New("assertion: unknown client")

// ClientKeys returns the credentials of the clients that authenticate with a JWT.
type ClientKeys interface {
	// ClientKeys returns the credentials of exactly this client, or
	// ErrUnknownClient. The identifier comes from a token that is not verified
	// yet: use it as a key and for nothing else. Any other error refuses the
	// request with server_error.
	ClientKeys(ctx context.Context, clientID string) (ClientCredentials, error)
}

// ClientCredentials are the credentials of one client.
type ClientCredentials struct {
	// Method is the one method that the client is registered for,
	// "private_key_jwt" or "client_secret_jwt". It decides which algorithms
	// exist for the client: public-key signatures for the one, HMAC for the
	// other.
	Method string

	// Keys or JWKS hold the public keys for private_key_jwt. JWKS is read if
	// Keys is nil.
	Keys KeySetSource
	JWKS json.RawMessage
	// Secrets are the plain client secrets for client_secret_jwt, several while
	// they are rotated. RFC 7518 section 3.2 demands 32 octets for HS256, 48 for
	// HS384 and 64 for HS512. A shorter secret verifies nothing, so refuse it at
	// registration.
	Secrets [][]byte

	// Algorithm is the client's token_endpoint_auth_signing_alg. Empty: any
	// algorithm of its method.
	Algorithm string
	// CertificateDates and Lenient are as in [JWTRules].
	CertificateDates bool
	Lenient          bool
	// MaxLifetime replaces that of the configuration if it is positive.
	MaxLifetime time.Duration
	// LegacyAudience is as in [JWTConfig], for this client alone. Without
	// JWTConfig.TokenEndpoint it has no effect.
	LegacyAudience bool
}

// signer returns what may verify the client's tokens. The method alone fixes the
// family of algorithms, so the header of a token cannot choose another one.
func (c ClientCredentials) signer() jwtSigner {
	s := jwtSigner{dates: c.CertificateDates}
	if c.Algorithm != "" {
		s.algorithms = []string{c.Algorithm}
	}
	switch c.Method {
	case methodPrivateKeyJWT:
		s.known = true
		s.keys = c.Keys
		s.jwks = c.JWKS
	case methodClientSecretJWT:
		s.known = true
		// The list is not nil even if it is empty: nil means public keys.
		s.secrets = append([][]byte{}, c.Secrets...)
	}
	return s
}

// verifyClient judges t as client authentication (RFC 7523 section 3, as
// draft-ietf-oauth-rfc7523bis changes it).
func (j *JWTVerifier) verifyClient(ctx context.Context, r Request, t *jwtToken, now time.Time) (*Assertion, *Error) {
	id := claimed(t)
	found, refusal := j.findClient(ctx, r, t)
	if refusal != nil {
		return nil, refusal
	}
	credentials := found.ClientCredentials
	// The signature of an unknown client is checked too, against nothing, so that it
	// takes the same time.
	key, refusal := j.checkSignature(ctx, ClientAuth, t, credentials.signer(), now)
	if refusal != nil {
		return nil, refusal.because(cmp.Or(refusal.Err, found.unknown))
	}

	c, refusal := applyRules(j.clientRules(t, credentials, now))
	if refusal != nil {
		return nil, claimsRefused(refusal)
	}
	if refusal := j.spend(ctx, ClientAuth, clientNamespace(id), t, c); refusal != nil {
		return nil, refusal
	}
	return t.assertion(c, key), nil
}

// claimedClient is the client that a token names.
type claimedClient struct {
	// ClientCredentials are empty if the client is not known.
	ClientCredentials
	// unknown says why it is not known, or is nil.
	unknown error
}

// findClient returns the client that the token names.
func (j *JWTVerifier) findClient(ctx context.Context, r Request, t *jwtToken) (c claimedClient, refusal *Error) {
	id := claimed(t)
	if sub, _ := t.claims["sub"].(string); sub != id {
		return c, newError(ClientAuth, ReasonSubject, "iss is %s and sub %s, where both are the client", shown(id), shown(sub))
	}
	if r.ClientID != "" && r.ClientID != id {
		return c, newError(ClientAuth, ReasonClient, "client_id is %s, but the assertion is of %s", shown(r.ClientID), shown(id))
	}

	credentials, err := j.c.Clients.ClientKeys(ctx, id)
	switch {
	case errors.Is(err, ErrUnknownClient):
		return claimedClient{unknown: err}, nil
	case err != nil:
		return c, newError(ClientAuth, ReasonUnavailable, "looking up client %s", shown(id)).because(err)
	}
	return claimedClient{ClientCredentials: credentials}, nil
}

// clientRules are the rules for a token whose signature was verified.
func (j *JWTVerifier) clientRules(t *jwtToken, credentials ClientCredentials, now time.Time) jwtRules {
	lifetime := positive(credentials.MaxLifetime, j.c.MaxLifetime)
	return jwtRules{
		use:     ClientAuth,
		token:   t,
		lenient: credentials.Lenient,
		types:   []string{"", "JWT", "client-authentication+jwt"},
		list: []jwtRule{
			{"times", func(c *jwtClaims) *Error { return j.checkTimes(ClientAuth, c, now, lifetime, j.c.MaxAge) }},
			{"audience", func(c *jwtClaims) *Error { return j.checkClientAudience(credentials, c) }},
			{"jti", func(c *jwtClaims) *Error {
				if c.jti == "" {
					return newError(ClientAuth, ReasonContent, "no jti")
				}
				return nil
			}},
		},
	}
}

// checkClientAudience demands this server's issuer identifier and nothing else,
// unless the configuration or that of the client allows what RFC 7523 did.
func (j *JWTVerifier) checkClientAudience(credentials ClientCredentials, c *jwtClaims) *Error {
	if j.c.LegacyAudience || credentials.LegacyAudience {
		return someAudience(ClientAuth, c, []string{j.c.Issuer, j.c.TokenEndpoint})
	}
	return onlyAudience(ClientAuth, c, j.c.Issuer)
}
