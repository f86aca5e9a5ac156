//go:build linux

package livetest

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// signalAll reaches the server and its workers.
func (s *server) signalAll(signal syscall.Signal) {
	pid := s.PID()
	_ = syscall.Kill(pid, signal)
	for _, w := range children(pid) {
		_ = syscall.Kill(w, signal)
	}
}

// A database that keeps its connections and does not answer costs each request
// its deadline and no more. All waiting requests are answered, and requests
// succeed once the database goes on.
//
// Holds: house: errors never grant; house: fault of a stalled connection;
// house: one stuck store; house: store fails closed.
func TestDatabaseStalled_EveryRequestIsAnswered(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *server{
		"PostgreSQL": startPostgres,
		"MariaDB":    startMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			t.Cleanup(s.Remove)
			dialect := map[string]sqlstore.Dialect{
				"PostgreSQL": sqlstore.PostgreSQL,
				"MariaDB":    sqlstore.MySQL,
			}[name]
			a := sites(t, dialect, s.driver, s.DSN, 1)[0]
			tokens := a.Redeem("conf", a.Code("conf"))
			require.Equal(t, 200, tokens.Status, tokens.Body)
			a.Client().Timeout = time.Minute // no request waits longer
			s.signalAll(syscall.SIGSTOP)
			replies := make([]servertest.Reply, 40) // more than the pool has connections
			var wg sync.WaitGroup
			for i := range replies {
				path := []string{"/introspect", "/revoke"}[i%2]
				wg.Go(func() {
					replies[i] = a.Post(path, servertest.Conf,
						"token", tokens.String("refresh_token"))
				})
			}
			wg.Wait()
			s.signalAll(syscall.SIGCONT)
			for _, r := range replies {
				require.NoError(t, r.Err)
				require.Equal(t, 503, r.Status, r.Body)
			}
			require.Eventually(t, func() bool {
				r := a.ClientCredentials(servertest.Conf)
				return r.Err == nil && r.Status == 200
			}, 30*time.Second, 10*time.Millisecond)
			require.Equal(t, 200, a.Revoke("conf", tokens.String("refresh_token")).Status)
			require.False(t, a.Live(tokens.String("access_token")))
		})
	}
}

// A revocation that finds nothing left to revoke still commits a write,
// because another commit may be visible before it is durable.
//
// Holds: house: revocation has no gap.
func TestRevoke_SecondOneIsDurableByItself(t *testing.T) {
	t.Parallel()
	name, dsn := mariadb.open(t)
	db := open(t, name, dsn, 2)
	p := prefix()
	s, err := sqlstore.New(t.Context(), db, sqlstore.MySQL, sqlstore.Options{Prefix: p})
	require.NoError(t, err)
	r := record(storage.Access, "a", "g")
	require.NoError(t, s.Insert(t.Context(), r))
	last := func() string {
		var id []byte
		require.NoError(t, db.QueryRow("SELECT write_id FROM "+p+"records").Scan(&id))
		return string(id)
	}
	require.NoError(t, s.Revoke(t.Context(), "g"))
	first := last()
	require.NoError(t, s.Revoke(t.Context(), "g", storage.Refresh))
	require.Equal(t, first, last(), "nothing of that kind")
	require.NoError(t, s.Revoke(t.Context(), "g", storage.Access))
	require.NotEqual(t, first, last())
	got, err := s.Get(t.Context(), r.Kind, r.Key)
	require.NoError(t, err)
	require.Equal(t, storage.Revoked, got.State)
}
