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
	for removed < limit && len(sh.expiry.items) > 0 && sh.expiry.items[0].expires < before {
		r := sh.expiry.items[0].ref
		e := s.at(r)
		if need := e.family.shardSet(); !held.covers(need) {
			return removed, need
		}
		heap.Pop(&sh.expiry)
		s.leave(r)
		delete(sh.records, e.id)
		delete(sh.odd, e.id)
		sh.entries.put(r)
		s.count.Add(-1)
		removed++
	}
	return removed, 0
}

// expiryHeap is a container/heap of the entries that expire. Each knows its position, because an Advance may change when it
// expires; the heap keeps the times, so that ordering it reads no entry.
type expiryHeap struct {
	s     *Store
	items []expiring
}

type expiring struct {
	expires int64
	ref     ref
}

// add is heap.Push without an interface around each entry.
func (h *expiryHeap) add(r ref) {
	h.Push(nil)
	last := len(h.items) - 1
	h.items[last].ref, h.s.at(r).pos = r, int32(last)
	h.moved(last)
}

// moved puts the entry at i where it belongs after its time changed.
func (h *expiryHeap) moved(i int) {
	h.items[i].expires = h.s.at(h.items[i].ref).expires
	heap.Fix(h, i)
}

func (h *expiryHeap) Len() int           { return len(h.items) }
func (h *expiryHeap) Less(i, j int) bool { return h.items[i].expires < h.items[j].expires }
func (h *expiryHeap) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.s.at(h.items[i].ref).pos, h.s.at(h.items[j].ref).pos = int32(i), int32(j)
}

// Push makes room at the end, for add.
func (h *expiryHeap) Push(any) { h.items = append(h.items, expiring{}) }

// Pop removes the last entry; called by container/heap.
func (h *expiryHeap) Pop() any {
	last := len(h.items) - 1
	h.s.at(h.items[last].ref).pos = -1
	h.items = h.items[:last]
	return nil
}
