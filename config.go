package grantwell

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Config says what a [Server] is. Zero values are the safe defaults.
type Config struct {
	// Issuer is the server's identifier (RFC 8414 section 2): an https URL without query and fragment. It never follows
	// the Host of a request. Required.
	Issuer string
	// Clients finds the registered clients. Required.
	Clients storage.Clients
	// Records keeps codes, tokens and consents. nil: this process's memory, bounded, lost at its end.
	Records storage.Records
	// Grants are the grants that are served; nothing else is.
	Grants []grants.Handler

	// Keys sign JWT access tokens and are published at the JWKS endpoint. nil: no JWTs and no JWKS.
	Keys tokens.Keys
	// AccessTokenFormat is "opaque" (default) or "jwt" (RFC 9068, needs Keys). A client's own setting wins.
	AccessTokenFormat string
	// Strategy replaces both formats by one of the host's own.
	Strategy tokens.Strategy
	// Unrecorded leaves signed access tokens out of the store. What is lost: they can then not be revoked, nor end with
	// their family, their consent or their client, before they expire; the revocation endpoint answers unsupported_token_type.
	Unrecorded bool
	// AccessTokens, RefreshTokens and Codes set prefix and length of the opaque forms.
	AccessTokens, RefreshTokens, Codes tokens.Opaque
	// Imported are the forms of tokens that another server issued and that are accepted until they expire; their records
	// come from [ImportTokens]. Each form may cost a further call of the store for a token that is not ours. At most 4.
	Imported []tokens.Imported
	// TokenType is the token_type that is answered. Empty: "Bearer".
	TokenType string

	AccessTokenLifetime  time.Duration // zero: 1 hour
	RefreshTokenLifetime time.Duration // of a whole family, however often it is refreshed; zero: 30 days
	RefreshTokenIdle     time.Duration // of one refresh token that is not used; zero: no limit but the family's
	CodeLifetime         time.Duration // zero: 60 s; at most 10 minutes
	InteractionLifetime  time.Duration // of a request that waits for login and consent; zero: 10 minutes

	// Audience is the aud of tokens whose client has none registered. Empty: the issuer.
	Audience []string
	// Scopes are the rules by which every grant is given its scope.
	Scopes ScopeRules

	// AuthMethods are the client authentication methods that are accepted.
	// Empty: client_secret_basic, client_secret_post, none and those of ClientAuth.
	AuthMethods []string
	// ClientAuth are further methods, by assertion or certificate.
	ClientAuth []ClientAuthenticator

	// SubjectActive tells whether a user may still have tokens; false refuses them everywhere. nil: all may.
	SubjectActive func(ctx context.Context, subject string) (bool, error)
	// MayIntrospect lets a client ask about a token beyond the rule: its own tokens, and those whose audience it serves
	// ([storage.Client].Resources, or its ID). nil: the rule alone.
	MayIntrospect func(ctx context.Context, caller storage.Client, t *introspect.Token) bool
	// TokenInfo configures the token information endpoint, which is mounted when Paths.TokenInfo is set.
	TokenInfo TokenInfo

	// Hooks are the host's own code at fixed points.
	Hooks Hooks
	// Logger gets one line for each event; nil: none. Events gets the events themselves.
	Logger *slog.Logger
	Events func(ctx context.Context, e Event)
	// RequestID names a request in events. nil: the X-Request-Id header if it is short and plain, else a random one.
	RequestID func(r *http.Request) string

	// Limiter bounds guesses at passwords and client secrets. nil: NewLimiter(), in this process's memory. Instances
	// that share a store share a [SharedLimiter].
	Limiter grants.Limiter
	// LimitClass gives some clients a limit of their own on guesses at their secret: "batch" has the limit of the kind
	// "client/batch", if the limiter has one ([NewLimiterWith]), and that of "client" if not. It is asked about any name that
	// somebody sends. nil or "": "client".
	LimitClass func(clientID string) string
	// ErrorText replaces public error descriptions and URIs; codes and statuses stay. nil: the built-in texts.
	ErrorText func(code, description string) (text, uri string)
	// ErrorPage replaces the page that a user sees when a request cannot be answered by redirect. Status is set
	// by the function. nil: a plain page.
	ErrorPage func(w http.ResponseWriter, r *http.Request, status int, code, description string)

	// Paths are where the endpoints are, below the issuer's path. Zero fields: [DefaultPaths]; "-": not served.
	Paths Paths
	// Cookie sets the name and reach of the one cookie that ties an authorization request to a browser.
	Cookie Cookie
	// Timeout bounds the work on one request, stores and hooks included. Zero: 2 s.
	Timeout time.Duration
	// MaxBody bounds a request body in bytes. Zero: 64 KiB.
	MaxBody int64
	// RequireTLS refuses requests that came over plain HTTP, other than from a trusted proxy that says https.
	RequireTLS bool
	// AllowHTTP accepts an issuer with http, for a server on a developer's machine.
	AllowHTTP bool
	// Origins are JavaScript origins that a CORS preflight is answered for, besides those of clients that
	// a [storage.OriginFinder] finds. Answers themselves are readable for the client's own origins only.
	Origins []string
	// TrustedProxies are the peers whose X-Forwarded-For and X-Forwarded-Proto are believed. Empty: nobody's.
	TrustedProxies []netip.Prefix
	// Compat has deviations that other servers' clients may need. See [Gateway].
	Compat Compat
}

