package memstore

import "sync/atomic"

// ref names an entry or a family: its shard in the highest 6 bits, its place there in the others. 0 is none: nothing has place 0.
// What the store keeps refers to each other by it and not by pointers, which the collector would follow through the whole store
// again and again.
type ref uint32

const (
	placeBits = 26
	chunkBits = 6
	chunkSize = 1 << chunkBits
)

// shard returns the number of the shard that the ref is in.
func (r ref) shard() int { return int(r >> placeBits) }

// shardSet is shard as a set; none is in no shard.
func (r ref) shardSet() shardSet {
	if r == 0 {
		return 0
	}
	return 1 << r.shard()
}

// slab holds a shard's entries or families. They never move: who holds the shard that keeps a grant's list follows the list
// through all other shards' slabs.
type slab[T any] struct {
	chunks atomic.Pointer[[]*[chunkSize]T] // longer after each growth; what was there stays
	used   uint32                          // places taken so far, 0 included
	free   []uint32                        // places that are empty again
}

func (b *slab[T]) at(r ref) *T {
	place := r & (1<<placeBits - 1)
	return &(*b.chunks.Load())[place>>chunkBits][place%chunkSize]
}

// take returns an empty place of the shard, which is locked.
func (b *slab[T]) take(shard int) ref {
	if last := len(b.free) - 1; last >= 0 {
		place := b.free[last]
		b.free = b.free[:last]
		return ref(shard)<<placeBits | ref(place)
	}
	if b.used == 0 {
		b.used = 1
	}
	if b.used == 1 || b.used%chunkSize == 0 {
		b.grow()
	}
	b.used++
	return ref(shard)<<placeBits | ref(b.used-1)
}

// grow adds a chunk. Readers of the shorter list are not in its way.
func (b *slab[T]) grow() {
	var chunks []*[chunkSize]T
	if p := b.chunks.Load(); p != nil {
		chunks = *p
	}
	chunks = append(chunks, new([chunkSize]T))
	b.chunks.Store(&chunks)
}

// put empties the place, which nothing refers to any more, for another. Its shard is locked.
func (b *slab[T]) put(r ref) {
	*b.at(r) = *new(T)
	b.free = append(b.free, uint32(r&(1<<placeBits-1)))
}

func (s *Store) at(r ref) *entry { return s.shards[r.shard()].entries.at(r) }

func (s *Store) family(r ref) *family { return s.shards[r.shard()].families.at(r) }
