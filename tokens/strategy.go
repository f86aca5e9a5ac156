package tokens

import (
	"context"
	"errors"
	"time"
)

// Claims are what an access token says. Times have a resolution of one second: a fraction is cut off.
type Claims struct {
	Issuer   string   // iss: the authorization server. Empty when minting: the strategy's own
	Subject  string   // sub: whom the token speaks for; the client's own id when no user is involved
	ClientID string   // client_id: to whom it was issued
	ID       string   // jti: unique for each token of an issuer
	Audience []string // aud: the resource servers that it is meant for; at least one
	Scope    []string // scope: each a scope-token of RFC 6749 section 3.3; none is allowed

	IssuedAt  time.Time // iat
	NotBefore time.Time // nbf; optional
	ExpiresAt time.Time // exp; after IssuedAt
	AuthTime  time.Time // auth_time: when the user last signed in; optional (RFC 9068 section 2.2.1)

	// Confirmation binds the token to a key of the sender's (RFC 7800), for example
	// {"jkt": …} for DPoP (RFC 9449) or {"x5t#S256": …} for mutual TLS (RFC 8705). Empty: a bearer token.
	Confirmation map[string]string
	// Extra are further claims, of any type that has a JSON form. A name that belongs to one of the fields above, in
	// whatever mix of upper and lower case, is an error and never an override. Numbers come back as [json.Number].
	Extra map[string]any
}

// Strategy makes access tokens and tells its own from everything else. A host may bring its own; it must be safe for
// concurrent use, and its tokens must take at least 128 bits of entropy, or a signature, to guess.
type Strategy interface {
	// Mint returns a new token for the claims. An error is the server's fault, never the client's.
	Mint(ctx context.Context, c Claims) (string, error)
	// Verify returns what the token itself proves. An error that is [ErrInvalid] condemns the token; any other says
	// that nothing could be found out, and must be answered with 503 and never with "inactive".
	Verify(ctx context.Context, token string) (Claims, error)
}

// ErrInvalid is the error of Verify for a string that is not a live token of the strategy. It comes wrapped with a reason
// for operators; the reason contains no part of the token, and must not be shown to whoever sent it.
var ErrInvalid = errors.New("tokens: invalid token")

// invalidError is an ErrInvalid with its reason, a constant.
type invalidError string

func (e invalidError) Error() string        { return "tokens: invalid token: " + string(e) }
func (e invalidError) Is(target error) bool { return target == ErrInvalid }
