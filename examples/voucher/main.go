// Voucher is a server with a grant of its own: a type with two methods, in voucher.go,
// which exchanges a voucher of a shop for tokens.
//
//	go run ./examples/voucher
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080",
		"where to listen: `host:port` of this machine, because the program has no TLS")
	flag.Parse()

	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	voucher := rand.Text()
	shop := &Shop{owners: map[string]string{voucher: "ann"}}
	srv, secret, err := build(context.Background(), "http://"+ln.Addr().String(), shop)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	srv.Mount(mux)

	fmt.Printf("curl -u shop:%s -d grant_type=%s -d voucher=%s %s\n",
		secret, Voucher{}.GrantType(), voucher, srv.URL(srv.Paths().Token))
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
	}
	log.Fatal(server.Serve(ln))
}

// build returns the server with one client, and the secret of that client.
func build(ctx context.Context, issuer string, shop *Shop) (*grantwell.Server, string, error) {
	store := memstore.New()
	secret, hashed := grantwell.GenerateSecret()
	client := storage.Client{
		ID:           "shop",
		Secrets:      []storage.Secret{hashed},
		GrantTypes:   []string{Voucher{}.GrantType(), "refresh_token"},
		Scope:        []string{"order"},
		DefaultScope: []string{"order"},
	}
	if err := store.PutClient(ctx, client); err != nil {
		return nil, "", err
	}
	srv, err := grantwell.New(grantwell.Config{
		Issuer:    issuer,
		AllowHTTP: true, // this machine only
		Clients:   store,
		Records:   store,
		Grants: []grants.Handler{
			Voucher{Shop: shop},
			grants.RefreshToken{},
		},
	})

	return srv, secret, err
}
