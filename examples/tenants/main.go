// Tenants serves two issuers from one process and one store. Each has its own tokens,
// codes, consents and cookies; the clients are shared here, which is the host's choice:
// give each server a storage.Clients of its own to keep them apart too.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

func main() {
	store := memstore.New()
	secret, hashed := grantwell.GenerateSecret()
	client := storage.Client{
		ID:           "demo",
		Secrets:      []storage.Secret{hashed},
		GrantTypes:   []string{"client_credentials", "authorization_code", "refresh_token"},
		RedirectURIs: []string{"http://127.0.0.1:9090/cb"},
		Scope:        []string{"read"},
		DefaultScope: []string{"read"},
	}
	if err := store.PutClient(context.Background(), client); err != nil {
		log.Fatal(err)
	}

	go storage.SweepEvery(context.Background(), store, time.Minute, nil) // removes what has expired

	mux := http.NewServeMux()
	for _, name := range []string{"red", "blue"} {
		srv, err := tenant(store, name)
		if err != nil {
			log.Fatal(err)
		}
		srv.Mount(mux)
		fmt.Printf("curl -u demo:%s -d grant_type=client_credentials %s\n", secret, srv.URL(srv.Paths().Token))
	}

	server := &http.Server{
		Addr:              "127.0.0.1:8080",
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

// tenant returns the server of one tenant. Its issuer is all that keeps its records
// apart from those of the others in the store.
func tenant(store *memstore.Store, name string) (*grantwell.Server, error) {
	return grantwell.New(grantwell.Config{
		Issuer:    "http://127.0.0.1:8080/" + name,
		AllowHTTP: true, // this machine only
		Clients:   store,
		Records:   store,
		Grants: []grants.Handler{
			grants.ClientCredentials{},
			grants.AuthorizationCode{},
			grants.RefreshToken{},
		},
		PAR: grantwell.PARConfig{Path: "/par"},
	})
}
