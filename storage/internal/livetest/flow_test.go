//go:build linux

package livetest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// newSite starts a server over a store behind a listener of its own, as one
// process of a service has it.
func newSite(t testing.TB, s servertest.Store) *servertest.Server {
	t.Helper()
	return servertest.On(t, s, nil).Listen()
}

// sites starts n servers on the same tables, each with a pool of its own, and
// registers the clients.
func sites(
	t testing.TB, d sqlstore.Dialect, driver, dsn string, n int,
) []*servertest.Server {
	t.Helper()
	p := prefix()
	list := make([]*servertest.Server, n)
	for i := range list {
		db := open(t, driver, dsn, 16)
		s, err := sqlstore.New(t.Context(), db, d, sqlstore.Options{Prefix: p})
		require.NoError(t, err)
		if i == 0 {
			servertest.Register(t, s, servertest.Clients()...)
		}
		list[i] = newSite(t, s)
	}
	return list
}

// redemption returns the parameters of a token request for a code.
func redemption(code string) []string {
	return []string{
		"grant_type", "authorization_code",
		"code", code,
		"redirect_uri", servertest.Redirect,
		"code_verifier", servertest.Verifier,
	}
}

// refreshing returns the parameters of a token request for a refresh token.
func refreshing(token string) []string {
	return []string{"grant_type", "refresh_token", "refresh_token", token}
}

// On every database, each request of a flow may go to either of two servers
// that share only the tables.
//
// Holds: RFC 6749 section 6; RFC 7009 section 2.1; RFC 9700 section 2.2.2;
// house: any instance; house: fault of a race; house: fault of late reuse;
// house: one contract for stores; house: reuse is remembered;
// house: revocation has no gap; house: used once.
func TestFlows_TwoServersOneDatabase(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			name, dsn := d.open(t)
			two := sites(t, d.dialect, name, dsn, 2)
			a, b := two[0], two[1]
			t.Run("CodeRefreshIntrospectRevoke", func(t *testing.T) {
				first := b.Redeem("conf", a.Code("conf"))
				require.Equal(t, 200, first.Status, first.Body)
				require.True(t, a.Live(first.String("access_token")))
				second := a.Refresh("conf", first.String("refresh_token"))
				require.Equal(t, 200, second.Status, second.Body)
				require.True(t, b.Live(second.String("access_token")))
				require.Equal(t, 200, a.Revoke("conf", second.String("refresh_token")).Status)
				for _, s := range two {
					require.False(t, s.Live(first.String("access_token")))
					require.False(t, s.Live(second.String("access_token")))
				}
				b.Refresh("conf", second.String("refresh_token")).Fails(t, 400, "invalid_grant")
			})
			t.Run("AccessTokenRevokedOnOneIsDeadOnTheOther", func(t *testing.T) {
				for range 20 {
					r := a.ClientCredentials(servertest.Conf)
					require.Equal(t, 200, r.Status, r.Body)
					require.True(t, b.Live(r.String("access_token")))
					revoked := a.Revoke("conf", r.String("access_token"))
					require.Equal(t, 200, revoked.Status)
					require.Empty(t, revoked.Body)
					require.False(t, b.Live(r.String("access_token")))
				}
			})
			t.Run("CodeReuse", func(t *testing.T) {
				code := a.Code("conf")
				r := a.Redeem("conf", code)
				require.Equal(t, 200, r.Status, r.Body)
				b.Redeem("conf", code).Fails(t, 400, "invalid_grant")
				require.False(t, a.Live(r.String("access_token")))
				a.Refresh("conf", r.String("refresh_token")).Fails(t, 400, "invalid_grant")
			})
			t.Run("RefreshReuse", func(t *testing.T) {
				first := a.Redeem("conf", a.Code("conf"))
				second := b.Refresh("conf", first.String("refresh_token"))
				require.Equal(t, 200, second.Status, second.Body)
				a.Refresh("conf", first.String("refresh_token")).Fails(t, 400, "invalid_grant")
				require.False(t, b.Live(second.String("access_token")))
				b.Refresh("conf", second.String("refresh_token")).Fails(t, 400, "invalid_grant")
			})
			t.Run("ParallelRedemptions", func(t *testing.T) { parallelRedemptions(t, two) })
		})
	}
}

// parallelRedemptions offers one code 64 times over the servers. One answer
// has tokens, and the reuse ends them.
func parallelRedemptions(t *testing.T, two []*servertest.Server) {
	for range 3 {
		code := two[0].Code("conf")
		replies := make([]servertest.Reply, 64)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range replies {
			wg.Go(func() {
				<-start
				replies[i] = two[i%2].Redeem("conf", code)
			})
		}
		close(start)
		wg.Wait()
		var won []servertest.Reply
		for _, r := range replies {
			require.NoError(t, r.Err)
			if r.Status == 200 {
				won = append(won, r)
				continue
			}
			r.Fails(t, 400, "invalid_grant")
		}
		require.Len(t, won, 1)
		for _, s := range two {
			require.False(t, s.Live(won[0].String("access_token")), "a loser is a reuse")
			s.Refresh("conf", won[0].String("refresh_token")).Fails(t, 400, "invalid_grant")
		}
	}
}

// While the database is down every endpoint answers within its deadline with a
// 503 that has no text of the cause. Once it is up again the endpoints work
// without a restart.
//
// Holds: house: errors never grant; house: fault of a restarted database;
// house: one stuck store; house: store fails closed.
func TestDatabaseDown_FailsClosedAndRecovers(t *testing.T) {
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
			code := a.Code("conf")
			s.kill()
			for path, pairs := range map[string][]string{
				"/token": redemption(code), "/token?": refreshing(tokens.String("refresh_token")),
				"/token?cc":   {"grant_type", "client_credentials"},
				"/introspect": {"token", tokens.String("access_token")},
				"/revoke":     {"token", tokens.String("refresh_token")},
			} {
				r := a.Post(path, servertest.Conf, pairs...)
				require.Equal(t, 503, r.Status, "%s: %s", path, r.Body)
				require.Empty(t, r.String("access_token"))
				require.NotContains(t, strings.ToLower(r.Body), "connect")
				require.NotContains(t, strings.ToLower(r.Body), "sql")
			}
			r := a.Get(servertest.AuthorizeURL())
			require.NoError(t, r.Err)
			require.NotContains(t, r.Header.Get("Location"), "code=")
			require.NotContains(t, strings.ToLower(r.Body+r.Header.Get("Location")), "sqlst")

			require.NoError(t, s.start())
			up := time.Now()
			require.Eventually(t, func() bool {
				r := a.Introspect("conf", tokens.String("access_token"))
				return r.Err == nil && r.Status == 200 && r.JSON["active"] == true
			}, 10*time.Second, 10*time.Millisecond)
			t.Logf("answers again %v after the start", time.Since(up).Round(time.Millisecond))
			r = a.Redeem("conf", code)
			require.Equal(t, 200, r.Status, "the code was not spent by answers that failed: %s",
				r.Body)
		})
	}
}
