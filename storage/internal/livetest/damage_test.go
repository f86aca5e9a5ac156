//go:build linux

package livetest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage/sqlstore"
)

// onFile starts a server on a SQLite file through a pool of one connection,
// which the test uses too.
func onFile(t testing.TB, file string) (*site, *sqlstore.Store, *sql.DB) {
	t.Helper()
	db := open(t, "sqlite", sqliteDSN(file), 1)
	s, err := sqlstore.New(t.Context(), db, sqlstore.SQLite, sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.PutClient(t.Context(), conf()))
	return newSite(t, s), s, db
}

func do(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// withoutWrites sends every request that writes, and requires that each is
// answered as not available. Requests that only read succeed. Nothing is spent
// by that.
func withoutWrites(t *testing.T, a *site, code, access, refresh string) {
	t.Helper()
	for _, pairs := range [][]string{redemption(code), refreshing(refresh), {"grant_type", "client_credentials"}} {
		r := a.post("/token", pairs...)
		require.Equal(t, 503, r.status, r.body)
		require.Empty(t, r.str("access_token"))
	}
	require.Equal(t, 503, a.post("/revoke", "token", refresh).status)
	require.True(t, a.active(access), "the revocation was not acknowledged")
	r, err := a.ask(http.MethodGet, "/authorize", authorization())
	require.NoError(t, err)
	require.NotContains(t, r.header.Get("Location"), "code=")
}

// afterwards repeats the requests that failed, which succeed without a restart.
func afterwards(t *testing.T, a *site, code, access, refresh string) {
	t.Helper()
	require.Equal(t, 200, a.post("/token", redemption(code)...).status)
	require.Equal(t, 200, a.post("/revoke", "token", refresh).status)
	require.False(t, a.active(access))
	a.post("/token", redemption(code)...).invalid(t)
}

func (s *site) family() (access, refresh string) {
	s.t.Helper()
	r := s.post("/token", redemption(s.code())...)
	require.Equal(s.t, 200, r.status, r.body)
	return r.str("access_token"), r.str("refresh_token")
}

// A database that is read-only, or has no space left, refuses writes and still
// serves reads. When it can write again, the refusals have lost nothing.
//
// Holds F18, I7.
func TestNoWrites_FailClosedAndRecover(t *testing.T) {
	t.Run("SQLiteIsReadOnly", func(t *testing.T) {
		t.Parallel()
		a, _, db := onFile(t, filepath.Join(t.TempDir(), "grantwell.db"))
		access, refresh := a.family()
		code := a.code()
		do(t, db, "PRAGMA query_only = ON")
		withoutWrites(t, a, code, access, refresh)
		do(t, db, "PRAGMA query_only = OFF")
		afterwards(t, a, code, access, refresh)
	})
	t.Run("SQLiteIsFull", func(t *testing.T) {
		t.Parallel()
		a, _, db := onFile(t, filepath.Join(t.TempDir(), "grantwell.db"))
		access, refresh := a.family()
		codes := make([]string, 200)
		for i := range codes {
			codes[i] = a.code()
		}
		var pages int
		require.NoError(t, db.QueryRow("PRAGMA page_count").Scan(&pages))
		do(t, db, fmt.Sprint("PRAGMA max_page_count = ", pages+10))
		var issued []string
		code := ""
		for _, c := range codes {
			r := a.post("/token", redemption(c)...)
			if r.status != 200 {
				require.Equal(t, 503, r.status, r.body)
				require.Empty(t, r.str("access_token"))
				code = c
				break
			}
			issued = append(issued, r.str("access_token"))
		}
		require.NotEmpty(t, code, "it is full")
		for _, token := range issued {
			require.True(t, a.active(token), "what was answered is there")
		}
		if a.post("/revoke", "token", refresh).status == 200 { // it may fit in where something else was
			require.False(t, a.active(access))
		}
		do(t, db, "PRAGMA max_page_count = 100000")
		afterwards(t, a, code, access, refresh)
	})
	t.Run("PostgreSQLIsReadOnly", func(t *testing.T) {
		t.Parallel()
		s := startPostgres(t)
		t.Cleanup(s.Remove)
		a := sites(t, sqlstore.PostgreSQL, s.driver, s.DSN, 1)[0]
		access, refresh := a.family()
		code := a.code()
		db := open(t, s.driver, s.DSN, 1)
		readOnly := func(value string) {
			do(t, db, "ALTER SYSTEM SET default_transaction_read_only = "+value, "SELECT pg_reload_conf()")
			require.Eventually(t, func() bool {
				return (a.post("/token", "grant_type", "client_credentials").status == 200) == (value == "off")
			}, 10*time.Second, 10*time.Millisecond)
		}
		readOnly("on")
		withoutWrites(t, a, code, access, refresh)
		readOnly("off")
		afterwards(t, a, code, access, refresh)
	})
}

// If the file of the database is removed, every token is invalid, and no token
// becomes another one: an empty file makes all tokens invalid, or requests
// fail. When the file is put back, its tokens are valid.
//
// Holds F18, I7.
func TestSQLiteFile_Removed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, aside := filepath.Join(dir, "grantwell.db"), filepath.Join(dir, "aside.db")
	a, _, db := onFile(t, file)
	access, refresh := a.family()
	code := a.code()
	do(t, db, "PRAGMA wal_checkpoint(TRUNCATE)")
	require.NoError(t, os.Rename(file, aside))
	db.SetMaxIdleConns(0) // what follows opens the file by its name
	_ = os.Remove(file + "-wal")
	_ = os.Remove(file + "-shm")
	for path, pairs := range map[string][]string{"/token": redemption(code), "/token?": refreshing(refresh), "/introspect": {"token", access}, "/revoke": {"token", refresh}} {
		r := a.post(path, pairs...)
		require.Equal(t, 503, r.status, "%s: %s", path, r.body)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(file + end)
	}
	require.NoError(t, os.Rename(aside, file))
	require.True(t, a.active(access))
	afterwards(t, a, code, access, refresh)
}

