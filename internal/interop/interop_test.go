// Package interop drives the server with other people's clients.
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
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

const secret = "6808d4b6-ef09-4b0d-8f28-3b05da9c48ec"

type users map[string]string

func (u users) Authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	if p, ok := u[l.Username]; !ok || p != l.Password {
		return grants.User{}, grants.ErrWrongPassword
	}
	return grants.User{Subject: l.Username}, nil
}

// serve runs a server whose user approves everything.
func serve(t *testing.T, format string) (issuer string) {
	t.Helper()
	store := memstore.New()
	require.NoError(t, store.PutClient(t.Context(), storage.Client{ID: "conf", Secrets: []storage.Secret{storage.HashSecret(secret)},
		GrantTypes:   []string{"authorization_code", "password", "client_credentials", "refresh_token"},
		RedirectURIs: []string{"https://app.example/cb"}, Scope: []string{"read", "write"}, DefaultScope: []string{"read"}}))
	key, err := tokens.GenerateKey(tokens.ES256)
	require.NoError(t, err)
	keys, err := tokens.StaticKeys(key)
	require.NoError(t, err)
	mux := http.NewServeMux()
	ts := httptest.NewServer(mux)
	t.Cleanup(ts.Close)
	srv, err := grantwell.New(grantwell.Config{Issuer: ts.URL, AllowHTTP: true, Clients: store, Records: store, Keys: keys, AccessTokenFormat: format,
		Grants: []grants.Handler{grants.AuthorizationCode{}, grants.Password{Authenticator: users{"johndoe": "A3ddj3w"}}, grants.ClientCredentials{}, grants.RefreshToken{}}})
	require.NoError(t, err)
	mux.Handle("/", srv.Handler())
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		if req, ok := srv.ParseAuthorize(w, r); ok {
			srv.Approve(w, r, req, grantwell.Approval{Subject: "alice"})
		}
	})
	return ts.URL
}

// A resource that knows only go-oidc verifies our tokens by our key set.
// Holds S172, S175, R244.
func TestGoOIDC_VerifiesAccessTokensByTheKeySet(t *testing.T) {
	t.Parallel()
	issuer := serve(t, "jwt")
	cc := clientcredentials.Config{ClientID: "conf", ClientSecret: secret, TokenURL: issuer + "/token", Scopes: []string{"read"}}
	tok, err := cc.Token(t.Context())
	require.NoError(t, err)
	keys := oidc.NewRemoteKeySet(t.Context(), issuer+"/jwks.json")
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: issuer, SupportedSigningAlgs: []string{"ES256"}})
	parsed, err := verifier.Verify(t.Context(), tok.AccessToken)
	require.NoError(t, err)
	require.Equal(t, "conf", parsed.Subject)
	_, err = verifier.Verify(t.Context(), tok.AccessToken[:len(tok.AccessToken)-4]+"AAAA")
	require.Error(t, err)
}

// JavaScript clients that many people use work unmodified.
// Holds S25, S35, S37, S41, S85, S97, S98, S181.
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
				cmd := exec.CommandContext(ctx, "node", program, serve(t, format), "conf", secret)
				cmd.Dir = "js"
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, string(out))
			})
		}
	}
}

// missing skips on a developer's machine and fails where everything must be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("GRANTWELL_REQUIRE_ALL") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
