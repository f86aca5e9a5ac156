package assertion

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"sync"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// A set is remembered by its whole text. A text that differs in any byte is
// parsed, and an invalid text is not remembered.
func TestParseJWKS_RemembersByTheWholeText(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "a", Use: "sig"}}})
	require.NoError(t, err)
	first, err := ParseJWKS(text)
	require.NoError(t, err)
	again, err := ParseJWKS(append([]byte(nil), text...))
	require.NoError(t, err)
	require.Same(t, first, again)
	other, err := ParseJWKS(append(text, ' '))
	require.NoError(t, err)
	require.NotSame(t, first, other)
	for range 2 {
		_, err = ParseJWKS(text[:len(text)-1])
		require.Error(t, err)
	}
	keys := first.PublicKeys()
	keys[0] = nil
	require.NotNil(t, first.PublicKeys()[0], "what a caller does to its list does not reach the next one")
}

// The cache holds a bounded number of keys, in small and in large sets.
//
// Holds: house: bounded parsers.
func TestParseJWKS_RemembersABoundedNumberOfKeys(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]*KeySet{
		"no keys":       {},
		"one key":       {keys: make([]jws.Key, 1)},
		"keys left out": {dropped: make([]string, 9)},
		"large":         {keys: make([]jws.Key, maxJWKSKeys)},
	} {
		var c setCache
		var wg sync.WaitGroup
		most := maxParsedKeys / weight(set)
		for g := range 4 {
			wg.Go(func() {
				for i := range most {
					digest := [32]byte{byte(g), byte(i), byte(i >> 8)}
					c.keep(digest, set)
					c.keep(digest, set)
					c.find(digest)
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, len(c.sets), most, name)
		require.Equal(t, len(c.sets)*weight(set), c.keys, name)

		last := [32]byte{255}
		c.keep(last, set)
		require.Same(t, set, c.find(last), name)
	}
}
