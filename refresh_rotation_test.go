package grantwell_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// A refreshed token has the same user, scopes and audience.
//
// Holds: RFC 6749 section 6.
func TestRefresh_KeepsSubjectAndScope(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	first, refresh := d.Family("conf")
	res := d.Refresh("conf", refresh)
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, "read write", res.String("scope"))
	was := d.Introspect("conf", first).JSON
	is := d.Introspect("conf", res.String("access_token")).JSON
	for _, name := range []string{"sub", "scope", "aud", "client_id", "iss"} {
		require.Equal(t, was[name], is[name], name)
	}
	require.Equal(t, "alice", is["sub"])
}

// The mode decides what becomes of a refresh token that was used. A public
// client's token is rotated in every mode.
//
// Holds: RFC 6749 section 6; RFC 9700 section 2.2.2.
func TestRefresh_ModeDecidesOnTheUsedToken(t *testing.T) {
	t.Parallel()
	t.Run("rotate", func(t *testing.T) {
		t.Parallel()
		d := servertest.New(t, nil)
		_, old := d.Family("conf")
		res := d.Refresh("conf", old)
		require.Equal(t, 200, res.Status, res.Body)
		require.NotEmpty(t, res.String("refresh_token"))
		require.NotEqual(t, old, res.String("refresh_token"))
		d.Refresh("conf", old).Fails(t, 400, "invalid_grant")
	})
	t.Run("preserve", func(t *testing.T) {
		t.Parallel()
		d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{Mode: grants.Preserve}))
		_, old := d.Family("conf")
		seen := map[string]bool{}
		for range 3 {
			res := d.Refresh("conf", old)
			require.Equal(t, 200, res.Status, res.Body)
			require.Equal(t, old, res.String("refresh_token"))
			require.False(t, seen[res.String("access_token")])
			seen[res.String("access_token")] = true
		}
		require.Equal(t, 1, d.ActiveOf(storage.Refresh))
	})
	t.Run("preserve for a public client", func(t *testing.T) {
		t.Parallel()
		d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{Mode: grants.Preserve, Strict: true}))
		_, old := d.Family("public")
		res := d.Refresh("public", old)
		require.Equal(t, 200, res.Status, res.Body)
		require.NotEmpty(t, res.String("refresh_token"))
		require.NotEqual(t, old, res.String("refresh_token"))
		d.Refresh("public", old).Fails(t, 400, "invalid_grant")
		d.Refresh("public", res.String("refresh_token")).Fails(t, 400,
			"invalid_grant") // the reuse ended the family
	})
	t.Run("once", func(t *testing.T) {
		t.Parallel()
		d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{Mode: grants.Once, Strict: true}))
		_, old := d.Family("conf")
		res := d.Refresh("conf", old)
		require.Equal(t, 200, res.Status, res.Body)
		require.NotContains(t, res.JSON, "refresh_token")
		d.Refresh("conf", old).Fails(t, 400, "invalid_grant")
		require.False(t, d.Live(res.String("access_token")),
			"the second use ends the tokens of the first one")
	})
}

// A rotated token that is used again ends its family, access tokens included,
// on every instance. A third use is refused too.
//
// Holds: RFC 6819 section 5.2.2.3; house: reuse is remembered.
func TestRefresh_ReuseEndsFamily(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	second := servertest.On(t, d.Store, nil)
	a1, r1 := d.Family("conf")
	res := d.Refresh("conf", r1)
	a2, r2 := res.String("access_token"), res.String("refresh_token")
	require.True(t, d.Live(a1) && d.Live(a2))
	bystander, _ := d.Family("conf")

	second.Refresh("conf", r1).Fails(t, 400, "invalid_grant")
	for _, on := range []*servertest.Server{d, second} {
		for _, token := range []string{a1, a2, r2} {
			require.False(t, on.Live(token))
		}
		on.Refresh("conf", r1).Fails(t, 400, "invalid_grant")
		on.Refresh("conf", r2).Fails(t, 400, "invalid_grant")
	}
	require.True(t, d.Live(bystander), "another family of the same user and client lives")
}

