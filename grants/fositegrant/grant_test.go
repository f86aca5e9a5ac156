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
	"github.com/ory/fosite/handler/oauth2"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/fositegrant"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

const (
	urnExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantSecret = "6808d4b6-ef09-4b0d-8f28-3b05da9c48ec"
	asService   = "service:" + grantSecret
)

// exchange is a token exchange (RFC 8693) as a team wrote it for fosite. A subject token is "token of <subject>".
type exchange struct {
	*oauth2.HandleHelper
	see      func(ctx context.Context, r fosite.AccessRequester)                                 // sees the request before the decision
	refuse   error                                                                               // the decision
	finish   func(ctx context.Context, r fosite.AccessRequester)                                 // has the last word in it
	populate func(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error // nil: issues
}

func (exchange) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(urnExchange)
}

func (exchange) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

func (e exchange) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	if e.see != nil {
		e.see(ctx, r)
	}
	if e.refuse != nil {
		return e.refuse
	}
	subject, ok := strings.CutPrefix(r.GetRequestForm().Get("subject_token"), "token of ")
	if !ok {
		return fosite.ErrInvalidGrant.WithHintf("The subject_token '%s' is unknown.", r.GetRequestForm().Get("subject_token"))
	}
	for _, s := range r.GetRequestedScopes() {
		r.GrantScope(s)
	}
	session := r.GetSession().(*fosite.DefaultSession)
	session.Subject = subject
	session.GetExtraClaims()["act"] = map[string]any{"sub": r.GetClient().GetID()}
	session.SetExpiresAt(fosite.AccessToken, time.Now().Add(20*time.Minute))
	if e.finish != nil {
		e.finish(ctx, r)
	}
	return nil
}

func (e exchange) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if e.populate != nil {
		return e.populate(ctx, r, w)
	}
	w.SetExtra("issued_token_type", "urn:ietf:params:oauth:token-type:access_token")
	_, err := e.IssueAccessToken(ctx, time.Hour, r, w)
	return err
}

// standIns are a HandleHelper that makes nothing.
func standIns(cfg *fosite.Config) *oauth2.HandleHelper {
	return &oauth2.HandleHelper{AccessTokenStrategy: fositegrant.Placeholder{}, AccessTokenStorage: fositegrant.Placeholder{}, Config: cfg}
}

// asGrant makes a grant of an exchange.
func asGrant(t *testing.T, e exchange, o fositegrant.Options) grants.Handler {
	t.Helper()
	if e.HandleHelper == nil {
		e.HandleHelper = standIns(&fosite.Config{})
	}
	o.GrantType = urnExchange
	g, err := fositegrant.New(e, o)
	require.NoError(t, err)
	return g
}

// grantHost is a Grantwell server with a few grants and the clients service and
// phone.
type grantHost struct {
	*servertest.Server
	t     *testing.T
	store *memstore.Store
}

