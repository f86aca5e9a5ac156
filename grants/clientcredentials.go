package grants

import "context"

// ClientCredentials gives a confidential client a token for itself (RFC 6749 section
// 4.4). The subject of the token is the client ID.
type ClientCredentials struct {
	// Refresh adds a refresh token. RFC 6749 section 4.4.3 advises against it: the
	// client can always ask again with its credentials.
	Refresh bool
}

// GrantType returns "client_credentials".
func (ClientCredentials) GrantType() string { return "client_credentials" }

// Handle grants the client what the scope rules allow it.
func (g ClientCredentials) Handle(_ context.Context, r *Request) (*Grant, error) {
	if !r.Authenticated {
		return nil, UnauthorizedClient("A public client cannot use client_credentials.")
	}

	return &Grant{Subject: r.Client.ID, Refresh: g.Refresh, Confirmation: r.Confirmation}, nil
}
