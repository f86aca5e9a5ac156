package seam

import (
	"context"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// Kernel is what a specification may ask of the server.
type Kernel interface {
	Clients
	// Records returns the server's records.
	Records() storage.Records
	// Validate judges the parameters of an authorization request and answers
	// nothing. Source names the specification that brought the parameters.
	Validate(ctx context.Context, params url.Values, source string, now time.Time) (*Authorization, error)
	// Mint makes the tokens of a decision and the records that stand for them, and
	// stores nothing.
	Mint(ctx context.Context, i Issuing) (*Minted, error)
}

// Rooms is a [Kernel] over the server's rooms.
type Rooms struct {
	Clients
	Store  storage.Records
	Judge  func(ctx context.Context, params url.Values, source string, now time.Time) (*Authorization, error)
	Minter func(ctx context.Context, i Issuing) (*Minted, error)
}

var _ Kernel = Rooms{}

// Records implements [Kernel].
func (r Rooms) Records() storage.Records { return r.Store }

// Validate implements [Kernel].
func (r Rooms) Validate(ctx context.Context, params url.Values, source string, now time.Time) (*Authorization, error) {
	return r.Judge(ctx, params, source, now)
}

// Mint implements [Kernel].
func (r Rooms) Mint(ctx context.Context, i Issuing) (*Minted, error) { return r.Minter(ctx, i) }

// Binder is a specification that asks the server. Bind is called once, after every
// room was built and before the first request.
type Binder interface {
	Bind(k Kernel)
}

// Issuing is a decision for which tokens are to be made.
type Issuing struct {
	Client    *storage.Client
	Grant     *grants.Grant
	GrantType string
	// Requested is the scope that the request asks for.
	Requested []string
	Now       time.Time
}

// Minted is what was made for a decision, before it is stored.
type Minted struct {
	GrantID  string
	Response *grants.Response
	// Replayed says that Response was given before, so that nothing is to be stored.
	Replayed bool
	// Records stand for the tokens in Response. They are to be stored in one write.
	Records []storage.Record
	// Stored is called after the write and before the answer. An error withdraws the
	// tokens. It may be nil.
	Stored func(ctx context.Context) error
}

// Issuance describes tokens that are about to be issued, or were, to the host's hooks. The
// face has the same type and documents its fields.
type Issuance struct {
	Client    storage.Client
	GrantType string
	GrantID   string
	Subject   string
	Scope     []string
	Audience  []string
	ExpiresAt time.Time
	Claims    map[string]any
	Response  map[string]any
	Refresh   bool
}
