package storage_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// A hash of another server is kept as it is. A plain SHA-256 digest in any
// spelling becomes the stored form.
func TestImportSecret(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("a generated secret of 256 bits"))
	want := storage.HashSecret("a generated secret of 256 bits")
	require.False(t, want.Chosen)
	for _, spelling := range []string{hex.EncodeToString(sum[:]), strings.ToUpper(hex.EncodeToString(sum[:])), base64.StdEncoding.EncodeToString(sum[:]),
		base64.RawURLEncoding.EncodeToString(sum[:]), want.Hash} {
		got, err := storage.ImportSecret(spelling)
		require.NoError(t, err, spelling)
		require.Equal(t, want.Hash, got.Hash)
		// Of another server's digest it is not known how its secret was made.
		require.Equal(t, spelling != want.Hash, got.Chosen)
	}
	for _, hash := range []string{"$2a$10$abc", "$2b$10$abc", "$2y$10$abc", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "$pbkdf2-sha256$i=25000,l=32$c2FsdA$aGFzaA"} {
		got, err := storage.ImportSecret(hash)
		require.NoError(t, err)
		require.Equal(t, storage.Secret{Hash: hash}, got)
	}
	for _, bad := range []string{"", "plain secret", hex.EncodeToString(sum[1:]), "$pbkdf2-sha1$i=1,l=20$c2FsdA$aGFzaA", "$1$md5crypt", "sha256:zz", strings.Repeat("$2a$", 200)} {
		_, err := storage.ImportSecret(bad)
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "plain secret")
	}
}

// The key of an imported token differs in form from the key of any token of
// this server.
func TestImportedKey_IsApart(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, storage.Key("digest"), storage.ImportedKey([]byte("digest")))
	require.NotEqual(t, len(storage.Key("digest")), len(storage.ImportedKey([]byte("digest"))))
	require.NotEqual(t, storage.ImportedKey([]byte("a")), storage.ImportedKey([]byte("b")))
	require.NoError(t, storage.Record{Kind: storage.Access, State: storage.Active, Key: storage.ImportedKey([]byte{0})}.Validate())
}
