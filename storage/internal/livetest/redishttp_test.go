//go:build linux

package livetest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
)

// redisSites starts two servers on one Redis, each with connections of its
// own, and registers the clients.
func redisSites(t testing.TB, s *redisServer) []*servertest.Server {
	t.Helper()
	first := redisStore(t, s.client(t), "grantwell")
	servertest.Register(t, first, servertest.Clients()...)
	return []*servertest.Server{newSite(t, first),
		newSite(t, redisStore(t, s.client(t), "grantwell"))}
}

// Each request of a flow may go to either server, and each server sees at once
// what the other one did.
//
// Holds: RFC 6749 section 6; RFC 7009 section 2.1; RFC 9700 section 2.2.2;
// house: any instance; house: fault of late reuse; house: reuse is remembered;
// house: revocation has no gap.
func TestRedisFlows_AnyRequestHitsEitherServer(t *testing.T) {
	t.Parallel()
	both := redisSites(t, startRedis(t, durable...))
	for n := range 16 { // all ways to spread the four steps of a flow
		at := func(step int) *servertest.Server { return both[n>>step&1] }
		code := at(0).Code("conf")
		first := at(1).Redeem("conf", code)
		require.Equal(t, 200, first.Status, first.Body)
		second := at(2).Refresh("conf", first.String("refresh_token"))
		require.Equal(t, 200, second.Status, second.Body)
		for _, s := range both {
			require.True(t, s.Live(second.String("access_token")))
		}
		revoked := at(3).Revoke("conf", second.String("access_token"))
		require.Equal(t, 200, revoked.Status)
		require.Empty(t, revoked.Body)
		for _, s := range both {
			require.False(t, s.Live(second.String("access_token")))
		}
		third := at(1).Refresh("conf", second.String("refresh_token"))
		require.Equal(t, 200, third.Status, third.Body)
		switch n % 3 { // a reuse ends a family as a revocation does
		case 0:
			at(3).Redeem("conf", code).Fails(t, 400, "invalid_grant")
		case 1:
			at(3).Refresh("conf", first.String("refresh_token")).Fails(t, 400, "invalid_grant")
		default:
			require.Equal(t, 200, at(3).Revoke("conf", third.String("refresh_token")).Status)
		}
		for _, s := range both {
			require.False(t, s.Live(third.String("access_token")))
			s.Refresh("conf", third.String("refresh_token")).Fails(t, 400, "invalid_grant")
		}
	}
}

// Of 64 concurrent redemptions of one code on both servers one succeeds, and
// the reuse ends its tokens.
//
// Holds: house: any instance; house: fault of a race; house: one winner;
// house: reuse is remembered; house: used once.
func TestRedisFlows_OneRedemptionOfMany(t *testing.T) {
	t.Parallel()
	parallelRedemptions(t, redisSites(t, startRedis(t, durable...)))
}

// While Redis is down every endpoint answers with a 503 that has no text of
// the cause. Once it is up again the endpoints work without a restart.
//
// Holds: house: errors never grant; house: one stuck store;
// house: store fails closed.
func TestRedisDown_EveryEndpointFailsClosedAndRecovers(t *testing.T) {
	t.Parallel()
	s := startRedis(t, durable...)
	both := redisSites(t, s)
	tokens := both[0].Redeem("conf", both[0].Code("conf"))
	require.Equal(t, 200, tokens.Status, tokens.Body)
	code := both[0].Code("conf")
	s.kill()
	var down sync.WaitGroup
	for name, pairs := range map[string][]string{
		"/token": redemption(code), "/token?r": refreshing(tokens.String("refresh_token")),
		"/token?cc":   {"grant_type", "client_credentials"},
		"/introspect": {"token", tokens.String("access_token")},
		"/revoke":     {"token", tokens.String("access_token")},
	} {
		for i, a := range both {
			down.Go(func() {
				r := a.Post(name, servertest.Conf, pairs...)
				assert.NoError(t, r.Err)
				assert.Equal(t, 503, r.Status, "%s of %d: %s", name, i, r.Body)
				assert.Empty(t, r.String("access_token"), name)
				for _, leak := range []string{"redis", "dial", ".sock", "refused"} {
					assert.NotContains(t, strings.ToLower(r.Body), leak, name)
				}
			})
		}
	}
	down.Go(func() {
		r := both[0].Get(servertest.AuthorizeURL())
		assert.NoError(t, r.Err)
		assert.NotContains(t, r.Header.Get("Location"), "code=")
		assert.NotContains(t, strings.ToLower(r.Body+r.Header.Get("Location")), "redis")
	})
	down.Wait()
	require.NoError(t, s.start())
	up := time.Now()
	for _, a := range both {
		require.Eventually(t, func() bool {
			r := a.Introspect("conf", tokens.String("access_token"))
			return r.Err == nil && r.JSON["active"] == true
		}, deadline, poll)
	}
	t.Logf("both answer again %v after the start", time.Since(up).Round(time.Millisecond))
	r := both[1].Redeem("conf", code)
	require.Equal(t, 200, r.Status, "the code was not spent by answers that failed: %s", r.Body)
	require.Equal(t, 200, both[0].Revoke("conf", tokens.String("access_token")).Status)
	require.False(t, both[1].Live(tokens.String("access_token")))
}
