package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// The server redirects only to the verified redirect URI of a known client.
// Without one it answers with a page, whatever else is wrong with the request.
//
// Holds: RFC 6749 section 3.1.2.4; RFC 6749 section 4.1.2.1; RFC 9101 section 10.4;
// house: disabled meanwhile; house: no free redirect.
func TestAuthorize_UnknownClientOrRedirectIsAPage(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	h.AddClient("off", func(c *storage.Client) { c.Disabled = true })
	for _, b := range []*servertest.Browser{h.Browser(), h.SignedIn("alice")} {
		for _, first := range [][]string{
			{"client_id", "-"}, {"client_id", "nobody"}, {"client_id", "CONF"},
			{"client_id", "conf "}, {"client_id", "off"}, {"client_id", strings.Repeat("x", 300)},
			{"redirect_uri", "https://evil.example/"}, {"redirect_uri", servertest.Redirect + "/"},
			{"client_id", "several", "redirect_uri", "-"},
		} {
			for _, more := range [][]string{nil, {"response_type", "-"},
				{"response_type", "nonsense"}, {"scope", "admin"}, {"prompt", "none"},
				{"response_mode", "form_post"},
				{"request_uri", "https://evil.example/r"}, {"request", "e30.e30."},
				{"code_challenge", "-"}, {"rd", "https://evil.example/"}} {
				res := b.Send(servertest.AuthorizeURL(append(append([]string{}, first...),
					more...)...), nil)
				res.IsPage(t, http.StatusBadRequest)
				require.NotContains(t, res.Body, "evil")
			}
		}
	}
	require.Zero(t, h.CountOf(storage.Interaction))
}

// Redirect URIs are compared as strings. Only the port of a loopback address
// may differ (RFC 8252 section 7.3).
//
// Holds: RFC 6749 section 3.1.2; RFC 8252 section 7.3; RFC 9700 section 2.1;
// RFC 9700 section 2.6; house: bounded parsers; house: no free redirect;
// house: safe redirect registration.
func TestAuthorize_RedirectURIIsComparedExactly(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	h.AddClient("tls", func(c *storage.Client) {
		c.RedirectURIs = []string{"https://127.0.0.1/cb", "http://localhost/cb",
			"https://foo.example"}
	})
	for client, variants := range map[string][]string{
		"conf": {servertest.Redirect + "/", "https://app.example/CB",
			"https://app.example/cb/../evil", "https://app.example/cb/..;/evil",
			"https://app.example/cb%2f..", "https://app.example/%63b",
			servertest.Redirect + "?x=1", servertest.Redirect + "?", servertest.Redirect + "#f",
			servertest.Redirect + "#", "https://app.example.evil/cb", "https://app.example@evil/cb",
			`https://evil\@app.example/cb`,
			"https://evil%5c@app.example/cb", "https://app.example:443/cb", "//app.example/cb",
			"https:/app.example/cb", "https://app.example/\tcb", "https://app.example/cb\n",
			"https://app.example/cb%0a",
			"https://APP.example/cb", "HTTPS://app.example/cb", "https://аpp.example/cb",
			"https://xn--pp-7iba.example/cb", "http://app.example/cb", "https://[::1%25eth0]/cb",
			"https://[::1", "http://[::1",
			"https://app.example./cb", "https://app.example//cb", "https://app.example/cb;x",
			" " + servertest.Redirect, servertest.Redirect + " ", "javascript:alert(1)",
			"data:text/html,x", "vbscript:x", "file:///etc/passwd",
			"https://app.example/cb\x00", "https://app.example/\xff", "/\t/evil", "/%09/evil",
			"https:app.example/cb", "com.example.app:/cb",
			strings.Repeat("https://app.example/cb", 200)},
		"native": {"http://127.0.0.1:80@evil/cb", "http://127.0.0.1.evil/cb", "http://127.0.0.2/cb",
			"http://2130706433/cb", "http://127.1/cb", "https://127.0.0.1/cb",
			"http://127.0.0.1:4711/CB", "http://127.0.0.1:4711/cb?x",
			"http://127.0.0.1:0/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.1:/cb",
			"http://127.0.0.1:+1/cb", "http://127.0.0.1:4711/%63b", "http://user@127.0.0.1:4711/cb",
			"http://[::1]:4711/x", "http://[0:0::1]/cb",
			"http://[::1%25lo]/cb", "http://localhost:4711/cb", "com.example.app:/cb/",
			"com.example.app://cb", "COM.example.app:/cb", "com.example.app:/cb?x"},
		"tls": {"http://127.0.0.1/cb", "https://127.0.0.1:4711/cb", "http://localhost:4711/cb",
			"https://fooXexample", "https://foo.example.evil", "https://foo.example/"},
	} {
		for _, uri := range variants {
			res := h.SignedIn("alice").Send(servertest.AuthorizeURL("client_id", client,
				"redirect_uri", uri), nil)
			res.IsPage(t, http.StatusBadRequest)
		}
	}
	for uri, client := range map[string]string{
		servertest.Redirect:        "conf",
		"http://127.0.0.1:4711/cb": "native",
		"http://127.0.0.1/cb":      "native",
		"http://[::1]:65535/cb":    "native",
		"com.example.app:/cb":      "native",
		"https://foo.example":      "tls",
	} {
		res := h.SignedIn("alice").Allow("client_id", client, "redirect_uri", uri)
		require.True(t, strings.HasPrefix(res.Header.Get("Location"), uri+"?code="), "%q: %d %s",
			uri, res.Status, res.Body)
	}
	for _, bad := range []string{"http://app.example/cb", "javascript:alert(1)", "data:text/html,x",
		"https://*.example/cb", "https://example.com*", servertest.Redirect + "#f",
		"https://a@b/cb"} {
		client := storage.Client{ID: "c", RedirectURIs: []string{bad}}
		require.ErrorContains(t, client.Validate(), "redirect_uris", bad)
	}
}

