package servertest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/tokens"
)

// Keys returns a new ES256 key that never rotates.
func Keys(t testing.TB) tokens.Keys {
	t.Helper()
	key, err := tokens.GenerateKey(tokens.ES256)
	require.NoError(t, err)
	keys, err := tokens.StaticKeys(key)
	require.NoError(t, err)
	return keys
}

// Signed returns a change of the configuration that makes access tokens signed
// JWTs with a record each.
func Signed(keys tokens.Keys) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) {
		cfg.Keys = keys
		cfg.AccessTokenFormat = "jwt"
	}
}

// Unrecorded returns a change of the configuration that makes access tokens
// signed JWTs without a record.
func Unrecorded(keys tokens.Keys) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) {
		Signed(keys)(cfg)
		cfg.Unrecorded = true
	}
}

// TokenHeader decodes the header of a JWT, without a look at its signature.
func TokenHeader(t testing.TB, token string) map[string]any {
	t.Helper()
	return tokenPart(t, token, 0)
}

// TokenClaims decodes the claims of a JWT, without a look at its signature.
func TokenClaims(t testing.TB, token string) map[string]any {
	t.Helper()
	return tokenPart(t, token, 1)
}

func tokenPart(t testing.TB, token string, i int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3, token)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(raw, &members))
	return members
}

// UnknownToken returns an opaque token or code that no store knows.
func UnknownToken(t testing.TB) string {
	t.Helper()
	token, err := tokens.Opaque{}.Mint(t.Context(), tokens.Claims{})
	require.NoError(t, err)
	return token
}

// Bearer sends a GET to a protected resource with an access token in the
// Authorization header (RFC 6750 section 2.1), or without one if it is empty.
func Bearer(h http.Handler, token string) Reply {
	req := httptest.NewRequest(http.MethodGet, Issuer+"/", nil)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return Serve(h, req)
}

// ShowToken is a protected resource that answers with what it finds in its
// request: the token that an [introspect.Guard] put there, and what is left of
// the caller's credentials.
func ShowToken(w http.ResponseWriter, r *http.Request) {
	token, _ := introspect.FromContext(r.Context())
	_ = json.NewEncoder(w).Encode(map[string]any{
		"sub":           token.Subject,
		"client":        token.ClientID,
		"scope":         strings.Join(token.Scope, " "),
		"exp":           token.ExpiresAt.Unix(),
		"dept":          token.Extra["dept"],
		"authorization": r.Header.Get("Authorization"),
		"query":         r.URL.RawQuery,
		"form":          r.PostFormValue("access_token"),
	})
}
