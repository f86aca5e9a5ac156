// Fosite is a small server made with fosite, of which only the weight is measured.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log"
	"net/http"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	var global [32]byte
	_, _ = rand.Read(global[:]) // never fails
	secret := rand.Text()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.DefaultCost)
	if err != nil {
		log.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}

	store := storage.NewMemoryStore()
	store.Clients["demo"] = &fosite.DefaultClient{
		ID:         "demo",
		Secret:     hash,
		GrantTypes: []string{"client_credentials"},
		Scopes:     []string{"read"},
	}
	provider := compose.ComposeAllEnabled(&fosite.Config{GlobalSecret: global[:]}, store, key)

	http.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		request, err := provider.NewAccessRequest(r.Context(), r, new(fosite.DefaultSession))
		if err != nil {
			provider.WriteAccessError(r.Context(), w, request, err)
			return
		}
		for _, scope := range request.GetRequestedScopes() {
			request.GrantScope(scope)
		}
		response, err := provider.NewAccessResponse(r.Context(), request)
		if err != nil {
			provider.WriteAccessError(r.Context(), w, request, err)
			return
		}
		provider.WriteAccessResponse(r.Context(), w, request, response)
	})
	http.HandleFunc("GET /api", func(w http.ResponseWriter, r *http.Request) {
		token := fosite.AccessTokenFromRequest(r)
		_, request, err := provider.IntrospectToken(
			r.Context(),
			token,
			fosite.AccessToken,
			new(fosite.DefaultSession),
			"read",
		)
		if err != nil {
			http.Error(w, "the token is not valid", http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, "hello,", request.GetClient().GetID())
	})
	fmt.Printf(
		"curl -u demo:%s -d grant_type=client_credentials -d scope=read http://127.0.0.1:8080/token\n",
		secret,
	)
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
