package storage

import (
	"context"
	"errors"
	"time"
)

// Errors that a store answers with. Compare with errors.Is; a store may wrap them.
// Every other error means that the store failed: the server answers 503 and issues nothing.
var (
	// ErrNotFound: no record (or client) has this key.
	ErrNotFound = errors.New("storage: not found")
	// ErrExists: a record with this kind and key is stored already, whatever its state and expiry.
	ErrExists = errors.New("storage: key is taken")
	// ErrConflict: the stored record is not in the state that the call named.
	ErrConflict = errors.New("storage: state differs")
)

// Kind names what a record is. Keys of different kinds never meet:
// a code offered as a refresh token is not found.
type Kind string

// The kinds that Grantwell writes. A host's own grant may add others; a store treats them all alike.
const (
	Code        Kind = "code"        // authorization code (RFC 6749 section 4.1)
	Access      Kind = "access"      // access token
	Refresh     Kind = "refresh"     // refresh token (RFC 6749 section 6)
	DeviceCode  Kind = "device_code" // RFC 8628 section 3.2
	UserCode    Kind = "user_code"   // RFC 8628 section 6.1
	Pushed      Kind = "pushed"      // pushed authorization request (RFC 9126)
	Interaction Kind = "interaction" // an authorization request that waits for login or consent
	Consent     Kind = "consent"     // what a user granted to a client
	Used        Kind = "used"        // an identifier that may be used once (jti, assertion ID)
)

// State is where a record is in its life. It moves forward only:
// Pending to Active or Denied, Active to Spent, and any of them to Revoked.
// Denied and Revoked are final; Spent can still become Revoked. A store compares states and does not judge them:
// who calls Advance keeps to this order.
type State uint8

// The zero State is no state: a record that carries it is not valid.
const (
	Pending State = iota + 1 // waits for somebody's decision
	Active                   // may be used
	Spent                    // was used; kept so that a second use is recognised
	Denied                   // somebody said no
	Revoked                  // withdrawn
)

// Record is everything that Grantwell stores about a code, a token, a consent or an identifier.
// Insert and Advance refuse one that [Record.Validate] refuses.
// It is a value: a store copies what it is given and hands out copies, never shared slices.
type Record struct {
	Kind  Kind   // 1 to 32 characters of [a-z_]
	Key   string // base64url(SHA-256(secret)), 43 characters: see [Key]. No token or code is ever stored
	State State

	GrantID  string // the family: one authorization and all that was issued from it. May be empty (Used)
	ClientID string
	Subject  string

	Scope    []string // nil and empty are the same
	Audience []string // nil and empty are the same

	IssuedAt  time.Time // UTC; a store keeps at least milliseconds
	ExpiresAt time.Time // UTC; the zero time means that it never expires

	Data []byte // JSON, but any bytes to a store ([Seal]); up to [MaxData]. nil and empty are the same
}

// Expired tells whether the record's time has passed at now. A record without ExpiresAt never expires.
// Readers call it on every record they get: a store may hand out records that no sweep has reached yet.
func (r Record) Expired(now time.Time) bool {
	return !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt)
}

// Clients finds registered clients.
type Clients interface {
	// Client returns the client with this ID, compared byte for byte, or [ErrNotFound].
	// A disabled client is returned with Disabled set, so that the caller can tell the operator why.
	Client(ctx context.Context, id string) (Client, error)
}

// Records keeps the records. All four calls are safe for concurrent use, and see
// every write that returned before they were called, from this process or another.
type Records interface {
	// Insert stores recs, all or none. [ErrExists] when a (Kind, Key) is taken, or occurs twice in recs.
	Insert(ctx context.Context, recs ...Record) error

	// Get returns the record whatever its State, or [ErrNotFound]. Expiry is the caller's to judge.
	Get(ctx context.Context, kind Kind, key string) (Record, error)

	// Advance replaces the record (next.Kind, next.Key) by next if its stored State is from, and inserts
	// the others: all or nothing, in one atomic step. Of any number of calls that move the same record
	// out of the same state, exactly one returns nil.
	// [ErrNotFound] when there is no such record, [ErrConflict] when its State is not from,
	// [ErrExists] as Insert. from and next.State may be equal (an update in place).
	// ErrConflict is decided before ErrExists.
	Advance(ctx context.Context, from State, next Record, inserts ...Record) error

	// Revoke sets State to Revoked on the grant's records, of these kinds or, when none is given, of all.
	// One that is Denied is final already: a store may leave it so.
	// When it has returned nil, none of them is Active, Pending or Spent, and none becomes so by an
	// Advance of one of these records that runs at the same moment: that Advance either happened before,
	// and what it inserted into the grant is revoked too, or it fails with ErrConflict.
	// A grant ID that matches nothing (the empty one included) is no error and changes nothing.
	Revoke(ctx context.Context, grantID string, kinds ...Kind) error
}

// Sweeper is implemented by stores that remove expired records when asked.
type Sweeper interface {
	// Sweep removes up to limit records whose ExpiresAt is before the given time, and returns how
	// many it removed. A spent code or refresh token goes by its ExpiresAt like every other record,
	// which the server sets to the end of its family. A limit below 1 is 1000.
	Sweep(ctx context.Context, before time.Time, limit int) (int, error)
}

// Query selects records for [Lister]. Empty fields match everything.
type Query struct {
	Kind     Kind
	ClientID string
	Subject  string
	GrantID  string
	After    string // the cursor that the previous page returned; empty for the first page
	Limit    int    // records a page; below 1 or above 1000 is 100
}

// Lister is implemented by stores that can page through records, in a stable order of the store's choice.
type Lister interface {
	// List returns a page and the cursor of the next one, which is empty after the last page.
	// Records that exist during the whole listing occur exactly once. A cursor that the
	// store did not make is an error, never a query of its own.
	List(ctx context.Context, q Query) (recs []Record, next string, err error)
}

// Registrar is implemented by stores that keep clients as well.
type Registrar interface {
	Clients
	// PutClient stores the client under its ID, new or in place of the one stored.
	// It answers with an error that names the field when [Client.Validate] does.
	PutClient(ctx context.Context, c Client) error
	// DeleteClient removes it, or [ErrNotFound]. Its tokens end because its ID is no longer found. Who registers
	// the ID again sets TokensNotBefore, or they live on under the new client until they expire.
	DeleteClient(ctx context.Context, id string) error
	// ListClients returns clients by ID in byte order, starting behind after, at most limit
	// (below 1 or above 1000: 100).
	ListClients(ctx context.Context, after string, limit int) ([]Client, error)
}

// Swapper is implemented by registrars that can store a client only if nobody changed it since it was read.
type Swapper interface {
	// SwapClient stores next in place of the client with the same ID, if that is old still, in one atomic step.
	// A nil old means that there is none. [ErrConflict] when what is stored differs, or is gone.
	// next is validated as by PutClient.
	SwapClient(ctx context.Context, old *Client, next Client) error
}

// OriginFinder is implemented by stores that know whether any client is registered for a JavaScript origin, which a
// CORS preflight asks before it names a client.
type OriginFinder interface {
	// HasOrigin tells whether a client that is not disabled has the origin among its Origins, compared byte for byte.
	// No such client is no error.
	HasOrigin(ctx context.Context, origin string) (bool, error)
}
