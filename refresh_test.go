package grantwell_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// A refreshed token speaks for the same user, with the same scopes and audience.
// Holds S85.
func TestRefresh_KeepsSubjectAndScope(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	first, refresh := d.family("conf")
	res := d.refresh("conf", refresh)
	require.Equal(t, 200, res.status, res.body)
	require.Equal(t, "read write", res.str("scope"))
	was, is := d.asked("conf", first).json, d.asked("conf", res.str("access_token")).json
	for _, name := range []string{"sub", "scope", "aud", "client_id", "iss"} {
		require.Equal(t, was[name], is[name], name)
	}
	require.Equal(t, "alice", is["sub"])
}

// What becomes of the refresh token that is used, by mode; a public client's is rotated in each.
// Holds S86, S87, S88, R163.
func TestRefresh_Modes(t *testing.T) {
	t.Parallel()
	t.Run("rotate", func(t *testing.T) {
		t.Parallel()
		d := newDirect(t, nil)
		_, old := d.family("conf")
		res := d.refresh("conf", old)
		require.Equal(t, 200, res.status, res.body)
		require.NotEmpty(t, res.str("refresh_token"))
		require.NotEqual(t, old, res.str("refresh_token"))
		d.refresh("conf", old).fails(t, 400, "invalid_grant")
	})
	t.Run("preserve", func(t *testing.T) {
		t.Parallel()
		d := newDirect(t, withRefresh(grants.RefreshToken{Mode: grants.Preserve}))
		_, old := d.family("conf")
		seen := map[string]bool{}
		for range 3 {
			res := d.refresh("conf", old)
			require.Equal(t, 200, res.status, res.body)
			require.Equal(t, old, res.str("refresh_token"))
			require.False(t, seen[res.str("access_token")])
			seen[res.str("access_token")] = true
		}
		require.Equal(t, 1, d.activeOf(storage.Refresh))
	})
	t.Run("preserve for a public client", func(t *testing.T) {
		t.Parallel()
		d := newDirect(t, withRefresh(grants.RefreshToken{Mode: grants.Preserve}))
		_, old := d.family("public")
		res := d.refresh("public", old)
		require.Equal(t, 200, res.status, res.body)
		require.NotEmpty(t, res.str("refresh_token"))
		require.NotEqual(t, old, res.str("refresh_token"))
		d.refresh("public", old).fails(t, 400, "invalid_grant")
		d.refresh("public", res.str("refresh_token")).fails(t, 400, "invalid_grant") // the reuse ended the family
	})
	t.Run("once", func(t *testing.T) {
		t.Parallel()
		d := newDirect(t, withRefresh(grants.RefreshToken{Mode: grants.Once}))
		_, old := d.family("conf")
		res := d.refresh("conf", old)
		require.Equal(t, 200, res.status, res.body)
		require.NotContains(t, res.json, "refresh_token")
		d.refresh("conf", old).fails(t, 400, "invalid_grant")
		require.False(t, d.live(res.str("access_token")), "the second use ends what the first one bought")
	})
}

// A rotated token that is used again ends its family, access tokens included, on every instance; a third use finds it ended still.
// Holds S89, R164, I4.
func TestRefresh_ReuseEndsFamily(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	second := newDirectOn(t, d.store, nil)
	a1, r1 := d.family("conf")
	res := d.refresh("conf", r1)
	a2, r2 := res.str("access_token"), res.str("refresh_token")
	require.True(t, d.live(a1) && d.live(a2))
	bystander, _ := d.family("conf")

	second.refresh("conf", r1).fails(t, 400, "invalid_grant")
	for _, on := range []*direct{d, second} {
		for _, token := range []string{a1, a2, r2} {
			require.False(t, on.live(token))
		}
		on.refresh("conf", r1).fails(t, 400, "invalid_grant")
		on.refresh("conf", r2).fails(t, 400, "invalid_grant")
	}
	require.True(t, d.live(bystander), "another family of the same user and client lives")
}

