package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// Client implements [storage.Clients]: one round trip.
func (s *Store) Client(ctx context.Context, id string) (storage.Client, error) {
	document, err := s.document(ctx, id)
	if err != nil {
		return storage.Client{}, err
	}
	return decodeClient(document)
}

// document reads the stored document of a client.
func (s *Store) document(ctx context.Context, id string) (document []byte, err error) {
	if id == "" || !storable(id) {
		return nil, storage.ErrNotFound
	}
	// A caller sends any text as a client ID, so a missing row is no failure.
	err = s.read(ctx, "SELECT document FROM "+s.table("clients")+" WHERE client_id = ?", []any{id}, &document)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, storage.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("sqlstore: Client: %w", err)
	}
	return document, nil
}

// documentVersion is the version of the documents in the table of clients. A
// change of the meaning of a member increases it. It is the first member of the
// document, so that a reader finds it without parsing the rest.
const documentVersion = `{"v":1,`

// errDocument is the error for a document of another version. Such a document
// is not parsed: the members of another version may mean something else.
var errDocument = errors.New("sqlstore: a stored client has a document of a version that this release does not read; " +
	"register the client again, which replaces the document")

// encodeClient returns the document that is stored of a client.
func encodeClient(c *storage.Client) (string, error) {
	object, err := c.MarshalJSON()
	if err != nil {
		return "", err
	}
	return documentVersion + string(object[1:]), nil
}

// decodeClient reads what encodeClient wrote.
func decodeClient(document []byte) (storage.Client, error) {
	members, ok := bytes.CutPrefix(document, []byte(documentVersion))
	if !ok {
		return storage.Client{}, errDocument
	}

	object := make([]byte, 0, len(members)+1)
	object = append(object, '{')
	object = append(object, members...)

	// It is called directly, because json.Unmarshal would validate the text twice.
	var c storage.Client
	if err := c.UnmarshalJSON(object); err != nil {
		return storage.Client{}, fmt.Errorf("sqlstore: a stored client: %w", err)
	}
	return c, nil
}

// PutClient implements [storage.Registrar]. The client and its origins are one
// transaction.
func (s *Store) PutClient(ctx context.Context, c storage.Client) error {
	if err := c.Validate(); err != nil {
		return err
	}
	document, err := encodeClient(&c)
	if err != nil {
		return fmt.Errorf("sqlstore: PutClient: %w", err)
	}
	return s.write(ctx, "PutClient", func() error {
		return s.tx(ctx, func(tx *transaction) error {
			upsert := strings.ReplaceAll(s.lang.upsertClient, "{t}", s.table("clients"))
			if _, err := tx.exec(ctx, upsert, c.ID, c.Disabled, document); err != nil {
				return err
			}
			return tx.origins(c)
		})
	}, nil)
}

// SwapClient implements [storage.Swapper]. It compares the stored document with
// old, and then writes on the condition that the document is still the same.
func (s *Store) SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error {
	if err := next.Validate(); err != nil {
		return err
	}
	document, err := encodeClient(&next)
	if err != nil {
		return fmt.Errorf("sqlstore: SwapClient: %w", err)
	}
	// Without an old client, the insert has a row only if the ID is free.
	query := s.lang.insertVerb + " " + s.table("clients") + " (disabled, document, client_id) VALUES (?, ?, ?)" + s.lang.insertEnd
	args := []any{next.Disabled, document, next.ID}
	if old != nil {
		// The stored text may be spelled in another way than this release would
		// spell it, so the clients are compared and not the texts.
		stored, err := s.document(ctx, next.ID)
		if errors.Is(err, storage.ErrNotFound) {
			return storage.ErrConflict
		} else if err != nil {
			return err
		}
		if c, err := decodeClient(stored); err != nil {
			return err
		} else if !c.Equal(old) {
			return storage.ErrConflict
		}
		if string(stored) == document {
			return nil // MySQL does not count a row that stays the same
		}
		query = "UPDATE " + s.table("clients") + " SET disabled = ?, document = ? WHERE client_id = ? AND document = ?"
		args = append(args, string(stored))
	}
	return s.write(ctx, "SwapClient", func() error {
		return s.tx(ctx, func(tx *transaction) error {
			n, err := tx.exec(ctx, query, args...)
			if err == nil && n == 0 {
				return storage.ErrConflict
			}
			if err != nil {
				return err
			}
			return tx.origins(next)
		})
	}, nil)
}

// origins replaces the origins that are stored for the client. A disabled client
// has none: see [storage.OriginFinder].
func (t *transaction) origins(c storage.Client) error {
	if _, err := t.exec(t.ctx, "DELETE FROM "+t.store.table("origins")+" WHERE client_id = ?", c.ID); err != nil {
		return err
	}
	if c.Disabled {
		return nil
	}
	// Sorted, so that an origin which the client names twice is stored once.
	origins := slices.Clone(c.Origins)
	slices.Sort(origins)
	for _, origin := range slices.Compact(origins) {
		// An origin may be longer than an index allows, so its digest is stored.
		insert := "INSERT INTO " + t.store.table("origins") + " (origin, client_id) VALUES (?, ?)"
		if _, err := t.exec(t.ctx, insert, storage.Key(origin), c.ID); err != nil {
			return err
		}
	}
	return nil
}

// DeleteClient implements [storage.Registrar]. It does not read the document, so
// that it also removes one of another version.
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	if id == "" || !storable(id) {
		return storage.ErrNotFound
	}
	return s.write(ctx, "DeleteClient", func() error {
		return s.tx(ctx, func(tx *transaction) error {
			n, err := tx.exec(ctx, "DELETE FROM "+s.table("clients")+" WHERE client_id = ?", id)
			if err == nil && n == 0 {
				return storage.ErrNotFound
			}
			if err != nil {
				return err
			}
			return tx.origins(storage.Client{ID: id})
		})
	}, nil)
}

// ListClients implements [storage.Registrar]. A document that cannot be read
// fails the page: a client that is left out would look as if it did not exist.
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]storage.Client, error) {
	if limit < 1 || limit > 1000 {
		limit = 100
	}
	if !storable(after) {
		return nil, errors.New("sqlstore: ListClients: the cursor is not the ID of a client")
	}
	stmt, err := s.stmt(ctx, "SELECT document FROM "+s.table("clients")+" WHERE client_id > ? ORDER BY client_id LIMIT ?")
	if err != nil {
		return nil, fmt.Errorf("sqlstore: ListClients: %w", err)
	}
	rows, err := stmt.QueryContext(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: ListClients: %w", err)
	}
	defer rows.Close()
	var list []storage.Client
	for rows.Next() {
		var document []byte
		if err := rows.Scan(&document); err != nil {
			return nil, fmt.Errorf("sqlstore: ListClients: %w", err)
		}
		c, err := decodeClient(document)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sqlstore: ListClients: %w", err)
	}
	return list, nil
}

// HasOrigin implements [storage.OriginFinder]: one round trip that uses an index.
func (s *Store) HasOrigin(ctx context.Context, origin string) (bool, error) {
	var found bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM "+s.table("origins")+" WHERE origin = ?)", []any{storage.Key(origin)}, &found)
	if err != nil {
		return false, fmt.Errorf("sqlstore: HasOrigin: %w", err)
	}
	return found, nil
}
