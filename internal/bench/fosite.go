package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	jose3 "github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/i18n"
	fstorage "github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"
)

// fastHasher replaces fosite's bcrypt for generated secrets.
type fastHasher struct{}

// Hash implements fosite.Hasher.
func (fastHasher) Hash(_ context.Context, data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	return sum[:], nil
}

// Compare implements fosite.Hasher.
func (fastHasher) Compare(_ context.Context, hash, data []byte) error {
	if sum := sha256.Sum256(data); subtle.ConstantTimeCompare(hash, sum[:]) != 1 {
		return errors.New("wrong secret")
	}
	return nil
}

// fositeServer has the endpoints of a host of fosite.
type fositeServer struct {
	provider fosite.OAuth2Provider
	session  func(subject string) fosite.Session
}

// newFosite returns fosite over its own memory store, with the handlers that the workloads
// need.
func newFosite(k *keys, form string) (http.Handler, error) {
	store := fstorage.NewMemoryStore()
	// The client has every grant type and scope that a workload uses.
	sum := sha256.Sum256([]byte(secret))
	store.Clients[clientID] = &fosite.DefaultClient{
		ID:            clientID,
		Secret:        sum[:],
		RedirectURIs:  []string{redirectURI},
		ResponseTypes: []string{"code"},
		GrantTypes: []string{
			"authorization_code",
			"refresh_token",
			"client_credentials",
			"password",
			grantJWT,
		},
		Scopes: []string{"read", "write", "offline"},
	}
	store.Users[user] = fstorage.MemoryUserRelation{Username: user, Password: password}

	// The key of the client's assertions. fosite registers it for an issuer and a subject.
	key := parseKey(k.Client).(*ecdsa.PrivateKey)
	store.IssuerPublicKeys[clientID] = fstorage.IssuerPublicKeys{
		Issuer: clientID,
		KeysBySub: map[string]fstorage.SubjectPublicKeys{clientID: {
			Subject: clientID,
			Keys: map[string]fstorage.PublicKeyScopes{"client": {
				Scopes: []string{"read"},
				Key: &jose3.JSONWebKey{
					Key:       key.Public(),
					Algorithm: es256,
					Use:       "sig",
					KeyID:     "client",
				},
			}},
		}},
	}
	cfg := &fosite.Config{
		GlobalSecret:                        []byte("a global secret of just 32 bytes"),
		ClientSecretsHasher:                 fastHasher{},
		TokenURL:                            issuer,
		AccessTokenIssuer:                   issuer,
		GrantTypeJWTBearerCanSkipClientAuth: true,
		GrantTypeJWTBearerMaxDuration:       time.Hour,

		// The getters of fosite fill these fields at their first use, without a lock.
		ScopeStrategy:            fosite.ExactScopeStrategy,
		AudienceMatchingStrategy: fosite.DefaultAudienceMatchingStrategy,
		HMACHasher:               sha512.New512_256,
		RedirectSecureChecker:    fosite.IsRedirectURISecure,
		JWKSFetcherStrategy:      fosite.NewDefaultJWKSFetcherStrategy(),
		RefreshTokenScopes:       []string{"offline"},
		MessageCatalog:           i18n.NewDefaultMessageCatalog(nil),
		AccessTokenLifespan:      lifetime,
	}

	// JWT access tokens need sessions of another type, which have the claims.
	core := oauth2.CoreStrategy(compose.NewOAuth2HMACStrategy(cfg))
	s := &fositeServer{}
	s.session = func(subject string) fosite.Session {
		if form == opaque {
			return &fosite.DefaultSession{Subject: subject}
		}
		return &oauth2.JWTSession{
			JWTClaims: &jwt.JWTClaims{Subject: subject, Audience: []string{issuer}},
			JWTHeader: &jwt.Headers{},
			Subject:   subject,
		}
	}
	if signer := k.signing(form); signer != nil {
		signing := &jose3.JSONWebKey{
			Key:       signer,
			KeyID:     "1",
			Algorithm: form,
			Use:       "sig",
		}
		core = compose.NewOAuth2JWTStrategy(
			func(context.Context) (any, error) { return signing, nil },
			core,
			cfg,
		)
	}
	//nolint:staticcheck // the password grant only fills a store, and is not measured
	password := compose.OAuth2ResourceOwnerPasswordCredentialsFactory

	// ComposeAllEnabled would run further handlers at each request.
	s.provider = compose.Compose(
		cfg,
		store,
		core,
		compose.OAuth2AuthorizeExplicitFactory,
		compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2RefreshTokenGrantFactory,
		password,
		compose.RFC7523AssertionGrantFactory,
		compose.OAuth2TokenIntrospectionFactory,
		compose.OAuth2TokenRevocationFactory,
		compose.OAuth2PKCEFactory,
	)
	mux := http.NewServeMux()
	mux.HandleFunc("/authorize", s.authorize)
	mux.HandleFunc("/token", s.token)
	mux.HandleFunc("/introspect", s.introspect)
	mux.HandleFunc("/revoke", s.revoke)
	return mux, nil
}

// authorize approves each request for the one user.
func (s *fositeServer) authorize(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ar, err := s.provider.NewAuthorizeRequest(ctx, r)
	if err != nil {
		s.provider.WriteAuthorizeError(ctx, w, ar, err)
		return
	}
	for _, scope := range ar.GetRequestedScopes() {
		ar.GrantScope(scope)
	}
	res, err := s.provider.NewAuthorizeResponse(ctx, ar, s.session(user))
	if err != nil {
		s.provider.WriteAuthorizeError(ctx, w, ar, err)
		return
	}
	s.provider.WriteAuthorizeResponse(ctx, w, ar, res)
}

// token is the token endpoint, after the example of fosite.
func (s *fositeServer) token(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ar, err := s.provider.NewAccessRequest(ctx, r, s.session(""))
	if err != nil {
		s.provider.WriteAccessError(ctx, w, ar, err)
		return
	}

	// fosite leaves the granting of scopes to the host for these grants.
	if g := ar.GetGrantTypes(); g.ExactOne("client_credentials") || g.ExactOne("password") {
		for _, scope := range ar.GetRequestedScopes() {
			ar.GrantScope(scope)
		}
	}
	res, err := s.provider.NewAccessResponse(ctx, ar)
	if err != nil {
		s.provider.WriteAccessError(ctx, w, ar, err)
		return
	}
	s.provider.WriteAccessResponse(ctx, w, ar, res)
}

// introspect is the introspection endpoint.
func (s *fositeServer) introspect(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	res, err := s.provider.NewIntrospectionRequest(ctx, r, s.session(""))
	if err != nil {
		s.provider.WriteIntrospectionError(ctx, w, err)
		return
	}
	s.provider.WriteIntrospectionResponse(ctx, w, res)
}

// revoke is the revocation endpoint.
func (s *fositeServer) revoke(w http.ResponseWriter, r *http.Request) {
	s.provider.WriteRevocationResponse(
		r.Context(),
		w,
		s.provider.NewRevocationRequest(r.Context(), r),
	)
}

// authorizeQuery returns an authorization request for a scope.
func authorizeQuery(scope string) string {
	return url.Values{
		"response_type":         {"code"},
		"client_id":             {clientID},
		"redirect_uri":          {redirectURI},
		"scope":                 {strings.TrimSpace(scope)},
		"state":                 {state},
		"code_challenge":        {challenge},
		"code_challenge_method": {"S256"},
	}.Encode()
}
