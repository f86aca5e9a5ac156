package grantwell_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/storage"
)

func withTokenInfo(ti grantwell.TokenInfo) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) { cfg.Paths.TokenInfo, cfg.TokenInfo = "/tokeninfo", ti }
}

// A live token is told by client, user, scope and remaining seconds, counting down.
// Holds S107, S111, S179, R237.
func TestTokenInfo_LiveToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, withTokenInfo(grantwell.TokenInfo{Fields: map[string]string{"Department": "dept", "Absent": "nothing", "user_id": "dept", "Audience": "dept"}}))
		code := d.authorize("conf", "read write", grantwell.Approval{Subject: "alice", Claims: map[string]any{"dept": "eng", "hidden": "x"}}).answered("code")
		access := d.redeem("conf", code).str("access_token")
		time.Sleep(600 * time.Second)
		res := d.post("/tokeninfo", conf, "access_token", access)
		require.Equal(t, 200, res.status, res.body)
		require.Equal(t, map[string]any{"audience": "conf", "user_id": "alice", "scope": "read write", "expires_in": 3000.0, "Department": "eng"}, res.json)
		require.Equal(t, "no-store", res.header.Get("Cache-Control"))
		require.NotContains(t, res.body, secret)
	})
}

// A token that is not live, or none of the caller's, is refused with one body for all causes but that it is missing.
// Holds S108, R238, R240.
func TestTokenInfo_RefusesAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, withTokenInfo(grantwell.TokenInfo{}))
		expired, refresh := d.family("conf")
		require.Equal(t, 200, d.post("/tokeninfo", conf, "access_token", expired).status)
		time.Sleep(time.Hour)
		revoked, _ := d.family("conf")
		d.revoke("conf", revoked)
		foreign, _ := d.family("other")
		disabled, _ := d.family("public")
		d.change("public", func(c *storage.Client) { c.Disabled = true })
		want := d.post("/tokeninfo", conf, "access_token", "x")
		require.Equal(t, 400, want.status)
		require.Equal(t, "invalid_token", want.str("error"))
		for name, token := range map[string]string{"expired": expired, "revoked": revoked, "foreign": foreign, "client disabled": disabled, "refresh token": refresh,
			"unknown": mintRefresh(t), "code": d.code("conf")} {
			res := d.post("/tokeninfo", conf, "access_token", token)
			require.Equal(t, want.status, res.status, name)
			require.Equal(t, want.body, res.body, name)
		}
		d.post("/tokeninfo", conf).fails(t, 400, "invalid_request")
	})
}

// It is as closed as introspection unless the host opens it, and off unless its path is set.
// Holds S110, R240.
func TestTokenInfo_Callers(t *testing.T) {
	t.Parallel()
	d := newDirect(t, withTokenInfo(grantwell.TokenInfo{}))
	access, _ := d.family("conf")
	d.post("/tokeninfo", "", "access_token", access).fails(t, 401, "invalid_client")
	d.post("/tokeninfo", "conf:wrong", "access_token", access).fails(t, 401, "invalid_client")
	require.Equal(t, 400, d.post("/tokeninfo", "other:"+secret, "access_token", access).status)
	require.Equal(t, 404, newDirect(t, nil).post("/tokeninfo", conf, "access_token", access).status)

	open := newDirectOn(t, d.store, withTokenInfo(grantwell.TokenInfo{Open: true}))
	require.Equal(t, 200, open.post("/tokeninfo", "", "access_token", access).status)
	open.post("/tokeninfo", "conf:wrong", "access_token", access).fails(t, 401, "invalid_client") // who tries to be somebody must be
}

// A token in the query is read where that is enabled, and no event or log ever has it.
// Holds S109, R239.
func TestTokenInfo_Query(t *testing.T) {
	t.Parallel()
	d := newDirect(t, withTokenInfo(grantwell.TokenInfo{Open: true}))
	access, _ := d.family("conf")
	require.Equal(t, 405, d.get("/tokeninfo?access_token="+access).status)
	req := formRequest("/tokeninfo?access_token="+access, "")
	require.Equal(t, 400, serveTo(d.h, req).status, "not in the query of a POST either")

	var log bytes.Buffer
	var events []string
	old := newDirectOn(t, d.store, func(cfg *grantwell.Config) {
		withTokenInfo(grantwell.TokenInfo{Open: true, Get: true})(cfg)
		cfg.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		cfg.Events = func(_ context.Context, e grantwell.Event) { events = append(events, fmt.Sprintf("%+v", e)) }
	})
	require.Equal(t, 200, old.get("/tokeninfo?access_token="+access).status)
	require.Equal(t, 405, serveTo(old.h, httptest.NewRequest(http.MethodPut, "/tokeninfo", nil)).status)
	require.NotEmpty(t, log.String())
	require.NotContains(t, log.String(), access)
	require.NotEmpty(t, events)
	require.NotContains(t, strings.Join(events, " "), access)
}

// Whoever has no name cannot scan: tokens that are not valid are counted by address. Callers that authenticate are not held up by others.
// Holds R241.
func TestTokenInfo_ScanIsBounded(t *testing.T) {
	t.Parallel()
	d := newDirect(t, withTokenInfo(grantwell.TokenInfo{Open: true}))
	access, _ := d.family("conf")
	for range 500 {
		require.Equal(t, 200, d.post("/tokeninfo", "", "access_token", access).status, "valid ones do not count")
	}
	refused := 0
	for range 2_000 {
		res := d.post("/tokeninfo", "", "access_token", mintRefresh(t))
		if res.status == 429 {
			require.NotEmpty(t, res.header.Get("Retry-After"))
			refused++
		} else {
			require.Equal(t, 400, res.status)
		}
	}
	require.GreaterOrEqual(t, refused, 1_800)
	require.Equal(t, 200, d.post("/tokeninfo", conf, "access_token", access).status)
	require.Equal(t, 200, d.post("/token", "", "grant_type", "password", "username", "johndoe", "password", "A3ddj3w", "client_id", "public").status, "nor do logins wait for it")
}
