// Package grants holds the OAuth 2.0 grants: one file each, one struct each, whose zero value is the safe default.
//
// # Grants decide, the server issues
//
// A [Handler] looks at a token request and returns a [Grant]: who the token is for, what it may do, and which
// record it uses up. It mints nothing, stores no token and writes no HTTP. Lifetimes, scope rules, hooks,
// events, token formats and the one atomic write are the server's, the same for every grant, so
// that a grant of the host's own is a type with two methods and cannot forget any of them.
//
// # Optional powers
//
// [Responder] is a grant that begins at the authorization endpoint, [Identifier] one whose request names the client
// itself. A type with a method Check() error is asked by the server's constructor whether its fields make sense.
//
// # Errors
//
// [Error] keeps apart what the client is told and why. Its cause never leaves the server.
package grants
