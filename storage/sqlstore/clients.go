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

// document reads what is stored of a client.
func (s *Store) document(ctx context.Context, id string) (document []byte, err error) {
	if id == "" || !askable(id) {
		return nil, storage.ErrNotFound
	}
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

	// Called directly, because json.Unmarshal would validate the text twice.
	var c storage.Client
	if err := c.UnmarshalJSON(object); err != nil {
		return storage.Client{}, fmt.Errorf("sqlstore: a stored client: %w", err)
	}
	return c, nil
}

// PutClient implements [storage.Registrar].
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

// SwapClient implements [storage.Swapper]: a write that names the document which was compared here.
func (s *Store) SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error {
	if err := next.Validate(); err != nil {
		return err
	}
	document, err := encodeClient(&next)
	if err != nil {
		return fmt.Errorf("sqlstore: SwapClient: %w", err)
	}
	query := s.lang.insertVerb + " " + s.table("clients") + " (disabled, document, client_id) VALUES (?, ?, ?)" + s.lang.insertEnd
	args := []any{next.Disabled, document, next.ID}
	if old != nil {
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
			return nil // MySQL counts no row that stays as it is
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

// origins makes the client's rows the origins that a preflight may ask for: none if it is disabled.
func (t *transaction) origins(c storage.Client) error {
	if _, err := t.exec(t.ctx, "DELETE FROM "+t.store.table("origins")+" WHERE client_id = ?", c.ID); err != nil {
		return err
	}
	if c.Disabled {
		return nil
	}
	origins := slices.Clone(c.Origins)
	slices.Sort(origins)
	for _, origin := range slices.Compact(origins) {
		if _, err := t.exec(t.ctx, "INSERT INTO "+t.store.table("origins")+" (origin, client_id) VALUES (?, ?)", storage.Key(origin), c.ID); err != nil {
			return err
		}
	}
	return nil
}

// DeleteClient implements [storage.Registrar].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	if id == "" || !askable(id) {
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

// ListClients implements [storage.Registrar].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]storage.Client, error) {
	if limit < 1 || limit > 1000 {
		limit = 100
	}
	if !askable(after) {
		return nil, errors.New("sqlstore: ListClients: no ID is like this one")
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

// HasOrigin implements [storage.OriginFinder]: one round trip, by an index.
func (s *Store) HasOrigin(ctx context.Context, origin string) (bool, error) {
	var found bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM "+s.table("origins")+" WHERE origin = ?)", []any{storage.Key(origin)}, &found)
	if err != nil {
		return false, fmt.Errorf("sqlstore: HasOrigin: %w", err)
	}
	return found, nil
}
