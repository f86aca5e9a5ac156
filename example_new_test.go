package grantwell_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// exampleStore returns a memory store with two clients: "app", which signs users in,
// and "batch", which gets tokens for itself. Both have the same secret.
func exampleStore() *memstore.Store {
	const secret = "a secret of at least 16 characters"
	store := memstore.New()
	for _, c := range []storage.Client{
		{
			ID:           "app",
			Name:         "Photo Printer",
			Secrets:      []storage.Secret{storage.HashSecret(secret)},
			GrantTypes:   []string{"authorization_code", "refresh_token"},
			RedirectURIs: []string{"https://app.example/cb"},
			Scope:        []string{"photos.read", "photos.write"},
		},
		{
			ID:           "batch",
			Secrets:      []storage.Secret{storage.HashSecret(secret)},
			GrantTypes:   []string{"client_credentials"},
			Scope:        []string{"photos.read"},
			DefaultScope: []string{"photos.read"},
		},
	} {
		if err := store.PutClient(context.Background(), c); err != nil {
			panic(err)
		}
	}

	return store
}

// exampleServer returns a server over exampleStore. Change edits its configuration.
func exampleServer(change func(cfg *grantwell.Config)) *grantwell.Server {
	store := exampleStore()
	cfg := grantwell.Config{
		Issuer:  "https://as.example",
		Clients: store,
		Records: store,
		Grants: []grants.Handler{
			grants.AuthorizationCode{},
			grants.ClientCredentials{},
			grants.RefreshToken{},
		},
	}
	if change != nil {
		change(&cfg)
	}
	srv, err := grantwell.New(cfg)
	if err != nil {
		panic(err)
	}

	return srv
}

// tokenRequest returns a token request of a client.
func tokenRequest(client, form string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://as.example/token", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(client, "a+secret+of+at+least+16+characters") // form-encoded (RFC 6749 section 2.3.1)

	return r
}

// answer sends a request to a handler and returns the members of the JSON answer.
func answer(h http.Handler, r *http.Request) map[string]any {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var members map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
		return map[string]any{"body": w.Body.String()}
	}

	return members
}

// A server needs an issuer, a store and the grants that it serves. Everything else has
// a safe default.
func ExampleNew() {
	store := memstore.New()
	secret, stored := grantwell.GenerateSecret()
	err := store.PutClient(context.Background(), storage.Client{
		ID:           "batch",
		Secrets:      []storage.Secret{stored},
		GrantTypes:   []string{"client_credentials"},
		Scope:        []string{"photos.read"},
		DefaultScope: []string{"photos.read"},
	})
	if err != nil {
		fmt.Println(err)
		return
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

	r := httptest.NewRequest(http.MethodPost, "https://as.example/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("batch", secret)
	res := answer(srv.Handler(), r)
	fmt.Println(res["token_type"], res["expires_in"], res["scope"], res["access_token"] != "")
	// Output: Bearer 3600 photos.read true
}

// The error of New names each field that is wrong, and how.
func ExampleNew_wrong() {
	_, err := grantwell.New(grantwell.Config{
		Issuer:       "http://as.example",
		CodeLifetime: -1,
	})
	for line := range strings.Lines(err.Error()) {
		field, _, _ := strings.Cut(strings.TrimPrefix(line, "grantwell: "), ":")
		fmt.Println(field)
	}
	// Unordered output:
	// Config.Issuer
	// Config.Clients
	// Config.Records
	// Config.Grants
	// Config.CodeLifetime
}

// A resource in the same process asks the server itself.
func ExampleServer_Introspect() {
	srv := exampleServer(nil)
	res := answer(srv.Handler(), tokenRequest("batch", "grant_type=client_credentials"))
	token, err := srv.Introspect(context.Background(), res["access_token"].(string))
	fmt.Println(token.Active, token.ClientID, token.Scope, err)

	token, err = srv.Introspect(context.Background(), "a token of another server")
	fmt.Println(token.Active, err)
	// Output:
	// true batch [photos.read] <nil>
	// false <nil>
}

// A readiness probe asks whether the store answers and whether the keys sign.
func ExampleServer_Check() {
	srv := exampleServer(nil)
	ready := func(w http.ResponseWriter, r *http.Request) {
		if err := srv.Check(r.Context()); err != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		}
	}
	w := httptest.NewRecorder()
	ready(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	fmt.Println(w.Code)
	// Output: 200
}

// An administrator ends what a user granted to one application, or everything that a
// user has.
func ExampleServer_RevokeConsent() {
	srv := exampleServer(nil)
	ctx := context.Background()
	fmt.Println(srv.RevokeConsent(ctx, "app", "alice"))
	fmt.Println(srv.RevokeSubject(ctx, "alice"))
	// Output:
	// <nil>
	// <nil>
}

// Clients can come from a file, with the names of RFC 7591.
func ExampleReadClients() {
	clients, err := grantwell.ReadClients(strings.NewReader(`[{
		"client_id": "app",
		"client_name": "Photo Printer",
		"client_secret": "a secret of at least 16 characters",
		"grant_types": ["authorization_code", "refresh_token"],
		"redirect_uris": ["https://app.example/cb"],
		"scope": "photos.read photos.write",
		"access_token_lifetime": 600
	}]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	c := clients[0]
	fmt.Println(c.ID, c.Scope, c.AccessTokenLifetime, len(c.Secrets))

	_, err = grantwell.ReadClients(strings.NewReader(`[{"client_id": "app", "redirect_uri": "https://app.example/cb"}]`))
	fmt.Println(err != nil)
	// Output:
	// app [photos.read photos.write] 10m0s 1
	// true
}

// A server can take the place of an API gateway's OAuth service: the gateway's clients
// keep their paths, formats and lengths.
func ExampleGateway() {
	store := exampleStore()
	srv, err := grantwell.New(grantwell.Gateway(grantwell.Config{
		Issuer:  "https://as.example",
		Clients: store,
		Records: store,
		Grants:  []grants.Handler{grants.ClientCredentials{}},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	res := answer(srv.TokenHandler(), tokenRequest("batch", "grant_type=client_credentials"))
	fmt.Println(srv.Paths().Token, len(res["access_token"].(string)), res["expires_in"])
	// Output: /api/oauth/token 54 3600
}
