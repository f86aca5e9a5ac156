package memstore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// One store keeps both clients and records, for the time of the process.
func ExampleNew() {
	ctx := context.Background()
	store := memstore.New()
	err := store.PutClient(ctx, storage.Client{
		ID:           "app",
		AuthMethod:   storage.AuthNone,
		RedirectURIs: []string{"https://app.example/cb"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = store.Insert(ctx, storage.Record{
		Kind:      storage.Access,
		Key:       storage.Key("an access token"),
		State:     storage.Active,
		GrantID:   "g1",
		ClientID:  "app",
		IssuedAt:  time.Now(),
		ExpiresAt: time.Now().Add(time.Hour),
	})
	fmt.Println(store.Len(), err)
	// Output: 1 <nil>
}

// A bound on the records keeps the process small. The store is full then, and says so.
func ExampleNewWith() {
	ctx := context.Background()
	store := memstore.NewWith(memstore.Options{MaxRecords: 1})
	for _, token := range []string{"first", "second"} {
		err := store.Insert(ctx, storage.Record{
			Kind:      storage.Access,
			Key:       storage.Key(token),
			State:     storage.Active,
			GrantID:   "g1",
			ClientID:  "app",
			IssuedAt:  time.Now(),
			ExpiresAt: time.Now().Add(time.Hour),
		})
		fmt.Println(err == nil)
	}
	// Output:
	// true
	// false
}
