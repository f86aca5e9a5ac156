package memstore

import (
	"container/heap"
	"context"
	"slices"
	"time"
)

const (
	sweepFloor = 4096 // a store with fewer records is not swept by writes: there is nothing to gain
	tidyEvery  = 8    // one write in so many sweeps, and so many times as much
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
		for removed < limit {
			n, taken := s.sweepShard((first+i)%shardCount, before.UnixMicro(), limit-removed)
			if removed += n; taken == 0 {
				break
			}
		}
	}
	return removed, nil
}

// tidy follows a write that added these entries: it removes up to two expired records for each, on average, from the shard of one
// of them. Keys are random, so that one write in eight is as good as every write, and every shard has its turn.
func (s *Store) tidy(added []entry) {
	if len(added) > 0 && added[0].id.sum[1]%tidyEvery == 0 && s.count.Load() > sweepFloor {
		s.sweepShard(added[0].id.shard(), time.Now().UnixMicro(), 2*tidyEvery*len(added))
	}
}

// sweepShard takes up to steps entries that are due off the shard's expiry heap and removes those that expired before the given time.
// It holds the shard for a few of them at a time: until one is on the list of a grant elsewhere. It took fewer when no more were due.
func (s *Store) sweepShard(number int, before int64, steps int) (removed, taken int) {
	own := shardSet(1) << number
	held := own
	for {
		s.lock(held)
		n, m, need := s.trySweep(number, held, before, steps-taken)
		s.unlock(held)
		removed, taken = removed+n, taken+m
		if need == 0 {
			return removed, taken
		}
		held = own | need
	}
}

// trySweep takes the soonest to expire for as long as held covers their grants' lists.
// need is the shard of the list that is missing, or 0 at the end.
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
		case e.expires != sh.expiry[0].expires: // it was given a later time meanwhile
			sh.expiry[0].expires = e.expires
			heap.Fix(&sh.expiry, 0)
			continue
		case !held.covers(need):
			return removed, taken, need
		}
		heap.Pop(&sh.expiry)
		s.leave(r)
		delete(sh.records, e.id)
		delete(sh.odd, e.id)
		sh.entries.put(r)
		s.count.Add(-1)
		removed++
	}
	return removed, taken, 0
}

// expiryHeap is a container/heap of the entries that expire: those that are queued, each once. It keeps the times itself, so that
// ordering it reads no entry. No time is later than its entry's own: what is given a later one stays where it is until it is due.
type expiryHeap []expiring

type expiring struct {
	expires int64
	ref     ref
}

// add is heap.Push without an interface around each entry.
func (h *expiryHeap) add(expires int64, r ref) {
	*h = append(*h, expiring{expires, r})
	heap.Fix(h, len(*h)-1)
}

// hasten moves an entry that is queued to where it belongs by its new time. It looks for the entry, because
// nothing that the server does gives a record a sooner end.
func (h *expiryHeap) hasten(expires int64, r ref) {
	i := slices.IndexFunc(*h, func(x expiring) bool { return x.ref == r })
	(*h)[i].expires = expires
	heap.Fix(h, i)
}

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].expires < h[j].expires }
func (h expiryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push appends an entry; called by container/heap.
func (h *expiryHeap) Push(x any) { *h = append(*h, x.(expiring)) }

// Pop removes the last entry; called by container/heap. Nobody looks at what it returns.
func (h *expiryHeap) Pop() any {
	*h = (*h)[:len(*h)-1]
	return nil
}
