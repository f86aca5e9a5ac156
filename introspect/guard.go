package introspect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/base/deadline"
)

// Match is how the scopes of a token compare with the scopes that a request needs.
type Match int

// The matches of [Guard].
const (
	// All wants every needed scope in the token. Further scopes do no harm.
	All Match = iota
	// Any wants one of the needed scopes in the token.
	Any
)

// futureSlack is how far nbf may be in the future, because clocks differ. It does
// not apply to exp.
const futureSlack = 60 * time.Second

// formTimeout bounds how long a guard waits for a form that may have the token.
const formTimeout = 10 * time.Second

// Guard passes requests with a live and sufficient access token on to a handler. It
// answers other requests as RFC 6750 section 3 describes. It has no state: copy
// it, change a field, and use both.
type Guard struct {
	// Introspector answers about tokens. Required.
	Introspector Introspector
	// Audience names this resource. A token must be meant for at least one of
	// these (RFC 9068 section 4, RFC 8707). Required, unless AnyAudience is
	// set.
	Audience []string
	// AnyAudience accepts a token that is meant for any resource, or for none.
	// Each service that receives tokens of your authorization server can then
	// use them here. Set it only if this is the one resource of that server.
	// It contradicts Audience.
	AnyAudience bool
	// Realm is the realm of challenges (RFC 9110 section 11.5), in printable
	// ASCII. Empty means "api".
	Realm string
	// Match is All by default. It applies to the scopes of Require and to
	// those of ScopesFor separately, and both must be satisfied.
	Match Match
	// ScopesFor returns further scopes that a request needs, for example
	// "write" for any method but GET. It may return none.
	ScopesFor func(*http.Request) []string
	// Lookup says where the token is. The zero value reads "Authorization:
	// Bearer".
	Lookup Lookup
	// KeepCredentials leaves the token in the request. By default the handler
	// gets a copy of the request without it (header, form and query field, but
	// not what Extract read), so that it does not reach a proxy or a log
	// behind the handler.
	KeepCredentials bool
	// GatewayStatus answers a request without a token by 400 invalid_request,
	// as some API gateways do. RFC 6750 section 3.1 wants 401 without an error
	// code.
	GatewayStatus bool
	// MetadataURL is where the resource's metadata is (RFC 9728). If it is set,
	// each challenge names it as resource_metadata. See [Metadata].
	MetadataURL string
	// Confirm proves possession of the key that a token is bound to (cnf). It
	// is called for such tokens only, with the credentials in the request. A
	// nil error means that every member of t.Confirmation was proven, so
	// return an error for a member that you do not know. A *[Refusal] sets the
	// answer; any other error is 401 invalid_token. Without Confirm, tokens
	// with a cnf are refused (RFC 9449 section 7.2, RFC 8705 section 3). See
	// [ConfirmCertificate].
	Confirm func(r *http.Request, t *Token) error
	// ErrorHandler writes the status and body of a refusal. The headers,
	// including the challenge, are set before it is called. Nil writes the
	// JSON of RFC 6749 section 5.2.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, refusal *Refusal)
	// Logger gets the reasons of refusals (debug) and failures (error). It
	// never gets a token. Nil: nothing is logged.
	Logger *slog.Logger
}

// Check returns every mistake in the configuration, joined. Each error names its
// field. If the Introspector has a method Check() error, its mistakes are among
// them.
func (g Guard) Check() error {
	var errs []error
	add := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, errors.New("introspect: Guard."+text))
		}
	}
	add(g.Introspector == nil, "Introspector: required")
	add(len(g.Audience) == 0 && !g.AnyAudience,
		"Audience: required, or tokens for other resources would be accepted; AnyAudience accepts them on purpose")
	add(len(g.Audience) > 0 && g.AnyAudience, "AnyAudience: contradicts Audience")
	add(slices.Contains(g.Audience, ""), "Audience: an element is empty")
	add(!printable(g.Realm), "Realm: not printable ASCII")
	add(g.Match != All && g.Match != Any, "Match: neither All nor Any")
	add(g.MetadataURL != "" && !isSecureURL(g.MetadataURL), "MetadataURL: not an absolute https URL")
	errs = append(errs, g.Lookup.check())
	if c, ok := g.Introspector.(interface{ Check() error }); ok {
		errs = append(errs, c.Check())
	}
	return errors.Join(errs...)
}

// isSecureURL reports whether a URL is absolute, printable, and https or plain http
// to this machine.
func isSecureURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && printable(text) && (u.Scheme == "https" || loopbackHTTP(u))
}