// parallel runs f n times at once.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// Of any number of requests at once, one wins; strictly, the others count as reuse, and the family does not fork.
// Holds S90, R165, V3, V6, I1, I11.
func TestRefresh_ParallelHasOneWinner(t *testing.T) {
	t.Parallel()
	for range 20 {
		d := newDirect(t, nil)
		_, refresh := d.family("conf")
		var won, refused atomic.Int32
		parallel(64, func(int) {
			switch res := d.refresh("conf", refresh); {
			case res.status == 200:
				won.Add(1)
			case res.status == 400 && res.str("error") == "invalid_grant":
				refused.Add(1)
			}
		})
		require.EqualValues(t, 1, won.Load())
		require.EqualValues(t, 63, refused.Load())
		require.Zero(t, d.activeOf(storage.Refresh))
		require.Zero(t, d.activeOf(storage.Access))
	}
}

// Another client's request changes nothing for the owner, not even one with a token that was spent.
// Holds S91, R160.
func TestRefresh_OtherClientChangesNothing(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	_, r1 := d.family("conf")
	d.refresh("other", r1).fails(t, 400, "invalid_grant")
	d.refresh("public", r1).fails(t, 400, "invalid_grant")
	res := d.refresh("conf", r1)
	require.Equal(t, 200, res.status, res.body)
	d.refresh("other", r1).fails(t, 400, "invalid_grant")
	require.True(t, d.live(res.str("access_token")), "only the owner's second use ends the family")
	require.Equal(t, 200, d.refresh("conf", res.str("refresh_token")).status)
}

// A confidential client authenticates, by its one method.
// Holds R159.
func TestRefresh_ClientAuthenticates(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	_, refresh := d.family("conf")
	for name, res := range map[string]reply{
		"id alone":      d.post("/token", "", "grant_type", "refresh_token", "refresh_token", refresh, "client_id", "conf"),
		"wrong secret":  d.post("/token", "conf:wrong", "grant_type", "refresh_token", "refresh_token", refresh),
		"empty secret":  d.post("/token", "conf:", "grant_type", "refresh_token", "refresh_token", refresh),
		"other method":  d.post("/token", "", "grant_type", "refresh_token", "refresh_token", refresh, "client_id", "conf", "client_secret", secret),
		"nobody at all": d.post("/token", "", "grant_type", "refresh_token", "refresh_token", refresh),
	} {
		require.Equal(t, 401, res.status, "%s: %s", name, res.body)
		require.Equal(t, "invalid_client", res.str("error"), name)
	}
	require.Equal(t, 200, d.refresh("conf", refresh).status)
}

// A refresh token that is not live is refused with one error, whatever the cause.
// Holds R162.
func TestRefresh_DeadTokensAreInvalidGrant(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	_, revoked := d.family("conf")
	require.Equal(t, 200, d.revoke("conf", revoked).status)
	_, stranger := newDirect(t, nil).family("conf")
	var bodies []string
	for name, token := range map[string]string{"unknown": stranger, "revoked": revoked, "malformed": "x", "long": strings.Repeat("a", 4000), "other alphabet": "\u00e4\u00f6"} {
		res := d.refresh("conf", token)
		require.Equal(t, 400, res.status, "%s: %s", name, res.body)
		require.Equal(t, "invalid_grant", res.str("error"), name)
		bodies = append(bodies, res.body)
	}
	require.Len(t, slices.Compact(bodies), 1, "one body for all")
	d.post("/token", conf, "grant_type", "refresh_token").fails(t, 400, "invalid_request")
}

// Narrowing is for the access token alone, widening is refused, and neither changes the grant.
// Holds S93, R161.
func TestRefresh_Scope(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	_, r1 := d.family("conf")
	res := d.refresh("conf", r1, "scope", "read")
	require.Equal(t, 200, res.status, res.body)
	require.Equal(t, "read", res.str("scope"))
	require.Equal(t, "read", d.asked("conf", res.str("access_token")).json["scope"])
	r2 := res.str("refresh_token")
	require.Equal(t, "read write", d.asked("conf", r2).json["scope"])

	d.change("conf", func(c *storage.Client) { c.Scope = append(c.Scope, "admin") })
	d.refresh("conf", r2, "scope", "read admin").fails(t, 400, "invalid_scope")
	d.refresh("conf", r2, "scope", "READ").fails(t, 400, "invalid_scope")
	res = d.refresh("conf", r2)
	require.Equal(t, 200, res.status, "a refused request spends nothing: %s", res.body)
	require.Equal(t, "read write", res.str("scope"))
}

