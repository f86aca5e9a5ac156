package grantwell_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// Every request is one event, with its client and its user in fields of their
// own.
//
// Holds: house: one event; house: reason for operators.
func TestEvents_OneForEachRequest(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	l, store := servertest.NewHooked(t, func(cfg *grantwell.Config) {
		servertest.LogTo(cfg, &log)
	})
	// last returns the newest event, which is the n-th.
	last := func(n int) grantwell.Event {
		t.Helper()
		require.Len(t, l.Events(), n)
		return l.LastEvent()
	}
	code := l.Code("conf")
	require.Equal(t, []string{"authorize", "ok", "conf", "alice"},
		[]string{last(1).Endpoint, last(1).Outcome, last(1).ClientID, last(1).Subject})
	req := servertest.Request("/token", servertest.Conf,
		servertest.Form("grant_type", "authorization_code", "code", code,
			"redirect_uri", servertest.Redirect, "code_verifier", servertest.Verifier))
	req.Header.Set("X-Request-Id", "req-7")
	first := l.Do(req)
	e := last(2)
	require.Equal(t, grantwell.Event{
		Time:      e.Time,
		Endpoint:  "token",
		Outcome:   "ok",
		ClientID:  "conf",
		Subject:   "alice",
		GrantType: "authorization_code",
		GrantID:   l.Events()[0].GrantID,
		Scope:     []string{"read", "write"},
		Status:    200,
		Duration:  e.Duration,
		Remote:    netip.MustParseAddr("192.0.2.1"),
		RequestID: "req-7",
	}, e)
	require.False(t, e.Time.IsZero())
	require.Positive(t, e.Duration)
	for i, refusal := range []struct {
		send   func() servertest.Reply
		reason string
	}{
		{func() servertest.Reply { return l.Redeem("conf", code) }, "redeemed before"},
		{func() servertest.Reply { return l.Redeem("conf", "x") }, "not one of our codes"},
		{func() servertest.Reply {
			return l.Redeem("conf", l.Code("conf"), "redirect_uri", "")
		}, "redirect_uri differs"},
		{func() servertest.Reply { return l.ClientCredentials("conf:wrong") }, "wrong secret"},
		{func() servertest.Reply { return l.ClientCredentials("nobody:wrong") }, "unknown client"},
		{func() servertest.Reply {
			return l.ClientCredentials("post:wrong")
		}, "not the client's registered one"},
		{func() servertest.Reply {
			return l.ClientCredentials(servertest.Conf, "scope", "admin")
		}, `scope "admin"`},
		{func() servertest.Reply {
			return l.Refresh("conf", first.String("refresh_token"))
		}, "refresh token is revoked"},
	} {
		res := refusal.send()
		require.GreaterOrEqual(t, res.Status, 400)
		e := l.LastEvent()
		require.Equal(t, []any{"refused", res.String("error"), res.Status},
			[]any{e.Outcome, e.Error, e.Status}, i)
		require.Contains(t, e.Cause, refusal.reason)
		require.NotContains(t, res.Body, refusal.reason)
		require.NotEmpty(t, e.RequestID)
	}
	for _, e := range l.Events() {
		require.NotEqual(t, "nobody", e.ClientID, "an unverified name is not a client")
	}
	store.Before(func(context.Context, servertest.Call) error { return errors.New("db7 is down") })
	n := len(l.Events())
	l.ClientCredentials(servertest.Conf)
	e = last(n + 1)
	require.Equal(t, "failed", e.Outcome)
	require.Contains(t, e.Cause, "db7 is down")
	store.Before(nil)
	for endpoint, send := range map[string]func(){
		"revoke": func() {
			l.Revoke("conf", first.String("access_token"))
		}, "introspect": func() { l.Introspect("conf", first.String("access_token")) },
	} {
		n := len(l.Events())
		send()
		require.Equal(t, []string{endpoint, "conf"},
			[]string{last(n + 1).Endpoint, last(n + 1).ClientID})
	}
	for _, id := range []string{"a b", strings.Repeat("x", 65), "a\nb", "ü", ""} {
		req := servertest.Request("/token", servertest.Conf, cc)
		req.Header.Set("X-Request-Id", id)
		n := len(l.Events())
		l.Do(req)
		require.Len(t, last(n+1).RequestID, 16)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, len(l.Events())+1) // and the warning about the implicit grant
	for _, line := range lines {
		require.True(t, json.Valid([]byte(line)), line)
	}
}

