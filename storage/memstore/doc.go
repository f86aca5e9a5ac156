// Package memstore keeps records and clients in the memory of one process.
//
// It is a complete store: it keeps every promise of package storage about
// atomicity and revocation. It is not durable: a restart loses every token, code
// and client. Several instances of a server need a store that they share.
//
// # Bounds
//
// The numbers of records and clients are bounded: see [Options]. A write that
// would exceed the bound of records first removes expired records, and fails if
// there are none. A live or spent record is never evicted, because a spent code
// that is forgotten could be used again. A new client above the bound is
// refused, and the others are kept. Requests that wait for a user have a bound of
// their own, so that a flood of them leaves room for codes and tokens.
//
// The store has no goroutine and nothing to close. Above a few thousand records,
// writes remove on average up to two expired records for each one that they add.
// [Store.Sweep] removes expired records on demand.
//
// # Data structures
//
// Records are spread over 64 shards by their key. The list of the records of one
// grant, its family, is kept in the shard that the grant's ID selects. Its
// records may be in any shard.
//
//	Store
//	├─ shards [64]shard, each with one lock
//	│    ├─ records   map[id]ref ──────┐       id: kind and decoded key (id.go)
//	│    ├─ entries   slab[entry] ◄────┤       ref: shard and place (slab.go)
//	│    │     entry: id, state, times, data, shape   (entry.go)
//	│    │      └─ family ref ───┐     │
//	│    │      └─ next, prev ─┐ │     │       the other records of the grant
//	│    ├─ expiry    heap ────│─│─────┘       what expires first (expiry.go)
//	│    ├─ grants    map[hash]ref ─┐
//	│    └─ families  slab[family] ◄┘          grant ID, subject, first entry (family.go)
//	├─ kinds    kindTable                      a number for each kind (id.go)
//	└─ registry                                clients and their origins (clients.go)
//
// Entries refer to each other by ref, which is a number and not a pointer: the
// garbage collector would follow pointers through the whole store in each cycle.
// A record takes about 350 bytes with its indexes.
//
// Client ID, scope and audience of a record are its shape. Many records have the
// same one, and it is kept once, by package unique.
//
// # Locks
//
// A write locks every shard that it touches, in ascending order, and does all of
// its work under these locks. So no reader sees half of it, and a revocation
// cannot come between the parts of an Advance. If the write finds under its locks
// that it needs one more shard, it releases all of them, adds that shard to the
// set, and starts again. The set only grows, so this ends.
//
// # Files
//
//	store.go    Store, Options, the shards and their locks
//	records.go  Get, Insert and Advance
//	revoke.go   Revoke
//	list.go     List; cursor.go its cursors
//	sweep.go    Sweep, and what writes sweep
//	expiry.go   the heap of the records that expire
//	entry.go    a stored record; packed.go a list of strings in one string
//	family.go   the records of one grant
//	id.go       kinds and keys
//	slab.go     memory for entries and families
//	clients.go  clients
package memstore
