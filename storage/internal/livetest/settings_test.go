//go:build linux

package livetest

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// New refuses a database that may lose acknowledged writes, or that is not the
// primary, unless the options allow it.
//
// Holds: house: durable before the answer.
func TestNew_RefusesWhatMayForget(t *testing.T) {
	t.Parallel()
	// Each case has a file of its own, because a file keeps its journal mode.
	lite := func(pragmas string) func(t *testing.T) (string, string) {
		return func(t *testing.T) (string, string) {
			return "sqlite", "file:" + filepath.Join(t.TempDir(), "a.db") + "?" + pragmas
		}
	}
	pg := func(settings string) func(t *testing.T) (string, string) {
		return func(t *testing.T) (string, string) {
			name, dsn := postgresql.open(t)
			return name, dsn + " " + settings
		}
	}
	// What a DSN sets is the session's.
	session := func(setting string) func(t *testing.T) (string, string) {
		return func(t *testing.T) (string, string) {
			name, dsn := mariadb.open(t)
			separator := "?"
			if strings.Contains(dsn, "?") {
				separator = "&"
			}
			return name, dsn + separator + setting
		}
	}
	own := func(settings ...string) func(t *testing.T) (string, string) {
		return func(t *testing.T) (string, string) {
			s := startPostgres(t, settings...)
			t.Cleanup(s.Remove)
			return s.driver, s.DSN
		}
	}
	maria := func(settings ...string) func(t *testing.T) (string, string) {
		return func(t *testing.T) (string, string) {
			s := startMariaDB(t, settings...)
			t.Cleanup(s.Remove)
			return s.driver, s.DSN
		}
	}
	unlogged := func(t *testing.T) (string, string) {
		name, dsn := maria("--log-bin=bin", "--sync-binlog=1", "--binlog-format=ROW")(t)
		return name, dsn + "?sql_log_bin=0"
	}
	for _, c := range []struct {
		name    string
		dialect sqlstore.Dialect
		open    func(t *testing.T) (string, string)
		refused string // empty: taken
		always  bool   // AllowDataLoss does not help
	}{
		{"PostgreSQL", sqlstore.PostgreSQL, pg(""), "", false},
		{"PostgreSQL without synchronous commit", sqlstore.PostgreSQL, pg("synchronous_commit=off"), "synchronous_commit is off", false},
		{"PostgreSQL with local commit", sqlstore.PostgreSQL, pg("synchronous_commit=local"), "", false},
		{"MariaDB flushing each second", sqlstore.MySQL, maria("--innodb-flush-log-at-trx-commit=2"), "innodb_flush_log_at_trx_commit is 2", false},
		{"MariaDB with small packets", sqlstore.MySQL, maria("--max-allowed-packet=1M"), "max_allowed_packet", true},
		{"PostgreSQL that reads only", sqlstore.PostgreSQL, pg("default_transaction_read_only=on"), "default_transaction_read_only is on", true},
		{"PostgreSQL that drops damaged pages", sqlstore.PostgreSQL, pg("zero_damaged_pages=on"), "zero_damaged_pages is on", false},
		{"PostgreSQL that ignores checksums", sqlstore.PostgreSQL, pg("ignore_checksum_failure=on"), "ignore_checksum_failure is on", false},
		{"PostgreSQL that repeats failed syncs", sqlstore.PostgreSQL, own("data_sync_retry=on"), "data_sync_retry is on", false},
		{"PostgreSQL that does not wait for its standby", sqlstore.PostgreSQL, own("synchronous_standby_names=*", "synchronous_commit=local"), "synchronous_standby_names", false},
		{"PostgreSQL without fsync", sqlstore.PostgreSQL, own("fsync=off"), "fsync or full_page_writes is off", false},
		{"MariaDB as it comes", sqlstore.MySQL, session(""), "", false},
		{"MariaDB that commits nothing", sqlstore.MySQL, session("autocommit=0"), "autocommit is OFF", true},
		{"MariaDB that chains transactions", sqlstore.MySQL, session("completion_type=1"), "completion_type is CHAIN", true},
		{"MariaDB with dirty reads", sqlstore.MySQL, session("tx_isolation=%27READ-UNCOMMITTED%27"), "tx_isolation is READ-UNCOMMITTED", true},
		{"MariaDB with snapshots", sqlstore.MySQL, session("tx_isolation=%27REPEATABLE-READ%27"), "", false},
		{"MariaDB that is not strict", sqlstore.MySQL, session("sql_mode=%27NO_ZERO_DATE%27"), "sql_mode is NO_ZERO_DATE", true},
		{"MariaDB that cuts results", sqlstore.MySQL, session("sql_select_limit=5"), "sql_select_limit is 5", true},
		{"MariaDB that reads only", sqlstore.MySQL, session("tx_read_only=1"), "tx_read_only is ON", true},
		{"MariaDB with a lazy binary log", sqlstore.MySQL, maria("--log-bin=bin", "--sync-binlog=0", "--binlog-format=ROW"), "sync_binlog is 0", false},
		{"MariaDB with a binary log", sqlstore.MySQL, maria("--log-bin=bin", "--sync-binlog=1", "--binlog-format=ROW"), "", false},
		{"MariaDB without double writes", sqlstore.MySQL, maria("--skip-innodb-doublewrite"), "innodb_doublewrite is OFF", false},
		{"MariaDB that takes keys twice", sqlstore.MySQL, session("unique_checks=0"), "unique_checks is OFF", true},
		{"MariaDB that does not sync", sqlstore.MySQL, maria("--innodb-flush-method=nosync"), "innodb_flush_method is NOSYNC", false},
		{"MariaDB that passes over damage", sqlstore.MySQL, maria("--innodb-force-recovery=1"), "innodb_force_recovery is 1", false},
		{"MariaDB whose log lacks the session", sqlstore.MySQL, unlogged, "sql_log_bin is OFF", false},
		{"SQLite with dirty reads", sqlstore.SQLite, lite("_pragma=read_uncommitted(1)"), "read_uncommitted is on", true},
		{"SQLite that reads only", sqlstore.SQLite, lite("_pragma=query_only(1)"), "query_only is on", true},
		{"SQLite as documented", sqlstore.SQLite, lite("_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"), "", false},
		{"SQLite EXTRA", sqlstore.SQLite, lite("_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(EXTRA)"), "", false},
		{"SQLite NORMAL", sqlstore.SQLite, lite("_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"), "synchronous is 1", false},
		{"SQLite OFF", sqlstore.SQLite, lite("_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"), "synchronous is 0", false},
		{"SQLite with a rollback journal", sqlstore.SQLite, lite("_pragma=busy_timeout(5000)"), "journal_mode is delete", false},
		{"SQLite without patience", sqlstore.SQLite, lite("_pragma=journal_mode(WAL)"), "busy_timeout is 0", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name, dsn := c.open(t)
			db := open(t, name, dsn, 2)
			_, err := sqlstore.New(t.Context(), db, c.dialect, sqlstore.Options{Prefix: prefix()})
			if c.refused == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.refused)
				require.True(t, strings.HasPrefix(err.Error(), "sqlstore: "), err)
			}
			_, err = sqlstore.New(t.Context(), db, c.dialect, sqlstore.Options{Prefix: prefix(), AllowDataLoss: true})
			if c.always {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// If the database is of another dialect, New returns an error.
func TestNew_RefusesOtherDatabases(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		for _, as := range databases {
			if d.name == as.name {
				continue
			}
			name, dsn := d.open(t)
			_, err := sqlstore.New(t.Context(), open(t, name, dsn, 2), as.dialect, sqlstore.Options{})
			require.ErrorContains(t, err, "sqlstore: ", "%s as %s", d.name, as.name)
		}
	}
}

// Instances that start at the same moment on an empty database create one
// schema and share it.
//
// Holds: house: any instance; house: fault of an upgrade;
// house: one contract for stores.
func TestMigrations_StartTogether(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			name, dsn := d.open(t)
			for range 3 {
				p := prefix()
				stores := make([]*sqlstore.Store, 6)
				errs := make([]error, len(stores))
				pools := make([]*sql.DB, len(stores))
				for i := range pools {
					pools[i] = open(t, name, dsn, 2)
				}
				var wg sync.WaitGroup
				for i := range stores {
					wg.Go(func() {
						stores[i], errs[i] = sqlstore.New(t.Context(), pools[i], d.dialect, sqlstore.Options{Prefix: p})
					})
				}
				wg.Wait()
				for i := range errs {
					require.NoError(t, errs[i])
				}
				var recs []storage.Record
				for i := range 5 {
					recs = append(recs, record(storage.Access, fmt.Sprint(i), "g"))
				}
				require.NoError(t, stores[0].Insert(t.Context(), recs...))
				page, next, err := stores[1].List(t.Context(), storage.Query{Limit: 2})
				require.NoError(t, err)
				require.Len(t, page, 2)
				page, _, err = stores[2].List(t.Context(), storage.Query{After: next})
				require.NoError(t, err, "a cursor is every instance's")
				require.Len(t, page, 3)
			}
		})
	}
}

