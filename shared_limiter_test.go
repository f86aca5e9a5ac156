package grantwell_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
// Holds S57, S187, R108, R134, V16.
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
		res.Fails(t, 429, "invalid_grant")
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

// Right guesses do not count, whatever their number, and free slots for
// guesses that wait on the other instance.
//
// Holds S187.
func TestSharedLimiter_SuccessesDoNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		limits := map[string]limit.Limit{"user": {Failures: 2, Window: time.Minute}, "off": {}}
		ls := []*limit.Shared{shared(t, store, limits), shared(t, store, limits)}
		for i := range 300 {
			try(t, ls[i%2], "user:a", true, 0)
			try(t, ls[i%2], "off:a", false, 0)
			try(t, ls[i%2], "other:a", false, 0)
		}
		first, _, err := ls[0].Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		second, _, err := ls[1].Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err = ls[1].Attempt(ctx, "user:a")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var passed atomic.Bool
		go func() {
			done, wait, err := ls[1].Attempt(context.Background(), "user:a")
			passed.Store(err == nil && wait == 0)
			done(true)
		}()
		synctest.Wait()
		require.False(t, passed.Load())
		first(true)
		first(false) // a second call has no effect
		time.Sleep(time.Second)
		require.True(t, passed.Load())
		second(false)
		try(t, ls[0], "user:a", false, 0)
		try(t, ls[0], "user:a", true, time.Minute)
		try(t, ls[1], "user:a", true, time.Minute)
		try(t, ls[1], "user:b", true, 0)
	})
}

// try makes one guess, and requires that it is made at once, or refused for as
// long as wait.
func try(t *testing.T, l grants.Limiter, key string, ok bool, wait time.Duration) {
	t.Helper()
	done, got, err := l.Attempt(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, wait, got.Round(100*time.Millisecond))
	if got == 0 {
		done(ok)
	}
}

// No period as long as the window has more failures than allowed, and every
// failure expires in the end, also with new instances and random times.
//
// Holds S57, S187.
func TestSharedLimiter_SlidingWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const allowed, window = 5, time.Minute
		store := memstore.New()
		var failed []time.Time
		refused := 0
		for i := 0; len(failed) < 200; i++ {
			l := shared(t, store, map[string]limit.Limit{"addr": {
				Failures: allowed,
				Window:   window,
			}}) // an instance that has just started
			for range mathrand.IntN(12) {
				done, wait, err := l.Attempt(t.Context(), "addr:x")
				require.NoError(t, err)
				live := 0
				for _, at := range failed {
					if time.Since(at) < window {
						live++
					}
				}
				if wait > 0 {
					refused++
					require.Equal(t, allowed, live)
					require.LessOrEqual(t, wait, window)
				} else {
					require.Less(t, live, allowed)
					ok := mathrand.IntN(4) == 0
					if done(ok); !ok {
						failed = append(failed, time.Now())
					}
				}
				time.Sleep(mathrand.N(10 * time.Second))
			}
			time.Sleep(mathrand.N(time.Minute) * time.Duration(mathrand.IntN(2)*(i%7)))
		}
		require.NotZero(t, refused)
		time.Sleep(5 * window)
		n, err := store.Sweep(t.Context(), time.Now(), 1_000_000)
		require.NoError(t, err)
		require.NotZero(t, n)
		left, _, err := store.List(t.Context(), storage.Query{})
		require.NoError(t, err)
		require.Empty(t, left, "everything expires")
	})
}

// A guess without a result counts as a failure: the process died, or the store
// was not reachable.
//
// Holds S187.
func TestSharedLimiter_LostGuessCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		limits := map[string]limit.Limit{"user": {Failures: 1, Window: time.Minute}}
		_, _, err := shared(t, store, limits).Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		l := shared(t, store, limits)
		try(t, l, "user:a", true, 45*time.Second) // waits for the lease and is refused then
		time.Sleep(45 * time.Second)
		try(t, l, "user:a", true, 0)
		broken := servertest.HookedRecords(store)
		l = shared(t, broken, limits)
		done, _, err := l.Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		broken.Fail(errors.New(servertest.StoreFault))
		done(true)
		broken.Pass()
		try(t, l, "user:a", true, 45*time.Second)
	})
}