// No event, log line or error answer has a token, code, secret, password,
// verifier or assertion, whatever is sent to which endpoint.
//
// Holds: RFC 9700 section 2.4; house: no secret in words.
func TestEvents_CarryNoSecret(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-5ecret-c4n4ry"
	var log bytes.Buffer
	l, store := servertest.NewHooked(t, func(cfg *grantwell.Config) {
		servertest.LogTo(cfg, &log)
		cfg.Grants[2] = grants.Password{Authenticator: servertest.Users{"johndoe": canary}}
	})
	l.AddClient("conf", func(c *storage.Client) {
		c.ID = "canary"
		c.AuthMethod = storage.AuthClientSecretPost
		c.Secrets = []storage.Secret{storage.HashSecret(canary)}
	})
	code := l.Code("conf")
	first := l.Redeem("conf", code)
	second := l.Refresh("conf", first.String("refresh_token"))
	pass := l.Login("johndoe", canary)
	secrets := []string{canary, code, servertest.Secret, servertest.Verifier, l.Code("conf")}
	for _, res := range []servertest.Reply{first, second, pass} {
		require.Equal(t, 200, res.Status, res.Body)
		secrets = append(secrets, res.String("access_token"), res.String("refresh_token"))
	}
	var answers []servertest.Reply
	fields := []string{"client_secret", "code", "code_verifier", "password", "refresh_token",
		"token", "access_token", "assertion", "client_assertion", "subject_token"}
	sweep := func() {
		for _, grant := range append(servertest.GrantTypes(), "magic") {
			for _, as := range []string{"", servertest.Conf, "conf:" + canary, "nobody:" + canary,
				"canary:" + canary} {
				for _, s := range append(secrets, canary+"\"\\\n", "%zz") {
					form := []string{"grant_type", grant, "username", "johndoe"}
					for _, f := range fields {
						if f != "client_secret" && !strings.HasPrefix(f, "client_a") || as == "" {
							form = append(form, f, s)
						}
					}
					for _, path := range []string{"/token", "/revoke", "/introspect"} {
						answers = append(answers, l.Post(path, as, form...),
							l.Post(path+"?"+servertest.Form(form...), as, form...))
					}
					answers = append(answers,
						l.Do(servertest.Request("/token", as, "code="+s+"&code="+s)),
						l.Do(servertest.Request("/token", as, "code="+s+"&scope=%zz")))
				}
			}
		}
	}
	sweep()
	store.Before(func(context.Context, servertest.Call) error { panic("down") })
	sweep()
	store.Before(nil)
	everything, err := json.Marshal(l.Events())
	require.NoError(t, err)
	require.Greater(t, len(l.Events()), 1000)
	for _, s := range secrets {
		require.NotContains(t, string(everything), s)
		require.NotContains(t, log.String(), s)
		for _, a := range answers {
			if a.Status >= 400 {
				require.NotContains(t, a.Body, s)
			}
		}
	}
	recs := l.Records(storage.Query{})
	dump, err := json.Marshal(recs)
	require.NoError(t, err)
	require.NotContains(t, string(dump), canary)
	for _, r := range recs {
		require.NotContains(t, string(r.Data), "A3ddj3w")
	}
}

// LogEvents writes what Config.Logger writes. The level tells a refusal from a
// failure of the server.
//
// Holds: house: one event.
func TestLogEvents_WritesWhatTheLoggerWrites(t *testing.T) {
	t.Parallel()
	var own, adapted bytes.Buffer
	untimed := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "time" {
			return slog.Attr{}
		}
		return a
	}}
	var store *servertest.Hooked
	d := servertest.New(t, func(cfg *grantwell.Config) {
		store = servertest.HookRecords(cfg)
		cfg.Logger = slog.New(slog.NewTextHandler(&own, untimed))
		cfg.Events = grantwell.LogEvents(slog.New(slog.NewTextHandler(&adapted, untimed)))
	})
	own.Reset() // removes the warning about the implicit grant
	d.ClientCredentials(servertest.Conf)
	d.ClientCredentials("conf:wrong")
	store.Fail(errors.New(servertest.StoreFault))
	d.ClientCredentials(servertest.Conf)
	require.Equal(t, own.String(), adapted.String())
	lines := strings.Split(strings.TrimSpace(own.String()), "\n")
	require.Len(t, lines, 3)
	for i, start := range []string{"level=INFO msg=oauth event.endpoint=token event.outcome=ok event.status=200",
		"level=WARN msg=oauth event.endpoint=token event.outcome=refused event.status=401",
		"level=ERROR msg=oauth event.endpoint=token event.outcome=failed event.status=503"} {
		require.True(t, strings.HasPrefix(lines[i], start), lines[i])
	}
}

// The length of a reason is bounded, so that a caller cannot fill the log.
//
// Holds: house: reason for operators.
func TestEvents_ReasonsAreBounded(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, func(cfg *grantwell.Config) {
		servertest.HookRecords(cfg).Fail(errors.New(strings.Repeat("ü", 30_000)))
	})
	d.ClientCredentials(servertest.Conf, "scope", "read "+strings.Repeat("x", 30_000))
	d.ClientCredentials(servertest.Conf)
	for _, e := range d.Events() {
		require.NotEmpty(t, e.Cause)
		require.LessOrEqual(t, len(e.Cause), 520)
		require.True(t, utf8.ValidString(e.Cause))
	}
	require.Len(t, d.Events(), 2)
}
