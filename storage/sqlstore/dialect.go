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

// The dialects. Any driver of database/sql for such a database will do.
const (
	PostgreSQL Dialect = "postgresql" // 12 or later
	MySQL      Dialect = "mysql"      // MySQL 8.0 or later, MariaDB 10.5 or later
	SQLite     Dialect = "sqlite"     // 3.35 or later
)

// language is what differs between the dialects.
type language struct {
	dialect      Dialect
	numbered     bool // parameters are $1, $2, ... instead of ?
	singleWriter bool // one writing transaction at a time
	atOnce       bool // Advance is one statement
	visibleEarly bool // others see a commit before it is durable

	// An insert that skips taken keys, so that rows and not errors tell about them.
	insertVerb, insertEnd string
	// behind is the condition that a row's (kind, record_key) follows the parameters kind, [kind,] record_key.
	behind     string
	behindArgs func(kind, key string) []any
	// upsertClient stores a client over the one there is. {t} is the table.
	upsertClient string
	// sweep removes rows with expires_at below the first parameter, at most the second.
	sweep string
	// subject selects a subject through its index.
	subject string

	check     func(ctx context.Context, db *sql.DB, allowLoss bool) error
	retryable func(error) bool
	// taken tells an error that means a taken key, where a statement reports it so.
	taken func(error) bool
	// migrate calls f alone of all instances, in a transaction where DDL has them.
	migrate func(ctx context.Context, conn *sql.Conn, name string, f func() error) error
}

var languages = map[Dialect]*language{PostgreSQL: &postgres, MySQL: &mysql, SQLite: &sqlite}

// placeholders writes ? as the dialect does. No query holds another question mark.
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

// sqlState returns the SQLSTATE of an error of the drivers that tell it by a method, as those of PostgreSQL do.
func sqlState(err error) string {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}

// mentions tells whether any of the texts is in the error's message, for drivers whose errors have no method to ask.
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

func twoOf(kind, key string) []any   { return []any{kind, key} }
func threeOf(kind, key string) []any { return []any{kind, kind, key} }
