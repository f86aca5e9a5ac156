package grantwell_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// Clients and live tokens are read from files that another server exported. It
// hashed secrets with bcrypt and tokens with SHA-1.
func ExampleImportTokens() {
	ctx := context.Background()
	clients := strings.NewReader(`[{"client_id": "app", "client_secret_hash": "$2a$04$gTnlQ0qMfEU5MPHjHp1RqOCLmBhBPhCHQUnP0tTmxWkvnFUXUn3SW",
		"grant_types": ["authorization_code", "refresh_token"], "redirect_uris": ["https://app.example/cb"], "scope": "read"}]`)
	export := strings.NewReader(`{"grant": "row 1", "client_id": "app", "subject": "alice", "scope": "read", "audience": ["https://as.example"], "issued_at": "2026-01-05T10:00:00Z", ` +
		`"refresh": [{"stored": "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", "expires_at": "2126-01-05T10:00:00Z"}]}`)

	store := memstore.New() // in production: sqlstore or redisstore
	list, err := grantwell.ReadClients(clients)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range list {
		if _, err = store.Client(ctx, c.ID); errors.Is(err, storage.ErrNotFound) {
			err = store.PutClient(ctx, c)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	form := tokens.Hashed{
		Hash:    crypto.SHA1,
		Lengths: []int{54, 46},
	} // of its access and refresh tokens
	done, err := grantwell.ImportTokens(ctx, store, form, export)
	if err != nil {
		log.Fatal(err) // names the line; run it again with the same file
	}
	fmt.Printf("%+v\n", done)

	_, err = grantwell.New(grantwell.Config{
		Issuer:   "https://as.example",
		Clients:  store,
		Records:  store,
		Grants:   []grants.Handler{grants.AuthorizationCode{}, grants.RefreshToken{}},
		Imported: []tokens.Imported{form},
	})
	fmt.Println(err)
	// Output:
	// {Grants:1 Tokens:1 Known:0 Changed:0 Expired:0}
	// <nil>
}
