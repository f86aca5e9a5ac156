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

// addClients registers the demo clients, and then those of the file, which win where the names are equal. Another
// instance may have done so before, on the same store: what is there already as it should be is left alone.
func (a *app) addClients(ctx context.Context, o options, shared *secrets) error {
	clients := demoClients(o.issuer, a.demo.AssertionCertificate, o.gateway)
	for i, c := range clients {
		if c.ID == demo.KeyApp {
			continue
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

// register stores a client, unless the same one is stored.
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

// same compares clients by their JSON, as databases keep them.
func same(a, b storage.Client) bool {
	one, err := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(one, other)
}

// demoClients are an application with a secret, one without, one with a key, and a resource server. Their redirect leads to this
// machine, where RFC 8252 section 7.3 lets the port vary.
func demoClients(issuer, certificate string, gateway bool) []storage.Client {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = s.Name
	}
	confidential := storage.Client{
		ID:          demo.Confidential,
		Name:        "Sample Confidential App",
		Description: "An application that runs on a server and can keep a secret.",
		GrantTypes: []string{"authorization_code", "implicit", "password", "client_credentials", "refresh_token",
			assertion.GrantJWT, assertion.GrantSAML2},
		Certificates:  certificate, // verifies its assertions
		ResponseTypes: []string{"code", "token"},
		RedirectURIs:  []string{"http://127.0.0.1/callback", "http://[::1]/callback"},
		Scope:         names,
		DefaultScope:  names[:1],
	}
	if gateway { // the redirects that the gateway's own samples use
		confidential.RedirectURIs = append(confidential.RedirectURIs,
			"https://localhost/oauth_callback", "http://localhost:8090/auth/redirect.html", "https://localhost:8088/redirect")
	}
	public := confidential.Clone()
	public.ID, public.AuthMethod = demo.Public, storage.AuthNone
	public.Name, public.Description = "Sample Public App", "An application that runs on your device and can keep no secret."
	public.Certificates = ""
	public.GrantTypes = []string{"authorization_code", "implicit", "password", "refresh_token"}

	key := storage.Client{ID: demo.KeyApp, Name: "Sample Key App", AuthMethod: storage.AuthPrivateKeyJWT, Certificates: certificate,
		GrantTypes: []string{"client_credentials"}, Scope: names, DefaultScope: names[:1]}

	// A resource server uses no grant; it asks about the tokens that are meant for it.
	resource := storage.Client{ID: demo.Resource, Name: "Sample Resource Server", GrantTypes: []string{"urn:example:none"}, Resources: []string{issuer}}
	return []storage.Client{confidential, public, key, resource}
}

// readClients reads -clients and adds two things that a file in the names of RFC 7591 has no words for: a client that names
// scopes and no default_scope gets all of them when it asks for none, and a client with no grant at all ("grant_types":
// []) is a resource server here, so it may introspect the tokens meant for this issuer.
func (a *app) readClients(path string) ([]storage.Client, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	clients, err := grantwell.ReadClients(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	served := []string{"authorization_code", "implicit", "password", "client_credentials", "refresh_token", assertion.GrantJWT, assertion.GrantSAML2}
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
