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
)

// Match says how the scopes of a token compare with the needed ones.
type Match int

const (
	All Match = iota // every needed scope must be there; further ones never hurt
	Any              // one of the needed scopes must be there
)

// futureSlack is how far nbf may lie ahead, for clocks that differ; exp has no slack.
const futureSlack = 60 * time.Second

// Guard lets requests with a live, sufficient access token through to a handler and answers the
// others as RFC 6750 section 3 says. It has no state: copy it, change a field, and use both.
type Guard struct {
	// Introspector answers about tokens. Required.
	Introspector Introspector
	// Audience names this resource: a token must be meant for at least one of these (RFC 9068 section
	// 4, RFC 8707). Required, unless AnyAudience is set.
	Audience []string
	// AnyAudience accepts a token that was meant for any resource, or for none. Every service that
	// your authorization server gives tokens for can then use its callers' tokens here. Set it only when
	// this is the one resource of that server. It contradicts Audience.
	AnyAudience bool
	// Realm is named in challenges (RFC 9110 section 11.5), printable ASCII; "api" when empty.
	Realm string
	// Match is All by default. It applies to the scopes of Require and to those of ScopesFor, each
	// list on its own: both must be satisfied.
	Match Match
	// ScopesFor names further scopes that a request needs, as "write" for anything but GET. None means
	// that this request needs no further ones.
	ScopesFor func(*http.Request) []string
	// Lookup says where the token is; the zero value reads "Authorization: Bearer".
	Lookup Lookup
	// KeepCredentials leaves the token in the request. By default it is removed from a copy that the
	// handler gets (header, form and query field; what Extract read stays), so that a proxy or a log
	// behind it never has it.
	KeepCredentials bool
	// GatewayStatus answers a request without a token by 400 invalid_request, as some API gateways do,
	// where RFC 6750 section 3.1 wants 401 without an error code.
	GatewayStatus bool
	// MetadataURL is where the resource's metadata is (RFC 9728); when set, each challenge names it
	// as resource_metadata. See [Metadata].
	MetadataURL string
	// Confirm proves possession of the key that a token is bound to (cnf), and is called for such
	// tokens only, with the credentials still in the request. A nil error means that every member of
	// t.Confirmation was proven: return one for a member that you do not know. A *[Refusal] sets the
	// answer, any other error is 401 invalid_token. Without Confirm, tokens with a cnf are refused (RFC
	// 9449 section 7.2, RFC 8705 section 3). See [ConfirmCertificate].
	Confirm func(r *http.Request, t *Token) error
	// ErrorHandler writes the status and body of a refusal; nil writes the JSON of RFC 6749 section
	// 5.2. Headers, the challenge among them, are set before it is called.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, refusal *Refusal)
	// Logger tells operators why requests were refused (debug) and what failed (error). It never gets a
	// token. Nil: nothing is logged.
	Logger *slog.Logger
}

// Check returns every mistake in the configuration, joined; each names its field. It asks the
// Introspector too, if that has a method Check() error.
func (g Guard) Check() error {
	var errs []error
	add := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, errors.New("introspect: Guard."+text))
		}
	}
	add(g.Introspector == nil, "Introspector: required")
	add(len(g.Audience) == 0 && !g.AnyAudience, "Audience: required, or tokens for other resources would pass; AnyAudience accepts them knowingly")
	add(len(g.Audience) > 0 && g.AnyAudience, "AnyAudience: contradicts Audience")
	add(slices.Contains(g.Audience, ""), "Audience: an element is empty")
	add(!printable(g.Realm), "Realm: not printable ASCII")
	add(g.Match != All && g.Match != Any, "Match: neither All nor Any")
	if u, err := url.Parse(g.MetadataURL); g.MetadataURL != "" {
		add(err != nil || u.Scheme != "https" && !loopbackHTTP(u) || u.Host == "" || !printable(g.MetadataURL), "MetadataURL: not an absolute https URL")
	}
	errs = append(errs, g.Lookup.check())
	if c, ok := g.Introspector.(interface{ Check() error }); ok {
		errs = append(errs, c.Check())
	}
	return errors.Join(errs...)
}

// Require returns a middleware that lets a request pass when its token is live, meant for this
// resource, and has the scopes; none means that any such token will do. Each route may have its own
// Guard and scopes. The handler finds the token by [FromContext].
//
// Like [http.ServeMux.Handle] it panics on a programmer's mistake: when [Guard.Check] fails, or when a
// scope is not one scope token ("read write" is two).
func (g Guard) Require(scopes ...string) func(http.Handler) http.Handler {
	if err := g.Check(); err != nil {
		panic(err)
	}
	for _, s := range scopes {
		if !isScopeToken(s) {
			panic(fmt.Sprintf("introspect: Require: %q is not one scope token of RFC 6749 section 3.3", s))
		}
	}
	g.Audience, g.Lookup.Schemes = slices.Clone(g.Audience), slices.Clone(g.Lookup.Schemes)
	scopes = slices.Clone(scopes)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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

// admit decides. A panic in a part that the host brought becomes 500, and never a pass.
func (g Guard) admit(r *http.Request, scopes []string) (t *Token, c credential, refusal *Refusal) {
	defer func() {
		if p := recover(); p != nil {
			// The value may quote a token, so only its type is told.
			g.log(r.Context(), slog.LevelError, "introspect: panic while checking a token", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			t, refusal = nil, &Refusal{Status: http.StatusInternalServerError, Code: "server_error"}
		}
	}()
	c, err := g.Lookup.find(r)
	var bad malformed
	switch {
	case errors.As(err, &bad):
		return nil, c, &Refusal{Status: http.StatusBadRequest, Code: "invalid_request", Description: string(bad)}
	case c.token == "" && g.GatewayStatus:
		return nil, c, &Refusal{Status: http.StatusBadRequest, Code: "invalid_request", Description: "The request carries no access token"}
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
	var further []string
	if g.ScopesFor != nil {
		further = g.ScopesFor(r)
	}
	if !g.suffices(t.Scope, scopes) || !g.suffices(t.Scope, further) {
		return nil, c, &Refusal{Status: http.StatusForbidden, Code: "insufficient_scope",
			Description: "The access token lacks a needed scope", Scope: union(scopes, further)}
	}
	return t, c, nil
}

// judge says whether a token that was asked about may be used by this request. It looks at the times
// again, so that no cache in between can stretch a token's life.
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
	case !g.AnyAudience && !slices.ContainsFunc(t.Audience, func(a string) bool { return slices.Contains(g.Audience, a) }):
		return invalidToken(ReasonAudience)
	}
	return g.confirm(r, c, t)
}

// isAccessToken tells an access token from what some servers also call active: RFC 7662 lets them
// answer about refresh tokens, and a refresh token must not open a resource.
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

// suffices applies Match; needing nothing is always satisfied.
func (g Guard) suffices(have, need []string) bool {
	has := func(s string) bool { return slices.Contains(have, s) }
	if g.Match == Any {
		return len(need) == 0 || slices.ContainsFunc(need, has)
	}
	return !slices.ContainsFunc(need, func(s string) bool { return !has(s) })
}

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
