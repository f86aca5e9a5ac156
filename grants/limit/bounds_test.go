package limit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// A caller with many names cannot fill the memory: of 101,000 keys that failed, at most
// 100,000 are remembered. A key with a guess under way is not forgotten.
//
// Holds: house: fault of overload.
func TestMemory_NumberOfKeysIsBounded(t *testing.T) {
	t.Parallel()
	const keys, most = 101_000, 100_000
	l := limit.NewMemory(map[string]limit.Limit{"user": {Failures: 1, Window: time.Hour}})
	underway, _, err := l.Attempt(t.Context(), "user:under way")
	require.NoError(t, err)
	for i := range keys {
		done, wait, err := l.Attempt(t.Context(), fmt.Sprint("user:", i))
		require.NoError(t, err)
		require.Zero(t, wait)
		done(false)
	}

	remembered := 0
	for i := range keys {
		done, wait, err := l.Attempt(t.Context(), fmt.Sprint("user:", i))
		require.NoError(t, err)
		if wait > 0 {
			remembered++
		} else {
			done(true)
		}
	}
	require.LessOrEqual(t, remembered, most)
	require.Greater(t, remembered, most/2, "and no more is forgotten than has to be")
	underway(false)
	_, wait, err := l.Attempt(t.Context(), "user:under way")
	require.NoError(t, err)
	require.Positive(t, wait)
}

// The bounds of a limit in a store, inclusive. A kind without a limit has no window.
//
// Holds: house: configuration errors.
func TestShared_LimitsAreBounded(t *testing.T) {
	t.Parallel()
	for _, l := range []limit.Limit{{Failures: 1000, Window: time.Second}, {Failures: 1, Window: time.Hour}, {}} {
		_, err := limit.NewShared(memstore.New(), map[string]limit.Limit{"user": l})
		require.NoError(t, err, "%+v", l)
	}
	for _, l := range []limit.Limit{
		{Failures: 1001, Window: time.Minute},
		{Failures: 1, Window: time.Second - 1},
		{Failures: 1},
	} {
		_, err := limit.NewShared(memstore.New(), map[string]limit.Limit{"user": l})
		require.Error(t, err, "%+v", l)
	}
}

// before are what may have happened to a key before a guess.
var before = map[string]func(t *testing.T, store storage.Records, limits map[string]limit.Limit) *limit.Shared{
	"nothing": func(t *testing.T, store storage.Records, limits map[string]limit.Limit) *limit.Shared {
		return shared(t, store, limits)
	},
	"a failure at another instance": func(t *testing.T, store storage.Records, limits map[string]limit.Limit) *limit.Shared {
		try(t, shared(t, store, limits), "user:a", false, 0)
		return shared(t, store, limits)
	},
	"another instance was first": func(t *testing.T, store storage.Records, limits map[string]limit.Limit) *limit.Shared {
		l := shared(t, store, limits)
		try(t, l, "user:a", true, 0)
		try(t, shared(t, store, limits), "user:a", false, 0)
		return l
	},
	"an era ended": func(t *testing.T, store storage.Records, limits map[string]limit.Limit) *limit.Shared {
		l := shared(t, store, limits)
		try(t, l, "user:a", true, 0)
		time.Sleep(2 * time.Minute)
		try(t, shared(t, store, limits), "user:a", false, 0)
		return l
	},
	"two failures at another instance": func(t *testing.T, store storage.Records, limits map[string]limit.Limit) *limit.Shared {
		l := shared(t, store, limits)
		try(t, l, "user:a", true, 0)
		other := shared(t, store, limits)
		try(t, other, "user:a", false, 0)
		try(t, other, "user:a", false, 0)
		return l
	},
}

// Each call of the store fails in turn. Then no guess may be made, and the next one is
// decided as if nothing had happened.
//
// Holds: house: store fails closed; house: shared limits; house: fault of each call.
func TestShared_StoreFailureLetsNoGuessPass(t *testing.T) {
	t.Parallel()
	limits := map[string]limit.Limit{"user": {Failures: 2, Window: time.Minute}}
	for name, prepare := range before {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 1
			for n := 1; n <= calls; n++ {
				synctest.Test(t, func(t *testing.T) {
					store := servertest.HookedRecords(memstore.New())
					l := prepare(t, store, limits)
					total := 0
					store.Before(func(context.Context, servertest.Call) error {
						if total++; total == n {
							return errors.New(servertest.StoreFault)
						}
						return nil
					})
					done, wait, err := l.Attempt(t.Context(), "user:a")
					store.Pass()
					calls = max(calls, total)
					if n > total {
						require.NoError(t, err)
						require.Equal(t, name == "two failures at another instance", wait > 0)
						return
					}
					calls = n + 1
					require.Error(t, err, "call %d", n)
					require.Nil(t, done)
					require.Zero(t, wait)
				})
			}
			require.Greater(t, calls, 1)
		})
	}
}

// A guess whose outcome the store did not take counts as wrong once it was waited for,
// also a right one. No call blocks.
//
// Holds: house: store fails closed; house: shared limits.
func TestShared_OutcomeThatIsLostCountsAsWrong(t *testing.T) {
	t.Parallel()
	for _, right := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			limits := map[string]limit.Limit{"user": {Failures: 1, Window: time.Minute}}
			store := servertest.HookedRecords(memstore.New())
			l := shared(t, store, limits)
			done, _, err := l.Attempt(t.Context(), "user:a")
			require.NoError(t, err)
			store.Fail(errors.New(servertest.StoreFault))
			done(right)
			store.Pass()
			start := time.Now()
			_, wait, err := shared(t, store, limits).Attempt(t.Context(), "user:a")
			require.NoError(t, err)
			require.Positive(t, wait)
			require.Less(t, time.Since(start), 16*time.Second)
		})
	}
}

// The outcome of a guess counts although its request has ended, its era is long over,
// or another instance wrote meanwhile.
//
// Holds: house: shared limits; house: any instance.
func TestShared_OutcomeCountsInAnyCase(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(t *testing.T, other *limit.Shared, cancel func()){
		"nothing":           func(*testing.T, *limit.Shared, func()) {},
		"the request ended": func(_ *testing.T, _ *limit.Shared, cancel func()) { cancel() },
		"the era is over":   func(*testing.T, *limit.Shared, func()) { time.Sleep(5 * time.Minute) },
		"another wrote":     func(t *testing.T, other *limit.Shared, _ func()) { try(t, other, "user:a", true, 0) },
		"another wrote, later": func(t *testing.T, other *limit.Shared, _ func()) {
			time.Sleep(5 * time.Minute)
			try(t, other, "user:a", true, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limits := map[string]limit.Limit{"user": {Failures: 2, Window: time.Minute}}
				store := memstore.New()
				l, other := shared(t, store, limits), shared(t, store, limits)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done, wait, err := l.Attempt(ctx, "user:a")
				require.NoError(t, err)
				require.Zero(t, wait)
				meanwhile(t, other, cancel)
				done(false)

				last := shared(t, store, limits)
				try(t, last, "user:a", false, 0)
				try(t, other, "user:a", false, time.Minute)
			})
		})
	}
}
