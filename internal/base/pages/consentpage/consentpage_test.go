package consentpage_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/pages/consentpage"
)

// The form's answer is a redirect, and browsers apply form-action to it: the policy must let it pass, and nothing that a
// registered URI holds may add to the policy.
// Holds S45.
func TestWrite_FormAction(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://app.example/cb":      "'self' https://app.example;",
		"https://app.example:8443/cb": "'self' https://app.example:8443;",
		"http://127.0.0.1:4711/cb":    "'self' http://127.0.0.1:4711;",
		"http://[::1]:4711/cb":        "'self' http:;", // a policy cannot name an IPv6 address
		"com.example.app:/cb":         "'self' com.example.app:;",
		"com.example.app://x/cb":      "'self' com.example.app:;",
		"https://a;script-src/cb":     "'self' https:;",
		"https://a,b/cb":              "'self' https:;",
		"://":                         "'self' ;",
	} {
		w := httptest.NewRecorder()
		require.NoError(t, consentpage.Write(w, consentpage.Page{Application: "x", RedirectURI: uri}))
		require.Contains(t, w.Header().Get("Content-Security-Policy"), "form-action "+want, uri)
		require.Equal(t, 1, strings.Count(w.Header().Get("Content-Security-Policy"), "style-src"))
		require.NotContains(t, w.Header().Get("Content-Security-Policy"), "script-src")
	}
}

// Holds S148.
func TestPage_RedirectHost(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{"https://app.example/cb": "app.example", "http://127.0.0.1:4711/cb": "127.0.0.1:4711", "com.example.app:/cb": "com.example.app", "com.example.app:cb": "com.example.app", "%zz": "%zz"} {
		require.Equal(t, want, consentpage.Page{RedirectURI: uri}.RedirectHost())
	}
}

// Links and logos are https or an image; everything else is left out.
// Holds R19, S148.
func TestWrite_Links(t *testing.T) {
	t.Parallel()
	for link, ok := range map[string]bool{
		"https://x.example/a": true, "http://x.example/a": false, "javascript:alert(1)": false, "JavaScript:alert(1)": false, " https://x.example": false,
		"//x.example": false, "/a": false, "data:text/html,x": false, "data:image/svg+xml,x": false, "": false,
	} {
		w := httptest.NewRecorder()
		require.NoError(t, consentpage.Write(w, consentpage.Page{Application: "x", LogoURI: link, PolicyURI: link, TOSURI: link}))
		require.Equal(t, ok, strings.Contains(w.Body.String(), `<img class="logo" src="`+link+`"`), link)
		require.Equal(t, ok, strings.Count(w.Body.String(), `href="`+link+`"`) == 2, link)
	}
	w := httptest.NewRecorder()
	require.NoError(t, consentpage.Write(w, consentpage.Page{Application: "x", LogoURI: "data:image/png;base64,AAAA", PolicyURI: "data:image/png;base64,AAAA"}))
	require.Contains(t, w.Body.String(), `src="data:image/png;base64,AAAA"`)
	require.NotContains(t, w.Body.String(), `href=`)
}

// The page has no script, and it escapes everything.
//
// Holds S45, R19, R39, V77.
func TestWrite_EscapesEverything(t *testing.T) {
	t.Parallel()
	const bad = `"><script>alert(1)</script>`
	w := httptest.NewRecorder()
	require.NoError(t, consentpage.Write(w, consentpage.Page{
		Application: bad,
		Description: bad,
		User:        bad,
		Action:      bad,
		RedirectURI: "https://x/" + bad,
		Hidden:      map[string]string{bad: bad},
		Scopes:      []consentpage.Scope{{Name: bad, Description: bad}, {Name: bad, Granted: true}},
	}))
	require.NotContains(t, w.Body.String(), "<script")
	require.Contains(t, w.Body.String(), `<style nonce="`)
}
