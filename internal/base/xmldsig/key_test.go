package xmldsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Keys that are too weak, too large or of another kind are not tried.
//
// Holds: RFC 7522 section 3.
func TestCheckKey_RefusesWeakAndForeignKeys(t *testing.T) {
	t.Parallel()
	weak := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2046), E: 65537}
	large := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 8192), E: 65537}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	for _, key := range []crypto.PublicKey{weak, large, &p224.PublicKey, (*rsa.PublicKey)(nil), (*ecdsa.PublicKey)(nil), []byte("secret"), nil, ed25519.PublicKey{}} {
		require.Error(t, CheckKey(key), "%T", key)
		require.Empty(t, UsableKeys([]crypto.PublicKey{key}))
	}
	good := vectorKeys(t)[0]
	require.Len(t, UsableKeys(slices.Repeat([]crypto.PublicKey{good}, 20)), 8)
}
