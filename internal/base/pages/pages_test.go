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
