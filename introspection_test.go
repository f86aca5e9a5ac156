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
	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// The answer for an active token is complete. Stored claims are in it, and
// cannot take the place of a registered member.
//
// Holds: RFC 7662 section 2.2; OpenID Connect Core section 2;
// house: data of the token.
func TestIntrospect_DescribesAnActiveToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, nil)
		now := time.Now().Unix()
		code := d.Authorize(grantwell.Approval{
			Subject: "alice",
			Claims: map[string]any{
				"dept":   "R&D",
				"active": false,
				"iss":    "https://evil.example",
				"sub":    "bob",
			},
		}).Param("code")
		access := d.Redeem("conf", code).String("access_token")
		req := servertest.Request("/introspect", servertest.Conf, servertest.Form("token", access))
		req.Host = "evil.example"
		res := servertest.Serve(d.Handler, req)
		require.Equal(t, 200, res.Status, res.Body)
		require.Equal(t, map[string]any{"active": true, "client_id": "conf", "sub": "alice",
			"aud": "https://as.example", "iss": "https://as.example",
			"scope": "read write", "exp": float64(now + 3600), "iat": float64(now), "auth_time": float64(now),
			"token_type": "Bearer", "dept": "R&D"}, res.JSON)
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	})
}

// The answer for a token that is bound to a key has cnf.
//
// Holds: RFC 7662 section 2.2.
func TestIntrospect_NamesTheKeyOfABoundToken(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	token := servertest.UnknownToken(t)
	data, err := (&record.Data{Confirmation: map[string]string{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}).Encode()
	require.NoError(t, err)
	require.NoError(t, d.Store.Insert(t.Context(), storage.Record{
		Kind:      storage.Access,
		Key:       storage.Key(token),
		State:     storage.Active,
		GrantID:   "g",
		ClientID:  "conf",
		Subject:   "alice",
		Scope:     []string{"read"},
		IssuedAt:  time.Now(),
		ExpiresAt: time.Now().Add(time.Hour),
		Data:      data,
	}))
	require.Equal(t, map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
		d.Introspect("conf", token).JSON["cnf"])
}

// Every other token is answered with active=false and nothing else, whatever
// the cause.
//
// Holds: RFC 7662 section 2.2.
func TestIntrospect_InactiveSaysNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, nil)
		revoked, family := d.Family("conf")
		d.Revoke("conf", family)
		_, spent := d.Family("conf")
		require.Equal(t, 200, d.Refresh("conf", spent).Status)
		foreign, _ := d.Family("other")
		expired, _ := d.Family("conf")
		tokens := map[string]string{"revoked": revoked, "spent": spent, "foreign": foreign,
			"unknown": servertest.UnknownToken(t), "malformed": "x", "three parts": "a.b.c",
			"long": strings.Repeat("z", 20_000), "code": d.Code("conf"), "text": "\u00e4 \""}
		check := func(name, token string) {
			for _, hint := range []string{"", "access_token", "refresh_token", "nonsense"} {
				res := d.Post("/introspect", servertest.Conf, "token", token,
					"token_type_hint", hint)
				require.Equal(t, 200, res.Status, name)
				require.Equal(t, `{"active":false}`, res.Body, name)
			}
		}
		for name, token := range tokens {
			check(name, token)
		}
		require.True(t, d.Live(expired))
		time.Sleep(time.Hour - time.Second)
		require.True(t, d.Live(expired))
		time.Sleep(time.Second)
		check("expired", expired)
	})
}

// A client may ask about its own refresh token and sees that token's own
// expiry and kind. To other clients it is inactive.
//
// Holds: RFC 7662 section 2.2.
func TestIntrospect_RefreshTokenIsItsClientsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, nil)
		d.ChangeClient("other", func(c *storage.Client) {
			c.Resources = []string{"https://as.example"}
		})
		_, refresh := d.Family("conf")
		for _, hint := range []string{"", "access_token", "refresh_token"} {
			res := d.Post("/introspect", servertest.Conf, "token", refresh, "token_type_hint", hint)
			require.Equal(t, true, res.JSON["active"])
			require.EqualValues(t, time.Now().Add(30*24*time.Hour).Unix(), res.JSON["exp"])
			require.Equal(t, "refresh_token", res.JSON["token_type"])
		}
		require.Equal(t, `{"active":false}`, d.Introspect("other", refresh).Body)
	})
}

// A resource server sees the tokens that are meant for it. The host may allow
// authenticated callers more.
//
// Holds: RFC 7662 section 2.1; RFC 7662 section 2.2.
func TestIntrospect_OnlyEntitledCallers(t *testing.T) {
	t.Parallel()
	const api = "https://api.example"
	d := servertest.New(t, nil)
	d.ChangeClient("conf", func(c *storage.Client) { c.Audience = []string{api} })
	access, _ := d.Family("conf")
	require.True(t, d.Live(access), "its own client")
	ask := func(d *servertest.Server, client string) bool {
		return d.Introspect(client, access).JSON["active"] == true
	}
	require.False(t, ask(d, "other"))
	require.False(t, ask(d, "public"))
	d.ChangeClient("other", func(c *storage.Client) {
		c.Resources = []string{"https://other.example", "https://api.example/"}
	})
	require.False(t, ask(d, "other"), "another audience")
	d.ChangeClient("other", func(c *storage.Client) { c.Resources = []string{api} })
	require.True(t, ask(d, "other"))
	d.ChangeClient("public", func(c *storage.Client) { c.Resources = []string{api} })
	require.False(t, ask(d, "public"), "a caller without authentication is not entitled")

	open := servertest.On(t, d.Store, func(cfg *grantwell.Config) {
		cfg.MayIntrospect = func(_ context.Context, c storage.Client, tok *introspect.Token) bool {
			return c.ID == "post" && tok.Subject == "alice" || c.ID == "public"
		}
	})
	require.Equal(t, true, open.Post("/introspect", "", "client_id", "post",
		"client_secret", servertest.Secret, "token", access).JSON["active"])
	require.False(t, ask(open, "public"))

	// An access token does not authenticate a caller.
	req := servertest.Request("/introspect", "", servertest.Form("token", access))
	req.Header.Set("Authorization", "Bearer "+access)
	res := servertest.Serve(d.Handler, req)
	require.Equal(t, 401, res.Status)
	require.Equal(t, "invalid_client", res.String("error"))
}

