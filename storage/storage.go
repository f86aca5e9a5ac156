package storage

import (
	"context"
	"errors"
	"time"
)

// The errors that have a meaning to the server. Compare with errors.Is; a store
// may wrap them. Every other error means that the store failed: the server
// answers 503 and issues nothing.
var (
	// ErrNotFound means that no record or client has this key.
	ErrNotFound = errors.New("storage: not found")

	// ErrExists means that a record with this kind and key is stored already,
	// in any state and whether or not it has expired.
	ErrExists = errors.New("storage: key is taken")

	// ErrConflict means that the stored record is not in the state that the
	// call named.
	ErrConflict = errors.New("storage: state differs")
)

// Kind is the type of a record. Keys of different kinds are apart: a code that
// is presented as a refresh token is not found.
type Kind string

// The kinds that Grantwell writes. A host's own grant may add others. A store
// treats all of them alike.
const (
	// Code is an authorization code (RFC 6749 section 4.1).
	Code Kind = "code"

	// Access is an access token.
	Access Kind = "access"

	// Refresh is a refresh token (RFC 6749 section 6).
	Refresh Kind = "refresh"

	// DeviceCode and UserCode are those of RFC 8628 sections 3.2 and 6.1.
	DeviceCode Kind = "device_code"
	UserCode   Kind = "user_code"

	// Pushed is a pushed authorization request (RFC 9126).
	Pushed Kind = "pushed"

	// Interaction is an authorization request that waits for the user's login
	// or consent.
	Interaction Kind = "interaction"

	// Consent is what a user granted to a client.
	Consent Kind = "consent"

	// Used is an identifier that may be used once, such as a jti or an
	// assertion ID.
	Used Kind = "used"
)

// State is the stage of a record's life. It moves forward only: from Pending to
// Active or Denied, from Active to Spent, and from any of them to Revoked.
// Denied and Revoked are final. Spent can still become Revoked.
//
// A store compares states and does not judge them. The caller of Advance keeps
// to this order.
type State uint8

// The states of a record. The zero State is invalid.
const (
	// Pending means that a user has not decided yet.
	Pending State = iota + 1

	// Active means that the record may be used.
	Active

	// Spent means that the record was used. It stays in the store so that a
	// second use is recognised.
	Spent

	// Denied means that the user refused.
	Denied

	// Revoked means that the record was withdrawn.
	Revoked
)

// Record is everything that Grantwell stores about a code, a token, a consent or
// a single-use identifier. Insert and Advance refuse a record that
// [Record.Validate] refuses.
//
// A store copies the records that it is given and returns copies. The caller
// and the store never share a slice.
type Record struct {
	// Kind is 1 to 32 characters of [a-z_].
	Kind Kind

	// Key is base64url(SHA-256(secret)), 43 characters: see [Key]. Tokens and
	// codes themselves are never stored.
	Key string

	// State is where the record is in its life.
	State State

	// GrantID names the family of the record: one authorization and everything
	// that was issued from it. It may be empty, for example of a Used record.
	GrantID string

	// ClientID and Subject are the client and the user that the record belongs
	// to. Either may be empty.
	ClientID string
	Subject  string

	// Scope and Audience are what was granted. Nil and empty are the same.
	Scope    []string
	Audience []string

	// IssuedAt and ExpiresAt are in UTC. A store keeps at least milliseconds.
	// The zero ExpiresAt means that the record never expires.
	IssuedAt  time.Time
	ExpiresAt time.Time

	// Data is JSON, but a store accepts any bytes, because [Seal] encrypts
	// them. It has at most [MaxData] bytes. Nil and empty are the same.
	Data []byte
}

// Expired reports whether the record has expired at the given time. A record
// without ExpiresAt never expires. Every reader calls it: a store may return
// records that have expired and were not swept yet.
func (r Record) Expired(now time.Time) bool {
	return !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt)
}

// Clients finds registered clients.
type Clients interface {
	// Client returns the client with this ID, compared byte for byte, or
	// [ErrNotFound]. A disabled client is returned with Disabled set, so that
	// the caller can log the reason of its refusal.
	Client(ctx context.Context, id string) (Client, error)
}