func newGrantHost(t *testing.T, change func(*grantwell.Config), handlers ...grants.Handler) *grantHost {
	t.Helper()
	h := &grantHost{t: t, store: memstore.New()}
	service := storage.Client{ID: "service", Secrets: []storage.Secret{storage.HashSecret(grantSecret)},
		GrantTypes: []string{urnExchange, "client_credentials", "password", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		Scope:      []string{"read", "write", "offline"}, DefaultScope: []string{"read"}, Audience: []string{"https://api.example", "https://files.example"}}
	phone := service.Clone()
	phone.ID, phone.AuthMethod, phone.Secrets = "phone", storage.AuthNone, nil
	phone.GrantTypes = []string{urnExchange, "password", "refresh_token"}
	service.Resources = service.Audience
	servertest.Register(t, h.store, service, phone)
	h.Server = servertest.On(t, h.store, func(cfg *grantwell.Config) {
		cfg.Grants = append(slices.Clone(handlers), grants.RefreshToken{})
		if change != nil {
			change(cfg)
		}
	})
	return h
}

// post sends a form. as is "id:secret" for Basic, or "". Any goroutine may call
// it.
func (h *grantHost) post(path, as string, pairs ...string) (status int, body map[string]any) {
	res := h.Post(path, as, pairs...)
	return res.Status, res.JSON
}

// exchange exchanges the token of a subject.
func (h *grantHost) exchange(subject string, pairs ...string) (int, map[string]any) {
	return h.post("/token", asService, append([]string{"grant_type", urnExchange, "subject_token", "token of " + subject}, pairs...)...)
}

// issued wants an answer with a token.
func issued(t *testing.T, status int, body map[string]any) map[string]any {
	t.Helper()
	require.Equal(t, 200, status, "%v", body)
	require.NotEmpty(t, body["access_token"])
	return body
}

// refusedWith wants an error, and that nothing of the record kinds for tokens was stored.
func (h *grantHost) refusedWith(code string, wantStatus, status int, body map[string]any) {
	h.t.Helper()
	require.Equal(h.t, wantStatus, status, "%v", body)
	require.Equal(h.t, code, body["error"])
	require.NotContains(h.t, body, "access_token")
	require.Zero(h.t, h.store.Len(), "something was stored")
}

// reason is why the last request was refused, as an operator sees it.
func (h *grantHost) reason() string {
	return h.LastEvent().Cause
}

// The handler decides; the tokens, the record and the answer are the server's.
func TestNew_HandlerDecidesServerIssues(t *testing.T) {
	t.Parallel()
	h := newGrantHost(t, func(c *grantwell.Config) { c.AccessTokens.Prefix = "gw_" }, asGrant(t, exchange{}, fositegrant.Options{}))
	body := issued(t, http.StatusOK, func() map[string]any {
		_, b := h.exchange("alice", "scope", "read write")
		return b
	}())
	require.True(t, strings.HasPrefix(body["access_token"].(string), "gw_"), "the token is the server's")
	require.Equal(t, "Bearer", body["token_type"])
	require.Equal(t, "read write", body["scope"])
	require.Equal(t, "urn:ietf:params:oauth:token-type:access_token", body["issued_token_type"])
	require.InDelta(t, 1200, body["expires_in"], 5, "the handler's expiry is earlier than the server's")
	require.NotContains(t, body, "refresh_token", "the handler set none")
	require.NotContains(t, fmt.Sprint(body), "placeholder")
	require.Equal(t, 1, h.store.Len())

	_, seen := h.post("/introspect", asService, "token", body["access_token"].(string))
	require.Equal(t, true, seen["active"])
	require.Equal(t, "alice", seen["sub"])
	require.Equal(t, "service", seen["client_id"])
	require.Equal(t, map[string]any{"sub": "service"}, seen["act"])
	require.Equal(t, urnExchange, h.Events()[0].GrantType)
	require.Equal(t, "alice", h.Events()[0].Subject)
}

// What the handler grants is what the server's rules decide on: never more than the client is registered for, and nothing at all
// where the handler granted nothing.
func TestNew_ScopeIsTheHandlersWithinTheRegistration(t *testing.T) {
	t.Parallel()
	grant := func(scopes ...string) func(context.Context, fosite.AccessRequester) {
		return func(_ context.Context, r fosite.AccessRequester) {
			r.(*fosite.AccessRequest).GrantedScope = scopes
		}
	}
	for name, c := range map[string]struct {
		finish    func(context.Context, fosite.AccessRequester)
		options   fositegrant.Options
		match     grantwell.ScopeMatch
		requested string
		want      string // "": invalid_scope
	}{
		"all that is requested":                      {requested: "read write", want: "read write"},
		"not registered":                             {requested: "read admin"},
		"not registered, kept out":                   {requested: "read admin", match: grantwell.MatchAny, want: "read"},
		"granted, not registered":                    {requested: "read", finish: grant("read", "admin")},
		"granted, malformed":                         {requested: "read", finish: grant("re\"ad")},
		"a part of it":                               {requested: "read write", finish: grant("write"), want: "write"},
		"of itself":                                  {finish: grant("write"), want: "write"},
		"nothing":                                    {requested: "read", finish: grant()},
		"nothing, and nothing is requested":          {finish: grant()},
		"nothing, with MatchAny":                     {requested: "read", finish: grant(), match: grantwell.MatchAny},
		"requested is granted":                       {requested: "read", finish: grant(), options: fositegrant.Options{GrantRequested: true}, want: "read"},
		"default is granted":                         {finish: grant(), options: fositegrant.Options{GrantRequested: true}, want: "read"},
		"requested and one more":                     {requested: "read", finish: grant("offline"), options: fositegrant.Options{GrantRequested: true}, want: "read offline"},
		"requested is granted, but not registered":   {requested: "read admin", finish: grant(), options: fositegrant.Options{GrantRequested: true}},
		"requested, and one more, is not registered": {requested: "read", finish: grant("admin"), options: fositegrant.Options{GrantRequested: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newGrantHost(t, func(cfg *grantwell.Config) { cfg.Scopes.Match = c.match }, asGrant(t, exchange{finish: c.finish}, c.options))
			status, body := h.exchange("alice", "scope", c.requested)
			if c.requested == "" {
				status, body = h.exchange("alice")
			}
			if c.want == "" {
				h.refusedWith("invalid_scope", 400, status, body)
				return
			}
			require.Equal(t, c.want, issued(t, status, body)["scope"])
		})
	}
}

// A token is for audiences that the client is registered for, never for this server because an assertion was.
func TestNew_AudienceIsRegistered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		granted   []string
		options   fositegrant.Options
		requested string
		want      any // nil: invalid_target
	}{
		"none":           {want: "https://api.example"},
		"one":            {granted: []string{"https://files.example"}, want: "https://files.example"},
		"both":           {granted: []string{"https://files.example", "https://api.example"}, want: []any{"https://files.example", "https://api.example"}},
		"foreign":        {granted: []string{"https://api.example", "https://bank.example"}},
		"below":          {granted: []string{"https://api.example/../admin"}},
		"this server":    {granted: []string{"https://as.example/token", "https://as.example"}, want: "https://api.example"},
		"requested":      {requested: "https://files.example", options: fositegrant.Options{GrantRequested: true}, want: "https://files.example"},
		"only requested": {requested: "https://files.example", want: "https://api.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newGrantHost(t, nil, asGrant(t, exchange{finish: func(_ context.Context, r fosite.AccessRequester) {
				for _, a := range c.granted {
					r.GrantAudience(a)
				}
			}}, c.options))
			pairs := []string{"scope", "read"}
			if c.requested != "" {
				pairs = append(pairs, "audience", c.requested)
			}
			status, body := h.exchange("alice", pairs...)
			if c.want == nil {
				h.refusedWith("invalid_target", 400, status, body)
				return
			}
			_, seen := h.post("/introspect", asService, "token", issued(t, status, body)["access_token"].(string))
			require.Equal(t, c.want, seen["aud"])
		})
	}
}

