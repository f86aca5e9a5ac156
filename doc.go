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
package grantwell
