package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// An access token is revoked alone, with an empty 200, and at once on every instance. A second time is 200 too.
// Holds S97, R216, R222, I5.
func TestRevoke_AccessTokenOnEveryInstance(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	second := newDirectOn(t, d.store, nil)
	access, refresh := d.family("conf")
	require.True(t, second.live(access))
	for range 2 {
		res := d.revoke("conf", access)
		require.Equal(t, 200, res.status)
		require.Empty(t, res.body)
		require.Equal(t, "no-store", res.header.Get("Cache-Control"))
		require.False(t, second.live(access))
		require.False(t, d.live(access))
	}
	require.Equal(t, 200, second.refresh("conf", refresh).status, "the documented policy: an access token is revoked alone")
}

// A refresh token takes its whole family, whichever of the family it is: the live one, a spent one, or one that has expired.
// Holds S98, R221, I4.
func TestRevoke_RefreshTokenEndsTheFamily(t *testing.T) {
	t.Parallel()
	for _, which := range []int{0, 1} {
		d := newDirect(t, nil)
		a1, r1 := d.family("conf")
		res := d.refresh("conf", r1)
		a2, r2 := res.str("access_token"), res.str("refresh_token")
		bystander, _ := d.family("conf")
		require.Equal(t, 200, d.revoke("conf", []string{r1, r2}[which]).status)
		for _, token := range []string{a1, a2, r1, r2} {
			require.False(t, d.live(token))
		}
		d.refresh("conf", r2).fails(t, 400, "invalid_grant")
		require.True(t, d.live(bystander))
	}
}

// A hint is only a hint.
// Holds S99, R220.
func TestRevoke_Hint(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	for _, hint := range []string{"", "access_token", "refresh_token", "nonsense", "ACCESS_TOKEN"} {
		access, refresh := d.family("conf")
		for _, token := range []string{access, refresh} {
			require.Equal(t, 200, d.post("/revoke", conf, "token", token, "token_type_hint", hint).status)
			require.False(t, d.live(token), hint)
		}
	}
}

// What cannot be live is revoked already.
// Holds S100, R217.
func TestRevoke_UnknownIsFine(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	for _, token := range []string{"x", mintRefresh(t), "a.b.c", strings.Repeat("y", 20_000), "\u00e4"} {
		res := d.revoke("conf", token)
		require.Equal(t, 200, res.status)
		require.Empty(t, res.body)
	}
}

// Who is not the client revokes nothing; a public client revokes its own.
// Holds S101, S103, S106, R218, R223, R225, V26.
func TestRevoke_WhoMay(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	access, _ := d.family("conf")
	d.post("/revoke", "conf:wrong", "token", access).fails(t, 401, "invalid_client")
	d.post("/revoke", "", "token", access).fails(t, 401, "invalid_client")
	d.post("/revoke", "", "token", access, "client_id", "conf").fails(t, 401, "invalid_client")
	d.post("/revoke", conf).fails(t, 400, "invalid_request")
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		res := serveTo(d.h, httptest.NewRequest(method, "/revoke?callback=f&client_id=public&token="+access, nil))
		require.Equal(t, 405, res.status)
		require.Equal(t, "POST", res.header.Get("Allow"))
		require.NotContains(t, res.body, "f(")
	}
	require.True(t, d.live(access))

	access, refresh := d.family("public")
	require.Equal(t, 200, d.revoke("public", access).status)
	require.Equal(t, false, d.asked("public", access).json["active"])
	require.Equal(t, 200, d.revoke("public", refresh).status)
	d.refresh("public", refresh).fails(t, 400, "invalid_grant")
}

// Another client's token lives, whatever the answer is configured to say.
// Holds S102, R219, V11.
func TestRevoke_ForeignTokenLives(t *testing.T) {
	t.Parallel()
	for option, want := range map[int]int{0: 400, 400: 400, 403: 403, 200: 200} {
		d := newDirect(t, func(cfg *grantwell.Config) { cfg.Compat.ForeignRevocation = option })
		access, refresh := d.family("conf")
		for _, token := range []string{access, refresh} {
			for _, thief := range []string{"other", "public"} {
				res := d.revoke(thief, token)
				require.Equal(t, want, res.status)
				if want == 200 {
					require.Empty(t, res.body)
				} else {
					require.Equal(t, "invalid_grant", res.str("error"))
				}
			}
			require.True(t, d.live(token))
		}
		require.Equal(t, 200, d.refresh("conf", refresh).status)
	}
	d := newDirect(t, func(cfg *grantwell.Config) { *cfg = grantwell.Gateway(*cfg) })
	res := d.post("/api/oauth/token", conf, "grant_type", "client_credentials")
	require.Equal(t, 403, d.post("/api/oauth/revoke", "other:"+secret, "token", res.str("access_token")).status)
}

