package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// failing is a store whose first sweep fails.
type failing struct {
	*memstore.Store
	calls   int
	largest int
}

func (f *failing) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	f.calls++
	f.largest = max(f.largest, limit)
	if f.calls == 1 {
		return 0, errors.New("down")
	}
	return f.Store.Sweep(ctx, before, limit)
}

// SweepEvery removes what has expired in bounded batches, goes on after a failure
// of the store, and returns when its context ends.
func TestSweepEvery_RemovesExpiredUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &failing{Store: memstore.New()}
		for i := range 2500 {
			r := issued(storage.Access, fmt.Sprint(i))
			r.ExpiresAt = time.Now().Add(time.Second)
			require.NoError(t, store.Insert(t.Context(), r))
		}
		require.NoError(t, store.Insert(t.Context(), issued(storage.Refresh, "live")))

		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		ended := make(chan error, 1)
		go func() {
			ended <- storage.SweepEvery(ctx, store, 0, slog.New(slog.NewTextHandler(&log, nil)))
		}()
		time.Sleep(storage.DefaultSweepInterval + time.Second)
		synctest.Wait()

		require.Equal(t, 1, store.Len())
		require.Equal(t, 4, store.calls, "one that failed, and three batches")
		require.Equal(t, 1000, store.largest)
		require.Contains(t, log.String(), "level=WARN")
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}

// The interval is the caller's, and the number of removed records is logged.
//
// Holds: house: sweeping.
func TestSweepEvery_IntervalOfTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &failing{Store: memstore.New(), calls: 1}
		for i := range 1500 {
			r := issued(storage.Access, fmt.Sprint(i))
			r.ExpiresAt = time.Now().Add(1500 * time.Millisecond)
			require.NoError(t, store.Insert(t.Context(), r))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		ended := make(chan error, 1)
		go func() {
			ended <- storage.SweepEvery(ctx, store, time.Second, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		}()
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, 1+4+1, store.calls, "at 0, 1, 2 and 3 seconds, and a second batch")
		require.Zero(t, store.Len())
		require.Contains(t, log.String(), "removed=1500")
		require.NotContains(t, log.String(), "removed=0")
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}

// endless is a store that always has more to sweep.
type endless struct {
	storage.Records
	calls int
}

func (e *endless) Sweep(_ context.Context, _ time.Time, limit int) (int, error) {
	e.calls++
	return limit, nil
}

// One sweep removes at most 100,000 records. The next interval goes on.
//
// Holds: house: sweeping.
func TestSweepEvery_OneSweepIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &endless{}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, storage.SweepEvery(ctx, store, time.Second, slog.New(slog.DiscardHandler)), context.DeadlineExceeded)
		require.Equal(t, 200, store.calls)
	})
}

// A store that cannot sweep is an error at once, not a loop that does nothing.
func TestSweepEvery_NeedsSweeper(t *testing.T) {
	t.Parallel()
	err := storage.SweepEvery(t.Context(), plain{memstore.New()}, time.Minute, nil)
	require.ErrorContains(t, err, "storage: SweepEvery")
}

// A host sweeps in a goroutine of its own, which ends with the process's context.
func ExampleSweepEvery() {
	ctx, cancel := context.WithCancel(context.Background())
	store := memstore.New()

	done := make(chan error)
	go func() { done <- storage.SweepEvery(ctx, store, time.Minute, slog.Default()) }()

	cancel() // the process shuts down
	fmt.Println(<-done)
	// Output: context canceled
}
