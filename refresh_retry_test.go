package grantwell_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
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

// Every retry within the window gets the same tokens, and there is one live
// refresh token, however many requests come at once.
//
// Holds: RFC 6819 section 5.2.2.3; house: one succession; house: one winner;
// house: used once.
func TestRetry_SameSuccessorForAll(t *testing.T) {
	t.Parallel()
	for range 20 {
		d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{}))
		_, refresh := d.Family("conf")
		var mu sync.Mutex
		got := map[string]int{}
		servertest.Parallel(50, func(int) {
			res := d.Refresh("conf", refresh)
			mu.Lock()
			defer mu.Unlock()
			got[res.String("access_token")+" "+res.String("refresh_token")]++
		})
		require.Len(t, got, 1, "one succession")
		for pair, n := range got {
			require.Equal(t, 50, n)
			access, successor, _ := strings.Cut(pair, " ")
			require.True(t, d.Live(access))
			require.Equal(t, 200, d.Refresh("conf", successor).Status)
		}
		require.Equal(t, 1, d.ActiveOf(storage.Refresh))
	}
}

// The window begins with the first use, and no retry prolongs it. A later use
// is reuse. The lifetime in the answer counts down.
//
// Holds: RFC 6819 section 5.2.2.3; house: retry window.
func TestRetry_WindowIsNotRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{RetryWindow: 10 * time.Second}))
		_, refresh := d.Family("conf")
		first := d.Refresh("conf", refresh)
		for i := range 3 {
			time.Sleep(3 * time.Second)
			again := d.Refresh("conf", refresh)
			first.SameTokens(t, again)
			require.EqualValues(t, 3600-3*(i+1), again.JSON["expires_in"])
		}
		time.Sleep(time.Second)
		d.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")
		require.False(t, d.Live(first.String("access_token")))
		d.Refresh("conf", first.String("refresh_token")).Fails(t, 400, "invalid_grant")
	})
}

// The number of retries is bounded, also for concurrent requests.
//
// Holds: house: retry window.
func TestRetry_CountIsBounded(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{MaxRetries: 3}))
	_, refresh := d.Family("conf")
	first := d.Refresh("conf", refresh)
	for range 3 {
		first.SameTokens(t, d.Refresh("conf", refresh))
	}
	d.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")
	require.False(t, d.Live(first.String("access_token")))

	_, refresh = d.Family("conf")
	var granted atomic.Int32
	servertest.Parallel(40, func(int) {
		if d.Refresh("conf", refresh).Status == 200 {
			granted.Add(1)
		}
	})
	require.EqualValues(t, 4, granted.Load(), "one use and three retries")
	require.Zero(t, d.ActiveOf(storage.Refresh))
}

// A retry that asks for another scope or resource is refused for its parameters. It
// ends nothing: the honest retry after it gets its answer (RFC 6749 section 5.2).
func TestRetry_OtherParametersEndNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ parameter, value, code string }{
		"narrower scope":       {"scope", "read", "invalid_grant"},
		"wider scope":          {"scope", "read write admin", "invalid_grant"},
		"unregistered":         {"resource", "https://api.example", "invalid_target"},
		"malformed":            {"resource", "api#x", "invalid_target"},
		"audience as resource": {"audience", "https://api.example", "invalid_target"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{}))
			access, old := d.Family("conf")
			first := d.Refresh("conf", old)
			d.Refresh("conf", old, tt.parameter, tt.value).Fails(t, 400, tt.code)
			require.True(t, d.Live(access))
			require.True(t, d.Live(first.String("access_token")))
			require.Equal(t, first.String("refresh_token"), d.Refresh("conf", old).String("refresh_token"))
		})
	}
}

// Only the same request of the same client, before the successor was used, is
// a retry. A second use after that is reuse.
//
// Holds: RFC 6819 section 5.2.2.3; house: retry window.
func TestRetry_OnlyTheSameRequest(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(t *testing.T, d *servertest.Server, old, successor string) servertest.Reply{
		"successor used": func(t *testing.T, d *servertest.Server, old, successor string) servertest.Reply {
			require.Equal(t, 200, d.Refresh("conf", successor).Status)
			return d.Refresh("conf", old)
		},
		"successor used, and another scope": func(t *testing.T, d *servertest.Server, old, successor string) servertest.Reply {
			require.Equal(t, 200, d.Refresh("conf", successor).Status)
			return d.Refresh("conf", old, "scope", "read")
		},
		"successor revoked": func(t *testing.T, d *servertest.Server, old, successor string) servertest.Reply {
			require.Equal(t, 200, d.Revoke("conf", successor).Status)
			return d.Refresh("conf", old)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{}))
			access, old := d.Family("conf")
			res := d.Refresh("conf", old)
			again(t, d, old, res.String("refresh_token")).Fails(t, 400, "invalid_grant")
			require.False(t, d.Live(access))
			require.False(t, d.Live(res.String("access_token")))
			require.Zero(t, d.ActiveOf(storage.Refresh))
		})
	}
	t.Run("another client", func(t *testing.T) {
		t.Parallel()
		d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{}))
		_, old := d.Family("conf")
		res := d.Refresh("conf", old)
		d.Refresh("other", old).Fails(t, 400, "invalid_grant")
		res.SameTokens(t, d.Refresh("conf", old)) // nothing changed for the owner
	})
	t.Run("an expired successor", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := servertest.New(t, func(cfg *grantwell.Config) {
				servertest.WithRefresh(grants.RefreshToken{})(cfg)
				cfg.RefreshTokenIdle = 10 * time.Second
			})
			_, old := d.Family("conf")
			require.Equal(t, 200, d.Refresh("conf", old).Status)
			time.Sleep(11 * time.Second)
			d.Sweep()
			d.Refresh("conf", old).Fails(t, 400, "invalid_grant")
		})
	})
}