// The handler sees the request and the client, but no secret; what it does to them reaches nobody else.
func TestNew_HandlerSeesNoSecretAndSharesNothing(t *testing.T) {
	t.Parallel()
	calls := 0
	h := newGrantHost(t, nil, asGrant(t, exchange{see: func(ctx context.Context, r fosite.AccessRequester) {
		calls++
		require.Same(t, r, ctx.Value(fosite.AccessRequestContextKey))
		require.IsType(t, &fosite.AccessRequest{}, r)
		require.NotEmpty(t, r.GetID())
		require.WithinDuration(t, time.Now(), r.GetRequestedAt(), time.Minute)
		require.NotContains(t, fmt.Sprintf("%+v %+v", r.GetRequestForm(), r.GetClient().GetHashedSecret()), grantSecret)
		require.Empty(t, r.GetClient().GetHashedSecret())
		require.Empty(t, r.GetSession().GetSubject(), "sessions are fresh")
		require.Equal(t, "phone", r.GetClient().GetID())
		require.True(t, r.GetClient().IsPublic())
		require.Equal(t, fosite.Arguments{"read", "write", "offline"}, r.GetClient().GetScopes(), "an earlier call did not change it")
		require.Equal(t, []string{"token of ann"}, r.GetRequestForm()["subject_token"])
		r.GetClient().GetScopes()[0] = "evil"
		r.GetClient().GetAudience()[0] = "evil"
		r.GetRequestForm()["subject_token"][0] = "token of bob"
	}}, fositegrant.Options{Decided: func(_ context.Context, r *grants.Request, _ fosite.AccessRequester, _ *grants.Grant) error {
		require.Equal(t, "token of ann", r.Form.Get("subject_token"), "the handler has a form of its own")
		return nil
	}}))
	for range 2 {
		status, body := h.post("/token", "", "grant_type", urnExchange, "client_id", "phone", "subject_token", "token of ann", "scope", "read")
		body = issued(t, status, body)
		seen, err := h.AS.Introspect(t.Context(), body["access_token"].(string))
		require.NoError(t, err)
		require.Equal(t, []string{"https://api.example"}, seen.Audience)
		require.Equal(t, "bob", seen.Subject, "the handler may change its own copy of the form")
	}
	require.Equal(t, 2, calls)
}

