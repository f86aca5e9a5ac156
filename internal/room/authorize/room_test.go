package authorize_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/frame/browser"
	"github.com/grantwell/grantwell/internal/room/authorize"
	"github.com/grantwell/grantwell/internal/room/live"
	"github.com/grantwell/grantwell/internal/room/scope"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/internal/spec/responsemode"
	"github.com/grantwell/grantwell/storage"
)

const (
	issuer    = "https://as.example"
	callback  = "https://app.example/cb"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636 appendix B
)

// registry is a client store. Like a careless database, it ignores letter case.
type registry struct {
	clients []storage.Client
	err     error

	mu    sync.Mutex
	calls int
}

// Client implements seam.Clients.
func (s *registry) Client(_ context.Context, id string) (*storage.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.calls++
	if s.err != nil {
		return nil, s.err
	}
	for i := range s.clients {
		if strings.EqualFold(s.clients[i].ID, id) {
			return &s.clients[i], nil
		}
	}

	return nil, storage.ErrNotFound
}

// word is a word of response_type that answers with nothing.
type word string

// ResponseType implements seam.Responder.
func (w word) ResponseType() string { return string(w) }

// Respond implements seam.Responder.
func (word) Respond(context.Context, *seam.Approved, *seam.Answer) error { return nil }

// web is a confidential client that is registered for codes alone.
func web() storage.Client {
	return storage.Client{
		ID:           "web",
		RedirectURIs: []string{callback},
		Scope:        []string{"read", "write", "openid"},
		Audience:     []string{"https://api.example/", "urn:files"},
	}
}

// app is a public client on a user's own machine.
func app() storage.Client {
	return storage.Client{
		ID:           "app",
		AuthMethod:   storage.AuthNone,
		Scope:        []string{"read"},
		RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]:8080/cb?x=1", "com.example.app:/cb"},
	}
}

// spa is a client that is registered for tokens too, and for both at once.
func spa() storage.Client {
	c := web()
	c.ID = "spa"
	c.GrantTypes = []string{"authorization_code", "implicit"}
	c.ResponseTypes = []string{"code", "token", "token code"}

	return c
}

// room returns the authorization endpoint of a server that answers with codes and
// tokens, in every response mode. Without clients, it has web, app and spa.
func room(t testing.TB, change func(*authorize.Room), clients ...storage.Client) *authorize.Room {
	t.Helper()
	if clients == nil {
		clients = []storage.Client{web(), app(), spa()}
	}

	r := &authorize.Room{
		Frame: &browser.Frame{
			Settings: frame.Settings{Issuer: issuer, Timeout: 10 * time.Second, MaxBody: 64 << 10},
			Encoders: map[string]seam.Encoder{
				"query":     responsemode.Query{},
				"fragment":  responsemode.Fragment{},
				"form_post": responsemode.FormPost{},
			},
		},
		Live:   &live.Room{Clients: &registry{clients: clients}},
		Scopes: &scope.Rules{ScopeRules: grants.ScopeRules{AllowEmpty: true}},
		Types: []authorize.Type{
			{Responder: word("code"), GrantType: "authorization_code"},
			{Responder: word("token"), GrantType: "implicit"},
		},
		PKCE: grants.AuthorizationCode{},
	}
	if change != nil {
		change(r)
	}

	return r
}

// hostDecides lets a rule of the host grant every scope that is requested.
func hostDecides(r *authorize.Room) {
	r.Scopes.ScopeRules.Decide = func(_ context.Context, q grants.ScopeRequest) ([]string, error) {
		return q.Requested, nil
	}
}

// request is a valid request of the client web, changed by pairs of name and value.
// The value "-" removes a parameter.
func request(pairs ...string) url.Values {
	form := url.Values{
		"client_id":     {"web"},
		"response_type": {"code"},
		"redirect_uri":  {callback},
		"scope":         {"read"},
		"state":         {"xyzzy"},
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "-" {
			form.Del(pairs[i])
		}
	}

	return form
}

// problem is a protocol error. The name of an embedded field must not hide its method
// Error.
type problem = grants.Error

// refusal is why a request was refused. To is nil if the error is a page.
type refusal struct {
	*problem
	To *seam.Authorization
}

// parse judges a request. It returns the request or the refusal.
func parse(t testing.TB, r *authorize.Room, form url.Values) (*seam.Authorization, *refusal) {
	t.Helper()
	a, err := r.Validate(t.Context(), form, "", time.Time{})
	if err == nil {
		return a, nil
	}

	e := &refusal{problem: grants.ErrorOf(err)}
	var back *seam.Redirected
	if errors.As(err, &back) {
		e.To = back.To
	}
	for _, c := range e.Description {
		require.True(t, c >= 0x20 && c <= 0x7e && c != '"' && c != '\\', "RFC 6749 section 4.1.2.1")
	}
	require.Contains(t, []int{http.StatusBadRequest, http.StatusServiceUnavailable}, e.Status)
	require.Contains(t, grants.Reasons(), e.Reason)

	return nil, e
}

// refusedAtClient wants an error that goes back by redirect.
func refusedAtClient(t testing.TB, e *refusal, code string) {
	t.Helper()
	require.NotNil(t, e)
	require.Equal(t, code, e.Code, "%v", e)
	require.NotNil(t, e.To, "redirected")
	require.NotEmpty(t, e.To.ResponseMode)
	require.NotEmpty(t, e.To.RedirectURI)
	require.True(t, e.To.Verified())
}

// refusedOnPage wants an error that must not go anywhere.
func refusedOnPage(t testing.TB, e *refusal, status int) {
	t.Helper()
	require.NotNil(t, e)
	require.Equal(t, status, e.Status)
	require.Nil(t, e.To, "never redirected")
}

// open sends a request to the endpoint. It returns the answer to a request that is
// refused.
func open(t testing.TB, r *authorize.Room, form url.Values) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, issuer+"/authorize?"+form.Encode(), nil)
	require.Nil(t, r.Parse(w, req), "refused")

	return w.Result()
}

// respond answers a request that was judged.
func respond(r *authorize.Room, a *seam.Authorization, params ...seam.Param) *http.Response {
	w := httptest.NewRecorder()
	r.Frame.Respond(w, a, params)

	return w.Result()
}
