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
