package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
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
	var encoding, readOnly string
	err := db.QueryRowContext(ctx, "SELECT pg_is_in_recovery(), current_setting('server_encoding'), current_setting('default_transaction_read_only')").
		Scan(&standby, &encoding, &readOnly)
	switch {
	case err != nil:
		return fmt.Errorf("sqlstore: asking PostgreSQL for its settings: %w", explainPooler(err))
	case standby:
		return errors.New("sqlstore: this PostgreSQL is a standby, whose answers lag behind; connect to the primary")
	case encoding != "UTF8":
		return fmt.Errorf("sqlstore: the database's encoding is %s and must be UTF8", encoding)
	case readOnly == "on":
		return errors.New("sqlstore: default_transaction_read_only is on: no transaction could write")
	}
	if !allowLoss {
		if err := checkPostgresLoss(ctx, db); err != nil {
			return err
		}
	}
	return checkPooler(ctx, db)
}

// checkPostgresLoss refuses what Options.AllowDataLoss accepts. Not every version,
// and not every account, sees each setting.
func checkPostgresLoss(ctx context.Context, db *sql.DB) error {
	var commit, fsync, pages, zeroed, unchecked, retried, standbys string
	err := db.QueryRowContext(ctx, "SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'), "+
		"COALESCE(current_setting('zero_damaged_pages', true), 'off'), COALESCE(current_setting('ignore_checksum_failure', true), 'off'), "+
		"COALESCE(current_setting('data_sync_retry', true), 'off'), COALESCE(current_setting('synchronous_standby_names', true), '')").
		Scan(&commit, &fsync, &pages, &zeroed, &unchecked, &retried, &standbys)
	switch {
	case err != nil:
		return fmt.Errorf("sqlstore: asking PostgreSQL for its settings: %w", explainPooler(err))
	case zeroed == "on":
		return errors.New("sqlstore: zero_damaged_pages is on: records would be lost without an error (see Options.AllowDataLoss)")
	case unchecked == "on":
		return errors.New("sqlstore: ignore_checksum_failure is on: damaged records would be read without an error (see Options.AllowDataLoss)")
	case commit == "off":
		return errors.New("sqlstore: synchronous_commit is off: a used code could become fresh again (see Options.AllowDataLoss)")
	case commit == "local" && standbys != "":
		return errors.New("sqlstore: synchronous_commit is local, with synchronous_standby_names: " +
			"a promoted standby could lack acknowledged writes; make it on (see Options.AllowDataLoss)")
	case fsync == "off" || pages == "off":
		return errors.New("sqlstore: fsync or full_page_writes is off: a crash could lose the database (see Options.AllowDataLoss)")
	case retried == "on":
		return errors.New("sqlstore: data_sync_retry is on: a failed sync could lose writes without an error (see Options.AllowDataLoss)")
	}
	return nil
}

// poolerTime bounds the wait for a second server connection of a pooler, which may
// have one only.
const poolerTime = 2 * time.Second

// checkPooler refuses a pooler that assigns a server connection for each
// transaction and does not carry prepared statements over, as PgBouncer before
// 1.21 does. A statement that was prepared on one server connection is run while a
// transaction of another connection holds that one.
func checkPooler(ctx context.Context, db *sql.DB) error {
	if db.Stats().MaxOpenConnections == 1 {
		return nil // the check needs two; the one connection has the pooler to itself
	}
	ctx, cancel := context.WithTimeout(ctx, 5*poolerTime)
	defer cancel()
	first, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: opening PostgreSQL: %w", err)
	}
	defer first.Close()
	second, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: opening PostgreSQL: %w", err)
	}
	defer second.Close()

	stmt, err := first.PrepareContext(ctx, "SELECT pg_backend_pid()")
	if err != nil {
		return fmt.Errorf("sqlstore: preparing a statement: %w", explainPooler(err))
	}
	defer func() { _ = stmt.Close() }() // the connection is closed after it
	tx, err := second.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sqlstore: asking PostgreSQL for a transaction: %w", explainPooler(err))
	}
	defer func() { _ = tx.Rollback() }()
	var pid int
	if err := tx.QueryRowContext(ctx, "SELECT pg_backend_pid() AS held").Scan(&pid); err != nil {
		return fmt.Errorf("sqlstore: asking PostgreSQL for its process: %w", explainPooler(err))
	}

	short, cancel := context.WithTimeout(ctx, poolerTime)
	defer cancel()
	err = stmt.QueryRowContext(short).Scan(&pid)
	if err != nil && ctx.Err() == nil && short.Err() != nil {
		discard(first) // the pooler has one server connection, which serves both in turn
		return nil
	}
	if err != nil {
		return fmt.Errorf("sqlstore: running a prepared statement: %w", explainPooler(err))
	}
	return nil
}

// explainPooler adds the cause to an error that only a pooler leads to. 26000 is an
// unknown prepared statement, 42P05 one that exists already, 08P01 a protocol
// violation.
func explainPooler(err error) error {
	if !slices.Contains([]string{"26000", "42P05", "08P01"}, sqlState(err)) {
		return err
	}
	return fmt.Errorf("a pooler in transaction mode loses prepared statements: "+
		"set max_prepared_statements of PgBouncer 1.21 or later, or pool_mode = session: %w", err)
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
