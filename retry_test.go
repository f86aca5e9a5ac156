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
	"github.com/grantwell/grantwell/storage"
)

func retrying(g grants.RefreshToken) func(*grantwell.Config) {
	if g.RetryWindow == 0 {
		g.RetryWindow = time.Minute
	}
	return withRefresh(g)
}

// sameTokens asserts that another answer carries the same tokens; their remaining lifetime may differ.
func (r reply) sameTokens(t *testing.T, again reply) {
	t.Helper()
	require.Equal(t, 200, again.status, again.body)
	for _, name := range []string{"access_token", "refresh_token", "token_type", "scope"} {
		require.Equal(t, r.str(name), again.str(name), name)
	}
}

// Whoever asks again within the window gets the same bytes, and there is one live refresh token, whatever the number of requests at once.
// Holds S89, S90, R165, V3, V6, I1, I11.
func TestRetry_SameSuccessorForAll(t *testing.T) {
	t.Parallel()
	for range 20 {
		d := newDirect(t, retrying(grants.RefreshToken{}))
		_, refresh := d.family("conf")
		var mu sync.Mutex
		got := map[string]int{}
		parallel(50, func(int) {
			res := d.refresh("conf", refresh)
			mu.Lock()
			defer mu.Unlock()
			got[res.str("access_token")+" "+res.str("refresh_token")]++
		})
		require.Len(t, got, 1, "one succession")
		for pair, n := range got {
			require.Equal(t, 50, n)
			access, successor, _ := strings.Cut(pair, " ")
			require.True(t, d.live(access))
			require.Equal(t, 200, d.refresh("conf", successor).status)
		}
		require.Equal(t, 1, d.activeOf(storage.Refresh))
	}
}

// The window begins with the first use, and no retry prolongs it. What comes later is reuse. The answer's lifetime counts down.
// Holds S89, R166.
func TestRetry_WindowIsNotRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, retrying(grants.RefreshToken{RetryWindow: 10 * time.Second}))
		_, refresh := d.family("conf")
		first := d.refresh("conf", refresh)
		for i := range 3 {
			time.Sleep(3 * time.Second)
			again := d.refresh("conf", refresh)
			first.sameTokens(t, again)
			require.EqualValues(t, 3600-3*(i+1), again.json["expires_in"])
		}
		time.Sleep(time.Second)
		d.refresh("conf", refresh).fails(t, 400, "invalid_grant")
		require.False(t, d.live(first.str("access_token")))
		d.refresh("conf", first.str("refresh_token")).fails(t, 400, "invalid_grant")
	})
}

// The retries are counted, also when they come at once.
// Holds R166.
func TestRetry_Bounded(t *testing.T) {
	t.Parallel()
	d := newDirect(t, retrying(grants.RefreshToken{MaxRetries: 3}))
	_, refresh := d.family("conf")
	first := d.refresh("conf", refresh)
	for range 3 {
		first.sameTokens(t, d.refresh("conf", refresh))
	}
	d.refresh("conf", refresh).fails(t, 400, "invalid_grant")
	require.False(t, d.live(first.str("access_token")))

	_, refresh = d.family("conf")
	var granted atomic.Int32
	parallel(40, func(int) {
		if d.refresh("conf", refresh).status == 200 {
			granted.Add(1)
		}
	})
	require.EqualValues(t, 4, granted.Load(), "one use and three retries")
	require.Zero(t, d.activeOf(storage.Refresh))
}

