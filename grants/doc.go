// Package grants holds the OAuth 2.0 grants: one file each, one struct each, whose zero
// value is the safe default.
//
// # Grants decide, the server issues
//
// A [Handler] looks at a token request and returns a [Grant]: the subject of the token,
// what the token may do, and which record the grant uses up. A handler mints nothing,
// stores no token and writes no HTTP. Lifetimes, scope rules, hooks, events, token
// formats and the one atomic write are the server's, the same for every grant. A grant
// of the host is therefore a type with two methods, and can forget none of them.
//
// # Optional powers
//
// A grant may implement further interfaces: [Responder] if it begins at the
// authorization endpoint, [PKCE] if its codes may be bound to a challenge, [Identifier]
// if its request names the client by itself. A type with a method Check() error is asked
// by the server's constructor whether its fields make sense. A type that embeds a grant
// has the powers of that grant; a type that wraps one names it by [Wrapper].
//
// # Refusals
//
// [Error] keeps apart what the client may know and the cause, which never leaves the
// server. Its [Reason] is a stable name of the check that refused, for metrics.
//
// # Beside this package
//
// Package grants/limit bounds guesses at secrets, grants/grantstest tests a handler of
// the host, grants/observe reports the calls to stores, keys and verifiers, and
// grants/fositegrant runs handlers that were written for fosite.
package grants
