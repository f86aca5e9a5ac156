package grantwell_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

var limitRounds = flag.Int("limitrounds", 20, "rounds of the race for a shared limit")

// shuffled is a store whose inserts let other goroutines run before and after.
type shuffled struct{ storage.Records }

func (s shuffled) Insert(ctx context.Context, recs ...storage.Record) error {
	for range mathrand.IntN(4) {
		runtime.Gosched()
	}
	err := s.Records.Insert(ctx, recs...)
	for range mathrand.IntN(4) {
		runtime.Gosched()
	}
	return err
}

// shared returns a limiter over a store.
func shared(
	t testing.TB, records storage.Records, limits map[string]limit.Limit,
) *limit.Shared {
	t.Helper()
	l, err := limit.NewShared(records, limits)
	require.NoError(t, err)
	return l
}

// Two servers over one store have one limit. Of any number of concurrent
// guesses exactly the allowed number is made, for passwords and for client
// secrets, and a refused caller is told when to come back.
//
// Holds: RFC 6749 section 2.3.1; RFC 6749 section 4.3.2; house: shared limits.
func TestSharedLimiter_TwoServersHaveOneLimit(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	for _, c := range servertest.Clients() {
		require.NoError(t, store.PutClient(t.Context(), c))
	}
	var guesses atomic.Int32
	var servers []*servertest.Server
	for range 2 {
		servers = append(servers, servertest.On(t, store, func(cfg *grantwell.Config) {
			servertest.LongTimeout(cfg)
			cfg.Limiter = shared(t, shuffled{store}, map[string]limit.Limit{
				"user":   {Failures: 10, Window: time.Hour},
				"client": {Failures: 20, Window: time.Hour},
			})
			cfg.Grants[2] = grants.Password{Authenticator: servertest.AuthenticatorFunc(func(_ context.Context, l grants.Login) (grants.User, error) {
				guesses.Add(1)
				runtime.Gosched()
				if l.Password == "right" {
					return grants.User{Subject: "u"}, nil
				}
				return grants.User{}, grants.ErrWrongPassword
			})}
		}))
	}
	all := func(n int, send func(d *servertest.Server, i int) servertest.Reply) (wrong, limited int32) {
		var wg sync.WaitGroup
		var w, l atomic.Int32
		for i := range n {
			wg.Go(func() {
				switch res := send(servers[i%2], i); res.Status {
				case 400, 401:
					w.Add(1)
				case 429:
					l.Add(1)
					if res.Header.Get("Retry-After") == "" {
						t.Error("no Retry-After")
					}
				default:
					t.Error(res.Status, res.Body)
				}
			})
		}
		wg.Wait()
		return w.Load(), l.Load()
	}
	for round := range *limitRounds {
		guesses.Store(0)
		user := fmt.Sprint("user", round)
		wrong, limited := all(40, func(d *servertest.Server, i int) servertest.Reply {
			return d.Login(user, fmt.Sprint(i))
		})
		require.EqualValues(t, 10, guesses.Load())
		require.Equal(t, []int32{10, 30}, []int32{wrong, limited})
		res := servers[round%2].Login(user, "right")
		res.Fails(t, 429, "temporarily_unavailable")
		require.EqualValues(t, 10, guesses.Load(), "the authenticator is not asked")
	}
	wrong, limited := all(60, func(d *servertest.Server, i int) servertest.Reply {
		return d.ClientCredentials(fmt.Sprint("conf:", i))
	})
	require.Equal(t, []int32{20, 40}, []int32{wrong, limited})
	for _, d := range servers {
		require.Equal(t, 200, d.ClientCredentials(servertest.Conf).Status,
			"the right secret has 256 bits, and is no guess")
	}
	recs := servers[0].Records(storage.Query{Kind: limit.Guesses})
	require.NotEmpty(t, recs)
	for _, r := range recs {
		require.Empty(t, r.ClientID+r.Subject+r.GrantID)
		require.True(t, r.ExpiresAt.After(time.Now()) &&
			!r.ExpiresAt.After(time.Now().Add(4*time.Hour)), "%v", r.ExpiresAt)
		require.NotContains(t, string(r.Data), "user")
	}
}

// With a store that fails, or that holds other data, no guess is made: the
// answer is a 503, and neither the authenticator nor a hash is asked.
//
// Holds: house: shared limits; house: store fails closed.
func TestSharedLimiter_StoreFailureIsNotOpen(t *testing.T) {
	t.Parallel()
	broken := servertest.HookedRecords(memstore.New())
	asked := 0
	d := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Limiter = shared(t, broken, nil)
		cfg.Grants[2] = grants.Password{Authenticator: servertest.AuthenticatorFunc(func(context.Context, grants.Login) (grants.User, error) {
			asked++
			return grants.User{Subject: "u"}, nil
		})}
	})
	d.ChangeClient("other", func(c *storage.Client) {
		c.Secrets = []storage.Secret{{Hash: servertest.BcryptHash(t, "hunter2")}}
	})
	login := func() servertest.Reply {
		return d.Login("u", "p")
	}
	for _, call := range []string{"Insert", "Get"} {
		broken.Fail(errors.New(servertest.StoreFault), call)
		for _, res := range []servertest.Reply{login(), d.ClientCredentials("conf:wrong"),
			d.ClientCredentials("other:hunter2")} {
			res.Fails(t, 503, "temporarily_unavailable")
			require.NotEmpty(t, res.Header.Get("Retry-After"))
			require.NotContains(t, res.Body, "pq")
		}
	}
	require.Zero(t, asked)
	broken.Pass()
	require.Equal(t, 200, login().Status)
	require.Equal(t, 200, d.ClientCredentials("other:hunter2").Status)
}

// A client can have a limit of its own in place of the default. A class
// without a limit has the default, and never none.
//
// Holds: house: shared limits.
func TestSharedLimiter_ClientLimitReplacesTheDefault(t *testing.T) {
	t.Parallel()
	limits := map[string]limit.Limit{
		"client":         {Failures: 3, Window: time.Hour},
		"client/partner": {Failures: 1, Window: time.Minute},
	}
	for name, limiter := range map[string]grants.Limiter{
		"memory": limit.NewMemory(limits),
		"shared": shared(t, memstore.New(), limits),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := servertest.New(t, func(cfg *grantwell.Config) {
				cfg.Limiter = limiter
				cfg.LimitClass = func(id string) string {
					return map[string]string{"other": "partner", "nobody": "no such class"}[id]
				}
			})
			for id, allowed := range map[string]int{"conf": 3, "other": 1, "nobody": 3} {
				for range allowed {
					d.ClientCredentials(id+":wrong").Fails(t, 401, "invalid_client")
				}
				res := d.ClientCredentials(id + ":wrong")
				res.Fails(t, 429, "temporarily_unavailable")
				require.Equal(t, map[string]string{"other": "60"}[id] != "",
					res.Header.Get("Retry-After") == "60")
			}
		})
	}
}
