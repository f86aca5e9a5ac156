package fositegrant_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/fositegrant"
)

// The handler decides. The tokens, the record and the answer are the server's.
func TestNew_HandlerDecidesServerIssues(t *testing.T) {
	t.Parallel()
	prefixed := func(c *grantwell.Config) { c.AccessTokens.Prefix = "gw_" }
	h := newGrantHost(t, prefixed, asGrant(t, exchange{}, fositegrant.Options{}))
	status, body := h.exchange("alice", "scope", "read write")
	issued(t, status, body)

	require.True(t, strings.HasPrefix(body["access_token"].(string), "gw_"))
	require.Equal(t, "Bearer", body["token_type"])
	require.Equal(t, "read write", body["scope"])
	require.Equal(t, "urn:ietf:params:oauth:token-type:access_token", body["issued_token_type"])
	require.InDelta(t, 1200, body["expires_in"], 5, "the handler's expiry is the earlier one")
	require.NotContains(t, body, "refresh_token", "the handler set none")
	require.NotContains(t, fmt.Sprint(body), "placeholder")
	require.Equal(t, 1, h.store.Len())

	seen := h.introspect(body)
	require.Equal(t, true, seen["active"])
	require.Equal(t, "alice", seen["sub"])
	require.Equal(t, "service", seen["client_id"])
	require.Equal(t, map[string]any{"sub": "service"}, seen["act"])
	require.Equal(t, urnExchange, h.Events()[0].GrantType)
	require.Equal(t, "alice", h.Events()[0].Subject)
}

// The server's rules decide on the scopes that the handler grants. They give no scope that
// the client is not registered for, and none if the handler granted none.
func TestNew_ScopeIsTheHandlersWithinTheRegistration(t *testing.T) {
	t.Parallel()
	grant := func(scopes ...string) func(context.Context, fosite.AccessRequester) {
		return func(_ context.Context, r fosite.AccessRequester) {
			r.(*fosite.AccessRequest).GrantedScope = scopes
		}
	}
	requested := fositegrant.Options{GrantRequested: true}
	for name, c := range map[string]struct {
		requested string
		finish    func(context.Context, fosite.AccessRequester)
		options   fositegrant.Options
		match     grantwell.ScopeMatch
		want      string // empty: invalid_scope
	}{
		"all requested scopes":         {requested: "read write", want: "read write"},
		"not registered":               {requested: "read admin"},
		"not registered, and MatchAny": {requested: "read admin", match: grantwell.MatchAny, want: "read"},

		"granted, not registered":             {requested: "read", finish: grant("read", "admin")},
		"granted, malformed":                  {requested: "read", finish: grant("re\"ad")},
		"granted, a part of the requested":    {requested: "read write", finish: grant("write"), want: "write"},
		"granted, none requested":             {finish: grant("write"), want: "write"},
		"none granted":                        {requested: "read", finish: grant()},
		"none granted, and none requested":    {finish: grant()},
		"none granted, and MatchAny":          {requested: "read", finish: grant(), match: grantwell.MatchAny},
		"GrantRequested":                      {requested: "read", finish: grant(), options: requested, want: "read"},
		"GrantRequested, the default scope":   {finish: grant(), options: requested, want: "read"},
		"GrantRequested, and one more":        {requested: "read", finish: grant("offline"), options: requested, want: "read offline"},
		"GrantRequested, not registered":      {requested: "read admin", finish: grant(), options: requested},
		"GrantRequested, and one not allowed": {requested: "read", finish: grant("admin"), options: requested},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			match := func(cfg *grantwell.Config) { cfg.Scopes.Match = c.match }
			h := newGrantHost(t, match, asGrant(t, exchange{finish: c.finish}, c.options))
			var pairs []string
			if c.requested != "" {
				pairs = []string{"scope", c.requested}
			}
			status, body := h.exchange("alice", pairs...)
			if c.want == "" {
				h.refusedWith("invalid_scope", 400, status, body)
				return
			}
			require.Equal(t, c.want, issued(t, status, body)["scope"])
		})
	}
}

