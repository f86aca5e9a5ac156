package fositegrant_test

import (
	"context"
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

// composed is a program as fosite's users write it. hash is what its database has of the client's secret.
func composed(t *testing.T, hash []byte) http.Handler {
	store := fositestore.NewMemoryStore()
	store.Clients["app"] = &fosite.DefaultClient{ID: "app", Secret: hash, RedirectURIs: []string{migratedRedirect}, ResponseTypes: []string{"code"},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"}, Scopes: []string{"read", "offline"}}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	provider := compose.ComposeAllEnabled(&fosite.Config{GlobalSecret: []byte(storeGlobal)[:32], EnforcePKCE: true,
		AccessTokenLifespan: time.Hour, RefreshTokenLifespan: 24 * time.Hour}, store, key)
	session := func(subject string) *fosite.DefaultSession { return &fosite.DefaultSession{Subject: subject} }

	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		ar, err := provider.NewAuthorizeRequest(ctx, r)
		if err != nil {
			provider.WriteAuthorizeError(ctx, w, ar, err)
			return
		}
		for _, scope := range ar.GetRequestedScopes() {
			ar.GrantScope(scope)
		}
		res, err := provider.NewAuthorizeResponse(ctx, ar, session("alice"))
		if err != nil {
			provider.WriteAuthorizeError(ctx, w, ar, err)
			return
		}
		provider.WriteAuthorizeResponse(ctx, w, ar, res)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		ar, err := provider.NewAccessRequest(ctx, r, session(""))
		if err != nil {
			provider.WriteAccessError(ctx, w, ar, err)
			return
		}
		if ar.GetGrantTypes().ExactOne("client_credentials") {
			for _, scope := range ar.GetRequestedScopes() {
				ar.GrantScope(scope)
			}
		}
		res, err := provider.NewAccessResponse(ctx, ar)
		if err != nil {
			provider.WriteAccessError(ctx, w, ar, err)
			return
		}
		provider.WriteAccessResponse(ctx, w, ar, res)
	})
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		res, err := provider.NewIntrospectionRequest(ctx, r, session(""))
		if err != nil {
			provider.WriteIntrospectionError(ctx, w, err)
			return
		}
		provider.WriteIntrospectionResponse(ctx, w, res)
	})
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		provider.WriteRevocationResponse(ctx, w, provider.NewRevocationRequest(ctx, r))
	})
	return mux
}

// moved is what composed becomes. The client keeps its secret: the hash moves.
func moved(t *testing.T, hash []byte) http.Handler {
	store := memstore.New()
	require.NoError(t, store.PutClient(t.Context(), storage.Client{ID: "app", Secrets: []storage.Secret{{Hash: string(hash)}}, RedirectURIs: []string{migratedRedirect},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"}, Scope: []string{"read", "offline"}}))
	srv, err := grantwell.New(grantwell.Config{Issuer: "https://as.example", Clients: store, Records: store,
		Grants:              []grants.Handler{grants.AuthorizationCode{RequirePKCE: true}, grants.ClientCredentials{}, grants.RefreshToken{}},
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: 24 * time.Hour})
	require.NoError(t, err)

	mux := http.NewServeMux()
	mux.Handle("/", srv.Handler()) // POST /token, /introspect and /revoke, metadata
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		if req, ok := srv.ParseAuthorize(w, r); ok {
			srv.Approve(w, r, req, grantwell.Approval{Subject: "alice"})
		}
	})
	return mux
}

// One client, unchanged, uses both programs.
func TestMigration_TheClientNoticesNothing(t *testing.T) {
	t.Parallel()
	hash, err := bcrypt.GenerateFromPassword([]byte(migratedSecret), bcrypt.MinCost)
	require.NoError(t, err)
	for name, build := range map[string]func(*testing.T, []byte) http.Handler{"composed": composed, "moved": moved} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(build(t, hash))
			defer server.Close()
			c := migratedClient{t, server.URL, &oauth2.Config{ClientID: "app", ClientSecret: migratedSecret, RedirectURL: migratedRedirect, Scopes: []string{"read", "offline"},
				Endpoint: oauth2.Endpoint{AuthURL: server.URL + "/authorize", TokenURL: server.URL + "/token", AuthStyle: oauth2.AuthStyleInHeader}}}
			c.uses()
		})
	}
}

type migratedClient struct {
	t   *testing.T
	url string
	cfg *oauth2.Config
}

// uses is everything that the client does: log a user in, refresh, act for itself, ask about its tokens, log out.
func (c migratedClient) uses() {
	ctx := c.t.Context()
	verifier := oauth2.GenerateVerifier()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(c.cfg.AuthCodeURL("state-123456", oauth2.S256ChallengeOption(verifier)))
	require.NoError(c.t, err)
	require.NoError(c.t, res.Body.Close())
	back, err := url.Parse(res.Header.Get("Location"))
	require.NoError(c.t, err)
	require.Equal(c.t, "state-123456", back.Query().Get("state"))
	token, err := c.cfg.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(c.t, err)
	require.Equal(c.t, "alice", c.introspect(token.AccessToken)["sub"])
	require.Equal(c.t, "read offline", c.introspect(token.AccessToken)["scope"])

	next, err := c.cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken, Expiry: time.Now().Add(-time.Hour)}).Token()
	require.NoError(c.t, err)
	require.NotEqual(c.t, token.RefreshToken, next.RefreshToken)
	require.Equal(c.t, true, c.introspect(next.AccessToken)["active"])

	own, err := (&clientcredentials.Config{ClientID: "app", ClientSecret: migratedSecret, TokenURL: c.cfg.Endpoint.TokenURL, Scopes: []string{"read"},
		AuthStyle: oauth2.AuthStyleInHeader}).Token(ctx)
	require.NoError(c.t, err)
	require.Equal(c.t, "app", c.introspect(own.AccessToken)["client_id"])

	c.post("/revoke", next.RefreshToken)
	require.Equal(c.t, map[string]any{"active": false}, c.introspect(next.AccessToken))
	_, err = c.cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: next.RefreshToken, Expiry: time.Now().Add(-time.Hour)}).Token()
	require.Error(c.t, err)
}

func (c migratedClient) introspect(token string) (seen map[string]any) {
	require.NoError(c.t, json.Unmarshal([]byte(c.post("/introspect", token)), &seen))
	return seen
}

func (c migratedClient) post(path, token string) string {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.url+path, strings.NewReader(url.Values{"token": {token}}.Encode()))
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
