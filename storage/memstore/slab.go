package memstore

import "sync/atomic"

// ref names a record's entry: its shard in the highest 6 bits, its place there in the others. 0 is none: no entry has place 0.
// Records refer to each other by it and not by pointers, which the collector would follow through the whole store again and again.
type ref uint32

const (
	placeBits = 26
	chunkBits = 6
	chunkSize = 1 << chunkBits
)

// shard returns the number of the entry's shard.
func (r ref) shard() int { return int(r >> placeBits) }

func (r ref) shardSet() shardSet { return 1 << r.shard() }

// slab holds a shard's entries. They never move: who holds the shard that keeps a grant's list follows the list
// through all other shards' slabs.
type slab struct {
	chunks atomic.Pointer[[]*[chunkSize]entry] // longer after each growth; what was there stays
	used   uint32                              // places taken so far, 0 included
	free   ref                                 // of places that are empty again, by next
}

// at returns the entry.
func (s *Store) at(r ref) *entry {
	place := r & (1<<placeBits - 1)
	return &(*s.shards[r.shard()].slab.chunks.Load())[place>>chunkBits][place%chunkSize]
}

// place keeps an entry in its shard, which is locked, and returns where.
func (s *Store) place(e *entry) ref {
	number := e.id.shard()
	b := &s.shards[number].slab
	r := b.free
	if r != 0 {
		b.free = s.at(r).next
	} else {
		if b.used == 0 {
			b.used = 1
		}
		if b.used == 1 || b.used%chunkSize == 0 {
			b.grow()
		}
		r = ref(number)<<placeBits | ref(b.used)
		b.used++
	}
	*s.at(r) = *e
	return r
}

// grow adds a chunk. Readers of the shorter list are not in its way.
func (b *slab) grow() {
	var chunks []*[chunkSize]entry
	if p := b.chunks.Load(); p != nil {
		chunks = *p
	}
	chunks = append(chunks, new([chunkSize]entry))
	b.chunks.Store(&chunks)
}

// empty gives the entry's place back. Its shard is locked, and it is on no list.
func (s *Store) empty(r ref) {
	b := &s.shards[r.shard()].slab
	*s.at(r) = entry{next: b.free}
	b.free = r
}
