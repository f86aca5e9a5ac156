package fositegrant_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/rfc7523"
	fositestorage "github.com/ory/fosite/storage"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/fositegrant"
)

const urnJWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// logins is a user table, as fosite's password handler wants it.
type logins map[string]string

func (l logins) Authenticate(_ context.Context, name, secret string) (string, error) {
	if l[name] == "" || l[name] != secret {
		return "", fosite.ErrNotFound
	}
	return "sub-" + name, nil
}

// fositeGrant returns as a grant what a factory of fosite's makes with placeholders. The
// configuration has no strategies, so that New must fill in fosite's defaults.
func fositeGrant(t *testing.T, factory compose.Factory, store any, o fositegrant.Options) grants.Handler {
	t.Helper()
	cfg := &fosite.Config{TokenURL: "https://as.example/token"}
	handler := factory(cfg, store, fositegrant.Placeholder{}).(fosite.TokenEndpointHandler)
	g, err := fositegrant.New(handler, o)
	require.NoError(t, err)
	require.NotNil(t, cfg.ScopeStrategy)
	require.NotNil(t, cfg.AudienceMatchingStrategy)
	require.NotNil(t, cfg.ClientSecretsHasher)
	require.NotNil(t, cfg.JWKSFetcherStrategy)
	return g
}

// fosite's handler for client credentials runs as a grant, also for concurrent requests.
func TestNew_FositeClientCredentials(t *testing.T) {
	t.Parallel()
	grant := fositeGrant(t, compose.OAuth2ClientCredentialsGrantFactory, fositegrant.Placeholder{},
		fositegrant.Options{GrantType: "client_credentials", GrantRequested: true})
	h := newGrantHost(t, nil, grant)
	send := func(scope string) (int, map[string]any) {
		return h.post("/token", asService, "grant_type", "client_credentials", "scope", scope)
	}

	answers := make(chan map[string]any)
	for range 16 {
		go func() {
			_, body := send("write")
			answers <- body
		}()
	}
	var body map[string]any
	for range 16 {
		body = <-answers
		require.Equal(t, "write", body["scope"], "%v", body)
	}
	require.NotContains(t, body, "refresh_token")
	require.Equal(t, "service", h.introspect(body)["sub"])

	status, body := send("admin")
	require.Equal(t, 400, status)
	require.Equal(t, "invalid_scope", body["error"])
}

// fosite's handler for passwords runs as a grant, within the server's limit on wrong
// passwords.
func TestNew_FositePassword(t *testing.T) {
	t.Parallel()
	store := struct {
		fositegrant.Placeholder
		logins
	}{logins: logins{"ann": "correct horse", "service": "x"}}
	grant := fositeGrant(t, compose.OAuth2ResourceOwnerPasswordCredentialsFactory, store,
		fositegrant.Options{GrantType: "password", GrantRequested: true})
	h := newGrantHost(t, nil, grant)
	login := func(password, scope string) (int, map[string]any) {
		return h.post("/token", asService, "grant_type", "password",
			"username", "ann", "password", password, "scope", scope)
	}

	status, body := h.post("/token", asService, "grant_type", "password", "username", "ann")
	h.refusedWith("invalid_request", 400, status, body)
	status, body = login("battery staple", "read")
	h.refusedWith("invalid_grant", 400, status, body)
	require.NotContains(t, h.reason(), "battery staple")

	// fosite's handler sets a refresh token only for the scope offline.
	status, body = login("correct horse", "read")
	require.NotContains(t, issued(t, status, body), "refresh_token")
	status, body = login("correct horse", "read offline")
	require.NotEmpty(t, issued(t, status, body)["refresh_token"])
	require.Equal(t, "sub-ann", h.introspect(body)["sub"])

	for range 9 {
		status, _ = login("wrong again", "read")
		require.Equal(t, 400, status)
	}
	status, _ = login("correct horse", "read")
	require.Equal(t, 429, status)
}

// fosite's handler for JWT bearer assertions runs as a grant. The audience of the
// assertion, which it copies, does not become the audience of the token.
func TestNew_FositeJWTBearer(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	store := fositestorage.NewMemoryStore()
	held := &heldFosite{MemoryStore: store}
	held.trust(t, demoIDP, "ann", demoJWKS(key.Public()), "read", "admin")
	handler := &rfc7523.Handler{
		Storage:      store,
		HandleHelper: placeholders(&fosite.Config{}),
		Config:       &fosite.Config{TokenURL: "https://as.example/token"},
	}
	grant, err := fositegrant.New(handler, fositegrant.Options{GrantType: urnJWTBearer})
	require.NoError(t, err)
	h := newGrantHost(t, nil, grant)

	signing := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}
	signer, err := jose.NewSigner(signing, nil)
	require.NoError(t, err)
	send := func(id, scope string) (int, map[string]any) {
		now := time.Now()
		text, err := jwt.Signed(signer).Claims(jwt.Claims{
			Issuer:   demoIDP,
			Subject:  "ann",
			Audience: jwt.Audience{"https://as.example/token"},
			ID:       id,
			IssuedAt: jwt.NewNumericDate(now),
			Expiry:   jwt.NewNumericDate(now.Add(time.Minute)),
		}).Serialize()
		require.NoError(t, err)
		return h.post("/token", asService, "grant_type", urnJWTBearer, "assertion", text, "scope", scope)
	}

	status, body := send("1", "read")
	seen := h.introspect(issued(t, status, body))
	require.Equal(t, "ann", seen["sub"])
	require.Equal(t, "https://api.example", seen["aud"])

	status, body = send("1", "read")
	require.Equal(t, 400, status)
	require.Equal(t, "invalid_grant", body["error"], "the assertion was used before")
	status, body = send("2", "admin")
	require.Equal(t, 400, status)
	require.Equal(t, "invalid_scope", body["error"], "the client is not registered for it")
	require.Empty(t, store.AccessTokens)
	require.Empty(t, store.RefreshTokens)
}