// A store may hold a redirect URI that registration refuses today. The
// authorization endpoint refuses it then.
//
// Holds: RFC 6749 section 3.1.2; RFC 6749 section 3.2; RFC 9700 section 2.6;
// house: safe redirect registration.
func TestAuthorize_BadStoredRedirectURIIsRefused(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"http://app.example/cb", "javascript:alert(1)",
		servertest.Redirect + "?code=x", servertest.Redirect + "?a=1&iss=x",
		"https://app.example/*"} {
		h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
			c.Clients = legacy{storage.Client{
				ID:           "old",
				RedirectURIs: []string{uri},
				Scope:        []string{"read"},
			}}
		})
		h.SignedIn("alice").Send(servertest.AuthorizeURL("client_id", "old", "redirect_uri", uri),
			nil).IsPage(t, http.StatusBadRequest)
		h.SignedIn("alice").Send(servertest.AuthorizeURL("client_id", "old", "redirect_uri", "-"),
			nil).IsPage(t, http.StatusBadRequest)
	}
}

// legacy is a host's table with one client that was never validated.
type legacy struct{ client storage.Client }

func (l legacy) Client(context.Context, string) (storage.Client, error) { return l.client, nil }

// A client with one redirect URI may leave it out. One with several may not.
//
// Holds: RFC 6749 section 3.1.2.3.
func TestAuthorize_RedirectURIOmitted(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	res := h.SignedIn("alice").Allow("redirect_uri", "-")
	require.True(t, strings.HasPrefix(res.Header.Get("Location"), servertest.Redirect+"?code="),
		res.Body)
	require.Equal(t, 200, h.Redeem("conf", res.Params(t).Get("code"), "redirect_uri", "-").Status)
	h.SignedIn("alice").Send(servertest.AuthorizeURL("client_id", "several", "redirect_uri", "-"),
		nil).IsPage(t, http.StatusBadRequest)
}

// A registered query stays byte for byte, and the answer is appended to it.
//
// Holds: RFC 6749 section 3.1.2.
func TestAuthorize_RegisteredQueryIsKept(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	const uri = "https://app.example/cb?tenant=1&x=%2F"
	for _, pairs := range [][]string{nil, {"scope", "admin"}, {"prompt", "none"}} {
		res := h.SignedIn("alice").Allow(append([]string{"client_id", "query", "redirect_uri", uri},
			pairs...)...)
		require.Equal(t, http.StatusSeeOther, res.Status, res.Body)
		require.True(t, strings.HasPrefix(res.Header.Get("Location"), uri+"&"),
			res.Header.Get("Location"))
		require.Len(t, res.Params(t)["state"], 1)
	}
	res := h.SignedIn("alice").Allow("client_id", "query", "redirect_uri", uri,
		"response_type", "token")
	require.True(t, strings.HasPrefix(res.Header.Get("Location"), uri+"#access_token="),
		res.Header.Get("Location"))
}

