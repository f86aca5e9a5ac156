package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
)

// Dialect names the kind of database behind a *sql.DB.
type Dialect string

// The dialects. Any driver of database/sql for such a database is suitable.
const (
	// PostgreSQL is PostgreSQL 12 or later.
	PostgreSQL Dialect = "postgresql"

	// MySQL is MySQL 8.0 or later, or MariaDB 10.5 or later.
	MySQL Dialect = "mysql"

	// SQLite is SQLite 3.35 or later.
	SQLite Dialect = "sqlite"
)

// language holds what differs between the dialects.
type language struct {
	dialect Dialect

	numbered     bool // parameters are $1, $2, ... instead of ?
	singleWriter bool // one writing transaction at a time
	atOnce       bool // Advance is one statement
	visibleEarly bool // other connections see a commit before it is durable

	// insertVerb and insertEnd enclose an insert that skips taken keys. The
	// number of rows, and not an error, then shows that a key was taken: an
	// error would end a transaction of PostgreSQL.
	insertVerb string
	insertEnd  string

	// after is the condition that (kind, record_key) of a row follow those in
	// the parameters, which afterArgs returns.
	after     string
	afterArgs func(kind, key string) []any

	// upsertClient stores a client in place of the one with its ID. {t} is the
	// table.
	upsertClient string

	// sweep removes rows whose expires_at is below the first parameter, at most
	// as many as the second. {t} is the table.
	sweep string

	// subject is the condition that selects a subject by its index. It has two
	// parameters.
	subject string

	// check returns an error if the settings of the database are not suitable.
	check func(ctx context.Context, db *sql.DB, allowLoss bool) error

	// retryable reports whether the database has undone the write because of
	// another one.
	retryable func(error) bool

	// taken reports whether the error of a statement means that a key is taken.
	taken func(error) bool

	// migrate calls f while no other instance migrates, in a transaction if the
	// database has transactions for schema changes.
	migrate func(ctx context.Context, conn *sql.Conn, name string, f func() error) error
}

var languages = map[Dialect]*language{PostgreSQL: &postgres, MySQL: &mysql, SQLite: &sqlite}

// placeholders replaces ? by the placeholders of the dialect. No query has a
// question mark that is anything else.
func (l *language) placeholders(query string) string {
	if !l.numbered {
		return query
	}
	var b strings.Builder
	n := 0
	for i := range len(query) {
		if query[i] != '?' {
			b.WriteByte(query[i])
			continue
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// sqlState returns the SQLSTATE of an error whose type has a method for it, as
// the errors of drivers for PostgreSQL have.
func sqlState(err error) string {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}

// mentions reports whether the message of an error has one of the texts. It is
// for drivers whose errors have no method for their code.
func mentions(err error, texts ...string) bool {
	if err == nil {
		return false
	}
	message := err.Error()
	for _, t := range texts {
		if strings.Contains(message, t) {
			return true
		}
	}
	return false
}

// rowArgs2 are the parameters of a row comparison (kind, record_key) > (?, ?).
func rowArgs2(kind, key string) []any { return []any{kind, key} }

// rowArgs3 are the parameters of a condition that names the kind twice.
func rowArgs3(kind, key string) []any { return []any{kind, kind, key} }
