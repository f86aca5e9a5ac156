package storagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// registrar returns the store as a registrar.
func (p *probe) registrar() storage.Registrar { return p.store.(storage.Registrar) }

// fullClients returns clients that together set every field. Some fields exclude
// each other.
func fullClients() []storage.Client {
	at := time.Date(2031, 7, 1, 3, 4, 5, 678_000_000, time.FixedZone("far east", 14*3600))
	web := storage.Client{
		ID: "web app/1", Disabled: true,
		AuthMethod:   storage.AuthClientSecretPost,
		Secrets:      []storage.Secret{{Hash: storage.HashSecret("one").Hash, ExpiresAt: at}, {Hash: storage.HashSecret("two").Hash, Chosen: true}},
		JWKS:         json.RawMessage(`{"keys": [{"kty":"oct","kid":"é"}]}`),
		Certificates: "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n", SharedKey: []byte("\x00a shared key of 33 octets and \xff\x01"),
		AuthSigningAlg: "HS256", LenientAssertions: true, LiteralBasic: true,
		GrantTypes: []string{"refresh_token", "authorization_code"}, ResponseTypes: []string{"code", "code id_token"},
		RedirectURIs: []string{"https://app.example/cb?a=1&b=2", "http://127.0.0.1:8080/cb"},
		Scope:        []string{"write", "read", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"}, DefaultScope: []string{"read"},
		Audience: []string{"https://b.example", "https://a.example"}, Resources: []string{"https://a.example"},
		Origins:             []string{"https://app.example:8443"},
		AccessTokenLifetime: 90 * time.Second, RefreshTokenLifetime: 400 * 24 * time.Hour, CodeLifetime: 1500 * time.Millisecond, ClientPAR: storage.ClientPAR{RequirePushed: true}, ClientAssertion: storage.ClientAssertion{AssertionLifetime: 90 * time.Second, LegacyAssertionAudience: true, ReuseAssertions: true}, RefreshRetryWindow: 90 * time.Second,
		AccessTokenFormat: "jwt", RequirePKCE: true, SkipConsent: true, ForceSkipConsent: true,
		Name: "Ünïcode \U0001F642 <b>", Description: "two  spaces", LogoURI: "https://app.example/logo.png",
		ClientURI: "https://app.example", PolicyURI: "https://app.example/policy", TOSURI: "https://app.example/tos",
		Contacts: []string{"ops@app.example"}, Owner: "team a", CreatedBy: "alice", CreatedAt: at, TokensNotBefore: at.Add(time.Millisecond),
		Metadata: map[string]string{"tier": "gold", "": "empty", "é": "\"quoted\""},
	}
	machine := storage.Client{ID: "machine", AuthMethod: storage.AuthPrivateKeyJWT, JWKSURI: "https://m.example/jwks", GrantTypes: []string{"client_credentials"}}
	elsewhere := storage.Client{ID: storage.ExternalID("https://idp.example", "web app"), AuthMethod: storage.AuthExternal, AliasOf: web.ID}
	// An empty list of grants is none, and nil is authorization_code.
	resource := storage.Client{
		ID:         "resource server",
		Secrets:    []storage.Secret{storage.HashSecret("three")},
		GrantTypes: []string{},
		Resources:  []string{"https://a.example"},
	}
	return []storage.Client{web, machine, elsewhere, resource}
}

// sameClient requires that two clients are equal. Lists are compared by content,
// times as instants, and keys as JSON.
func (p *probe) sameClient(want, got storage.Client) {
	p.Helper()
	if len(want.JWKS) > 0 {
		require.JSONEq(p, string(want.JWKS), string(got.JWKS), "JWKS")
	} else {
		require.Empty(p, got.JWKS, "JWKS")
	}
	require.Len(p, got.Secrets, len(want.Secrets), "Secrets")
	for i, s := range want.Secrets {
		require.Equal(p, s.Hash, got.Secrets[i].Hash, "Secrets")
		p.sameTime("Secrets.ExpiresAt", s.ExpiresAt, got.Secrets[i].ExpiresAt)
	}
	p.sameTime("CreatedAt", want.CreatedAt, got.CreatedAt)
	p.sameTime("TokensNotBefore", want.TokensNotBefore, got.TokensNotBefore)
	require.Equal(p, want.GrantTypes == nil, got.GrantTypes == nil, "GrantTypes is nil")
	// The rest by its JSON, in which nil and empty lists are the same.
	plain := func(c storage.Client) string {
		c.JWKS, c.Secrets, c.CreatedAt, c.TokensNotBefore = nil, nil, time.Time{}, time.Time{}
		b, err := json.Marshal(c)
		require.NoError(p, err)
		return string(b)
	}
	require.Equal(p, plain(want), plain(got))
}

// clientStored requires that the client is found and listed as want.
func (p *probe) clientStored(want storage.Client) {
	p.Helper()
	got, err := p.registrar().Client(p.ctx, want.ID)
	require.NoError(p, err, "Client %q", want.ID)
	p.sameClient(want, got)
	list, err := p.registrar().ListClients(p.ctx, "", 1000)
	require.NoError(p, err)
	for _, c := range list {
		if c.ID == want.ID {
			p.sameClient(want, c)
			return
		}
	}
	require.Fail(p, "ListClients does not have "+want.ID)
}

// clientRoundTrip requires that clients are returned as they were stored, with
// every field.
func clientRoundTrip(p *probe) {
	for _, c := range fullClients() {
		_, err := p.registrar().Client(p.ctx, c.ID)
		require.ErrorIs(p, err, storage.ErrNotFound)
		require.NoError(p, p.registrar().PutClient(p.ctx, c))
		p.clientStored(c)
	}
}

// machineClient returns a small valid client.
func machineClient(id string) storage.Client {
	return storage.Client{
		ID:         id,
		Secrets:    []storage.Secret{storage.HashSecret(id)},
		GrantTypes: []string{"client_credentials"},
		Scope:      []string{"read"},
		Metadata:   map[string]string{"a": "b"},
	}
}

// clientReplaced requires that nothing of a replaced client is left, and that no
// other client is changed.
func clientReplaced(p *probe) {
	full, other := fullClients()[0], machineClient("other")
	require.NoError(p, p.registrar().PutClient(p.ctx, full))
	require.NoError(p, p.registrar().PutClient(p.ctx, other))
	small := storage.Client{ID: full.ID, AuthMethod: storage.AuthNone, RedirectURIs: []string{"https://app.example/cb"}}
	require.NoError(p, p.registrar().PutClient(p.ctx, small))
	p.clientStored(small)
	p.clientStored(other)
	list, err := p.registrar().ListClients(p.ctx, "", 0)
	require.NoError(p, err)
	require.Len(p, list, 2)
}

// clientInvalid requires that an invalid client is refused with an error that names
// the field, and that nothing is changed.
func clientInvalid(p *probe) {
	good := machineClient("good")
	require.NoError(p, p.registrar().PutClient(p.ctx, good))
	bad := good
	bad.GrantTypes, bad.RedirectURIs = []string{"authorization_code"}, []string{"javascript:alert(1)"}
	require.ErrorContains(p, p.registrar().PutClient(p.ctx, bad), "redirect_uris")
	p.clientStored(good)
	bad.ID = "bad"
	require.Error(p, p.registrar().PutClient(p.ctx, bad))
	_, err := p.registrar().Client(p.ctx, "bad")
	require.ErrorIs(p, err, storage.ErrNotFound)
	require.ErrorContains(p, p.registrar().PutClient(p.ctx, storage.Client{}), "client_id")
}

// clientDeleted requires that a deleted client is gone, and that its ID can be
// registered again.
func clientDeleted(p *probe) {
	a, b := machineClient("a"), machineClient("b")
	require.ErrorIs(p, p.registrar().DeleteClient(p.ctx, "a"), storage.ErrNotFound)
	require.NoError(p, p.registrar().PutClient(p.ctx, a))
	require.NoError(p, p.registrar().PutClient(p.ctx, b))
	require.NoError(p, p.registrar().DeleteClient(p.ctx, "a"))
	_, err := p.registrar().Client(p.ctx, "a")
	require.ErrorIs(p, err, storage.ErrNotFound)
	require.ErrorIs(p, p.registrar().DeleteClient(p.ctx, "a"), storage.ErrNotFound)
	p.clientStored(b)
	list, err := p.registrar().ListClients(p.ctx, "", 0)
	require.NoError(p, err)
	require.Len(p, list, 1)
	require.NoError(p, p.registrar().PutClient(p.ctx, a))
	p.clientStored(a)
}

// clientExact requires that IDs are compared byte for byte.
func clientExact(p *probe) {
	ids := []string{"app", "App", "app ", " app", "a_p", "a%", "app.", "https://app.example/id"}
	for _, id := range ids {
		require.NoError(p, p.registrar().PutClient(p.ctx, machineClient(id)))
	}
	for _, id := range ids {
		p.clientStored(machineClient(id))
	}
	for _, id := range []string{"APP", "ap", "", "a*", "app  ", "app\x00"} {
		_, err := p.registrar().Client(p.ctx, id)
		require.ErrorIs(p, err, storage.ErrNotFound, "Client %q", id)
	}
}

// clientNoSharedMemory requires that the store and its callers share no memory of a
// client.
func clientNoSharedMemory(p *probe) {
	spoil := func(c *storage.Client) {
		c.Secrets[0].Hash, c.Scope[0], c.GrantTypes[0], c.Metadata["a"] = "x", "admin", "password", "spoilt"
	}
	in := machineClient("m")
	require.NoError(p, p.registrar().PutClient(p.ctx, in))
	spoil(&in)
	p.clientStored(machineClient("m"))
	out, err := p.registrar().Client(p.ctx, "m")
	require.NoError(p, err)
	spoil(&out)
	p.clientStored(machineClient("m"))
	list, err := p.registrar().ListClients(p.ctx, "", 1)
	require.NoError(p, err)
	spoil(&list[0])
	p.clientStored(machineClient("m"))
}

// clientPages requires that clients are listed in the byte order of their IDs, in
// pages of any size.
func clientPages(p *probe) {
	var ids []string // in byte order
	for _, letter := range []string{"-", "0", "A", "Z", "_", "a", "z"} {
		for i := range 20 {
			ids = append(ids, fmt.Sprintf("%s%02d", letter, i))
		}
	}
	// Stored in another order.
	for i := range ids {
		require.NoError(p, p.registrar().PutClient(p.ctx, machineClient(ids[(i*89)%len(ids)])))
	}
	page := func(after string, limit int) []string {
		list, err := p.registrar().ListClients(p.ctx, after, limit)
		require.NoError(p, err)
		got := []string{}
		for _, c := range list {
			got = append(got, c.ID)
		}
		return got
	}
	require.Equal(p, ids, page("", 1000))
	for _, limit := range []int{0, -1, 1001} {
		require.Equal(p, ids[:100], page("", limit), "limit %d", limit)
	}
	var got []string
	for after := ""; ; after = got[len(got)-1] {
		next := page(after, 9)
		if len(next) == 0 {
			break
		}
		got = append(got, next...)
		require.LessOrEqual(p, len(got), len(ids), "clients listed")
	}
	require.Equal(p, ids, got)
	require.Equal(p, ids[40:42], page("9", 2), "after an ID that no client has")
	require.Empty(p, page(ids[len(ids)-1], 10))
}

// clientCancelled requires that a call with a cancelled context fails and changes
// nothing.
func clientCancelled(p *probe) {
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	c := machineClient("m")
	require.NoError(p, p.registrar().PutClient(p.ctx, c))
	changed := c
	changed.Name = "changed"
	require.Error(p, p.registrar().PutClient(ctx, changed), "PutClient with a cancelled context")
	require.Error(p, p.registrar().DeleteClient(ctx, "m"), "DeleteClient with a cancelled context")
	_, err := p.registrar().Client(ctx, "m")
	require.Error(p, err, "Client with a cancelled context")
	require.NotErrorIs(p, err, storage.ErrNotFound)
	_, err = p.registrar().ListClients(ctx, "", 10)
	require.Error(p, err, "ListClients with a cancelled context")
	p.clientStored(c)
}