// Once the redirect URI is verified, every other error is redirected there
// with state and iss.
//
// Holds: RFC 6749 section 3.1.1; RFC 6749 section 3.3; RFC 6749 section 10.13;
// RFC 7636 section 4.2; RFC 7636 section 4.3; RFC 7636 section 4.4.1;
// RFC 9207 section 2; RFC 9700 section 2.6; RFC 9700 section 4.12;
// OAuth 2.0 Multiple Response Types section 2.1.
func TestAuthorize_ErrorsGoBackToTheClient(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, c := range []struct {
		code  string
		pairs []string
	}{
		{"invalid_request", []string{"response_type", "-"}},
		{"unsupported_response_type", []string{"response_type", "nonsense"}},
		{"unsupported_response_type", []string{"response_type", "id_token"}},
		{"unauthorized_client", []string{"client_id", "codeonly", "response_type", "token"}},
		{"unauthorized_client", []string{"response_type", "code token"}},
		{"unauthorized_client", []string{"response_type", "token code"}},
		{"invalid_scope", []string{"scope", "admin"}},
		{"invalid_scope", []string{"scope", "read admin"}},
		{"invalid_scope", []string{"scope", `rea"d`}},
		{"invalid_scope", []string{"scope", `rea\d`}},
		{"invalid_scope", []string{"scope", "réad"}},
		{"invalid_target", []string{"resource", "https://api.example/"}},
		{"invalid_target", []string{"resource", "relative"}},
		{"invalid_request", []string{"client_id", "public", "code_challenge", "-",
			"code_challenge_method", "-"}},
		{"invalid_request", []string{"code_challenge_method", "S512"}},
		{"invalid_request", []string{"code_challenge_method", "plain"}},
		{"invalid_request", []string{"code_challenge_method", "-"}},
		{"invalid_request", []string{"code_challenge", "-"}},
		{"invalid_request", []string{"code_challenge", servertest.Challenge[1:]}},
		{"invalid_request", []string{"code_challenge", strings.Repeat("a", 129)}},
		{"invalid_request", []string{"code_challenge", servertest.Challenge[:42] + "="}},
		{"invalid_request", []string{"response_mode", "nonsense"}},
		{"invalid_request", []string{"response_type", "token", "response_mode", "query"}},
		{"request_not_supported", []string{"request", "e30.e30."}},
		{"request_uri_not_supported", []string{"request_uri", "https://evil.example/r"}},
		{"invalid_request", []string{"max_age", "-1"}},
		{"invalid_request", []string{"max_age", "99999999999999999999"}},
		{"invalid_request", []string{"max_age", "soon"}},
		{"invalid_request", []string{"prompt", "none login"}},
		{"login_required", []string{"prompt", "none"}},
	} {
		res := h.Browser().Send(servertest.AuthorizeURL(c.pairs...), nil)
		q := res.Params(t)
		require.True(t, strings.HasPrefix(res.Header.Get("Location"), servertest.Redirect),
			res.Header.Get("Location"))
		require.Equal(t, c.code, q.Get("error"), "%v: %s", c.pairs, res.Header.Get("Location"))
		require.Equal(t, "st", q.Get("state"))
		require.Equal(t, servertest.Issuer, q.Get("iss"))
		require.Empty(t, q.Get("code"))
		require.NotContains(t, q.Get("error_description"), "admin", "the request is not repeated")
		res.HasPageHeaders(t)
	}
	require.Zero(t, h.CountOf(storage.Interaction))
	for _, e := range h.Events() {
		require.Equal(t, "refused", e.Outcome)
		require.Equal(t, http.StatusSeeOther, e.Status)
		require.NotEmpty(t, e.ClientID)
	}
}

// The state comes back byte for byte in every response mode.
//
// Holds: RFC 6749 section 4.1.2.
func TestAuthorize_StateIsReturnedUnchanged(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	states := []string{"x", "a b+c%2B%&=;#?/\\", "ünï\u2028cödé 🔑", strings.Repeat("long+", 200),
		`"><script>alert(1)</script>`, "%zz", "{\"a\":[1]}", "a\r\nSet-Cookie: x=1", "'`$(x)",
		" leading and trailing "}
	for _, state := range states {
		for name, pairs := range map[string][]string{
			"granted":          {},
			"implicit":         {"response_type", "token"},
			"scope":            {"scope", "admin"},
			"none":             {"prompt", "none", "client_id", "other"},
			"code in fragment": {"response_mode", "fragment"},
		} {
			res := h.SignedIn("alice").Allow(append(pairs, "state", state)...)
			require.Equal(t, []string{state}, res.Params(t)["state"], name)
			require.Empty(t, res.Header.Get("Set-Cookie"))
		}
		b := h.SignedIn("alice")
		form := b.Visit(servertest.AuthorizeURL("state", state, "prompt", "consent"),
			nil).ConsentForm(t)
		require.Equal(t, state, b.Send("/consent",
			servertest.With(form, "decision", "deny")).Params(t).Get("state"))

		res := h.SignedIn("alice").Allow("state", state, "response_mode", "form_post")
		if strings.Contains(state, "\n") { // a form cannot carry a line feed unchanged
			require.Equal(t, "invalid_request", res.Params(t).Get("error"))
			continue
		}
		require.Equal(t, state, res.HiddenFields().Get("state"))
	}
	for _, pairs := range [][]string{
		{"state", "-"},
		{"state", ""},
		{"state", "-", "scope", "admin"},
	} {
		require.NotContains(t, h.SignedIn("alice").Allow(pairs...).Params(t), "state")
	}
}

