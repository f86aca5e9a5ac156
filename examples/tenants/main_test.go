package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

const secret = "a secret of some length"

type site struct {
	*testing.T
	srv  *grantwell.Server
	base string
}

// post sends a form to an endpoint as the client and returns the answer.
func (s site) post(path string, pairs ...string) (int, map[string]any) {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req := httptest.NewRequest(http.MethodPost, s.base+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("demo", url.QueryEscape(secret))
	w := httptest.NewRecorder()
	s.srv.Handler().ServeHTTP(w, req)
	var body map[string]any
	if w.Body.Len() > 0 {
		require.NoError(s, json.Unmarshal(w.Body.Bytes(), &body))
	}

	return w.Code, body
}

// Nothing that one tenant issued is worth anything at the other one, and what is tried
// there is not spent (RFC 6749 sections 5.2 and 6, RFC 7662 section 2.2).
func TestTenants_AcceptNothingOfEachOther(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	require.NoError(t, store.PutClient(t.Context(), storage.Client{
		ID:           "demo",
		Secrets:      []storage.Secret{storage.HashSecret(secret)},
		GrantTypes:   []string{"client_credentials", "authorization_code", "refresh_token"},
		RedirectURIs: []string{"http://127.0.0.1:9090/cb"},
		Scope:        []string{"read"},
		DefaultScope: []string{"read"},
	}))
	var both [2]site
	for i, name := range []string{"red", "blue"} {
		srv, err := tenant(store, name)
		require.NoError(t, err)
		both[i] = site{t, srv, "http://127.0.0.1:8080/" + name}
	}
	red, blue := both[0], both[1]
	const verifier = "a-verifier-of-more-than-forty-three-characters-0123"
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id":             {"demo"},
		"response_type":         {"code"},
		"redirect_uri":          {"http://127.0.0.1:9090/cb"},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"},
		"state":                 {"0123456789"},
	}

	// An interaction and its cookie.
	req := httptest.NewRequest(http.MethodGet, red.base+"/authorize?"+query.Encode(), nil)
	w := httptest.NewRecorder()
	parsed, ok := red.srv.ParseAuthorize(w, req)
	require.True(t, ok, w.Body)
	handle, err := red.srv.Suspend(w, req, parsed)
	require.NoError(t, err)
	cookie := w.Result().Cookies()[0]
	req = httptest.NewRequest(http.MethodGet, blue.base+"/login?interaction="+handle, nil)
	req.AddCookie(cookie)
	_, ok = blue.srv.Resume(httptest.NewRecorder(), req)
	require.False(t, ok)
	other := httptest.NewRecorder()
	parsed, ok = blue.srv.ParseAuthorize(other, httptest.NewRequest(http.MethodGet, blue.base+"/authorize?"+query.Encode(), nil))
	require.True(t, ok)
	_, err = blue.srv.Suspend(other, req, parsed)
	require.NoError(t, err)
	require.NotEqual(t, cookie.Name, other.Result().Cookies()[0].Name)

	// A code, a consent, an access and a refresh token.
	req = httptest.NewRequest(http.MethodGet, red.base+"/login?interaction="+handle, nil)
	req.AddCookie(cookie)
	w = httptest.NewRecorder()
	parsed, ok = red.srv.Resume(w, req)
	require.True(t, ok, w.Body)
	red.srv.Approve(w, req, parsed, grantwell.Approval{Subject: "alice", Remember: true})
	to, err := url.Parse(w.Header().Get("Location"))
	require.NoError(t, err)
	redeem := []string{
		"grant_type", "authorization_code", "code", to.Query().Get("code"),
		"redirect_uri", "http://127.0.0.1:9090/cb", "code_verifier", verifier,
	}
	status, _ := blue.post("/token", redeem...)
	require.Equal(t, 400, status)
	status, tokens := red.post("/token", redeem...)
	require.Equal(t, 200, status, tokens)
	access := tokens["access_token"].(string)
	refresh := []string{"grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)}

	scopes, err := blue.srv.ConsentedScopes(t.Context(), "demo", "alice")
	require.NoError(t, err)
	require.Empty(t, scopes)
	require.NoError(t, blue.srv.RevokeConsent(t.Context(), "demo", "alice"))
	_, answer := blue.post("/introspect", "token", access)
	require.Equal(t, map[string]any{"active": false}, answer)
	status, _ = blue.post("/revoke", "token", access)
	require.Equal(t, 200, status)
	status, _ = blue.post("/token", refresh...)
	require.Equal(t, 400, status)
	_, answer = red.post("/introspect", "token", access)
	require.Equal(t, true, answer["active"])
	status, first := red.post("/token", refresh...)
	require.Equal(t, 200, status)

	// The answer to a retry.
	status, _ = blue.post("/token", refresh...)
	require.Equal(t, 400, status)
	_, again := red.post("/token", refresh...)
	require.Equal(t, first["refresh_token"], again["refresh_token"])

	// A pushed request.
	var pairs []string
	for name, values := range query {
		pairs = append(pairs, name, values[0])
	}
	status, pushed := red.post("/par", pairs...)
	require.Equal(t, 201, status, pushed)
	uri := "/authorize?client_id=demo&request_uri=" + url.QueryEscape(pushed["request_uri"].(string))
	_, ok = blue.srv.ParseAuthorize(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, blue.base+uri, nil))
	require.False(t, ok)
	_, ok = red.srv.ParseAuthorize(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, red.base+uri, nil))
	require.True(t, ok)
}
