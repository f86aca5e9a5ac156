package sqlstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/grantwell/grantwell/storage"
)

// maxRows is the largest number of rows that one statement inserts. Each row has
// 12 parameters, and databases bound the parameters of a statement.
const maxRows = 100

// Get implements [storage.Records]: one round trip.
func (s *Store) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if !storable(string(kind)) || !storable(key) {
		return storage.Record{}, storage.ErrNotFound
	}
	r := stored{kind: string(kind), key: key}
	err := s.read(ctx, "SELECT "+valueColumns+" FROM "+s.table("records")+" WHERE kind = ? AND record_key = ?", []any{r.kind, r.key}, r.values()...)
	if errors.Is(err, sql.ErrNoRows) {
		return storage.Record{}, storage.ErrNotFound
	}
	if err != nil {
		return storage.Record{}, fmt.Errorf("sqlstore: Get: %w", err)
	}
	return r.record()
}

// storable reports whether the database can store the text. A text that it
// cannot store is not there, and some databases refuse a query with it.
func storable(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}

// Insert implements [storage.Records]: one round trip for one record, and on
// PostgreSQL for up to 100.
func (s *Store) Insert(ctx context.Context, recs ...storage.Record) error {
	if err := validate(recs); err != nil {
		return err
	}
	if len(recs) == 0 {
		return ctx.Err()
	}
	write := writeID()
	attempt := func() error {
		switch {
		case len(recs) == 1:
			return s.alone(ctx, func() error { return insert(ctx, s, s.insertQuery(1), recs, write) })
		case s.lang.atOnce && len(recs) <= maxRows:
			// Without the clause that skips taken keys, so that one of them
			// undoes the whole statement.
			return insert(ctx, s, strings.TrimSuffix(s.insertQuery(len(recs)), s.lang.insertEnd), recs, write)
		}
		return s.tx(ctx, func(tx *transaction) error { return tx.insert(recs, write) })
	}
	return s.write(ctx, "Insert", attempt, func() bool { return s.wrote(ctx, write, recs[0]) })
}

// Advance implements [storage.Records]: one round trip on PostgreSQL with up to
// 100 inserts, otherwise a transaction of two statements.
func (s *Store) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	if err := next.Validate(); err != nil {
		return err
	}
	if err := validate(inserts); err != nil {
		return err
	}
	write := writeID()
	attempt := func() error {
		if s.lang.atOnce && len(inserts) <= maxRows {
			return s.advanceAtOnce(ctx, from, next, inserts, write)
		}
		return s.tx(ctx, func(tx *transaction) error { return tx.advance(from, next, inserts, write) })
	}
	// The record may have been advanced again since, so the first insert counts
	// as a proof too.
	return s.write(ctx, "Advance", attempt, func() bool {
		return s.wrote(ctx, write, next) || len(inserts) > 0 && s.wrote(ctx, write, inserts[0])
	})
}

// advanceSet replaces a record that is in the named state. The number of changed
// rows shows whether it did: of two concurrent statements the database runs one
// first, and the other one then finds another state.
const advanceSet = " SET state = ?, grant_id = ?, client_id = ?, subject = ?, scope = ?, audience = ?," +
	" issued_at = ?, expires_at = ?, data = ?, write_id = ?" +
	" WHERE kind = ? AND record_key = ? AND state = ?"

// advanceArgs returns the parameters of advanceSet: all columns but kind and key,
// which follow in the condition.
func advanceArgs(from storage.State, next *storage.Record, write []byte) ([]any, error) {
	args, err := rowArgs(make([]any, 0, columnCount+1), next, write)
	if err != nil {
		return nil, err
	}
	args = append(args, args[0], args[1], int64(from))
	return args[2:], nil
}

// advanceAtOnce writes everything in one statement. The INSERT has rows only if
// the UPDATE had one, and a taken key fails both. The last part reads what was
// stored when the statement began.
func (s *Store) advanceAtOnce(ctx context.Context, from storage.State, next storage.Record, inserts []storage.Record, write []byte) error {
	args, err := advanceArgs(from, &next, write)
	if err != nil {
		return err
	}
	query := "WITH moved AS (UPDATE " + s.table("records") + advanceSet + " RETURNING 1)"
	if len(inserts) > 0 {
		query += ", added AS (INSERT INTO " + s.table("records") + " (" + columns + ") SELECT * FROM (VALUES " +
			repeat(typedRow, len(inserts)) +
			") AS v WHERE EXISTS (SELECT 1 FROM moved))"
	}
	query += " SELECT EXISTS (SELECT 1 FROM moved), (SELECT write_id FROM " + s.table("records") + " WHERE kind = ? AND record_key = ?)"
	for i := range inserts {
		if args, err = rowArgs(args, &inserts[i], write); err != nil {
			return err
		}
	}
	args = append(args, string(next.Kind), next.Key)

	var moved bool
	var before []byte
	err = s.row(ctx, query, args, &moved, &before)
	switch {
	case s.lang.taken(err):
		return storage.ErrExists
	case err != nil:
		return err
	case moved:
		return nil
	}
	return refusal(before, write)
}

// typedRow is a row of VALUES. PostgreSQL cannot derive the types of parameters
// there.
const typedRow = "(?::text, ?::text, ?::smallint, ?::text, ?::text, ?::text, ?::text, ?::text," +
	" ?::bigint, ?::bigint, ?::bytea, ?::bytea)"

// refusal returns why no row changed, from the write_id of the stored record.
func refusal(stored, write []byte) error {
	switch {
	case stored == nil:
		return storage.ErrNotFound
	case bytes.Equal(stored, write):
		return nil // a driver sent the statement twice, and the first one did the work
	}
	return storage.ErrConflict
}

// wrote reports whether this write is in the database, for a call whose answer
// was lost. It may report false for a write that the database does later. The
// call then fails, as it would have without asking.
func (s *Store) wrote(ctx context.Context, write []byte, r storage.Record) bool {
	var id []byte
	err := s.read(ctx, "SELECT write_id FROM "+s.table("records")+" WHERE kind = ? AND record_key = ?", []any{string(r.Kind), r.Key}, &id)
	return err == nil && bytes.Equal(id, write)
}

// insertQuery returns the statement that inserts n rows.
func (s *Store) insertQuery(n int) string {
	return s.lang.insertVerb + " " + s.table("records") + " (" + columns + ") VALUES " +
		repeat("("+repeat("?", columnCount)+")", n) + s.lang.insertEnd
}

// executor runs a statement: the store in a transaction of its own, or a
// transaction.
type executor interface {
	exec(ctx context.Context, query string, args ...any) (int64, error)
	taken(err error) bool
}

// taken reports whether an error means that a key is taken.
func (s *Store) taken(err error) bool { return s.lang.taken(err) }

// insert runs an insert of recs. If fewer rows than records were inserted, a key
// was taken.
func insert(ctx context.Context, e executor, query string, recs []storage.Record, write []byte) error {
	args := make([]any, 0, len(recs)*columnCount)
	var err error
	for i := range recs {
		if args, err = rowArgs(args, &recs[i], write); err != nil {
			return err
		}
	}
	n, err := e.exec(ctx, query, args...)
	if e.taken(err) || err == nil && n < int64(len(recs)) {
		return storage.ErrExists
	}
	return err
}

// validate returns the first error of the records.
func validate(recs []storage.Record) error {
	for i := range recs {
		if err := recs[i].Validate(); err != nil {
			return err
		}
	}
	return nil
}

// writeID returns a random value that names one write. The store finds by it
// whether a write happened: see [Store.wrote].
func writeID() []byte {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return b
}
