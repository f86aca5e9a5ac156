//go:build linux

package livetest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// faults decides what happens to a statement. An error of before prevents the
// statement. An error of after replaces its answer, and the statement has
// happened.
type faults struct {
	before, after func(query string) error
}

func (f *faults) around(query string, run func() error) error {
	if f.before != nil {
		if err := f.before(query); err != nil {
			return err
		}
	}
	if err := run(); err != nil {
		return err
	}
	if f.after != nil {
		return f.after(query)
	}
	return nil
}

// faultyConnector wraps the connections of a driver, in the functions that
// sqlstore uses: prepared statements and transactions.
type faultyConnector struct {
	driver.Connector
	*faults
}

func (c faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyConn{conn, c.faults}, nil
}

type faultyConn struct {
	driver.Conn
	*faults
}

func (c *faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &faultyStmt{stmt, query, c.faults}, nil
}

func (c *faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return &faultyTx{tx, c.faults}, nil
}

func (c *faultyConn) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *faultyConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type faultyTx struct {
	driver.Tx
	*faults
}

func (t *faultyTx) Commit() error { return t.around("COMMIT", t.Tx.Commit) }

type faultyStmt struct {
	driver.Stmt
	query string
	*faults
}

func (s *faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.around(s.query, func() error {
		res, err = s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
		return err
	})
	return res, err
}

func (s *faultyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = s.around(s.query, func() error {
		rows, err = s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
		return err
	})
	if err != nil && rows != nil {
		_ = rows.Close()
		rows = nil
	}
	return rows, err
}

// faultyPool opens a pool whose statements fail in these ways.
func faultyPool(t testing.TB, d database, f *faults) *sql.DB {
	t.Helper()
	name, dsn := d.open(t)
	plain := open(t, name, dsn, 1)
	var c driver.Connector
	if opener, ok := plain.Driver().(driver.DriverContext); ok {
		made, err := opener.OpenConnector(dsn)
		require.NoError(t, err)
		c = made
	} else {
		c = dsnConnector{plain.Driver(), dsn}
	}
	db := sql.OpenDB(faultyConnector{c, f})
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

type dsnConnector struct {
	d   driver.Driver
	dsn string
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.d.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.d }

// written is the number of statements that a call writes, those of New
// excluded.
var written = regexp.MustCompile(`^(WITH|UPDATE|DELETE|INSERT)\b.*_(records|clients|origins)\b`)

// Statements that the database undoes are tried again, and of several attempts
// exactly one succeeds.
//
// Holds: house: fault of a lost transaction; house: one winner; house: one write;
// house: used once.
func TestUndone_TriedAgain(t *testing.T) {
	undone := map[string]error{
		"PostgreSQL": &pgconn.PgError{Severity: "ERROR", Code: "40001", Message: "could not serialize access"},
		"MariaDB":    errors.New("Error 1213 (40001): Deadlock found when trying to get lock; try restarting transaction"),
		"SQLite":     errors.New("database is locked (5) (SQLITE_BUSY)"),
	}
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			var injected atomic.Int64
			f := &faults{before: func(query string) error {
				// COMMIT is left out: its outcome is never guessed.
				if written.MatchString(query) && rand.Float64() < 0.3 {
					injected.Add(1)
					return undone[d.name]
				}
				return nil
			}}
			db := faultyPool(t, d, f)
			t.Run("Kit", func(t *testing.T) {
				storagetest.RunWith(t, storagetest.Options{Rounds: 5, Objects: 50}, func(t *testing.T) storage.Records {
					if d.name == "SQLite" {
						return newStore(t, d.dialect, faultyPool(t, d, f))
					}
					return newStore(t, d.dialect, db)
				})
			})
			t.Logf("%d statements were undone", injected.Load())
			require.NotZero(t, injected.Load())
		})
	}
}

// PostgreSQL may have any default isolation level. Writes that it then undoes
// are tried again.
//
// Holds: house: fault of a lost transaction; house: one winner; house: one write;
// house: used once.
func TestIsolation_AnyLevel(t *testing.T) {
	for _, level := range []string{"repeatable read", "serializable"} {
		t.Run(level, func(t *testing.T) {
			name, dsn := postgresql.open(t)
			db := open(t, name, dsn+" default_transaction_isolation='"+level+"'", 16)
			var got string
			require.NoError(t, db.QueryRow("SHOW transaction_isolation").Scan(&got))
			require.Equal(t, level, got)
			storagetest.RunWith(t, storagetest.Options{Rounds: 5, Objects: 50}, func(t *testing.T) storage.Records {
				return newStore(t, sqlstore.PostgreSQL, db)
			})
		})
	}
}

var errCut = errors.New("connection reset by peer")

// When the answer to a write is lost, the store looks whether the write
// happened. If it did, the call succeeds. Otherwise it fails and is not
// repeated.
//
// Holds: house: fault of a cut connection; house: one write;
// house: unknown outcome.
func TestLostAnswer_SettledByReading(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			var before, after atomic.Pointer[string]
			cut := func(where *atomic.Pointer[string]) func(string) error {
				return func(query string) error {
					if word := where.Load(); word != nil && strings.HasPrefix(query, *word) {
						where.Store(nil)
						return errCut
					}
					return nil
				}
			}
			s := newStore(t, d.dialect, faultyPool(t, d, &faults{cut(&before), cut(&after)}))
			commit, insert := "COMMIT", "INSERT"
			if d.name == "PostgreSQL" {
				commit = "WITH moved"
			}
			code := record(storage.Code, "code", "g")

			after.Store(&insert)
			require.NoError(t, s.Insert(t.Context(), code), "it happened")
			require.ErrorIs(t, s.Insert(t.Context(), code), storage.ErrExists)

			lost := record(storage.Used, "lost", "g")
			before.Store(&insert)
			require.ErrorIs(t, s.Insert(t.Context(), lost), errCut, "it did not happen")
			_, err := s.Get(t.Context(), lost.Kind, lost.Key)
			require.ErrorIs(t, err, storage.ErrNotFound)

			token := record(storage.Access, "token", "g")
			before.Store(&commit)
			require.ErrorIs(t, s.Advance(t.Context(), storage.Active, spent(code), token), errCut, "it did not happen")
			got, err := s.Get(t.Context(), code.Kind, code.Key)
			require.NoError(t, err)
			require.Equal(t, storage.Active, got.State)

			after.Store(&commit)
			require.NoError(t, s.Advance(t.Context(), storage.Active, spent(code), token), "it happened")
			require.ErrorIs(t, s.Advance(t.Context(), storage.Active, spent(code), record(storage.Access, "second", "g")), storage.ErrConflict)
			_, err = s.Get(t.Context(), token.Kind, token.Key)
			require.NoError(t, err)

			// Another write of the same content is not taken for this one.
			after.Store(nil)
			before.Store(&commit)
			mark := record(storage.Pushed, "twin", "g")
			require.NoError(t, s.Insert(t.Context(), mark))
			require.ErrorIs(t, s.Advance(t.Context(), storage.Active, spent(mark)), errCut)
			require.NoError(t, s.Advance(t.Context(), storage.Active, spent(mark)))
			require.ErrorIs(t, s.Advance(t.Context(), storage.Active, spent(mark)), storage.ErrConflict)
		})
	}
}