// A token is for audiences that the client is registered for, and not for this server.
func TestNew_AudienceIsRegistered(t *testing.T) {
	t.Parallel()
	const api, files = "https://api.example", "https://files.example"
	requested := fositegrant.Options{GrantRequested: true}
	for name, c := range map[string]struct {
		granted   []string
		requested string
		options   fositegrant.Options
		want      any // nil: invalid_target
	}{
		"none":                   {want: api},
		"one":                    {granted: []string{files}, want: files},
		"both":                   {granted: []string{files, api}, want: []any{files, api}},
		"not registered":         {granted: []string{api, "https://bank.example"}},
		"below a registered one": {granted: []string{api + "/../admin"}},
		"this server": {
			granted: []string{"https://as.example/token", "https://as.example"},
			want:    api,
		},
		"GrantRequested":             {requested: files, options: requested, want: files},
		"requested, and not granted": {requested: files, want: api},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grant := func(_ context.Context, r fosite.AccessRequester) {
				for _, a := range c.granted {
					r.GrantAudience(a)
				}
			}
			h := newGrantHost(t, nil, asGrant(t, exchange{finish: grant}, c.options))
			pairs := []string{"scope", "read"}
			if c.requested != "" {
				pairs = append(pairs, "audience", c.requested)
			}
			status, body := h.exchange("alice", pairs...)
			if c.want == nil {
				h.refusedWith("invalid_target", 400, status, body)
				return
			}
			require.Equal(t, c.want, h.introspect(issued(t, status, body))["aud"])
		})
	}
}

// The handler sees the request and the client without a secret. What it changes there
// stays in its own copies.
func TestNew_HandlerSeesNoSecretAndSharesNothing(t *testing.T) {
	t.Parallel()
	calls := 0
	see := func(ctx context.Context, r fosite.AccessRequester) {
		calls++
		require.Same(t, r, ctx.Value(fosite.AccessRequestContextKey))
		require.IsType(t, &fosite.AccessRequest{}, r)
		require.NotEmpty(t, r.GetID())
		require.WithinDuration(t, time.Now(), r.GetRequestedAt(), time.Minute)
		require.NotContains(t, fmt.Sprintf("%+v", r.GetRequestForm()), grantSecret)
		require.Empty(t, r.GetClient().GetHashedSecret())
		require.Empty(t, r.GetSession().GetSubject(), "the session is new")
		require.Equal(t, "phone", r.GetClient().GetID())
		require.True(t, r.GetClient().IsPublic())
		require.Equal(t, fosite.Arguments{"read", "write", "offline"}, r.GetClient().GetScopes(),
			"the call before did not change the client")
		require.Equal(t, []string{"token of ann"}, r.GetRequestForm()["subject_token"])

		r.GetClient().GetScopes()[0] = "evil"
		r.GetClient().GetAudience()[0] = "evil"
		r.GetRequestForm()["subject_token"][0] = "token of bob"
	}
	decided := func(_ context.Context, r *grants.Request, _ fosite.AccessRequester, _ *grants.Grant) error {
		require.Equal(t, "token of ann", r.Form.Get("subject_token"), "the server's form is unchanged")
		return nil
	}
	h := newGrantHost(t, nil, asGrant(t, exchange{see: see}, fositegrant.Options{Decided: decided}))

	for range 2 {
		status, body := h.post("/token", "", "grant_type", urnExchange, "client_id", "phone",
			"subject_token", "token of ann", "scope", "read")
		body = issued(t, status, body)
		seen, err := h.AS.Introspect(t.Context(), body["access_token"].(string))
		require.NoError(t, err)
		require.Equal(t, []string{"https://api.example"}, seen.Audience)
		require.Equal(t, "bob", seen.Subject, "the handler decided by its own copy of the form")
	}
	require.Equal(t, 2, calls)
}

// A client secret in the form does not reach the handler.
func TestNew_HandlerSeesNoCredentialsInTheForm(t *testing.T) {
	t.Parallel()
	see := func(_ context.Context, r fosite.AccessRequester) {
		require.NotContains(t, r.GetRequestForm(), "client_secret")
		require.Equal(t, "service", r.GetRequestForm().Get("client_id"))
	}
	anyPlace := func(c *grantwell.Config) { c.Compat.AnySecretPlace = true }
	h := newGrantHost(t, anyPlace, asGrant(t, exchange{see: see}, fositegrant.Options{}))
	status, body := h.post("/token", "", "grant_type", urnExchange,
		"client_id", "service", "client_secret", grantSecret,
		"subject_token", "token of ann", "scope", "read")
	issued(t, status, body)
}

// sessionHost returns a server whose handler changes its session after the decision.
func sessionHost(t *testing.T, change func(*fosite.DefaultSession)) *grantHost {
	t.Helper()
	finish := func(_ context.Context, r fosite.AccessRequester) {
		change(r.GetSession().(*fosite.DefaultSession))
	}
	return newGrantHost(t, nil, asGrant(t, exchange{finish: finish}, fositegrant.Options{}))
}

