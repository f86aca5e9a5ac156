//go:build linux

package livetest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// onFile starts a server on a SQLite file through one connection, which the
// test may use too.
func onFile(t testing.TB, file string) (*servertest.Server, *sqlstore.Store, *sql.DB) {
	t.Helper()
	db := open(t, "sqlite", sqliteDSN(file), 1)
	s, err := sqlstore.New(t.Context(), db, sqlstore.SQLite, sqlstore.Options{})
	require.NoError(t, err)
	servertest.Register(t, s, servertest.Clients()...)
	return newSite(t, s), s, db
}

func do(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// withoutWrites requires that every request that writes is a 503 and spends
// nothing, and that a request that only reads succeeds.
func withoutWrites(t *testing.T, a *servertest.Server, code, access, refresh string) {
	t.Helper()
	for _, pairs := range [][]string{redemption(code), refreshing(refresh),
		{"grant_type", "client_credentials"}} {
		r := a.Post("/token", servertest.Conf, pairs...)
		require.Equal(t, 503, r.Status, r.Body)
		require.Empty(t, r.String("access_token"))
	}
	require.Equal(t, 503, a.Revoke("conf", refresh).Status)
	require.True(t, a.Live(access), "the revocation was not acknowledged")
	r := a.Get(servertest.AuthorizeURL())
	require.NoError(t, r.Err)
	require.NotContains(t, r.Header.Get("Location"), "code=")
}

// afterwards requires that every request that failed succeeds now, without a
// restart.
func afterwards(t *testing.T, a *servertest.Server, code, access, refresh string) {
	t.Helper()
	require.Equal(t, 200, a.Redeem("conf", code).Status)
	require.Equal(t, 200, a.Revoke("conf", refresh).Status)
	require.False(t, a.Live(access))
	a.Redeem("conf", code).Fails(t, 400, "invalid_grant")
}

// With a database that is read-only or full, requests that write are refused
// and requests that read succeed. Once it may write again, the refusals have
// lost nothing.
//
// Holds: house: errors never grant; house: fault of a full disk.
func TestNoWrites_FailClosedAndRecover(t *testing.T) {
	t.Run("SQLiteIsReadOnly", func(t *testing.T) {
		t.Parallel()
		a, _, db := onFile(t, filepath.Join(t.TempDir(), "grantwell.db"))
		access, refresh := a.Family("conf")
		code := a.Code("conf")
		do(t, db, "PRAGMA query_only = ON")
		withoutWrites(t, a, code, access, refresh)
		do(t, db, "PRAGMA query_only = OFF")
		afterwards(t, a, code, access, refresh)
	})
	t.Run("SQLiteIsFull", func(t *testing.T) {
		t.Parallel()
		a, _, db := onFile(t, filepath.Join(t.TempDir(), "grantwell.db"))
		access, refresh := a.Family("conf")
		codes := make([]string, 200)
		for i := range codes {
			codes[i] = a.Code("conf")
		}
		var pages int
		require.NoError(t, db.QueryRow("PRAGMA page_count").Scan(&pages))
		do(t, db, fmt.Sprint("PRAGMA max_page_count = ", pages+10))
		var issued []string
		code := ""
		for _, c := range codes {
			r := a.Redeem("conf", c)
			if r.Status != 200 {
				require.Equal(t, 503, r.Status, r.Body)
				require.Empty(t, r.String("access_token"))
				code = c
				break
			}
			issued = append(issued, r.String("access_token"))
		}
		require.NotEmpty(t, code, "the database is full")
		for _, token := range issued {
			require.True(t, a.Live(token), "an answered token is stored")
		}
		if a.Revoke("conf", refresh).Status == 200 { // it may fit into a free page
			require.False(t, a.Live(access))
		}
		do(t, db, "PRAGMA max_page_count = 100000")
		afterwards(t, a, code, access, refresh)
	})
	t.Run("PostgreSQLIsReadOnly", func(t *testing.T) {
		t.Parallel()
		s := startPostgres(t)
		t.Cleanup(s.Remove)
		a := sites(t, sqlstore.PostgreSQL, s.driver, s.DSN, 1)[0]
		access, refresh := a.Family("conf")
		code := a.Code("conf")
		db := open(t, s.driver, s.DSN, 1)
		readOnly := func(value string) {
			do(t, db, "ALTER SYSTEM SET default_transaction_read_only = "+value,
				"SELECT pg_reload_conf()")
			require.Eventually(t, func() bool {
				return (a.ClientCredentials(servertest.Conf).Status == 200) == (value == "off")
			}, 10*time.Second, 10*time.Millisecond)
		}
		readOnly("on")
		withoutWrites(t, a, code, access, refresh)
		readOnly("off")
		afterwards(t, a, code, access, refresh)
	})
}

// A file that somebody takes away takes every token with it and none comes back
// for another: an empty file says nothing is valid, or
// fails. Put back, it goes on.
//
// Holds: house: errors never grant; house: fault of a full disk.
func TestSQLiteFile_Removed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, aside := filepath.Join(dir, "grantwell.db"), filepath.Join(dir, "aside.db")
	a, _, db := onFile(t, file)
	access, refresh := a.Family("conf")
	code := a.Code("conf")
	do(t, db, "PRAGMA wal_checkpoint(TRUNCATE)")
	require.NoError(t, os.Rename(file, aside))
	db.SetMaxIdleConns(0) // later connections open the file by its name
	_ = os.Remove(file + "-wal")
	_ = os.Remove(file + "-shm")
	for path, pairs := range map[string][]string{
		"/token":      redemption(code),
		"/token?":     refreshing(refresh),
		"/introspect": {"token", access},
		"/revoke":     {"token", refresh},
	} {
		r := a.Post(path, servertest.Conf, pairs...)
		require.Equal(t, 503, r.Status, "%s: %s", path, r.Body)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(file + end)
	}
	require.NoError(t, os.Rename(aside, file))
	require.True(t, a.Live(access))
	afterwards(t, a, code, access, refresh)
}

