package assertion

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// The values of token_endpoint_auth_method that [ClientCredentials] can have (OpenID Connect Core section 9).
const (
	methodPrivateKeyJWT   = "private_key_jwt"
	methodClientSecretJWT = "client_secret_jwt"
)

// ErrUnknownClient is what [ClientKeys] returns for a client that does not exist, is disabled, or does not
// authenticate with a JWT.
var ErrUnknownClient = errors.New("assertion: unknown client")

// ClientKeys knows the clients that authenticate with a JWT, and what they sign it with.
type ClientKeys interface {
	// ClientKeys returns the credentials of exactly this client, or ErrUnknownClient. The identifier comes
	// from a token that nobody has verified yet: use it as a key and for nothing else. Any other error
	// refuses the request with server_error.
	ClientKeys(ctx context.Context, clientID string) (ClientCredentials, error)
}

// ClientCredentials are what one client authenticates with.
type ClientCredentials struct {
	// Method is the one method that the client is registered for, "private_key_jwt" or "client_secret_jwt". It
	// decides which algorithms exist for the client: public-key signatures for the one, HMAC for the other.
	Method string

	// Keys or JWKS hold the public keys for private_key_jwt; JWKS is read if Keys is nil.
	Keys KeySetSource
	JWKS json.RawMessage
	// Secrets are the plain client secrets for client_secret_jwt; more than one while they are rotated.
	// RFC 7518 section 3.2 wants 32 octets for HS256, 48 for HS384 and 64 for HS512; a shorter one verifies
	// nothing, so refuse it at registration.
	Secrets [][]byte

	// Algorithm is the client's token_endpoint_auth_signing_alg. Empty: any of its method.
	Algorithm string
	// CertificateDates and Lenient are as in [JWTRules].
	CertificateDates, Lenient bool
}

// signer fixes the family of algorithms by the method alone: what the token's header says can only be
// too little.
func (c ClientCredentials) signer() jwtSigner {
	s := jwtSigner{dates: c.CertificateDates}
	if c.Algorithm != "" {
		s.algorithms = []string{c.Algorithm}
	}
	switch c.Method {
	case methodPrivateKeyJWT:
		s.known, s.keys, s.jwks = true, c.Keys, c.JWKS
	case methodClientSecretJWT:
		s.known, s.secrets = true, append([][]byte{}, c.Secrets...) // never nil: nil means public keys
	}
	return s
}

// verifyClient judges t as client authentication (RFC 7523 section 3, as the draft that updates it demands).
func (j *JWTVerifier) verifyClient(ctx context.Context, r Request, t *jwtToken, now time.Time) (*Assertion, *Error) {
	id := claimed(t)
	if sub, _ := t.claims["sub"].(string); sub != id {
		return nil, newError(ClientAuth, ReasonSubject, "iss is %s and sub %s, where both are the client", shown(id), shown(sub))
	}
	if r.ClientID != "" && r.ClientID != id {
		return nil, newError(ClientAuth, ReasonClient, "client_id is %s, but the assertion of %s", shown(r.ClientID), shown(id))
	}
	credentials, err := j.c.Clients.ClientKeys(ctx, id)
	if err != nil && !errors.Is(err, ErrUnknownClient) {
		return nil, newError(ClientAuth, ReasonUnavailable, "looking up client %s", shown(id)).because(err)
	}
	if err != nil {
		credentials = ClientCredentials{}
	}
	key, refusal := j.checkSignature(ctx, ClientAuth, t, credentials.signer(), now)
	if refusal != nil {
		return nil, refusal
	}

	if t.Padded && !credentials.Lenient {
		return nil, newError(ClientAuth, ReasonEncoding, "base64 padding, which only a lenient client may send")
	}
	if refusal := checkType(ClientAuth, t.Header.Type, "", "JWT", "client-authentication+jwt"); refusal != nil {
		return nil, refusal
	}
	c, err := readClaims(t.claims, credentials.Lenient)
	if err != nil {
		return nil, newError(ClientAuth, ReasonContent, "%v", err)
	}
	if refusal := j.checkTimes(ClientAuth, c, now, j.c.MaxLifetime, j.c.MaxAge); refusal != nil {
		return nil, refusal
	}
	if j.c.LegacyAudience {
		refusal = someAudience(ClientAuth, c, []string{j.c.Issuer, j.c.TokenEndpoint})
	} else {
		refusal = onlyAudience(ClientAuth, c, j.c.Issuer)
	}
	if refusal != nil {
		return nil, refusal
	}
	if c.jti == "" {
		return nil, newError(ClientAuth, ReasonContent, "no jti")
	}
	if refusal := j.spend(ctx, ClientAuth, clientNamespace(id), t, c); refusal != nil {
		return nil, refusal
	}
	return t.assertion(c, key), nil
}
