package consentpage_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/pages/consentpage"
)

// Browsers apply form-action to every redirect that follows the form's answer, and the client chooses those: the policy
// of the page does not name it, and nothing that a registered URI holds adds to the policy.
// Holds: RFC 6749 section 10.12.
func TestWrite_PolicyHasNoFormAction(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"https://app.example/cb", "com.example.app:/cb", "https://a;script-src/cb", "://"} {
		w := httptest.NewRecorder()
		require.NoError(t, consentpage.Write(w, consentpage.Page{Application: "x", RedirectURI: uri}))
		require.NotContains(t, w.Header().Get("Content-Security-Policy"), "form-action", uri)
		require.Equal(t, 1, strings.Count(w.Header().Get("Content-Security-Policy"), "style-src"))
		require.NotContains(t, w.Header().Get("Content-Security-Policy"), "script-src")
		require.Equal(t, "same-origin", w.Header().Get("Referrer-Policy"))
	}
}

// Holds: house: consent page.
func TestPage_RedirectHost(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{"https://app.example/cb": "app.example", "http://127.0.0.1:4711/cb": "127.0.0.1:4711", "com.example.app:/cb": "com.example.app", "com.example.app:cb": "com.example.app", "com.evil.app://accounts.bank.example/cb": "com.evil.app", "%zz": "%zz"} {
		require.Equal(t, want, consentpage.Page{RedirectURI: uri}.RedirectHost())
	}
}

// Links and logos are https or an image; everything else is left out.
// Holds: house: consent page; house: escaped text.
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
	for _, page := range []consentpage.Page{
		{PolicyURI: "https://x.example/a", TOSURI: "javascript:alert(1)"},
		{PolicyURI: "javascript:alert(1)", TOSURI: "https://x.example/a"},
	} {
		w := httptest.NewRecorder()
		require.NoError(t, consentpage.Write(w, page))
		require.Equal(t, 1, strings.Count(w.Body.String(), `href="`))
		require.NotContains(t, w.Body.String(), "alert(1)")
	}
	w := httptest.NewRecorder()
	require.NoError(t, consentpage.Write(w, consentpage.Page{Application: "x", LogoURI: "data:image/png;base64,AAAA", PolicyURI: "data:image/png;base64,AAAA"}))
	require.Contains(t, w.Body.String(), `src="data:image/png;base64,AAAA"`)
	require.NotContains(t, w.Body.String(), `href=`)
}

// The page has no script, and it escapes everything.
//
// Holds: RFC 6749 section 10.12; RFC 6749 section 10.13; house: escaped text;
// house: no token in pages.
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

// A store may hold clients that were never validated: what could reorder or hide a text is
// left out of the page.
//
// Holds: house: consent page.
func TestWrite_InvisibleTextIsLeftOut(t *testing.T) {
	t.Parallel()
	const hidden = "a\u202eb\u200bc"
	for name, page := range map[string]consentpage.Page{
		"application": {Application: hidden},
		"description": {Application: "x", Description: hidden},
		"user":        {Application: "x", User: hidden, Switch: "/login"},
	} {
		w := httptest.NewRecorder()
		require.NoError(t, consentpage.Write(w, page))
		require.Equal(t, 200, w.Code)
		require.Contains(t, w.Body.String(), "abc", name)
		require.NotContains(t, w.Body.String(), "\u202e", name)
		require.NotContains(t, w.Body.String(), "\u200b", name)
		require.Contains(t, w.Body.String(), `<html lang="en">`)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"), "the page carries a token")
		require.Equal(t, "DENY", w.Header().Get("X-Frame-Options"))
	}
}