// Records keeps the records. All four methods are safe for concurrent use. Each
// call sees every write that returned before it began, in this process or
// another.
type Records interface {
	// Insert stores recs, all or none. It returns [ErrExists] if a pair of Kind
	// and Key is taken, or occurs twice in recs.
	Insert(ctx context.Context, recs ...Record) error

	// Get returns the record in any State, or [ErrNotFound]. The caller judges
	// whether it has expired.
	Get(ctx context.Context, kind Kind, key string) (Record, error)

	// Advance replaces the record (next.Kind, next.Key) by next if its stored
	// State is from, and inserts the others: all or nothing, in one atomic
	// step. Of any number of calls that move the same record out of the same
	// state, exactly one returns nil. The states from and next.State may be
	// equal, which is an update in place.
	//
	// It returns [ErrNotFound] if there is no such record, [ErrConflict] if its
	// State is not from, and [ErrExists] as Insert does. ErrConflict wins over
	// ErrExists.
	Advance(ctx context.Context, from State, next Record, inserts ...Record) error

	// Revoke sets State to Revoked on the records of the grant: on those of the
	// given kinds or, if none is given, on all of them. A Denied record is
	// final already; a store may leave it so.
	//
	// When Revoke has returned nil, none of these records is Active, Pending or
	// Spent. An Advance of one of them that runs at the same moment does not
	// undo that: either it happened before, and what it inserted into the grant
	// is revoked too, or it fails with ErrConflict.
	//
	// A grant ID without records, the empty one included, is no error and
	// changes nothing.
	Revoke(ctx context.Context, grantID string, kinds ...Kind) error
}

// Sweeper is implemented by stores that remove expired records when asked.
type Sweeper interface {
	// Sweep removes up to limit records whose ExpiresAt is before the given
	// time, and returns the number of removed records. A limit below 1 is 1000.
	// It treats a spent code or refresh token like every other record: the
	// server set its ExpiresAt to the end of its family.
	Sweep(ctx context.Context, before time.Time, limit int) (int, error)
}

// Query selects records for [Lister]. An empty field matches everything.
type Query struct {
	Kind     Kind
	ClientID string
	Subject  string
	GrantID  string

	// After is the cursor that the previous page returned. It is empty for the
	// first page.
	After string

	// Limit is the number of records on a page. Below 1 or above 1000 it is
	// 100.
	Limit int
}

// Lister is implemented by stores that can page through records, in a stable
// order that the store chooses.
type Lister interface {
	// List returns a page and the cursor of the next one, which is empty after
	// the last page. A record that exists during the whole listing occurs
	// exactly once. A cursor that the store did not make is an error.
	List(ctx context.Context, q Query) (recs []Record, next string, err error)
}

// Registrar is implemented by stores that keep clients as well.
type Registrar interface {
	Clients

	// PutClient stores the client under its ID, new or in place of the one that
	// is stored. If [Client.Validate] refuses the client, so does PutClient,
	// with an error that names the field.
	PutClient(ctx context.Context, c Client) error

	// DeleteClient removes the client, or returns [ErrNotFound]. Its tokens end
	// because its ID is no longer found. If the ID is registered again later,
	// set TokensNotBefore: otherwise tokens of the deleted client that have not
	// expired are valid again.
	DeleteClient(ctx context.Context, id string) error

	// ListClients returns at most limit clients whose ID follows after, sorted
	// by ID in byte order. A limit below 1 or above 1000 is 100.
	ListClients(ctx context.Context, after string, limit int) ([]Client, error)
}

// Swapper is implemented by registrars that can store a client only if it has
// not changed since it was read.
type Swapper interface {
	// SwapClient stores next in place of the client with the same ID if that
	// client still equals old ([Client.Equal]), in one atomic step. A nil old
	// means that there is no such client. It returns [ErrConflict] if the
	// stored client differs or is gone. It validates next as PutClient does.
	SwapClient(ctx context.Context, old *Client, next Client) error
}

// OriginFinder is implemented by stores that can find clients by JavaScript
// origin. A CORS preflight request has an origin and names no client.
type OriginFinder interface {
	// HasOrigin reports whether a client that is not disabled has the origin
	// among its Origins, compared byte for byte. It is no error if there is no
	// such client.
	HasOrigin(ctx context.Context, origin string) (bool, error)
}
