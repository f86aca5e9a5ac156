// Package memstore keeps records and clients in the memory of one process.
//
// It is a whole store: what storage says of atomicity and revocation holds here as in a database.
// What it does not give is durability: a restart forgets every token, code and client.
// Several instances of a server need a store that they share.
//
// # How it is built
//
// Records are spread over 64 shards by their key, and the list of a grant's records lives in the shard that
// the grant's ID selects. A write locks every shard that it touches, in ascending order, and does its work while it
// holds them all: nobody sees half of it, and a revocation cannot slip between the parts of an Advance.
// When it finds under the locks that it needs one more shard, it lets go, adds that shard to the set and starts
// over; the set only grows, so that this ends.
//
// # Bounds
//
// The numbers of records and of clients are bounded: see [Options]. A write that would exceed the bound of records first removes
// expired ones; if that makes no room it fails. A live or spent record is never evicted: to forget
// that a code was spent is to let it be used again. A client too many is refused, and those that are there stay.
//
// There is no goroutine and nothing to close. Beyond a few thousand records writes remove, on average, up to two expired
// ones for each that they add; [Store.Sweep] removes them on demand.
package memstore
