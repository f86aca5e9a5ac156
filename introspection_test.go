package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// An active token is described completely; what was stored with it can be read, and cannot pass for a registered member.
// Holds S112, S169, S179, R229.
func TestIntrospect_ActiveToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, nil)
		now := time.Now().Unix()
		code := d.authorize("conf", "read write", grantwell.Approval{Subject: "alice", Claims: map[string]any{"dept": "R&D", "active": false, "iss": "https://evil.example", "sub": "bob"}}).answered("code")
		access := d.redeem("conf", code).str("access_token")
		req := formRequest("/introspect", conf, "token", access)
		req.Host = "evil.example"
		res := serveTo(d.h, req)
		require.Equal(t, 200, res.status, res.body)
		require.Equal(t, map[string]any{"active": true, "client_id": "conf", "sub": "alice", "aud": "https://as.example", "iss": "https://as.example",
			"scope": "read write", "exp": float64(now + 3600), "iat": float64(now), "token_type": "Bearer", "dept": "R&D"}, res.json)
		require.Equal(t, "no-store", res.header.Get("Cache-Control"))
		require.Equal(t, "application/json", res.header.Get("Content-Type"))
	})
}

// A token that is bound to a key says so.
// Holds S112, R229.
func TestIntrospect_Confirmation(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	token := mintRefresh(t) // an access token has the same form
	data, err := grants.Data{Confirmation: map[string]string{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}.Encode()
	require.NoError(t, err)
	require.NoError(t, d.store.Insert(t.Context(), storage.Record{Kind: storage.Access, Key: storage.Key(token), State: storage.Active, GrantID: "g", ClientID: "conf",
		Subject: "alice", Scope: []string{"read"}, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Data: data}))
	require.Equal(t, map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, d.asked("conf", token).json["cnf"])
}

// Every other token is told by the same two words, whatever is wrong with it.
// Holds S112, R230.
func TestIntrospect_InactiveSaysNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, nil)
		revoked, family := d.family("conf")
		d.revoke("conf", family)
		_, spent := d.family("conf")
		require.Equal(t, 200, d.refresh("conf", spent).status)
		foreign, _ := d.family("other")
		expired, _ := d.family("conf")
		tokens := map[string]string{"revoked": revoked, "spent": spent, "foreign": foreign, "unknown": mintRefresh(t), "malformed": "x", "three parts": "a.b.c",
			"long": strings.Repeat("z", 20_000), "code": d.code("conf"), "text": "\u00e4 \""}
		check := func(name, token string) {
			for _, hint := range []string{"", "access_token", "refresh_token", "nonsense"} {
				res := d.post("/introspect", conf, "token", token, "token_type_hint", hint)
				require.Equal(t, 200, res.status, name)
				require.Equal(t, `{"active":false}`, res.body, name)
			}
		}
		for name, token := range tokens {
			check(name, token)
		}
		require.True(t, d.live(expired))
		time.Sleep(time.Hour - time.Second)
		require.True(t, d.live(expired))
		time.Sleep(time.Second)
		check("expired", expired)
	})
}

// A client asks about its refresh token: its own expiry and kind. Nobody else learns of it.
// Holds S113, R231.
func TestIntrospect_RefreshToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, nil)
		d.change("other", func(c *storage.Client) { c.Resources = []string{"https://as.example"} })
		_, refresh := d.family("conf")
		for _, hint := range []string{"", "access_token", "refresh_token"} {
			res := d.post("/introspect", conf, "token", refresh, "token_type_hint", hint)
			require.Equal(t, true, res.json["active"])
			require.EqualValues(t, time.Now().Add(30*24*time.Hour).Unix(), res.json["exp"])
			require.Equal(t, "refresh_token", res.json["token_type"])
		}
		require.Equal(t, `{"active":false}`, d.asked("other", refresh).body)
	})
}

// A resource server learns about tokens that are meant for it; the host may allow more, for authenticated callers.
// Holds S114, R231, R232, V88, V89.
func TestIntrospect_WhoIsEntitled(t *testing.T) {
	t.Parallel()
	const api = "https://api.example"
	d := newDirect(t, nil)
	d.change("conf", func(c *storage.Client) { c.Audience = []string{api} })
	access, _ := d.family("conf")
	require.True(t, d.live(access), "its own client")
	ask := func(d *direct, who string) bool { return d.asked(who, access).json["active"] == true }
	require.False(t, ask(d, "other"))
	require.False(t, ask(d, "public"))
	d.change("other", func(c *storage.Client) { c.Resources = []string{"https://other.example", "https://api.example/"} })
	require.False(t, ask(d, "other"), "another audience")
	d.change("other", func(c *storage.Client) { c.Resources = []string{api} })
	require.True(t, ask(d, "other"))
	d.change("public", func(c *storage.Client) { c.Resources = []string{api} })
	require.False(t, ask(d, "public"), "who did not authenticate is anybody")

	open := newDirectOn(t, d.store, func(cfg *grantwell.Config) {
		cfg.MayIntrospect = func(_ context.Context, c storage.Client, tok *introspect.Token) bool {
			return c.ID == "post" && tok.Subject == "alice" || c.ID == "public"
		}
	})
	require.Equal(t, true, open.post("/introspect", "", "client_id", "post", "client_secret", secret, "token", access).json["active"])
	require.False(t, ask(open, "public"))

	// A user's token is no caller's credential.
	req := formRequest("/introspect", "", "token", access)
	req.Header.Set("Authorization", "Bearer "+access)
	res := serveTo(d.h, req)
	require.Equal(t, 401, res.status)
	require.Equal(t, "invalid_client", res.str("error"))
}