// Of any number of concurrent requests one succeeds. Without a retry window
// the others count as reuse, and the family does not fork.
//
// Holds: house: one succession; house: one winner; house: used once.
func TestRefresh_ConcurrentUsesHaveOneWinner(t *testing.T) {
	t.Parallel()
	for range 20 {
		d := servertest.New(t, nil)
		_, refresh := d.Family("conf")
		var won, refused atomic.Int32
		servertest.Parallel(64, func(int) {
			switch res := d.Refresh("conf", refresh); {
			case res.Status == 200:
				won.Add(1)
			case res.Status == 400 && res.String("error") == "invalid_grant":
				refused.Add(1)
			}
		})
		require.EqualValues(t, 1, won.Load())
		require.EqualValues(t, 63, refused.Load())
		require.Zero(t, d.ActiveOf(storage.Refresh))
		require.Zero(t, d.ActiveOf(storage.Access))
	}
}

// Another client's request changes nothing for the owner, also if it presents
// a spent token.
//
// Holds: RFC 6749 section 6.
func TestRefresh_OtherClientChangesNothing(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	_, r1 := d.Family("conf")
	d.Refresh("other", r1).Fails(t, 400, "invalid_grant")
	d.Refresh("public", r1).Fails(t, 400, "invalid_grant")
	res := d.Refresh("conf", r1)
	require.Equal(t, 200, res.Status, res.Body)
	d.Refresh("other", r1).Fails(t, 400, "invalid_grant")
	require.True(t, d.Live(res.String("access_token")),
		"only the owner's second use ends the family")
	require.Equal(t, 200, d.Refresh("conf", res.String("refresh_token")).Status)
}

// A confidential client must authenticate, by its one method.
//
// Holds: RFC 6749 section 6.
func TestRefresh_ClientAuthenticates(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	_, refresh := d.Family("conf")
	for name, res := range map[string]servertest.Reply{
		"id alone": d.Post("/token", "", "grant_type", "refresh_token",
			"refresh_token", refresh, "client_id", "conf"),
		"wrong secret": d.Post("/token", "conf:wrong", "grant_type", "refresh_token",
			"refresh_token", refresh),
		"empty secret": d.Post("/token", "conf:", "grant_type", "refresh_token",
			"refresh_token", refresh),
		"other method": d.Post("/token", "", "grant_type", "refresh_token",
			"refresh_token", refresh, "client_id", "conf", "client_secret", servertest.Secret),
		"no client": d.Post("/token", "", "grant_type", "refresh_token",
			"refresh_token", refresh),
	} {
		require.Equal(t, 401, res.Status, "%s: %s", name, res.Body)
		require.Equal(t, "invalid_client", res.String("error"), name)
	}
	require.Equal(t, 200, d.Refresh("conf", refresh).Status)
}

// A refresh token that is not live is refused with one error, whatever the
// cause.
//
// Holds: RFC 6749 section 5.2.
func TestRefresh_DeadTokensAreInvalidGrant(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	_, revoked := d.Family("conf")
	require.Equal(t, 200, d.Revoke("conf", revoked).Status)
	_, stranger := servertest.New(t, nil).Family("conf")
	var bodies []string
	for name, token := range map[string]string{
		"unknown":        stranger,
		"revoked":        revoked,
		"malformed":      "x",
		"long":           strings.Repeat("a", 4000),
		"other alphabet": "\u00e4\u00f6",
	} {
		res := d.Refresh("conf", token)
		require.Equal(t, 400, res.Status, "%s: %s", name, res.Body)
		require.Equal(t, "invalid_grant", res.String("error"), name)
		bodies = append(bodies, res.Body)
	}
	require.Len(t, slices.Compact(bodies), 1, "one body for all")
	d.Post("/token", servertest.Conf, "grant_type", "refresh_token").Fails(t, 400,
		"invalid_request")
}

// A narrower scope applies to the access token alone, a wider one is refused,
// and neither changes the grant.
//
// Holds: RFC 6749 section 6.
func TestRefresh_ScopeNarrowsOnly(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	_, r1 := d.Family("conf")
	res := d.Refresh("conf", r1, "scope", "read")
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, "read", res.String("scope"))
	require.Equal(t, "read", d.Introspect("conf", res.String("access_token")).JSON["scope"])
	r2 := res.String("refresh_token")
	require.Equal(t, "read write", d.Introspect("conf", r2).JSON["scope"])

	d.ChangeClient("conf", func(c *storage.Client) { c.Scope = append(c.Scope, "admin") })
	d.Refresh("conf", r2, "scope", "read admin").Fails(t, 400, "invalid_scope")
	d.Refresh("conf", r2, "scope", "READ").Fails(t, 400, "invalid_scope")
	res = d.Refresh("conf", r2)
	require.Equal(t, 200, res.Status, "a refused request spends nothing: %s", res.Body)
	require.Equal(t, "read write", res.String("scope"))
}

