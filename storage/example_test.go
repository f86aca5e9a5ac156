package storage_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// check ends an example if the store failed.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// issued returns an active record of ann's grant g1 to the client app.
func issued(kind storage.Kind, secret string) storage.Record {
	now := time.Now().UTC()
	return storage.Record{Kind: kind, Key: storage.Key(secret), State: storage.Active, GrantID: "g1", ClientID: "app", Subject: "ann",
		Scope: []string{"read"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
}

// A code is spent and its tokens are stored in one step, which succeeds once.
func ExampleRecords() {
	ctx := context.Background()
	var store storage.Records = memstore.New()
	code := issued(storage.Code, "the code")
	check(store.Insert(ctx, code))

	code.State = storage.Spent
	fmt.Println(store.Advance(ctx, storage.Active, code, issued(storage.Access, "first"), issued(storage.Refresh, "refresh")))
	fmt.Println(store.Advance(ctx, storage.Active, code, issued(storage.Access, "second")))

	_, err := store.Get(ctx, storage.Access, storage.Key("second"))
	fmt.Println(err)

	// The code was presented again, so everything that was issued for it ends.
	check(store.Revoke(ctx, "g1"))
	access, err := store.Get(ctx, storage.Access, storage.Key("first"))
	fmt.Println(access.State == storage.Revoked, err)
	// Output:
	// <nil>
	// storage: state differs
	// storage: not found
	// true <nil>
}

// A revocation may be of some kinds only. The refresh token stays active here.
func ExampleRecords_revokeByKind() {
	ctx, store := context.Background(), memstore.New()
	check(store.Insert(ctx, issued(storage.Access, "access"), issued(storage.Refresh, "refresh")))
	check(store.Revoke(ctx, "g1", storage.Access))
	for kind, secret := range map[storage.Kind]string{storage.Access: "access", storage.Refresh: "refresh"} {
		rec, err := store.Get(ctx, kind, storage.Key(secret))
		check(err)
		fmt.Println(kind, rec.State == storage.Active)
	}
	// Unordered output:
	// access false
	// refresh true
}

func ExampleUseOnce() {
	ctx, store := context.Background(), memstore.New()
	until := time.Now().Add(time.Hour) // when the assertion expires: from then on it is refused for that
	for range 2 {
		fmt.Println(storage.UseOnce(ctx, store, "https://idp.example", "jti-1", until))
	}
	// Output:
	// true <nil>
	// false <nil>
}

// Kinds that are written alone may have a store of their own. Codes, access
// tokens and refresh tokens stay together.
func ExampleRoute() {
	ctx, tokens, marks := context.Background(), memstore.New(), memstore.New()
	store := storage.Route(tokens, map[storage.Kind]storage.Records{storage.Used: marks, storage.Pushed: marks})
	check(store.Insert(ctx, issued(storage.Access, "access"), issued(storage.Refresh, "refresh")))
	_, err := storage.UseOnce(ctx, store, "https://idp.example", "jti-1", time.Now().Add(time.Hour))
	fmt.Println(tokens.Len(), marks.Len(), err)
	// Output:
	// 2 1 <nil>
}

// Data is encrypted before it reaches the store. The first key encrypts, and
// all of them decrypt.
func ExampleSeal() {
	ctx, database := context.Background(), memstore.New()
	old, current := make([]byte, 32), []byte("32 random bytes of a secret store")[:32]
	store, err := storage.Seal(database, current, old)
	check(err)
	code := issued(storage.Code, "the code")
	code.Data = []byte(`{"email":"ann@example.com"}`)
	check(store.Insert(ctx, code))

	open, err := store.Get(ctx, storage.Code, code.Key)
	fmt.Printf("%s %v\n", open.Data, err)
	sealed, err := database.Get(ctx, storage.Code, code.Key)
	fmt.Println(string(sealed.Data) == string(code.Data), len(sealed.Data)-len(code.Data) == storage.SealOverhead, err)
	// Output:
	// {"email":"ann@example.com"} <nil>
	// false true <nil>
}

// Expired records never validate, whether or not they were swept. A host sweeps
// regularly, in batches.
func ExampleSweeper() {
	ctx, store := context.Background(), memstore.New()
	for i := range 5 {
		rec := issued(storage.Access, fmt.Sprint(i))
		rec.ExpiresAt = time.Now().Add(-time.Minute)
		check(store.Insert(ctx, rec))
	}
	var sweeper storage.Sweeper = store
	for {
		n, err := sweeper.Sweep(ctx, time.Now(), 2)
		fmt.Println(n, err)
		if err != nil || n < 2 {
			return
		}
	}
	// Output:
	// 2 <nil>
	// 2 <nil>
	// 1 <nil>
}

// The records of one user, page by page.
func ExampleLister() {
	ctx, store := context.Background(), memstore.New()
	for i := range 5 {
		check(store.Insert(ctx, issued(storage.Access, fmt.Sprint(i))))
	}
	var lister storage.Lister = store
	q := storage.Query{Subject: "ann", Kind: storage.Access, Limit: 2}
	for {
		page, next, err := lister.List(ctx, q)
		fmt.Println(len(page), err)
		if q.After = next; next == "" || err != nil {
			return
		}
	}
	// Output:
	// 2 <nil>
	// 2 <nil>
	// 1 <nil>
}

// An invalid client is refused with every reason.
func ExampleRegistrar() {
	ctx := context.Background()
	var store storage.Registrar = memstore.New()
	client := storage.Client{ID: "app", AuthMethod: storage.AuthNone, RedirectURIs: []string{"javascript:alert(1)"}}
	fmt.Println(store.PutClient(ctx, client) != nil)

	client.RedirectURIs = []string{"https://app.example/callback"}
	fmt.Println(store.PutClient(ctx, client))
	got, err := store.Client(ctx, "app")
	fmt.Println(got.Public(), got.AllowsGrant("authorization_code"), err)
	fmt.Println(store.DeleteClient(ctx, "app"))
	_, err = store.Client(ctx, "app")
	fmt.Println(errors.Is(err, storage.ErrNotFound))
	// Output:
	// true
	// <nil>
	// true true <nil>
	// <nil>
	// true
}

// A caller that changes a client names the version that it has read.
func ExampleSwapper() {
	ctx := context.Background()
	store := memstore.New()
	var swapper storage.Swapper = store
	seen := storage.Client{ID: "app", AuthMethod: storage.AuthNone, RedirectURIs: []string{"https://app.example/callback"}}
	check(swapper.SwapClient(ctx, nil, seen))

	mine, theirs := seen.Clone(), seen.Clone()
	mine.Name, theirs.Name = "My app", "Their app"
	fmt.Println(swapper.SwapClient(ctx, &seen, theirs))
	fmt.Println(swapper.SwapClient(ctx, &seen, mine))
	// Output:
	// <nil>
	// storage: state differs
}

func ExampleOriginFinder() {
	ctx, store := context.Background(), memstore.New()
	check(store.PutClient(ctx, storage.Client{ID: "app", AuthMethod: storage.AuthNone, RedirectURIs: []string{"https://app.example/callback"},
		Origins: []string{"https://app.example"}}))
	var finder storage.OriginFinder = store
	fmt.Println(finder.HasOrigin(ctx, "https://app.example"))
	fmt.Println(finder.HasOrigin(ctx, "https://evil.example"))
	// Output:
	// true <nil>
	// false <nil>
}
