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
)

// pbkdf2Of is a hash as other servers write it.
func pbkdf2Of(t *testing.T, name string, h func() hash.Hash, rounds, size int) string {
	key, err := pbkdf2.Key(h, servertest.Secret, []byte("salt of 16 bytes"), rounds, size)
	require.NoError(t, err)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$pbkdf2-%s$i=%d,l=%d$%s$%s", name, rounds, size, b64([]byte("salt of 16 bytes")), b64(key))
}

// A client whose secret another server hashed goes on with the secret that it has, and with no other.
func TestReadClients_HashedSecretsGoOn(t *testing.T) {
	t.Parallel()
	crypted, err := bcrypt.GenerateFromPassword([]byte(servertest.Secret), bcrypt.MinCost)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(servertest.Secret))
	for name, stored := range map[string]string{"bcrypt": string(crypted), "SHA-256 hex": hex.EncodeToString(sum[:]), "SHA-256 base64": base64.StdEncoding.EncodeToString(sum[:]),
		"PBKDF2 SHA-256": pbkdf2Of(t, "sha256", sha256.New, 25_000, 32), "PBKDF2 SHA-512": pbkdf2Of(t, "sha512", sha512.New, 1000, 64)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := json.Marshal([]map[string]any{{"client_id": "moved", "client_secret_hash": stored, "grant_types": []string{"client_credentials"}, "scope": "read", "default_scope": "read"}})
			require.NoError(t, err)
			list, err := grantwell.ReadClients(strings.NewReader(string(b)))
			require.NoError(t, err)
			r := servertest.New(t, nil)
			require.NoError(t, r.Store.PutClient(t.Context(), list[0]))
			require.Equal(t, 200, r.Post("/token", "moved:"+servertest.Secret, "grant_type", "client_credentials").Status)
			r.Post("/token", "moved:"+servertest.Secret+"x", "grant_type", "client_credentials").Fails(t, 401, "invalid_client")
			r.Post("/token", "moved:"+stored, "grant_type", "client_credentials").Fails(t, 401, "invalid_client")
		})
	}
}

// A stored PBKDF2 hash that is malformed or too expensive verifies nothing and is never computed.
func TestPBKDF2_IsBounded(t *testing.T) {
	t.Parallel()
	good := pbkdf2Of(t, "sha256", sha256.New, 1000, 32)
	for name, stored := range map[string]string{"rounds": strings.Replace(good, "i=1000", "i=2000000000", 1), "no rounds": strings.Replace(good, "i=1000", "i=0", 1),
		"length": strings.Replace(good, "l=32", "l=33", 1), "parts": good + "$", "no parts": "$pbkdf2-sha256$", "salt": strings.Replace(good, "$c2F", "$!", 1),
		"short key": pbkdf2Of(t, "sha256", sha256.New, 1000, 8)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := servertest.New(t, nil)
			c := servertest.Clients()[0]
			c.Secrets[0].Hash = stored
			require.NoError(t, r.Store.PutClient(t.Context(), c))
			res := r.Post("/token", servertest.Conf, "grant_type", "client_credentials")
			res.Fails(t, 503, "temporarily_unavailable")
			require.NotContains(t, res.Body, "PBKDF2")
		})
	}
}

// A file that says two things about a secret, or something that cannot be verified, is refused and names the client.
func TestReadClients_RefusesHashes(t *testing.T) {
	t.Parallel()
	for name, members := range map[string]string{
		"both":     `"client_secret": "a secret of enough characters", "client_secret_hash": "$2a$04$abc"`,
		"plain":    `"client_secret_hash": "a secret of enough characters"`,
		"public":   `"token_endpoint_auth_method": "none", "client_secret_hash": "$2a$04$abc"`,
		"not text": `"client_secret_hash": 1`,
	} {
		_, err := grantwell.ReadClients(strings.NewReader(`[{"client_id": "moved", "redirect_uris": ["https://app.example/cb"], ` + members + `}]`))
		require.ErrorContains(t, err, "client", name)
		require.NotContains(t, err.Error(), "enough characters")
	}
}
