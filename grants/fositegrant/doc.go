// Package fositegrant joins Grantwell and github.com/ory/fosite v0.49: a fosite token handler runs as a grant ([New]), and fosite's
// own handlers run over Grantwell's records ([Store]). Nothing else of Grantwell compiles fosite.
//
// # A fosite handler as a grant
//
// [New] takes a fosite.TokenEndpointHandler that a host has written and returns a grants.Handler for grantwell.Config.Grants. The server
// authenticates the client, and HandleTokenEndpointRequest then decides as it always did. Read are, from the request, the granted
// scopes and audiences; from the session, the subject, the extra claims, the access token's expiry (it only shortens) and the refresh
// token's; from the response, further members and whether a refresh token was set. What the server's scope rules do not allow the client is
// never granted, whatever the handler grants.
//
// A handler that grants no scope gives none. fosite's handlers for client_credentials and password leave scopes to the code between
// NewAccessRequest and NewAccessResponse; Options.GrantRequested stands for that code. An audience that the client is not
// registered for is invalid_target. The subject is the session's; only client_credentials may leave it empty and means the client then.
// The handler sees no client secret and no *http.Request, and a password is guessed within the server's limits.
//
// The tokens are the server's: build the handler's HandleHelper with [Placeholder] as strategy and storage, and what it sets there is
// replaced. A handler that holds a strategy or storage of its own would issue twice, and is refused when it is built, as
// are fosite's handlers for codes, refresh tokens, PKCE and OpenID Connect: a code is spent and its tokens are stored in one
// write here, which those cannot do. Use grants.AuthorizationCode and grants.RefreshToken for them.
//
// # fosite's handlers over Grantwell's records
//
// [Store] is a storage for compose.Compose and for handlers that are built by hand; [Configure] sets what fosite leaves loose, and [Provider]
// gives errors the codes of RFC 6749. It is a step on the way: both servers share clients, grants and revocations, and
// with tokens.FositeHMAC in grantwell.Config.Imported the endpoints of Grantwell serve the tokens that fosite issued, so that a host moves
// one endpoint after the other.
//
// # Moving from fosite
//
// The tests in migration_test.go run one client against both programs: composed is the one before, moved the one after.
//
//	fosite                                             Grantwell
//	compose.Compose, ComposeAllEnabled                 grantwell.New
//	fosite.Config                                      grantwell.Config; there are no lazy defaults
//	compose.OAuth2AuthorizeExplicitFactory, PKCE       grants.AuthorizationCode
//	compose.OAuth2AuthorizeImplicitFactory             grants.Implicit, off unless listed
//	compose.OAuth2ClientCredentialsGrantFactory        grants.ClientCredentials
//	compose.OAuth2ResourceOwnerPasswordCredentials…    grants.Password, off unless listed
//	compose.OAuth2RefreshTokenGrantFactory             grants.RefreshToken
//	compose.RFC7523AssertionGrantFactory               grants.JWTBearer with an assertion.Verifier
//	OAuth2TokenIntrospection…, …RevocationFactory      always there: Server.Handler
//	a TokenEndpointHandler of your own                 New, or a grants.Handler: two methods
//	Config.GlobalSecret, HMAC strategy                 none: tokens are random, the store has their SHA-256
//	Config.AccessTokenLifespan, RefreshTokenLifespan   Config.AccessTokenLifetime, RefreshTokenLifetime; also for each client
//	Config.EnforcePKCE, EnforcePKCEForPublicClients    AuthorizationCode.RequirePKCE; of public clients it is the default
//	Config.ScopeStrategy                               ScopeRules: exact, with Decide for everything else
//	Config.AudienceMatchingStrategy                    exact; Client.Audience
//	Config.ClientSecretsHasher                         storage.Secret: SHA-256, bcrypt, argon2id and PBKDF2 hashes
//	Config.RefreshTokenScopes ("offline")              the client's grant_types has refresh_token
//	Config.TokenURL                                    Config.Issuer and Paths
//	fosite.Client                                      storage.Client, a value
//	fosite.ClientManager                               storage.Clients: one method
//	oauth2.CoreStorage, TokenRevocationStorage, pkce…  storage.Records: four methods, one of which carries all atomicity
//	storage.Transactional                              not needed
//	fosite.Session                                     Approval at the authorization endpoint; Grant in a grant
//	Session.GetExtraClaims                             Approval.Claims, Grant.Claims, Hooks.BeforeIssue
//	provider.NewAuthorizeRequest                       Server.ParseAuthorize
//	NewAuthorizeResponse, WriteAuthorizeResponse       Server.Approve, Server.Deny
//	NewAccessRequest … WriteAccessResponse             Server.Handler, or Server.TokenHandler
//	provider.IntrospectToken                           Server.Introspect; introspect.Guard around a resource
//	fosite.RFC6749Error                                grants.Error: its cause never leaves the server
//	clients and live tokens in the database            grantwell.ReadClients, grantwell.ImportTokens, Config.Imported
//
// What becomes safer is the table in README.md beside this file, which TestComparison makes: among other things, one code gives one
// token however many requests race, a wrong code_verifier ends the code's use, a store that fails is 503 and not 200, and a client
// introspects what is its own or meant for it.
//
// What is not supported: ID tokens and the rest of OpenID Connect, the hybrid response types that need them, pushed authorization requests,
// signed request objects, and per-grant lifetimes of a client. Keep fosite's handlers for those, over [Store], until they are.
package fositegrant
