package grantwell

import (
	"context"
	"fmt"
	"io"

	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/internal/migrate"
	"github.com/grantwell/grantwell/internal/room/issue"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// GenerateSecret returns a new client secret of 256 random bits, to be shown once, and
// what to store of it.
func GenerateSecret() (secret string, stored storage.Secret) { return clientmeta.NewSecret() }

// ClientFile reads files of clients. The zero value refuses a file that it does not
// understand in full.
type ClientFile struct {
	// IgnoreUnknown reads a file whose clients have members that are not known here,
	// for example the export of another server. Each of them is a setting that is then
	// not in force. False: the first one is an error.
	IgnoreUnknown bool
}

// ReadClients is [ClientFile.Read] with the zero value.
func ReadClients(r io.Reader) ([]storage.Client, error) { return ClientFile{}.Read(r) }

// Read reads a JSON array of clients in the names and types of RFC 7591 section 2 and
// of [storage.Client], for example scope as one string and lifetimes in seconds.
// "grant_types": [] registers a resource server, which uses no grant and only
// introspects.
//
// A client of the method client_secret_basic or client_secret_post has its secret in
// client_secret, of which only a hash is kept, or a hash in client_secret_hash: see
// [storage.ImportSecret]. One of the method client_secret_jwt has its key in
// client_secret, which is stored as it is. Secrets have 16 characters or more, keys 32.
//
// The file is at most 16 MiB long and has at most 10,000 clients. Names are compared
// byte for byte, and one that occurs twice in an object is an error. The error names
// the client and the member.
func (f ClientFile) Read(r io.Reader) ([]storage.Client, error) {
	clients, err := clientmeta.ReadFile(r, clientmeta.FileOptions{IgnoreUnknown: f.IgnoreUnknown})
	if err != nil {
		return nil, fmt.Errorf("grantwell: clients: %w", err)
	}

	return clients, nil
}

// ImportResult counts what [ImportTokens] did with the grants that it read.
type ImportResult struct {
	Grants  int // stored now
	Tokens  int // stored now, of these grants
	Known   int // grants that an earlier run stored from the same line; left as they are by now
	Changed int // grants that an earlier run stored from another line; left as they are by now
	Expired int // grants without a token that is alive
}

// ImportTokens stores the tokens that another server issued, so that users stay signed
// in when the server changes. The guide to the whole move is examples/MOVING.md in the
// repository.
//
// The export is JSON lines: one line of at most 1 MiB for each grant, that is for one
// authorization with all that was issued from it. A line has the members
//
//   - grant: any unique text that names the grant at the other server
//   - client_id, subject, scope (separated by spaces), audience (an array: the
//     resource servers that the tokens are meant for, or the issuer, which is what
//     tokens of this server have by default)
//   - issued_at; and, if known, auth_time: RFC 3339
//   - family_end: when the last refresh is possible; absent: with the refresh token
//     that is used first
//   - claims: an object that is stored with the tokens
//   - access, refresh: arrays of {"stored", "expires_at"}, at most 100 together.
//     stored is what the other server stored of the token, as form reads it. An access
//     token of narrower scope has its own "scope". A refresh token that was used
//     already has "spent": true, so that a second use ends the grant.
//
// Each grant is stored with all of its tokens or not at all. A run that was cut off is
// repeated with the same file: what is stored stays as it is, revocations included.
// Other members, a name that occurs twice and malformed values end the run with an
// error that names the line; what was counted before it is stored. Memory does not grow
// with the file. Issuers that share a store pass it by storage.ForIssuer.
func ImportTokens(ctx context.Context, records storage.Records, form tokens.Imported, r io.Reader) (ImportResult, error) {
	res, err := migrate.Tokens(ctx, records, form, issue.Registered, r)
	if err != nil {
		err = fmt.Errorf("grantwell: import: %w", err)
	}

	return ImportResult(res), err
}
