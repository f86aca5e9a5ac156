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

const secret = "a secret that an app had for years"

var global = []byte("the first global secret of fosite, of which 32 bytes count")

// post sends a form as the client and reads the JSON answer.
func post(t *testing.T, to string, pairs ...string) (int, map[string]any) {
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
	var m map[string]any
	_ = json.Unmarshal(b, &m)
	return res.StatusCode, m
}

// old is a server made with fosite: the password grant, refresh and introspection.
func old(t *testing.T) (*fositestore.MemoryStore, string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	require.NoError(t, err)
	store := fositestore.NewMemoryStore()
	store.Clients["app"] = &fosite.DefaultClient{ID: "app", Secret: hash, GrantTypes: []string{"password", "refresh_token"}, Scopes: []string{"read", "offline"}}
	store.Users["alice"] = fositestore.MemoryUserRelation{Username: "alice", Password: "pw"}
	cfg := &fosite.Config{GlobalSecret: global, ScopeStrategy: fosite.ExactScopeStrategy, RefreshTokenScopes: []string{}}
	//nolint:staticcheck // the deprecated factory serves the shortest way to tokens of fosite, in this test only
	provider := compose.Compose(cfg, store, compose.NewOAuth2HMACStrategy(cfg), compose.OAuth2ResourceOwnerPasswordCredentialsFactory, compose.OAuth2RefreshTokenGrantFactory)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := provider.NewAccessRequest(r.Context(), r, &fosite.DefaultSession{Subject: "alice"})
		if err != nil {
			provider.WriteAccessError(r.Context(), w, req, err)
			return
		}
		for _, s := range req.GetRequestedScopes() {
			req.GrantScope(s)
		}
		res, err := provider.NewAccessResponse(r.Context(), req)
		if err != nil {
			provider.WriteAccessError(r.Context(), w, req, err)
			return
		}
		provider.WriteAccessResponse(r.Context(), w, req, res)
	}))
	t.Cleanup(ts.Close)
	return store, ts.URL
}

// export writes what fosite's store has, a line for each request ID: the signatures, and nothing that the tokens could be made of.
// Hydra keeps the SHA-384 of an access token's.
func export(t *testing.T, store *fositestore.MemoryStore, hydra bool) []byte {
	t.Helper()
	type token map[string]any
	lines := map[string]map[string]any{}
	line := func(r fosite.Requester) map[string]any {
		l := lines[r.GetID()]
		if l == nil {
			l = map[string]any{"grant": r.GetID(), "client_id": r.GetClient().GetID(), "subject": r.GetSession().GetSubject(),
				"scope": strings.Join(r.GetGrantedScopes(), " "), "audience": []string{"https://as.example"}, "issued_at": r.GetRequestedAt(), "access": []token{}, "refresh": []token{}}
			lines[r.GetID()] = l
		}
		return l
	}
	for sig, r := range store.AccessTokens {
		l := line(r)
		if hydra {
			sig = fmt.Sprintf("%x", sha512.Sum384([]byte(sig)))
		}
		l["access"] = append(l["access"].([]token), token{"stored": sig, "expires_at": r.GetSession().GetExpiresAt(fosite.AccessToken)})
	}
	for sig, v := range store.RefreshTokens {
		l := line(v)
		l["refresh"] = append(l["refresh"].([]token), token{"stored": sig, "expires_at": v.GetSession().GetExpiresAt(fosite.RefreshToken)})
	}
	var out bytes.Buffer
	for _, id := range slices.Sorted(maps.Keys(lines)) {
		require.NoError(t, json.NewEncoder(&out).Encode(lines[id]))
	}
	return out.Bytes()
}

// subject is whom fosite issued the token to.
func subject(store *fositestore.MemoryStore, token string) string {
	_, signature, _ := strings.Cut(token, ".")
	return store.AccessTokens[signature].GetSession().GetSubject()
}

