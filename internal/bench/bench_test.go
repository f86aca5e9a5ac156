package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// testKeys returns the keys. They are made once, because RSA keys take long.
var testKeys = sync.OnceValues(func() (*keys, error) { return newKeys(64, 8) })

// callers returns a caller in process, and a function that returns a caller over HTTP.
func callers(t testing.TB, p peer, form string) (*caller, func() *caller) {
	k, err := testKeys()
	require.NoError(t, err)
	h, err := p.build(k, form)
	require.NoError(t, err)
	next := new(atomic.Int64)
	return &caller{
			target: newLocal(h),
			peer:   p,
			keys:   k,
			next:   next,
		}, func() *caller {
			ts := httptest.NewServer(h)
			t.Cleanup(ts.Close)
			conn, err := dial(strings.TrimPrefix(ts.URL, "http://"))
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.conn.Close() })
			return &caller{
				target: conn,
				peer:   p,
				keys:   k,
				next:   next,
			}
		}
}

// Every server does each of its workloads, in process and over HTTP.
func TestServers_DoTheirWorkloads(t *testing.T) {
	t.Parallel()
	for _, p := range peers {
		for _, w := range workloads {
			if !p.has(w) {
				continue
			}
			t.Run(p.name+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				inProcess, listen := callers(t, p, w.form)
				for _, c := range []*caller{inProcess, listen()} {
					if w.prepare != nil {
						require.NoError(t, w.prepare(c, 3))
					}
					for i := range 3 {
						require.NoError(t, w.op(c, i))
					}
					require.NoError(t, c.pair())
				}
			})
		}
	}
}

// Every server, the floor too, refuses a second use of a code, of a refresh token and of an
// assertion, and a wrong verifier or secret.
func TestServers_RefuseWhatTheyMust(t *testing.T) {
	t.Parallel()
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c, _ := callers(t, p, opaque)
			refusesCodes(t, c)
			refusesRefreshTokens(t, c)

			form := "grant_type=client_credentials&scope=read&client_id=" + clientID + "&client_secret=wrong"
			a, err := c.post("/token", form, false)
			require.NoError(t, err)
			require.NotEqual(t, http.StatusOK, a.status, "a wrong secret")

			require.NoError(t, ownTokens(c, 1))
			require.NoError(t, introspectOne(c, 0))
			require.NoError(t, revokeOne(c, 0))
			require.Error(t, introspectOne(c, 0), "a revoked token")
			refusesAssertions(t, c)
		})
	}
}

// refusesCodes uses a code twice, and another one with a wrong verifier.
func refusesCodes(t *testing.T, c *caller) {
	t.Helper()
	code, err := c.authorize()
	require.NoError(t, err)
	_, _, err = c.redeem(code)
	require.NoError(t, err)
	_, _, err = c.redeem(code)
	require.Error(t, err, "a code is redeemed once")

	code, err = c.authorize()
	require.NoError(t, err)
	form := "grant_type=authorization_code&code=" + code + "&redirect_uri=" + url.QueryEscape(redirectURI) +
		"&code_verifier=" + strings.Repeat("x", 43)
	a, err := c.post("/token", form, true)
	require.NoError(t, err)
	require.NotEqual(t, http.StatusOK, a.status, "a wrong verifier")
}

// refusesRefreshTokens uses a refresh token again after its successor was used. Grantwell
// answers a retry before that with the same successor.
func refusesRefreshTokens(t *testing.T, c *caller) {
	t.Helper()
	_, refresh, err := c.code()
	require.NoError(t, err)
	c.refresh = refresh
	require.NoError(t, refreshOne(c, 0))
	require.NoError(t, refreshOne(c, 0))
	c.refresh = refresh
	require.Error(t, refreshOne(c, 0), "a refresh token is used once")
}

// refusesAssertions uses each assertion twice. zitadel/oidc accepts an assertion until it
// has expired.
func refusesAssertions(t *testing.T, c *caller) {
	t.Helper()
	for _, w := range workloads[len(workloads)-2:] {
		if !c.peer.has(w) {
			continue
		}
		c.next.Store(0)
		require.NoError(t, w.op(c, 0))
		c.next.Store(0)
		err := w.op(c, 0)
		require.Equal(t, c.peer.name == "zitadel", err == nil, "%s: %v", w.name, err)
	}
}

// BenchmarkInProcess runs one workload on one server in process, for a profiler:
//
//	go test -C internal/bench -run '^$' -bench 'InProcess/refresh/grantwell' -cpuprofile /tmp/cpu
func BenchmarkInProcess(b *testing.B) {
	for _, w := range workloads {
		b.Run(
			strings.ReplaceAll(strings.ReplaceAll(w.name, " ", "_"), ",", ""),
			func(b *testing.B) {
				for _, p := range peers {
					if p.has(w) {
						b.Run(p.name, func(b *testing.B) { benchmark(b, p, w) })
					}
				}
			},
		)
	}
}

func benchmark(b *testing.B, p peer, w *workload) {
	k, err := testKeys()
	require.NoError(b, err)
	if w.name == "JWT bearer" || w.name == "SAML bearer" {
		samls := 0
		if w.name == "SAML bearer" {
			samls = b.N
		}
		k, err = k.withAssertions(b.N, samls)
		require.NoError(b, err)
	}
	require.NoError(b, runB(b, p, w, k))
}
