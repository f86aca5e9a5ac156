package tokens

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func serve(h http.Handler, method string, ifNoneMatch ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/jwks", nil)
	r.Header["If-None-Match"] = ifNoneMatch
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The document is JSON for GET and HEAD. It may be cached for a bounded time, and
// scripts of any origin may read it.
//
// Holds: RFC 9068 section 4.
func TestJWKSHandler_ServesTheSet(t *testing.T) {
	t.Parallel()
	keys, err := StaticKeys(keyFor(t, ES256))
	require.NoError(t, err)
	want, err := PublicJWKS(t.Context(), keys)
	require.NoError(t, err)

	w := serve(JWKSHandler(keys), http.MethodGet)
	require.Equal(t, 200, w.Code)
	require.Equal(t, string(want), w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "public, max-age=300", w.Header().Get("Cache-Control"))
	require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
	etag := w.Header().Get("ETag")

	head := serve(JWKSHandler(keys), http.MethodHead)
	require.Equal(t, 200, head.Code)
	require.Empty(t, head.Body.String())
	require.Equal(t, w.Header(), head.Header())

	for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
		w := serve(JWKSHandler(keys), http.MethodGet, match)
		require.Equal(t, 304, w.Code, match)
		require.Empty(t, w.Body.String())
		require.Equal(t, etag, w.Header().Get("ETag"))
	}
	for _, match := range []string{`"other"`, "", strings.Repeat(etag+",", 1000)} {
		require.Equal(t, 200, serve(JWKSHandler(keys), http.MethodGet, match).Code)
	}
	require.Equal(t, "public, max-age=60", serve(JWKS{keys, time.Minute}, http.MethodGet).Header().Get("Cache-Control"))
	require.Equal(t, "no-cache", serve(JWKS{keys, -1}, http.MethodGet).Header().Get("Cache-Control"))
}

// Another method is refused with the list of the allowed ones. The answer to a
// failure of the keys does not contain the cause.
func TestJWKSHandler_RefusesAndFailsPlainly(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		w := serve(JWKSHandler(noKeys{}), method)
		require.Equal(t, 405, w.Code)
		require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	}
	w := serve(JWKSHandler(noKeys{}), http.MethodGet)
	require.Equal(t, 503, w.Code)
	require.JSONEq(t, `{"error":"temporarily_unavailable"}`, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Empty(t, w.Header().Get("ETag"))
}