// The session's expiry shortens the lifetime of the access token and never extends it.
func TestNew_SessionExpiryBoundsTheToken(t *testing.T) {
	t.Parallel()
	expiring := func(in time.Duration) func(*fosite.DefaultSession) {
		return func(s *fosite.DefaultSession) {
			s.SetExpiresAt(fosite.AccessToken, time.Now().Add(in))
		}
	}
	h := sessionHost(t, expiring(100*time.Hour))
	_, body := h.exchange("alice", "scope", "read")
	require.InDelta(t, 3600, body["expires_in"], 5)

	h = sessionHost(t, expiring(-time.Hour))
	status, body := h.exchange("alice", "scope", "read")
	h.refusedWith("invalid_grant", 400, status, body)
}

// A session needs a subject, which must not be a client's ID (RFC 9700 section 4.15).
func TestNew_SessionNamesTheSubject(t *testing.T) {
	t.Parallel()
	h := sessionHost(t, func(s *fosite.DefaultSession) { s.Subject = "" })
	status, body := h.exchange("alice", "scope", "read")
	h.refusedWith("server_error", 500, status, body)
	require.Contains(t, h.reason(), "without a subject")

	h = sessionHost(t, func(s *fosite.DefaultSession) { s.Subject = "phone" })
	status, body = h.exchange("alice", "scope", "read")
	h.refusedWith("invalid_grant", 400, status, body)
	status, body = h.post("/token", "", "grant_type", urnExchange, "client_id", "phone",
		"subject_token", "token of x", "scope", "read")
	h.refusedWith("invalid_grant", 400, status, body)
}

// Extra claims become claims of the token. They cannot replace what the server sets.
func TestNew_SessionClaimsCannotReplaceTheServers(t *testing.T) {
	t.Parallel()
	h := sessionHost(t, func(s *fosite.DefaultSession) {
		s.Extra = map[string]any{
			"sub":       "evil",
			"active":    false,
			"client_id": "evil",
			"dept":      "HR",
		}
	})
	status, body := h.exchange("alice", "scope", "read")
	seen := h.introspect(issued(t, status, body))
	require.Equal(t, "HR", seen["dept"])
	require.NotContains(t, fmt.Sprint(seen), "evil")
}

// The server issues a refresh token if the handler sets one or the option allows it, until
// the session's expiry. It is the server's own and is refreshed like others.
func TestNew_RefreshToken(t *testing.T) {
	t.Parallel()
	expiring := func(in time.Duration) func(context.Context, fosite.AccessRequester) {
		return func(_ context.Context, r fosite.AccessRequester) {
			r.GetSession().SetExpiresAt(fosite.RefreshToken, time.Now().Add(in))
		}
	}
	setting := exchange{
		finish: expiring(time.Hour),
		populate: func(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
			token, _, err := fositegrant.Placeholder{}.GenerateRefreshToken(ctx, r)
			w.SetExtra("refresh_token", token)
			return err
		},
	}
	for name, c := range map[string]struct {
		handler exchange
		options fositegrant.Options
		want    bool
	}{
		"set":                     {handler: setting, want: true},
		"not set":                 {},
		"allowed":                 {options: fositegrant.Options{Refresh: true}, want: true},
		"allowed, and HandleOnly": {handler: setting, options: fositegrant.Options{Refresh: true, HandleOnly: true}, want: true},
		"set, but HandleOnly":     {handler: setting, options: fositegrant.Options{HandleOnly: true}},
		"expired":                 {handler: exchange{finish: expiring(-time.Hour)}, options: fositegrant.Options{Refresh: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newGrantHost(t, nil, asGrant(t, c.handler, c.options))
			status, body := h.exchange("alice", "scope", "read write")
			issued(t, status, body)
			if !c.want {
				require.NotContains(t, body, "refresh_token")
				return
			}

			old := body["refresh_token"].(string)
			if c.handler.finish != nil {
				_, seen := h.post("/introspect", asService, "token", old)
				want := time.Now().Add(time.Hour).Unix()
				require.InDelta(t, float64(want), seen["exp"], 5, "the session bounds the family")
			}
			h.refreshes(old)
		})
	}
}

// refreshes uses a refresh token, then its successor, then the first one again, which ends
// the family.
func (h *grantHost) refreshes(old string) {
	h.t.Helper()
	status, next := h.post("/token", asService,
		"grant_type", "refresh_token", "refresh_token", old, "scope", "read")
	require.Equal(h.t, "read", issued(h.t, status, next)["scope"])
	seen := h.introspect(next)
	require.Equal(h.t, map[string]any{"sub": "service"}, seen["act"], "claims are kept")
	require.Equal(h.t, "alice", seen["sub"])

	status, next = h.post("/token", asService, "grant_type", "refresh_token", "refresh_token", next["refresh_token"].(string))
	issued(h.t, status, next)

	status, _ = h.post("/token", asService, "grant_type", "refresh_token", "refresh_token", old)
	require.Equal(h.t, 400, status)
	require.Equal(h.t, false, h.introspect(next)["active"])
}

