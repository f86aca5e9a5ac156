// Package grantwell is an OAuth 2.0 authorization server that you mount inside your own
// Go service.
//
// You bring a store for clients and records (package storage, or one of the stores beside
// it), your users and their sessions, keys if you want signed tokens, and a mux. [New]
// checks the [Config] and names every wrong field. All else has a safe default.
//
// You get the token, revocation, introspection, metadata and JWKS endpoints:
// [Server.Mount] puts them on a mux, and [Server.Routes] lists them for another router.
// The authorization endpoint is yours: [Server.ParseAuthorize], then [Server.Approve] or
// [Server.Deny]. Or mount the ready-made one with its consent page:
// [Server.AuthorizeHandler] and [Server.ConsentHandler]. A *Server is an
// introspect.Introspector, so a resource in the same process is guarded without HTTP.
//
// Every token is made in one place. A grant decides (package grants). The server then
// checks user, scope, consent and client, runs the hooks, mints the tokens, and stores them
// in one atomic write with the code or token that they spend.
//
// A caller gets the error codes of the RFCs with fixed texts. The cause goes to the
// [Event] of the request ([Config].Events and Logger) and nowhere else. If a store fails,
// the answer is 503 and nothing is issued. A panic in a hook is 500 and nothing is issued.
// No event has a token, a code, a secret, a password or an assertion in it.
//
// # Compatibility
//
// No version is released yet, and CHANGELOG.md lists what changes. From version 1.0.0 on
// these are stable: the exported API, the JSON of clients, administration and exports, the
// schemas of the stores, and the reasons of events. These are not: the texts of errors and
// pages, and everything below internal.
//
// # Where to go on
//
// README.md is the overview, examples/MOVING.md the guide for moving clients and live
// tokens from another server, and assertion/TRUST.md the one for identity providers. The
// repository answers four questions by itself:
//
//	which grants exist                    ls grants
//	what must my database do              storage/storage.go
//	how do I run a flow                   ls examples
//	which specification lives where       ls internal/spec
package grantwell