// The request itself.
// Holds R228, R233.
func TestIntrospect_Requests(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	access, _ := d.family("conf")
	for name, res := range map[string]reply{
		"anonymous": d.post("/introspect", "", "token", access), "wrong secret": d.post("/introspect", "conf:wrong", "token", access),
		"id alone": d.post("/introspect", "", "token", access, "client_id", "conf")} {
		res.fails(t, 401, "invalid_client")
		require.Contains(t, res.header.Get("WWW-Authenticate"), "Basic", name)
		require.Equal(t, "no-store", res.header.Get("Cache-Control"))
	}
	d.post("/introspect", conf).fails(t, 400, "invalid_request")
	d.post("/introspect", conf, "token", "").fails(t, 400, "invalid_request")
	req := httptest.NewRequest(http.MethodGet, "/introspect", nil)
	req.SetBasicAuth("conf", secret)
	require.Equal(t, 405, serveTo(d.h, req).status)
}

// What ends a token is seen by the very next question, on every instance, and in the process itself.
// Holds S142, S167, R234, I6, V87, V92, V93.
func TestIntrospect_EndsAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(d *direct, off *atomic.Bool){
		"user disabled":     func(_ *direct, off *atomic.Bool) { off.Store(true) },
		"consent withdrawn": func(d *direct, _ *atomic.Bool) { _ = d.srv.RevokeConsent(context.Background(), "conf", "alice") },
		"client disabled": func(d *direct, _ *atomic.Bool) {
			d.change("conf", func(c *storage.Client) { c.Disabled = true })
		},
		"client deleted": func(d *direct, _ *atomic.Bool) { _ = d.store.DeleteClient(context.Background(), "conf") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var off atomic.Bool
			config := func(cfg *grantwell.Config) {
				cfg.SubjectActive = func(context.Context, string) (bool, error) { return !off.Load(), nil }
				cfg.Paths.TokenInfo = "/tokeninfo"
			}
			d := newDirect(t, config)
			second := newDirectOn(t, d.store, config)
			d.change("other", func(c *storage.Client) { c.Resources = []string{"https://as.example"} })
			code := d.authorize("conf", "read write", grantwell.Approval{Subject: "alice", Remember: true}).answered("code")
			res := d.redeem("conf", code)
			access, refresh := res.str("access_token"), res.str("refresh_token")
			for _, on := range []*direct{d, second} {
				require.Equal(t, true, on.asked("other", access).json["active"], "seen at once")
				require.Equal(t, 200, on.post("/tokeninfo", "other:"+secret, "access_token", access).status)
			}
			end(d, &off)
			for _, on := range []*direct{d, second} {
				require.Equal(t, `{"active":false}`, on.asked("other", access).body)
				require.Equal(t, 400, on.post("/tokeninfo", "other:"+secret, "access_token", access).status)
				tok, err := on.srv.Introspect(t.Context(), access)
				require.NoError(t, err)
				require.False(t, tok.Active)
				require.NotEqual(t, 200, on.refresh("conf", refresh).status)
			}
		})
	}
}

// The host's own check runs on every live token: a refusal makes it inactive, a fault is not an answer, and a panic is no pass.
// Holds S180.
func TestIntrospect_ValidateHook(t *testing.T) {
	t.Parallel()
	var answer func(tok *introspect.Token) error
	d := newDirect(t, func(cfg *grantwell.Config) {
		cfg.Hooks.Validate = func(_ context.Context, tok *introspect.Token) error { return answer(tok) }
	})
	access, _ := d.family("conf")
	answer = func(tok *introspect.Token) error { tok.Extra["seen"] = "yes"; return nil }
	require.Equal(t, "yes", d.asked("conf", access).json["seen"])
	answer = func(*introspect.Token) error { return grants.InvalidGrant("blocked") }
	require.Equal(t, `{"active":false}`, d.asked("conf", access).body)
	answer = func(*introspect.Token) error { return errors.New("secret cause") }
	res := d.asked("conf", access)
	require.GreaterOrEqual(t, res.status, 500)
	require.NotContains(t, res.body, "secret cause")
	answer = func(*introspect.Token) error { panic("secret cause") }
	res = d.asked("conf", access)
	require.Equal(t, 500, res.status)
	require.NotContains(t, res.body, "secret cause")
	answer = func(*introspect.Token) error { return nil }
	res = d.asked("conf", access)
	require.NotContains(t, res.body, "seen", "nothing of an earlier answer stays")
}