// Paths are the endpoints' paths, below the issuer's own. An issuer "https://as.example/a" serves its token
// endpoint at /a/token and its metadata at /.well-known/oauth-authorization-server/a (RFC 8414 section 3.1).
type Paths struct {
	Authorize  string // "/authorize": the host mounts it; the metadata name it
	Token      string // "/token"
	Revoke     string // "/revoke"
	Introspect string // "/introspect"
	TokenInfo  string // not served unless set
	JWKS       string // "/jwks.json", if there are Keys
	Login      string // "/login": where the ready-made pages send a browser; the host's own page
	Consent    string // "/consent"
	ShowCode   string // not served unless set: a page that shows a code to a user whose client has no redirect
}

// DefaultPaths are what zero fields of [Paths] stand for.
func DefaultPaths() Paths {
	return Paths{Authorize: "/authorize", Token: "/token", Revoke: "/revoke", Introspect: "/introspect", TokenInfo: "-",
		JWKS: "/jwks.json", Login: "/login", Consent: "/consent", ShowCode: "-"}
}

// Cookie configures the browser cookie of the ready-made pages. It is HttpOnly and SameSite=Lax always, and Secure
// when the issuer is https.
type Cookie struct {
	Name   string        // "__Host-grantwell"; "grantwell" when the issuer is http or Domain or Path is set
	Domain string        // "": this host only
	Path   string        // "/"
	MaxAge time.Duration // zero: until the browser closes
}

// Hooks are functions of the host's. A returned *[grants.Error] is answered as it is, any other error as
// server_error; a panic is answered as server_error too, and never with a token. nil: nothing happens.
type Hooks struct {
	// Authorize runs before an authorization request is approved.
	Authorize func(ctx context.Context, req *AuthorizeRequest, a *Approval) error
	// Authorized runs after it was approved, before the answer is sent.
	Authorized func(ctx context.Context, req *AuthorizeRequest, a Approval) error
	// Issue runs before tokens are minted. It may change Claims and Response.
	Issue func(ctx context.Context, i *Issue) error
	// Issued runs after they are stored, before the answer is sent. An error revokes them.
	Issued func(ctx context.Context, i Issue) error
	// Revoke runs before a token is revoked, Revoked after.
	Revoke, Revoked func(ctx context.Context, t *introspect.Token) error
	// Validate runs on every live token that is looked up. A *[grants.Error] below status 500 makes it inactive; any other
	// error means that the answer could not be had (503). Claims may be added to Extra.
	Validate func(ctx context.Context, t *introspect.Token) error
}

// Issue is what is about to be issued, or was.
type Issue struct {
	Client    storage.Client
	GrantType string
	GrantID   string
	Subject   string
	Scope     []string
	Audience  []string
	ExpiresAt time.Time      // of the access token
	Claims    map[string]any // stored with the token; in a JWT too. Registered names cannot be set
	Response  map[string]any // further members of the token response. Standard ones cannot be set
	Refresh   bool           // a refresh token comes with it
}

// Compat has deviations for clients of other servers, each off by default.
type Compat struct {
	// Formats answers format=urlencoded, format=query and format=xml in kind, errors included.
	Formats bool
	// QuotedExpiresIn writes expires_in as a JSON string.
	QuotedExpiresIn bool
	// ForeignRevocation is what revoking another client's token answers: 0 or 400 is invalid_grant,
	// 403 says so by status, 200 does not tell that the token exists. The token lives in each case.
	ForeignRevocation int
	// AnySecretPlace takes a client's secret from the Basic header or from the body, whichever of client_secret_basic
	// and client_secret_post it is registered for. One request still uses one of them.
	AnySecretPlace bool
}

// TokenInfo configures the token information endpoint.
type TokenInfo struct {
	// Open answers callers that do not authenticate. Whoever has a token can then learn what it is good for.
	Open bool
	// Get accepts the token in the query of a GET request, where logs and histories keep it.
	Get bool
	// Fields adds members to the answer: each name here is answered with the claim of that name
	// in the token's data, for example {"Department": "dept"}. Nothing else of the data is shown.
	Fields map[string]string
}

// Gateway changes cfg so that it answers as the OAuth service of a widely used API gateway does, which lets that
// gateway's clients stay as they are: its paths, formats, lengths, lifetimes, scope
// delimiters and statuses. What is unsafe in the original (anonymous token information, tokens in the query, secrets
// in answers) stays off; see [TokenInfo] for the first two.
func Gateway(cfg Config) Config {
	cfg.Paths = Paths{Authorize: "/api/oauth/authorize", Token: "/api/oauth/token", Revoke: "/api/oauth/revoke",
		TokenInfo: "/api/oauth/tokeninfo", Introspect: "/api/oauth/introspect", JWKS: "/api/oauth/jwks.json",
		Login: cfg.Paths.Login, Consent: cfg.Paths.Consent, ShowCode: cfg.Paths.ShowCode}
	cfg.AccessTokens.Length, cfg.RefreshTokens.Length, cfg.Codes.Length = 54, 46, 30
	cfg.AccessTokenLifetime, cfg.RefreshTokenLifetime, cfg.CodeLifetime = time.Hour, 12*time.Hour, 10*time.Minute
	cfg.Scopes.Match, cfg.Scopes.Delimiters = MatchAny, ",+"
	cfg.Compat = Compat{Formats: true, QuotedExpiresIn: true, ForeignRevocation: 403, AnySecretPlace: true}
	return cfg
}
