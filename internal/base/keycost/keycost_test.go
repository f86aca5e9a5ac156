package keycost

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func rsaKey(bits uint) any {
	return &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}
}

func ecKey(curve elliptic.Curve) any { return &ecdsa.PublicKey{Curve: curve} }

// The number of keys that are tried follows from what they cost, and two are tried in
// any case.
//
// Holds: house: bounded parsers.
func TestWithin_BoundsTheCostOfOneDocument(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key  any
		want int
	}{
		"RSA-2048": {rsaKey(2048), 8},
		"RSA-2049": {rsaKey(2049), 8},
		"RSA-3072": {rsaKey(3072), 8},
		"RSA-3073": {rsaKey(3073), 6},
		"RSA-4096": {rsaKey(4096), 6},
		"RSA-4097": {rsaKey(4097), 2},
		"RSA-8192": {rsaKey(8192), 2},
		"P-256":    {ecKey(elliptic.P256()), 8},
		"P-384":    {ecKey(elliptic.P384()), 3},
		"P-521":    {ecKey(elliptic.P521()), 2},
		"Ed25519":  {ed25519.PublicKey(nil), 8},
	} {
		require.Equal(t, c.want, Within(slices.Repeat([]any{c.key}, 20)), name)
		require.Equal(t, 1, Within([]any{c.key}), name)
	}
	require.Equal(t, 3, Within([]any{ecKey(elliptic.P521()), ecKey(elliptic.P384()), ecKey(elliptic.P256()), ecKey(elliptic.P256())}))
	require.Equal(t, 2, Within([]any{ecKey(elliptic.P521()), ecKey(elliptic.P521()), ecKey(elliptic.P256())}))
	for _, none := range []any{(*rsa.PublicKey)(nil), &rsa.PublicKey{}, (*ecdsa.PublicKey)(nil), &ecdsa.PublicKey{}, nil} {
		require.Equal(t, 1, Within([]any{none}), "a key without a size is refused elsewhere")
	}
}
