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

// fositeSetup is fosite as its users set it up: ComposeAllEnabled over the store that comes with it.
type fositeSetup struct {
	config  *fosite.Config
	body    int64                               // what the host lets a request's body have, in bytes; zero: as much as fosite does
	slow    time.Duration                       // how long the store takes to mark a code used, beyond what it takes
	oidc    bool                                // register every client as one of OpenID Connect, which has an authentication method
	atomic  bool                                // the host's own store spends codes and refresh tokens atomically
	lookUp  bool                                // with jwt: introspection by the store in place of the stateless one
	jwt     bool                                // access tokens are JWTs, and introspection verifies them by themselves
	session func(subject string) fosite.Session // nil: the sessions of OpenID Connect
}

// heldFosite is fosite's own store, whose calls can be held or made to fail.
type heldFosite struct {
	*fositestorage.MemoryStore
	storeGate *storeGate
	slow      time.Duration
	down      atomic.Bool
	atomic    bool
	mu        sync.Mutex
	spent     map[string]bool // with atomic: the codes and refresh tokens that were spent
}

var errStoreDown = errors.New("the store is down")

func (s *heldFosite) fault() error {
	if s.down.Load() {
		return errStoreDown
	}
	return nil
}

// once tells whether something is spent for the first time.
func (s *heldFosite) once(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spent[id] {
		return false
	}
	s.spent[id] = s.atomic
	return true
}

func (s *heldFosite) GetAuthorizeCodeSession(ctx context.Context, code string, session fosite.Session) (fosite.Requester, error) {
	s.storeGate.pass("read")
	return s.MemoryStore.GetAuthorizeCodeSession(ctx, code, session)
}

func (s *heldFosite) InvalidateAuthorizeCodeSession(ctx context.Context, code string) error {
	s.storeGate.pass("spend")
	time.Sleep(s.slow)
	if !s.once(code) {
		return fosite.ErrInvalidatedAuthorizeCode
	}
	return s.MemoryStore.InvalidateAuthorizeCodeSession(ctx, code)
}

func (s *heldFosite) RotateRefreshToken(ctx context.Context, requestID, signature string) error {
	s.storeGate.pass("spend")
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

func (s *heldFosite) GetRefreshTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.MemoryStore.GetRefreshTokenSession(ctx, signature, session)
}

func (s *heldFosite) GetAccessTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.MemoryStore.GetAccessTokenSession(ctx, signature, session)
}

// countingHasher is fosite's own hasher, counted.
type countingHasher struct {
	fosite.Hasher
	n atomic.Int64
}

func (h *countingHasher) Compare(ctx context.Context, hash, data []byte) error {
	h.n.Add(1)
	return h.Hasher.Compare(ctx, hash, data)
}

// newFosite serves fosite; change adjusts the setup.
func newFosite(t testing.TB, change func(*fositeSetup)) *contender {
	cfg := &fosite.Config{GlobalSecret: []byte("some-cool-secret-that-is-32bytes"), TokenURL: demoIssuer + "/token", AccessTokenIssuer: demoIssuer,
		IDTokenIssuer: demoIssuer, HashCost: bcrypt.MinCost} // the cost changes no finding, and tests have no time
	hasher := &countingHasher{Hasher: &fosite.BCrypt{Config: cfg}}
	cfg.ClientSecretsHasher = hasher
	setup := fositeSetup{config: cfg, session: func(subject string) fosite.Session {
		s := openid.NewDefaultSession()
		s.Subject, s.Claims.Subject = subject, subject
		return s
	}}
	if change != nil {
		change(&setup)
	}
	store := &heldFosite{slow: setup.slow, MemoryStore: fositestorage.NewMemoryStore(), atomic: setup.atomic, spent: map[string]bool{}}
	host := &fositeHost{provider: setup.compose(store), session: setup.session}
	mux := http.NewServeMux()
	mux.HandleFunc("/authorize", host.authorize)
	mux.HandleFunc("/token", host.token)
	mux.HandleFunc("/introspect", host.introspect)
	mux.HandleFunc("/revoke", host.revoke)
	mux.HandleFunc("/par", host.push)
	var served http.Handler = mux
	if setup.body > 0 {
		served = http.MaxBytesHandler(mux, setup.body)
	}
	c := listenAs(t, "fosite", served)
	store.storeGate, c.rereads, c.audience = c.storeGate, 1, cfg.TokenURL
	c.register = func(client storage.Client) error { // there is no registration in fosite: the host fills its store
		store.Clients[client.ID] = setup.client(t, client)
		return nil
	}
	c.hashes = func(f func()) int {
		before := hasher.n.Load()
		f()
		return int(hasher.n.Load() - before)
	}
	c.broken = store.down.Store
	c.sign = func(claims map[string]any) string { return signDemo(demoKeys().server, "", claims) }
	keys := newKeyServer(t)
	c.fetches = keys.fetched
	for _, client := range demoClients(keys.plain) {
		require.NoError(t, c.register(client))
	}
	// Keys of issuers of assertions for the grant of RFC 7523 are registered for a subject of theirs.
	trust := func(issuer, subject string, jwks json.RawMessage, scopes ...string) {
		var key fositestorage.PublicKeyScopes
		var set struct{ Keys []json.RawMessage }
		require.NoError(t, json.Unmarshal(jwks, &set))
		require.NoError(t, json.Unmarshal(set.Keys[0], &key.Key))
		key.Scopes = scopes
		store.IssuerPublicKeys[issuer] = fositestorage.IssuerPublicKeys{Issuer: issuer, KeysBySub: map[string]fositestorage.SubjectPublicKeys{
			subject: {Subject: subject, Keys: map[string]fositestorage.PublicKeyScopes{"k1": key}}}}
	}
	trust(demoIDP, "ann", demoJWKS(&demoKeys().idp.PublicKey), "read", "admin")
	trust("signer", "signer", demoJWKS(&demoKeys().client.PublicKey), "read")
	return c
}

