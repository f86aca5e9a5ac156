// Gooauth2 is a small server made with go-oauth2, of which only the weight is measured.
package main

import (
	"crypto/rand"
	"fmt"
	"log"
	"net/http"

	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"
	"github.com/go-oauth2/oauth2/v4/server"
	"github.com/go-oauth2/oauth2/v4/store"
)

func main() {
	secret := rand.Text()
	clients := store.NewClientStore()
	err := clients.Set(
		"demo",
		&models.Client{ID: "demo", Secret: secret, Domain: "http://127.0.0.1"},
	)
	if err != nil {
		log.Fatal(err)
	}

	manager := manage.NewDefaultManager()
	manager.MustTokenStorage(store.NewMemoryTokenStore())
	manager.MapClientStorage(clients)
	srv := server.NewDefaultServer(manager)
	srv.SetClientInfoHandler(server.ClientBasicHandler)

	http.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if err := srv.HandleTokenRequest(w, r); err != nil {
			http.Error(w, "server_error", http.StatusInternalServerError)
		}
	})
	http.HandleFunc("GET /api", func(w http.ResponseWriter, r *http.Request) {
		token, err := srv.ValidationBearerToken(r)
		if err != nil {
			http.Error(w, "the token is not valid", http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, "hello,", token.GetClientID())
	})
	fmt.Printf(
		"curl -u demo:%s -d grant_type=client_credentials -d scope=read http://127.0.0.1:8080/token\n",
		secret,
	)
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
