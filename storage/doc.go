// Package storage defines what Grantwell needs from a database.
//
// # What a host implements
//
// There are two interfaces: [Clients] with one method and [Records] with four.
// A host with a database of its own implements them, as examples/customstore
// does in fewer than 200 lines, and runs the tests of package storagetest on the
// result. Or it uses one of the stores in the packages memstore, sqlstore and
// redisstore.
//
// A store may have more methods: [Sweeper], [Lister], [Registrar], [Swapper]
// and [OriginFinder]. The server works without them and says what it cannot
// offer then.
//
// # One write carries all atomicity
//
// Spending a code and storing the tokens that it buys is one call of Advance:
// either all of it happens or none of it, and of any number of attempts exactly
// one succeeds. Refresh token rotation, device codes, pushed requests and replay
// marks use the same call. The interface has no transaction, no lock and no
// version number.
//
// # What is stored
//
// No token, code or secret is stored. The key of a record is the SHA-256 digest
// of the secret that leads to it: see [Key]. An attacker who copies the database
// cannot use anything in it.
//
// # Wrappers
//
// [Route] spreads the kinds of records over several stores, and [Seal] encrypts
// the data of the records of a store.
package storage
