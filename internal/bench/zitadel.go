package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"
)

// zitadelStorage is the storage of zitadel's example, with the client and the keys of this
// benchmark.
type zitadelStorage struct {
	*storage.Storage
	client    *zitadelClient
	signer    zitadelKey
	assertion jose.JSONWebKey
}

// zitadelClient is the client, whose access tokens may be JWTs.
type zitadelClient struct {
	*storage.Client
	jwt bool
}

// GrantTypes returns every grant type that a workload uses.
func (c *zitadelClient) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{
		oidc.GrantTypeCode,
		oidc.GrantTypeRefreshToken,
		oidc.GrantTypeClientCredentials,
		oidc.GrantTypeBearer,
	}
}
func (c *zitadelClient) IsScopeAllowed(string) bool { return true }
func (c *zitadelClient) LoginURL(id string) string  { return "/login?id=" + id }
func (c *zitadelClient) AccessTokenType() op.AccessTokenType {
	if c.jwt {
		return op.AccessTokenTypeJWT
	}
	return op.AccessTokenTypeBearer
}

// zitadelKey is a signing key and its public half.
type zitadelKey struct {
	alg jose.SignatureAlgorithm
	key any
}

func (k zitadelKey) SignatureAlgorithm() jose.SignatureAlgorithm { return k.alg }
func (k zitadelKey) Algorithm() jose.SignatureAlgorithm          { return k.alg }
func (k zitadelKey) Key() any                                    { return k.key }
func (k zitadelKey) ID() string                                  { return "1" }
func (k zitadelKey) Use() string                                 { return "sig" }

// The methods below replace those of the example: they return this benchmark's key and
// client.

func (s *zitadelStorage) SigningKey(context.Context) (op.SigningKey, error) { return s.signer, nil }
func (s *zitadelStorage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{s.signer.alg}, nil
}
func (s *zitadelStorage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{zitadelKey{s.signer.alg, s.signer.key.(crypto.Signer).Public()}}, nil
}

func (s *zitadelStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	if _, err := s.Storage.GetClientByClientID(ctx, id); err != nil {
		return nil, err
	}
	return s.client, nil
}

func (s *zitadelStorage) ClientCredentials(
	ctx context.Context,
	id, pass string,
) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, pass); err != nil {
		return nil, err
	}
	return s.client, nil
}

// ClientCredentialsTokenRequest accepts each scope.
//
//nolint:unparam // op.ClientCredentialsStorage has the error
func (s *zitadelStorage) ClientCredentialsTokenRequest(
	_ context.Context,
	id string,
	scopes []string,
) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{
		Subject:  id,
		Audience: []string{id},
		Scopes:   scopes,
	}, nil
}

// GetKeyByIDAndClientID returns the key of the client's assertions.
func (s *zitadelStorage) GetKeyByIDAndClientID(
	_ context.Context,
	keyID, id string,
) (*jose.JSONWebKey, error) {
	if keyID != "client" || id != clientID {
		return nil, errors.New("key not found")
	}
	return &s.assertion, nil
}

// ValidateJWTProfileScopes accepts each scope of an assertion.
func (s *zitadelStorage) ValidateJWTProfileScopes(
	_ context.Context,
	_ string,
	scopes []string,
) ([]string, error) {
	return scopes, nil
}

// newZitadel returns the provider of zitadel's example. Its login page logs the user in
// without a question.
func newZitadel(k *keys, form string) (http.Handler, error) {
	// The example logs each request.
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	client := storage.WebClient(clientID, secret, redirectURI)
	s := &zitadelStorage{
		Storage: storage.NewStorageWithClients(
			storage.NewUserStore(issuer),
			map[string]*storage.Client{clientID: client},
		),
		client: &zitadelClient{client, form != opaque},
		signer: zitadelKey{jose.ES256, parseKey(k.ES)},
		assertion: jose.JSONWebKey{
			KeyID: "client",
			Use:   "sig",
			Key:   parseKey(k.Client).Public(),
		},
	}

	// A key signs the ID tokens even if access tokens are opaque.
	if form != opaque {
		s.signer = zitadelKey{jose.SignatureAlgorithm(form), k.signing(form)}
	}
	provider, err := op.NewProvider(
		&op.Config{
			CryptoKey:               sha256.Sum256([]byte("test")),
			CryptoKeyId:             "key1",
			CodeMethodS256:          true,
			AuthMethodPost:          true,
			AuthMethodPrivateKeyJWT: true,
			GrantTypeRefreshToken:   true,
			RequestObjectSupported:  true,
			SupportedUILocales:      []language.Tag{language.English},
			DeviceAuthorization: op.DeviceAuthorizationConfig{
				Lifetime:     5 * time.Minute,
				PollInterval: 5 * time.Second,
				UserFormPath: "/device",
				UserCode:     op.UserCodeBase20,
			},
		},
		s,
		op.StaticIssuer(issuer),
		op.WithCustomAuthEndpoint(op.NewEndpoint("authorize")),
		op.WithCustomTokenEndpoint(op.NewEndpoint("token")),
		op.WithCustomIntrospectionEndpoint(op.NewEndpoint("introspect")),
		op.WithCustomRevocationEndpoint(op.NewEndpoint("revoke")),
	)
	if err != nil {
		return nil, err
	}

	// The login page of the example asks for a password. This one does not.
	callback := op.AuthCallbackURL(provider)
	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.Handle(
		"/login",
		op.NewIssuerInterceptor(provider.IssuerFromRequest).
			HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id := r.URL.Query().Get("id")
				if err := s.CheckUsernamePassword("test-user2", "verysecure", id); err != nil {
					http.Error(w, err.Error(), http.StatusUnauthorized)
					return
				}
				http.Redirect(w, r, callback(r.Context(), id), http.StatusFound)
			}),
	)
	return mux, nil
}
