package clientmeta

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/base/secrethash"
	"github.com/grantwell/grantwell/internal/base/strictjson"
	"github.com/grantwell/grantwell/storage"
)

// MaxFile is the longest file or document of clients that is read, in bytes.
const MaxFile = 16 << 20

// maxFileClients is how many clients a file may have.
const maxFileClients = 10_000

// minSecret is the shortest plain secret that a file may have, in characters.
// It is stored as a fast hash.
const minSecret = 16

// maxSecret is the longest one in bytes: endpoints read no more.
const maxSecret = 512

// minSharedKey is the shortest key of HS256 in bytes (RFC 7518 section 3.2).
const minSharedKey = 32

// The members that a file has beyond those of a client.
const (
	plainMember = "client_secret"
	hashMember  = "client_secret_hash"
)

// FileOptions says how a file of clients is read. The zero value is the
// default.
type FileOptions struct {
	// IgnoreUnknown reads a file whose clients have members that are not known
	// here, for example the export of another server. Each of them is a setting
	// that is then not in force. False: the first one is an error.
	IgnoreUnknown bool
}

// ReadFile reads a JSON array of clients, in the names and types of
// [storage.Client]. A client of the method client_secret_basic or
// client_secret_post has its plain secret in client_secret, which is hashed, or
// a hash of it in client_secret_hash: see [storage.ImportSecret]. A plain secret is
// taken for one that a person chose unless it has the form of those that the server
// generates, 32 random bytes in base64url. A client of
// the method client_secret_jwt has its key in client_secret, which is stored as
// it is. A client that names no created_at was created now.
//
// The file is at most 16 MiB long and has at most 10,000 clients, each ID once.
// An error names the client and the member.
func ReadFile(r io.Reader, o FileOptions) ([]storage.Client, error) {
	docs, err := readArray(r)
	if err != nil {
		return nil, err
	}

	created := time.Now().UTC().Truncate(time.Millisecond)
	clients := make([]storage.Client, 0, len(docs))
	seen := make(map[string]bool, len(docs))
	for i, doc := range docs {
		c, err := readFileClient(doc, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", label(doc, i), err)
		}
		if seen[c.ID] {
			return nil, fmt.Errorf("%s: the client is in the file twice", label(doc, i))
		}
		seen[c.ID] = true
		if c.CreatedAt.IsZero() {
			c.CreatedAt = created
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// readArray reads the text of a file and returns the documents in it.
func readArray(r io.Reader) ([]Document, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxFile {
		return nil, errors.New("the file is too large")
	}
	if err := strictjson.Check(text, strictjson.Limits{}); err != nil {
		return nil, err
	}

	var docs []Document
	if err := json.Unmarshal(text, &docs); err != nil || docs == nil {
		return nil, errors.New("the file is not a JSON array of clients")
	}
	if len(docs) > maxFileClients {
		return nil, fmt.Errorf("the file has more than %d clients", maxFileClients)
	}
	return docs, nil
}

// label names a client of a file: by its ID or, if it has none that can be
// read, by its place.
func label(doc Document, i int) string {
	var id string
	if json.Unmarshal(doc["client_id"], &id) != nil || id == "" {
		return fmt.Sprintf("client %d of the file", i+1)
	}
	return fmt.Sprintf("%.255q", id)
}

// readFileClient reads one client of a file and gives it its credentials.
func readFileClient(doc Document, o FileOptions) (storage.Client, error) {
	plain, err := takeText(doc, plainMember)
	if err != nil {
		return storage.Client{}, err
	}
	hash, err := takeText(doc, hashMember)
	if err != nil {
		return storage.Client{}, err
	}
	if o.IgnoreUnknown {
		keepKnown(doc)
	}

	c, err := Read(doc)
	if err != nil {
		return c, err
	}
	if err := setCredentials(&c, plain, hash); err != nil {
		return c, err
	}
	return c, Check(&c)
}

// takeText removes a member that is a string from the document. It returns the
// empty string if there is none, or null: other servers write so that a public
// client has no secret.
func takeText(doc Document, name string) (string, error) {
	value, ok := doc[name]
	if !ok {
		return "", nil
	}
	delete(doc, name)

	var text string
	if json.Unmarshal(value, &text) != nil {
		return "", fmt.Errorf("%s: is not a string", name)
	}
	return text, nil
}

// keepKnown removes the members that a client does not have.
func keepKnown(doc Document) {
	known := make(map[string]bool)
	for _, f := range reflect.VisibleFields(reflect.TypeFor[storage.Client]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		known[name] = true
	}
	for name := range doc {
		if !known[name] {
			delete(doc, name)
		}
	}
}

// setCredentials stores what the file says in plain or hash, either of which
// may be empty, in the form that the client's method needs.
func setCredentials(c *storage.Client, plain, hash string) error {
	method := c.Method()
	if plain != "" && hash != "" {
		return fmt.Errorf("%s: is exclusive with %s", hashMember, plainMember)
	}
	if (plain != "" || hash != "") && (len(c.Secrets) > 0 || len(c.SharedKey) > 0) {
		return fmt.Errorf("%s: is exclusive with secrets and shared_key", plainMember)
	}

	switch {
	case UsesSecret(method):
		return setSecret(c, plain, hash)
	case method == storage.AuthClientSecretJWT:
		return setSharedKey(c, plain, hash)
	case plain != "" || hash != "":
		return fmt.Errorf("%s: a client of the method %s has none", plainMember, method)
	}
	return nil
}

// setSecret stores the hash of a secret that the client sends.
func setSecret(c *storage.Client, plain, hash string) error {
	switch {
	case hash != "":
		stored, err := storage.ImportSecret(hash)
		if err == nil && !strings.HasPrefix(stored.Hash, "sha256:") {
			err = secrethash.Check(stored.Hash)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", hashMember, err)
		}
		c.Secrets = []storage.Secret{stored}

	case plain != "" && len(plain) < minSecret:
		return fmt.Errorf("%s: has fewer than %d characters", plainMember, minSecret)

	case len(plain) > maxSecret:
		return fmt.Errorf("%s: has more than %d bytes, which no endpoint reads", plainMember, maxSecret)

	case plain != "":
		stored := storage.HashSecret(plain)
		stored.Chosen = !looksRandom(plain)
		c.Secrets = []storage.Secret{stored}

	case len(c.Secrets) == 0:
		return fmt.Errorf("%s: is missing", plainMember)
	}
	return nil
}

// setSharedKey stores the key of a client that signs with it. The server needs
// the key itself to verify a signature.
func setSharedKey(c *storage.Client, plain, hash string) error {
	switch {
	case hash != "":
		return fmt.Errorf("%s: client_secret_jwt cannot be verified by a hash, and needs %s", hashMember, plainMember)

	case plain != "" && len(plain) < minSharedKey:
		return fmt.Errorf("%s: client_secret_jwt needs %d characters or more (RFC 7518 section 3.2)", plainMember, minSharedKey)

	case plain != "":
		c.SharedKey = []byte(plain)

	case len(c.SharedKey) == 0:
		return fmt.Errorf("%s: is missing", plainMember)
	}
	return nil
}
