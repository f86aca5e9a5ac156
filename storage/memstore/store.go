package memstore

import (
	"crypto/rand"
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/grantwell/grantwell/storage"
)

var (
	_ storage.Records      = (*Store)(nil)
	_ storage.Sweeper      = (*Store)(nil)
	_ storage.Lister       = (*Store)(nil)
	_ storage.Registrar    = (*Store)(nil)
	_ storage.Swapper      = (*Store)(nil)
	_ storage.OriginFinder = (*Store)(nil)
)

// DefaultMaxRecords is the bound of records if [Options] names none. A record
// takes about 350 bytes, so the store is full near 3.5 GB.
const DefaultMaxRecords = 10_000_000

// DefaultMaxClients is the bound of clients if [Options] names none. Few clients
// take more than 5 kB, so all of them take less than 0.5 GB.
const DefaultMaxClients = 100_000

// DefaultMaxWaiting is the bound of authorization requests that wait, if [Options]
// names none. One takes at most about 10 kB, so all of them take less than 1 GB.
const DefaultMaxWaiting = 100_000

// Options bounds a store. The zero value is the default.
type Options struct {
	// MaxRecords is the largest number of records. Below 1 it is
	// [DefaultMaxRecords].
	MaxRecords int

	// MaxWaiting is the largest number of records of the kinds
	// [storage.Interaction] and [storage.Pushed], which callers without
	// credentials can make. It keeps the rest for codes and tokens. Below 1 it is
	// [DefaultMaxWaiting]; it is at most half of MaxRecords.
	MaxWaiting int

	// MaxClients is the largest number of clients. Below 1 it is
	// [DefaultMaxClients].
	MaxClients int
}

// shardCount is the number of shards. A shardSet has one bit for each.
const shardCount = 64

// Store implements [storage.Records], [storage.Sweeper], [storage.Lister],
// [storage.Registrar], [storage.Swapper] and [storage.OriginFinder]. It is safe
// for concurrent use and must not be copied.
type Store struct {
	max   int64
	count atomic.Int64 // of records

	maxWaiting int64
	waiting    atomic.Int64 // of records of waitingKinds

	// sweepFrom is the shard that the next Sweep begins with.
	sweepFrom atomic.Uint32

	kinds  kindTable
	shards [shardCount]shard

	// hash is seeded at random, so that a client cannot choose grant IDs with
	// the same hash. Tests replace it.
	hash func(grantID string) uint64

	// cursorKey authenticates cursors. It is random and never changes.
	cursorKey [32]byte

	registry registry
}

// New returns an empty store with the default [Options].
func New() *Store { return NewWith(Options{}) }

// NewWith returns an empty store with the given bounds.
func NewWith(o Options) *Store {
	if o.MaxRecords < 1 {
		o.MaxRecords = DefaultMaxRecords
	}
	if o.MaxClients < 1 {
		o.MaxClients = DefaultMaxClients
	}

	if o.MaxWaiting < 1 {
		o.MaxWaiting = DefaultMaxWaiting
	}

	seed := maphash.MakeSeed()
	s := &Store{
		max:        int64(o.MaxRecords),
		maxWaiting: int64(min(o.MaxWaiting, max(o.MaxRecords/2, 1))),
		hash:       func(grantID string) uint64 { return maphash.String(seed, grantID) },
	}
	_, _ = rand.Read(s.cursorKey[:]) // never fails
	for _, k := range waitingKinds {
		s.kinds.number(k)
	}
	for i := range s.shards {
		s.shards[i].records = map[id]ref{}
		s.shards[i].grants = map[uint64]ref{}
	}
	s.registry.max = o.MaxClients
	s.registry.clients = map[string]*storage.Client{}
	s.registry.origins = map[string]int{}
	return s
}

// Len returns the number of records, including expired ones that were not swept
// yet.
func (s *Store) Len() int { return int(s.count.Load()) }

// shard is a part of the store with a lock of its own. It holds the records
// whose keys select it, and the families of the grants whose IDs select it.
type shard struct {
	mu sync.RWMutex

	records map[id]ref
	entries slab[entry]

	// odd holds the keys of the records with an odd id, from which the key
	// cannot be computed. It is nil until there is one.
	odd map[id]string

	// expiry holds the records that expire, the soonest first.
	expiry expiryHeap

	// grants finds a family by the hash of the grant's ID.
	grants   map[uint64]ref
	families slab[family]

	_ [56]byte // keeps the locks of two shards on different cache lines
}

// shardSet is a set of shards, one bit each.
type shardSet uint64

// covers reports whether all shards of need are in the set.
func (m shardSet) covers(need shardSet) bool { return need&^m == 0 }

// lock locks the shards of the set, in ascending order. Two writers that lock in
// the same order never wait for each other in a circle.
func (s *Store) lock(m shardSet) {
	for ; m != 0; m &= m - 1 {
		s.shards[bits.TrailingZeros64(uint64(m))].mu.Lock()
	}
}

// unlock unlocks the shards of the set.
func (s *Store) unlock(m shardSet) {
	for ; m != 0; m &= m - 1 {
		s.shards[bits.TrailingZeros64(uint64(m))].mu.Unlock()
	}
}

// home returns the number of the shard that keeps the family of a grant whose ID
// has this hash: the highest 6 bits.
func home(hash uint64) int { return int(hash >> 58) }

// homeSet returns the home of a grant as a set. A record without a grant has no
// family, so the set is empty.
func (s *Store) homeSet(grantID string) shardSet {
	if grantID == "" {
		return 0
	}
	return 1 << home(s.hash(grantID))
}
