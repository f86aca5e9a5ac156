package storage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// table stands for the host's own table of clients.
type table map[string]storage.Client

// Client implements [storage.Clients]. It compares the ID byte for byte.
func (t table) Client(_ context.Context, id string) (storage.Client, error) {
	c, ok := t[id]
	if !ok {
		return storage.Client{}, storage.ErrNotFound
	}

	return c.Clone(), nil
}

// A host that has clients already answers for them with one method.
func ExampleClients() {
	var clients storage.Clients = table{"app": {ID: "app", Name: "Photo Printer"}}
	c, err := clients.Client(context.Background(), "app")
	fmt.Println(c.Name, err)
	_, err = clients.Client(context.Background(), "APP")
	fmt.Println(err)
	// Output:
	// Photo Printer <nil>
	// storage: not found
}

// Validate reports every rule that a registration breaks.
func ExampleClient_Validate() {
	c := storage.Client{
		ID:           "app",
		AuthMethod:   storage.AuthNone,
		RedirectURIs: []string{"http://app.example/cb"},
	}
	fmt.Println(c.Validate() != nil)
	c.RedirectURIs = []string{"https://app.example/cb", "http://127.0.0.1/cb", "com.example.app:/cb"}
	fmt.Println(c.Validate())
	// Output:
	// true
	// <nil>
}

// A client has one JSON form, with the names and types of RFC 7591.
func ExampleClient_MarshalJSON() {
	text, err := json.Marshal(storage.Client{
		ID:                  "app",
		AuthMethod:          storage.AuthNone,
		Scope:               []string{"read", "write"},
		AccessTokenLifetime: 10 * time.Minute,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(members["client_id"], members["scope"], members["access_token_lifetime"])
	// Output: app read write 600
}

// A secret that another server hashed goes on working.
func ExampleImportSecret() {
	secret, err := storage.ImportSecret("$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")
	fmt.Println(secret.Hash != "", err)
	_, err = storage.ImportSecret("plain text")
	fmt.Println(err != nil)
	// Output:
	// true <nil>
	// true
}

// A redirect URI is compared byte for byte, so it must be one that has one reading.
func ExampleCheckRedirectURI() {
	for _, uri := range []string{"https://app.example/cb", "https://*.app.example/cb", "javascript:alert(1)"} {
		fmt.Println(uri, storage.CheckRedirectURI(uri) == nil)
	}
	// Output:
	// https://app.example/cb true
	// https://*.app.example/cb false
	// javascript:alert(1) false
}