func (s fositeSetup) compose(store any) fosite.OAuth2Provider {
	if !s.jwt {
		return compose.ComposeAllEnabled(s.config, store, demoKeys().rsa)
	}
	key := func(context.Context) (any, error) { return demoKeys().server, nil }
	strategy := &compose.CommonStrategy{CoreStrategy: compose.NewOAuth2JWTStrategy(key, compose.NewOAuth2HMACStrategy(s.config), s.config),
		OpenIDConnectTokenStrategy: compose.NewOpenIDConnectStrategy(key, s.config), Signer: &fositejwt.DefaultSigner{GetPrivateKey: key}}
	introspection := compose.OAuth2StatelessJWTIntrospectionFactory
	if s.lookUp {
		introspection = compose.OAuth2TokenIntrospectionFactory
	}
	return compose.Compose(s.config, store, strategy, compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2RefreshTokenGrantFactory, introspection, compose.OAuth2TokenRevocationFactory, compose.OAuth2PKCEFactory)
}

// withJWT is the setup for access tokens that are JWTs.
func withJWT(s *fositeSetup) {
	s.jwt = true
	s.session = func(subject string) fosite.Session {
		return &oauth2.JWTSession{JWTClaims: &fositejwt.JWTClaims{Subject: subject}, JWTHeader: &fositejwt.Headers{}, Subject: subject}
	}
}

// demoHash is bcrypt of demoSecret, made once.
var demoHash = sync.OnceValue(func() []byte {
	b, _ := bcrypt.GenerateFromPassword([]byte(demoSecret), bcrypt.MinCost)
	return b
})

// client is a client in fosite's terms.
func (s fositeSetup) client(t testing.TB, c storage.Client) fosite.Client {
	out := &fosite.DefaultClient{ID: c.ID, RedirectURIs: c.RedirectURIs, GrantTypes: c.GrantTypes, ResponseTypes: c.ResponseTypes, Scopes: c.Scope,
		Audience: c.Audience, Public: c.Public()}
	if len(c.Secrets) > 0 {
		out.Secret = demoHash()
	}
	if c.Method() != storage.AuthPrivateKeyJWT && !s.oidc {
		return out
	}
	full := &fosite.DefaultOpenIDConnectClient{DefaultClient: out, TokenEndpointAuthMethod: c.Method(), TokenEndpointAuthSigningAlgorithm: c.AuthSigningAlg,
		JSONWebKeysURI: c.JWKSURI}
	if len(c.JWKS) > 0 {
		require.NoError(t, json.Unmarshal(c.JWKS, &full.JSONWebKeys))
	}
	return full
}

// fositeHost is the shortest host of fosite, after its own examples: everybody is alice and approves everything.
type fositeHost struct {
	provider fosite.OAuth2Provider
	session  func(subject string) fosite.Session
}

func (h *fositeHost) authorize(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ar, err := h.provider.NewAuthorizeRequest(ctx, r)
	if err != nil {
		h.provider.WriteAuthorizeError(ctx, w, ar, err)
		return
	}
	for _, scope := range ar.GetRequestedScopes() {
		ar.GrantScope(scope)
	}
	for _, audience := range ar.GetRequestedAudience() {
		ar.GrantAudience(audience)
	}
	res, err := h.provider.NewAuthorizeResponse(ctx, ar, h.session("alice"))
	if err != nil {
		h.provider.WriteAuthorizeError(ctx, w, ar, err)
		return
	}
	h.provider.WriteAuthorizeResponse(ctx, w, ar, res)
}

func (h *fositeHost) token(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ar, err := h.provider.NewAccessRequest(ctx, r, h.session(""))
	if err != nil {
		h.provider.WriteAccessError(ctx, w, ar, err)
		return
	}
	if ar.GetGrantTypes().ExactOne("client_credentials") {
		for _, scope := range ar.GetRequestedScopes() {
			ar.GrantScope(scope)
		}
	}
	res, err := h.provider.NewAccessResponse(ctx, ar)
	if err != nil {
		h.provider.WriteAccessError(ctx, w, ar, err)
		return
	}
	h.provider.WriteAccessResponse(ctx, w, ar, res)
}

func (h *fositeHost) introspect(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	res, err := h.provider.NewIntrospectionRequest(ctx, r, h.session(""))
	if err != nil {
		h.provider.WriteIntrospectionError(ctx, w, err)
		return
	}
	h.provider.WriteIntrospectionResponse(ctx, w, res)
}

func (h *fositeHost) revoke(w http.ResponseWriter, r *http.Request) {
	h.provider.WriteRevocationResponse(r.Context(), w, h.provider.NewRevocationRequest(r.Context(), r))
}

func (h *fositeHost) push(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ar, err := h.provider.NewPushedAuthorizeRequest(ctx, r)
	if err != nil {
		h.provider.WritePushedAuthorizeError(ctx, w, ar, err)
		return
	}
	res, err := h.provider.NewPushedAuthorizeResponse(ctx, ar, h.session("alice"))
	if err != nil {
		h.provider.WritePushedAuthorizeError(ctx, w, ar, err)
		return
	}
	h.provider.WritePushedAuthorizeResponse(ctx, w, ar, res)
}
