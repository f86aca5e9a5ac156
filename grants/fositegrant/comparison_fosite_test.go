package fositegrant_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	fositestorage "github.com/ory/fosite/storage"
	fositejwt "github.com/ory/fosite/token/jwt"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell/storage"
)

// fositeSetup describes how fosite is set up. The zero value is what most hosts have:
// ComposeAllEnabled over fosite's own memory store.
type fositeSetup struct {
	config *fosite.Config

	// body is the size in bytes to which the host limits the body of a request. Zero
	// leaves the limit to fosite.
	body int64

	// slow is added to the time that the store takes to mark a code as used.
	slow time.Duration

	// oidc registers every client as one of OpenID Connect, which has an authentication
	// method.
	oidc bool

	// atomic makes the store spend codes and refresh tokens atomically.
	atomic bool

	// jwt makes access tokens JWTs. Introspection verifies them without the store.
	jwt bool

	// lookUp makes introspection look tokens up in the store although they are JWTs.
	lookUp bool

	// session returns a new session.
	session func(subject string) fosite.Session
}

// heldFosite is fosite's own store. Its calls can be held or made to fail.
type heldFosite struct {
	*fositestorage.MemoryStore
	gate *gate
	slow time.Duration
	down atomic.Bool

	// If atomic is true, spent has the codes and refresh tokens that were spent.
	atomic bool
	mu     sync.Mutex
	spent  map[string]bool
}

var errStoreDown = errors.New("the store is down")

// fault returns the error of a store that is down.
func (s *heldFosite) fault() error {
	if s.down.Load() {
		return errStoreDown
	}
	return nil
}

// once reports whether a code or a refresh token is spent for the first time.
func (s *heldFosite) once(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spent[id] {
		return false
	}
	s.spent[id] = s.atomic
	return true
}

func (s *heldFosite) GetAuthorizeCodeSession(
	ctx context.Context,
	code string,
	session fosite.Session,
) (fosite.Requester, error) {
	s.gate.pass("read")
	return s.MemoryStore.GetAuthorizeCodeSession(ctx, code, session)
}

func (s *heldFosite) InvalidateAuthorizeCodeSession(ctx context.Context, code string) error {
	s.gate.pass("spend")
	time.Sleep(s.slow)
	if !s.once(code) {
		return fosite.ErrInvalidatedAuthorizeCode
	}
	return s.MemoryStore.InvalidateAuthorizeCodeSession(ctx, code)
}

func (s *heldFosite) RotateRefreshToken(ctx context.Context, requestID, signature string) error {
	s.gate.pass("spend")
	if !s.once(signature) {
		return fosite.ErrInactiveToken
	}
	return s.MemoryStore.RotateRefreshToken(ctx, requestID, signature)
}

func (s *heldFosite) RevokeRefreshToken(ctx context.Context, requestID string) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.MemoryStore.RevokeRefreshToken(ctx, requestID)
}

func (s *heldFosite) RevokeAccessToken(ctx context.Context, requestID string) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.MemoryStore.RevokeAccessToken(ctx, requestID)
}

func (s *heldFosite) GetRefreshTokenSession(
	ctx context.Context,
	signature string,
	session fosite.Session,
) (fosite.Requester, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.MemoryStore.GetRefreshTokenSession(ctx, signature, session)
}

func (s *heldFosite) GetAccessTokenSession(
	ctx context.Context,
	signature string,
	session fosite.Session,
) (fosite.Requester, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.MemoryStore.GetAccessTokenSession(ctx, signature, session)
}

// countingHasher is fosite's own hasher. It counts the comparisons.
type countingHasher struct {
	fosite.Hasher
	n atomic.Int64
}

func (h *countingHasher) Compare(ctx context.Context, hash, data []byte) error {
	h.n.Add(1)
	return h.Hasher.Compare(ctx, hash, data)
}

