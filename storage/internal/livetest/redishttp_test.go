//go:build linux

package livetest

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// redisSites starts two servers on one Redis, each with connections of its own,
// and registers the client.
func redisSites(t testing.TB, s *redisServer) []*site {
	t.Helper()
	first := redisStore(t, s.client(t), "grantwell")
	require.NoError(t, first.PutClient(t.Context(), conf()))
	return []*site{newSite(t, first), newSite(t, redisStore(t, s.client(t), "grantwell"))}
}

// Any request of a flow may be served by either server, and each sees at once
// what the other has done.
//
// Holds S85, S86, S97, S162, S167, I4, I5, F11.
func TestRedisFlows_AnyRequestHitsEitherServer(t *testing.T) {
	t.Parallel()
	both := redisSites(t, startRedis(t, durable...))
	for n := range 16 { // every way to spread a flow's four steps
		at := func(step int) *site { return both[n>>step&1] }
		code := at(0).code()
		first := at(1).post("/token", redemption(code)...)
		require.Equal(t, 200, first.status, first.body)
		second := at(2).post("/token", refreshing(first.str("refresh_token"))...)
		require.Equal(t, 200, second.status, second.body)
		for _, s := range both {
			require.True(t, s.active(second.str("access_token")))
		}
		revoked := at(3).post("/revoke", "token", second.str("access_token"))
		require.Equal(t, 200, revoked.status)
		require.Empty(t, revoked.body)
		for _, s := range both {
			require.False(t, s.active(second.str("access_token")))
		}
		third := at(1).post("/token", refreshing(second.str("refresh_token"))...)
		require.Equal(t, 200, third.status, third.body)
		if n%3 == 0 { // reuse ends a family as a revocation does
			at(3).post("/token", redemption(code)...).invalid(t)
		} else if n%3 == 1 {
			at(3).post("/token", refreshing(first.str("refresh_token"))...).invalid(t)
		} else {
			require.Equal(t, 200, at(3).post("/revoke", "token", third.str("refresh_token")).status)
		}
		for _, s := range both {
			require.False(t, s.active(third.str("access_token")))
			s.post("/token", refreshing(third.str("refresh_token"))...).invalid(t)
		}
	}
}

// Of 64 requests that redeem one code at both servers at once, one succeeds,
// and the reuse of the code ends its tokens.
//
// Holds S162, I1, I4, I11, F9.
func TestRedisFlows_OneRedemptionOfMany(t *testing.T) {
	t.Parallel()
	parallelRedemptions(t, redisSites(t, startRedis(t, durable...)))
}

// While Redis is down, every endpoint answers that it is not available, and
// does not reveal the cause. When Redis is back, requests succeed without a
// restart.
//
// Holds S165, I7, I12.
func TestRedisDown_EveryEndpointFailsClosedAndRecovers(t *testing.T) {
	t.Parallel()
	s := startRedis(t, durable...)
	both := redisSites(t, s)
	tokens := both[0].post("/token", redemption(both[0].code())...)
	require.Equal(t, 200, tokens.status, tokens.body)
	code := both[0].code()
	s.kill()
	var down sync.WaitGroup
	for name, pairs := range map[string][]string{
		"/token": redemption(code), "/token?r": refreshing(tokens.str("refresh_token")), "/token?cc": {"grant_type", "client_credentials"},
		"/introspect": {"token", tokens.str("access_token")}, "/revoke": {"token", tokens.str("access_token")},
	} {
		for i, a := range both {
			down.Go(func() {
				r, err := a.ask(http.MethodPost, name, form(pairs...))
				assert.NoError(t, err)
				assert.Equal(t, 503, r.status, "%s of %d: %s", name, i, r.body)
				assert.Empty(t, r.str("access_token"), name)
				for _, leak := range []string{"redis", "dial", ".sock", "refused"} {
					assert.NotContains(t, strings.ToLower(r.body), leak, name)
				}
			})
		}
	}
	down.Go(func() {
		r, err := both[0].ask(http.MethodGet, "/authorize", authorization())
		assert.NoError(t, err)
		assert.NotContains(t, r.header.Get("Location"), "code=")
		assert.NotContains(t, strings.ToLower(r.body+r.header.Get("Location")), "redis")
	})
	down.Wait()
	require.NoError(t, s.start())
	up := time.Now()
	for _, a := range both {
		require.Eventually(t, func() bool {
			r, err := a.ask(http.MethodPost, "/introspect", form("token", tokens.str("access_token")))
			return err == nil && r.json["active"] == true
		}, deadline, poll)
	}
	t.Logf("both answer again %v after the start", time.Since(up).Round(time.Millisecond))
	r := both[1].post("/token", redemption(code)...)
	require.Equal(t, 200, r.status, "the code was not spent by answers that failed: %s", r.body)
	require.Equal(t, 200, both[0].post("/revoke", "token", tokens.str("access_token")).status)
	require.False(t, both[1].active(tokens.str("access_token")))
}
