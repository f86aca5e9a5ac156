package fositegrant

import (
	"context"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/grants"
)

// Options describe how a fosite handler runs as a grant. Only GrantType is required. The
// zero values of the others are the safe defaults.
type Options struct {
	// GrantType is the grant_type that the handler serves, in printable ASCII. Required.
	GrantType string

	// NewSession returns the session that the handler fills. It must return a new one at
	// each call. By default the session is a *fosite.DefaultSession.
	NewSession func() fosite.Session

	// HandleOnly says that the handler's PopulateTokenEndpointResponse is never called.
	// The handler may then keep its own strategies and storage. The server does not see
	// the members that the handler would add to the response, or that it would set a
	// refresh token.
	HandleOnly bool

	// GrantRequested grants the requested scopes and audiences, as far as the client is
	// registered for them. Without a requested scope it grants the client's default
	// scopes. What the handler grants itself is added.
	//
	// fosite's handlers for client_credentials and password need it: they leave the
	// granting to the host's code between NewAccessRequest and NewAccessResponse. By
	// default only what the handler grants is granted.
	GrantRequested bool

	// Refresh allows a refresh token even if the handler does not set one.
	Refresh bool

	// Identify returns the ID of the client of a request without client credentials. It
	// is for a handler whose CanSkipClientAuth reports true, and refused for another.
	// The ID is not proven: the handler must accept only what this client has signed.
	Identify func(ctx context.Context, r *grants.Request) (clientID string, err error)

	// Decided, if not nil, is called after the handler's decision was read into g. It may
	// change g, for example to copy values of the host's own session type into Claims,
	// AuthTime or Confirmation. An error refuses the request: a *[grants.Error] reaches
	// the client as it is, and any other error is answered with server_error.
	Decided func(ctx context.Context, r *grants.Request, ar fosite.AccessRequester, g *grants.Grant) error
}