// After an operator emptied the tables nothing is valid, on instances that
// keep running.
//
// Holds: house: fault of an empty store.
func TestTablesEmptied_NothingIsValid(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			driver, dsn := d.open(t)
			db := open(t, driver, dsn, 8)
			p := prefix()
			s, err := sqlstore.New(t.Context(), db, d.dialect, sqlstore.Options{Prefix: p})
			require.NoError(t, err)
			servertest.Register(t, s, servertest.Clients()...)
			a := newSite(t, s)
			access, refresh := a.Family("conf")
			revoked, _ := a.Family("conf")
			require.Equal(t, 200, a.Revoke("conf", revoked).Status)
			code := a.Code("conf")
			do(t, db, "DELETE FROM "+p+"records")
			for _, token := range []string{access, refresh, revoked} {
				require.False(t, a.Live(token))
			}
			a.Redeem("conf", code).Fails(t, 400, "invalid_grant")
			a.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")
			fresh, _ := a.Family("conf")
			require.True(t, a.Live(fresh))
		})
	}
}

// After a backup was restored, tokens that were used or revoked since are
// valid again. TokensNotBefore at the moment of the restore, for each client,
// ends all of them.
//
// Holds: house: fault of a restored backup.
func TestRestore_EpochEndsWhatIsFreshAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, _, db := onFile(t, filepath.Join(dir, "grantwell.db"))
	code := a.Code("conf")
	access, refresh := a.Family("conf")
	backup := filepath.Join(dir, "backup.db")
	do(t, db, "VACUUM INTO '"+backup+"'")
	require.Equal(t, 200, a.Redeem("conf", code).Status)
	require.Equal(t, 200, a.Revoke("conf", refresh).Status)
	a.Close()

	b, s, _ := onFile(t, backup)
	require.True(t, b.Live(access), "as the documentation warns")
	list, err := s.ListClients(t.Context(), "", 100)
	require.NoError(t, err)
	for _, c := range list {
		c.TokensNotBefore = time.Now().UTC().Truncate(time.Millisecond).Add(time.Millisecond)
		require.NoError(t, s.PutClient(t.Context(), c))
	}
	time.Sleep(2 * time.Millisecond)
	require.False(t, b.Live(access))
	b.Redeem("conf", code).Fails(t, 400, "invalid_grant")
	b.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")
	fresh, _ := b.Family("conf")
	require.True(t, b.Live(fresh))
}

// Ten times more requests than the store can serve arrive, beside connections
// that send nothing. Acknowledged revocations hold, requests that cannot be
// served in time are a 503, and the next request after the flood succeeds.
//
// Holds: house: fault of overload; house: one stuck store;
// house: revocation has no gap.
func TestOverload_NothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite", sqliteDSN(filepath.Join(t.TempDir(), "grantwell.db")), 1)
	s, err := sqlstore.New(t.Context(), db, sqlstore.SQLite, sqlstore.Options{})
	require.NoError(t, err)
	servertest.Register(t, s, servertest.Clients()...)
	a := newSite(t, s)
	for range *idle {
		c, err := net.Dial("tcp", strings.TrimPrefix(a.URL, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = c.Write([]byte("POST /token HTTP/1.1\r\nHost: as.example\r\nContent-Le")) // the request ends here
		require.NoError(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), *flood)
	defer cancel()
	var mu sync.Mutex
	var revoked []string
	answers := map[int]int{}
	var failed atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for ctx.Err() == nil {
				r := a.ClientCredentials(servertest.Conf)
				if r.Err != nil {
					failed.Add(1)
					continue
				}
				status := 0
				if r.Status == 200 {
					gone := a.Revoke("conf", r.String("access_token"))
					if gone.Err != nil {
						failed.Add(1)
						continue
					}
					status = gone.Status
				}
				mu.Lock()
				answers[r.Status]++
				answers[status]++
				if status == 200 {
					revoked = append(revoked, r.String("access_token"))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	delete(answers, 0)
	t.Logf("%d idle connections, 200 callers of one connection to the store: %v, %d without an answer, %d revocations acknowledged",
		*idle, answers, failed.Load(), len(revoked))
	require.Zero(t, failed.Load())
	require.NotEmpty(t, revoked)
	for status := range answers {
		require.Contains(t, []int{200, 503}, status)
	}
	for _, token := range revoked {
		require.False(t, a.Live(token), "its revocation was acknowledged")
	}
	fresh, _ := a.Family("conf")
	require.True(t, a.Live(fresh))
}
