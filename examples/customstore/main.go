// Customstore is a token endpoint on a store that Grantwell does not ship: bbolt, one
// file in the program's own process. store.go is the store, and main.go serves on it.
// README.md says how to write one for another database. The program is a module of its
// own, so that bbolt is no requirement of the library, and is never released.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

func main() {
	path := flag.String("db", "grantwell.db", "the database `file`")
	addr := flag.String("addr", "127.0.0.1:8080",
		"where to listen: `host:port` of this machine, because the program has no TLS")
	flag.Parse()
	log.Fatal(run(context.Background(), *path, *addr))
}

// run serves until it fails. The program may be killed at any moment, because every
// answer that it gave is in the file.
func run(ctx context.Context, path, addr string) error {
	store, err := Open(path)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv, err := grantwell.New(grantwell.Config{
		Issuer:    "http://" + l.Addr().String(),
		AllowHTTP: true,
		Clients:   store,
		Records:   store,
		Grants: []grants.Handler{
			grants.ClientCredentials{Refresh: true},
			grants.RefreshToken{},
		},
	})
	if err != nil {
		return err
	}
	if err := register(ctx, store, srv.URL(srv.Paths().Token)); err != nil {
		return err
	}
	go storage.SweepEvery(ctx, store, time.Minute, nil) // removes what has expired
	fmt.Println("ready", srv.Issuer())

	mux := http.NewServeMux()
	srv.Mount(mux)
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
	}

	return server.Serve(l)
}

// register makes the demo client at the first start. Its secret is printed then and
// never again.
func register(ctx context.Context, store Store, token string) error {
	_, err := store.Client(ctx, "demo")
	if !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	secret, hashed := grantwell.GenerateSecret()
	c := storage.Client{
		ID:           "demo",
		Secrets:      []storage.Secret{hashed},
		GrantTypes:   []string{"client_credentials", "refresh_token"},
		Scope:        []string{"read"},
		DefaultScope: []string{"read"},
	}
	if err := store.PutClient(ctx, c); err != nil {
		return err
	}
	fmt.Printf("curl -u demo:%s -d grant_type=client_credentials %s\n", secret, token)

	return nil
}

// PutClient stores a client, new or in place of the one that is stored. The server does
// not ask for this method: how clients are registered is the host's decision.
func (s Store) PutClient(ctx context.Context, c storage.Client) error {
	if err := c.Validate(); err != nil {
		return err
	}

	return s.write(ctx, func(tx *bbolt.Tx) error { return save(tx, clients, []byte(c.ID), c) })
}
