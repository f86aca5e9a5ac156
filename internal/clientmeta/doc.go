// Package clientmeta reads and shows documents of clients that come from
// outside the server: files, the admin interface, exports and imports.
//
// There is one JSON form of a client, that of [storage.Client], and every
// document is read by its UnmarshalJSON. This package adds what the doors
// differ in: which members an administrator may change, how a plain secret of a
// file is hashed, what is hidden when a client is shown.
//
// Errors are read by the author of a document, so they begin with the name of
// the member or the client in place of this package. They never quote a secret
// or a hash.
package clientmeta
