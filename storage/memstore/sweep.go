package memstore

import (
	"container/heap"
	"context"
	"time"
)

const (
	sweepFloor = 4096 // a store with fewer records is not swept by writes: there is nothing to gain
	roomBatch  = 1000 // records that a write to a full store removes at once if it can
)

// Sweep implements [storage.Sweeper].
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	if limit < 1 {
		limit = 1000
	}
	removed := 0
	first := int(s.hand.Add(1))
	for i := range shardCount {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		if removed == limit {
			break
		}
		removed += s.sweepShard((first+i)%shardCount, before.UnixMicro(), limit-removed)
	}
	return removed, nil
}

// tidy follows a write that added these entries: it removes up to two expired records for each,
// from the shard of one of them. Keys are random, so that every shard has its turn.
func (s *Store) tidy(added []entry) {
	if len(added) > 0 && s.count.Load() > sweepFloor {
		s.sweepShard(added[0].id.shard(), time.Now().UnixMicro(), 2*len(added))
	}
}

// sweepShard removes up to limit records of the shard that expired before the given time.
// It holds the shard for a few of them at a time: until one is on the list of a grant elsewhere.
func (s *Store) sweepShard(number int, before int64, limit int) (removed int) {
	own := shardSet(1) << number
	held := own
	for removed < limit {
		s.lock(held)
		n, need := s.trySweep(number, held, before, limit-removed)
		s.unlock(held)
		removed += n
		if need == 0 {
			return removed
		}
		held = own | need
	}
	return removed
}

// trySweep removes the soonest to expire for as long as held covers their grants' lists.
// need is the shard of the list that is missing, or 0 at the end.
func (s *Store) trySweep(number int, held shardSet, before int64, limit int) (removed int, need shardSet) {
	sh := &s.shards[number]
	for removed < limit && sh.expiry.Len() > 0 && s.at(sh.expiry.refs[0]).expires < before {
		r := sh.expiry.refs[0]
		e := s.at(r)
		if need := e.family.shardSet(); !held.covers(need) {
			return removed, need
		}
		heap.Pop(&sh.expiry)
		s.leave(r)
		delete(sh.records, e.id)
		delete(sh.odd, e.id)
		s.empty(r)
		s.count.Add(-1)
		removed++
	}
	return removed, 0
}

// expiryHeap is a container/heap of the entries that expire. Each knows its position,
// because an Advance may change when it expires.
type expiryHeap struct {
	s    *Store
	refs []ref
}

func (h *expiryHeap) at(i int) *entry { return h.s.at(h.refs[i]) }

// add is heap.Push without an interface around each entry.
func (h *expiryHeap) add(r ref) {
	h.Push(nil)
	h.refs[len(h.refs)-1] = r
	h.at(len(h.refs) - 1).pos = int32(len(h.refs) - 1)
	heap.Fix(h, len(h.refs)-1)
}

func (h *expiryHeap) Len() int           { return len(h.refs) }
func (h *expiryHeap) Less(i, j int) bool { return h.at(i).expires < h.at(j).expires }
func (h *expiryHeap) Swap(i, j int) {
	h.refs[i], h.refs[j] = h.refs[j], h.refs[i]
	h.at(i).pos, h.at(j).pos = int32(i), int32(j)
}

// Push makes room at the end, for add.
func (h *expiryHeap) Push(any) { h.refs = append(h.refs, 0) }

// Pop removes the last entry; called by container/heap.
func (h *expiryHeap) Pop() any {
	last := len(h.refs) - 1
	h.at(last).pos = -1
	h.refs = h.refs[:last]
	return nil
}
