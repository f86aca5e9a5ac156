package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"

	"github.com/go-oauth2/oauth2/v4/generates"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"
	"github.com/go-oauth2/oauth2/v4/server"
	"github.com/go-oauth2/oauth2/v4/store"
	"github.com/golang-jwt/jwt/v5"
)

// goOAuth2 has the endpoints that go-oauth2 lacks.
type goOAuth2 struct {
	srv     *server.Server
	manager *manage.Manager
}

// newGoOAuth2 returns the server of go-oauth2's example.
func newGoOAuth2(k *keys, form string) (http.Handler, error) {
	// The server logs each error.
	log.SetOutput(io.Discard)
	m := manage.NewDefaultManager()
	m.SetAuthorizeCodeTokenCfg(manage.DefaultAuthorizeCodeTokenCfg)
	m.MustTokenStorage(store.NewMemoryTokenStore())
	methods := map[string]jwt.SigningMethod{
		es256: jwt.SigningMethodES256,
		rs256: jwt.SigningMethodRS256,
		edDSA: jwt.SigningMethodEdDSA,
	}
	method := methods[form]
	if method == nil {
		m.MapAccessGenerate(generates.NewAccessGenerate())
	} else {
		m.MapAccessGenerate(generates.NewJWTAccessGenerate("1", k.pem(form), method))
	}

	// The domain stands for the redirect URI, which the server compares by its host.
	clients := store.NewClientStore()
	if err := clients.Set(clientID, &models.Client{
		ID:     clientID,
		Secret: secret,
		Domain: "https://app.example",
	}); err != nil {
		return nil, err
	}
	m.MapClientStorage(clients)
	g := &goOAuth2{srv: server.NewDefaultServer(m), manager: m}
	g.srv.SetUserAuthorizationHandler(
		func(http.ResponseWriter, *http.Request) (string, error) { return user, nil },
	)
	g.srv.SetPasswordAuthorizationHandler(
		func(_ context.Context, _, name, pass string) (string, error) {
			if name != user || pass != password {
				return "", errClient
			}
			return user, nil
		},
	)

	// The handlers of go-oauth2 return an error only if they could not answer.
	mux := http.NewServeMux()
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		if err := g.srv.HandleAuthorizeRequest(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if err := g.srv.HandleTokenRequest(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/introspect", g.introspect)
	mux.HandleFunc("/revoke", g.revoke)
	return mux, nil
}

var errClient = errors.New("bench: wrong client secret")

// client authenticates the client by the Basic header.
func (g *goOAuth2) client(ctx context.Context, r *http.Request) error {
	id, pass, _ := r.BasicAuth()
	c, err := g.manager.GetClient(ctx, id)
	if err == nil && c.GetSecret() != pass {
		err = errClient
	}
	return err
}

// introspect is the introspection endpoint.
func (g *goOAuth2) introspect(w http.ResponseWriter, r *http.Request) {
	if err := g.client(r.Context(), r); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	answer := map[string]any{"active": false}
	if t, err := g.manager.LoadAccessToken(r.Context(), r.PostFormValue("token")); err == nil {
		answer = map[string]any{
			"active":     true,
			"client_id":  t.GetClientID(),
			"sub":        t.GetUserID(),
			"scope":      t.GetScope(),
			"exp":        t.GetAccessCreateAt().Add(t.GetAccessExpiresIn()).Unix(),
			"iat":        t.GetAccessCreateAt().Unix(),
			"token_type": "Bearer",
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// revoke is the revocation endpoint. It takes access tokens only.
func (g *goOAuth2) revoke(w http.ResponseWriter, r *http.Request) {
	if err := g.client(r.Context(), r); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	if err := g.manager.RemoveAccessToken(r.Context(), r.PostFormValue("token")); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