// If a start ends in the middle of the migrations, at any point, the next start
// completes them.
//
// Holds: house: fault of an upgrade; house: one contract for stores.
func TestMigrations_CutAnywhere(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			for cut := 1; ; cut++ {
				require.Less(t, cut, 100, "no start was whole")
				ddl := 0
				db := faultyPool(t, d, &faults{before: func(query string) error {
					if strings.HasPrefix(query, "CREATE") || strings.HasPrefix(query, "INSERT") || strings.HasPrefix(query, "COMMIT") {
						if ddl++; ddl == cut {
							return errCut
						}
					}
					return nil
				}})
				p := prefix()
				_, err := sqlstore.New(t.Context(), db, d.dialect, sqlstore.Options{Prefix: p})
				if ddl < cut {
					require.NoError(t, err)
					require.Greater(t, cut, 8)
					break
				}
				require.ErrorIs(t, err, errCut)
				s, err := sqlstore.New(t.Context(), db, d.dialect, sqlstore.Options{Prefix: p})
				require.NoError(t, err, "after cut %d", cut)
				require.NoError(t, s.Insert(t.Context(), record(storage.Access, "a", "g")))
				require.NoError(t, s.PutClient(t.Context(), storage.Client{ID: "c", AuthMethod: storage.AuthNone, RedirectURIs: []string{"https://app.example/cb"}}))
				again, err := sqlstore.New(t.Context(), db, d.dialect, sqlstore.Options{Prefix: p, SkipMigrations: true})
				require.NoError(t, err, "now they are all there")
				_, err = again.Get(t.Context(), storage.Access, storage.Key("a"))
				require.NoError(t, err)
			}
		})
	}
}

