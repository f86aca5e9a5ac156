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
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// withTokenInfo returns a change of the configuration that serves the
// endpoint.
func withTokenInfo(ti grantwell.TokenInfoConfig) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) { cfg.Paths.TokenInfo, cfg.TokenInfo = "/tokeninfo", ti }
}

// The answer for a live token has its client, user, scope and remaining
// seconds.
//
// Holds: house: data of the token; house: token information;
// house: token information fields.
func TestTokenInfo_DescribesALiveToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, withTokenInfo(grantwell.TokenInfoConfig{Fields: map[string]string{
			"Department": "dept",
			"Absent":     "nothing",
			"user_id":    "dept",
			"Audience":   "dept",
		}}))
		code := d.Authorize(grantwell.Approval{
			Subject: "alice",
			Claims:  map[string]any{"dept": "eng", "hidden": "x"},
		}).Param("code")
		access := d.Redeem("conf", code).String("access_token")
		time.Sleep(600 * time.Second)
		res := d.Post("/tokeninfo", servertest.Conf, "access_token", access)
		require.Equal(t, 200, res.Status, res.Body)
		require.Equal(t, map[string]any{
			"audience":   "conf",
			"user_id":    "alice",
			"scope":      "read write",
			"expires_in": 3000.0,
			"Department": "eng",
		}, res.JSON)
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		require.NotContains(t, res.Body, servertest.Secret)
	})
}

// A token that is not live, or not the caller's, is refused with one body.
// Only a missing token has another.
//
// Holds: house: token information; house: token information asks who.
func TestTokenInfo_RefusesAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, withTokenInfo(grantwell.TokenInfoConfig{}))
		expired, refresh := d.Family("conf")
		require.Equal(t, 200, d.Post("/tokeninfo", servertest.Conf, "access_token", expired).Status)
		time.Sleep(time.Hour)
		revoked, _ := d.Family("conf")
		d.Revoke("conf", revoked)
		foreign, _ := d.Family("other")
		disabled, _ := d.Family("public")
		d.ChangeClient("public", func(c *storage.Client) { c.Disabled = true })
		want := d.Post("/tokeninfo", servertest.Conf, "access_token", "x")
		require.Equal(t, 400, want.Status)
		require.Equal(t, "invalid_token", want.String("error"))
		for name, token := range map[string]string{"expired": expired, "revoked": revoked,
			"foreign": foreign, "client disabled": disabled, "refresh token": refresh,
			"unknown": servertest.UnknownToken(t), "code": d.Code("conf")} {
			res := d.Post("/tokeninfo", servertest.Conf, "access_token", token)
			require.Equal(t, want.Status, res.Status, name)
			require.Equal(t, want.Body, res.Body, name)
		}
		d.Post("/tokeninfo", servertest.Conf).Fails(t, 400, "invalid_request")
	})
}

// The endpoint needs an entitled caller as introspection does unless the host
// opens it, and does not exist unless its path is set.
//
// Holds: house: token information asks who.
func TestTokenInfo_IsClosedByDefault(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, withTokenInfo(grantwell.TokenInfoConfig{}))
	access, _ := d.Family("conf")
	d.Post("/tokeninfo", "", "access_token", access).Fails(t, 401, "invalid_client")
	d.Post("/tokeninfo", "conf:wrong", "access_token", access).Fails(t, 401, "invalid_client")
	require.Equal(t, 400, d.Post("/tokeninfo", "other:"+servertest.Secret,
		"access_token", access).Status)
	require.Equal(t, 404, servertest.New(t, nil).Post("/tokeninfo", servertest.Conf,
		"access_token", access).Status)

	open := servertest.On(t, d.Store, withTokenInfo(grantwell.TokenInfoConfig{Open: true}))
	require.Equal(t, 200, open.Post("/tokeninfo", "", "access_token", access).Status)
	open.Post("/tokeninfo", "conf:wrong", "access_token", access).Fails(t, 401,
		"invalid_client") // a caller that sends credentials must authenticate
}

// A token in the query is read only if that is enabled, and no event or log
// line has it.
//
// Holds: RFC 6750 section 2.3; house: token information by GET.
func TestTokenInfo_QueryIsReadOnlyIfEnabled(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, withTokenInfo(grantwell.TokenInfoConfig{Open: true}))
	access, _ := d.Family("conf")
	require.Equal(t, 405, d.Get("/tokeninfo?access_token="+access).Status)
	req := servertest.Request("/tokeninfo?access_token="+access, "", "")
	require.Equal(t, 400, servertest.Serve(d.Handler, req).Status,
		"not in the query of a POST either")

	var log bytes.Buffer
	var events []string
	old := servertest.On(t, d.Store, func(cfg *grantwell.Config) {
		withTokenInfo(grantwell.TokenInfoConfig{Open: true, Get: true})(cfg)
		cfg.Logger = slog.New(slog.NewJSONHandler(&log,
			&slog.HandlerOptions{Level: slog.LevelDebug}))
		cfg.Events = func(_ context.Context, e grantwell.Event) {
			events = append(events, fmt.Sprintf("%+v", e))
		}
	})
	require.Equal(t, 200, old.Get("/tokeninfo?access_token="+access).Status)
	require.Equal(t, 405, servertest.Serve(old.Handler,
		httptest.NewRequest(http.MethodPut, "/tokeninfo", nil)).Status)
	require.NotEmpty(t, log.String())
	require.NotContains(t, log.String(), access)
	require.NotEmpty(t, events)
	require.NotContains(t, strings.Join(events, " "), access)
}

// Invalid tokens of callers that do not authenticate are counted by address.
// Authenticated callers are not affected.
//
// Holds: RFC 7662 section 4.
func TestTokenInfo_ScanIsBounded(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, withTokenInfo(grantwell.TokenInfoConfig{Open: true}))
	access, _ := d.Family("conf")
	for range 500 {
		require.Equal(t, 200, d.Post("/tokeninfo", "", "access_token", access).Status,
			"valid ones do not count")
	}
	refused := 0
	for range 2_000 {
		res := d.Post("/tokeninfo", "", "access_token", servertest.UnknownToken(t))
		if res.Status == 429 {
			require.NotEmpty(t, res.Header.Get("Retry-After"))
			refused++
		} else {
			require.Equal(t, 400, res.Status)
		}
	}
	require.GreaterOrEqual(t, refused, 1_800)
	require.Equal(t, 200, d.Post("/tokeninfo", servertest.Conf, "access_token", access).Status)
	require.Equal(t, 200, d.Post("/token", "", "grant_type", "password", "username", "johndoe",
		"password", "A3ddj3w", "client_id", "public").Status, "nor do logins wait for it")
}
