//go:build linux

package livetest

import (
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// signalAll signals the server and its workers.
func (s *server) signalAll(signal syscall.Signal) {
	pid := s.PID()
	_ = syscall.Kill(pid, signal)
	for _, w := range children(pid) {
		_ = syscall.Kill(w, signal)
	}
}

// If the database accepts connections and does not answer, each request takes
// its deadline and no longer. All waiting requests are answered, and they
// succeed again when the database continues.
//
// Holds S165, I7, I12, F7.
func TestDatabaseStalled_EveryRequestIsAnswered(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *server{"PostgreSQL": startPostgres, "MariaDB": startMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			t.Cleanup(s.Remove)
			dialect := map[string]sqlstore.Dialect{"PostgreSQL": sqlstore.PostgreSQL, "MariaDB": sqlstore.MySQL}[name]
			a := sites(t, dialect, s.driver, s.DSN, 1)[0]
			tokens := a.post("/token", redemption(a.code())...)
			require.Equal(t, 200, tokens.status, tokens.body)
			a.Client().Timeout = time.Minute // a request that is never answered fails the test
			s.signalAll(syscall.SIGSTOP)
			replies := make([]answered, 40) // more than the pool has connections
			errs := make([]error, len(replies))
			var wg sync.WaitGroup
			for i := range replies {
				path := []string{"/introspect", "/revoke"}[i%2]
				wg.Go(func() {
					replies[i], errs[i] = a.ask(http.MethodPost, path, form("token", tokens.str("refresh_token")))
				})
			}
			wg.Wait()
			s.signalAll(syscall.SIGCONT)
			for i, r := range replies {
				require.NoError(t, errs[i])
				require.Equal(t, 503, r.status, r.body)
			}
			require.Eventually(t, func() bool {
				r, err := a.ask(http.MethodPost, "/token", form("grant_type", "client_credentials"))
				return err == nil && r.status == 200
			}, 30*time.Second, 10*time.Millisecond)
			require.Equal(t, 200, a.post("/revoke", "token", tokens.str("refresh_token")).status)
			require.False(t, a.active(tokens.str("access_token")))
		})
	}
}

// A revocation without a record to revoke still commits a write, on databases
// that show a commit before it is durable.
//
// Holds I5.
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
