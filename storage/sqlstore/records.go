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

// most is the number of rows that one statement inserts.
const most = 100

// Get implements [storage.Records]: one round trip.
func (s *Store) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if !askable(string(kind)) || !askable(key) {
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

// askable tells whether a database can be asked for this text. What it cannot keep is not there.
func askable(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}

// Insert implements [storage.Records]: one round trip for one record, and on PostgreSQL for up to 100.
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
		case s.lang.atOnce && len(recs) <= most:
			// Without the clause that skips, so that a taken key undoes the whole statement.
			return insert(ctx, s, strings.TrimSuffix(s.insertQuery(len(recs)), s.lang.insertEnd), recs, write)
		}
		return s.tx(ctx, func(tx *transaction) error { return tx.insert(recs, write) })
	}
	return s.write(ctx, "Insert", attempt, func() bool { return s.wrote(ctx, write, recs[0]) })
}

// Advance implements [storage.Records]: one round trip on PostgreSQL with up to 100 inserts, otherwise a transaction of
// two statements.
func (s *Store) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	if err := next.Validate(); err != nil {
		return err
	}
	if err := validate(inserts); err != nil {
		return err
	}
	write := writeID()
	attempt := func() error {
		if s.lang.atOnce && len(inserts) <= most {
			return s.advanceAtOnce(ctx, from, next, inserts, write)
		}
		return s.tx(ctx, func(tx *transaction) error { return tx.advance(from, next, inserts, write) })
	}
	return s.write(ctx, "Advance", attempt, func() bool {
		return s.wrote(ctx, write, next) || len(inserts) > 0 && s.wrote(ctx, write, inserts[0])
	})
}

// advanceSet moves a record, and its row count tells who has won: the database lets one of two through, and
// the other finds another state when its turn comes.
const advanceSet = " SET state = ?, grant_id = ?, client_id = ?, subject = ?, scope = ?, audience = ?, issued_at = ?, expires_at = ?, data = ?, write_id = ?" +
	" WHERE kind = ? AND record_key = ? AND state = ?"

// advanceArgs are the parameters of advanceSet.
func advanceArgs(from storage.State, next *storage.Record, write []byte) ([]any, error) {
	args, err := rowArgs(make([]any, 0, columnCount+1), next, write)
	if err != nil {
		return nil, err
	}
	args = append(args, args[0], args[1], int64(from))
	return args[2:], nil
}

// advanceAtOnce writes all in one statement. The INSERT has rows only if the UPDATE had one, and a key that is taken
// fails both. The last part reads what was there when the statement began.
func (s *Store) advanceAtOnce(ctx context.Context, from storage.State, next storage.Record, inserts []storage.Record, write []byte) error {
	args, err := advanceArgs(from, &next, write)
	if err != nil {
		return err
	}
	query := "WITH moved AS (UPDATE " + s.table("records") + advanceSet + " RETURNING 1)"
	if len(inserts) > 0 {
		query += ", added AS (INSERT INTO " + s.table("records") + " (" + columns + ") SELECT * FROM (VALUES " +
			repeat("(?::text, ?::text, ?::smallint, ?::text, ?::text, ?::text, ?::text, ?::text, ?::bigint, ?::bigint, ?::bytea, ?::bytea)", len(inserts)) +
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
	return refused(before, write)
}

// refused tells why nothing was moved, from the write_id of the stored record.
func refused(stored, write []byte) error {
	switch {
	case stored == nil:
		return storage.ErrNotFound
	case bytes.Equal(stored, write):
		return nil // a driver has sent the statement twice, and the first one did it
	}
	return storage.ErrConflict
}

// wrote tells whether this write is in the database, which settles what a lost answer has left open. A false may be
// wrong (it may yet happen), so it changes nothing: the call fails as before.
func (s *Store) wrote(ctx context.Context, write []byte, r storage.Record) bool {
	var id []byte
	err := s.read(ctx, "SELECT write_id FROM "+s.table("records")+" WHERE kind = ? AND record_key = ?", []any{string(r.Kind), r.Key}, &id)
	return err == nil && bytes.Equal(id, write)
}

func (s *Store) insertQuery(n int) string {
	return s.lang.insertVerb + " " + s.table("records") + " (" + columns + ") VALUES " +
		repeat("("+repeat("?", columnCount)+")", n) + s.lang.insertEnd
}

// executor runs a statement: the store, by itself, or a transaction.
type executor interface {
	exec(ctx context.Context, query string, args ...any) (int64, error)
	lost(err error) bool
}

// lost tells that a key was taken.
func (s *Store) lost(err error) bool { return s.lang.taken(err) }

// insert runs an insert of recs. Fewer rows than records mean a taken key.
func insert(ctx context.Context, e executor, query string, recs []storage.Record, write []byte) error {
	args := make([]any, 0, len(recs)*columnCount)
	var err error
	for i := range recs {
		if args, err = rowArgs(args, &recs[i], write); err != nil {
			return err
		}
	}
	n, err := e.exec(ctx, query, args...)
	if e.lost(err) || err == nil && n < int64(len(recs)) {
		return storage.ErrExists
	}
	return err
}

func validate(recs []storage.Record) error {
	for i := range recs {
		if err := recs[i].Validate(); err != nil {
			return err
		}
	}
	return nil
}

// writeID returns a value that no other write has.
func writeID() []byte {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return b
}
