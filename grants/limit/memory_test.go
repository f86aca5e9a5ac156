package limit_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/storage"
)

// Each failure counts for its own window. Successes do not count.
func TestMemory_FailuresCountForTheirWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewMemory(map[string]limit.Limit{
			"user": {Failures: 2, Window: time.Minute},
			"off":  {},
		})
		try := func(key string, ok bool) time.Duration {
			done, wait, err := l.Attempt(t.Context(), key)
			require.NoError(t, err)
			if wait == 0 {
				done(ok)
				done(!ok) // a second call has no effect
			}
			return wait
		}
		require.Zero(t, try("user:a", false))
		time.Sleep(10 * time.Second)
		require.Zero(t, try("user:a", true))
		require.Zero(t, try("user:a", false))
		require.Equal(t, 50*time.Second, try("user:a", true))
		require.Zero(t, try("user:b", true))
		for range 10 {
			require.Zero(t, try("off:a", false))
			require.Zero(t, try("other:a", false))
		}
		time.Sleep(50 * time.Second)
		require.Zero(t, try("user:a", true))
		require.Zero(t, try("user:a", false))
		require.Equal(t, 10*time.Second, try("user:a", false))
	})
}

// Near the limit a guess waits for those in progress: a success frees a slot,
// a failure takes it, and a caller whose context ends stops waiting.
func TestMemory_GuessesWaitNearTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewMemory(map[string]limit.Limit{"user": {
			Failures: 1,
			Window:   time.Minute,
		}})
		done, _, err := l.Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err = l.Attempt(ctx, "user:a")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var passed, refused atomic.Int32
		for range 3 {
			go func() {
				d, wait, err := l.Attempt(context.Background(), "user:a")
				if err != nil || wait > 0 {
					refused.Add(1)
					return
				}
				passed.Add(1)
				d(false)
			}()
		}
		synctest.Wait()
		require.Zero(t, passed.Load()+refused.Load())
		done(true)
		synctest.Wait()
		require.EqualValues(t, 1, passed.Load())
		require.EqualValues(t, 2, refused.Load())
	})
}

// fail makes one wrong guess and reports whether it was allowed.
func fail(t *testing.T, l grants.Limiter, key string) bool {
	t.Helper()
	done, wait, err := l.Attempt(t.Context(), key)
	require.NoError(t, err)
	if wait == 0 {
		done(false)
	}

	return wait == 0
}

// Many names take no more memory than the bound allows. They push out the names that
// were tried longest ago, none of another kind, and no guess in progress.
func TestMemory_IsBounded(t *testing.T) {
	t.Parallel()
	l := limit.NewMemory(map[string]limit.Limit{
		"user": {Failures: 1, Window: time.Hour},
		"addr": {Failures: 1, Window: time.Hour},
	})
	require.True(t, fail(t, l, "addr:victim"))
	require.True(t, fail(t, l, "user:old"))
	require.True(t, fail(t, l, "user:tried again"))
	held, _, err := l.Attempt(t.Context(), "user:held")
	require.NoError(t, err)
	for i := range 60_000 {
		require.True(t, fail(t, l, fmt.Sprint("user:a", i)))
	}
	require.False(t, fail(t, l, "user:tried again"))
	for i := range 60_000 {
		require.True(t, fail(t, l, fmt.Sprint("user:b", i)))
	}

	held(false)
	require.False(t, fail(t, l, "user:held"))
	require.False(t, fail(t, l, "user:tried again"))
	require.False(t, fail(t, l, "addr:victim"))
	require.False(t, fail(t, l, "user:b0"))
	require.True(t, fail(t, l, "user:old"), "a key beyond the bound is kept")
}

// A class of clients without a limit of its own shares the table of "client", so that
// classes take no more memory than clients.
func TestMemory_ClassesShareTheirTable(t *testing.T) {
	t.Parallel()
	l := limit.NewMemory(map[string]limit.Limit{
		"client":       {Failures: 1, Window: time.Hour},
		"client/batch": {Failures: 2, Window: time.Hour},
	})
	require.True(t, fail(t, l, "client/other:old"))
	require.True(t, fail(t, l, "client/batch:a"))
	for i := range 100_000 {
		require.True(t, fail(t, l, fmt.Sprintf("client/class%d:a", i)))
	}
	require.True(t, fail(t, l, "client/other:old"), "a key beyond the bound is kept")
	require.True(t, fail(t, l, "client/batch:a"))
	require.False(t, fail(t, l, "client/batch:a"))
}

// Work without a limit of the host has that of Default; guesses have none. A host may
// turn it off. Shared counts work without its store, which is nil here.
func TestWork_IsLimitedByDefault(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]func(limits map[string]limit.Limit) grants.Limiter{
		"memory": func(limits map[string]limit.Limit) grants.Limiter { return limit.NewMemory(limits) },
		"shared": func(limits map[string]limit.Limit) grants.Limiter {
			l, err := limit.NewShared(struct{ storage.Records }{}, limits)
			require.NoError(t, err)
			return l
		},
	} {
		for kind, want := range map[string]int{"assertion": 1000, "waiting": 1000} {
			l := with(map[string]limit.Limit{})
			got := 0
			for got < 2000 && fail(t, l, kind+":192.0.2.1") {
				got++
			}
			require.Equal(t, want, got, "%s: %s", name, kind)
			require.True(t, fail(t, l, kind+":192.0.2.2"), "%s: %s", name, kind)

			off := with(map[string]limit.Limit{kind: {}})
			for range want + 1 {
				require.True(t, fail(t, off, kind+":192.0.2.1"), "%s: %s", name, kind)
			}
		}
		if name == "memory" {
			require.True(t, fail(t, with(map[string]limit.Limit{}), "user:a"))
		}
	}
	own := map[string]limit.Limit{"user": {Failures: 1, Window: time.Second}}
	limit.NewMemory(own)
	require.Len(t, own, 1, "the host's map is its own")
}
