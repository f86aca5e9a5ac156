// Package grantwell is an OAuth 2.0 authorization server that you mount inside your own Go service.
//
// # What you bring
//
// A store for clients and records (package storage, or one of the stores beside it), who the user is, keys if you want
// signed tokens, and a mux. [New] joins them and refuses a configuration that does not make sense,
// naming the field. Everything else has a safe default.
//
// # What you get
//
// [Server.Handler] serves the token, revocation, introspection, metadata and JWKS endpoints at their paths; each is also a
// handler of its own. The authorization endpoint is yours: [Server.ParseAuthorize], then [Server.Approve] or
// [Server.Deny]. Or mount the ready-made one, with its consent page: [Server.AuthorizeHandler] and [Server.ConsentHandler].
// A *Server is an introspect.Introspector, so that a resource in the same process is guarded without HTTP.
//
// # One path
//
// A grant decides (package grants); tokens are made in one place for all of them. There the user, the scope, the consent and
// the client are checked, hooks run, tokens are minted, and what is spent and what it buys are stored in one
// atomic write. A second redemption of a code or refresh token ends its family.
//
// # Errors
//
// Callers get the codes of the RFCs and fixed texts. Causes go to events ([Config].Events and Logger) and nowhere else.
// A store that fails is 503 and nothing is issued; a panic in a hook is 500 and nothing is issued.
//
// # Guesses
//
// Failed passwords and client secrets are counted, for the user, for the client at one address, and for the address; past a limit
// the answer is 429 with Retry-After, and nobody is asked whether the guess was right. Guesses at once do not pass a limit
// together. [NewLimiter] counts in this process; instances that share a store share a [SharedLimiter]. A login page
// of the host's counts with them by grants.Guess. A limiter that fails is 503, and never an open door.
//
// # What you see
//
// Each request is one [Event], which says who, what, how it ended and, when it was refused, by which check; [LogEvents] writes it
// to a slog.Logger. Package observe tells of the calls to store, keys and assertion verifiers; examples/telemetry joins both
// to OpenTelemetry. None of them ever holds a token, a code, a secret, a password, a verifier or an assertion.
package grantwell