// An account that may not change the schema can use a complete one, and gets an
// error on any other.
//
// Holds: house: one contract for stores.
func TestMigrations_ByHand(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			name, dsn := d.open(t)
			db := open(t, name, dsn, 2)
			_, err := sqlstore.New(t.Context(), db, d.dialect, sqlstore.Options{Prefix: prefix(), SkipMigrations: true})
			require.ErrorContains(t, err, "SkipMigrations")
		})
	}
}

// HasOrigin reflects the clients that are not disabled, in their present state.
func TestHasOrigin_FollowsClients(t *testing.T) {
	t.Parallel()
	const a, b = "https://a.example", "https://b.example"
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			name, dsn := d.open(t)
			s := newStore(t, d.dialect, open(t, name, dsn, 2))
			has := func(origin string) bool {
				found, err := s.HasOrigin(t.Context(), origin)
				require.NoError(t, err)
				return found
			}
			put := func(id string, disabled bool, origins ...string) {
				require.NoError(t, s.PutClient(t.Context(), storage.Client{ID: id, Disabled: disabled, AuthMethod: storage.AuthNone,
					RedirectURIs: []string{"https://app.example/cb"}, Origins: origins}))
			}
			require.False(t, has(a))
			put("one", false, a, a, b)
			put("two", false, a)
			require.True(t, has(a) && has(b))
			require.False(t, has("https://A.example"))
			put("one", false, b)
			require.True(t, has(a) && has(b))
			put("one", true, b)
			require.False(t, has(b))
			require.NoError(t, s.DeleteClient(t.Context(), "two"))
			require.False(t, has(a))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := s.HasOrigin(ctx, a)
			require.Error(t, err)
		})
	}
}

// A pool of one connection serves any number of concurrent calls, from the
// first one on: no call holds a connection while it waits for another.
//
// Holds: house: one stuck store; house: one winner.
func TestPool_OneConnectionIsEnough(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			name, dsn := d.open(t)
			s := newStore(t, d.dialect, open(t, name, dsn, 1))
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					grant := fmt.Sprint("g", i)
					code := record(storage.Code, grant, grant)
					assert.NoError(t, s.Insert(ctx, code, record(storage.Pushed, grant, grant)))
					assert.NoError(t, s.Advance(ctx, storage.Active, spent(code), record(storage.Access, grant, grant)))
					assert.ErrorIs(t, s.Advance(ctx, storage.Active, spent(code)), storage.ErrConflict)
					assert.NoError(t, s.Revoke(ctx, grant))
					assert.NoError(t, s.PutClient(ctx, storage.Client{ID: grant, AuthMethod: storage.AuthNone, RedirectURIs: []string{servertest.Redirect}}))
				})
			}
			wg.Wait()
		})
	}
}
