package storage

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	// DefaultSweepInterval is the time between two sweeps of [SweepEvery], if the
	// caller names none.
	DefaultSweepInterval = time.Minute

	// sweepBatch is the number of records that one call of Sweep removes.
	sweepBatch = 1000

	// sweepBatches bounds one sweep: 100,000 records. The next one removes more.
	sweepBatches = 100
)

// SweepEvery removes expired records from the store, once at its start and then at
// every interval, until the context ends. It returns the context's error then. A
// store without [Sweeper] is an error at once.
//
// It starts no goroutine. A host runs it in one of its own:
//
//	go storage.SweepEvery(ctx, store, time.Minute, logger)
//
// Without it, a store of package sqlstore or redisstore keeps every record for ever; one
// of package memstore removes some with each write. An expired record is never valid,
// swept or not.
//
// # Sizes
//
// A record takes about 350 bytes in memory, and 0.5 to 1 kB in a database with its
// indexes. A server that issues 100 tokens a second writes 8.6 million records a
// day. One sweep removes at most 100,000 records, in calls of 1,000 each, so that
// no call holds locks for long. At an interval of a minute that is 1,600 records a
// second. Any number of instances may sweep at the same time.
//
// An interval below 1 is [DefaultSweepInterval]. An error of the store ends that
// sweep, is logged as a warning, and the next interval tries again. A nil logger
// is [slog.Default].
func SweepEvery(ctx context.Context, store Records, interval time.Duration, logger *slog.Logger) error {
	sweeper, ok := store.(Sweeper)
	if !ok {
		return errors.New("storage: SweepEvery: the store has no Sweep")
	}
	if interval < 1 {
		interval = DefaultSweepInterval
	}
	if logger == nil {
		logger = slog.Default()
	}

	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		swept, err := sweepOnce(ctx, sweeper)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			logger.WarnContext(ctx, "storage: sweeping failed", "removed", swept, "error", err)
		case swept > 0:
			logger.DebugContext(ctx, "storage: swept", "removed", swept)
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// sweepOnce removes the records that have expired, up to the bound of one sweep,
// and returns their number.
func sweepOnce(ctx context.Context, s Sweeper) (int, error) {
	before := time.Now()
	total := 0
	for range sweepBatches {
		n, err := s.Sweep(ctx, before, sweepBatch)
		total += n
		if err != nil || n < sweepBatch {
			return total, err
		}
	}
	return total, nil
}
