package moving_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	fositestore "github.com/ory/fosite/storage"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// secret is the secret of the client app at both servers.
const secret = "a secret that an app had for years"

// global is the global secret of the fosite server. fosite uses its first 32 bytes.
var global = []byte("the first global secret of fosite, of which 32 bytes count")

// post sends a form of names and values in turn, as the client app.
func post(t *testing.T, to string, pairs ...string) (status int, body map[string]any) {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, to, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("app", url.QueryEscape(secret))

	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	_ = json.Unmarshal(b, &body)
	return res.StatusCode, body
}

// fositeServer starts a server that is built with fosite, and returns its store and the
// URL of its token endpoint. It serves the password grant and refresh tokens.
func fositeServer(t *testing.T) (*fositestore.MemoryStore, string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	require.NoError(t, err)
	store := fositestore.NewMemoryStore()
	store.Clients["app"] = &fosite.DefaultClient{
		ID:         "app",
		Secret:     hash,
		GrantTypes: []string{"password", "refresh_token"},
		Scopes:     []string{"read", "offline"},
	}
	store.Users["alice"] = fositestore.MemoryUserRelation{Username: "alice", Password: "pw"}

	cfg := &fosite.Config{
		GlobalSecret:       global,
		ScopeStrategy:      fosite.ExactScopeStrategy,
		RefreshTokenScopes: []string{},
	}
	//nolint:staticcheck // the password grant is the shortest way to tokens of fosite
	password := compose.OAuth2ResourceOwnerPasswordCredentialsFactory
	provider := compose.Compose(cfg, store, compose.NewOAuth2HMACStrategy(cfg),
		password, compose.OAuth2RefreshTokenGrantFactory)

	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		req, err := provider.NewAccessRequest(ctx, r, &fosite.DefaultSession{Subject: "alice"})
		if err != nil {
			provider.WriteAccessError(ctx, w, req, err)
			return
		}
		for _, s := range req.GetRequestedScopes() {
			req.GrantScope(s)
		}
		res, err := provider.NewAccessResponse(ctx, req)
		if err != nil {
			provider.WriteAccessError(ctx, w, req, err)
			return
		}
		provider.WriteAccessResponse(ctx, w, req, res)
	}))
	t.Cleanup(ts.Close)
	return store, ts.URL
}

// login gets tokens at the fosite server.
func login(t *testing.T, at string) (access, refresh string) {
	t.Helper()
	status, body := post(t, at, "grant_type", "password",
		"username", "alice", "password", "pw", "scope", "read offline")
	require.Equal(t, 200, status, body)
	return body["access_token"].(string), body["refresh_token"].(string)
}

// exported is a line of the export, and stored one of its tokens.
type (
	exported struct {
		Grant    string   `json:"grant"`
		ClientID string   `json:"client_id"`
		Subject  string   `json:"subject"`
		Scope    string   `json:"scope"`
		Audience []string `json:"audience"`
		IssuedAt any      `json:"issued_at"`
		Access   []stored `json:"access"`
		Refresh  []stored `json:"refresh"`
	}
	stored struct {
		Stored    string `json:"stored"`
		ExpiresAt any    `json:"expires_at"`
	}
)

// export returns the tokens of a fosite store in the format of ImportTokens, one line for
// each request ID. It has the signatures, of which no token can be made. hydra exports the
// SHA-384 of the signature of an access token, which is what Hydra stores.
func export(t *testing.T, store *fositestore.MemoryStore, hydra bool) []byte {
	t.Helper()
	lines := map[string]*exported{}
	line := func(r fosite.Requester) *exported {
		l := lines[r.GetID()]
		if l == nil {
			l = &exported{
				Grant:    r.GetID(),
				ClientID: r.GetClient().GetID(),
				Subject:  r.GetSession().GetSubject(),
				Scope:    strings.Join(r.GetGrantedScopes(), " "),
				Audience: []string{"https://as.example"},
				IssuedAt: r.GetRequestedAt(),
			}
			lines[r.GetID()] = l
		}
		return l
	}

	for signature, r := range store.AccessTokens {
		if hydra {
			signature = fmt.Sprintf("%x", sha512.Sum384([]byte(signature)))
		}
		l := line(r)
		l.Access = append(l.Access, stored{signature, r.GetSession().GetExpiresAt(fosite.AccessToken)})
	}
	for signature, r := range store.RefreshTokens {
		l := line(r)
		l.Refresh = append(l.Refresh, stored{signature, r.GetSession().GetExpiresAt(fosite.RefreshToken)})
	}

	var out bytes.Buffer
	for _, id := range slices.Sorted(maps.Keys(lines)) {
		require.NoError(t, json.NewEncoder(&out).Encode(lines[id]))
	}
	return out.Bytes()
}

// subject returns the subject of an access token at the fosite server.
func subject(store *fositestore.MemoryStore, token string) string {
	_, signature, _ := strings.Cut(token, ".")
	return store.AccessTokens[signature].GetSession().GetSubject()
}

// newServer starts a Grantwell server with the clients of a fosite store, and returns its
// store and its URL. It accepts imported tokens of these forms.
func newServer(
	t *testing.T,
	from *fositestore.MemoryStore,
	forms ...tokens.Imported,
) (*memstore.Store, string) {
	t.Helper()
	clients, err := json.Marshal([]map[string]any{{
		"client_id":          "app",
		"client_secret_hash": string(from.Clients["app"].GetHashedSecret()),
		"grant_types":        []string{"refresh_token"},
		"scope":              "read offline",
	}})
	require.NoError(t, err)
	list, err := grantwell.ReadClients(bytes.NewReader(clients))
	require.NoError(t, err)

	store := memstore.New()
	servertest.Register(t, store, list...)
	server := servertest.On(t, store, func(cfg *grantwell.Config) {
		cfg.Grants = []grants.Handler{grants.RefreshToken{}}
		cfg.Imported = forms
	})
	return store, server.Listen().URL
}

// introspect returns what the server at this URL says about a token.
func introspect(t *testing.T, at, token string) map[string]any {
	t.Helper()
	status, body := post(t, at+"/introspect", "token", token)
	require.Equal(t, 200, status)
	return body
}

// refresh sends a refresh token to the server at this URL.
func refresh(t *testing.T, at, token string) (status int, body map[string]any) {
	t.Helper()
	return post(t, at+"/token", "grant_type", "refresh_token", "refresh_token", token)
}
