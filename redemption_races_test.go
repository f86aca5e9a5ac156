package grantwell_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

var redemptions = flag.Int("redemptions", 300,
	"how many codes and refresh tokens TestContention redeems, each 4 times at once")

// Codes and refresh tokens, each offered several times at once, are each
// redeemed once.
//
// Holds: RFC 6749 section 4.1.2; house: one succession; house: one winner;
// house: one write; house: race free; house: used once.
func TestRedemption_ConcurrentUsesHaveOneWinner(t *testing.T) {
	t.Parallel()
	const attempts = 4
	var doubles, orphans, won int
	total := *redemptions
	for done := 0; done < total; {
		d := servertest.New(t, nil) // new stores keep the memory of a long run small
		for range min(total-done, 5000) {
			code := d.Code("conf")
			kinds := []func() servertest.Reply{func() servertest.Reply {
				return d.Redeem("conf", code)
			}}
			if done%2 == 1 {
				_, token := d.Family("conf")
				kinds[0] = func() servertest.Reply { return d.Refresh("conf", token) }
			}
			var successes atomic.Int32
			servertest.Parallel(attempts, func(int) {
				if kinds[0]().Status == 200 {
					successes.Add(1)
				}
			})
			switch successes.Load() {
			case 0:
				orphans++
			case 1:
				won++
			default:
				doubles++
			}
			done++
		}
		require.Zero(t, d.ActiveOf(storage.Refresh), "a second use ended each family")
	}
	t.Logf("%d single-use objects, %d attempts: %d redeemed once, %d more than once, %d never",
		total, total*attempts, won, doubles, orphans)
	require.Zero(t, doubles)
	require.Zero(t, orphans)
	require.Equal(t, total, won)
}

// Refreshes race on two instances with the end of the family. Once the end was
// answered, no token of the family is live at either instance, and no family
// ever has two live refresh tokens.
//
// Holds: RFC 7009 section 2.1; RFC 9700 section 4.14.2;
// house: deleted authorization; house: fault of a revocation race;
// house: fault of late reuse; house: one state; house: one succession;
// house: race free; house: reuse is remembered; house: revocation has no gap.
func TestFamily_NothingOutlivesItsEnd(t *testing.T) {
	t.Parallel()
	ends := map[string]func(d *servertest.Server, spent, live string, off *atomic.Bool) bool{
		"revoke the live token": func(d *servertest.Server, _, live string, _ *atomic.Bool) bool {
			return d.Revoke("conf", live).Status == 200
		},
		"revoke the spent token": func(d *servertest.Server, spent, _ string, _ *atomic.Bool) bool {
			return d.Revoke("conf", spent).Status == 200
		},
		"reuse": func(d *servertest.Server, spent, _ string, _ *atomic.Bool) bool {
			return d.Refresh("conf", spent).Status == 400
		},
		"disable the user": func(_ *servertest.Server, _, _ string, off *atomic.Bool) bool {
			off.Store(true)
			return true
		},
		"withdraw the consent": func(d *servertest.Server, _, _ string, _ *atomic.Bool) bool {
			return d.AS.RevokeConsent(context.Background(), "conf", "alice") == nil
		},
	}
	for name, end := range ends {
		for _, g := range []grants.RefreshToken{
			{Strict: true},
			{Mode: grants.Preserve},
			{EndAccess: true},
		} {
			if (name == "reuse" || name == "revoke the spent token") && g.Mode == grants.Preserve ||
				name == "reuse" && !g.Strict {
				continue // no token is spent, or the reuse is a retry
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for range 12 {
					raceFamily(t, g, end)
				}
			})
		}
	}
}

