package memstore

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// A record is swept when it has expired by the last time that it was given, and
// not before. That time may be later than the first, earlier, none at all, or a
// time again after none.
//
// Holds: house: sweeping.
func TestSweep_TimesThatChange(t *testing.T) {
	t.Parallel()
	ctx, s, start := t.Context(), New(), time.Now().Truncate(time.Second)
	due := map[string]int{} // in minutes after start; 0: never
	const names, end = 2000, 100
	at := func(minute int) (when time.Time) {
		if minute > 0 {
			when = start.Add(time.Duration(minute) * time.Minute)
		}
		return when
	}
	for i := range names {
		name := fmt.Sprint(i)
		due[name] = rand.IntN(end)
		require.NoError(t, s.Insert(ctx, token(storage.Access, name, name, at(due[name]))))
	}
	change := func(n int) {
		for range n {
			name := fmt.Sprint(rand.IntN(names))
			if _, ok := due[name]; ok {
				due[name] = rand.IntN(end)
				require.NoError(t, s.Advance(ctx, storage.Active, token(storage.Access, name, name, at(due[name]))))
			}
		}
	}
	change(3 * names)
	for minute := 1; minute <= end; minute++ {
		for removed := 1; removed > 0; {
			var err error
			removed, err = s.Sweep(ctx, at(minute).Add(time.Second), 7)
			require.NoError(t, err)
			require.LessOrEqual(t, removed, 7)
		}
		for name, d := range due {
			_, err := s.Get(ctx, storage.Access, storage.Key(name))
			if d > 0 && d <= minute {
				require.ErrorIs(t, err, storage.ErrNotFound, "%s, due at %d of %d", name, d, minute)
				delete(due, name)
			} else {
				require.NoError(t, err, "%s, due at %d of %d", name, d, minute)
			}
		}
		change(20)
	}
}

// Writes sweep a store whose records were all given a later time, and each write
// does a bounded part of the work.
func TestStore_WritesSweepPostponedRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, s := t.Context(), New()
		for i := range 2 * sweepFloor {
			r := token(storage.Code, fmt.Sprint(i), "", time.Now().Add(time.Minute))
			require.NoError(t, s.Insert(ctx, r))
			r.State, r.ExpiresAt = storage.Spent, time.Now().Add(time.Hour)
			require.NoError(t, s.Advance(ctx, storage.Active, r))
		}
		time.Sleep(2 * time.Minute)
		before := make([]int64, shardCount)
		top := func(i int) int64 { return s.shards[i].expiry[0].expires }
		for i := range before {
			before[i] = top(i)
		}
		for i := range 400 * shardCount {
			require.NoError(t, s.Insert(ctx, token(storage.Access, fmt.Sprint(i), "", time.Time{})))
		}
		require.Equal(t, 2*sweepFloor+400*shardCount, s.Len(), "nothing has expired")
		for i := range before {
			require.Greater(t, top(i), before[i], "the heap has the later time now")
		}
		time.Sleep(time.Hour)
		for i := range 400 * shardCount {
			require.NoError(t, s.Insert(ctx, token(storage.Refresh, fmt.Sprint(i), "", time.Time{})))
		}
		require.Less(t, s.Len(), 800*shardCount+sweepFloor/2)
	})
}
