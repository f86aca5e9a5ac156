package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// testKeys are made once: RSA keys are slow to make.
var testKeys = sync.OnceValues(func() (*keys, error) { return newKeys(64, 8) })

// callers are a server's caller in process and, over a listener, on the wire.
func callers(t testing.TB, p peer, form string) (*caller, func() *caller) {
	k, err := testKeys()
	require.NoError(t, err)
	h, err := p.build(k, form)
	require.NoError(t, err)
	next := new(atomic.Int64)
	return &caller{target: newLocal(h), peer: p, keys: k, next: next}, func() *caller {
		ts := httptest.NewServer(h)
		t.Cleanup(ts.Close)
		conn, err := dial(strings.TrimPrefix(ts.URL, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.conn.Close() })
		return &caller{target: conn, peer: p, keys: k, next: next}
	}
}

// Every server does every workload that it is compared in, by both ways.
func TestEveryServerAnswers(t *testing.T) {
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

// What may be used once is refused the second time, and what is wrong the first time: the floor too.
func TestEveryServerRefuses(t *testing.T) {
	t.Parallel()
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c, _ := callers(t, p, opaque)
			code, err := c.authorize()
			require.NoError(t, err)
			_, refresh, err := c.redeem(code)
			require.NoError(t, err)
			_, _, err = c.redeem(code)
			require.Error(t, err, "a code is redeemed once")

			code, err = c.authorize()
			require.NoError(t, err)
			a, err := c.post("/token", "grant_type=authorization_code&code="+code+"&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&code_verifier="+strings.Repeat("x", 43), true)
			require.NoError(t, err)
			require.NotEqual(t, http.StatusOK, a.status, "a wrong verifier")

			if p.name == "fosite" || p.name == "grantwell" { // a second redemption ended the family
				_, refresh, err = c.code()
				require.NoError(t, err)
			}
			c.refresh = refresh
			require.NoError(t, refreshOne(c, 0))
			c.refresh = refresh
			require.Error(t, refreshOne(c, 0), "a refresh token is used once")

			a, err = c.post("/token", "grant_type=client_credentials&scope=read&client_id="+clientID+"&client_secret=wrong", false)
			require.NoError(t, err)
			require.NotEqual(t, http.StatusOK, a.status, "a wrong secret")

			require.NoError(t, ownTokens(c, 1))
			require.NoError(t, introspectOne(c, 0))
			require.NoError(t, revokeOne(c, 0))
			require.Error(t, introspectOne(c, 0), "a revoked token is dead")

			for _, w := range workloads[len(workloads)-2:] {
				if p.has(w) {
					c.next.Store(0)
					require.NoError(t, w.op(c, 0))
					c.next.Store(0)
					err := w.op(c, 0)
					require.Equal(t, p.name == "zitadel", err == nil, "an assertion is used once, but for a server that does not look: %s: %v", w.name, err)
				}
			}
		})
	}
}

// BenchmarkInProcess is the command's table in process, one server and workload at a time, for a profiler:
//
//	go test -C internal/bench -run '^$' -bench 'InProcess/refresh/grantwell' -cpuprofile /tmp/cpu
func BenchmarkInProcess(b *testing.B) {
	for _, w := range workloads {
		b.Run(strings.ReplaceAll(strings.ReplaceAll(w.name, " ", "_"), ",", ""), func(b *testing.B) {
			for _, p := range peers {
				if p.has(w) {
					b.Run(p.name, func(b *testing.B) { benchmark(b, p, w) })
				}
			}
		})
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
