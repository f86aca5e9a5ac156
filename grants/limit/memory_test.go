package limit_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants/limit"
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
