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
// A *Server is an introspect.Introspector, so that a resource in the same process is guarded without HTTP; [Server.External] does
// that for the tokens of another server, whose clients are attached to those that are registered here.
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
// # Moving from another server
//
// Clients keep their secrets and users stay logged in when a server changes, because what the old one stored of
// them is enough: [ReadClients] takes hashed secrets, [ImportTokens] takes digests of tokens, and
// [Config].Imported says how a token that a client presents is connected with its digest. The example of ImportTokens is the whole program.
//
// Before the day. Register the clients: client_secret_hash takes bcrypt, argon2id, PBKDF2 and SHA-256. A client that is there
// already is left alone, so that the program can be run again. Write the export of tokens as ImportTokens says, one line for each
// grant, and try it with a copy of the old store. Choose the form: [tokens.Hashed] with crypto.SHA1 or SHA256 for a server that keeps
// plain digests, as the gateway of [Gateway] does (SHA-1 unless it was told otherwise; the access and the refresh token of one row are one grant,
// named by the row's key); [tokens.FositeHMAC] with the old secrets for fosite and Hydra, where the grant is the request ID,
// stored is the signature column, and a refresh token whose row is not active is spent. Subjects must be those that your
// login gives users from now on.
//
// On the day. Stop the old server from issuing, refreshing and revoking: what it does after the export is not in it. Export, run
// ImportTokens, and send the traffic here. A run that was cut off is repeated with the same file. A grant in Changed was in
// an earlier file with other tokens: it keeps those, so take one export only, after the stop. Codes and consents do not
// move: a login under way begins again, and users are asked once more for consent. Signed access tokens (JWT) need no import where resource
// servers check the signature: leave the old keys published until the last has expired.
//
// After. The first refresh gives a client tokens of this server and spends the old one; a second use of the old one ends the grant, like any
// other. Take the forms out of Config.Imported, and the old secrets from wherever you keep them, when
// the longest refresh token lifetime of the old server has passed. SHA-1 is then gone too.
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
// to a slog.Logger. Package grants/observe tells of the calls to store, keys and assertion verifiers; examples/telemetry joins both
// to OpenTelemetry. None of them ever holds a token, a code, a secret, a password, a verifier or an assertion.
package grantwell
