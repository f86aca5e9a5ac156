package limit_test

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// shared returns a limiter over a store.
func shared(
	t testing.TB, records storage.Records, limits map[string]limit.Limit,
) *limit.Shared {
	t.Helper()
	l, err := limit.NewShared(records, limits)
	require.NoError(t, err)
	return l
}

// try makes one guess, and requires that it is made at once, or refused for as
// long as wait.
func try(t *testing.T, l grants.Limiter, key string, ok bool, wait time.Duration) {
	t.Helper()
	done, got, err := l.Attempt(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, wait, got.Round(100*time.Millisecond))
	if got == 0 {
		done(ok)
	}
}

// Right guesses do not count, whatever their number, and free slots for
// guesses that wait on the other instance.
//
// Holds: house: shared limits.
func TestShared_SuccessesDoNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		limits := map[string]limit.Limit{"user": {Failures: 2, Window: time.Minute}, "off": {}}
		ls := []*limit.Shared{shared(t, store, limits), shared(t, store, limits)}
		for i := range 300 {
			try(t, ls[i%2], "user:a", true, 0)
			try(t, ls[i%2], "off:a", false, 0)
			try(t, ls[i%2], "other:a", false, 0)
		}
		first, _, err := ls[0].Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		second, _, err := ls[1].Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err = ls[1].Attempt(ctx, "user:a")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var passed atomic.Bool
		go func() {
			done, wait, err := ls[1].Attempt(context.Background(), "user:a")
			passed.Store(err == nil && wait == 0)
			done(true)
		}()
		synctest.Wait()
		require.False(t, passed.Load())
		first(true)
		first(false) // a second call has no effect
		time.Sleep(time.Second)
		require.True(t, passed.Load())
		second(false)
		try(t, ls[0], "user:a", false, 0)
		try(t, ls[0], "user:a", true, time.Minute)
		try(t, ls[1], "user:a", true, time.Minute)
		try(t, ls[1], "user:b", true, 0)
	})
}

// No period as long as the window has more failures than allowed, and every
// failure expires in the end, also with new instances and random times.
//
// Holds: RFC 6749 section 4.3.2; house: shared limits.
func TestShared_SlidingWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const allowed, window = 5, time.Minute
		store := memstore.New()
		var failed []time.Time
		refused := 0
		for i := 0; len(failed) < 200; i++ {
			l := shared(t, store, map[string]limit.Limit{"addr": {
				Failures: allowed,
				Window:   window,
			}}) // an instance that has just started
			for range mathrand.IntN(12) {
				done, wait, err := l.Attempt(t.Context(), "addr:x")
				require.NoError(t, err)
				live := 0
				for _, at := range failed {
					if time.Since(at) < window {
						live++
					}
				}
				if wait > 0 {
					refused++
					require.Equal(t, allowed, live)
					require.LessOrEqual(t, wait, window)
				} else {
					require.Less(t, live, allowed)
					ok := mathrand.IntN(4) == 0
					if done(ok); !ok {
						failed = append(failed, time.Now())
					}
				}
				time.Sleep(mathrand.N(10 * time.Second))
			}
			time.Sleep(mathrand.N(time.Minute) * time.Duration(mathrand.IntN(2)*(i%7)))
		}
		require.NotZero(t, refused)
		time.Sleep(5 * window)
		n, err := store.Sweep(t.Context(), time.Now(), 1_000_000)
		require.NoError(t, err)
		require.NotZero(t, n)
		left, _, err := store.List(t.Context(), storage.Query{})
		require.NoError(t, err)
		require.Empty(t, left, "everything expires")
	})
}

// A guess without a result counts as a failure: the process died, or the store
// was not reachable.
//
// Holds: house: shared limits.
func TestShared_LostGuessCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		limits := map[string]limit.Limit{"user": {Failures: 1, Window: time.Minute}}
		_, _, err := shared(t, store, limits).Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		l := shared(t, store, limits)
		try(t, l, "user:a", true, 45*time.Second) // waits for the lease and is refused then
		time.Sleep(45 * time.Second)
		try(t, l, "user:a", true, 0)
		broken := servertest.HookedRecords(store)
		l = shared(t, broken, limits)
		done, _, err := l.Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		broken.Fail(errors.New(servertest.StoreFault))
		done(true)
		broken.Pass()
		try(t, l, "user:a", true, 45*time.Second)
	})
}

