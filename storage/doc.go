// Package storage says what a database must do for Grantwell, and nothing more.
//
// # What a host implements
//
// Two interfaces: [Clients] (one method) and [Records] (four). A host with a database of its own
// implements them, as examples/customstore does in fewer than 200 lines, or takes one of the stores beside this package;
// storagetest tells whether the result is right.
//
// # One write carries all atomicity
//
// Spending a code and storing the tokens that it buys is one [Records] Advance: either all of it
// happens or none of it, and of any number of attempts exactly one wins. Refresh rotation, device
// codes, pushed requests and replay marks use the same call. There is no transaction in
// the interface, no lock and no version number.
//
// # What is stored
//
// Never a token, a code or a secret: a record's key is the SHA-256 of the secret that leads to it.
// Who steals a dump of the store can use nothing in it.
package storage
