// Package seam is the border between the server's rooms and the specifications.
//
// A specification lives in one folder of internal/spec. It is a type that has some
// of the powers of this package, each an interface of one or two methods: it reads
// parameters of the authorization endpoint, answers a response type, encodes a
// response mode, serves an endpoint, and so on. [Gather] finds the powers once, when
// the server is built. The order in which powers of one kind are asked is fixed by
// the rooms; a power that no specification has costs nothing.
//
// What a specification may ask of the server is the [Kernel].
//
// No room knows a specification, and no specification knows a room or another
// specification.
package seam
