package introspect_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
)

// The metadata is where RFC 9728 section 3 places it, and each challenge names that place.
//
// Holds: RFC 9728 section 3.
func TestMetadata_ServedAndNamedInChallenge(t *testing.T) {
	t.Parallel()
	m := introspect.Metadata{
		Resource: "https://api.example.com/v1/", AuthorizationServers: []string{"https://as.example.com"}, Scopes: []string{"read"},
		DPoPRequired: true, Extra: map[string]any{"resource": "forged", "jwks_uri": "forged", "x": 1},
	}
	require.Equal(t, "https://api.example.com/.well-known/oauth-protected-resource/v1", m.URL())
	mux := http.NewServeMux()
	mux.Handle(m.Path(), m.Handler())
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, m.URL(), nil))
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"resource":"https://api.example.com/v1/","authorization_servers":["https://as.example.com"],"scopes_supported":["read"],
		"bearer_methods_supported":["header"],"dpop_bound_access_tokens_required":true,"x":1}`, w.Body.String())

	w = httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, m.URL(), nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))

	w, _ = serve(newGuard(func(g *introspect.Guard) { g.MetadataURL = m.URL() }), bearer(""))
	require.Equal(t, `Bearer realm="notes", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1"`, w.Header().Get("WWW-Authenticate"))

	for _, bad := range []introspect.Metadata{{}, {Resource: "http://api.example.com"}, {Resource: api + "#x"}, {Resource: api, Methods: []string{"cookie"}}} {
		require.Error(t, bad.Check())
		require.Panics(t, func() { bad.Handler() })
	}
}
