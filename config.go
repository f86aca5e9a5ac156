package grantwell

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/peer"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Config describes a [Server]. Zero values are the safe defaults.
type Config struct {
	// Issuer is the server's identifier (RFC 8414 section 2): an https URL without
	// query and fragment. It never follows the Host of a request. Required.
	Issuer string
	// Clients finds the registered clients. Required.
	Clients storage.Clients
	// Records keeps codes, tokens and consents. Required. Package storage/memstore
	// keeps them in the memory of one process, until the process ends.
	Records storage.Records
	// Grants are the grants that are served, and no others.
	Grants []grants.Handler

	// Keys sign JWT access tokens and are published at the JWKS endpoint. Nil: no
	// JWTs and no JWKS.
	Keys tokens.Keys
	// AccessTokenFormat is "opaque" (default) or "jwt" (RFC 9068, needs Keys). A
	// client's own setting wins.
	AccessTokenFormat string
	// Strategy replaces both formats by one of the host.
	Strategy tokens.Strategy
	// Unrecorded leaves signed access tokens out of the store. They can then not be
	// revoked, nor end with their family, consent or client, before they expire; the
	// revocation endpoint answers unsupported_token_type.
	Unrecorded bool
	// AccessTokens, RefreshTokens and Codes set prefix and length of the opaque forms.
	AccessTokens, RefreshTokens, Codes tokens.Opaque
	// Imported are the forms of tokens that another server issued and that are
	// accepted until they expire: see [ImportTokens]. Each form may cost a further
	// call of the store for a token of another form. At most 4.
	Imported []tokens.Imported
	// TokensNotBefore ends everything that was issued before it, of all clients: codes,
	// tokens and requests that wait for the user. It is for a store that was restored
	// from a backup, in which used codes may look fresh. Zero: nothing is ended.
	TokensNotBefore time.Time
	// TokenType is the token_type of token responses. Empty: "Bearer".
	TokenType string

	AccessTokenLifetime  time.Duration // zero: 1 hour
	RefreshTokenLifetime time.Duration // of a whole family, however often it is refreshed; zero: 30 days
	RefreshTokenIdle     time.Duration // of a refresh token that is not used; zero: no limit but the family's
	CodeLifetime         time.Duration // zero: 60 s; at most 10 minutes
	InteractionLifetime  time.Duration // of a request that waits for login and consent; zero: 10 minutes

	// Audience is the aud of tokens whose client has none registered. Empty: the issuer.
	Audience []string
	// Scopes are the rules by which every grant gets its scope.
	Scopes ScopeRules

	// AuthMethods are the client authentication methods that are accepted. Empty:
	// client_secret_basic, client_secret_post, none and those of ClientAuth.
	AuthMethods []string
	// ClientAuth are further methods, by assertion or certificate.
	ClientAuth []ClientAuthenticator

	// SubjectActive reports whether a user may still have tokens; false refuses them
	// everywhere. Nil: all may.
	SubjectActive func(ctx context.Context, subject string) (bool, error)
	// MayIntrospect lets a client ask about a token beyond the rule, which is: its own
	// tokens, and those whose audience it serves ([storage.Client].Resources, or its
	// ID). Nil: the rule alone.
	MayIntrospect func(ctx context.Context, caller storage.Client, t *introspect.Token) bool
	// TokenInfo configures the token information endpoint, which is served if
	// Paths.TokenInfo is set.
	TokenInfo TokenInfoConfig
	// AuthorizeParameters are parameters of the host's own at the authorization
	// endpoint, at most 20: see [AuthorizeRequest].Parameters. No others are kept.
	AuthorizeParameters []string
	// PAR configures pushed authorization requests (RFC 9126), off by default.
	PAR PARConfig

	// Hooks are functions of the host at fixed points.
	Hooks Hooks
	// Logger gets one line for each event; nil: none.
	Logger *slog.Logger
	// Events gets the events themselves; nil: it does not.
	Events func(ctx context.Context, e Event)
	// RequestID names a request in events, on error pages and in their header X-Request-Id.
	// Nil: the X-Request-Id header if it is short and plain, or else a random name.
	RequestID func(r *http.Request) string

	// Limiter bounds guesses at passwords and client secrets, and anonymous work: see
	// package grants/limit. Nil: limit.NewMemory(nil). Instances that share a store
	// need a limit.Shared.
	Limiter grants.Limiter
	// LimitClass gives some clients a limit of their own on guesses at their secret:
	// "batch" has the limit of the kind "client/batch", if the limiter has one, and
	// that of "client" otherwise. It is asked about any name that a caller sends. Nil
	// or "": "client".
	LimitClass func(clientID string) string
	// ErrorText replaces public error descriptions and URIs; codes and statuses stay.
	// Nil: the built-in texts.
	ErrorText func(code, description string) (text, uri string)
	// ErrorPage replaces the page that a user sees if a request cannot be answered by
	// a redirect. The function sets the status. The header X-Request-Id of w has the
	// name of the request, for the page. Nil: a plain page.
	ErrorPage func(w http.ResponseWriter, r *http.Request, status int, code, description string)

	// Messages translate the built-in pages: by language tag, a catalogue like that of
	// [Messages]. ui_locales and Accept-Language choose; English and German are there.
	Messages map[string]map[string]string
	// PageLayout returns the document around the content, HTML, of the built-in pages
	// but consent. Style sheets carry the nonce. Nil: the built-in layout.
	PageLayout func(language, title, nonce, content string) string

	// Paths are the paths of the endpoints, below the issuer's path. Zero fields:
	// [DefaultPaths]; "-": not served.
	Paths Paths
	// Cookie sets name and reach of the one cookie, which ties an authorization
	// request to a browser.
	Cookie CookieConfig
	// Timeout bounds the work on one request, stores and hooks included. Zero: 2 s.
	Timeout time.Duration
	// MaxBody bounds a request body in bytes. Zero: 64 KiB.
	MaxBody int64
	// RequireTLS refuses requests that came over plain HTTP, except from a trusted
	// proxy that says https.
	RequireTLS bool
	// AllowHTTP accepts an issuer with http, for a server on a developer's machine.
	AllowHTTP bool
	// Origins are JavaScript origins that a CORS preflight is answered for, besides
	// those of clients that a [storage.OriginFinder] finds. An answer itself is
	// readable for the client's own origins only.
	Origins []string
	// OriginHeaders are request headers that a preflight allows besides Authorization,
	// Content-Type and DPoP, for example "traceparent".
	OriginHeaders []string
	// TrustedProxies are the peers whose X-Forwarded-For, X-Forwarded-Proto and Forwarded
	// (RFC 7239) are believed; TrustedSocket believes those of a unix-domain socket.
	TrustedProxies []netip.Prefix
	TrustedSocket  bool
	// Compat has deviations that clients of other servers may need. See [Gateway].
	Compat Compat
	peers  *peer.Proxies
}

