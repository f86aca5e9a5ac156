package memstore

import "sync/atomic"

// ref names an entry or a family: the number of its shard in the highest 6 bits,
// its place in the slab of that shard in the others. Zero is no ref, because
// place 0 is never taken.
//
// Entries refer to each other by ref and not by pointer, because the garbage
// collector would follow the pointers through the whole store in each cycle.
type ref uint32

const (
	// placeBits are the bits of a ref that name the place.
	placeBits = 26

	// A slab grows by chunks of this many places.
	chunkBits = 6
	chunkSize = 1 << chunkBits
)

// shard returns the number of the shard that the ref points into.
func (r ref) shard() int { return int(r >> placeBits) }

// shardSet returns the shard of the ref as a set. The zero ref is in no shard.
func (r ref) shardSet() shardSet {
	if r == 0 {
		return 0
	}
	return 1 << r.shard()
}

// slab holds the entries or the families of a shard. An element never moves: a
// writer that has locked the home of a grant follows its list through the slabs
// of shards that it has not locked.
type slab[T any] struct {
	// chunks is replaced by a longer list when the slab grows. The chunks in it
	// stay where they are.
	chunks atomic.Pointer[[]*[chunkSize]T]

	used uint32   // places taken so far, place 0 included
	free []uint32 // places that are empty again
}

// at returns the element of a ref.
func (b *slab[T]) at(r ref) *T {
	place := r & (1<<placeBits - 1)
	return &(*b.chunks.Load())[place>>chunkBits][place%chunkSize]
}

// take returns an empty place of the shard. The shard is locked.
func (b *slab[T]) take(shard int) ref {
	if last := len(b.free) - 1; last >= 0 {
		place := b.free[last]
		b.free = b.free[:last]
		return ref(shard)<<placeBits | ref(place)
	}

	if b.used == 0 {
		b.used = 1 // place 0 would make a zero ref in shard 0
	}
	if b.used == 1 || b.used%chunkSize == 0 {
		b.grow()
	}
	b.used++
	return ref(shard)<<placeBits | ref(b.used-1)
}

// grow adds a chunk. A reader may still use the shorter list of chunks.
func (b *slab[T]) grow() {
	var chunks []*[chunkSize]T
	if p := b.chunks.Load(); p != nil {
		chunks = *p
	}
	chunks = append(chunks, new([chunkSize]T))
	b.chunks.Store(&chunks)
}

// put empties a place that nothing refers to any more, so that it can be taken
// again. The shard is locked.
func (b *slab[T]) put(r ref) {
	*b.at(r) = *new(T) // releases the strings
	b.free = append(b.free, uint32(r&(1<<placeBits-1)))
}

// at returns the entry of a ref.
func (s *Store) at(r ref) *entry { return s.shards[r.shard()].entries.at(r) }

// family returns the family of a ref.
func (s *Store) family(r ref) *family { return s.shards[r.shard()].families.at(r) }