// next is a Grantwell with the clients of the old server and the forms of its tokens.
func next(t *testing.T, from *fositestore.MemoryStore, forms ...tokens.Imported) (*memstore.Store, string) {
	t.Helper()
	clients, err := json.Marshal([]map[string]any{{"client_id": "app", "client_secret_hash": string(from.Clients["app"].GetHashedSecret()),
		"grant_types": []string{"refresh_token"}, "scope": "read offline"}})
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

func login(t *testing.T, at string) (access, refresh string) {
	t.Helper()
	status, m := post(t, at, "grant_type", "password", "username", "alice", "password", "pw", "scope", "read offline")
	require.Equal(t, 200, status, m)
	return m["access_token"].(string), m["refresh_token"].(string)
}

// What fosite issued lives on at Grantwell: access tokens are active, the first refresh gives tokens of ours, a second use of
// the old refresh token ends the grant, and other grants live on.
// Holds S163.
func TestMove_TokensOfFositeLiveOn(t *testing.T) {
	t.Parallel()
	for name, hydra := range map[string]bool{"fosite": false, "hydra": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			livesOn(t, hydra)
		})
	}
}

func livesOn(t *testing.T, hydra bool) {
	from, oldURL := old(t)
	access, refresh := login(t, oldURL)
	revoked, _ := login(t, oldURL)
	spare, spareRefresh := login(t, oldURL)
	form := tokens.FositeHMAC{Secrets: [][]byte{[]byte("a newer global secret, to which they have rotated"), global}}
	store, at := next(t, from, form)
	lines := export(t, from, hydra)
	res, err := grantwell.ImportTokens(t.Context(), store, form, bytes.NewReader(lines))
	require.NoError(t, err)
	require.Equal(t, grantwell.ImportResult{Grants: 3, Tokens: 6}, res)

	active := func(token string) map[string]any {
		status, m := post(t, at+"/introspect", "token", token)
		require.Equal(t, 200, status)
		return m
	}
	m := active(access)
	require.Equal(t, true, m["active"], m)
	require.Equal(t, subject(from, access), m["sub"])
	require.Equal(t, "app", m["client_id"])
	require.Equal(t, "read offline", m["scope"])
	require.Equal(t, true, active(refresh)["active"])
	require.Equal(t, false, active(access + "A")["active"])
	require.Equal(t, false, active(strings.TrimPrefix(refresh, "ory_rt_") + "x")["active"])

	status, _ := post(t, at+"/revoke", "token", revoked)
	require.Equal(t, 200, status)
	require.Equal(t, false, active(revoked)["active"])

	status, first := post(t, at+"/token", "grant_type", "refresh_token", "refresh_token", refresh)
	require.Equal(t, 200, status, first)
	require.NotContains(t, first["access_token"], "ory_")
	status, second := post(t, at+"/token", "grant_type", "refresh_token", "refresh_token", first["refresh_token"].(string))
	require.Equal(t, 200, status, second)

	status, reuse := post(t, at+"/token", "grant_type", "refresh_token", "refresh_token", refresh)
	require.Equal(t, 400, status)
	require.Equal(t, "invalid_grant", reuse["error"])
	for _, token := range []string{access, first["access_token"].(string), second["access_token"].(string)} {
		require.Equal(t, false, active(token)["active"])
	}
	require.Equal(t, true, active(spare)["active"])

	res, err = grantwell.ImportTokens(t.Context(), store, form, bytes.NewReader(lines))
	require.NoError(t, err)
	require.Equal(t, grantwell.ImportResult{Known: 3}, res)
	require.Equal(t, false, active(access)["active"], "a second run brings nothing back")
	status, _ = post(t, at+"/revoke", "token", spareRefresh)
	require.Equal(t, 200, status)
	require.Equal(t, false, active(spare)["active"], "the family of a refresh token ends with it")
}

// Without the secret of the old server a token is not looked up, however well its signature is known.
func TestMove_NeedsTheSecretOfFosite(t *testing.T) {
	t.Parallel()
	from, oldURL := old(t)
	access, refresh := login(t, oldURL)
	wrong := tokens.FositeHMAC{Secrets: [][]byte{bytes.Repeat([]byte("w"), 32)}}
	store, at := next(t, from, wrong)
	_, err := grantwell.ImportTokens(t.Context(), store, wrong, bytes.NewReader(export(t, from, true)))
	require.NoError(t, err)
	_, m := post(t, at+"/introspect", "token", access)
	require.Equal(t, map[string]any{"active": false}, m)
	status, _ := post(t, at+"/token", "grant_type", "refresh_token", "refresh_token", refresh)
	require.Equal(t, 400, status)

	right := tokens.FositeHMAC{Secrets: [][]byte{global}}
	_, at = next(t, from, right)
	_, signature, _ := strings.Cut(access, ".")
	_, m = post(t, at+"/introspect", "token", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA."+signature)
	require.Equal(t, map[string]any{"active": false}, m)
}
