package cors_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/cors"
)

// A public document may be read from any origin. A preflight is answered for the headers
// that it asks for, if they are names of headers. Every other request is for its document.
func TestPublic_Preflight(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 1<<10)
	for name, c := range map[string]struct {
		method, origin, asks, headers string
		preflight                     bool
		allowed                       string
	}{
		"preflight":          {http.MethodOptions, "https://app.example", "GET", "authorization, X-Trace", true, "authorization, X-Trace"},
		"no headers":         {http.MethodOptions, "https://app.example", "GET", "", true, ""},
		"longest headers":    {http.MethodOptions, "https://app.example", "GET", long, true, long},
		"too long headers":   {http.MethodOptions, "https://app.example", "GET", long + "a", true, ""},
		"no name":            {http.MethodOptions, "https://app.example", "GET", "a: b", true, ""},
		"GET":                {http.MethodGet, "https://app.example", "GET", "a", false, ""},
		"OPTIONS, no origin": {http.MethodOptions, "", "GET", "a", false, ""},
		"OPTIONS, no method": {http.MethodOptions, "https://app.example", "", "a", false, ""},
	} {
		r := httptest.NewRequest(c.method, "/jwks.json", nil)
		for header, value := range map[string]string{
			"Origin": c.origin, "Access-Control-Request-Method": c.asks, "Access-Control-Request-Headers": c.headers,
		} {
			if value != "" {
				r.Header.Set(header, value)
			}
		}
		w := httptest.NewRecorder()
		require.Equal(t, c.preflight, cors.Public(w, r), name)
		h := w.Result().Header
		require.Equal(t, "*", h.Get("Access-Control-Allow-Origin"), name)
		require.Empty(t, h.Get("Access-Control-Allow-Credentials"), name)
		require.Empty(t, h.Get("Connection"), name)
		require.Equal(t, c.allowed, h.Get("Access-Control-Allow-Headers"), name)
		if c.preflight {
			require.Equal(t, http.StatusNoContent, w.Code, name)
			require.Equal(t, "GET, HEAD", h.Get("Access-Control-Allow-Methods"), name)
			require.Equal(t, "600", h.Get("Access-Control-Max-Age"), name)
			require.Equal(t, "Access-Control-Request-Headers", h.Get("Vary"), name)
		} else {
			require.NotContains(t, h, "Access-Control-Allow-Methods", name)
		}
	}
}

// The body of a request for a public document is not waited for.
func TestPublic_BodyIsNotRead(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	cors.Public(w, httptest.NewRequest(http.MethodGet, "/jwks.json", strings.NewReader("body")))
	require.Equal(t, "close", w.Header().Get("Connection"))
}