// What proves who the client is, is the server's business.
func TestNew_HandlerSeesNoCredentialsInTheForm(t *testing.T) {
	t.Parallel()
	h := newGrantHost(t, func(c *grantwell.Config) { c.Compat.AnySecretPlace = true }, asGrant(t, exchange{see: func(_ context.Context, r fosite.AccessRequester) {
		require.NotContains(t, r.GetRequestForm(), "client_secret")
		require.Equal(t, "service", r.GetRequestForm().Get("client_id"))
	}}, fositegrant.Options{}))
	status, body := h.post("/token", "", "grant_type", urnExchange, "client_id", "service", "client_secret", grantSecret, "subject_token", "token of ann", "scope", "read")
	issued(t, status, body)
}

// A session decides on the subject and bounds the expiry. One without a subject, or one whose time has passed, is refused.
func TestNew_SessionBoundsTheGrant(t *testing.T) {
	t.Parallel()
	session := func(change func(*fosite.DefaultSession)) exchange {
		return exchange{finish: func(_ context.Context, r fosite.AccessRequester) { change(r.GetSession().(*fosite.DefaultSession)) }}
	}
	t.Run("later than the server's", func(t *testing.T) {
		t.Parallel()
		h := newGrantHost(t, nil, asGrant(t, session(func(s *fosite.DefaultSession) { s.SetExpiresAt(fosite.AccessToken, time.Now().Add(100*time.Hour)) }), fositegrant.Options{}))
		_, body := h.exchange("alice", "scope", "read")
		require.InDelta(t, 3600, body["expires_in"], 5)
	})
	t.Run("expired", func(t *testing.T) {
		t.Parallel()
		h := newGrantHost(t, nil, asGrant(t, session(func(s *fosite.DefaultSession) { s.SetExpiresAt(fosite.AccessToken, time.Now().Add(-time.Hour)) }), fositegrant.Options{}))
		status, body := h.exchange("alice", "scope", "read")
		h.refusedWith("invalid_grant", 400, status, body)
	})
	t.Run("no subject", func(t *testing.T) {
		t.Parallel()
		h := newGrantHost(t, nil, asGrant(t, session(func(s *fosite.DefaultSession) { s.Subject = "" }), fositegrant.Options{}))
		status, body := h.exchange("alice", "scope", "read")
		h.refusedWith("server_error", 500, status, body)
		require.Contains(t, h.reason(), "without a subject")
	})
	t.Run("a user who is called like a client", func(t *testing.T) {
		t.Parallel()
		h := newGrantHost(t, nil, asGrant(t, session(func(s *fosite.DefaultSession) { s.Subject = "phone" }), fositegrant.Options{}))
		status, body := h.exchange("alice", "scope", "read")
		h.refusedWith("invalid_grant", 400, status, body)
		status, body = h.post("/token", "", "grant_type", urnExchange, "client_id", "phone", "subject_token", "token of x", "scope", "read")
		h.refusedWith("invalid_grant", 400, status, body)
	})
	t.Run("claims that say what a token is", func(t *testing.T) {
		t.Parallel()
		h := newGrantHost(t, nil, asGrant(t, session(func(s *fosite.DefaultSession) {
			s.Extra = map[string]any{"sub": "evil", "active": false, "client_id": "evil", "dept": "HR"}
		}), fositegrant.Options{}))
		status, body := h.exchange("alice", "scope", "read")
		_, seen := h.post("/introspect", asService, "token", issued(t, status, body)["access_token"].(string))
		require.Equal(t, "HR", seen["dept"])
		require.NotContains(t, fmt.Sprint(seen), "evil")
	})
}

