package discovery_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/room/authorize"
	"github.com/grantwell/grantwell/internal/room/clientauth"
	"github.com/grantwell/grantwell/internal/room/discovery"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
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
	}, get(t, room()))
}

// room is that of a server without grants.
func room() *discovery.Room {
	return &discovery.Room{
		Issuer:    "https://as.example",
		Path:      "/authorize",
		Authorize: &authorize.Room{PKCE: grants.AuthorizationCode{}},
		Auth:      &clientauth.Room{},
		Encoders:  []seam.Encoder{mode("query")},
	}
}

// mode is a response mode.
type mode string

func (m mode) ResponseMode() string                                           { return string(m) }
func (mode) Accept(*seam.Authorization, bool) error                           { return nil }
func (mode) Encode(http.ResponseWriter, *seam.Authorization, seam.Params) int { return 0 }

// word is a word of response_type.
type word string

func (w word) ResponseType() string                                      { return string(w) }
func (word) Respond(context.Context, *seam.Approved, *seam.Answer) error { return nil }

// signs is a method of client authentication by a signature.
type signs struct{}

func (signs) Methods() []string                                  { return []string{"private_key_jwt"} }
func (signs) SigningAlgorithms() []string                        { return []string{"ES256"} }
func (signs) Presented(*http.Request, url.Values) (string, bool) { return "", false }
func (signs) Verify(context.Context, *http.Request, url.Values, *storage.Client) error {
	return nil
}

// The document lists what is enabled, with URLs below the issuer (RFC 8414 section 2).
func TestMetadata_ListsWhatIsEnabled(t *testing.T) {
	t.Parallel()
	m := get(t, &discovery.Room{
		Issuer: "https://as.example/tenant",
		Base:   "https://as.example/tenant",
		Grants: []grants.Handler{grants.RefreshToken{}, grants.AuthorizationCode{}},
		Endpoints: []seam.Endpoint{
			{Path: "/token", Member: "token_endpoint"},
			{Path: "", Member: "revocation_endpoint"},
			{Path: "/introspect", Member: "introspection_endpoint"},
			{Path: "/tokeninfo"},
		},
		JWKS: "/jwks.json",
		Path: "/authorize",
		Authorize: &authorize.Room{
			Types: []authorize.Type{{Responder: word("token")}, {Responder: word("code")}},
			PKCE:  grants.AuthorizationCode{AllowPlainPKCE: true},
		},
		Encoders: []seam.Encoder{mode("query"), mode("fragment")},
		Auth: &clientauth.Room{
			Methods: []string{"private_key_jwt", "none"},
			Others:  []seam.Authenticator{signs{}},
		},
		Scopes: []string{"read"},
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

		"code_challenge_methods_supported":                         []any{"S256", "plain"},
		"authorization_response_iss_parameter_supported":           true,
		"token_endpoint_auth_methods_supported":                    []any{"private_key_jwt", "none"},
		"token_endpoint_auth_signing_alg_values_supported":         []any{"ES256"},
		"introspection_endpoint_auth_methods_supported":            []any{"private_key_jwt"},
		"introspection_endpoint_auth_signing_alg_values_supported": []any{"ES256"},
	}, m)
}

// A specification runs last, sees the whole document, and has the last word.
func TestMetadata_SpecificationsRunLast(t *testing.T) {
	t.Parallel()
	r := room()
	r.JWKS = "/keys"
	r.Base = "https://as.example"
	r.Describers = []seam.Describer{
		describer(func(m map[string]any) { m["seen"] = m["jwks_uri"] }),
		describer(func(m map[string]any) { m["again"] = m["seen"] }),
	}
	m := get(t, r)
	require.Equal(t, "https://as.example/keys", m["again"])
}

// The document is public: any page may read it, and caches may keep it for a while.
func TestHandler_Answers(t *testing.T) {
	t.Parallel()
	h := room().Handler()
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
	r := room()
	r.Describers = []seam.Describer{describer(func(m map[string]any) { m["f"] = func() {} })}
	h := r.Handler()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, http.StatusInternalServerError, w.Code)
}

// An issuer is an absolute https URL without query, fragment and user (RFC 8414
// section 2). Plain http is for a developer's machine.
func TestCheckIssuer_IsAnAbsoluteURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://as.example", "https://as.example/", "https://as.example:8443/tenant/a"} {
		require.NoError(t, discovery.CheckIssuer(good, false), good)
	}
	for _, bad := range []string{
		"", "as.example", "https://", "https://as.example?", "https://as.example?a", "https://as.example#",
		"https://u@as.example", "https://as.example//a", "file:///etc", "ftp://as.example", "https://as.example/%zz",
	} {
		require.ErrorContains(t, discovery.CheckIssuer(bad, true), "Issuer: ", bad)
	}
	require.Error(t, discovery.CheckIssuer("http://localhost:1", false))
	require.NoError(t, discovery.CheckIssuer("http://localhost:1", true))
}