// raceFamily runs one race of refreshes against an end of the family.
func raceFamily(
	t *testing.T, g grants.RefreshToken, end func(*servertest.Server, string, string, *atomic.Bool) bool,
) {
	var off atomic.Bool
	config := func(cfg *grantwell.Config) {
		servertest.WithRefresh(g)(cfg)
		cfg.SubjectActive = func(context.Context, string) (bool, error) { return !off.Load(), nil }
	}
	d := servertest.New(t, config)
	nodes := []*servertest.Server{d, servertest.On(t, d.Store, config)}
	first := d.Redeem("conf", d.Authorize(grantwell.Approval{
		Subject:  "alice",
		Remember: true,
	}).Param("code"))
	spent := first.String("refresh_token")
	second := d.Refresh("conf", spent)
	live := second.String("refresh_token")

	var mu sync.Mutex
	issued := []string{first.String("access_token"), second.String("access_token"), live, spent}
	servertest.Parallel(7, func(i int) {
		on := nodes[i%2]
		if i == 0 {
			for range rand.IntN(50) {
				on.Get("/nowhere") // takes a random time
			}
			if !end(on, spent, live, &off) {
				t.Error("the end was refused")
			}
			return
		}
		token := live
		for range 3 {
			res := on.Refresh("conf", token)
			if res.Status != 200 {
				return
			}
			mu.Lock()
			issued = append(issued, res.String("access_token"), res.String("refresh_token"))
			mu.Unlock()
			token = res.String("refresh_token")
		}
	})
	for _, on := range nodes {
		for _, token := range issued {
			require.False(t, on.Live(token))
			require.NotEqual(t, 200, on.Refresh("conf", token).Status)
			own, err := on.AS.Introspect(t.Context(), token)
			require.NoError(t, err)
			require.False(t, own.Active)
		}
	}
	require.LessOrEqual(t, d.ActiveOf(storage.Refresh), 1, "the family never forked")
}

// Random requests run against the server and against a model of a family.
// After each request the server says of every token what the model says.
//
// Holds: RFC 6819 section 5.2.2.3; RFC 7009 section 2.1; RFC 9700 section 2.2.2;
// house: one state; house: reuse is remembered; house: revocation has no gap.
func TestFamily_BehavesAsTheModel(t *testing.T) {
	t.Parallel()
	type token struct {
		text          string
		refresh, dead bool
		spent         bool
	}
	for range 30 {
		d := servertest.New(t, nil)
		access, refresh := d.Family("conf")
		model := []*token{{text: access}, {text: refresh, refresh: true}}
		endAll := func() {
			for _, m := range model {
				m.dead = true
			}
		}
		for range 12 {
			m := model[rand.IntN(len(model))]
			switch rand.IntN(3) {
			case 0:
				res := d.Refresh("conf", m.text)
				switch {
				case !m.refresh || m.dead:
					require.Equal(t, 400, res.Status)
				case m.spent:
					require.Equal(t, 400, res.Status)
					endAll()
				default:
					require.Equal(t, 200, res.Status, res.Body)
					m.spent = true
					model = append(model, &token{text: res.String("access_token")}, &token{
						text:    res.String("refresh_token"),
						refresh: true,
					})
				}
			case 1:
				if rand.IntN(4) > 0 {
					continue
				}
				require.Equal(t, 200, d.Revoke("conf", m.text).Status)
				if m.refresh {
					endAll()
				}
				m.dead = true
			case 2:
				require.NotEqual(t, 200, d.Refresh("other", m.text).Status)
				require.Equal(t, 400, d.Revoke("other", m.text).Status)
			}
			for _, m := range model {
				require.Equal(t, !m.dead && !m.spent, d.Live(m.text))
			}
		}
	}
}

// Without any sweep no expired token is accepted, and with constant sweeps no
// live token is lost.
//
// Holds: RFC 6749 section 4.1.2; house: expiry at use; house: fault of sweeping.
func TestFamily_SweepingChangesNoAnswer(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	var sweeping sync.WaitGroup
	sweeping.Go(func() {
		for ctx.Err() == nil {
			_, _ = d.Store.(storage.Sweeper).Sweep(ctx, time.Now(), 1000)
		}
	})
	for range 60 {
		a1, r1 := d.Family("conf")
		res := d.Refresh("conf", r1)
		require.Equal(t, 200, res.Status, res.Body)
		require.True(t, d.Live(a1) && d.Live(res.String("access_token")) &&
			d.Live(res.String("refresh_token")))
		d.Refresh("conf", r1).Fails(t, 400, "invalid_grant")
		require.False(t, d.Live(a1), "reuse is recognised after a sweep")
	}
	stop()
	sweeping.Wait()
}
