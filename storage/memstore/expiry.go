package memstore

import (
	"container/heap"
	"slices"
)

// expiryHeap is a heap (container/heap) of the entries that expire, each once.
// An entry that is in it is marked queued.
//
// It holds the times itself, so that ordering it reads no entry. A time in the
// heap is never later than that of its entry. An entry that is given a later
// time keeps its position until it is due by the earlier one, because refresh
// tokens often get a later time and moving them would cost more.
type expiryHeap []expiring

type expiring struct {
	expires int64
	ref     ref
}

// add does what heap.Push does, without converting the element to an interface.
func (h *expiryHeap) add(expires int64, r ref) {
	*h = append(*h, expiring{expires, r})
	heap.Fix(h, len(*h)-1)
}

// moveEarlier moves a queued entry forward by its new time. It searches the
// whole heap for the entry, because the server never gives a record an earlier
// end.
func (h *expiryHeap) moveEarlier(expires int64, r ref) {
	i := slices.IndexFunc(*h, func(x expiring) bool { return x.ref == r })
	(*h)[i].expires = expires
	heap.Fix(h, i)
}

// Len implements heap.Interface.
func (h expiryHeap) Len() int { return len(h) }

// Less implements heap.Interface.
func (h expiryHeap) Less(i, j int) bool { return h[i].expires < h[j].expires }

// Swap implements heap.Interface.
func (h expiryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *expiryHeap) Push(x any) { *h = append(*h, x.(expiring)) }

// Pop implements heap.Interface. It returns nil, because no caller uses the
// removed element.
func (h *expiryHeap) Pop() any {
	*h = (*h)[:len(*h)-1]
	return nil
}
