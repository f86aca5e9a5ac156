package grantwell_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/storage"
)

// A file of clients is read by the exact names, each once; its secrets are stored as hashes only.
// Holds V199.
func TestReadClients(t *testing.T) {
	t.Parallel()
	const plain = "a-secret-of-some-length"
	read := func(s string) ([]storage.Client, error) { return grantwell.ReadClients(strings.NewReader(s)) }
	lenient := grantwell.ClientFile{IgnoreUnknown: true}
	cs, err := lenient.Read(strings.NewReader(`[{"client_id":"a","client_secret":"` + plain + `","redirect_uris":["https://a.example/cb"],"REDIRECT_URIS":["https://evil.example/cb"],
		"Scope":"admin","diſabled":true,"scope":"read write","default_scope":"read","metadata":{"K":"1","k":"2"},"future_member":{"x":[1]}},
		{"client_id":"rs","client_secret":"` + plain + `","grant_types":[]},
		{"client_id":"external:https://idp.example 4711","token_endpoint_auth_method":"external","alias_of":"a"}]`))
	require.NoError(t, err)
	require.Equal(t, []string{"https://a.example/cb"}, cs[0].RedirectURIs)
	require.Equal(t, []string{"read", "write"}, cs[0].Scope)
	require.False(t, cs[0].Disabled)
	require.Equal(t, map[string]string{"K": "1", "k": "2"}, cs[0].Metadata)
	require.Equal(t, []storage.Secret{storage.HashSecret(plain)}, cs[0].Secrets)
	require.False(t, cs[1].AllowsGrant("authorization_code"))
	require.Equal(t, []string{storage.ExternalID("https://idp.example", "4711"), "a"}, []string{cs[2].ID, cs[2].AliasOf})
	for name, bad := range map[string]string{
		"a name twice":             `[{"client_id":"a","client_id":"b","client_secret":"` + plain + `","redirect_uris":["https://a.example/cb"]}]`,
		"a name twice, escaped":    `[{"client_id":"a","client\u005fid":"b","client_secret":"` + plain + `","redirect_uris":["https://a.example/cb"]}]`,
		"a name twice inside":      `[{"client_id":"a","client_secret":"` + plain + `","redirect_uris":["https://a.example/cb"],"metadata":{"k":"1","k":"2"}}]`,
		"something behind":         `[] []`,
		"an object":                `{"client_id":"a"}`,
		"a name in another case":   `[{"client_id":"a","client_secret":"` + plain + `","REDIRECT_URIS":["https://a.example/cb"]}]`,
		"an unknown name":          `[{"client_id":"a","client_secret":"` + plain + `","redirect_uris":["https://a.example/cb"],"future_member":1}]`,
		"a short secret":           `[{"client_id":"a","client_secret":"short","redirect_uris":["https://a.example/cb"]}]`,
		"a secret of a public one": `[{"client_id":"a","client_secret":"` + plain + `","token_endpoint_auth_method":"none","redirect_uris":["https://a.example/cb"]}]`,
		"an unknown method":        `[{"client_id":"a","token_endpoint_auth_method":"magic","redirect_uris":["https://a.example/cb"]}]`,
		"no redirect":              `[{"client_id":"a","client_secret":"` + plain + `"}]`,
		"a malformed scope":        `[{"client_id":"a","client_secret":"` + plain + `","redirect_uris":["https://a.example/cb"],"scope":"a\"b"}]`,
		"too deep":                 strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		"too large":                `[` + strings.Repeat(" ", 17<<20) + `]`,
		"too many":                 `[` + strings.Repeat(`{},`, 10_001) + `{}]`,
	} {
		_, err := read(bad)
		require.Error(t, err, name)
		require.True(t, strings.HasPrefix(err.Error(), "grantwell: clients: "), err)
		require.NotContains(t, err.Error(), plain)
	}
}
