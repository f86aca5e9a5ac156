// Package interop runs OAuth clients of other projects against the server. It has tests
// only.
package interop

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
)

// serve starts a server and returns its issuer, which is the URL of its listener. The user
// approves every request. format is that of the access tokens.
func serve(t *testing.T, format string) (issuer string) {
	t.Helper()
	mux := http.NewServeMux()
	listener := httptest.NewServer(mux)
	t.Cleanup(listener.Close)

	s := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Issuer = listener.URL
		cfg.AllowHTTP = true
		cfg.Keys = servertest.Keys(t)
		cfg.AccessTokenFormat = format
	})
	mux.Handle("/", s.Handler)
	return listener.URL
}

// A resource server that uses go-oidc verifies the server's access tokens by its key set.
// Holds: RFC 9068 section 2; RFC 9068 section 4.
func TestGoOIDC_VerifiesAccessTokensByTheKeySet(t *testing.T) {
	t.Parallel()
	issuer := serve(t, "jwt")
	client := clientcredentials.Config{
		ClientID:     "conf",
		ClientSecret: servertest.Secret,
		TokenURL:     issuer + "/token",
		Scopes:       []string{"read"},
	}
	token, err := client.Token(t.Context())
	require.NoError(t, err)

	keys := oidc.NewRemoteKeySet(t.Context(), issuer+"/jwks.json")
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID:             issuer,
		SupportedSigningAlgs: []string{"ES256"},
	})
	parsed, err := verifier.Verify(t.Context(), token.AccessToken)
	require.NoError(t, err)
	require.Equal(t, "conf", parsed.Subject)

	forged := token.AccessToken[:len(token.AccessToken)-4] + "AAAA"
	_, err = verifier.Verify(t.Context(), forged)
	require.Error(t, err)
}

// Widely used JavaScript clients work without a change.
// Holds: RFC 6749 section 4.1.1; RFC 6749 section 4.1.3; RFC 6749 section 6;
// RFC 7009 section 2.1; RFC 8414 section 2; RFC 9207 section 2.
func TestJavaScriptClients(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		missing(t, "npm is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = "js"
	if out, err := install.CombinedOutput(); err != nil {
		missing(t, "npm ci: "+string(out))
	}

	for _, program := range []string{"oauth4webapi.mjs", "openid-client.mjs", "simple-oauth2.mjs"} {
		for _, format := range []string{"opaque", "jwt"} {
			t.Run(program+"/"+format, func(t *testing.T) {
				t.Parallel()
				issuer := serve(t, format)
				cmd := exec.CommandContext(ctx, "node", program, issuer, "conf", servertest.Secret)
				cmd.Dir = "js"
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, string(out))
			})
		}
	}
}

// missing skips a test whose programs are not installed. With GRANTWELL_REQUIRE_ALL it
// fails the test.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("GRANTWELL_REQUIRE_ALL") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
