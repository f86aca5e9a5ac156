// Quickstart is the smallest server that issues and checks tokens.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

func main() {
	store := memstore.New()
	secret, hashed := grantwell.GenerateSecret()
	client := storage.Client{
		ID:           "demo",
		Secrets:      []storage.Secret{hashed},
		GrantTypes:   []string{"client_credentials"},
		Scope:        []string{"read"},
		DefaultScope: []string{"read"},
	}
	if err := store.PutClient(context.Background(), client); err != nil {
		log.Fatal(err)
	}

	srv, err := grantwell.New(grantwell.Config{
		Issuer:    "http://127.0.0.1:8080",
		AllowHTTP: true, // this machine only
		Clients:   store,
		Records:   store,
		Grants:    []grants.Handler{grants.ClientCredentials{}},
	})
	if err != nil {
		log.Fatal(err)
	}

	go storage.SweepEvery(context.Background(), store, time.Minute, nil) // removes what has expired

	mux := http.NewServeMux()
	srv.Mount(mux) // POST /token and the other endpoints
	guard := introspect.Guard{Introspector: srv, Audience: []string{srv.Issuer()}}
	mux.Handle("GET /api", guard.Require("read")(http.HandlerFunc(hello)))

	fmt.Printf("curl -u demo:%s -d grant_type=client_credentials http://127.0.0.1:8080/token\n", secret)
	server := &http.Server{
		Addr:              "127.0.0.1:8080",
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

// hello is a protected resource.
func hello(w http.ResponseWriter, r *http.Request) {
	token, _ := introspect.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", token.Subject)
}
