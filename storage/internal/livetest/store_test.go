//go:build linux

package livetest

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// database says where tests open their stores.
type database struct {
	name    string
	dialect sqlstore.Dialect
	open    func(t testing.TB) (driver, dsn string)
}

var (
	postgresql = database{"PostgreSQL", sqlstore.PostgreSQL, func(t testing.TB) (string, string) {
		s := sharedServer(t, "PostgreSQL", startPostgres)
		return s.driver, s.DSN
	}}
	mariadb = database{"MariaDB", sqlstore.MySQL, func(t testing.TB) (string, string) {
		s := sharedServer(t, "MariaDB", startMariaDB)
		return s.driver, s.DSN
	}}
	sqlite = database{"SQLite", sqlstore.SQLite, func(t testing.TB) (string, string) {
		return "sqlite", sqliteDSN(filepath.Join(t.TempDir(), "grantwell.db"))
	}}
	databases = []database{postgresql, mariadb, sqlite}
)

var prefixes atomic.Int64

// prefix returns a table prefix that no other store of this run has.
func prefix() string { return fmt.Sprintf("t%d_", prefixes.Add(1)) }

// newStore opens a store with tables of its own.
func newStore(t testing.TB, d sqlstore.Dialect, db *sql.DB) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(t.Context(), db, d, sqlstore.Options{Prefix: prefix()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// instances opens stores for the kit as instances of the server do, each with a
// pool of its own for the second one.
type instances struct {
	database database
	names    sync.Map // prefix and DSN by test
}

// tables is where those of a test are.
type tables struct{ driver, dsn, prefix string }

// first opens the store of a test.
func (i *instances) first(t *testing.T, db *sql.DB, at tables) storage.Records {
	t.Helper()
	i.names.Store(t, at)
	s, err := sqlstore.New(t.Context(), db, i.database.dialect, sqlstore.Options{Prefix: at.prefix})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// second opens it again.
func (i *instances) second(t *testing.T, _ storage.Records) storage.Records {
	t.Helper()
	found, ok := i.names.Load(t)
	require.True(t, ok)
	at := found.(tables)
	return i.first(t, open(t, at.driver, at.dsn, 2), at)
}

// contract runs the kit. Each case has tables of its own, and the cases share a
// pool.
func contract(t *testing.T, d database) {
	driver, dsn := d.open(t)
	db := open(t, driver, dsn, 16)
	i := &instances{database: d}
	storagetest.RunWith(t, storagetest.Options{Rounds: 20, Objects: objects(), Second: i.second}, func(t *testing.T) storage.Records {
		return i.first(t, db, tables{driver, dsn, prefix()})
	})
}

// Holds: house: any instance; house: one contract for stores; house: one winner;
// house: one write; house: sweeping; house: used once.
func TestPostgreSQL_KeepsContract(t *testing.T) { contract(t, postgresql) }

// Holds: house: any instance; house: one contract for stores; house: one winner;
// house: one write; house: sweeping; house: used once.
func TestMariaDB_KeepsContract(t *testing.T) { contract(t, mariadb) }

// Holds: house: any instance; house: one contract for stores; house: one winner;
// house: one write; house: sweeping; house: used once.
func TestSQLite_KeepsContract(t *testing.T) {
	i := &instances{database: sqlite}
	storagetest.RunWith(t, storagetest.Options{Rounds: 20, Objects: objects(), Second: i.second}, func(t *testing.T) storage.Records {
		driver, dsn := sqlite.open(t)
		return i.first(t, open(t, driver, dsn, 8), tables{driver, dsn, prefix()})
	})
}
