// Package introspect asks about access tokens and guards resources with the answers.
//
// An [Introspector] answers whether a token is live and what it may do. There are three: the
// authorization server itself when it runs in the same process, [Remote], which asks a server by RFC
// 7662, and [LocalJWT], which checks signed tokens of RFC 9068 without asking anyone. A [Guard] turns any of them into
// a middleware that answers as RFC 6750 says, and the handler behind it finds the same [Token] by
// [FromContext] whichever was asked.
//
// # Guarding
//
//	guard := introspect.Guard{Introspector: server, Audience: []string{"https://api.example.com"}}
//	mux.Handle("GET /notes", guard.Require("notes.read")(notes))
//	mux.Handle("POST /notes", guard.Require("notes.write")(notes))
//
// Each route has the guard and the scopes that it is given; a copy of a Guard with another Match,
// Realm or Audience is the profile of one route, and says nothing about the others.
//
// # What is refused
//
// A token for another resource: a Guard without an Audience does not start. A refresh token. A token
// bound to a key, unless Guard.Confirm proves possession of that key. A token at two places, in a
// second Authorization header, behind a tab, in a list, over 16 KiB. A token in the query, unless a
// field is named. Whatever fails while a token is checked ends in a refusal, 503 or 500, never in a pass.
//
// # Revocation
//
// The server in the same process and a Remote without a cache see a revocation at once. A Remote with a cache
// sees it within Remote.MaxAge. A JWT introspector does not see it at all before exp: use it with tokens
// that live for minutes.
package introspect
