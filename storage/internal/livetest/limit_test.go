//go:build linux

package livetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/storage"
)

// Two instances that share a limit over a real store let exactly the allowed
// number of concurrent wrong guesses pass, and let right ones pass one after
// the other.
//
// Holds: RFC 6749 section 4.3.2; house: shared limits.
func TestSharedLimiter_OverEachStore(t *testing.T) {
	for name, stores := range twoInstances() {
		t.Run(name, func(t *testing.T) {
			const allowed, guesses = 5, 24
			var limiters []grants.Limiter
			list := stores(t)
			for _, s := range list {
				l, err := limit.NewShared(s, map[string]limit.Limit{"user": {Failures: allowed, Window: time.Hour}})
				require.NoError(t, err)
				limiters = append(limiters, l)
			}
			guess := func(i int, key string, right bool) (made bool) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				done, wait, err := limiters[i%2].Attempt(ctx, key)
				if err != nil {
					t.Error(err)
				}
				if made = err == nil && wait == 0; made {
					done(right)
				}
				return made
			}
			for round := range 5 {
				key := fmt.Sprint("user:", round)
				for i := range 6 {
					require.True(t, guess(i, key, true))
				}
				var made atomic.Int32
				var wg sync.WaitGroup
				for i := range guesses {
					wg.Go(func() {
						if guess(i, key, false) {
							made.Add(1)
						}
					})
				}
				wg.Wait()
				require.EqualValues(t, allowed, made.Load())
				require.False(t, guess(round, key, true))
			}
			// The records of the limit are swept after their time, if the store
			// does not remove them by itself.
			if sweeper, ok := list[0].(storage.Sweeper); ok {
				_, err := sweeper.Sweep(t.Context(), time.Now().Add(24*time.Hour), 1000)
				require.NoError(t, err)
				_, err = list[0].Get(t.Context(), limit.Guesses, "x")
				require.True(t, errors.Is(err, storage.ErrNotFound))
				recs, _, err := list[0].(storage.Lister).List(t.Context(), storage.Query{Kind: limit.Guesses})
				require.NoError(t, err)
				require.Empty(t, recs)
			}
		})
	}
}
