package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Package storage/internal/livetest has the drivers, and tests the store on real
// databases.

// New checks its arguments before it sends a query.
func TestNew_RefusesBadArguments(t *testing.T) {
	t.Parallel()
	db := sql.OpenDB(deadConnector{})
	defer db.Close()
	for _, c := range []struct {
		db      *sql.DB
		dialect Dialect
		prefix  string
		want    string
	}{
		{db, "oracle", "", "not a dialect"}, {db, "", "", "not a dialect"}, {nil, SQLite, "", "no database"},
		{db, SQLite, "a b", "prefix"}, {db, SQLite, "1a", "prefix"}, {db, SQLite, "A_", "prefix"}, {db, SQLite, "a;--", "prefix"},
		{db, SQLite, strings.Repeat("a", 31), "prefix"}, {db, SQLite, "a\n", "prefix"},
		{db, SQLite, "", errDead.Error()}, {db, PostgreSQL, "", errDead.Error()}, {db, MySQL, "", errDead.Error()},
	} {
		_, err := New(t.Context(), c.db, c.dialect, Options{Prefix: c.prefix})
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "sqlstore: ")
	}
}

var errDead = errors.New("connection refused")

// deadConnector stands for a database that is down.
type deadConnector struct{}

func (deadConnector) Connect(context.Context) (driver.Conn, error) { return nil, errDead }
func (deadConnector) Driver() driver.Driver                        { return nil }

// Every dialect has the same migrations and the same tables, with the prefix in
// every name.
//
// Holds: house: one contract for stores.
func TestMigrations_SameOnEveryDialect(t *testing.T) {
	t.Parallel()
	var names []string
	for d := range languages {
		steps, err := Migrations(d, "p_")
		require.NoError(t, err)
		var these []string
		text := ""
		for _, s := range steps {
			these = append(these, s.Name)
			for _, statement := range s.Statements {
				require.NotContains(t, statement, ";")
				require.NotContains(t, statement, "--")
				require.NotContains(t, statement, "{")
				text += statement + "\n"
			}
		}
		if names == nil {
			names = these
		}
		require.Equal(t, names, these, d)
		for _, table := range []string{"p_records", "p_clients", "p_origins"} {
			require.Contains(t, text, table+" (", d)
		}
		for column := range strings.SplitSeq(columns, ", ") {
			require.Contains(t, text, "\n    "+column+" ", d)
		}
	}
	_, err := Migrations("oracle", "p_")
	require.Error(t, err)
	_, err = Migrations(SQLite, "p;")
	require.Error(t, err)
}

// Placeholders are spelled as the dialect spells them.
func TestPlaceholders_AreTheDialects(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a = $1 AND b IN ($2, $3)", postgres.placeholders("a = ? AND b IN (?, ?)"))
	require.Equal(t, "a = ?", mysql.placeholders("a = ?"))
	require.Equal(t, columnCount, strings.Count(columns, ",")+1)
}

// coded is an error like those of the drivers for PostgreSQL.
type coded string

func (c coded) Error() string    { return "driver: " + string(c) }
func (c coded) SQLState() string { return string(c) }

// Only a write that the database has undone is tried again, never one on a broken
// connection.
//
// Holds: house: unknown outcome.
func TestRetryable_OnlyWhatWasUndone(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"40001", "40P01"} {
		require.True(t, postgres.retryable(coded(code)))
	}
	for _, code := range []string{"40003", "08006", "57P01", "23505", ""} {
		require.False(t, postgres.retryable(coded(code)), code)
	}
	require.True(t, mysql.retryable(errors.New("Error 1213 (40001): Deadlock found")))
	require.True(t, sqlite.retryable(errors.New("database is locked (5) (SQLITE_BUSY)")))
	for _, l := range languages {
		for _, err := range []error{errors.New("unexpected EOF"), driver.ErrBadConn, context.DeadlineExceeded, nil} {
			require.False(t, l.retryable(err), "%s: %v", l.dialect, err)
		}
	}
}

// A cursor that the store did not make is refused.
func FuzzCursor(f *testing.F) {
	s := &Store{seal: []byte("seal")}
	other := &Store{seal: []byte("another")}
	f.Add(s.cursor("access", "key"))
	f.Add(s.cursor("access", "a key with spaces"))
	f.Add(other.cursor("access", "key"))
	f.Add("")
	f.Add("AAAA")
	f.Add(strings.Replace(s.cursor("access", "key"), "A", "A\n", 1) + "\n")
	f.Add(strings.Repeat("A", 600))
	f.Fuzz(func(t *testing.T, cursor string) {
		kind, key, err := s.parseCursor(cursor)
		if err == nil {
			require.Equal(t, cursor, s.cursor(kind, key))
		}
		_, _, err = other.parseCursor(s.cursor("access", cursor[:min(len(cursor), 255)]))
		require.Error(t, err)
		kind, key, err = s.parseCursor(s.cursor("access", cursor[:min(len(cursor), 255)]))
		require.NoError(t, err)
		require.Equal(t, "access "+cursor[:min(len(cursor), 255)], kind+" "+key)
	})
}
