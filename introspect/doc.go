// Package introspect asks about access tokens and guards resources with the
// answers.
//
// An [Introspector] answers whether a token is live and what it allows. There are
// three: the authorization server itself if it runs in the same process,
// [Remote], which asks a server by RFC 7662, and [LocalJWT], which verifies signed
// tokens of RFC 9068 without asking. A [Guard] makes a middleware of any of them,
// with the answers of RFC 6750. The handler behind it finds the same [Token] by
// [FromContext], whichever Introspector was asked.
//
// # Guarding
//
//	guard := introspect.Guard{Introspector: server, Audience: []string{"https://api.example.com"}}
//	mux.Handle("GET /notes", guard.Require("notes.read")(notes))
//	mux.Handle("POST /notes", guard.Require("notes.write")(notes))
//
// Each route has its own guard and scopes. To give a route another Match, Realm or
// Audience, copy the Guard and change the field. Other routes are not affected.
//
// To test handlers behind a guard, see package introspecttest.
//
// # What is refused
//
//   - A token for another resource. A Guard without an Audience does not start.
//   - A refresh token.
//   - A token that is bound to a key, unless Guard.Confirm proves possession of
//     the key.
//   - A token at two places of a request, in a second Authorization header, behind
//     a tab, in a list, or of more than 16 KiB.
//   - A token in the query, unless a field is named.
//
// A failure while a token is checked ends in a refusal, 503 or 500, and never in
// access.
//
// # Revocation
//
// The server in the same process, and a Remote without a cache, see a revocation at
// once. A Remote with a cache sees it within Remote.MaxAge. A LocalJWT does not see
// it before exp: use it with tokens that live for minutes.
package introspect
