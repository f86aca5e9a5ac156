package browser_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Only a form that a page of another site posted is foreign. A link from another site
// brings its cookies with it.
func TestForeign_IsAPostOfAnotherSite(t *testing.T) {
	t.Parallel()
	r := newRig()
	for _, c := range []struct {
		method, site, origin string
		foreign              bool
	}{
		{http.MethodPost, "cross-site", "", true},
		{http.MethodPost, "cross-site", issuer, true},
		{http.MethodPost, "same-site", "https://evil.example", false},
		{http.MethodPost, "same-origin", "", false},
		{http.MethodPost, "none", "", false},
		{http.MethodPost, "", "", false},
		{http.MethodPost, "", issuer, false},
		{http.MethodPost, "", issuer + ":8443", true},
		{http.MethodPost, "", "https://evil.example", true},
		{http.MethodPost, "", "null", true},
		{http.MethodGet, "cross-site", "", false},
		{http.MethodGet, "", "https://evil.example", false},
	} {
		req := httptest.NewRequest(c.method, issuer+"/authorize", nil)
		for name, value := range map[string]string{"Sec-Fetch-Site": c.site, "Origin": c.origin} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		require.Equal(t, c.foreign, r.Foreign(req), "%+v", c)
	}
}

// A form that is sent again goes to the path that the browser sent, on this host: a path
// that browsers would read as another host is left out.
//
// Holds: house: no free redirect.
func TestReopen_StaysOnTheHost(t *testing.T) {
	t.Parallel()
	r := newRig()
	form := url.Values{"a": {"1"}}
	for sent, want := range map[string]string{
		"/tenant/authorize?b=2":                 "/tenant/authorize?a=1",
		"/a%2Fb":                                "/a%2Fb?a=1",
		"https://evil.example/authorize":        "/authorize?a=1",
		"//evil.example/authorize":              "?a=1",
		"https://as.example//evil.example/path": "?a=1",
		"*":                                     "?a=1",
		"":                                      "?a=1",
		"evil":                                  "?a=1",
	} {
		req := httptest.NewRequest(http.MethodPost, issuer+"/authorize", nil)
		req.RequestURI = sent
		w := httptest.NewRecorder()
		r.Reopen(w, req, form)
		require.Equal(t, http.StatusSeeOther, w.Code, sent)
		require.Equal(t, want, w.Header().Get("Location"), sent)
	}
}

// A form that is too long for a URL is sent again by a page, whose origin the server
// recognises as its own.
func TestReopen_LongFormIsAPage(t *testing.T) {
	t.Parallel()
	r := newRig()
	for size, status := range map[int]int{6<<10 - 2: http.StatusSeeOther, 6<<10 - 1: http.StatusOK} {
		w := httptest.NewRecorder()
		r.Reopen(w, httptest.NewRequest(http.MethodPost, "/authorize", nil), url.Values{"a": {strings.Repeat("x", size)}})
		require.Equal(t, status, w.Code, size)
		if status == http.StatusOK {
			require.Equal(t, "same-origin", w.Header().Get("Referrer-Policy"))
			require.Contains(t, w.Body.String(), `action="/authorize"`)
		}
	}
}