// A request needs an authenticated caller, a POST and one token.
//
// Holds: RFC 7662 section 2.1.
func TestIntrospect_RequestsAreChecked(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	access, _ := d.Family("conf")
	for name, res := range map[string]servertest.Reply{
		"anonymous":    d.Post("/introspect", "", "token", access),
		"wrong secret": d.Post("/introspect", "conf:wrong", "token", access),
		"id alone":     d.Post("/introspect", "", "token", access, "client_id", "conf")} {
		res.Fails(t, 401, "invalid_client")
		require.Contains(t, res.Header.Get("WWW-Authenticate"), "Basic", name)
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	}
	d.Post("/introspect", servertest.Conf).Fails(t, 400, "invalid_request")
	d.Introspect("conf", "").Fails(t, 400, "invalid_request")
	req := httptest.NewRequest(http.MethodGet, "/introspect", nil)
	req.SetBasicAuth("conf", servertest.Secret)
	require.Equal(t, 405, servertest.Serve(d.Handler, req).Status)
}

// The end of a token is seen by the next request on every instance, and by the
// server's own method.
//
// Holds: house: any instance; house: deleted authorization; house: disabled client;
// house: one state; house: subject still there.
func TestIntrospect_EndsAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(d *servertest.Server, off *atomic.Bool){
		"user disabled": func(_ *servertest.Server, off *atomic.Bool) { off.Store(true) },
		"consent withdrawn": func(d *servertest.Server, _ *atomic.Bool) {
			_ = d.AS.RevokeConsent(context.Background(), "conf", "alice")
		},
		"client disabled": func(d *servertest.Server, _ *atomic.Bool) {
			d.ChangeClient("conf", func(c *storage.Client) { c.Disabled = true })
		},
		"client deleted": func(d *servertest.Server, _ *atomic.Bool) {
			_ = d.Store.DeleteClient(context.Background(), "conf")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var off atomic.Bool
			config := func(cfg *grantwell.Config) {
				cfg.SubjectActive = func(context.Context, string) (bool, error) {
					return !off.Load(), nil
				}
				cfg.Paths.TokenInfo = "/tokeninfo"
			}
			d := servertest.New(t, config)
			second := servertest.On(t, d.Store, config)
			d.ChangeClient("other", func(c *storage.Client) {
				c.Resources = []string{"https://as.example"}
			})
			code := d.Authorize(grantwell.Approval{Subject: "alice", Remember: true}).Param("code")
			res := d.Redeem("conf", code)
			access, refresh := res.String("access_token"), res.String("refresh_token")
			for _, on := range []*servertest.Server{d, second} {
				require.Equal(t, true, on.Introspect("other", access).JSON["active"],
					"seen at once")
				require.Equal(t, 200, on.Post("/tokeninfo", "other:"+servertest.Secret,
					"access_token", access).Status)
			}
			end(d, &off)
			for _, on := range []*servertest.Server{d, second} {
				require.Equal(t, `{"active":false}`, on.Introspect("other", access).Body)
				require.Equal(t, 400, on.Post("/tokeninfo", "other:"+servertest.Secret,
					"access_token", access).Status)
				tok, err := on.AS.Introspect(t.Context(), access)
				require.NoError(t, err)
				require.False(t, tok.Active)
				require.NotEqual(t, 200, on.Refresh("conf", refresh).Status)
			}
		})
	}
}

// The host's hook checks every live token. A refusal makes the token inactive,
// an error is a 500, and a panic is not a pass.
//
// Holds: house: hooks refuse.
func TestIntrospect_ValidateHook(t *testing.T) {
	t.Parallel()
	var answer func(tok *introspect.Token) error
	d := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Hooks.Validate = func(_ context.Context, tok *introspect.Token) error {
			return answer(tok)
		}
	})
	access, _ := d.Family("conf")
	answer = func(tok *introspect.Token) error {
		tok.Extra["seen"] = "yes"
		return nil
	}
	require.Equal(t, "yes", d.Introspect("conf", access).JSON["seen"])
	answer = func(*introspect.Token) error { return grants.InvalidGrant("blocked") }
	require.Equal(t, `{"active":false}`, d.Introspect("conf", access).Body)
	answer = func(*introspect.Token) error { return errors.New("secret cause") }
	res := d.Introspect("conf", access)
	require.GreaterOrEqual(t, res.Status, 500)
	require.NotContains(t, res.Body, "secret cause")
	answer = func(*introspect.Token) error { panic("secret cause") }
	res = d.Introspect("conf", access)
	require.Equal(t, 500, res.Status)
	require.NotContains(t, res.Body, "secret cause")
	answer = func(*introspect.Token) error { return nil }
	res = d.Introspect("conf", access)
	require.NotContains(t, res.Body, "seen", "nothing of an earlier answer stays")
}
