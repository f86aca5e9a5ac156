package sqlstore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// List implements [storage.Lister]. Records are in the byte order of kind and
// key. Grants and subjects have an index. A listing by client alone reads the
// whole table, page by page.
func (s *Store) List(ctx context.Context, q storage.Query) ([]storage.Record, string, error) {
	limit := q.Limit
	if limit < 1 || limit > 1000 {
		limit = 100
	}

	// A bad cursor is an error even if nothing else could match.
	where, args, err := s.filter(q)
	if err != nil {
		return nil, "", err
	}
	for _, text := range []string{string(q.Kind), q.ClientID, q.Subject, q.GrantID} {
		// The database cannot have such a text, so nothing matches.
		if !storable(text) {
			return nil, "", ctx.Err()
		}
	}
	// One record more than the page has shows whether there is a next page.
	query := "SELECT kind, record_key, " + valueColumns + " FROM " + s.table("records") + where + " ORDER BY kind, record_key LIMIT ?"
	recs, err := s.page(ctx, query, append(args, limit+1))
	if err != nil {
		return nil, "", fmt.Errorf("sqlstore: List: %w", err)
	}
	if len(recs) <= limit {
		return recs, "", nil
	}
	recs = recs[:limit]
	last := recs[limit-1]
	return recs, s.cursor(string(last.Kind), last.Key), nil
}

// filter returns the conditions of the query and their parameters.
func (s *Store) filter(q storage.Query) (where string, args []any, err error) {
	var conditions []string
	add := func(condition string, values ...any) {
		conditions = append(conditions, condition)
		args = append(args, values...)
	}
	if q.Kind != "" {
		add("kind = ?", string(q.Kind))
	}
	if q.ClientID != "" {
		add("client_id = ?", q.ClientID)
	}
	// The index of PostgreSQL and MySQL has the first 64 characters or bytes.
	if q.Subject != "" {
		add(s.lang.subject, q.Subject, q.Subject)
	}
	// The index of PostgreSQL leaves out empty grants, and is used only if the
	// condition says so too.
	if q.GrantID != "" {
		add("grant_id = ? AND grant_id <> ''", q.GrantID)
	}
	if q.After != "" {
		kind, key, err := s.parseCursor(q.After)
		if err != nil {
			return "", nil, err
		}
		add(s.lang.after, s.lang.afterArgs(kind, key)...)
	}
	if len(conditions) == 0 {
		return "", nil, nil
	}
	return " WHERE " + strings.Join(conditions, " AND "), args, nil
}

// page reads the records of one page.
func (s *Store) page(ctx context.Context, query string, args []any) ([]storage.Record, error) {
	stmt, err := s.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var recs []storage.Record
	for rows.Next() {
		var r stored
		if err := rows.Scan(r.keyAndValues()...); err != nil {
			return nil, err
		}
		rec, err := r.record()
		if err != nil {
			return nil, err
		}
		recs = append(recs, rec)
	}
	return recs, rows.Err()
}

var errCursor = errors.New("sqlstore: not a cursor of this store")

// tagSize is the length in bytes of the tag that authenticates a cursor.
const tagSize = 16

// cursor returns the cursor of the page that follows a record: a tag, the kind,
// a space, and the key.
func (s *Store) cursor(kind, key string) string {
	text := []byte(kind + " " + key)
	return base64.RawURLEncoding.EncodeToString(append(s.tag(text), text...))
}

// parseCursor reads a cursor that an instance on these tables made. The tag is
// checked because a cursor goes into a query, and because a caller must not jump
// to a position of its own.
func (s *Store) parseCursor(cursor string) (kind, key string, err error) {
	// The longest cursor has 32 + 1 + 255 bytes and the tag, in base64 406
	// characters. The decoder would skip line ends.
	if len(cursor) > 500 || strings.ContainsAny(cursor, "\r\n") {
		return "", "", errCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < tagSize || !hmac.Equal(b[:tagSize], s.tag(b[tagSize:])) {
		return "", "", errCursor
	}
	kind, key, ok := strings.Cut(string(b[tagSize:]), " ")
	if !ok {
		return "", "", errCursor
	}
	return kind, key, nil
}

// tag returns the tag of a cursor's text.
func (s *Store) tag(text []byte) []byte {
	mac := hmac.New(sha256.New, s.seal)
	mac.Write(text)
	return mac.Sum(nil)[:tagSize]
}
