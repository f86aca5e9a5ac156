package browser_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/frame/browser"
	"github.com/grantwell/grantwell/storage"
)

// opened returns a request from a browser that has the frame's cookie.
func opened(t *testing.T, r *rig) *http.Request {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, issuer+"/consent", nil)
	require.NotEmpty(t, r.EnsureBrowser(httptest.NewRecorder(), req))

	return req
}

// A cookie of this host alone has the prefix __Host- (RFC 6265bis section 4.1.3.2),
// and a name with the prefix is refused where browsers would refuse the cookie.
func TestCookie_Defaults(t *testing.T) {
	t.Parallel()
	const tls = "https://as.example"
	const plain = "http://localhost:1"
	for name, c := range map[string]struct {
		issuer      string
		cookie, out browser.Cookie
	}{
		"https":         {tls, browser.Cookie{}, browser.Cookie{Name: "__Host-grantwell", Path: "/", Secure: true}},
		"http":          {plain, browser.Cookie{}, browser.Cookie{Name: "grantwell", Path: "/"}},
		"with a domain": {tls, browser.Cookie{Domain: "example"}, browser.Cookie{Name: "grantwell", Domain: "example", Path: "/", Secure: true}},
		"with a path":   {tls, browser.Cookie{Path: "/a"}, browser.Cookie{Name: "grantwell", Path: "/a", Secure: true}},
		"own name":      {tls, browser.Cookie{Name: "__Host-x"}, browser.Cookie{Name: "__Host-x", Path: "/", Secure: true}},
	} {
		require.NoError(t, c.cookie.Prepare(c.issuer), name)
		require.Equal(t, c.out, c.cookie, name)
	}
	for name, c := range map[string]browser.Cookie{"domain": {Name: "__Host-x", Domain: "example"}, "path": {Name: "__Host-x", Path: "/a"}} {
		require.ErrorContains(t, c.Prepare(tls), "Cookie: ", name)
	}
	require.Error(t, (&browser.Cookie{Name: "__Host-x"}).Prepare(plain))
}

// The cookie is set once, and later steps of the same request see it.
func TestCookie_IsSetOnce(t *testing.T) {
	t.Parallel()
	r := newRig()
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, issuer+"/authorize", nil)
	require.Empty(t, r.Browser(req))
	first := r.EnsureBrowser(w, req)
	require.Equal(t, first, r.EnsureBrowser(w, req))
	require.Equal(t, first, r.Browser(req))

	set := w.Result().Cookies()
	require.Len(t, set, 1)
	require.Equal(t, first, set[0].Value)
	require.True(t, set[0].Secure && set[0].HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, set[0].SameSite)
}

// Another program on the host may set a cookie of the same name. A value that is not
// of the server's form is not the browser's.
func TestCookie_OfAnotherFormIsIgnored(t *testing.T) {
	t.Parallel()
	r := newRig()
	req := httptest.NewRequest(http.MethodGet, issuer+"/authorize", nil)
	for _, value := range []string{"", "x", strings.Repeat("x", 42), strings.Repeat("x", 44)} {
		req.AddCookie(&http.Cookie{Name: "b", Value: value})
	}
	require.Empty(t, r.Browser(req))
	own := strings.Repeat("y", 43)
	req.AddCookie(&http.Cookie{Name: "b", Value: own})
	require.Equal(t, own, r.Browser(req))
}

// The cookie is found among others as browsers and proxies send them, and only as a
// cookie of its own (RFC 6265 section 4.2.1).
func TestCookie_IsFoundAmongOthers(t *testing.T) {
	t.Parallel()
	r := newRig()
	value := strings.Repeat("v", 43)
	for line, found := range map[string]bool{
		"b=" + value:                      true,
		" b=" + value + " ":               true,
		"a=1; b=" + value:                 true,
		"a=1;b=" + value + ";c=2":         true,
		"bb=1; b=" + value:                true,
		"b-12345678=" + value:             true,
		"b=x; b-12345678=" + value:        true,
		"b=" + value + "; b=x":            true,
		"a=b; b=" + value:                 true,
		"ab=" + value:                     false,
		"bb=" + value:                     false,
		"a b=" + value:                    false,
		"a=1, b=" + value:                 false,
		"a=b=" + value:                    false,
		"b-1234567=" + value:              false,
		"b-123456789=" + value:            false,
		"b12345678=" + value:              false,
		"b=" + value[1:] + `"`:            false,
		"b=" + value[1:] + "/":            false,
		`b="` + value + `"`:               false,
		"b =" + value:                     false,
		"b":                               false,
		"":                                false,
		strings.Repeat("b", 1<<16):        false,
		strings.Repeat("b=;", 1<<16) + "": false,
	} {
		req := httptest.NewRequest(http.MethodGet, issuer, nil)
		req.Header.Set("Cookie", line)
		want := ""
		if found {
			want = value
		}
		require.Equal(t, want, r.Browser(req), line)
	}
	req := httptest.NewRequest(http.MethodGet, issuer, nil)
	req.Header["Cookie"] = []string{"a=1", "b=" + value} // HTTP/2 may send several
	require.Equal(t, value, r.Browser(req))
}

// A waiting request belongs to the browser whose key it keeps.
func TestOwns_OnlyItsBrowser(t *testing.T) {
	t.Parallel()
	r := newRig()
	req := opened(t, r)
	require.True(t, r.Owns(req, storage.Key(r.Browser(req))))
	require.False(t, r.Owns(opened(t, r), storage.Key(r.Browser(req))))
	require.False(t, r.Owns(httptest.NewRequest(http.MethodGet, "/", nil), storage.Key(r.Browser(req))))
	require.False(t, r.Owns(req, ""))
}

// A form is accepted from the browser, for the request and for the user that it was
// made for, and from the server's own pages.
func TestForgery_TokenIsBound(t *testing.T) {
	t.Parallel()
	r := newRig()
	req := opened(t, r)
	token := r.ForgeryToken(req, "handle", "alice")
	require.NoError(t, r.CheckForgery(req, token, "handle", "alice"))

	bare := httptest.NewRequest(http.MethodPost, issuer+"/consent", nil)
	for name, err := range map[string]error{
		"no token":        r.CheckForgery(req, "", "handle", "alice"),
		"another request": r.CheckForgery(req, token, "other", "alice"),
		"another user":    r.CheckForgery(req, token, "handle", "bob"),
		"moved boundary":  r.CheckForgery(req, token, "handlea", "lice"),
		"another browser": r.CheckForgery(opened(t, r), token, "handle", "alice"),
		// Without a cookie the key of the token is known to all.
		"no cookie": r.CheckForgery(bare, r.ForgeryToken(bare, "handle", "alice"), "handle", "alice"),
	} {
		e := grants.ErrorOf(err)
		require.Error(t, err, name)
		require.Equal(t, http.StatusForbidden, e.Status, name)
		require.Equal(t, grants.ReasonForgery, e.Reason, name)
	}
	for site, ok := range map[string]bool{"same-origin": true, "": true, "same-site": false, "cross-site": false, "none": false} {
		req.Header.Set("Sec-Fetch-Site", site)
		require.Equal(t, ok, r.CheckForgery(req, token, "handle", "alice") == nil, site)
	}
}
