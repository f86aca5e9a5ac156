package grantwell_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// The host sees what the client asked of the login (OpenID Connect Core section
// 3.1.2.1) and the parameters that it named, after a pause too, and no others.
func TestAuthorizeRequest_ShowsWhatTheLoginNeeds(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *grantwell.Config) { cfg.AuthorizeParameters = []string{"tenant", "absent"} })
	check := func(req *grantwell.AuthorizeRequest) {
		require.Equal(t, []string{"urn:mfa", "pwd"}, req.ACRValues)
		require.Equal(t, []string{"de-CH", "fr"}, req.UILocales)
		require.Equal(t, "n-0S6", req.Nonce)
		require.Equal(t, "touch", req.Display)
		require.Equal(t, map[string]string{"tenant": "acme"}, req.Parameters)
	}
	first := httptest.NewRequest(http.MethodGet, servertest.Issuer+servertest.AuthorizeURL("acr_values", "urn:mfa pwd",
		"ui_locales", "de-CH fr", "nonce", "n-0S6", "display", "touch", "tenant", "acme", "other", "x"), nil)
	w := httptest.NewRecorder()
	req, ok := s.AS.ParseAuthorize(w, first)
	require.True(t, ok)
	check(req)
	handle, err := s.AS.Suspend(w, first, req)
	require.NoError(t, err)

	second := httptest.NewRequest(http.MethodGet, servertest.Issuer+s.AS.ResumeURL(handle), nil)
	for _, c := range w.Result().Cookies() {
		second.AddCookie(c)
	}
	asked := false
	s.AS.ConsentHandler(grantwell.Pages{User: func(r *http.Request) (grantwell.Session, bool) {
		asked = true
		check(grantwell.RequestOf(r.Context()))
		return grantwell.Session{}, false
	}}).ServeHTTP(httptest.NewRecorder(), second)
	require.True(t, asked)
	require.Nil(t, grantwell.RequestOf(t.Context()))
}

// A name that reads otherwise than it seems is not registered (Unicode Standard Annex
// 9), and one that is in a store is isolated and shown without what is invisible.
func TestConsentPage_InvisibleCharactersAreNeutral(t *testing.T) {
	t.Parallel()
	bad := "Bank\u202eppA\nlive"
	for _, c := range []storage.Client{{Name: bad}, {Description: bad}, {Name: "a\u200bb"}} {
		c.ID, c.AuthMethod, c.RedirectURIs = "x", storage.AuthNone, []string{servertest.Redirect}
		require.ErrorContains(t, c.Validate(), "invisible")
	}
}

// Public documents are for pages of every origin, so their preflights pass for any
// header (Fetch standard, CORS-preflight fetch).
func TestCORS_PublicDocumentsAnswerPreflights(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	for _, path := range []string{"/.well-known/oauth-authorization-server"} {
		req := httptest.NewRequest(http.MethodOptions, servertest.Issuer+path, nil)
		req.Header.Set("Origin", "https://anyone.example")
		req.Header.Set("Access-Control-Request-Method", "GET")
		req.Header.Set("Access-Control-Request-Headers", "mcp-protocol-version,traceparent")
		res := s.Do(req)
		require.Equal(t, http.StatusNoContent, res.Status)
		require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "mcp-protocol-version,traceparent", res.Header.Get("Access-Control-Allow-Headers"))
		require.Equal(t, http.StatusMethodNotAllowed, s.Do(httptest.NewRequest(http.MethodOptions, servertest.Issuer+path, nil)).Status)
	}
}

// A page whose preflight was allowed reads errors that come before the client is
// known, and may send the headers that the host named.
func TestCORS_EarlyErrorsAreReadable(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Origins = []string{"https://page.example"}
		cfg.OriginHeaders = []string{"traceparent"}
	})
	from := func(origin, method, as string) servertest.Reply {
		req := servertest.Request("/token", as, "grant_type=client_credentials")
		req.Method = method
		req.Header.Set("Origin", origin)
		req.Header.Set("Access-Control-Request-Method", "POST")
		return s.Do(req)
	}
	res := from("https://page.example", http.MethodOptions, "")
	require.True(t, strings.HasSuffix(res.Header.Get("Access-Control-Allow-Headers"), ", traceparent"))
	for _, as := range []string{"", "nobody:x"} {
		res = from("https://page.example", http.MethodPost, as)
		require.Equal(t, 401, res.Status)
		require.Equal(t, "https://page.example", res.Header.Get("Access-Control-Allow-Origin"))
		for _, origin := range []string{"https://evil.example", "null"} {
			require.Empty(t, from(origin, http.MethodPost, as).Header.Get("Access-Control-Allow-Origin"))
		}
	}
	res = from("https://page.example", http.MethodPost, servertest.Conf)
	require.Equal(t, 200, res.Status)
	require.Empty(t, res.Header.Get("Access-Control-Allow-Origin"), "the client is not registered for it")
}