// Only the same request of the same client, before its successor was used, is a retry; the rest is reuse.
// Holds S89, R164, R166.
func TestRetry_OnlyTheSameRequest(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(d *direct, old, successor string) reply{
		"another scope": func(d *direct, old, _ string) reply { return d.refresh("conf", old, "scope", "read") },
		"another resource": func(d *direct, old, _ string) reply {
			return d.refresh("conf", old, "resource", "https://api.example")
		},
		"successor used": func(d *direct, old, successor string) reply {
			require.Equal(d.t, 200, d.refresh("conf", successor).status)
			return d.refresh("conf", old)
		},
		"successor revoked": func(d *direct, old, successor string) reply {
			require.Equal(d.t, 200, d.revoke("conf", successor).status)
			return d.refresh("conf", old)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDirect(t, retrying(grants.RefreshToken{}))
			access, old := d.family("conf")
			res := d.refresh("conf", old)
			again(d, old, res.str("refresh_token")).fails(t, 400, "invalid_grant")
			require.False(t, d.live(access))
			require.False(t, d.live(res.str("access_token")))
			require.Zero(t, d.activeOf(storage.Refresh))
		})
	}
	t.Run("another client", func(t *testing.T) {
		t.Parallel()
		d := newDirect(t, retrying(grants.RefreshToken{}))
		_, old := d.family("conf")
		res := d.refresh("conf", old)
		d.refresh("other", old).fails(t, 400, "invalid_grant")
		res.sameTokens(t, d.refresh("conf", old)) // nothing changed for the owner
	})
	t.Run("an expired successor", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := newDirect(t, func(cfg *grantwell.Config) {
				retrying(grants.RefreshToken{})(cfg)
				cfg.RefreshTokenIdle = 10 * time.Second
			})
			_, old := d.family("conf")
			require.Equal(t, 200, d.refresh("conf", old).status)
			time.Sleep(11 * time.Second)
			_, err := d.store.Sweep(t.Context(), time.Now(), 1000)
			require.NoError(t, err)
			d.refresh("conf", old).fails(t, 400, "invalid_grant")
		})
	})
}

// The once-only mode retries too: the same access token, and no other.
// Holds S88, R166.
func TestRetry_Once(t *testing.T) {
	t.Parallel()
	d := newDirect(t, retrying(grants.RefreshToken{Mode: grants.Once}))
	_, old := d.family("conf")
	res := d.refresh("conf", old)
	require.NotContains(t, res.json, "refresh_token")
	res.sameTokens(t, d.refresh("conf", old))
	require.Equal(t, 2, d.activeOf(storage.Access))
}

// A retry is refused once what the grant rests on has ended.
// Holds R168.
func TestRetry_LooksAtTheUserAgain(t *testing.T) {
	t.Parallel()
	var disabled atomic.Bool
	d := newDirect(t, func(cfg *grantwell.Config) {
		retrying(grants.RefreshToken{})(cfg)
		cfg.SubjectActive = func(context.Context, string) (bool, error) { return !disabled.Load(), nil }
	})
	_, old := d.family("conf")
	require.Equal(t, 200, d.refresh("conf", old).status)
	disabled.Store(true)
	d.refresh("conf", old).fails(t, 400, "invalid_grant")
}

// What the store keeps for a retry opens with the token that was presented and with nothing that is stored, and belongs to its record.
// Holds R85, S163.
func TestRetry_StoreAloneOpensNothing(t *testing.T) {
	t.Parallel()
	d := newDirect(t, retrying(grants.RefreshToken{}))
	_, one := d.family("conf")
	_, two := d.family("conf")
	r1, r2 := d.refresh("conf", one), d.refresh("conf", two)
	get := func(token string) (storage.Record, map[string]any) {
		rec, err := d.store.Get(t.Context(), storage.Refresh, storage.Key(token))
		require.NoError(t, err)
		var data map[string]any
		require.NoError(t, json.Unmarshal(rec.Data, &data))
		return rec, data
	}
	rec1, data1 := get(one)
	_, data2 := get(two)
	require.NotEmpty(t, data1["retry"])
	require.NotEqual(t, data1["retry"], data2["retry"])
	for _, res := range []reply{r1, r2} {
		require.NotContains(t, string(rec1.Data), res.str("access_token"))
		require.NotContains(t, string(rec1.Data), res.str("refresh_token"))
	}
	// Somebody who can write to the store moves another family's answer here: it does not open.
	data1["retry"] = data2["retry"]
	moved, err := json.Marshal(data1)
	require.NoError(t, err)
	rec1.Data = moved
	require.NoError(t, d.store.Advance(t.Context(), storage.Spent, rec1))
	res := d.refresh("conf", one)
	require.GreaterOrEqual(t, res.status, 500)
	require.NotContains(t, res.body, r2.str("access_token"))
	require.NotContains(t, res.body, "cipher")
}