// A family ends at its absolute limit however often it is refreshed, and a
// token at its idle limit. Both hold at use, without a sweep.
//
// Holds: RFC 6749 section 4.1.2; RFC 9700 section 4.14.2; house: expiry at use;
// house: numeric lifetimes.
func TestRefresh_AbsoluteAndIdleLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, func(cfg *grantwell.Config) {
			cfg.RefreshTokenLifetime = 43200 * time.Second
		})
		_, refresh := d.Family("conf")
		_, unused := d.Family("conf")
		for range 11 {
			time.Sleep(time.Hour)
			res := d.Refresh("conf", refresh)
			require.Equal(t, 200, res.Status, res.Body)
			refresh = res.String("refresh_token")
		}
		time.Sleep(time.Hour - time.Second)
		last := d.Refresh("conf", refresh)
		require.Equal(t, 200, last.Status, last.Body)
		require.LessOrEqual(t, last.JSON["expires_in"], float64(1),
			"no access token outlives its family")
		time.Sleep(time.Second)
		d.Refresh("conf", last.String("refresh_token")).Fails(t, 400, "invalid_grant")
		d.Refresh("conf", unused).Fails(t, 400, "invalid_grant")
		require.False(t, d.Live(last.String("access_token")))
		require.False(t, d.Live(unused))
	})
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, func(cfg *grantwell.Config) {
			cfg.RefreshTokenLifetime, cfg.RefreshTokenIdle = 10*time.Hour, time.Hour
		})
		_, refresh := d.Family("conf")
		_, unused := d.Family("conf")
		for range 5 {
			time.Sleep(time.Hour - time.Second)
			res := d.Refresh("conf", refresh)
			require.Equal(t, 200, res.Status, res.Body)
			refresh = res.String("refresh_token")
		}
		d.Refresh("conf", unused).Fails(t, 400, "invalid_grant")
		time.Sleep(time.Hour)
		d.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")
	})
}

// A token that is not rotated lives by its idle time, and never past the end
// that its family had from the start.
//
// Holds: RFC 6749 section 6; RFC 9700 section 4.14.2.
func TestPreserve_NeverExtendsTheFamily(t *testing.T) {
	t.Parallel()
	for name, idle := range map[string]time.Duration{"idle": time.Hour, "no idle": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := servertest.New(t, func(cfg *grantwell.Config) {
					servertest.WithRefresh(grants.RefreshToken{Mode: grants.Preserve})(cfg)
					cfg.RefreshTokenLifetime, cfg.RefreshTokenIdle = 5*time.Hour, idle
				})
				end := time.Now().Add(5 * time.Hour)
				_, refresh := d.Family("conf")
				for range 9 {
					time.Sleep(30 * time.Minute)
					res := d.Refresh("conf", refresh)
					require.Equal(t, 200, res.Status, res.Body)
					recs := d.Records(storage.Query{Kind: storage.Refresh})
					require.Len(t, recs, 1)
					require.False(t, recs[0].ExpiresAt.After(end))
				}
				time.Sleep(30 * time.Minute)
				d.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")
			})
		})
	}
	t.Run("a record without a family end",
		func(t *testing.T) { // as an import from another server stores it
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := servertest.New(t,
					servertest.WithRefresh(grants.RefreshToken{Mode: grants.Preserve}))
				token := servertest.UnknownToken(t)
				require.NoError(t, d.Store.Insert(t.Context(), storage.Record{
					Kind:      storage.Refresh,
					Key:       storage.Key(token),
					State:     storage.Active,
					GrantID:   "imported",
					ClientID:  "conf",
					Subject:   "alice",
					Scope:     []string{"read"},
					IssuedAt:  time.Now(),
					ExpiresAt: time.Now().Add(2 * time.Hour),
				}))
				for range 3 {
					time.Sleep(30 * time.Minute)
					require.Equal(t, 200, d.Refresh("conf", token).Status)
				}
				time.Sleep(30 * time.Minute)
				d.Refresh("conf", token).Fails(t, 400, "invalid_grant")
			})
		})
}

