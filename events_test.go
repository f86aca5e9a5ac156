package grantwell_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// recorder keeps the events and the log of a server.
type recorder struct {
	mu     sync.Mutex
	events []grantwell.Event
	log    bytes.Buffer
}

func (r *recorder) listen(cfg *grantwell.Config) {
	cfg.Events = func(_ context.Context, e grantwell.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}
	cfg.Logger = slog.New(slog.NewJSONHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Every outcome is one event, with the application and the user in fields of their own.
// Holds S183, S186.
func TestEvents_OneForEachRequest(t *testing.T) {
	t.Parallel()
	var rec recorder
	l, store := newHooked(t, rec.listen)
	last := func(n int) grantwell.Event { t.Helper(); require.Len(t, rec.events, n); return rec.events[n-1] }
	code := l.code("conf")
	require.Equal(t, []string{"authorize", "ok", "conf", "alice"}, []string{last(1).Endpoint, last(1).Outcome, last(1).ClientID, last(1).Subject})
	req := request("/token", conf, formOf("grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier))
	req.Header.Set("X-Request-Id", "req-7")
	first := l.do(req)
	e := last(2)
	require.Equal(t, grantwell.Event{Time: e.Time, Endpoint: "token", Outcome: "ok", ClientID: "conf", Subject: "alice", GrantType: "authorization_code", GrantID: rec.events[0].GrantID,
		Scope: []string{"read"}, Status: 200, Duration: e.Duration, Remote: netip.MustParseAddr("192.0.2.1"), RequestID: "req-7"}, e)
	require.False(t, e.Time.IsZero())
	require.Positive(t, e.Duration)
	for i, refusal := range []struct {
		send   func() reply
		reason string
	}{
		{func() reply { return l.exchange(code) }, "redeemed before"},
		{func() reply { return l.exchange("x") }, "not one of our codes"},
		{func() reply { return l.exchange2(l.code("conf"), "") }, "redirect_uri differs"},
		{func() reply { return l.post("/token", "conf:wrong", "grant_type", "client_credentials") }, "wrong secret"},
		{func() reply { return l.post("/token", "nobody:wrong", "grant_type", "client_credentials") }, "unknown client"},
		{func() reply { return l.post("/token", "post:wrong", "grant_type", "client_credentials") }, "not the registered method"},
		{func() reply { return l.post("/token", conf, "grant_type", "client_credentials", "scope", "admin") }, `scope "admin"`},
		{func() reply {
			return l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", first.str("refresh_token"))
		}, "refresh token is revoked"},
	} {
		res := refusal.send()
		require.GreaterOrEqual(t, res.status, 400)
		e := rec.events[len(rec.events)-1]
		require.Equal(t, []any{"refused", res.str("error"), res.status}, []any{e.Outcome, e.Error, e.Status}, i)
		require.Contains(t, e.Reason, refusal.reason)
		require.NotContains(t, res.body, refusal.reason)
		require.NotEmpty(t, e.RequestID)
	}
	for _, e := range rec.events {
		require.NotEqual(t, "nobody", e.ClientID, "a name that anybody may send is not a client")
	}
	store.breaks(func(context.Context, string) error { return errors.New("db7 is down") })
	n := len(rec.events)
	l.post("/token", conf, "grant_type", "client_credentials")
	e = last(n + 1)
	require.Equal(t, "failed", e.Outcome)
	require.Contains(t, e.Reason, "db7 is down")
	store.before.Store(nil)
	for endpoint, send := range map[string]func(){
		"revoke": func() { l.post("/revoke", conf, "token", first.str("access_token")) }, "introspect": func() { l.post("/introspect", conf, "token", first.str("access_token")) },
	} {
		n := len(rec.events)
		send()
		require.Equal(t, []string{endpoint, "conf"}, []string{last(n + 1).Endpoint, last(n + 1).ClientID})
	}
	for _, id := range []string{"a b", strings.Repeat("x", 65), "a\nb", "ü", ""} {
		req := request("/token", conf, cc)
		req.Header.Set("X-Request-Id", id)
		n := len(rec.events)
		l.do(req)
		require.Len(t, last(n+1).RequestID, 16)
	}
	lines := strings.Split(strings.TrimSpace(rec.log.String()), "\n")
	require.Len(t, lines, len(rec.events)+1) // and the warning about the implicit grant
	for _, line := range lines {
		require.True(t, json.Valid([]byte(line)), line)
	}
}

// No event, no log line and no error answer has a token, code, secret, password, verifier or assertion in it, whatever is sent where.
// Holds S58, S184.
func TestEvents_CarryNoSecret(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-5ecret-c4n4ry"
	var rec recorder
	l, store := newHooked(t, func(cfg *grantwell.Config) {
		rec.listen(cfg)
		cfg.Grants[2] = grants.Password{Authenticator: users{"johndoe": canary}}
	})
	l.put(func(c *storage.Client) {
		c.ID, c.AuthMethod, c.Secrets = "canary", storage.AuthClientSecretPost, []storage.Secret{storage.HashSecret(canary)}
	})
	code := l.code("conf")
	first := l.exchange(code)
	second := l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", first.str("refresh_token"))
	pass := l.login("johndoe", canary)
	secrets := []string{canary, code, secret, verifier, l.code("conf")}
	for _, res := range []reply{first, second, pass} {
		require.Equal(t, 200, res.status, res.body)
		secrets = append(secrets, res.str("access_token"), res.str("refresh_token"))
	}
	var answers []reply
	fields := []string{"client_secret", "code", "code_verifier", "password", "refresh_token", "token", "access_token", "assertion", "client_assertion", "subject_token"}
	sweep := func() {
		for _, grant := range append(allGrants, "magic") {
			for _, as := range []string{"", conf, "conf:" + canary, "nobody:" + canary, "canary:" + canary} {
				for _, s := range append(secrets, canary+"\"\\\n", "%zz") {
					form := []string{"grant_type", grant, "username", "johndoe"}
					for _, f := range fields {
						if f != "client_secret" && !strings.HasPrefix(f, "client_a") || as == "" {
							form = append(form, f, s)
						}
					}
					for _, path := range []string{"/token", "/revoke", "/introspect"} {
						answers = append(answers, l.post(path, as, form...), l.post(path+"?"+formOf(form...), as, form...))
					}
					answers = append(answers, l.do(request("/token", as, "code="+s+"&code="+s)), l.do(request("/token", as, "code="+s+"&scope=%zz")))
				}
			}
		}
	}
	sweep()
	store.breaks(func(context.Context, string) error { panic("down") })
	sweep()
	store.before.Store(nil)
	everything, err := json.Marshal(rec.events)
	require.NoError(t, err)
	require.Greater(t, len(rec.events), 1000)
	for _, s := range secrets {
		require.NotContains(t, string(everything), s)
		require.NotContains(t, rec.log.String(), s)
		for _, a := range answers {
			if a.status >= 400 {
				require.NotContains(t, a.body, s)
			}
		}
	}
	recs, _, err := l.store.List(t.Context(), storage.Query{})
	require.NoError(t, err)
	dump, err := json.Marshal(recs)
	require.NoError(t, err)
	require.NotContains(t, string(dump), canary)
	for _, r := range recs {
		require.NotContains(t, string(r.Data), "A3ddj3w")
	}
}
