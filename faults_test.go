package grantwell_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// sweep is one flow whose store calls fail one by one.
type sweep struct {
	name   string
	config func(*grantwell.Config)
	// prepare runs with a store that works; the request that it returns is the
	// one that meets the fault.
	prepare func(d *servertest.Server) (request func() servertest.Reply, again func() servertest.Reply)
}

// sweeps are the flows of all endpoints and grants.
var sweeps = []sweep{
	{"code", nil, func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
		code := d.Code("conf")
		return func() servertest.Reply { return d.Redeem("conf", code) }, nil
	}},
	{"code used before", nil,
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			code := d.Code("conf")
			d.Redeem("conf", code)
			return func() servertest.Reply { return d.Redeem("conf", code) }, nil
		}},
	{"code of another client", nil,
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			code := d.Code("conf")
			return func() servertest.Reply { return d.Redeem("other", code) }, nil
		}},
	{"refresh", nil, func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
		_, token := d.Family("conf")
		return func() servertest.Reply { return d.Refresh("conf", token) }, nil
	}},
	{"refresh that ends access tokens",
		servertest.WithRefresh(grants.RefreshToken{EndAccess: true}),
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			_, token := d.Family("conf")
			return func() servertest.Reply { return d.Refresh("conf", token) }, nil
		}},
	{"refresh that is kept", servertest.WithRefresh(grants.RefreshToken{Mode: grants.Preserve}),
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			_, token := d.Family("conf")
			return func() servertest.Reply { return d.Refresh("conf", token) }, nil
		}},
	{"refresh used before", nil,
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			_, token := d.Family("conf")
			d.Refresh("conf", token)
			return func() servertest.Reply { return d.Refresh("conf", token) }, nil
		}},
	{"retry", servertest.WithRefresh(grants.RefreshToken{RetryWindow: time.Minute}),
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			_, token := d.Family("conf")
			d.Refresh("conf", token)
			return func() servertest.Reply { return d.Refresh("conf", token) }, nil
		}},
	{"client credentials", nil,
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			return func() servertest.Reply { return d.ClientCredentials(servertest.Conf) }, nil
		}},
	{"password",
		nil, func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			return func() servertest.Reply {
				return d.Login("johndoe", "A3ddj3w")
			}, nil
		}},
	{"authorize",
		nil, func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			return func() servertest.Reply {
				return d.Authorize(grantwell.Approval{
					Subject:  "alice",
					Remember: true,
				}, "scope", "read")
			}, nil
		}},
	{"implicit",
		nil, func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			return func() servertest.Reply {
				return d.Authorize(grantwell.Approval{Subject: "alice"}, "scope", "read",
					"response_type", "token")
			}, nil
		}},
	{"revoke an access token", nil,
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			token, _ := d.Family("conf")
			return func() servertest.Reply {
				return d.Revoke("conf", token)
			}, func() servertest.Reply { return d.Introspect("conf", token) }
		}},
	{"revoke a refresh token", nil,
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			_, token := d.Family("conf")
			return func() servertest.Reply {
				return d.Revoke("conf", token)
			}, func() servertest.Reply { return d.Introspect("conf", token) }
		}},
	{"introspect",
		nil, func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			token, _ := d.Family("conf")
			return func() servertest.Reply { return d.Introspect("conf", token) }, nil
		}},
	{"introspect a refresh token", nil,
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			_, token := d.Family("conf")
			return func() servertest.Reply { return d.Introspect("conf", token) }, nil
		}},
	{"token information", withTokenInfo(grantwell.TokenInfoConfig{}),
		func(d *servertest.Server) (func() servertest.Reply, func() servertest.Reply) {
			token, _ := d.Family("conf")
			return func() servertest.Reply {
				return d.Post("/tokeninfo", servertest.Conf, "access_token", token)
			}, nil
		}},
}

// At every endpoint each call of the store fails, blocks past the deadline or
// panics in turn. The answer is no success and has no token and no text of the
// cause, no write is half done, and the next request succeeds.
//
// Holds: RFC 7009 section 2.2.1; house: bounded work; house: errors never grant;
// house: fault of each call; house: one stuck store; house: one write;
// house: store fails closed.
func TestFaults_EveryCallOfEveryEndpoint(t *testing.T) {
	t.Parallel()
	ways := map[string]func(ctx context.Context) error{
		"error": func(context.Context) error { return errors.New(servertest.StoreFault) },
		"blocked": func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("%s: %w", servertest.StoreFault, ctx.Err())
		},
		"panic": func(context.Context) error { panic(servertest.StoreFault) },
	}
	for _, flow := range sweeps {
		for way, fault := range ways {
			t.Run(flow.name+"/"+way, func(t *testing.T) {
				t.Parallel()
				calls := 1
				for n := 1; n <= calls; n++ {
					synctest.Test(t, func(t *testing.T) { calls = runFault(t, flow, fault, n) })
				}
				require.Greater(t, calls, 1, "the flow was never counted")
			})
		}
	}
}

