package memstore

import (
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
		sh.expiry.remove(0)
		s.leave(r)
		delete(sh.records, e.id)
		delete(sh.odd, e.id)
		sh.entries.put(r)
		s.count.Add(-1)
		removed++
	}
	return removed, 0
}

// expiryHeap is a binary heap of the entries that expire, the soonest first. Each entry knows its position, because an
// Advance may change when it expires; the heap keeps the times, so that ordering it reads no entry.
type expiryHeap struct {
	s     *Store
	items []expiring
}

type expiring struct {
	expires int64
	ref     ref
}

// add puts an entry in.
func (h *expiryHeap) add(r ref) {
	h.items = append(h.items, expiring{})
	h.up(len(h.items)-1, expiring{h.s.at(r).expires, r})
}

// moved puts the entry at i where it belongs after its time changed.
func (h *expiryHeap) moved(i int) {
	r := h.items[i].ref
	h.settle(i, expiring{h.s.at(r).expires, r})
}

// remove takes the entry at i out.
func (h *expiryHeap) remove(i int) {
	h.s.at(h.items[i].ref).pos = -1
	last := len(h.items) - 1
	moved := h.items[last]
	h.items = h.items[:last]
	if i < last {
		h.settle(i, moved)
	}
}

// settle puts x into the gap at i, or wherever the order wants it.
func (h *expiryHeap) settle(i int, x expiring) {
	if i > 0 && x.expires < h.items[(i-1)/2].expires {
		h.up(i, x)
		return
	}
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			break
		}
		if other := child + 1; other < len(h.items) && h.items[other].expires < h.items[child].expires {
			child = other
		}
		if x.expires <= h.items[child].expires {
			break
		}
		h.put(i, h.items[child])
		i = child
	}
	h.put(i, x)
}

// up puts x into the gap at i or above.
func (h *expiryHeap) up(i int, x expiring) {
	for i > 0 {
		parent := (i - 1) / 2
		if h.items[parent].expires <= x.expires {
			break
		}
		h.put(i, h.items[parent])
		i = parent
	}
	h.put(i, x)
}

func (h *expiryHeap) put(i int, x expiring) {
	h.items[i] = x
	h.s.at(x.ref).pos = int32(i)
}