// Mode Once has retries too: they get the same access token.
//
// Holds: RFC 6749 section 6; house: retry window.
func TestRetry_WorksInModeOnce(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{Mode: grants.Once}))
	_, old := d.Family("conf")
	res := d.Refresh("conf", old)
	require.NotContains(t, res.JSON, "refresh_token")
	res.SameTokens(t, d.Refresh("conf", old))
	require.Equal(t, 2, d.ActiveOf(storage.Access))
}

// A retry is refused once the user of the grant has been disabled.
//
// Holds: house: subject still there.
func TestRetry_EndsWithTheUser(t *testing.T) {
	t.Parallel()
	var disabled atomic.Bool
	d := servertest.New(t, func(cfg *grantwell.Config) {
		servertest.WithRefresh(grants.RefreshToken{})(cfg)
		cfg.SubjectActive = func(context.Context, string) (bool, error) {
			return !disabled.Load(), nil
		}
	})
	_, old := d.Family("conf")
	require.Equal(t, 200, d.Refresh("conf", old).Status)
	disabled.Store(true)
	d.Refresh("conf", old).Fails(t, 400, "invalid_grant")
}

// The answer that the store keeps for a retry is sealed: it opens only with
// the token that was presented, and only in its own record.
//
// Holds: RFC 6749 section 10.10.
func TestRetry_StoredAnswerNeedsTheToken(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{}))
	_, one := d.Family("conf")
	_, two := d.Family("conf")
	r1, r2 := d.Refresh("conf", one), d.Refresh("conf", two)
	get := func(token string) (storage.Record, map[string]any) {
		rec, err := d.Store.Get(t.Context(), storage.Refresh, storage.Key(token))
		require.NoError(t, err)
		var data map[string]any
		require.NoError(t, json.Unmarshal(rec.Data, &data))
		return rec, data
	}
	rec1, data1 := get(one)
	_, data2 := get(two)
	require.NotEmpty(t, data1["retry"])
	require.NotEqual(t, data1["retry"], data2["retry"])
	for _, res := range []servertest.Reply{r1, r2} {
		require.NotContains(t, string(rec1.Data), res.String("access_token"))
		require.NotContains(t, string(rec1.Data), res.String("refresh_token"))
	}
	// A writer to the store moves the answer of another family here. It does not
	// open.
	data1["retry"] = data2["retry"]
	moved, err := json.Marshal(data1)
	require.NoError(t, err)
	rec1.Data = moved
	require.NoError(t, d.Store.Advance(t.Context(), storage.Spent, rec1))
	res := d.Refresh("conf", one)
	require.GreaterOrEqual(t, res.Status, 500)
	require.NotContains(t, res.Body, r2.String("access_token"))
	require.NotContains(t, res.Body, "cipher")
}

// The window of a client wins over that of the grant, and no window opens where the
// grant is strict (RFC 9700 section 4.14.2).
func TestRetry_ClientHasItsOwnWindow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		grant  grants.RefreshToken
		client time.Duration
		after  time.Duration
		want   int
	}{
		"default, within":       {grants.RefreshToken{}, 0, 59 * time.Second, 200},
		"default, after":        {grants.RefreshToken{}, 0, 60 * time.Second, 400},
		"client's, within":      {grants.RefreshToken{}, 2 * time.Minute, 119 * time.Second, 200},
		"client's, after":       {grants.RefreshToken{}, 10 * time.Second, 10 * time.Second, 400},
		"strict over client's":  {grants.RefreshToken{Strict: true}, time.Minute, time.Second, 400},
		"client's over grant's": {grants.RefreshToken{RetryWindow: time.Second}, time.Minute, 30 * time.Second, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := servertest.New(t, servertest.WithRefresh(tt.grant))
				d.ChangeClient("conf", func(c *storage.Client) { c.RefreshRetryWindow = tt.client })
				_, refresh := d.Family("conf")
				first := d.Refresh("conf", refresh)
				require.Equal(t, 200, first.Status, first.Body)
				time.Sleep(tt.after)
				again := d.Refresh("conf", refresh)
				require.Equal(t, tt.want, again.Status, again.Body)
				if tt.want == 200 {
					require.Equal(t, first.String("refresh_token"), again.String("refresh_token"))
				} else {
					require.False(t, d.Live(first.String("access_token")), "the second use ends the family")
				}
			})
		})
	}
}
