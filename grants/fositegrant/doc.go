// Package fositegrant connects Grantwell with github.com/ory/fosite v0.49, in both
// directions. It is the only package of Grantwell that compiles fosite.
//
//   - [New] runs a fosite.TokenEndpointHandler as a grant. The handler decides, and the
//     server issues the tokens.
//   - [Store] runs fosite's own handlers over Grantwell's records, so that a host can move
//     one endpoint after another.
//
// The README of this package is the guide for moving from fosite: what stands for each
// name of fosite, the order of the steps, and how both servers behave.
//
// # A fosite handler as a grant
//
// The server authenticates the client and then calls HandleTokenEndpointRequest. It
// reads the decision from three places:
//
//   - the request: the granted scopes and audiences;
//   - the session: the subject, the extra claims, the expiry of the access token, which
//     only shortens the server's own, and the expiry of the refresh token;
//   - the response: members beyond those of RFC 6749, and whether a refresh token was set.
//
// The server's scope rules apply to what the handler grants. A handler that grants no
// scope gives none. An audience that the client is not registered for is refused with
// invalid_target. A session without a subject is refused, except for client_credentials,
// where the client is the subject.
//
// The handler sees neither the client secret nor the *http.Request. A password is checked
// within the server's limits on wrong passwords.
//
// The tokens are the server's. [Placeholder] stands in the fields where a handler wants
// strategies and storage for tokens. [New] refuses a handler with a strategy or a storage
// of its own, because it would issue a second set of tokens. It also refuses fosite's
// handlers for codes, refresh tokens, PKCE and OpenID Connect, because they cannot spend a
// code and store its tokens in one write.
//
// # fosite's handlers over Grantwell's records
//
// [Store] is the storage for compose.Compose. [Configure] sets the options of fosite.Config
// that it needs, and [Provider] gives errors the codes of RFC 6749. Both servers then share
// clients, grants and revocations. With tokens.FositeHMAC in grantwell.Config.Imported the
// endpoints of Grantwell also accept the tokens that fosite issued.
package fositegrant
