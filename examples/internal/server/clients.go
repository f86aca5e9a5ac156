package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/storage"
)

// addClients registers the demo clients and then those of the file, which win if the
// IDs are equal. Another instance may have registered them before on the same store:
// a client that is stored as it should be is left alone.
func (a *app) addClients(ctx context.Context, o options, shared *secrets) error {
	clients := demoClients(o, a.demo.AssertionCertificate)
	for i, c := range clients {
		if c.ID == demo.KeyApp {
			continue // it has a key and no secret
		}
		a.demo.Secrets[c.ID] = ""
		if !c.Public() {
			secret := shared.Clients[c.ID]
			clients[i].Secrets = []storage.Secret{storage.HashSecret(secret)}
			a.demo.Secrets[c.ID] = secret
		}
	}
	if o.clients != "" {
		more, err := a.readClients(o.clients)
		if err != nil {
			return err
		}
		for _, c := range more {
			delete(a.demo.Secrets, c.ID)
		}
		clients = append(clients, more...)
	}

	for _, c := range clients {
		if err := a.register(ctx, c); err != nil {
			return fmt.Errorf("client %q: %w", c.ID, err)
		}
	}

	return nil
}

// register stores a client, unless the same client is stored already.
func (a *app) register(ctx context.Context, c storage.Client) error {
	stored, err := a.store.Client(ctx, c.ID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if err == nil && same(stored, c) {
		return nil
	}

	return a.store.PutClient(ctx, c)
}

// same reports whether two clients are equal. It compares their JSON, which is the
// form that databases keep.
func same(a, b storage.Client) bool {
	one, err := json.Marshal(a)
	other, err2 := json.Marshal(b)

	return err == nil && err2 == nil && bytes.Equal(one, other)
}

// demoClients returns an application with a secret, one without a secret, one with a
// key, and a resource server. Their redirect URIs lead to this machine, where the port
// may vary (RFC 8252 section 7.3).
func demoClients(o options, certificate string) []storage.Client {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = s.Name
	}

	confidential := storage.Client{
		ID:          demo.Confidential,
		Name:        "Sample Confidential App",
		Description: "An application that runs on a server and can keep a secret.",
		GrantTypes: []string{
			"authorization_code",
			"implicit",
			"password",
			"client_credentials",
			"refresh_token",
			assertion.GrantJWT,
			assertion.GrantSAML2,
		},
		ResponseTypes: []string{"code", "token"},
		RedirectURIs:  []string{"http://127.0.0.1/callback", "http://[::1]/callback"},
		Scope:         names,
		DefaultScope:  names[:1],
		Certificates:  certificate, // verifies the client's assertions
	}
	if o.gateway { // the redirect URIs of the gateway's own samples
		confidential.RedirectURIs = append(confidential.RedirectURIs,
			"https://localhost/oauth_callback",
			"http://localhost:8090/auth/redirect.html",
			"https://localhost:8088/redirect",
		)
	}

	public := confidential.Clone()
	public.ID = demo.Public
	public.AuthMethod = storage.AuthNone
	public.Name = "Sample Public App"
	public.Description = "An application that runs on your device and can keep no secret."
	public.GrantTypes = []string{"authorization_code", "implicit", "password", "refresh_token"}
	public.Certificates = ""

	key := storage.Client{
		ID:           demo.KeyApp,
		Name:         "Sample Key App",
		AuthMethod:   storage.AuthPrivateKeyJWT,
		Certificates: certificate,
		GrantTypes:   []string{"client_credentials"},
		Scope:        names,
		DefaultScope: names[:1],
	}

	// A resource server uses no grant. It asks about the tokens that are meant for it.
	resource := storage.Client{
		ID:         demo.Resource,
		Name:       "Sample Resource Server",
		GrantTypes: []string{"urn:example:none"},
		Resources:  []string{o.issuer},
	}

	return []storage.Client{confidential, public, key, resource}
}

// readClients reads the file of -clients. Members that the library does not know are
// skipped, so that a file that was written for another server can be used.
//
// It adds two rules to those of RFC 7591. A client with scope and without
// default_scope gets its whole scope if a request names none. A client without any
// grant ("grant_types": []) is a resource server, which may introspect the tokens that
// are meant for this issuer.
func (a *app) readClients(path string) ([]storage.Client, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	clients, err := grantwell.ClientFile{}.Read(bytes.NewReader(text))
	if err != nil {
		// The file may be the export of another server, whose members are not all known
		// here. A misspelt member is unknown too, so it is not ignored in silence.
		lenient, wrong := grantwell.ClientFile{IgnoreUnknown: true}.Read(bytes.NewReader(text))
		if wrong != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		fmt.Fprintf(os.Stderr, "server: %s: ignored, with any further one: %v\n", path, err)
		clients = lenient
	}

	served := []string{
		"authorization_code",
		"implicit",
		"password",
		"client_credentials",
		"refresh_token",
		assertion.GrantJWT,
		assertion.GrantSAML2,
	}
	for i := range clients {
		c := &clients[i]
		if c.DefaultScope == nil {
			c.DefaultScope = c.Scope
		}
		if len(c.Resources) == 0 && !slices.ContainsFunc(served, c.AllowsGrant) {
			c.Resources = []string{a.srv.Issuer()}
		}
	}

	return clients, nil
}