// Each refresh checks again what the grant rests on. A client that is gone
// fails its authentication before.
//
// Holds: RFC 6749 section 5.2; house: subject still there; house: withdrawn grant.
func TestRefresh_EndsWithWhatItRestsOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(d *servertest.Server, disabled *atomic.Bool)
		status int
		code   string
	}{
		"user disabled": {func(_ *servertest.Server, off *atomic.Bool) {
			off.Store(true)
		}, 400, "invalid_grant"},
		"consent withdrawn": {func(d *servertest.Server, _ *atomic.Bool) {
			_ = d.AS.RevokeConsent(context.Background(), "conf", "alice")
		}, 400, "invalid_grant"},
		"grant revoked": {func(d *servertest.Server, _ *atomic.Bool) {
			_ = d.AS.RevokeGrant(context.Background(),
				d.Records(storage.Query{Kind: storage.Refresh})[0].GrantID)
		}, 400, "invalid_grant"},
		"scope taken": {func(d *servertest.Server, _ *atomic.Bool) {
			d.ChangeClient("conf", func(c *storage.Client) { c.Scope = []string{"read"} })
		}, 400, "invalid_grant"},
		"client disabled": {func(d *servertest.Server, _ *atomic.Bool) {
			d.ChangeClient("conf", func(c *storage.Client) { c.Disabled = true })
		}, 401, "invalid_client"},
		"client deleted": {func(d *servertest.Server, _ *atomic.Bool) {
			_ = d.Store.DeleteClient(context.Background(), "conf")
		}, 401, "invalid_client"},
		"grant type withdrawn": {func(d *servertest.Server, _ *atomic.Bool) {
			d.ChangeClient("conf", func(c *storage.Client) {
				c.GrantTypes = []string{"authorization_code"}
			})
		}, 400, "unauthorized_client"},
	} {
		for _, g := range []grants.RefreshToken{
			{},
			{Mode: grants.Preserve},
			{RetryWindow: time.Minute},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var disabled atomic.Bool
				d := servertest.New(t, func(cfg *grantwell.Config) {
					servertest.WithRefresh(g)(cfg)
					cfg.SubjectActive = func(context.Context, string) (bool, error) {
						return !disabled.Load(), nil
					}
				})
				code := d.Authorize(grantwell.Approval{
					Subject:  "alice",
					Remember: true,
				}).Param("code")
				r1 := d.Redeem("conf", code).String("refresh_token")
				r2 := d.Refresh("conf", r1).String("refresh_token")
				require.NotEmpty(t, r2)
				c.end(d, &disabled)
				d.Refresh("conf", r2).Fails(t, c.status, c.code)
				d.Refresh("conf", r1).Fails(t, c.status, c.code) // a retry in the third mode
			})
		}
	}
}

// A client that may no longer refresh gets no refresh token.
//
// Holds: house: withdrawn grant.
func TestRefresh_WithdrawnGrantTypeIssuesNone(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	code := d.Code("conf")
	d.ChangeClient("conf", func(c *storage.Client) {
		c.GrantTypes = []string{"authorization_code"}
	})
	res := d.Redeem("conf", code)
	require.Equal(t, http.StatusOK, res.Status, res.Body)
	require.NotContains(t, res.JSON, "refresh_token")
	require.Empty(t, d.Records(storage.Query{Kind: storage.Refresh}))
}

// Earlier access tokens of the family live on by default, and end at a refresh
// with EndAccess.
//
// Holds: house: refresh and older tokens.
func TestRefresh_EndAccessEndsEarlierTokens(t *testing.T) {
	t.Parallel()
	for _, mode := range []grants.Mode{grants.Rotate, grants.Preserve, grants.Once} {
		for _, end := range []bool{false, true} {
			d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{
				Mode:      mode,
				EndAccess: end,
			}))
			access, refresh := d.Family("conf")
			bystander, _ := d.Family("conf")
			res := d.Refresh("conf", refresh)
			require.Equal(t, 200, res.Status, res.Body)
			require.Equal(t, !end, d.Live(access))
			require.True(t, d.Live(res.String("access_token")))
			require.True(t, d.Live(bystander))
		}
	}
}

// A token that is not rotated does not come back: a concurrent revocation
// wins.
//
// Holds: RFC 9700 section 4.14.2; house: fault of a revocation race;
// house: revocation has no gap.
func TestPreserve_RevocationWins(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{Mode: grants.Preserve}))
	for range 60 {
		_, refresh := d.Family("conf")
		servertest.Parallel(5, func(i int) {
			if i == 0 {
				d.Revoke("conf", refresh)
			} else {
				d.Refresh("conf", refresh)
			}
		})
		d.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")
		require.False(t, d.Live(refresh))
	}
	require.Zero(t, d.ActiveOf(storage.Refresh))
	require.Zero(t, d.ActiveOf(storage.Access))
}