// A response with tokens or members that the server cannot issue is answered with
// server_error, and nothing is issued.
func TestNew_ResponseMustBeTheServers(t *testing.T) {
	t.Parallel()
	type responder = fosite.AccessResponder
	for name, populate := range map[string]func(w responder) error{
		"access token": func(w responder) error {
			w.SetAccessToken("mine")
			return nil
		},
		"access token as a member": func(w responder) error {
			w.ToMap()["access_token"] = "mine"
			w.SetAccessToken("mine")
			return nil
		},
		"refresh token": func(w responder) error {
			w.SetExtra("refresh_token", "mine")
			return nil
		},
		"refresh token of another type": func(w responder) error {
			w.SetExtra("refresh_token", []string{"mine"})
			return nil
		},
		"ID token": func(w responder) error {
			w.SetExtra("id_token", "mine")
			return nil
		},
		"token type": func(w responder) error {
			w.SetTokenType("N_A")
			return nil
		},
		"no JSON form": func(w responder) error {
			w.SetExtra("x", make(chan int))
			return nil
		},
		"an error": func(responder) error { return errors.New("no") },
		"a panic":  func(responder) error { panic("token of alice") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := func(_ context.Context, _ fosite.AccessRequester, w responder) error {
				return populate(w)
			}
			h := newGrantHost(t, nil, asGrant(t, exchange{populate: call}, fositegrant.Options{}))
			status, body := h.exchange("alice", "scope", "read")
			h.refusedWith("server_error", 500, status, body)
			require.NotContains(t, h.reason(), "token of alice")
		})
	}
}

// A handler may answer ErrUnknownRequest if it has nothing to add to the response.
func TestNew_ResponseMayAddNothing(t *testing.T) {
	t.Parallel()
	populate := func(context.Context, fosite.AccessRequester, fosite.AccessResponder) error {
		return fosite.ErrUnknownRequest.WithHint("not mine")
	}
	h := newGrantHost(t, nil, asGrant(t, exchange{populate: populate}, fositegrant.Options{}))
	status, body := h.exchange("alice", "scope", "read")
	issued(t, status, body)
}

// Each of many concurrent requests has its own session and its own request.
func TestNew_ConcurrentRequestsShareNothing(t *testing.T) {
	t.Parallel()
	handler := exchange{HandleHelper: placeholders(&fosite.Config{})}
	h := newGrantHost(t, nil, asGrant(t, handler, fositegrant.Options{}))
	var wg sync.WaitGroup
	wrong := make([]string, 40)
	for i := range wrong {
		wg.Go(func() {
			subject := fmt.Sprint("user-", i)
			scope := []string{"read", "write"}[i%2]
			_, body := h.exchange(subject, "scope", scope)
			token, _ := body["access_token"].(string)
			_, seen := h.post("/introspect", asService, "token", token)
			if seen["sub"] != subject || seen["scope"] != scope {
				wrong[i] = fmt.Sprint(body, seen)
			}
		})
	}
	wg.Wait()
	require.Empty(t, slices.DeleteFunc(wrong, func(s string) bool { return s == "" }))
}

// Decided may add to the grant, and may refuse it.
func TestNew_DecidedChangesOrRefusesTheGrant(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	decided := func(_ context.Context, r *grants.Request, ar fosite.AccessRequester, g *grants.Grant) error {
		switch ar.GetSession().GetSubject() {
		case "mallory":
			return grants.AccessDenied("Not today.")
		case "eve":
			return errors.New("the user database is down")
		}
		g.Claims["client_of"] = r.Client.ID
		g.AuthTime = at
		return nil
	}
	h := newGrantHost(t, nil, asGrant(t, exchange{}, fositegrant.Options{Decided: decided}))

	status, body := h.exchange("mallory", "scope", "read")
	h.refusedWith("access_denied", http.StatusForbidden, status, body)
	status, body = h.exchange("eve", "scope", "read")
	h.refusedWith("server_error", http.StatusInternalServerError, status, body)
	status, body = h.exchange("alice", "scope", "read")
	require.Equal(t, "service", h.introspect(issued(t, status, body))["client_of"])
}
