package memstore

import (
	"container/heap"
	"context"
	"time"
)

const (
	// sweepFloor is the number of records below which writes do not sweep,
	// because it would free little memory.
	sweepFloor = 4096

	// One write in tidyEvery sweeps, and removes tidyEvery times as much.
	tidyEvery = 8

	// roomBatch is how many expired records a write to a full store removes at
	// once.
	roomBatch = 1000
)

// Sweep implements [storage.Sweeper].
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	if limit < 1 {
		limit = 1000
	}
	removed := 0
	// Each call begins with another shard, so that a small limit reaches all of
	// them in the end.
	first := int(s.sweepFrom.Add(1))
	for i := range shardCount {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		if removed == limit {
			break
		}
		for removed < limit {
			n, taken := s.sweepShard((first+i)%shardCount, before.UnixMicro(), limit-removed)
			removed += n
			if taken == 0 {
				break
			}
		}
	}
	return removed, nil
}

// makeRoom removes expired records for n new ones, and reports whether there
// were any.
func (s *Store) makeRoom(n int) bool {
	removed, err := s.Sweep(context.Background(), time.Now(), n+roomBatch)
	return err == nil && removed > 0
}

// tidy is called after a write that added these entries. On average it removes
// up to two expired records for each of them, from the shard of the first one.
// Keys are random, so a write in eight is chosen by a byte of the key, and every
// shard is reached.
func (s *Store) tidy(added []entry) {
	if len(added) == 0 || s.count.Load() <= sweepFloor {
		return
	}
	if added[0].id.sum[1]%tidyEvery == 0 {
		s.sweepShard(added[0].id.shard(), time.Now().UnixMicro(), 2*tidyEvery*len(added))
	}
}

// sweepShard takes up to steps entries that are due from the expiry heap of a
// shard, and removes the ones that expired before the given time. If it took
// fewer than steps, no more are due.
//
// It holds the locks for a few entries at a time, until one is in a family of
// another shard.
func (s *Store) sweepShard(number int, before int64, steps int) (removed, taken int) {
	own := shardSet(1) << number
	held := own
	for {
		s.lock(held)
		n, m, need := s.trySweep(number, held, before, steps-taken)
		s.unlock(held)
		removed += n
		taken += m
		if need == 0 {
			return removed, taken
		}
		held = own | need
	}
}

// trySweep takes entries from the heap, the soonest first, as long as held
// covers the homes of their grants. need is the home that is missing, or 0 at the
// end.
func (s *Store) trySweep(number int, held shardSet, before int64, steps int) (removed, taken int, need shardSet) {
	sh := &s.shards[number]
	for ; taken < steps && len(sh.expiry) > 0 && sh.expiry[0].expires < before; taken++ {
		r := sh.expiry[0].ref
		e := s.at(r)
		switch need := e.family.shardSet(); {
		case e.expires == never:
			heap.Pop(&sh.expiry)
			e.queued = false
			continue
		case e.expires != sh.expiry[0].expires: // it was given a later time since
			sh.expiry[0].expires = e.expires
			heap.Fix(&sh.expiry, 0)
			continue
		case !held.covers(need):
			return removed, taken, need
		}

		heap.Pop(&sh.expiry)
		s.leave(r)
		if e.id.waits() {
			s.waiting.Add(-1)
		}
		delete(sh.records, e.id)
		delete(sh.odd, e.id)
		sh.entries.put(r)
		s.count.Add(-1)
		removed++
	}
	return removed, taken, 0
}
