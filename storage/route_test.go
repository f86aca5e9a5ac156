package storage_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// tripwire is a store that calls functions around its methods.
type tripwire struct {
	*memstore.Store
	beforeInsert, afterInsert func() error
	beforeRevoke, afterRevoke func() error
	beforeGet                 func() error
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

func (s *tripwire) Insert(ctx context.Context, recs ...storage.Record) error {
	if err := call(s.beforeInsert); err != nil {
		return err
	}
	if err := s.Store.Insert(ctx, recs...); err != nil {
		return err
	}
	return call(s.afterInsert)
}

func (s *tripwire) Get(ctx context.Context, k storage.Kind, key string) (storage.Record, error) {
	if err := call(s.beforeGet); err != nil {
		return storage.Record{}, err
	}
	return s.Store.Get(ctx, k, key)
}

func (s *tripwire) Revoke(ctx context.Context, grant string, kinds ...storage.Kind) error {
	if err := call(s.beforeRevoke); err != nil {
		return err
	}
	if err := s.Store.Revoke(ctx, grant, kinds...); err != nil {
		return err
	}
	return call(s.afterRevoke)
}

// routed is a router and its three stores.
type routed struct {
	storage.Records
	codes, access, rest *tripwire
}

func newRouted() *routed {
	r := &routed{codes: &tripwire{Store: memstore.New()}, access: &tripwire{Store: memstore.New()}, rest: &tripwire{Store: memstore.New()}}
	r.Records = storage.Route(r.rest, map[storage.Kind]storage.Records{storage.Code: r.codes, storage.Access: r.access})
	return r
}

func (r *routed) stores() []*tripwire { return []*tripwire{r.codes, r.access, r.rest} }

// requireDead requires that no store has a usable record.
func (r *routed) requireDead(t *testing.T) {
	t.Helper()
	for _, s := range r.stores() {
		q := storage.Query{Limit: 1000}
		for {
			recs, next, err := s.List(context.Background(), q)
			require.NoError(t, err)
			for _, rec := range recs {
				require.Equal(t, storage.Revoked, rec.State, "%s %s", rec.Kind, rec.Subject)
			}
			if q.After = next; next == "" {
				break
			}
		}
	}
}

func item(kind storage.Kind, name string) storage.Record {
	return storage.Record{
		Kind: kind, Key: storage.Key(string(kind) + name), State: storage.Active, GrantID: "grant", ClientID: "client", Subject: name,
		IssuedAt: time.Now().UTC(), ExpiresAt: time.Now().Add(time.Hour).UTC(),
	}
}

func as(r storage.Record, s storage.State) storage.Record { r.State = s; return r }

// A router with one store for every kind keeps every promise of that store.
//
// Holds: house: one contract for stores; house: stores by kind.
func TestRoute_OneStoreKeepsContract(t *testing.T) {
	t.Parallel()
	storagetest.RunWith(t, storagetest.Options{Rounds: 20, Objects: 100}, func(*testing.T) storage.Records {
		m := memstore.New()
		return storage.Route(m, map[storage.Kind]storage.Records{storage.Code: m, storage.Access: m})
	})
}

// With codes, access tokens and refresh tokens in one store, and each other
// kind in a store of its own, every promise is kept.
//
// Holds: house: one contract for stores; house: one write;
// house: revocation has no gap; house: stores by kind; house: used once.
func TestRoute_TokensTogetherKeepContract(t *testing.T) {
	t.Parallel()
	storagetest.RunWith(t, storagetest.Options{Rounds: 20, Objects: 100}, func(*testing.T) storage.Records {
		apart := map[storage.Kind]storage.Records{}
		for _, k := range []storage.Kind{storage.DeviceCode, storage.UserCode, storage.Pushed, storage.Interaction, storage.Consent, storage.Used} {
			apart[k] = memstore.New()
		}
		return storage.Route(memstore.New(), apart)
	})
}

// With tokens in different stores, one attempt succeeds, a revocation has no
// gap, and a failed write leaves no usable record.
//
// Holds: house: one write; house: revocation has no gap; house: stores by kind;
// house: used once.
func TestRoute_TokensApartKeepReducedContract(t *testing.T) {
	t.Parallel()
	storagetest.RunWith(t, storagetest.Options{Rounds: 20, Objects: 100, Spread: true}, func(*testing.T) storage.Records {
		return newRouted().Records
	})
}

// A write across stores that could not be taken back is refused before it
// reaches any store.
//
// Holds: house: one write; house: stores by kind.
func TestRoute_RefusesIrrevocableWrites(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), newRouted()
	code, access, loner := item(storage.Code, "c"), item(storage.Access, "a"), item(storage.Refresh, "loner")
	loner.GrantID = ""
	require.NoError(t, r.Insert(ctx, code, item(storage.Code, "another")))
	const refused = "storage: Route: a refresh record without a grant"
	require.ErrorContains(t, r.Insert(ctx, access, loner), refused)
	require.ErrorContains(t, r.Insert(ctx, loner, access), refused)
	require.ErrorContains(t, r.Advance(ctx, storage.Active, as(code, storage.Spent), loner), refused)
	require.ErrorContains(t, r.Advance(ctx, storage.Active, as(code, storage.Spent), access, loner), refused)
	require.Equal(t, []int{2, 0, 0}, []int{r.codes.Len(), r.access.Len(), r.rest.Len()})
	got, err := r.Get(ctx, storage.Code, code.Key)
	require.NoError(t, err)
	require.Equal(t, storage.Active, got.State)
	require.NoError(t, r.Insert(ctx, loner), "alone it can be written")
	loner.Key += "2"
	require.NoError(t, r.Advance(ctx, storage.Active, as(item(storage.Refresh, "loner"), storage.Spent), loner), "and together with its store's own")
}

