package grantwell_test

import (
	"context"
	"fmt"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// partners stands for an introspect.LocalJWT, or an introspect.Remote, of another
// authorization server.
type partners map[string]introspect.Token

func (p partners) Introspect(_ context.Context, token string) (*introspect.Token, error) {
	t := p[token]
	return &t, nil
}

// A protected resource that takes a partner's tokens sees each partner client
// as a client that is registered here.
func ExampleServer_External() {
	ctx, store := context.Background(), memstore.New()
	for _, c := range []storage.Client{
		{
			ID:         "shop",
			Secrets:    []storage.Secret{storage.HashSecret("correct horse battery staple")},
			GrantTypes: []string{"client_credentials"},
			Scope:      []string{"orders:read"},
		},
		{
			ID:         storage.ExternalID("https://partner.example", "4711"),
			AuthMethod: storage.AuthExternal,
			AliasOf:    "shop",
			Name:       "The shop, at our partner",
		},
	} {
		if err := store.PutClient(ctx, c); err != nil {
			fmt.Println(err)
			return
		}
	}
	srv, err := grantwell.New(grantwell.Config{
		Issuer:  "https://as.example",
		Clients: store,
		Records: store,
		Grants:  []grants.Handler{grants.ClientCredentials{}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	theirs := partners{
		"one": {Active: true, ClientID: "4711", Scope: []string{"orders:read", "orders:write"}},
		"two": {Active: true, ClientID: "4712", Scope: []string{"orders:read"}},
	}
	guard := introspect.Guard{Introspector: srv.External("https://partner.example", theirs)}
	for _, token := range []string{"one", "two"} {
		t, err := guard.Introspector.Introspect(ctx, token)
		fmt.Println(t.Active, t.ClientID, t.Scope, t.Reason, err)
	}
	// Output:
	// true shop [orders:read]  <nil>
	// false  [] client <nil>
}