// A family ends at its absolute limit however often it is refreshed, and a token at its idle limit, both at use and without a sweep.
// Holds S92, R169, V95, V98, I9.
func TestRefresh_Lifetimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, func(cfg *grantwell.Config) { cfg.RefreshTokenLifetime = 43200 * time.Second })
		_, refresh := d.family("conf")
		_, unused := d.family("conf")
		for range 11 {
			time.Sleep(time.Hour)
			res := d.refresh("conf", refresh)
			require.Equal(t, 200, res.status, res.body)
			refresh = res.str("refresh_token")
		}
		time.Sleep(time.Hour - time.Second)
		last := d.refresh("conf", refresh)
		require.Equal(t, 200, last.status, last.body)
		require.LessOrEqual(t, last.json["expires_in"], float64(1), "no access token outlives its family")
		time.Sleep(time.Second)
		d.refresh("conf", last.str("refresh_token")).fails(t, 400, "invalid_grant")
		d.refresh("conf", unused).fails(t, 400, "invalid_grant")
		require.False(t, d.live(last.str("access_token")))
		require.False(t, d.live(unused))
	})
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, func(cfg *grantwell.Config) {
			cfg.RefreshTokenLifetime, cfg.RefreshTokenIdle = 10*time.Hour, time.Hour
		})
		_, refresh := d.family("conf")
		_, unused := d.family("conf")
		for range 5 {
			time.Sleep(time.Hour - time.Second)
			res := d.refresh("conf", refresh)
			require.Equal(t, 200, res.status, res.body)
			refresh = res.str("refresh_token")
		}
		d.refresh("conf", unused).fails(t, 400, "invalid_grant")
		time.Sleep(time.Hour)
		d.refresh("conf", refresh).fails(t, 400, "invalid_grant")
	})
}

// A token that is kept lives by its idle time, never past the end that its family had from the start.
// Holds S87, S92.
func TestPreserve_NeverExtendsTheFamily(t *testing.T) {
	t.Parallel()
	for name, idle := range map[string]time.Duration{"idle": time.Hour, "no idle": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDirect(t, func(cfg *grantwell.Config) {
					withRefresh(grants.RefreshToken{Mode: grants.Preserve})(cfg)
					cfg.RefreshTokenLifetime, cfg.RefreshTokenIdle = 5*time.Hour, idle
				})
				end := time.Now().Add(5 * time.Hour)
				_, refresh := d.family("conf")
				for range 9 {
					time.Sleep(30 * time.Minute)
					res := d.refresh("conf", refresh)
					require.Equal(t, 200, res.status, res.body)
					recs := d.records(storage.Query{Kind: storage.Refresh})
					require.Len(t, recs, 1)
					require.False(t, recs[0].ExpiresAt.After(end))
				}
				time.Sleep(30 * time.Minute)
				d.refresh("conf", refresh).fails(t, 400, "invalid_grant")
			})
		})
	}
	t.Run("a record without a family end", func(t *testing.T) { // as an import from another server leaves it
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := newDirect(t, withRefresh(grants.RefreshToken{Mode: grants.Preserve}))
			token := mintRefresh(t)
			require.NoError(t, d.store.Insert(t.Context(), storage.Record{Kind: storage.Refresh, Key: storage.Key(token), State: storage.Active, GrantID: "imported",
				ClientID: "conf", Subject: "alice", Scope: []string{"read"}, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(2 * time.Hour)}))
			for range 3 {
				time.Sleep(30 * time.Minute)
				require.Equal(t, 200, d.refresh("conf", token).status)
			}
			time.Sleep(30 * time.Minute)
			d.refresh("conf", token).fails(t, 400, "invalid_grant")
		})
	})
}

