package grantwell

import (
	"fmt"
	"io"

	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

// ClientFile reads files of clients. The zero value refuses a file that it does
// not understand in full.
type ClientFile struct {
	// IgnoreUnknown reads a file whose clients have members that are not known
	// here, for example the export of another server. Each of them is a setting
	// that is then not in force. False: the first one is an error.
	IgnoreUnknown bool
}

// ReadClients is [ClientFile.Read] with the zero value.
func ReadClients(r io.Reader) ([]storage.Client, error) { return ClientFile{}.Read(r) }

// Read reads a JSON array of clients in the names and types of RFC 7591
// section 2 and of [storage.Client], for example scope as one string and
// lifetimes in seconds. "grant_types": [] registers a resource server, which
// uses no grant and only introspects.
//
// A client of the method client_secret_basic or client_secret_post has its
// secret in client_secret, of which only a hash is kept, or a hash in
// client_secret_hash: see [storage.ImportSecret]. One of the method
// client_secret_jwt has its key in client_secret, which is stored as it is.
// A secret has 16 characters or more, a key 32.
//
// The file is at most 16 MiB long and has at most 10,000 clients. Names are
// compared byte for byte, and one that occurs twice in an object is an error.
// The error names the client and the member.
func (f ClientFile) Read(r io.Reader) ([]storage.Client, error) {
	clients, err := clientmeta.ReadFile(r, clientmeta.FileOptions{IgnoreUnknown: f.IgnoreUnknown})
	if err != nil {
		return nil, fmt.Errorf("grantwell: clients: %w", err)
	}
	return clients, nil
}
