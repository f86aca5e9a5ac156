package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

var mysql = language{
	dialect:      MySQL,
	visibleEarly: true, // InnoDB commits in memory, then writes its log
	// IGNORE also turns a value that does not fit into a warning: no column is narrower than what Validate lets through.
	insertVerb:   "INSERT IGNORE INTO",
	behind:       "kind >= ? AND (kind > ? OR record_key > ?)", // of which it can read a range, as of a row it cannot
	behindArgs:   threeOf,
	upsertClient: "INSERT INTO {t} (client_id, disabled, document) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE disabled = VALUES(disabled), document = VALUES(document)",
	sweep:        "DELETE FROM {t} WHERE expires_at < ? ORDER BY expires_at, kind, record_key LIMIT ?",
	subject:      "subject = ? AND subject = ?",
	check:        checkMySQL,
	retryable:    retryMySQL,
	taken:        func(error) bool { return false },
	migrate:      migrateMySQL,
}

// retryMySQL tells a deadlock, a lock that took too long and a row that changed since the transaction began (MariaDB
// with snapshot isolation). InnoDB has undone the first and the last; the caller rolls back for the second.
func retryMySQL(err error) bool {
	return mentions(err, "Error 1213", "Error 1205", "Error 1020")
}

func checkMySQL(ctx context.Context, db *sql.DB, allowLoss bool) error {
	var flush, packet int64
	var readOnly, logs bool
	var format string
	err := db.QueryRowContext(ctx, "SELECT @@innodb_flush_log_at_trx_commit, @@max_allowed_packet, @@read_only, @@log_bin, @@binlog_format").
		Scan(&flush, &packet, &readOnly, &logs, &format)
	switch {
	case err != nil:
		return fmt.Errorf("sqlstore: asking MySQL for its settings: %w", err)
	case readOnly:
		return errors.New("sqlstore: this MySQL is read-only, as a replica is; connect to the primary")
	case logs && format == "STATEMENT":
		return errors.New("sqlstore: binlog_format is STATEMENT, which cannot replicate transactions at READ COMMITTED; make it ROW or MIXED")
	case packet < 4<<20:
		return fmt.Errorf("sqlstore: max_allowed_packet is %d bytes; a record needs 4 MiB", packet)
	case flush != 1 && !allowLoss:
		return fmt.Errorf("sqlstore: innodb_flush_log_at_trx_commit is %d, not 1: a used code could become fresh again (see Options.AllowDataLoss)", flush)
	}
	return nil
}

// migrateMySQL holds a named lock, which ends with the connection.
func migrateMySQL(ctx context.Context, conn *sql.Conn, name string, f func() error) error {
	seconds := 60
	if deadline, ok := ctx.Deadline(); ok {
		seconds = max(1, int(time.Until(deadline).Seconds()))
	}
	// Named locks are the server's, not the database's.
	var database string
	if err := conn.QueryRowContext(ctx, "SELECT COALESCE(DATABASE(), '')").Scan(&database); err != nil {
		return err
	}
	lock := "grantwell." + lockName(database, name)
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, fmt.Sprintf("SELECT GET_LOCK('%s', %d)", lock, seconds)).Scan(&got); err != nil {
		return err
	}
	if got.Int64 != 1 {
		return errors.New("sqlstore: another instance has held the migration lock for too long")
	}
	err := f()
	if release := conn.QueryRowContext(context.WithoutCancel(ctx), "SELECT RELEASE_LOCK('"+lock+"')").Scan(&got); release != nil {
		discard(conn) // the lock ends with the connection
	}
	return err
}

// lockName fits MySQL's 64 characters.
func lockName(parts ...string) string {
	return digest(strings.Join(parts, "\x00"))[:32]
}
