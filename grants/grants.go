package grants

import (
	"context"
	"net/netip"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Handler is one grant: it turns a token request into a decision.
// It must be safe for concurrent use, must not keep the request, and must not change its Client: the server issues by that.
type Handler interface {
	// GrantType is the value of grant_type that this handler serves, for example "client_credentials"
	// or an absolute URI of the host's own (RFC 6749 section 4.5).
	GrantType() string
	// Handle decides. It returns a *Error for what the client should be told; any other error is
	// answered with server_error and its text stays with the operator. It issues and stores no token.
	Handle(ctx context.Context, r *Request) (*Grant, error)
}

// Responder is implemented by grants that begin at the authorization endpoint.
type Responder interface {
	// ResponseType is the response_type value that the grant adds: "code" or "token".
	ResponseType() string
}

// Identifier is implemented by grants whose request names the client without authenticating it
// (RFC 7521 section 4.1). The server asks it only when the request carries no client credentials.
type Identifier interface {
	// Identify returns the ID of the client that the request speaks for. Handle checks the proof.
	Identify(ctx context.Context, r *Request) (clientID string, err error)
}

// Request is a token request that was parsed, bounded and, unless the grant is an [Identifier],
// comes from an authenticated (or public) client that is registered for the grant type.
type Request struct {
	// Form holds the body's parameters: valid UTF-8 without NUL, none of them empty,
	// none repeated but resource and audience.
	Form          url.Values
	Client        storage.Client
	Authenticated bool // false for a public client, which is only identified
	Remote        netip.Addr
	Now           time.Time // one instant for every decision of this request, UTC

	Issuer        string // our issuer identifier (RFC 8414)
	TokenEndpoint string // our token endpoint's URL

	Records storage.Records
	Codes   tokens.Opaque // the form of our authorization codes
	Refresh tokens.Opaque // the form of our refresh tokens
	Limiter Limiter       // never nil; counts guesses

	// Imported are the forms of refresh tokens that another server issued: see [Find].
	Imported []tokens.Imported

	// Confirmation is the key that the request proved to hold (RFC 7800 cnf members), if any.
	Confirmation map[string]string
	// Scope is the scope parameter, split; empty when none was sent.
	Scope []string
}

// Grant is a handler's decision. The server checks the subject and the scope, mints and stores the tokens,
// spends what is to be spent and writes the response: the same path for every grant.
type Grant struct {
	ID      string // the family that the tokens join; empty: a new one
	Subject string // who the tokens speak for; required

	// Scope was decided earlier (at the authorization endpoint, in the grant that is refreshed).
	// nil: the server decides on the request's scope parameter by its scope rules.
	Scope []string
	// Limit bounds what the scope rules may give when Scope is nil, for example to what an assertion allows.
	// nil: no further bound.
	Limit []string
	// Narrow is the part of Scope that the access token gets (RFC 6749 section 6). nil: all of Scope.
	Narrow []string

	Audience     []string // resource servers; empty: the client's default
	Claims       map[string]any
	Confirmation map[string]string // binds the access token, and a public client's refresh token, to a key
	AuthTime     time.Time         // when the user authenticated; zero: unknown
	Consent      int               // generation of the user's consent that this rests on; 0: none

	// Refresh allows a refresh token. The client gets one if it is registered for refresh_token and
	// the server lists that grant.
	Refresh bool
	// RefreshToken is answered in place of a new refresh token, which stays as it is stored.
	RefreshToken string
	// FamilyEnd is when the family ends, however often it is refreshed; zero: by the server's lifetimes.
	FamilyEnd time.Time
	// FamilyNotAfter bounds the end of a family that begins with this grant; zero: not.
	FamilyNotAfter time.Time
	// NotAfter bounds the access token's expiry, for example by that of an assertion; zero: not.
	NotAfter time.Time

	// Spend is the record that this grant uses up: the one that the checks saw. It is Active in the store, moves to
	// its State here (Spent, or Active when it is kept) in the same Advance that stores the tokens, and
	// nothing is issued unless that succeeds.
	Spend *storage.Record
	// Prepare, if not nil, sees the finished response before anything is stored, and may write into Spend.
	Prepare func(*Response) error
	// Replay is answered as it is: nothing is issued, spent or stored.
	Replay *Response
	// EndAccess revokes the family's earlier access tokens before the new one is issued.
	EndAccess bool

	// Response has further members for the token response. They never overwrite the standard ones.
	Response map[string]any
}

// Response is a successful token response (RFC 6749 section 5.1).
type Response struct {
	AccessToken  string         `json:"access_token"`
	TokenType    string         `json:"token_type"`
	ExpiresAt    time.Time      `json:"expires_at"`
	RefreshToken string         `json:"refresh_token,omitempty"`
	Scope        []string       `json:"scope,omitempty"`
	Extra        map[string]any `json:"extra,omitempty"`
}

// Limiter bounds guesses at secrets that people choose.
type Limiter interface {
	// Attempt asks to make one guess against key ("user:…", "client:…", "addr:…"). A wait above zero
	// refuses it, and tells after how long another may be made. Otherwise the caller makes its guess and calls
	// done once with the outcome. Guesses under way count until they are done, so that
	// any number of them at once does not pass the limit.
	Attempt(ctx context.Context, key string) (done func(success bool), wait time.Duration, err error)
}