// The response mode form_post answers with a page that escapes every value.
//
// Holds: RFC 9207 section 2; OAuth 2.0 Form Post Response Mode section 2;
// house: escaped text; house: safe redirect registration.
func TestAuthorize_FormPost(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, pairs := range [][]string{{}, {"scope", "admin"}} {
		res := h.SignedIn("alice").Allow(append(pairs, "response_mode", "form_post", "state",
			`"><script>alert(1)</script>`)...)
		require.Equal(t, http.StatusOK, res.Status)
		res.HasPageHeaders(t)
		require.Contains(t, res.Body, `action="`+servertest.Redirect+`"`)
		require.NotContains(t, res.Body, "<script>alert")
		require.NotContains(t, res.Header.Get("Content-Security-Policy"), "form-action")
		require.Equal(t, servertest.Issuer, res.HiddenFields().Get("iss"))
		require.NotEqual(t, res.HiddenFields().Has("code"), res.HiddenFields().Has("error"))
	}
	res := h.SignedIn("alice").Allow("response_mode", "form_post", "client_id", "native",
		"redirect_uri", "com.example.app:/cb")
	require.Equal(t, "invalid_request", res.Params(t).Get("error"))
}

// A POST is the same as a GET. Every other method is refused, also HEAD, which
// would issue a code that no client receives.
//
// Holds: RFC 6749 section 3.1.
func TestAuthorize_OnlyGetAndPost(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	_, query, _ := strings.Cut(servertest.AuthorizeURL("client_id", "trusted"), "?")
	b := h.SignedIn("alice")
	require.NotEmpty(t, b.Do(http.MethodPost, "/authorize", query).Params(t).Get("code"))
	require.Equal(t, 1, h.CountOf(storage.Code))
	b.Do(http.MethodPost, "/authorize", strings.Repeat("x", 70_000)).IsPage(t,
		http.StatusRequestEntityTooLarge)
	b.Do(http.MethodGet, "/authorize?x="+strings.Repeat("x", 70_000), "").IsPage(t,
		http.StatusRequestEntityTooLarge)
	b.Do(http.MethodPost, "/authorize", query, "Content-Type",
		"multipart/form-data; boundary=x").IsPage(t, http.StatusBadRequest)
	b.Do(http.MethodPost, "/authorize", `{"client_id":"trusted"}`, "Content-Type",
		"application/json").IsPage(t, http.StatusBadRequest)
	b.Do(http.MethodPost, "/authorize?"+query, "state=x").IsPage(t,
		http.StatusBadRequest) // the query of a POST is not read
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodDelete,
		http.MethodPatch, http.MethodOptions, "BREW"} {
		for _, path := range []string{"/authorize?" + query, "/consent?interaction=x"} {
			res := b.Do(method, path, "", "Origin", "https://app.example")
			res.IsPage(t, http.StatusMethodNotAllowed)
			require.Equal(t, "GET, POST", res.Header.Get("Allow"))
		}
	}
	for _, bad := range []string{"&client_id=trusted",
		"&redirect_uri=" + url.QueryEscape(servertest.Redirect), "&x=%zz", "&x=%00", "&x=%ff",
		strings.Repeat("&p=1", 101)} {
		b.Do(http.MethodGet, "/authorize?"+query+bad, "").IsPage(t, http.StatusBadRequest)
	}
	require.Equal(t, 1, h.CountOf(storage.Code))
	// The endpoint answers no preflight and allows no origin to read.
	b.Send(servertest.AuthorizeURL("client_id", "trusted"), nil, "Origin",
		"https://app.example").HasPageHeaders(t)
}

var errStore = errors.New("store: secret-dsn is down")

// failStore makes the calls of one name for one kind of record fail.
func failStore(cfg *grantwell.Config, name string, kind storage.Kind) {
	servertest.HookRecords(cfg).Before(func(_ context.Context, call servertest.Call) error {
		if call.Name == name && call.Kind == kind {
			return errStore
		}
		return nil
	})
}

