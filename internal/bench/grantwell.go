package main

import (
	"context"
	"crypto"
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v4"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// login authenticates the one user.
type login struct{}

// Authenticate implements [grants.Authenticator].
func (login) Authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	if l.Username != user || l.Password != password {
		return grants.User{}, grants.ErrWrongPassword
	}
	return grants.User{Subject: user}, nil
}

// newGrantwell returns Grantwell over its memory store, with all defaults.
func newGrantwell(k *keys, form string) (http.Handler, error) {
	jwks, err := json.Marshal(
		jose.JSONWebKeySet{
			Keys: []jose.JSONWebKey{
				{Key: parseKey(k.Client).Public(), KeyID: "client", Algorithm: es256, Use: "sig"},
			},
		},
	)
	if err != nil {
		return nil, err
	}

	// The client has every grant type and scope that a workload uses.
	store := memstore.New()
	if err := store.PutClient(context.Background(), storage.Client{
		ID:      clientID,
		Secrets: []storage.Secret{storage.HashSecret(secret)},
		JWKS:    jwks,
		GrantTypes: []string{
			"authorization_code",
			"refresh_token",
			"client_credentials",
			"password",
			grantJWT,
			grantSAML,
		},
		RedirectURIs: []string{redirectURI},
		Scope:        []string{"read", "write"},
	}); err != nil {
		return nil, err
	}

	// JWT assertions are those of the client, and SAML assertions those of the provider.
	issuers := grants.ClientIssuers{
		Clients: store,
		Others: assertion.Issuers(
			assertion.Issuer{ID: idp, Keys: []crypto.PublicKey{parseKey(k.IDP).Public()}},
		),
	}
	replay := grants.Replay{Records: store}
	bearer, err := assertion.NewJWT(assertion.JWTConfig{
		Issuer:        issuer,
		TokenEndpoint: issuer + "/token",
		Issuers:       issuers,
		Replay:        replay,
	})
	if err != nil {
		return nil, err
	}
	saml, err := assertion.NewSAML(assertion.SAMLConfig{
		Issuers:    issuers,
		Audiences:  []string{issuer},
		Recipients: []string{issuer + "/token"},
		Replay:     replay,
	})
	if err != nil {
		return nil, err
	}
	cfg := grantwell.Config{
		Issuer:  issuer,
		Clients: store,
		Records: store,
		Grants: []grants.Handler{
			grants.AuthorizationCode{},
			grants.ClientCredentials{},
			grants.Password{Authenticator: login{}},
			grants.RefreshToken{Strict: true}, // as the other servers: no answer is kept for a retry
			grants.JWTBearer{Verifier: bearer},
			grants.SAMLBearer{Verifier: saml},
		},
	}
	if signer := k.signing(form); signer != nil {
		cfg.AccessTokenFormat = "jwt"
		if cfg.Keys, err = tokens.StaticKeys(tokens.Key{
			ID:        "1",
			Algorithm: form,
			Signer:    signer,
		}); err != nil {
			return nil, err
		}
	}
	srv, err := grantwell.New(cfg)
	if err != nil {
		return nil, err
	}

	// The endpoints are mounted as a host does it, without a login page.
	mux := http.NewServeMux()
	mux.Handle("/token", srv.TokenHandler())
	mux.Handle("/introspect", srv.IntrospectHandler())
	mux.Handle("/revoke", srv.RevokeHandler())
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		if req, ok := srv.ParseAuthorize(w, r); ok {
			srv.Approve(w, r, req, grantwell.Approval{Subject: user})
		}
	})
	return mux, nil
}