// newFosite serves fosite. change, if not nil, adjusts the setup.
func newFosite(t testing.TB, change func(*fositeSetup)) *contender {
	cfg := &fosite.Config{
		GlobalSecret:      []byte("some-cool-secret-that-is-32bytes"),
		TokenURL:          demoIssuer + "/token",
		AccessTokenIssuer: demoIssuer,
		IDTokenIssuer:     demoIssuer,
		HashCost:          bcrypt.MinCost, // for speed; the cost changes no finding
	}
	hasher := &countingHasher{Hasher: &fosite.BCrypt{Config: cfg}}
	cfg.ClientSecretsHasher = hasher
	setup := fositeSetup{
		config: cfg,
		session: func(subject string) fosite.Session {
			s := openid.NewDefaultSession()
			s.Subject = subject
			s.Claims.Subject = subject
			return s
		},
	}
	if change != nil {
		change(&setup)
	}
	store := &heldFosite{
		slow:        setup.slow,
		MemoryStore: fositestorage.NewMemoryStore(),
		atomic:      setup.atomic,
		spent:       map[string]bool{},
	}
	host := &fositeHost{provider: setup.compose(store), session: setup.session}
	served := host.handler()
	if setup.body > 0 {
		served = http.MaxBytesHandler(served, setup.body)
	}

	c := newContender(t, "fosite", served)
	store.gate = c.gate
	c.rereads = 1
	c.audience = cfg.TokenURL

	// fosite has no registration. The host fills its store.
	c.register = func(client storage.Client) error {
		store.Clients[client.ID] = setup.client(t, client)
		return nil
	}
	c.hashes = func(f func()) int {
		before := hasher.n.Load()
		f()
		return int(hasher.n.Load() - before)
	}
	c.broken = store.down.Store
	c.sign = func(claims map[string]any) string {
		return signDemo(demoKeys().server, "", claims)
	}
	keys := newKeyServer(t)
	c.fetches = keys.fetched
	for _, client := range demoClients(keys.plain) {
		require.NoError(t, c.register(client))
	}
	store.trust(t, demoIDP, "ann", demoJWKS(&demoKeys().idp.PublicKey), "read", "admin")
	store.trust(t, "signer", "signer", demoJWKS(&demoKeys().client.PublicKey), "read")
	return c
}

// trust registers the key of an issuer of assertions (RFC 7523) for one subject.
func (s *heldFosite) trust(t testing.TB, issuer, subject string, jwks json.RawMessage, scopes ...string) {
	var set struct{ Keys []json.RawMessage }
	require.NoError(t, json.Unmarshal(jwks, &set))
	key := fositestorage.PublicKeyScopes{Scopes: scopes}
	require.NoError(t, json.Unmarshal(set.Keys[0], &key.Key))
	keys := map[string]fositestorage.PublicKeyScopes{"k1": key}
	s.IssuerPublicKeys[issuer] = fositestorage.IssuerPublicKeys{
		Issuer: issuer,
		KeysBySub: map[string]fositestorage.SubjectPublicKeys{
			subject: {Subject: subject, Keys: keys},
		},
	}
}

// compose returns the provider over a store.
func (s fositeSetup) compose(store any) fosite.OAuth2Provider {
	if !s.jwt {
		return compose.ComposeAllEnabled(s.config, store, demoKeys().rsa)
	}

	key := func(context.Context) (any, error) { return demoKeys().server, nil }
	hmac := compose.NewOAuth2HMACStrategy(s.config)
	strategy := &compose.CommonStrategy{
		CoreStrategy:               compose.NewOAuth2JWTStrategy(key, hmac, s.config),
		OpenIDConnectTokenStrategy: compose.NewOpenIDConnectStrategy(key, s.config),
		Signer:                     &fositejwt.DefaultSigner{GetPrivateKey: key},
	}
	introspection := compose.OAuth2StatelessJWTIntrospectionFactory
	if s.lookUp {
		introspection = compose.OAuth2TokenIntrospectionFactory
	}
	return compose.Compose(
		s.config,
		store,
		strategy,
		compose.OAuth2AuthorizeExplicitFactory,
		compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2RefreshTokenGrantFactory,
		introspection,
		compose.OAuth2TokenRevocationFactory,
		compose.OAuth2PKCEFactory,
	)
}

// withJWT is the setup for access tokens that are JWTs.
func withJWT(s *fositeSetup) {
	s.jwt = true
	s.session = func(subject string) fosite.Session {
		return &oauth2.JWTSession{
			JWTClaims: &fositejwt.JWTClaims{Subject: subject},
			JWTHeader: &fositejwt.Headers{},
			Subject:   subject,
		}
	}
}

// demoHash returns the bcrypt hash of demoSecret. It is made once.
var demoHash = sync.OnceValue(func() []byte {
	b, _ := bcrypt.GenerateFromPassword([]byte(demoSecret), bcrypt.MinCost)
	return b
})

// client returns a client in fosite's form.
func (s fositeSetup) client(t testing.TB, c storage.Client) fosite.Client {
	out := &fosite.DefaultClient{
		ID:            c.ID,
		RedirectURIs:  c.RedirectURIs,
		GrantTypes:    c.GrantTypes,
		ResponseTypes: c.ResponseTypes,
		Scopes:        c.Scope,
		Audience:      c.Audience,
		Public:        c.Public(),
	}
	if len(c.Secrets) > 0 {
		out.Secret = demoHash()
	}
	if c.Method() != storage.AuthPrivateKeyJWT && !s.oidc {
		return out
	}
	full := &fosite.DefaultOpenIDConnectClient{
		DefaultClient:                     out,
		TokenEndpointAuthMethod:           c.Method(),
		TokenEndpointAuthSigningAlgorithm: c.AuthSigningAlg,
		JSONWebKeysURI:                    c.JWKSURI,
	}
	if len(c.JWKS) > 0 {
		require.NoError(t, json.Unmarshal(c.JWKS, &full.JSONWebKeys))
	}
	return full
}
