package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// mysql is the language of MySQL and MariaDB, with tables of InnoDB.
var mysql = language{
	dialect: MySQL,

	// InnoDB commits in memory first and writes its log after that.
	visibleEarly: true,

	// IGNORE would also truncate a value that does not fit. No column is
	// narrower than what Record.Validate accepts.
	insertVerb: "INSERT IGNORE INTO",

	// MySQL reads a range of the index for this condition. For the comparison
	// of a row it reads the whole index.
	after:        "kind >= ? AND (kind > ? OR record_key > ?)",
	afterArgs:    rowArgs3,
	upsertClient: "INSERT INTO {t} (client_id, disabled, document) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE disabled = VALUES(disabled), document = VALUES(document)",
	sweep:        "DELETE FROM {t} WHERE expires_at < ? ORDER BY expires_at, kind, record_key LIMIT ?",
	subject:      "subject = ? AND subject = ?",
	check:        checkMySQL,
	retryable:    retryMySQL,
	taken:        func(error) bool { return false },
	migrate:      migrateMySQL,
}

// retryMySQL reports whether the error is a deadlock (1213), a lock that took too
// long (1205), or a row that changed since the transaction began (1020, MariaDB
// with snapshot isolation). InnoDB has undone the transaction in the first and
// the last case. In the second one the caller rolls it back.
func retryMySQL(err error) bool {
	return mentions(err, "Error 1213", "Error 1205", "Error 1020")
}

// migrateMySQL runs f under a named lock, which ends with the connection. MySQL
// has no transactions for schema changes.
func migrateMySQL(ctx context.Context, conn *sql.Conn, name string, f func() error) error {
	seconds := 60
	if deadline, ok := ctx.Deadline(); ok {
		seconds = max(1, int(time.Until(deadline).Seconds()))
	}
	// Named locks belong to the server, so the name has the database in it.
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

// lockName returns a name of 32 characters; MySQL allows 64.
func lockName(parts ...string) string {
	return digest(strings.Join(parts, "\x00"))[:32]
}
