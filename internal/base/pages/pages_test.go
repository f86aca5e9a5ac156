package pages_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/pages"
)

// A page has its own nonce, and no script at all.
// Holds: RFC 6749 section 10.12; RFC 6749 section 10.13; house: escaped text;
// house: no token in pages.
func TestPages_PolicyAndEscaping(t *testing.T) {
	t.Parallel()
	const bad = `"><script>alert(1)</script>`
	seen := map[string]bool{}
	for name, write := range map[string]func(http.ResponseWriter){
		"error": func(w http.ResponseWriter) {
			pages.Headers(w.Header())
			pages.Error(w, pages.Language{}, http.StatusBadRequest, bad, bad, bad, bad)
		},
		"code": func(w http.ResponseWriter) { pages.Headers(w.Header()); pages.Code(w, pages.Language{}, bad) },
	} {
		w := httptest.NewRecorder()
		write(w)
		require.NotContains(t, w.Body.String(), "<script", name)
		require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
		policy := w.Header().Get("Content-Security-Policy")
		_, rest, _ := strings.Cut(policy, "'nonce-")
		nonce, _, _ := strings.Cut(rest, "'")
		require.Len(t, nonce, 22)
		require.False(t, seen[nonce])
		seen[nonce] = true
		require.Contains(t, w.Body.String(), `<style nonce="`+nonce+`">`)
		for h, v := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff"} {
			require.Equal(t, v, w.Header().Get(h))
		}
	}
	require.Contains(t, pages.Style(), "body{")
}

// An error page always says something, leads back only where there is a link, and names the
// request for the operator.
//
// Holds: house: escaped text.
func TestError_SaysSomethingAndLeadsBack(t *testing.T) {
	t.Parallel()
	page := func(description, back, request string) string {
		w := httptest.NewRecorder()
		pages.Error(w, pages.Language{}, http.StatusTeapot, "some_code", description, back, request)
		require.Equal(t, http.StatusTeapot, w.Code)
		return w.Body.String()
	}
	bare := page("", "", "")
	require.Contains(t, bare, "The request cannot be answered.")
	require.Contains(t, bare, "some_code")
	require.Contains(t, bare, `<html lang="en">`)
	require.Contains(t, bare, "<title>Error</title>")
	require.NotContains(t, bare, "<a ")
	require.NotContains(t, bare, "request-id")
	full := page("It is late.", "https://app.example/cb?a=1&b=2", "r-1")
	require.NotContains(t, full, "cannot be answered")
	require.Contains(t, full, "It is late.")
	require.Contains(t, full, `href="https://app.example/cb?a=1&amp;b=2" rel="noreferrer"`)
	require.Contains(t, full, `<bdi id="request-id">r-1</bdi>`)
}

// Only the page that posts an answer may run a script, and only its own.
//
// Holds: RFC 6749 section 10.12.
func TestPolicy_OneScript(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	pages.FormPost(w, pages.Language{}, "https://app.example/cb", func(func(name, value string)) {})
	require.Regexp(t, `script-src 'sha256-[A-Za-z0-9+/]{43}='; `, w.Header().Get("Content-Security-Policy"))
	w = httptest.NewRecorder()
	pages.Code(w, pages.Language{}, "x")
	require.NotContains(t, w.Header().Get("Content-Security-Policy"), "script-src")
}