// A store that fails is temporarily_unavailable at a verified redirect URI,
// and a page with status 503 before. The answer has no code and no text of the
// store's error.
//
// Holds: RFC 6749 section 4.1.2.1.
func TestAuthorize_StoreFailureGivesNoCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call  string
		kind  storage.Kind
		pairs []string
	}{
		{"Insert", storage.Code, []string{"client_id", "trusted"}},
		{"Get", storage.Consent, []string{"client_id", "trusted"}},
		{"Insert", storage.Interaction, nil},
		{"Advance", storage.Interaction, nil},
		{"Insert", storage.Consent, nil},
		{"Insert", storage.Access, []string{"client_id", "trusted", "response_type", "token"}},
	} {
		h := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) {
			failStore(cfg, c.call, c.kind)
		})
		res := h.SignedIn("alice").Allow(c.pairs...)
		q := res.Params(t)
		require.Equal(t, "temporarily_unavailable", q.Get("error"), "%+v", c)
		require.Equal(t, "st", q.Get("state"))
		require.NotContains(t, res.Header.Get("Location"), "secret-dsn")
		require.Zero(t, h.CountOf(storage.Code))
		last := h.Events()[len(h.Events())-1]
		require.Equal(t, "failed", last.Outcome)
		require.Contains(t, last.Cause, "secret-dsn")
	}
	h := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) {
		failStore(cfg, "Get", storage.Interaction)
	})
	h.SignedIn("alice").Visit(servertest.AuthorizeURL(), nil).IsPage(t,
		http.StatusServiceUnavailable)
	h = servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) {
		servertest.Hook(cfg).Fail(errStore, "Client")
	})
	res := h.SignedIn("alice").Visit(servertest.AuthorizeURL(), nil)
	res.IsPage(t, http.StatusServiceUnavailable)
	require.NotContains(t, res.Body, "secret-dsn")
	require.NotEmpty(t, res.Header.Get("Retry-After"))
}

// A code is random and needs no escaping, and it is refused after its lifetime
// while its record still exists.
//
// Holds: RFC 6749 section 4.1.2; RFC 6749 section 10.10.
func TestAuthorize_CodeIsRandomAndShortLived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := servertest.NewSite(t, nil)
		b := h.SignedIn("alice")
		seen := map[string]bool{}
		for range 200 {
			code := b.Allow("client_id", "trusted").Params(t).Get("code")
			require.Regexp(t, `^[A-Za-z0-9._~-]{28,}$`, code)
			require.False(t, seen[code])
			seen[code] = true
		}
		late := b.Allow("client_id", "trusted").Params(t).Get("code")
		soon := b.Allow("client_id", "trusted").Params(t).Get("code")
		time.Sleep(59 * time.Second)
		require.Equal(t, 200, h.Redeem("trusted", soon).Status)
		time.Sleep(time.Second)
		h.Redeem("trusted", late).Fails(t, 400, "invalid_grant")
		require.Equal(t, 202, h.CountOf(storage.Code))
	})
	_, err := grantwell.New(grantwell.Config{
		Issuer:       servertest.Issuer,
		Clients:      legacy{},
		Grants:       []grants.Handler{grants.AuthorizationCode{}},
		CodeLifetime: 11 * time.Minute,
	})
	require.ErrorContains(t, err, "CodeLifetime")
}

// Hints such as login_hint are text. They choose no user and add nothing to a
// header or a page.
//
// Holds: OpenID Connect Core section 3.1.2.1.
func TestAuthorize_HintsAreOnlyText(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, name := range []string{"prompt", "login_hint", "ui_locales", "id_token_hint",
		"acr_values", "display", "claims", "max_age", "nonce", "subject", "user", "approved",
		"csrf", "interaction", "decision"} {
		for _, value := range []string{"https://evil.example/",
			"\r\nLocation: https://evil.example/", "<script>", "allow", "alice",
			strings.Repeat("9", 3000)} {
			res := h.Browser().Send(servertest.AuthorizeURL(name, value), nil)
			to := res.Header.Get("Location")
			require.Equal(t, http.StatusSeeOther, res.Status, "%s=%s", name, value)
			require.True(t, strings.HasPrefix(to, "/login?interaction=") || strings.HasPrefix(to,
				servertest.Redirect+"?error=invalid_request"), to)
			require.NotContains(t, to, "evil.example")
		}
	}
	require.Zero(t, h.CountOf(storage.Code))
}
