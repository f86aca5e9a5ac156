//go:build unix

package main_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

// through returns the proxy, with a new connection for each request.
func (s *servers) through() at {
	return at{
		s,
		&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute},
	}
}

// kill ends a server as a crash does, and waits until the cluster has noticed.
func (s *servers) kill(n int) {
	s.t.Helper()
	require.NoError(s.t, syscall.Kill(s.pids[n], syscall.SIGKILL))
	require.Eventually(s.t,
		func() bool { return strings.Contains(s.stderr.String(), s.addrs[n]+" has ended") },
		time.Minute, 5*time.Millisecond,
	)
}

// When one of two processes is killed, the other continues everything that the
// first has begun: a session, a form that waits for its user, codes, tokens and
// revocations. Only a request that the killed process was serving fails, and it is
// not sent twice.
//
// Holds: RFC 7009 section 2.1; house: any instance;
// house: fault of a killed server; house: reuse is remembered.
func TestKilled_OtherServerGoesOn(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"postgres", "redis", "sqlite"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := cluster(t, store)
			proxy := s.through()
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, proxy.http)
			waiting := s.authorize(ctx)
			var live, dead []string
			for i := range 20 {
				got := proxy.token("grant_type", "client_credentials")
				require.Equal(t, 200, got.status, got.body)
				if live = append(live, got.text("access_token")); i%2 == 0 {
					require.Equal(
						t,
						200,
						proxy.post(
							s.file.Revoke, demo.Confidential, "token", live[len(live)-1],
						).status,
					)
					dead, live = append(dead, live[len(live)-1]), live[:len(live)-1]
				}
			}
			more := s.underLoad(proxy, func() { s.kill(0) })

			got := proxy.token(waiting.redemption()...)
			require.Equal(t, 200, got.status, got.body)
			for _, token := range append(live, more...) {
				require.True(t, proxy.active(token), "acknowledged, and lost")
			}
			for _, token := range dead {
				require.False(t, proxy.active(token), "revoked, and back")
			}
			next := proxy.token(
				"grant_type", "refresh_token", "refresh_token", got.text("refresh_token"),
			)
			require.Equal(t, 200, next.status, next.body)
			// The successor is used as well, so a further use of the first is no retry.
			last := proxy.token("grant_type", "refresh_token", "refresh_token", next.text("refresh_token"))
			require.Equal(t, 200, last.status, last.body)
			proxy.token("grant_type", "refresh_token", "refresh_token", got.text("refresh_token")).
				refused(t, "invalid_grant")
			require.False(t, proxy.active(next.text("access_token")))
			for range 10 {
				require.Equal(t, 200, proxy.token(s.authorize(ctx).redemption()...).status)
			}
			t.Logf(
				"%s: %d tokens of before and during the kill are alive, %d revoked ones are not",
				store, len(live)+len(more), len(dead),
			)

			require.NoError(t, syscall.Kill(s.pids[1], syscall.SIGKILL))
			require.Error(t, <-s.ended, "a cluster without a server ends")
			s.over = true
			require.Contains(t, s.stderr.String(), "no server is left")
		})
	}
}

// underLoad issues tokens through the proxy while fault runs and for some time
// after it. It returns the tokens that were acknowledged.
func (s *servers) underLoad(proxy at, fault func()) []string {
	s.t.Helper()
	const workers = 4
	var stop, broken atomic.Bool
	var failed atomic.Int64
	acknowledged := make([][]string, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for !stop.Load() {
				was := broken.Load()
				r, err := proxy.ask(
					s.file.Token, demo.Confidential, "grant_type", "client_credentials",
				)
				switch {
				case err == nil && r.status == 200:
					acknowledged[i] = append(acknowledged[i], r.text("access_token"))
				case err != nil || r.status != http.StatusBadGateway || was:
					failed.Add(
						1,
					) // the proxy itself answers, and after the fault by the other server
				}
			}
		})
	}
	fault()
	broken.Store(true)
	for range 50 {
		r := proxy.token("grant_type", "client_credentials")
		require.Equal(s.t, 200, r.status, r.body)
	}
	stop.Store(true)
	wg.Wait()
	require.Zero(s.t, failed.Load())
	var all []string
	for _, list := range acknowledged {
		all = append(all, list...)
	}
	require.NotEmpty(s.t, all)
	return all
}
