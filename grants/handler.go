package grants

import (
	"context"
	"net/netip"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Handler is one grant: it turns a token request into a decision. It must be safe
// for concurrent use, must not keep the request, and must not change its Client.
type Handler interface {
	// GrantType is the value of grant_type that this handler serves, for example
	// "client_credentials" or an absolute URI of the host (RFC 6749 section 4.5).
	GrantType() string
	// Handle decides. It returns a *Error for what the client may know; every other
	// error is answered with server_error and its text stays with the operator.
	// Handle issues and stores no token. A request that it refuses must spend
	// nothing: see Grant.Prepare.
	Handle(ctx context.Context, r *Request) (*Grant, error)
}

// Responder is implemented by a grant that begins at the authorization endpoint.
type Responder interface {
	// ResponseType is the response_type value that the grant enables: "code" or
	// "token" (RFC 6749 section 3.1.1).
	ResponseType() string
}

// Identifier is implemented by a grant whose request names the client without
// authenticating it (RFC 7521 section 4.1). The server asks it only if the request
// carries no client credentials.
type Identifier interface {
	// Identify returns the ID of the client that the request speaks for. Handle
	// checks the proof.
	Identify(ctx context.Context, r *Request) (clientID string, err error)
}

// Wrapper is implemented by a grant that wraps another one without embedding it.
// The server finds the powers that describe the inner grant, such as [Responder]
// and [PKCE], through it.
type Wrapper interface {
	// Unwrap returns the inner grant.
	Unwrap() Handler
}

// Request is a token request that was parsed and bounded. Unless the grant is an
// [Identifier], it comes from a client that authenticated, or that is public, and
// that is registered for the grant type.
//
// A host's handler usually needs Form, Client, Now and Scope. The fields of
// Environment are for handlers that look up codes or tokens themselves. Package
// grantstest fills all of them for a test.
type Request struct {
	// Form holds the parameters of the body: valid UTF-8 without NUL, none empty,
	// none repeated but resource and audience.
	Form url.Values
	// Client is the client that sent the request. It is to be read only.
	Client *storage.Client
	// Now is the one instant by which everything in this request is decided, in UTC.
	Now time.Time
	// Scope is the scope parameter, split at spaces. It is empty if none was sent.
	Scope []string

	// Authenticated is false for a public client, which only names itself.
	Authenticated bool
	// Remote is the address that the request came from; the zero value if unknown.
	Remote netip.Addr
	// Confirmation names the key that the request proved to hold, by the members of
	// cnf (RFC 7800). It is nil if the request proved none.
	Confirmation map[string]string

	Environment
}

// Environment is what a [Request] shows of the server. It is the same for every
// request.
type Environment struct {
	// Issuer is the server's issuer identifier (RFC 8414 section 2).
	Issuer string
	// TokenEndpoint is the URL of the token endpoint.
	TokenEndpoint string

	Records storage.Records
	// Codes is the form of the server's authorization codes.
	Codes tokens.Opaque
	// RefreshTokens is the form of the server's refresh tokens.
	RefreshTokens tokens.Opaque
	// Imported are the forms of refresh tokens that another server issued.
	Imported []tokens.Imported
	// Limiter counts guesses at secrets. It is never nil.
	Limiter Limiter
	// NotBefore ends everything that was issued before it. Zero: nothing.
	NotBefore time.Time
}

// Grant is a handler's decision. For every grant the server checks the subject and
// the scope, mints and stores the tokens, spends what is to be spent, and writes
// the response.
//
// A host's handler usually sets Subject and Refresh, and Claims, Limit or Response
// where it has them. The fields of Continuation are for a handler that continues a
// grant which began earlier.
type Grant struct {
	// Subject is the user, or the client itself, that the tokens speak for. Required.
	Subject string
	// Refresh allows a refresh token. The client gets one if it is registered for
	// refresh_token and the server serves that grant.
	Refresh bool
	// Claims are stored with the tokens, and are written into a JWT access token.
	Claims map[string]any
	// Limit bounds the scope that the server's scope rules may give when Scope is
	// nil. A nil Limit adds no bound.
	Limit []string
	// Requested is the scope that the request asks for where it does not stand in the
	// scope parameter, as in an assertion. Nil: the scope parameter.
	Requested []string
	// Response has further members for the token response. They never replace the
	// standard ones.
	Response map[string]any

	// Audience are the resource servers that the tokens are meant for. Empty: the
	// client's default.
	Audience []string
	// AuthTime is when the user authenticated. Zero: unknown.
	AuthTime time.Time
	// Confirmation binds the access token, and a public client's refresh token, to a
	// key (RFC 7800).
	Confirmation map[string]string
	// NotAfter bounds the expiry of the access token, for example by that of an
	// assertion. Zero: no bound.
	NotAfter time.Time
	// FamilyNotAfter bounds the end of a family that begins with this grant. Zero:
	// no bound.
	FamilyNotAfter time.Time

	// Prepare, if not nil, sees the finished response before anything is stored.
	// Every check of the server has passed by then, so this is where a handler
	// spends what lives outside the server's store, such as a voucher: an error
	// refuses the request, and nothing is issued. It may write into Spend.
	Prepare func(ctx context.Context, res *Response) error

	Continuation
}

// Continuation ties a [Grant] to records that exist already.
type Continuation struct {
	// ID is the family that the tokens join. Empty: a new family.
	ID string
	// Scope was decided earlier, at the authorization endpoint or in the grant that
	// is refreshed. Nil: the server's scope rules decide on the request's scope.
	Scope []string
	// Narrow is the part of Scope that the access token gets (RFC 6749 section 6).
	// Nil: all of Scope.
	Narrow []string
	// Consent is the generation of the user's consent that the grant rests on. 0:
	// none.
	Consent int
	// FamilyEnd is when the family ends, however often it is refreshed. Zero: by the
	// server's lifetimes.
	FamilyEnd time.Time
	// Kept is what specifications keep with the grant: a JSON object with a member
	// for each.
	Kept []byte

	// Spend is the record that this grant uses up, as the handler's checks saw it.
	// The record is Active in the store. The server moves it to the State that is
	// set here (Spent, or Active to keep it) in the same write that stores the
	// tokens; if that write fails, nothing is issued.
	Spend *storage.Record
	// RefreshToken is answered in place of a new refresh token and stays stored as
	// it is.
	RefreshToken string
	// Replay is answered as it is. Nothing is issued, spent or stored.
	Replay *Response
	// EndAccess revokes the family's earlier access tokens before the new one is
	// issued.
	EndAccess bool
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

// carry copies into a grant what a code or refresh token hands on.
func carry(d *record.Data, g *Grant) {
	g.Claims = d.Claims
	g.Confirmation = d.Confirmation
	g.AuthTime = record.Time(d.AuthTime)
	g.Consent = int(d.Consent)
	g.FamilyEnd = record.Time(d.FamilyEnd)
	g.Kept = d.Kept
}