// Paths are the paths of the endpoints, below the issuer's own. An issuer
// "https://as.example/a" serves its token endpoint at /a/token and its metadata at
// /.well-known/oauth-authorization-server/a (RFC 8414 section 3.1).
type Paths struct {
	Authorize   string // "/authorize": the host mounts it; the metadata name it
	Token       string // "/token"
	Revoke      string // "/revoke"
	Introspect  string // "/introspect"
	TokenInfo   string // not served unless set
	JWKS        string // "/jwks.json", if there are Keys
	Login       string // "/login": the host's login page, to which the ready-made pages send a browser
	Consent     string // "/consent"
	DisplayCode string // not served unless set: a page that shows a code to a user whose client has no redirect
}

// DefaultPaths returns what zero fields of [Paths] stand for.
func DefaultPaths() Paths {
	return Paths{
		Authorize:   "/authorize",
		Token:       "/token",
		Revoke:      "/revoke",
		Introspect:  "/introspect",
		TokenInfo:   "-",
		JWKS:        "/jwks.json",
		Login:       "/login",
		Consent:     "/consent",
		DisplayCode: "-",
	}
}

// CookieConfig configures the browser cookie. It is always HttpOnly and SameSite=Lax,
// and Secure if the issuer is https.
type CookieConfig struct {
	Name   string        // "__Host-grantwell"; "grantwell" if the issuer is http or Domain or Path is set
	Domain string        // "": this host only
	Path   string        // "/"
	MaxAge time.Duration // zero: until the browser closes
}

// TokenInfoConfig configures the token information endpoint.
type TokenInfoConfig struct {
	// Open answers callers that do not authenticate. A caller that has a token can
	// then learn what it is good for.
	Open bool
	// Get accepts the token in the query of a GET request, where logs and histories
	// keep it.
	Get bool
	// Fields adds members to the answer: each name is answered with the claim of that
	// name in the token's data, for example {"Department": "dept"}. Nothing else of
	// the data is shown.
	Fields map[string]string
}

// ClientAuthenticator is a method of client authentication besides a shared secret: an
// assertion or a certificate.
type ClientAuthenticator interface {
	// Methods are the values of token_endpoint_auth_method that it verifies.
	Methods() []string
	// Presented reports whether the request carries credentials of this kind, and the
	// client that they name; "" if client_id names it. It verifies nothing.
	Presented(r *http.Request, form url.Values) (clientID string, ok bool)
	// Verify checks the credentials for the client that they name, which is
	// registered for one of Methods. An error is a failed authentication, but for an
	// [Unavailable], which could not be decided.
	Verify(ctx context.Context, r *http.Request, form url.Values, c storage.Client) error
}

// AssertionAuth authenticates clients by a JWT that they sign (RFC 7523 section 2.2).
// Put it into Config.ClientAuth.
type AssertionAuth = grants.AssertionAuth

var _ ClientAuthenticator = AssertionAuth{}

// Rules for scopes: see the types of package grants.
type (
	// ScopeRules decide on the scope of every grant, the same for all.
	ScopeRules = grants.ScopeRules
	// Scope describes a scope.
	Scope = grants.Scope
	// ScopeRequest is what ScopeRules.Decide sees.
	ScopeRequest = grants.ScopeRequest
	// ScopeMatch says what becomes of a request for scopes of which some are not allowed.
	ScopeMatch = grants.ScopeMatch
)

// The matches of [ScopeRules].
const (
	MatchAll = grants.MatchAll // one scope that is not allowed refuses the request
	MatchAny = grants.MatchAny // those that are allowed are granted
)
