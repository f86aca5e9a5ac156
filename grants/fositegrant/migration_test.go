package fositegrant_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	fositestore "github.com/ory/fosite/storage"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

const (
	migratedSecret   = "the-secret-of-the-client-that-moves"
	migratedRedirect = "https://app.example/cb"
)

// before returns a program that is built with fosite. Its endpoints are those of
// fositeHost. hash is the client's secret as the program's database has it.
func before(t *testing.T, hash []byte) http.Handler {
	store := fositestore.NewMemoryStore()
	store.Clients["app"] = &fosite.DefaultClient{
		ID:            "app",
		Secret:        hash,
		RedirectURIs:  []string{migratedRedirect},
		ResponseTypes: []string{"code"},
		GrantTypes:    []string{"authorization_code", "refresh_token", "client_credentials"},
		Scopes:        []string{"read", "offline"},
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	config := &fosite.Config{
		GlobalSecret:         []byte(storeGlobal),
		EnforcePKCE:          true,
		AccessTokenLifespan:  time.Hour,
		RefreshTokenLifespan: 24 * time.Hour,
	}
	host := &fositeHost{
		provider: compose.ComposeAllEnabled(config, store, key),
		session: func(subject string) fosite.Session {
			return &fosite.DefaultSession{Subject: subject}
		},
	}
	return host.handler()
}

// after returns the program that before becomes. The client keeps its secret, because the
// hash moves.
func after(t *testing.T, hash []byte) http.Handler {
	store := memstore.New()
	require.NoError(t, store.PutClient(t.Context(), storage.Client{
		ID:           "app",
		Secrets:      []storage.Secret{{Hash: string(hash)}},
		RedirectURIs: []string{migratedRedirect},
		GrantTypes:   []string{"authorization_code", "refresh_token", "client_credentials"},
		Scope:        []string{"read", "offline"},
	}))
	srv, err := grantwell.New(grantwell.Config{
		Issuer:  "https://as.example",
		Clients: store,
		Records: store,
		Grants: []grants.Handler{
			grants.AuthorizationCode{RequirePKCE: true},
			grants.ClientCredentials{},
			grants.RefreshToken{},
		},
		AccessTokenLifetime:  time.Hour,
		RefreshTokenLifetime: 24 * time.Hour,
	})
	require.NoError(t, err)

	// Mount adds the token, introspection, revocation and metadata endpoints.
	mux := http.NewServeMux()
	srv.Mount(mux)
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		if req, ok := srv.ParseAuthorize(w, r); ok {
			srv.Approve(w, r, req, grantwell.Approval{Subject: "alice"})
		}
	})
	return mux
}

// One client uses both programs without a change.
func TestMigration_TheClientDoesNotChange(t *testing.T) {
	t.Parallel()
	hash, err := bcrypt.GenerateFromPassword([]byte(migratedSecret), bcrypt.MinCost)
	require.NoError(t, err)
	programs := map[string]func(*testing.T, []byte) http.Handler{
		"before": before,
		"after":  after,
	}
	for name, build := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(build(t, hash))
			defer server.Close()
			c := newMigratedClient(t, server.URL)
			c.useAll()
		})
	}
}

// migratedClient is a client that uses golang.org/x/oauth2.
type migratedClient struct {
	t   *testing.T
	url string
	cfg *oauth2.Config
}

func newMigratedClient(t *testing.T, url string) migratedClient {
	return migratedClient{t: t, url: url, cfg: &oauth2.Config{
		ClientID:     "app",
		ClientSecret: migratedSecret,
		RedirectURL:  migratedRedirect,
		Scopes:       []string{"read", "offline"},
		Endpoint: oauth2.Endpoint{
			AuthURL:   url + "/authorize",
			TokenURL:  url + "/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
	}}
}

// useAll logs a user in, refreshes, gets a token for the client itself, introspects, and
// revokes.
func (c migratedClient) useAll() {
	token := c.login()
	seen := c.introspect(token.AccessToken)
	require.Equal(c.t, "alice", seen["sub"])
	require.Equal(c.t, "read offline", seen["scope"])

	next, err := c.refresh(token)
	require.NoError(c.t, err)
	require.NotEqual(c.t, token.RefreshToken, next.RefreshToken)
	require.Equal(c.t, true, c.introspect(next.AccessToken)["active"])

	config := &clientcredentials.Config{
		ClientID:     "app",
		ClientSecret: migratedSecret,
		TokenURL:     c.cfg.Endpoint.TokenURL,
		Scopes:       []string{"read"},
		AuthStyle:    oauth2.AuthStyleInHeader,
	}
	own, err := config.Token(c.t.Context())
	require.NoError(c.t, err)
	require.Equal(c.t, "app", c.introspect(own.AccessToken)["client_id"])

	c.post("/revoke", next.RefreshToken)
	require.Equal(c.t, map[string]any{"active": false}, c.introspect(next.AccessToken))
	_, err = c.refresh(next)
	require.Error(c.t, err)
}

// login gets a code with PKCE and redeems it.
func (c migratedClient) login() *oauth2.Token {
	verifier := oauth2.GenerateVerifier()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := browser.Get(c.cfg.AuthCodeURL("state-123456", oauth2.S256ChallengeOption(verifier)))
	require.NoError(c.t, err)
	require.NoError(c.t, res.Body.Close())
	back, err := url.Parse(res.Header.Get("Location"))
	require.NoError(c.t, err)
	require.Equal(c.t, "state-123456", back.Query().Get("state"))

	code := back.Query().Get("code")
	token, err := c.cfg.Exchange(c.t.Context(), code, oauth2.VerifierOption(verifier))
	require.NoError(c.t, err)
	return token
}

// refresh refreshes a token before it has expired.
func (c migratedClient) refresh(token *oauth2.Token) (*oauth2.Token, error) {
	expired := &oauth2.Token{
		RefreshToken: token.RefreshToken,
		Expiry:       time.Now().Add(-time.Hour),
	}
	return c.cfg.TokenSource(c.t.Context(), expired).Token()
}

func (c migratedClient) introspect(token string) (seen map[string]any) {
	require.NoError(c.t, json.Unmarshal([]byte(c.post("/introspect", token)), &seen))
	return seen
}

// post sends a token to an endpoint and returns the answer, which must be 200.
func (c migratedClient) post(path, token string) string {
	form := strings.NewReader(url.Values{"token": {token}}.Encode())
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+path, form)
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("app", migratedSecret)

	res, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, res.StatusCode, "%s", text)
	return string(text)
}
