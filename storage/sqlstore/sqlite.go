package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// sqlite is the language of SQLite. One transaction writes at a time, so it needs
// no locks and its writes do not conflict.
var sqlite = language{
	dialect:      SQLite,
	singleWriter: true,
	insertVerb:   "INSERT INTO",
	insertEnd:    " ON CONFLICT DO NOTHING",
	after:        "(kind, record_key) > (?, ?)",
	afterArgs:    rowArgs2,
	upsertClient: "INSERT INTO {t} (client_id, disabled, document) VALUES (?, ?, ?) ON CONFLICT (client_id) DO UPDATE SET disabled = excluded.disabled, document = excluded.document",
	sweep:        "DELETE FROM {t} WHERE rowid IN (SELECT rowid FROM {t} WHERE expires_at < ? ORDER BY expires_at LIMIT ?)",
	subject:      "subject = ? AND subject <> '' AND subject = ?",
	check:        checkSQLite,
	retryable:    busySQLite,
	taken:        func(error) bool { return false },
	// IMMEDIATE takes the lock of the one writer at once. Schema changes are a
	// part of the transaction.
	migrate: func(ctx context.Context, conn *sql.Conn, _ string, f func() error) error {
		return within(ctx, conn, "BEGIN IMMEDIATE", f)
	},
}

// busySQLite reports whether another connection held the lock for longer than
// busy_timeout.
func busySQLite(err error) bool {
	return mentions(err, "database is locked", "database table is locked", "SQLITE_BUSY")
}

// checkSQLite checks the settings of one connection. The pool opens the others
// with the same DSN, so every setting has to be in the DSN.
func checkSQLite(ctx context.Context, db *sql.DB, allowLoss bool) error {
	conn, err := db.Conn(ctx)
	// The first connection to a new file creates its write-ahead log. SQLite
	// does not wait for that: busy_timeout has no effect.
	for n := 1; err != nil && busySQLite(err) && n < writeAttempts && pause(ctx, n); n++ {
		conn, err = db.Conn(ctx)
	}
	if err != nil {
		return fmt.Errorf("sqlstore: opening SQLite: %w", err)
	}
	defer conn.Close()
	var journal string
	var synchronous, timeout, dirty, readOnly int
	for pragma, dest := range map[string]any{
		"journal_mode": &journal,
		"synchronous":  &synchronous,
		"busy_timeout": &timeout,

		"read_uncommitted": &dirty,
		"query_only":       &readOnly,
	} {
		if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(dest); err != nil {
			return fmt.Errorf("sqlstore: asking SQLite for %s: %w", pragma, err)
		}
	}
	// 2 is FULL: it syncs the log at each commit.
	switch {
	case dirty != 0:
		return errors.New("sqlstore: PRAGMA read_uncommitted is on: a token could be seen whose write is undone later")
	case readOnly != 0:
		return errors.New("sqlstore: PRAGMA query_only is on: no transaction could write")
	case allowLoss:
		return nil
	case synchronous < 2:
		return fmt.Errorf("sqlstore: PRAGMA synchronous is %d, below FULL: a power cut could make a used code fresh again; set it in the DSN (see Options.AllowDataLoss)", synchronous)
	case journal != "wal":
		return fmt.Errorf("sqlstore: PRAGMA journal_mode is %s and must be WAL: set it in the DSN", journal)
	case timeout < 1:
		return fmt.Errorf("sqlstore: PRAGMA busy_timeout is %d: set some seconds in the DSN, so that processes that share the file wait for each other", timeout)
	}
	return nil
}