// A refresh token comes when the handler sets one or the option says so, within the time that the session gives it; it is
// the server's, and refreshed as any.
func TestNew_RefreshToken(t *testing.T) {
	t.Parallel()
	wishes := exchange{
		finish: func(_ context.Context, r fosite.AccessRequester) {
			r.GetSession().SetExpiresAt(fosite.RefreshToken, time.Now().Add(time.Hour))
		},
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
		"set by the handler":        {handler: wishes, want: true},
		"not set":                   {},
		"allowed":                   {options: fositegrant.Options{Refresh: true}, want: true},
		"allowed, of a decision":    {handler: wishes, options: fositegrant.Options{Refresh: true, HandleOnly: true}, want: true},
		"set by what is not called": {handler: wishes, options: fositegrant.Options{HandleOnly: true}},
		"expired": {options: fositegrant.Options{Refresh: true}, handler: exchange{finish: func(_ context.Context, r fosite.AccessRequester) {
			r.GetSession().SetExpiresAt(fosite.RefreshToken, time.Now().Add(-time.Hour))
		}}},
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
			_, seen := h.post("/introspect", asService, "token", old)
			if c.handler.finish != nil {
				require.InDelta(t, float64(time.Now().Add(time.Hour).Unix()), seen["exp"], 5, "the session bounds the family")
			}
			status, next := h.post("/token", asService, "grant_type", "refresh_token", "refresh_token", old, "scope", "read")
			require.Equal(t, "read", issued(t, status, next)["scope"])
			_, seen = h.post("/introspect", asService, "token", next["access_token"].(string))
			require.Equal(t, map[string]any{"sub": "service"}, seen["act"], "claims are carried on")
			require.Equal(t, "alice", seen["sub"])
			status, _ = h.post("/token", asService, "grant_type", "refresh_token", "refresh_token", old)
			require.Equal(t, 400, status)
			_, seen = h.post("/introspect", asService, "token", next["access_token"].(string))
			require.Equal(t, false, seen["active"], "a second use ends the family")
		})
	}
}

// A response that the server cannot stand behind is a fault, and nothing is issued.
func TestNew_ResponseMustBeOurs(t *testing.T) {
	t.Parallel()
	for name, populate := range map[string]func(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error{
		"access token": func(_ context.Context, _ fosite.AccessRequester, w fosite.AccessResponder) error {
			w.SetAccessToken("mine")
			return nil
		},
		"access token extra": func(_ context.Context, _ fosite.AccessRequester, w fosite.AccessResponder) error {
			w.ToMap()["access_token"] = "mine"
			w.SetAccessToken("mine")
			return nil
		},
		"refresh token": func(_ context.Context, _ fosite.AccessRequester, w fosite.AccessResponder) error {
			w.SetExtra("refresh_token", "mine")
			return nil
		},
		"refresh of a type": func(_ context.Context, _ fosite.AccessRequester, w fosite.AccessResponder) error {
			w.SetExtra("refresh_token", []string{"mine"})
			return nil
		},
		"ID token": func(_ context.Context, _ fosite.AccessRequester, w fosite.AccessResponder) error {
			w.SetExtra("id_token", "mine")
			return nil
		},
		"token type": func(_ context.Context, _ fosite.AccessRequester, w fosite.AccessResponder) error {
			w.SetTokenType("N_A")
			return nil
		},
		"not JSON": func(_ context.Context, _ fosite.AccessRequester, w fosite.AccessResponder) error {
			w.SetExtra("x", make(chan int))
			return nil
		},
		"an error of its own": func(context.Context, fosite.AccessRequester, fosite.AccessResponder) error { return errors.New("no") },
		"a panic":             func(context.Context, fosite.AccessRequester, fosite.AccessResponder) error { panic("token of alice") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newGrantHost(t, nil, asGrant(t, exchange{populate: populate}, fositegrant.Options{}))
			status, body := h.exchange("alice", "scope", "read")
			h.refusedWith("server_error", 500, status, body)
			require.NotContains(t, h.reason(), "token of alice")
		})
	}
	t.Run("nothing to add", func(t *testing.T) {
		t.Parallel()
		h := newGrantHost(t, nil, asGrant(t, exchange{populate: func(context.Context, fosite.AccessRequester, fosite.AccessResponder) error {
			return fosite.ErrUnknownRequest.WithHint("not mine")
		}}, fositegrant.Options{}))
		status, body := h.exchange("alice", "scope", "read")
		issued(t, status, body)
	})
}

