package discovery_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/room/discovery"
	"github.com/grantwell/grantwell/internal/seam"
)

// get reads the document.
func get(t *testing.T, r *discovery.Room) map[string]any {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://evil.example/.well-known/oauth-authorization-server", nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var m map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &m))

	return m
}

// describer is a specification that completes the metadata.
type describer func(metadata map[string]any)

func (d describer) Describe(metadata map[string]any) { d(metadata) }

// A server without anything lists nothing, but for the members that RFC 8414 section
// 2 requires.
func TestMetadata_OfAnEmptyServer(t *testing.T) {
	t.Parallel()
	require.Equal(t, map[string]any{
		"issuer":                   "https://as.example",
		"grant_types_supported":    []any{},
		"response_types_supported": []any{},
	}, get(t, &discovery.Room{Issuer: "https://as.example", ResponseModes: []string{"query"}, ChallengeMethods: []string{"S256"}}))
}

// The document lists what is enabled, with URLs below the issuer (RFC 8414 section 2).
func TestMetadata_ListsWhatIsEnabled(t *testing.T) {
	t.Parallel()
	m := get(t, &discovery.Room{
		Issuer:     "https://as.example/tenant",
		GrantTypes: []string{"refresh_token", "authorization_code"},
		Endpoints: []seam.Endpoint{
			{Path: "/token", Member: "token_endpoint"},
			{Path: "", Member: "revocation_endpoint"},
			{Path: "/introspect", Member: "introspection_endpoint"},
			{Path: "/tokeninfo"},
		},
		JWKS:              "/jwks.json",
		Authorize:         "/authorize",
		ResponseTypes:     []string{"token", "code"},
		ResponseModes:     []string{"query", "fragment"},
		ChallengeMethods:  []string{"S256"},
		Methods:           []string{"private_key_jwt", "none"},
		SigningAlgorithms: []string{"ES256"},
		Scopes:            []grants.Scope{{Name: "read", Public: true}, {Name: "admin"}},
	})
	require.Equal(t, map[string]any{
		"issuer":                   "https://as.example/tenant",
		"authorization_endpoint":   "https://as.example/tenant/authorize",
		"token_endpoint":           "https://as.example/tenant/token",
		"introspection_endpoint":   "https://as.example/tenant/introspect",
		"jwks_uri":                 "https://as.example/tenant/jwks.json",
		"grant_types_supported":    []any{"authorization_code", "refresh_token"},
		"response_types_supported": []any{"code", "token"},
		"response_modes_supported": []any{"query", "fragment"},
		"scopes_supported":         []any{"read"},

		"code_challenge_methods_supported":                         []any{"S256"},
		"authorization_response_iss_parameter_supported":           true,
		"token_endpoint_auth_methods_supported":                    []any{"private_key_jwt", "none"},
		"token_endpoint_auth_signing_alg_values_supported":         []any{"ES256"},
		"introspection_endpoint_auth_methods_supported":            []any{"private_key_jwt", "none"},
		"introspection_endpoint_auth_signing_alg_values_supported": []any{"ES256"},
	}, m)
}

// A specification runs last, sees the whole document, and has the last word.
func TestMetadata_SpecificationsRunLast(t *testing.T) {
	t.Parallel()
	m := get(t, &discovery.Room{
		Issuer:     "https://as.example",
		GrantTypes: []string{"password"},
		JWKS:       "/keys",
		Describers: []seam.Describer{
			describer(func(m map[string]any) { m["seen"] = m["jwks_uri"] }),
			describer(func(m map[string]any) { m["again"] = m["seen"] }),
		},
	})
	require.Equal(t, "https://as.example/keys", m["again"])
}

// The document is public: any page may read it, and caches may keep it for a while.
func TestHandler_Answers(t *testing.T) {
	t.Parallel()
	h := (&discovery.Room{Issuer: "https://as.example"}).Handler()
	for method, want := range map[string]int{
		http.MethodGet: 200, http.MethodHead: 200, http.MethodPost: 405, http.MethodDelete: 405, http.MethodOptions: 405,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
		require.Equal(t, want, w.Code, method)
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		if want != 200 {
			require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
			continue
		}
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Equal(t, "public, max-age=300", w.Header().Get("Cache-Control"))
		require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
		require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
	}
}

// A document that cannot be written is a fault of the server.
func TestHandler_WithoutADocument(t *testing.T) {
	t.Parallel()
	h := (&discovery.Room{Describers: []seam.Describer{describer(func(m map[string]any) { m["f"] = func() {} })}}).Handler()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, http.StatusInternalServerError, w.Code)
}