// If an operator empties the tables, every token is invalid on the instances
// that keep running.
//
// Holds F17.
func TestTablesEmptied_NothingIsValid(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			driver, dsn := d.open(t)
			db := open(t, driver, dsn, 8)
			p := prefix()
			s, err := sqlstore.New(t.Context(), db, d.dialect, sqlstore.Options{Prefix: p})
			require.NoError(t, err)
			require.NoError(t, s.PutClient(t.Context(), conf()))
			a := newSite(t, s)
			access, refresh := a.family()
			revoked, _ := a.family()
			require.Equal(t, 200, a.post("/revoke", "token", revoked).status)
			code := a.code()
			do(t, db, "DELETE FROM "+p+"records")
			for _, token := range []string{access, refresh, revoked} {
				require.False(t, a.active(token))
			}
			a.post("/token", redemption(code)...).invalid(t)
			a.post("/token", refreshing(refresh)...).invalid(t)
			fresh, _ := a.family()
			require.True(t, a.active(fresh))
		})
	}
}

// After a backup is restored, codes and tokens that were spent or revoked since
// are active again in the tables. Setting TokensNotBefore of each client to the
// time of the restore ends all of them.
//
// Holds F20.
func TestRestore_EpochEndsWhatIsFreshAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, _, db := onFile(t, filepath.Join(dir, "grantwell.db"))
	code := a.code()
	access, refresh := a.family()
	backup := filepath.Join(dir, "backup.db")
	do(t, db, "VACUUM INTO '"+backup+"'")
	require.Equal(t, 200, a.post("/token", redemption(code)...).status)
	require.Equal(t, 200, a.post("/revoke", "token", refresh).status)
	a.Close()

	b, s, _ := onFile(t, backup)
	require.True(t, b.active(access), "what the documentation warns of")
	list, err := s.ListClients(t.Context(), "", 100)
	require.NoError(t, err)
	for _, c := range list {
		c.TokensNotBefore = time.Now().UTC().Truncate(time.Millisecond).Add(time.Millisecond)
		require.NoError(t, s.PutClient(t.Context(), c))
	}
	time.Sleep(2 * time.Millisecond)
	require.False(t, b.active(access))
	b.post("/token", redemption(code)...).invalid(t)
	b.post("/token", refreshing(refresh)...).invalid(t)
	fresh, _ := b.family()
	require.True(t, b.active(fresh))
}

// The load is ten times more than the store can serve, and further clients
// connect and send nothing. Acknowledged writes are kept, requests that cannot
// be served in time are answered 503, and the next request after the load
// succeeds.
//
// Holds F22, I5, I12.
func TestOverload_NothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite", sqliteDSN(filepath.Join(t.TempDir(), "grantwell.db")), 1)
	s, err := sqlstore.New(t.Context(), db, sqlstore.SQLite, sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.PutClient(t.Context(), conf()))
	a := newSite(t, s)
	for range *idle {
		c, err := a.connect()
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = c.Write([]byte("POST /token HTTP/1.1\r\nHost: as.example\r\nContent-Le")) // and no more
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
				r, err := a.ask(http.MethodPost, "/token", form("grant_type", "client_credentials"))
				if err != nil {
					failed.Add(1)
					continue
				}
				status := 0
				if r.status == 200 {
					gone, err := a.ask(http.MethodPost, "/revoke", form("token", r.str("access_token")))
					if err != nil {
						failed.Add(1)
						continue
					}
					status = gone.status
				}
				mu.Lock()
				answers[r.status]++
				answers[status]++
				if status == 200 {
					revoked = append(revoked, r.str("access_token"))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	delete(answers, 0)
	t.Logf("%d idle connections, 200 callers of one connection to the store: %v, %d without an answer, %d revocations acknowledged", *idle, answers, failed.Load(), len(revoked))
	require.Zero(t, failed.Load())
	require.NotEmpty(t, revoked)
	for status := range answers {
		require.Contains(t, []int{200, 503}, status)
	}
	for _, token := range revoked {
		require.False(t, a.active(token), "a revocation that was acknowledged")
	}
	fresh, _ := a.family()
	require.True(t, a.active(fresh))
}

// connect opens a connection of its own to the server.
func (s *site) connect() (net.Conn, error) { return net.Dial("tcp", s.Listener.Addr().String()) }
