package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// postgres is the language of PostgreSQL. Its error codes are those of
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
var postgres = language{
	dialect:      PostgreSQL,
	numbered:     true,
	atOnce:       true,
	insertVerb:   "INSERT INTO",
	insertEnd:    " ON CONFLICT DO NOTHING",
	after:        "(kind, record_key) > (?, ?)",
	afterArgs:    rowArgs2,
	upsertClient: "INSERT INTO {t} (client_id, disabled, document) VALUES (?, ?, ?) ON CONFLICT (client_id) DO UPDATE SET disabled = excluded.disabled, document = excluded.document",

	// The rows are locked first, so that a row which gets a later expiry at the
	// same time is judged by the new one. Instances that sweep at the same time
	// skip each other's rows.
	sweep: "WITH old AS (SELECT kind, record_key FROM {t} WHERE expires_at < ? ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED) " +
		"DELETE FROM {t} r USING old WHERE r.kind = old.kind AND r.record_key = old.record_key",
	// The index is on the first 64 characters, because an entry of an index has
	// a bound.
	subject: "left(subject, 64) = left(?, 64) AND subject <> '' AND subject = ?",
	check:   checkPostgres,
	// 40001 is a serialization failure, 40P01 a deadlock.
	retryable: func(err error) bool { return slices.Contains([]string{"40001", "40P01"}, sqlState(err)) },
	// 23505 is a unique violation.
	taken:   func(err error) bool { return sqlState(err) == "23505" },
	migrate: migratePostgres,
}

// checkPostgres refuses a standby, whose reads are late, and settings that lose
// acknowledged writes.
func checkPostgres(ctx context.Context, db *sql.DB, allowLoss bool) error {
	var standby bool
	var commit, fsync, pages, encoding string
	err := db.QueryRowContext(ctx, "SELECT pg_is_in_recovery(), current_setting('synchronous_commit'), current_setting('fsync'), "+
		"current_setting('full_page_writes'), current_setting('server_encoding')").Scan(&standby, &commit, &fsync, &pages, &encoding)
	switch {
	case err != nil:
		return fmt.Errorf("sqlstore: asking PostgreSQL for its settings: %w", err)
	case standby:
		return errors.New("sqlstore: this PostgreSQL is a standby, whose answers lag behind; connect to the primary")
	case encoding != "UTF8":
		return fmt.Errorf("sqlstore: the database's encoding is %s and must be UTF8", encoding)
	case allowLoss:
		return nil
	case commit == "off":
		return errors.New("sqlstore: synchronous_commit is off: a used code could become fresh again (see Options.AllowDataLoss)")
	case fsync == "off" || pages == "off":
		return errors.New("sqlstore: fsync or full_page_writes is off: a crash could lose the database (see Options.AllowDataLoss)")
	}
	return nil
}

// migratePostgres runs f in a transaction that holds an advisory lock. The lock
// ends with the transaction, even if the process dies.
func migratePostgres(ctx context.Context, conn *sql.Conn, name string, f func() error) error {
	return within(ctx, conn, "BEGIN ISOLATION LEVEL READ COMMITTED", func() error {
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('"+name+"', 0))"); err != nil {
			return err
		}
		return f()
	})
}
