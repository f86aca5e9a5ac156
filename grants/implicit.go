package grants

import "context"

// Implicit answers an authorization request with an access token in the redirect's fragment (RFC 6749
// section 4.2). RFC 9700 section 2.1.2 advises against it: the token passes through the browser's history and
// whatever reads it. Use [AuthorizationCode] with PKCE; list Implicit only for clients that cannot change.
type Implicit struct{}

// GrantType returns "implicit", for which a client is registered. The token endpoint never serves it.
func (Implicit) GrantType() string { return "implicit" }

// ResponseType returns "token".
func (Implicit) ResponseType() string { return "token" }

// Handle refuses: there is no token request in this grant.
func (Implicit) Handle(context.Context, *Request) (*Grant, error) { return nil, UnsupportedGrantType() }