// What a grant rests on is looked at again at each refresh. A client that is gone fails its authentication already.
// Holds S94, R167, R168, V92, V93, V94, V96.
func TestRefresh_EndsWithWhatItRestsOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(d *direct, disabled *atomic.Bool)
		status int
		code   string
	}{
		"user disabled":     {func(_ *direct, off *atomic.Bool) { off.Store(true) }, 400, "invalid_grant"},
		"consent withdrawn": {func(d *direct, _ *atomic.Bool) { _ = d.srv.RevokeConsent(context.Background(), "conf", "alice") }, 400, "invalid_grant"},
		"grant revoked": {func(d *direct, _ *atomic.Bool) {
			_ = d.srv.RevokeGrant(context.Background(), d.records(storage.Query{Kind: storage.Refresh})[0].GrantID)
		}, 400, "invalid_grant"},
		"scope taken": {func(d *direct, _ *atomic.Bool) {
			d.change("conf", func(c *storage.Client) { c.Scope = []string{"read"} })
		}, 400, "invalid_grant"},
		"client disabled": {func(d *direct, _ *atomic.Bool) {
			d.change("conf", func(c *storage.Client) { c.Disabled = true })
		}, 401, "invalid_client"},
		"client deleted": {func(d *direct, _ *atomic.Bool) { _ = d.store.DeleteClient(context.Background(), "conf") }, 401, "invalid_client"},
		"grant type withdrawn": {func(d *direct, _ *atomic.Bool) {
			d.change("conf", func(c *storage.Client) { c.GrantTypes = []string{"authorization_code"} })
		}, 400, "unauthorized_client"},
	} {
		for _, g := range []grants.RefreshToken{{}, {Mode: grants.Preserve}, {RetryWindow: time.Minute}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var disabled atomic.Bool
				d := newDirect(t, func(cfg *grantwell.Config) {
					withRefresh(g)(cfg)
					cfg.SubjectActive = func(context.Context, string) (bool, error) { return !disabled.Load(), nil }
				})
				code := d.authorize("conf", "read write", grantwell.Approval{Subject: "alice", Remember: true}).answered("code")
				r1 := d.redeem("conf", code).str("refresh_token")
				r2 := d.refresh("conf", r1).str("refresh_token")
				require.NotEmpty(t, r2)
				c.end(d, &disabled)
				d.refresh("conf", r2).fails(t, c.status, c.code)
				d.refresh("conf", r1).fails(t, c.status, c.code) // a retry, in the third mode
			})
		}
	}
}

// A client that may no longer refresh gets no refresh token with what is issued.
// Holds R167.
func TestRefresh_WithdrawnGrantTypeIssuesNone(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	code := d.code("conf")
	d.change("conf", func(c *storage.Client) { c.GrantTypes = []string{"authorization_code"} })
	res := d.redeem("conf", code)
	require.Equal(t, http.StatusOK, res.status, res.body)
	require.NotContains(t, res.json, "refresh_token")
	require.Empty(t, d.records(storage.Query{Kind: storage.Refresh}))
}

// The family's earlier access tokens live on, or end, by option.
// Holds S96.
func TestRefresh_EarlierAccessTokens(t *testing.T) {
	t.Parallel()
	for _, mode := range []grants.Mode{grants.Rotate, grants.Preserve, grants.Once} {
		for _, end := range []bool{false, true} {
			d := newDirect(t, withRefresh(grants.RefreshToken{Mode: mode, EndAccess: end}))
			access, refresh := d.family("conf")
			bystander, _ := d.family("conf")
			res := d.refresh("conf", refresh)
			require.Equal(t, 200, res.status, res.body)
			require.Equal(t, !end, d.live(access))
			require.True(t, d.live(res.str("access_token")))
			require.True(t, d.live(bystander))
		}
	}
}

// A token that is kept does not come back: a revocation at the same moment wins.
// Holds R227, I5, F10.
func TestPreserve_RevocationWins(t *testing.T) {
	t.Parallel()
	d := newDirect(t, withRefresh(grants.RefreshToken{Mode: grants.Preserve}))
	for range 60 {
		_, refresh := d.family("conf")
		parallel(5, func(i int) {
			if i == 0 {
				d.revoke("conf", refresh)
			} else {
				d.refresh("conf", refresh)
			}
		})
		d.refresh("conf", refresh).fails(t, 400, "invalid_grant")
		require.False(t, d.live(refresh))
	}
	require.Zero(t, d.activeOf(storage.Refresh))
	require.Zero(t, d.activeOf(storage.Access))
}