// Each request has a session and a request of its own, also when there are many at once.
func TestNew_ConcurrentRequestsShareNothing(t *testing.T) {
	t.Parallel()
	h := newGrantHost(t, nil, asGrant(t, exchange{HandleHelper: standIns(&fosite.Config{})}, fositegrant.Options{}))
	var wg sync.WaitGroup
	wrong := make([]string, 40)
	for i := range wrong {
		wg.Go(func() {
			subject, scope := fmt.Sprint("user-", i), []string{"read", "write"}[i%2]
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

// The host can carry on what a session type of its own knows, and refuse.
func TestNew_Decided(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	h := newGrantHost(t, nil, asGrant(t, exchange{}, fositegrant.Options{Decided: func(_ context.Context, r *grants.Request, ar fosite.AccessRequester, g *grants.Grant) error {
		switch ar.GetSession().GetSubject() {
		case "mallory":
			return grants.AccessDenied("Not today.")
		case "eve":
			return errors.New("the users' database is gone")
		}
		g.Claims["client_of"], g.AuthTime = r.Client.ID, at
		return nil
	}}))
	status, body := h.exchange("mallory", "scope", "read")
	h.refusedWith("access_denied", 403, status, body)
	status, body = h.exchange("eve", "scope", "read")
	h.refusedWith("server_error", 500, status, body)
	status, body = h.exchange("alice", "scope", "read")
	_, seen := h.post("/introspect", asService, "token", issued(t, status, body)["access_token"].(string))
	require.Equal(t, "service", seen["client_of"])
}

// A Placeholder in a server of fosite's makes no token there.
func TestPlaceholder_OutsideMakesNothing(t *testing.T) {
	t.Parallel()
	var p interface {
		oauth2.AccessTokenStrategy
		oauth2.RefreshTokenStrategy
		oauth2.AccessTokenStorage
		oauth2.RefreshTokenStorage
	} = fositegrant.Placeholder{}
	ctx, r := t.Context(), fosite.NewRequest()
	_, _, err := p.GenerateAccessToken(ctx, r)
	require.ErrorContains(t, err, "Placeholder")
	_, _, err = p.GenerateRefreshToken(ctx, r)
	require.Error(t, err)
	require.Error(t, p.CreateAccessTokenSession(ctx, "s", r))
	require.Error(t, p.CreateRefreshTokenSession(ctx, "s", "a", r))
	require.Error(t, p.DeleteAccessTokenSession(ctx, "s"))
	require.Error(t, p.DeleteRefreshTokenSession(ctx, "s"))
	require.Error(t, p.RotateRefreshToken(ctx, "id", "s"))
	require.Error(t, p.ValidateAccessToken(ctx, r, "placeholder for an access token"))
	require.Error(t, p.ValidateRefreshToken(ctx, r, "placeholder for a refresh token"))
	require.Empty(t, p.AccessTokenSignature(ctx, "x")+p.RefreshTokenSignature(ctx, "x"))
	_, err = p.GetAccessTokenSession(ctx, "s", nil)
	require.ErrorIs(t, err, fosite.ErrNotFound)
	_, err = p.GetRefreshTokenSession(ctx, "s", nil)
	require.ErrorIs(t, err, fosite.ErrNotFound)

	provider := &fosite.Fosite{Store: nil, Config: &fosite.Config{TokenEndpointHandlers: fosite.TokenEndpointHandlers{exchange{HandleHelper: standIns(&fosite.Config{})}}}}
	ar := fosite.NewAccessRequest(&fosite.DefaultSession{})
	ar.GrantTypes = fosite.Arguments{urnExchange}
	_, err = provider.NewAccessResponse(ctx, ar)
	require.Error(t, err)
}
