package storage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// Two clients of other servers never have the same ID, and values that make no
// valid ID return the empty string.
// Holds: house: foreign tokens.
func TestExternalID_IsUnique(t *testing.T) {
	t.Parallel()
	require.Equal(t, "external:https://idp.example a b", storage.ExternalID("https://idp.example", "a b"))
	for _, c := range [][2]string{{"", "a"}, {"https://idp.example", ""}, {"https://idp.example a", "b"}, {"https://idp.example", "é"},
		{"https://idp.example", strings.Repeat("a", 230)}, {"https://idp.example", "a\n"}} {
		require.Empty(t, storage.ExternalID(c[0], c[1]), "%q", c)
	}
}

// The entry for a client of another server has no field that an endpoint could
// use.
// Holds: house: foreign tokens; house: safe redirect registration.
func TestClient_AliasHasNothingElse(t *testing.T) {
	t.Parallel()
	good := storage.Client{ID: storage.ExternalID("https://idp.example", "a"), AuthMethod: storage.AuthExternal, AliasOf: "web", Name: "At the IdP", Disabled: true,
		Contacts: []string{"ops"}, Metadata: map[string]string{"a": "b"}}
	require.NoError(t, good.Validate())
	require.False(t, good.AllowsGrant("authorization_code"))
	require.False(t, good.AllowsResponse("code"))
	require.False(t, good.Public())
	for field, change := range map[string]func(*storage.Client){
		"alias_of": func(c *storage.Client) { c.AliasOf = "" }, "alias_of: is the client itself": func(c *storage.Client) { c.AliasOf = c.ID },
		"client_id": func(c *storage.Client) { c.ID = "web2" }, "token_endpoint_auth_method": func(c *storage.Client) { c.AuthMethod = storage.AuthNone },
		"alias_of: leaves": func(c *storage.Client) { c.Secrets = []storage.Secret{storage.HashSecret("x")} }, "alias_of: leaves nothing": func(c *storage.Client) { c.Scope = []string{"read"} },
		"leaves": func(c *storage.Client) { c.GrantTypes = []string{"client_credentials"} }, "leaves nothing": func(c *storage.Client) { c.RedirectURIs = []string{"https://a.example/"} },
		"leaves nothing but": func(c *storage.Client) { c.JWKSURI = "https://a.example/" }, "leaves nothing but name": func(c *storage.Client) { c.Resources = []string{"urn:a"} },
	} {
		bad := good.Clone()
		change(&bad)
		require.ErrorContains(t, bad.Validate(), field)
	}
	confidential := storage.Client{ID: "web", AuthMethod: storage.AuthExternal, RedirectURIs: []string{"https://a.example/"}}
	require.ErrorContains(t, confidential.Validate(), "alias_of")
}