// runFault lets the n-th call fail and returns how many calls the flow makes
// when none does.
func runFault(t *testing.T, flow sweep, fault func(context.Context) error, n int) int {
	d, store := servertest.NewHooked(t, func(cfg *grantwell.Config) {
		if flow.config != nil {
			flow.config(cfg)
		}
		cfg.SubjectActive = func(context.Context, string) (bool, error) { return true, nil }
	})
	request, afterwards := flow.prepare(d)
	before := snapshot(d)
	total := 0
	store.Before(func(ctx context.Context, _ servertest.Call) error {
		if total++; total == n {
			return fault(ctx)
		}
		return nil
	})
	res := request()
	store.Pass()
	if n > total { // no call failed: the flow is done
		return total
	}
	require.NotEqual(t, 200, res.Status, "call %d: %s", n, res.Body)
	all := res.Body + fmt.Sprint(res.Header)
	for _, secret := range []string{"relation", "10.1.2.3", "pq:", "access_token", "refresh_token=",
		"code="} {
		require.NotContains(t, all, secret, "call %d", n)
	}
	if location := res.Header.Get("Location"); location != "" {
		require.Contains(t, []string{"server_error", "temporarily_unavailable"}, res.Param("error"))
	} else {
		require.GreaterOrEqual(t, res.Status, 500, "call %d: %s", n, res.Body)
	}
	require.Equal(t, before[storage.Access], snapshot(d)[storage.Access],
		"no access token was added")
	require.Equal(t, before[storage.Refresh], snapshot(d)[storage.Refresh],
		"no refresh token either")
	if afterwards != nil {
		require.Equal(t, true, afterwards().JSON["active"],
			"a revocation that failed left the token as it was")
	}
	again := request()
	require.NotContains(t, again.Body, "unavailable", "the process goes on")
	require.NotEqual(t, 500, again.Status)
	if afterwards != nil {
		require.Equal(t, 200, again.Status)
		require.Equal(t, false, afterwards().JSON["active"])
	}
	return n + 1
}

// snapshot counts the records by kind.
func snapshot(d *servertest.Server) map[storage.Kind]int {
	m := map[storage.Kind]int{}
	for _, r := range d.Records(storage.Query{}) {
		m[r.Kind]++
	}
	return m
}

// A store that takes too long is cut off by the deadline.
//
// Holds: house: store fails closed.
func TestFaults_DeadlineEndsASlowStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, store := servertest.NewHooked(t, nil)
		for _, slow := range []string{"Client", "Insert"} {
			store.Before(func(ctx context.Context, call servertest.Call) error {
				if call.Name == slow {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			})
			start := time.Now()
			res := l.ClientCredentials(servertest.Conf)
			res.Fails(t, 503, "temporarily_unavailable")
			require.NotEmpty(t, res.Header.Get("Retry-After"))
			require.Equal(t, 2*time.Second, time.Since(start))
		}
		require.Empty(t, l.Records(storage.Query{}))
	})
}

// A store that is down is a 503 and one that panics a 500, without a token.
// Once it works again, requests succeed.
//
// Holds: house: hooks refuse; house: store fails closed.
func TestFaults_StoreDownOrPanicking(t *testing.T) {
	t.Parallel()
	l, store := servertest.NewHooked(t, nil)
	first := l.Redeem("conf", l.Code("conf"))
	for _, call := range []string{"Client", "Get", "Insert", "Advance", "Revoke"} {
		for _, panics := range []bool{false, true} {
			code := l.Code("conf")
			spent := l.Code("conf")
			require.Equal(t, 200, l.Redeem("conf", spent).Status)
			store.Before(func(_ context.Context, c servertest.Call) error {
				if c.Name != call {
					return nil
				}
				if panics {
					panic("dial tcp db7.internal: refused")
				}
				return errors.New("dial tcp db7.internal: refused")
			})
			answers := map[string]servertest.Reply{}
			if call != "Insert" && call != "Revoke" {
				answers["code"] = l.Redeem("conf", code)
			}
			switch call {
			case "Client", "Insert":
				answers["client_credentials"] = l.ClientCredentials(servertest.Conf)
			case "Revoke":
				answers["second use"] = l.Redeem("conf", spent)
			case "Get":
				answers["introspect"] = l.Introspect("conf", first.String("access_token"))
				answers["refresh"] = l.Refresh("conf", first.String("refresh_token"))
			case "Advance":
				answers["revoke"] = l.Revoke("conf", first.String("access_token"))
			}
			store.Before(nil)
			for name, res := range answers {
				if panics {
					res.Fails(t, 500, "server_error")
				} else {
					res.Fails(t, 503, "temporarily_unavailable")
					require.NotEmpty(t, res.Header.Get("Retry-After"), name)
				}
				res.IsOnlyAnError(t)
				require.NotContains(t, res.Body, "db7")
			}
			require.NotEmpty(t, answers)
			require.Equal(t, 200, l.Redeem("conf", code).Status,
				"the code is not lost with the store")
		}
	}
}
