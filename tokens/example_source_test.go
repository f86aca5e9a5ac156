package tokens_test

import (
	"bytes"
	"context"
	"crypto"
	_ "crypto/sha256" // crypto.SHA256
	"encoding/hex"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/tokens"
)

// vault is a KeySource over the place where a host keeps its keys. All instances
// of the server read the same one.
type vault map[string]time.Time

func (v vault) ScheduledKeys(context.Context) ([]tokens.ScheduledKey, error) {
	var keys []tokens.ScheduledKey
	for id, from := range v {
		key, err := tokens.GenerateKey(tokens.ES256) // a host loads it by its name
		if err != nil {
			return nil, err
		}
		key.ID = id
		keys = append(keys, tokens.ScheduledKey{Key: key, NotBefore: from})
	}
	return keys, nil
}

func ExampleKeySource() {
	now := time.Now()
	rotation := &tokens.Rotation{Source: vault{
		"spring": now.Add(-100 * 24 * time.Hour),
		"summer": now.Add(-time.Hour),          // signs
		"autumn": now.Add(90 * 24 * time.Hour), // a resource server hears of it a day before
	}}
	signing, err := rotation.Signing(context.Background())
	fmt.Println(signing.ID, err)
	published, err := rotation.Published(context.Background())
	for _, key := range published {
		fmt.Println(key.ID, err)
	}
	// Output:
	// summer <nil>
	// spring <nil>
	// summer <nil>
}

// A server that takes over from another one accepts its tokens until they expire: by
// the digest that the other server stored.
func ExampleImported() {
	var form tokens.Imported = tokens.Hashed{Hash: crypto.SHA256, Lengths: []int{32}}
	digest, ok := form.Digest("an access token of 32 characters")
	stored, err := form.Stored(hex.EncodeToString(digest))
	fmt.Println(ok, bytes.Equal(digest, stored), err)
	_, ok = form.Digest("too short")
	fmt.Println(ok)
	// Output:
	// true true <nil>
	// false
}

// Keys that do not change: one signs, and the key of before stays published until its
// last token has expired.
func ExampleStaticKeys() {
	signing, err := tokens.GenerateKey(tokens.ES256)
	if err != nil {
		fmt.Println(err)
		return
	}
	before, err := tokens.GenerateKey(tokens.RS256)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := tokens.StaticKeys(signing, before)
	if err != nil {
		fmt.Println(err)
		return
	}
	published, err := keys.Published(context.Background())
	fmt.Println(len(published), err)
	// Output: 2 <nil>
}