// When the store fails the caller is told to come again, and never that the token is revoked.
// Holds S165, R224, V86, I7.
func TestRevoke_StoreDown(t *testing.T) {
	t.Parallel()
	down := errors.New("store down: dial tcp 10.0.0.7:5432")
	for _, call := range []string{"Get", "Advance", "Revoke"} {
		store := &faultyStore{}
		d := newDirect(t, func(cfg *grantwell.Config) {
			store.Records = cfg.Records
			cfg.Records = store
		})
		access, refresh := d.family("conf")
		store.fail = func(name string) error {
			if name == call {
				return down
			}
			return nil
		}
		refused := 0
		for _, token := range []string{access, refresh} {
			res := d.revoke("conf", token)
			if res.status == 200 {
				continue
			}
			refused++
			require.Equal(t, 503, res.status)
			require.NotEmpty(t, res.header.Get("Retry-After"))
			require.Equal(t, "temporarily_unavailable", res.str("error"))
			require.NotContains(t, res.body, "10.0.0.7")
		}
		require.NotZero(t, refused, call)
		store.fail = nil
		if call == "Get" {
			require.True(t, d.live(access) && d.live(refresh))
		}
		require.Equal(t, 200, d.revoke("conf", refresh).status)
		require.False(t, d.live(access) || d.live(refresh))
	}
}

// Hooks run around a revocation, see what is revoked, and may refuse it.
// Holds S180.
func TestRevoke_Hooks(t *testing.T) {
	t.Parallel()
	var seen []string
	refuse := true
	d := newDirect(t, func(cfg *grantwell.Config) {
		cfg.Hooks.Revoke = func(_ context.Context, tok *introspect.Token) error {
			seen = append(seen, "before "+tok.Subject+" "+tok.ClientID)
			if refuse {
				return errors.New("not now: secret cause")
			}
			return nil
		}
		cfg.Hooks.Revoked = func(_ context.Context, tok *introspect.Token) error {
			seen = append(seen, "after "+tok.Subject)
			return nil
		}
	})
	access, _ := d.family("conf")
	res := d.revoke("conf", access)
	require.Equal(t, 500, res.status)
	require.NotContains(t, res.body, "secret cause")
	require.True(t, d.live(access))
	refuse = false
	require.Equal(t, 200, d.revoke("conf", access).status)
	require.False(t, d.live(access))
	require.True(t, slices.Equal([]string{"before alice conf", "before alice conf", "after alice"}, seen), "%v", seen)
}

// Each hook sees the token, whether or not there is the other.
// Holds S180.
func TestRevoke_OneHook(t *testing.T) {
	t.Parallel()
	var seen []string
	note := func(_ context.Context, tok *introspect.Token) error {
		seen = append(seen, tok.Subject)
		return nil
	}
	for _, set := range []func(*grantwell.Config){
		func(cfg *grantwell.Config) { cfg.Hooks.Revoke = note },
		func(cfg *grantwell.Config) { cfg.Hooks.Revoked = note },
	} {
		d := newDirect(t, set)
		access, _ := d.family("conf")
		require.Equal(t, 200, d.revoke("conf", access).status)
	}
	require.Equal(t, []string{"alice", "alice"}, seen)
}

// An administrator or the user ends an authorization, or the client, and everything of it stops at once; a client that is enabled again has its tokens back.
// Holds S105, S142, R168, V92.
func TestRevoke_AuthorizationsAndClients(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	access, refresh := d.family("conf")
	grant := d.records(storage.Query{Kind: storage.Refresh})[0].GrantID
	require.NoError(t, d.srv.RevokeGrant(t.Context(), grant))
	require.False(t, d.live(access) || d.live(refresh))
	d.refresh("conf", refresh).fails(t, 400, "invalid_grant")

	code := d.authorize("conf", "read", grantwell.Approval{Subject: "alice", Remember: true}).answered("code")
	unused := d.authorize("conf", "read", grantwell.Approval{Subject: "alice", Remember: true}).answered("code")
	res := d.redeem("conf", code)
	require.NoError(t, d.srv.RevokeConsent(t.Context(), "conf", "alice"))
	require.False(t, d.live(res.str("access_token")) || d.live(res.str("refresh_token")))
	d.redeem("conf", unused).fails(t, 400, "invalid_grant")

	access, refresh = d.family("conf")
	code = d.code("conf")
	d.change("conf", func(c *storage.Client) { c.Disabled = true })
	d.change("other", func(c *storage.Client) { c.Resources = []string{"https://as.example"} }) // the tokens' audience
	require.Equal(t, false, d.asked("other", access).json["active"])
	d.refresh("conf", refresh).fails(t, 401, "invalid_client")
	d.redeem("conf", code).fails(t, 401, "invalid_client")
	require.Empty(t, d.code("conf"), "no authorization either")
	tok, err := d.srv.Introspect(t.Context(), access)
	require.NoError(t, err)
	require.False(t, tok.Active)
	require.Equal(t, introspect.ReasonClient, tok.Reason)

	d.change("conf", func(c *storage.Client) { c.Disabled = false })
	require.Equal(t, true, d.asked("other", access).json["active"])
	require.True(t, d.live(access))
	require.Equal(t, 200, d.refresh("conf", refresh).status)

	require.NoError(t, d.store.DeleteClient(t.Context(), "conf"))
	require.Equal(t, false, d.asked("other", access).json["active"])
}