// What a caller can make the store keep and do is bounded: refused guesses
// write nothing.
//
// Holds: house: shared limits.
func TestShared_WritesAreBounded(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	var writes, reads atomic.Int32
	counted := servertest.HookedRecords(store)
	counted.Before(func(_ context.Context, call servertest.Call) error {
		if call.Name == "Get" {
			reads.Add(1)
		} else {
			writes.Add(1)
		}
		return nil
	})
	l := shared(t, counted, map[string]limit.Limit{"user": {Failures: 10, Window: time.Hour}})
	for range 10 {
		try(t, l, "user:a", false, 0)
	}
	require.LessOrEqual(t, writes.Load(), int32(2*10+1))
	w, r := writes.Load(), reads.Load()
	for range 1000 {
		_, wait, err := l.Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		require.Positive(t, wait)
	}
	require.Equal(t, []int32{w, r}, []int32{writes.Load(), reads.Load()})
	l = shared(t, counted, map[string]limit.Limit{"user": {Failures: 10, Window: time.Hour}})
	_, wait, err := l.Attempt(t.Context(), "user:a")
	require.NoError(t, err)
	require.Positive(t, wait)
	require.Equal(t, w, writes.Load())
	require.LessOrEqual(t, reads.Load()-r, int32(20),
		"a newcomer finds the newest version by strides")
}

// Data in the store that no limiter wrote are an error, so that no guess is made.
//
// Holds: house: shared limits.
func TestShared_DamagedTallyIsAnError(t *testing.T) {
	t.Parallel()
	l := shared(t, damagedStore{memstore.New()}, nil)
	_, _, err := l.Attempt(t.Context(), "user:a")
	require.ErrorContains(t, err, "damaged")
}

// damagedStore answers with data that no limiter wrote.
type damagedStore struct{ storage.Records }

func (damagedStore) Get(context.Context, storage.Kind, string) (storage.Record, error) {
	return storage.Record{Data: []byte("{")}, nil
}

// A limit that the store cannot hold is refused by limit.NewShared.
func TestShared_ConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	for want, limits := range map[string]map[string]limit.Limit{
		"1000 failures": {"user": {Failures: 1001, Window: time.Minute}},
		"a second":      {"user": {Failures: 1}},
	} {
		_, err := limit.NewShared(memstore.New(), limits)
		require.ErrorContains(t, err, want)
		require.True(t, strings.HasPrefix(err.Error(), "limit: "))
	}
	_, err := limit.NewShared(nil, nil)
	require.ErrorContains(t, err, "missing")
	// Many names leave the cache bounded and remove no count.
	l := shared(t, memstore.New(), map[string]limit.Limit{"user": {
		Failures: 1,
		Window:   time.Hour,
	}})
	try(t, l, "user:first", false, 0)
	if !testing.Short() {
		for i := range 101_000 {
			_, _, err := l.Attempt(t.Context(), fmt.Sprint("user:", i%3, i))
			require.NoError(t, err)
		}
	}
	_, wait, err := l.Attempt(t.Context(), "user:first")
	require.NoError(t, err)
	require.Positive(t, wait)
}

// Where one era of records ends and the next begins, a slow instance and a
// fast one cannot both take the last slot.
//
// Holds: house: shared limits.
func TestShared_SlowWriterAtTheEndOfAnEra(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // synthetic time begins at the start of an era
		store := memstore.New()
		limits := map[string]limit.Limit{"user": {Failures: 1, Window: time.Minute}}
		slow := servertest.HookedRecords(store)
		slow.Before(func(_ context.Context, call servertest.Call) error {
			if call.Name == "Insert" {
				time.Sleep(2 * time.Second)
			}
			return nil
		})
		for _, begun := range []time.Duration{119 * time.Second,
			118*time.Second + 3*2*time.Minute} {
			time.Sleep(time.Until(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(begun)))
			var passed atomic.Int32
			guess := func(l *limit.Shared) {
				if done, wait, err := l.Attempt(context.Background(), "user:a"); err == nil &&
					wait == 0 {
					passed.Add(1)
					done(false)
				}
			}
			var wg sync.WaitGroup
			wg.Go(func() { guess(shared(t, slow, limits)) })
			for _, after := range []time.Duration{1500 * time.Millisecond, 2500 * time.Millisecond,
				4500 * time.Millisecond} {
				wg.Go(func() {
					time.Sleep(after)
					guess(shared(t, store, limits))
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, passed.Load())
		}
	})
}