// With codes, access tokens and refresh tokens in three stores, each record is
// found, spent once, and revoked with its grant.
//
// Holds: house: one winner; house: revocation has no gap; house: stores by kind;
// house: used once.
func TestRoute_ThreeStores(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), newRouted()
	code, access, refresh := item(storage.Code, "c"), item(storage.Access, "a"), item(storage.Refresh, "r")
	require.NoError(t, r.Insert(ctx, code))
	var wins int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			err := r.Advance(ctx, storage.Active, as(code, storage.Spent), item(storage.Access, fmt.Sprint(i)), item(storage.Refresh, fmt.Sprint(i)))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				wins++
			} else if !errors.Is(err, storage.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, wins)
	require.Equal(t, []int{1, 1, 1}, []int{r.codes.Len(), r.access.Len(), r.rest.Len()})
	require.NoError(t, r.Insert(ctx, access, refresh))
	require.ErrorIs(t, r.Insert(ctx, access), storage.ErrExists)
	got, err := r.Get(ctx, storage.Access, access.Key)
	require.NoError(t, err)
	require.Equal(t, storage.Active, got.State, "a taken key in one store revokes nothing")

	require.NoError(t, r.Revoke(ctx, "grant", storage.Access))
	got, err = r.Get(ctx, storage.Refresh, refresh.Key)
	require.NoError(t, err)
	require.Equal(t, storage.Active, got.State, "no kind of a store's is not every kind")
	require.NoError(t, r.Revoke(ctx, "grant"))
	r.requireDead(t)
}

