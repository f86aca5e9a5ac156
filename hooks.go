package grantwell

import (
	"context"
	"time"

	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// Hooks are functions of the host. A returned *[Error] is answered as it is, every
// other error as server_error. A panic is answered as server_error too, and never
// with a token. Nil: nothing happens.
type Hooks struct {
	// BeforeAuthorize runs before an authorization request is approved. It may change
	// the approval, which is checked after it.
	BeforeAuthorize func(ctx context.Context, req *AuthorizeRequest, a *Approval) error
	// AfterAuthorize runs after the answer is stored and before it is sent.
	AfterAuthorize func(ctx context.Context, req *AuthorizeRequest, a Approval) error
	// BeforeIssue runs before tokens are minted. It may change Claims and Response.
	BeforeIssue func(ctx context.Context, i *Issuance) error
	// AfterIssue runs after the tokens are stored and before the answer is sent. An
	// error revokes them.
	AfterIssue func(ctx context.Context, i Issuance) error
	// BeforeRevoke and AfterRevoke run around the revocation of a token.
	BeforeRevoke, AfterRevoke func(ctx context.Context, t *introspect.Token) error
	// Validate runs on every live token that is looked up. A *[Error] below status 500
	// makes the token inactive; every other error means that the answer could not be
	// had (status 503). Claims may be added to Extra.
	Validate func(ctx context.Context, t *introspect.Token) error
}

// Issuance describes tokens that are about to be issued, or were.
type Issuance struct {
	Client    storage.Client
	GrantType string
	GrantID   string
	Subject   string
	Scope     []string
	Audience  []string
	ExpiresAt time.Time      // of the access token
	Claims    map[string]any // stored with the token; in a JWT too. Registered names cannot be set
	Response  map[string]any // further members of the token response. Standard ones cannot be set
	Refresh   bool           // a refresh token comes with it
}
