package tokens

import (
	"context"
	"errors"
	"time"
)

// Claims are the content of an access token (RFC 9068 section 2.2). Times have a
// resolution of one second; a fraction is cut off.
type Claims struct {
	// Issuer is iss, the authorization server. If it is empty, Mint sets that
	// of the strategy.
	Issuer string
	// Subject is sub: the user, or the client if no user is involved.
	Subject string
	// ClientID is client_id, the client that the token was issued to.
	ClientID string
	// ID is jti. It is unique among all tokens of an issuer.
	ID string
	// Audience is aud, the resource servers that may accept the token. At
	// least one is required.
	Audience []string
	// Scope holds scope-tokens of RFC 6749 section 3.3. It may be empty.
	Scope []string

	// IssuedAt is iat. Required.
	IssuedAt time.Time
	// NotBefore is nbf. Optional.
	NotBefore time.Time
	// ExpiresAt is exp, which is after IssuedAt. Required.
	ExpiresAt time.Time
	// AuthTime is auth_time, when the user last signed in (RFC 9068 section
	// 2.2.1). Optional.
	AuthTime time.Time

	// Confirmation is cnf, which binds the token to a key of the client (RFC
	// 7800): {"jkt": …} for DPoP (RFC 9449), {"x5t#S256": …} for mutual TLS
	// (RFC 8705). Empty: a bearer token.
	Confirmation map[string]string
	// Extra are further claims, of any type that has a JSON form. The name of
	// a claim above is an error, in upper case or lower case. Numbers are read
	// as [json.Number].
	Extra map[string]any
}

// Strategy makes access tokens and recognizes its own. A host may bring its own
// one. It must be safe for concurrent use. Guessing one of its tokens must be as
// hard as guessing 128 random bits, or forging a signature.
type Strategy interface {
	// Mint returns a new token with the claims. An error is the server's
	// fault, never the client's.
	Mint(ctx context.Context, c Claims) (string, error)
	// Verify returns the claims that the token itself proves. [ErrInvalid]
	// means that the token is not valid. Any other error means that this could
	// not be found out; the server then answers 503 and must not answer that
	// the token is inactive.
	Verify(ctx context.Context, token string) (Claims, error)
}

// ErrInvalid is the error of Verify for a string that is not a live token of the
// strategy. It is wrapped with a reason for operators. The reason contains no
// part of the token, and must not be sent to the client.
var ErrInvalid = errors.New("tokens: invalid token")

// invalidError is ErrInvalid with a reason.
type invalidError string

func (e invalidError) Error() string        { return "tokens: invalid token: " + string(e) }
func (e invalidError) Is(target error) bool { return target == ErrInvalid }
