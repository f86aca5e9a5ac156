package grantwell_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// pbkdf2Of encodes a hash of the secret as other servers write it.
func pbkdf2Of(t *testing.T, name string, h func() hash.Hash, rounds, size int) string {
	key, err := pbkdf2.Key(h, servertest.Secret, []byte("salt of 16 bytes"), rounds, size)
	require.NoError(t, err)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$pbkdf2-%s$i=%d,l=%d$%s$%s", name, rounds, size,
		b64([]byte("salt of 16 bytes")), b64(key))
}

// A client whose secret another server hashed authenticates with that secret,
// and with no other.
func TestReadClients_HashedSecretsStayValid(t *testing.T) {
	t.Parallel()
	crypted, err := bcrypt.GenerateFromPassword([]byte(servertest.Secret), bcrypt.MinCost)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(servertest.Secret))
	for name, stored := range map[string]string{"bcrypt": string(crypted),
		"SHA-256 hex":    hex.EncodeToString(sum[:]),
		"SHA-256 base64": base64.StdEncoding.EncodeToString(sum[:]),
		"PBKDF2 SHA-256": pbkdf2Of(t, "sha256", sha256.New, 25_000, 32),
		"PBKDF2 SHA-512": pbkdf2Of(t, "sha512", sha512.New, 1000, 64)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := json.Marshal([]map[string]any{{
				"client_id":          "moved",
				"client_secret_hash": stored,
				"grant_types":        []string{"client_credentials"},
				"scope":              "read",
				"default_scope":      "read",
			}})
			require.NoError(t, err)
			list, err := grantwell.ReadClients(strings.NewReader(string(b)))
			require.NoError(t, err)
			r := servertest.New(t, nil)
			require.NoError(t, r.Store.PutClient(t.Context(), list[0]))
			require.Equal(t, 200, r.ClientCredentials("moved:"+servertest.Secret).Status)
			r.ClientCredentials("moved:"+servertest.Secret+"x").Fails(t, 401, "invalid_client")
			r.ClientCredentials("moved:"+stored).Fails(t, 401, "invalid_client")
		})
	}
}

// A stored PBKDF2 hash that is malformed or too expensive accepts no secret
// and is never computed.
func TestPBKDF2_IsBounded(t *testing.T) {
	t.Parallel()
	good := pbkdf2Of(t, "sha256", sha256.New, 1000, 32)
	for name, stored := range map[string]string{"rounds": strings.Replace(good, "i=1000",
		"i=2000000000", 1), "no rounds": strings.Replace(good, "i=1000", "i=0", 1),
		"length": strings.Replace(good, "l=32", "l=33", 1), "parts": good + "$",
		"no parts": "$pbkdf2-sha256$", "salt": strings.Replace(good, "$c2F", "$!", 1),
		"short key": pbkdf2Of(t, "sha256", sha256.New, 1000, 8)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := servertest.New(t, nil)
			c := servertest.Clients()[0]
			c.Secrets[0].Hash = stored
			require.NoError(t, r.Store.PutClient(t.Context(), c))
			res := r.ClientCredentials(servertest.Conf)
			res.Fails(t, 503, "temporarily_unavailable")
			require.NotContains(t, res.Body, "PBKDF2")
		})
	}
}

// A file with a secret and a hash for one client, or with a hash that the
// server cannot verify, is refused with the name of the client.
func TestReadClients_RefusesUnusableHashes(t *testing.T) {
	t.Parallel()
	for name, members := range map[string]string{
		"both":     `"client_secret": "a secret of enough characters", "client_secret_hash": "$2a$04$abc"`,
		"plain":    `"client_secret_hash": "a secret of enough characters"`,
		"public":   `"token_endpoint_auth_method": "none", "client_secret_hash": "$2a$04$abc"`,
		"not text": `"client_secret_hash": 1`,
	} {
		_, err := grantwell.ReadClients(strings.NewReader(`[{"client_id": "moved", "redirect_uris": ["https://app.example/cb"], ` +
			members +
			`}]`))
		require.ErrorContains(t, err, "client", name)
		require.NotContains(t, err.Error(), "enough characters")
	}
}

// A file of clients is read by exact member names, each once. Secrets are
// stored as hashes only.
//
// Holds: house: names of members.
func TestReadClients_NamesAreExactAndUnique(t *testing.T) {
	t.Parallel()
	const plain = "a-secret-of-some-length"
	read := func(s string) ([]storage.Client, error) {
		return grantwell.ReadClients(strings.NewReader(s))
	}
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
	require.Equal(t, []storage.Secret{{Hash: storage.HashSecret(plain).Hash, Chosen: true}}, cs[0].Secrets)
	require.False(t, cs[1].AllowsGrant("authorization_code"))
	require.Equal(t, []string{storage.ExternalID("https://idp.example", "4711"), "a"},
		[]string{cs[2].ID, cs[2].AliasOf})
	for name, bad := range map[string]string{
		"a name twice": `[{"client_id":"a","client_id":"b","client_secret":"` + plain +
			`","redirect_uris":["https://a.example/cb"]}]`,
		"a name twice, escaped": `[{"client_id":"a","client\u005fid":"b","client_secret":"` +
			plain + `","redirect_uris":["https://a.example/cb"]}]`,
		"a name twice inside": `[{"client_id":"a","client_secret":"` + plain +
			`","redirect_uris":["https://a.example/cb"],"metadata":{"k":"1","k":"2"}}]`,
		"something behind": `[] []`,
		"an object":        `{"client_id":"a"}`,
		"a name in another case": `[{"client_id":"a","client_secret":"` + plain +
			`","REDIRECT_URIS":["https://a.example/cb"]}]`,
		"an unknown name": `[{"client_id":"a","client_secret":"` + plain +
			`","redirect_uris":["https://a.example/cb"],"future_member":1}]`,
		"a short secret": `[{"client_id":"a","client_secret":"short","redirect_uris":["https://a.example/cb"]}]`,
		"a secret of a public one": `[{"client_id":"a","client_secret":"` + plain +
			`","token_endpoint_auth_method":"none","redirect_uris":["https://a.example/cb"]}]`,
		"an unknown method": `[{"client_id":"a","token_endpoint_auth_method":"magic","redirect_uris":["https://a.example/cb"]}]`,
		"no redirect":       `[{"client_id":"a","client_secret":"` + plain + `"}]`,
		"a malformed scope": `[{"client_id":"a","client_secret":"` + plain +
			`","redirect_uris":["https://a.example/cb"],"scope":"a\"b"}]`,
		"too deep":  strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		"too large": `[` + strings.Repeat(" ", 17<<20) + `]`,
		"too many":  `[` + strings.Repeat(`{},`, 10_001) + `{}]`,
	} {
		_, err := read(bad)
		require.Error(t, err, name)
		require.True(t, strings.HasPrefix(err.Error(), "grantwell: clients: "), err)
		require.NotContains(t, err.Error(), plain)
	}
}
