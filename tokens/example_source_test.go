package tokens_test

import (
	"context"
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
