package memstore

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/grantwell/grantwell/storage"
)

var (
	_ storage.Records   = (*Store)(nil)
	_ storage.Sweeper   = (*Store)(nil)
	_ storage.Lister    = (*Store)(nil)
	_ storage.Registrar = (*Store)(nil)
	_ storage.Swapper   = (*Store)(nil)

	_ storage.OriginFinder = (*Store)(nil)
)

// DefaultMaxRecords is the bound of a store that [New] made. At some 350 bytes a record it is reached near 3.5 GB.
const DefaultMaxRecords = 10_000_000

// DefaultMaxClients is the bound of a store that [New] made. Few clients are above 5 kB: it is reached below 0.5 GB.
const DefaultMaxClients = 100_000

// Options bounds a store. The zero value is the default.
type Options struct {
	MaxRecords int // below 1: [DefaultMaxRecords]
	MaxClients int // below 1: [DefaultMaxClients]
}

const shardCount = 64

// Store implements [storage.Records], [storage.Sweeper], [storage.Lister], [storage.Registrar], [storage.Swapper]
// and [storage.OriginFinder].
// It is safe for concurrent use and must not be copied.
type Store struct {
	max    int64
	count  atomic.Int64
	hand   atomic.Uint32 // the shard that the next Sweep begins with
	kinds  kindTable
	hash   func(grantID string) uint64 // seeded: nobody can choose IDs that share one
	shards [shardCount]shard

	registry registry
}

// New returns an empty store with the default [Options].
func New() *Store { return NewWith(Options{}) }

// NewWith is [New] with bounds of the host's own.
func NewWith(o Options) *Store {
	if o.MaxRecords < 1 {
		o.MaxRecords = DefaultMaxRecords
	}
	if o.MaxClients < 1 {
		o.MaxClients = DefaultMaxClients
	}
	seed := maphash.MakeSeed()
	s := &Store{max: int64(o.MaxRecords), hash: func(grantID string) uint64 { return maphash.String(seed, grantID) }}
	for i := range s.shards {
		s.shards[i].records = map[id]ref{}
		s.shards[i].grants = map[uint64]ref{}
	}
	s.registry.max = o.MaxClients
	s.registry.clients, s.registry.origins = map[string]*storage.Client{}, map[string]int{}
	return s
}

// Len returns the number of records, expired ones that are not swept yet included.
func (s *Store) Len() int { return int(s.count.Load()) }

// shard is a part of the store behind one lock: the records whose keys select it,
// and the lists of the grants whose IDs select it (their records may be in any shard).
type shard struct {
	mu       sync.RWMutex
	records  map[id]ref
	entries  slab[entry]
	odd      map[id]string  // the keys of records whose id is not the key decoded; nil until there is one
	expiry   expiryHeap     // the records that expire, soonest first
	grants   map[uint64]ref // the lists by the hash of the grant's ID
	families slab[family]
	_        [56]byte // a cache line apart from the next shard
}

// shardSet is a set of shards, one bit each.
type shardSet uint64

func (m shardSet) covers(need shardSet) bool { return need&^m == 0 }

// lock locks the shards of m, always in ascending order, so that two writers never wait for each other.
func (s *Store) lock(m shardSet) {
	for ; m != 0; m &= m - 1 {
		s.shards[bits.TrailingZeros64(uint64(m))].mu.Lock()
	}
}

func (s *Store) unlock(m shardSet) {
	for ; m != 0; m &= m - 1 {
		s.shards[bits.TrailingZeros64(uint64(m))].mu.Unlock()
	}
}

// home returns the number of the shard that keeps the list of a grant whose ID has this hash.
func home(hash uint64) int { return int(hash >> 58) }

// homeSet is home as a set; a record without a grant is on no list.
func (s *Store) homeSet(grantID string) shardSet {
	if grantID == "" {
		return 0
	}
	return 1 << home(s.hash(grantID))
}