// What a caller can make the store keep and do is bounded: refused guesses
// write nothing.
//
// Holds S187.
func TestSharedLimiter_WritesAreBounded(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	var writes, reads atomic.Int32
	counted := servertest.HookedRecords(store)
	counted.Before(func(_ context.Context, call servertest.Call) error {
		if call.Name == "Get" {
			reads.Add(1)
		} else {
			writes.Add(1)
		}
		return nil
	})
	l := shared(t, counted, map[string]limit.Limit{"user": {Failures: 10, Window: time.Hour}})
	for range 10 {
		try(t, l, "user:a", false, 0)
	}
	require.LessOrEqual(t, writes.Load(), int32(2*10+1))
	w, r := writes.Load(), reads.Load()
	for range 1000 {
		_, wait, err := l.Attempt(t.Context(), "user:a")
		require.NoError(t, err)
		require.Positive(t, wait)
	}
	require.Equal(t, []int32{w, r}, []int32{writes.Load(), reads.Load()})
	l = shared(t, counted, map[string]limit.Limit{"user": {Failures: 10, Window: time.Hour}})
	_, wait, err := l.Attempt(t.Context(), "user:a")
	require.NoError(t, err)
	require.Positive(t, wait)
	require.Equal(t, w, writes.Load())
	require.LessOrEqual(t, reads.Load()-r, int32(20),
		"a newcomer finds the newest version by strides")
}

// With a store that fails, or that holds other data, no guess is made: the
// answer is a 503, and neither the authenticator nor a hash is asked.
//
// Holds S187, R12.
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

	damaged := memstore.New()
	l := shared(t, damagedStore{damaged}, nil)
	_, _, err := l.Attempt(t.Context(), "user:a")
	require.ErrorContains(t, err, "damaged")
}

// damagedStore answers with data that no limiter wrote.
type damagedStore struct{ storage.Records }

func (damagedStore) Get(context.Context, storage.Kind, string) (storage.Record, error) {
	return storage.Record{Data: []byte("{")}, nil
}

// A limit that the store cannot hold is refused by limit.NewShared.
func TestSharedLimiter_ConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	for want, limits := range map[string]map[string]limit.Limit{
		"1000 failures": {"user": {Failures: 1001, Window: time.Minute}},
		"a second":      {"user": {Failures: 1}},
	} {
		_, err := limit.NewShared(memstore.New(), limits)
		require.ErrorContains(t, err, want)
		require.True(t, strings.HasPrefix(err.Error(), "limit: "))
	}
	_, err := limit.NewShared(nil, nil)
	require.ErrorContains(t, err, "missing")
	// Many names leave the cache bounded and remove no count.
	l := shared(t, memstore.New(), map[string]limit.Limit{"user": {
		Failures: 1,
		Window:   time.Hour,
	}})
	try(t, l, "user:first", false, 0)
	if !testing.Short() {
		for i := range 101_000 {
			_, _, err := l.Attempt(t.Context(), fmt.Sprint("user:", i%3, i))
			require.NoError(t, err)
		}
	}
	_, wait, err := l.Attempt(t.Context(), "user:first")
	require.NoError(t, err)
	require.Positive(t, wait)
}

// Where one era of records ends and the next begins, a slow instance and a
// fast one cannot both take the last slot.
//
// Holds S187.
func TestSharedLimiter_SlowWriterAtTheEndOfAnEra(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // synthetic time begins at the start of an era
		store := memstore.New()
		limits := map[string]limit.Limit{"user": {Failures: 1, Window: time.Minute}}
		slow := servertest.HookedRecords(store)
		slow.Before(func(_ context.Context, call servertest.Call) error {
			if call.Name == "Insert" {
				time.Sleep(2 * time.Second)
			}
			return nil
		})
		for _, begun := range []time.Duration{119 * time.Second,
			118*time.Second + 3*2*time.Minute} {
			time.Sleep(time.Until(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(begun)))
			var passed atomic.Int32
			guess := func(l *limit.Shared) {
				if done, wait, err := l.Attempt(context.Background(), "user:a"); err == nil &&
					wait == 0 {
					passed.Add(1)
					done(false)
				}
			}
			var wg sync.WaitGroup
			wg.Go(func() { guess(shared(t, slow, limits)) })
			for _, after := range []time.Duration{1500 * time.Millisecond, 2500 * time.Millisecond,
				4500 * time.Millisecond} {
				wg.Go(func() {
					time.Sleep(after)
					guess(shared(t, store, limits))
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, passed.Load())
		}
	})
}

// A client can have a limit of its own in place of the default. A class
// without a limit has the default, and never none.
//
// Holds S187.
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
				res.Fails(t, 429, "invalid_client")
				require.Equal(t, map[string]string{"other": "60"}[id] != "",
					res.Header.Get("Retry-After") == "60")
			}
		})
	}
}