// If the tokens cannot be stored, the code is spent, the stored tokens are
// revoked, and the call fails. The same happens if the caller has gone
// meanwhile.
//
// Holds: house: one write; house: stores by kind.
func TestRoute_FailureLeavesNoToken(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk full")
	for name, arm := range map[string]func(r *routed, cancel func()){
		"first store, before":   func(r *routed, _ func()) { r.rest.beforeInsert = func() error { return broken } },
		"first store, after":    func(r *routed, _ func()) { r.rest.afterInsert = func() error { return broken } },
		"second store, before":  func(r *routed, _ func()) { r.access.beforeInsert = func() error { return broken } },
		"second store, after":   func(r *routed, _ func()) { r.access.afterInsert = func() error { return broken } },
		"caller gone meanwhile": func(r *routed, cancel func()) { r.access.beforeInsert = func() error { cancel(); return broken } },
		"record unreadable":     func(r *routed, _ func()) { r.codes.beforeGet = func() error { return broken } },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := newRouted()
			code := item(storage.Code, "c")
			require.NoError(t, r.Insert(ctx, code))
			arm(r, cancel)
			err := r.Advance(ctx, storage.Active, as(code, storage.Spent), item(storage.Access, "a"), item(storage.Refresh, "r"))
			require.ErrorIs(t, err, broken)
			r.requireDead(t)
		})
	}
	t.Run("taken key", func(t *testing.T) {
		ctx, r := t.Context(), newRouted()
		code, taken := item(storage.Code, "c"), item(storage.Access, "a")
		taken.GrantID = "of another"
		require.NoError(t, r.Insert(ctx, code, taken))
		require.ErrorIs(t, r.Advance(ctx, storage.Active, as(code, storage.Spent), item(storage.Access, "a"), item(storage.Refresh, "r")), storage.ErrExists)
		got, err := r.Get(ctx, storage.Access, taken.Key)
		require.NoError(t, err)
		require.Equal(t, taken.GrantID, got.GrantID)
		require.Equal(t, storage.Active, got.State)
		got, err = r.Get(ctx, storage.Code, code.Key)
		require.NoError(t, err)
		require.Equal(t, storage.Revoked, got.State)
	})
	t.Run("revocation fails too", func(t *testing.T) {
		ctx, r := t.Context(), newRouted()
		code := item(storage.Code, "c")
		require.NoError(t, r.Insert(ctx, code))
		gone := errors.New("gone")
		r.access.beforeInsert = func() error { return broken }
		r.access.beforeRevoke = func() error { return gone }
		err := r.Advance(ctx, storage.Active, as(code, storage.Spent), item(storage.Access, "a"), item(storage.Refresh, "r"))
		require.ErrorIs(t, err, broken)
		require.ErrorIs(t, err, gone)
		r.requireDead(t) // the others are revoked all the same
	})
	t.Run("lost conflict touches nothing", func(t *testing.T) {
		ctx, r := t.Context(), newRouted()
		code, earlier := item(storage.Code, "c"), item(storage.Access, "earlier")
		require.NoError(t, r.Insert(ctx, as(code, storage.Spent), earlier))
		require.ErrorIs(t, r.Advance(ctx, storage.Active, as(code, storage.Spent), item(storage.Access, "a")), storage.ErrConflict)
		got, err := r.Get(ctx, storage.Access, earlier.Key)
		require.NoError(t, err)
		require.Equal(t, storage.Active, got.State)
	})
}

// A revocation between the steps of an Advance, at any point, leaves nothing
// active.
//
// Holds: house: one write; house: revocation has no gap; house: stores by kind.
func TestRoute_RevokeBetweenTheStepsOfAdvance(t *testing.T) {
	t.Parallel()
	points := map[string]func(r *routed, f func() error){
		"before the first insert":  func(r *routed, f func() error) { r.rest.beforeInsert = f },
		"after the first insert":   func(r *routed, f func() error) { r.rest.afterInsert = f },
		"before the second insert": func(r *routed, f func() error) { r.access.beforeInsert = f },
		"after the second insert":  func(r *routed, f func() error) { r.access.afterInsert = f },
		"before the second look":   func(r *routed, f func() error) { r.codes.beforeGet = f },
	}
	for name, at := range points {
		t.Run(name, func(t *testing.T) {
			ctx, r := t.Context(), newRouted()
			code := item(storage.Code, "c")
			require.NoError(t, r.Insert(ctx, code))
			at(r, func() error { return r.Revoke(ctx, "grant") })
			require.ErrorIs(t, r.Advance(ctx, storage.Active, as(code, storage.Spent), item(storage.Access, "a"), item(storage.Refresh, "r")), storage.ErrConflict)
			r.requireDead(t)
		})
	}
}

// Advances between the steps of a Revoke leave nothing active, at any point and
// even if one depends on another.
//
// Holds: house: revocation has no gap; house: stores by kind.
func TestRoute_AdvanceBetweenTheStepsOfRevoke(t *testing.T) {
	t.Parallel()
	const steps = 18 // before and after each store, in each of three passes
	for first := range steps {
		for second := first; second < steps; second++ {
			ctx, r := t.Context(), newRouted()
			code := item(storage.Code, "c")
			require.NoError(t, r.Insert(ctx, code))
			step := 0
			at := func() error {
				if step == first {
					_ = r.Advance(ctx, storage.Active, as(code, storage.Spent), item(storage.Refresh, "r1"), item(storage.Access, "a1"))
				}
				if step == second {
					_ = r.Advance(ctx, storage.Active, as(item(storage.Refresh, "r1"), storage.Spent), item(storage.Refresh, "r2"), item(storage.Access, "a2"))
				}
				step++
				return nil
			}
			for _, s := range r.stores() {
				s.beforeRevoke, s.afterRevoke = at, at
			}
			require.NoError(t, r.Revoke(ctx, "grant"))
			require.GreaterOrEqual(t, step, steps)
			r.requireDead(t)
		}
	}
}

