package grants

import "context"

// Implicit answers an authorization request with an access token in the fragment of
// the redirect (RFC 6749 section 4.2). RFC 9700 section 2.1.2 advises against it:
// the token passes through the browser's history and everything that reads it. Use
// [AuthorizationCode] with PKCE, and list Implicit only for clients that cannot
// change.
type Implicit struct{}

var _ Responder = Implicit{}

// GrantType returns "implicit", for which a client is registered. The token endpoint
// does not serve it.
func (Implicit) GrantType() string { return "implicit" }

// ResponseType returns "token".
func (Implicit) ResponseType() string { return "token" }

// Handle refuses: the grant has no token request.
func (Implicit) Handle(context.Context, *Request) (*Grant, error) {
	return nil, UnsupportedGrantType()
}