// Require returns a middleware that passes a request on if its token is live, is
// meant for this resource and has the scopes. Without scopes any such token is
// sufficient. Each route may have its own Guard and scopes. The handler finds the
// token by [FromContext].
//
// A CORS preflight carries no credentials, so the middleware answers it with status
// 401, as every request without a token. If pages of other origins call the resource,
// put a CORS handler in front of the guard. It answers preflights itself, and lets
// those pages read the guard's challenges too:
//
//	mux.Handle("/files", allowOrigins(guard.Require("read")(files)))
//
// Like [http.ServeMux.Handle] it panics on a programmer's mistake: if [Guard.Check]
// returns an error, or if a scope is not one scope token ("read write" is two).
func (g Guard) Require(scopes ...string) func(http.Handler) http.Handler {
	if err := g.Check(); err != nil {
		panic(err)
	}
	for _, s := range scopes {
		if !isScopeToken(s) {
			panic(fmt.Sprintf("introspect: Require: %q is not one scope token of RFC 6749 section 3.3", s))
		}
	}
	g.Audience = slices.Clone(g.Audience)
	g.Lookup.Schemes = slices.Clone(g.Lookup.Schemes)
	scopes = slices.Clone(scopes)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if g.Lookup.readsBody(r) {
				deadline.SetRead(w, time.Now().Add(formTimeout))
			}
			t, c, refusal := g.admit(r, scopes)
			if refusal != nil {
				g.refuse(w, r, refusal)
				return
			}
			if c.inQuery {
				w.Header().Set("Cache-Control", "private")
			}
			if !g.KeepCredentials {
				r = g.Lookup.strip(r, c)
			}
			next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), t)))
		})
	}
}

// admit decides about a request. A panic in a function of the host's becomes 500,
// and never access.
func (g Guard) admit(r *http.Request, scopes []string) (t *Token, c credential, refusal *Refusal) {
	defer func() {
		if p := recover(); p != nil {
			// The value may quote a token, so only its type is logged.
			g.log(r.Context(), slog.LevelError, "introspect: panic while checking a token",
				"type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			t = nil
			refusal = &Refusal{Status: http.StatusInternalServerError, Code: "server_error"}
		}
	}()

	c, err := g.Lookup.find(r)
	var bad malformed
	switch {
	case errors.As(err, &bad):
		return nil, c, invalidRequest(string(bad))
	case c.token == "" && g.GatewayStatus:
		return nil, c, invalidRequest("The request carries no access token")
	case c.token == "":
		return nil, c, &Refusal{Status: http.StatusUnauthorized}
	}

	t, err = g.Introspector.Introspect(r.Context(), c.token)
	if err == nil && t == nil {
		err = errors.New("introspect: the Introspector returned neither a token nor an error")
	}
	if err != nil {
		g.log(r.Context(), slog.LevelError, "introspect: no answer about a token", "error", err)
		return nil, c, &Refusal{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable"}
	}
	if refusal = g.judge(r, c, t); refusal != nil {
		return nil, c, refusal
	}
	if refusal = g.checkScope(r, t, scopes); refusal != nil {
		return nil, c, refusal
	}
	return t, c, nil
}

func invalidRequest(description string) *Refusal {
	return &Refusal{
		Status:      http.StatusBadRequest,
		Code:        "invalid_request",
		Description: description,
	}
}

// checkScope compares the token's scopes with those of the route and of the
// request.
func (g Guard) checkScope(r *http.Request, t *Token, scopes []string) *Refusal {
	var further []string
	if g.ScopesFor != nil {
		further = g.ScopesFor(r)
	}
	if g.suffices(t.Scope, scopes) && g.suffices(t.Scope, further) {
		return nil
	}
	return &Refusal{
		Status:      http.StatusForbidden,
		Code:        "insufficient_scope",
		Description: "The access token lacks a needed scope",
		Scope:       union(scopes, further),
	}
}

// judge decides whether this request may use the token. It compares the times
// again, so that a cache of the Introspector's cannot prolong a token.
func (g Guard) judge(r *http.Request, c credential, t *Token) *Refusal {
	now := time.Now()
	switch {
	case !t.Active:
		return invalidToken(t.Reason)
	case !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt):
		return invalidToken(ReasonExpired)
	case t.NotBefore.After(now.Add(futureSlack)):
		return invalidToken(ReasonNotYetValid)
	case !t.isAccessToken():
		return invalidToken(ReasonType)
	case !g.AnyAudience && !overlap(t.Audience, g.Audience):
		return invalidToken(ReasonAudience)
	}
	return g.confirm(r, c, t)
}

// isAccessToken reports whether the token is an access token. RFC 7662 lets servers
// answer about refresh tokens too, which must not give access to a resource.
func (t *Token) isAccessToken() bool {
	switch strings.ToLower(t.TokenType) {
	case "", "bearer", "dpop", "access_token", "urn:ietf:params:oauth:token-type:access_token":
	default:
		return false
	}
	if use, ok := t.Extra["token_use"].(string); ok && use != "access_token" && use != "access" {
		return false
	}
	return true
}

// suffices compares scopes by Match. An empty need is always satisfied.
func (g Guard) suffices(have, need []string) bool {
	has := func(s string) bool { return slices.Contains(have, s) }
	if g.Match == Any {
		return len(need) == 0 || slices.ContainsFunc(need, has)
	}
	return !slices.ContainsFunc(need, func(s string) bool { return !has(s) })
}

// overlap reports whether two lists have an element in common.
func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// union returns the elements of both lists, each once.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (g Guard) log(ctx context.Context, level slog.Level, text string, args ...any) {
	if g.Logger != nil {
		g.Logger.Log(ctx, level, text, args...)
	}
}