// Revocations and chains of Advances at the same time leave nothing active.
//
// Holds: house: revocation has no gap; house: stores by kind.
func TestRoute_RevokeRacesChains(t *testing.T) {
	t.Parallel()
	rounds := 100
	if testing.Short() {
		rounds = 30
	}
	for range rounds {
		ctx, r := t.Context(), newRouted()
		var wg sync.WaitGroup
		started := make(chan struct{}, 3)
		var revoked atomic.Bool
		for c := range 3 {
			code := item(storage.Code, fmt.Sprint(c))
			require.NoError(t, r.Insert(ctx, code))
			wg.Go(func() {
				from := code
				for n := range 2000 { // an end, if the revocation has none
					late := revoked.Load()
					next := item(storage.Refresh, fmt.Sprint(c, ".", n))
					err := r.Advance(ctx, storage.Active, as(from, storage.Spent), next, item(storage.Access, fmt.Sprint(c, ".", n)))
					if n == 0 {
						started <- struct{}{}
					}
					if err != nil {
						if !errors.Is(err, storage.ErrConflict) {
							t.Error(err)
						}
						return
					}
					if late {
						t.Error("a chain has outlived its revocation")
						return
					}
					from = next
				}
			})
		}
		<-started
		if err := r.Revoke(ctx, "grant"); err != nil {
			t.Error(err)
		}
		revoked.Store(true)
		wg.Wait()
		r.requireDead(t)
	}
}

// A store that fails to revoke fails the call. The other stores are revoked all
// the same.
//
// Holds: house: revocation has no gap.
func TestRoute_RevokeContinuesAfterAFailure(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), newRouted()
	require.NoError(t, r.Insert(ctx, item(storage.Refresh, "r")))
	require.NoError(t, r.Insert(ctx, item(storage.Access, "a")))
	gone := errors.New("gone")
	r.codes.beforeRevoke = func() error { return gone }
	require.ErrorIs(t, r.Revoke(ctx, "grant"), gone)
	r.requireDead(t)
}

// Sweep and List reach every store.
//
// Holds: house: stores by kind; house: sweeping.
func TestRoute_SweepsAndLists(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), newRouted()
	want := map[string]bool{}
	for i := range 10 {
		for _, kind := range []storage.Kind{storage.Code, storage.Access, storage.Refresh} {
			rec := item(kind, fmt.Sprint(i))
			require.NoError(t, r.Insert(ctx, rec))
			want[string(kind)+rec.Key] = true
		}
	}
	require.NoError(t, r.rest.Store.Insert(ctx, item(storage.Code, "left by another configuration")))
	lister := r.Records.(storage.Lister)
	list := func(q storage.Query) int {
		seen := map[string]bool{}
		for {
			page, next, err := lister.List(ctx, q)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), q.Limit)
			for _, rec := range page {
				require.True(t, want[string(rec.Kind)+rec.Key])
				require.False(t, seen[string(rec.Kind)+rec.Key], "listed twice")
				seen[string(rec.Kind)+rec.Key] = true
			}
			if q.After = next; next == "" {
				return len(seen)
			}
		}
	}
	for _, limit := range []int{1, 3, 5, 10, 100} {
		require.Equal(t, 30, list(storage.Query{Limit: limit}))
		require.Equal(t, 10, list(storage.Query{Limit: limit, Kind: storage.Access}))
	}
	for _, cursor := range []string{"garbage", "0.", "0.x", "1.x", "3.", "-1.", "+1.", "01.", "1", ".", "99999999999999999999."} {
		_, _, err := lister.List(ctx, storage.Query{After: cursor})
		require.Error(t, err, cursor)
	}
	later := time.Now().Add(2 * time.Hour)
	removed := 0
	for _, most := range []int{7, 7, 7, 7, 7} {
		n, err := r.Records.(storage.Sweeper).Sweep(ctx, later, most)
		require.NoError(t, err)
		require.LessOrEqual(t, n, most)
		removed += n
	}
	require.Equal(t, 31, removed)
}

// A router without a store is a mistake of the programmer.
func TestRoute_NilStorePanics(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { storage.Route(nil, nil) })
	require.Panics(t, func() { storage.Route(memstore.New(), map[storage.Kind]storage.Records{storage.Code: nil}) })
}
