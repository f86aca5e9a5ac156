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
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// Revoking an access token ends that token alone, at once on every instance.
// The answer is an empty 200, also the second time.
//
// Holds: RFC 7009 section 2.1; RFC 7009 section 2.2; house: revocation has no gap.
func TestRevoke_AccessTokenOnEveryInstance(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	second := servertest.On(t, d.Store, nil)
	access, refresh := d.Family("conf")
	require.True(t, second.Live(access))
	for range 2 {
		res := d.Revoke("conf", access)
		require.Equal(t, 200, res.Status)
		require.Empty(t, res.Body)
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		require.False(t, second.Live(access))
		require.False(t, d.Live(access))
	}
	require.Equal(t, 200, second.Refresh("conf", refresh).Status,
		"the documented policy: an access token is revoked alone")
}

// Revoking a refresh token ends its whole family, whether the token is live,
// spent or expired.
//
// Holds: RFC 7009 section 2.1; house: reuse is remembered.
func TestRevoke_RefreshTokenEndsTheFamily(t *testing.T) {
	t.Parallel()
	for _, which := range []int{0, 1} {
		d := servertest.New(t, nil)
		a1, r1 := d.Family("conf")
		res := d.Refresh("conf", r1)
		a2, r2 := res.String("access_token"), res.String("refresh_token")
		bystander, _ := d.Family("conf")
		require.Equal(t, 200, d.Revoke("conf", []string{r1, r2}[which]).Status)
		for _, token := range []string{a1, a2, r1, r2} {
			require.False(t, d.Live(token))
		}
		d.Refresh("conf", r2).Fails(t, 400, "invalid_grant")
		require.True(t, d.Live(bystander))
	}
}

// A wrong token_type_hint does not change the result (RFC 7009 section 2.1).
//
// Holds: RFC 7009 section 2.1.
func TestRevoke_HintIsOnlyAHint(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	for _, hint := range []string{"", "access_token", "refresh_token", "nonsense", "ACCESS_TOKEN"} {
		access, refresh := d.Family("conf")
		for _, token := range []string{access, refresh} {
			require.Equal(t, 200, d.Revoke("conf", token, "token_type_hint", hint).Status)
			require.False(t, d.Live(token), hint)
		}
	}
}

// An unknown token is answered with 200 (RFC 7009 section 2.2).
//
// Holds: RFC 7009 section 2.2.
func TestRevoke_UnknownTokenIsASuccess(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	for _, token := range []string{"x", servertest.UnknownToken(t), "a.b.c",
		strings.Repeat("y", 20_000), "\u00e4"} {
		res := d.Revoke("conf", token)
		require.Equal(t, 200, res.Status)
		require.Empty(t, res.Body)
	}
}

// A caller that does not authenticate as the client revokes nothing. A public
// client revokes its own tokens.
//
// Holds: RFC 6749 section 3.2; RFC 7009 section 2.1; RFC 7009 section 2.2.1.
func TestRevoke_OnlyTheAuthenticatedClient(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	access, _ := d.Family("conf")
	d.Post("/revoke", "conf:wrong", "token", access).Fails(t, 401, "invalid_client")
	d.Post("/revoke", "", "token", access).Fails(t, 401, "invalid_client")
	d.Post("/revoke", "", "token", access, "client_id", "conf").Fails(t, 401, "invalid_client")
	d.Post("/revoke", servertest.Conf).Fails(t, 400, "invalid_request")
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		res := servertest.Serve(d.Handler,
			httptest.NewRequest(method, "/revoke?callback=f&client_id=public&token="+access, nil))
		require.Equal(t, 405, res.Status)
		require.Equal(t, "POST", res.Header.Get("Allow"))
		require.NotContains(t, res.Body, "f(")
	}
	require.True(t, d.Live(access))

	access, refresh := d.Family("public")
	require.Equal(t, 200, d.Revoke("public", access).Status)
	require.False(t, d.Valid(access))
	require.Equal(t, 200, d.Revoke("public", refresh).Status)
	d.Refresh("public", refresh).Fails(t, 400, "invalid_grant")
}

// Another client's token stays valid, whatever answer is configured for it.
//
// Holds: RFC 7009 section 2.1; RFC 7009 section 2.2.
func TestRevoke_ForeignTokenLives(t *testing.T) {
	t.Parallel()
	for option, want := range map[int]int{0: 400, 400: 400, 403: 403, 200: 200} {
		d := servertest.New(t, func(cfg *grantwell.Config) {
			cfg.Compat.ForeignRevocation = option
		})
		access, refresh := d.Family("conf")
		for _, token := range []string{access, refresh} {
			for _, thief := range []string{"other", "public"} {
				res := d.Revoke(thief, token)
				require.Equal(t, want, res.Status)
				if want == 200 {
					require.Empty(t, res.Body)
				} else {
					require.Equal(t, "invalid_grant", res.String("error"))
				}
			}
			require.True(t, d.Live(token))
		}
		require.Equal(t, 200, d.Refresh("conf", refresh).Status)
	}
	d := servertest.New(t, func(cfg *grantwell.Config) { *cfg = grantwell.Gateway(*cfg) })
	res := d.Post("/api/oauth/token", servertest.Conf, "grant_type", "client_credentials")
	require.Equal(t, 403, d.Post("/api/oauth/revoke", "other:"+servertest.Secret,
		"token", res.String("access_token")).Status)
}

// When the store fails the answer is a 503, and never says that the token is
// revoked.
//
// Holds: RFC 7009 section 2.2.1; house: errors never grant;
// house: store fails closed.
func TestRevoke_StoreFailureIsNoSuccess(t *testing.T) {
	t.Parallel()
	down := errors.New("store down: dial tcp 10.0.0.7:5432")
	for _, call := range []string{"Get", "Advance", "Revoke"} {
		var store *servertest.Hooked
		d := servertest.New(t, func(cfg *grantwell.Config) { store = servertest.HookRecords(cfg) })
		access, refresh := d.Family("conf")
		store.Fail(down, call)
		refused := 0
		for _, token := range []string{access, refresh} {
			res := d.Revoke("conf", token)
			if res.Status == 200 {
				continue
			}
			refused++
			require.Equal(t, 503, res.Status)
			require.NotEmpty(t, res.Header.Get("Retry-After"))
			require.Equal(t, "temporarily_unavailable", res.String("error"))
			require.NotContains(t, res.Body, "10.0.0.7")
		}
		require.NotZero(t, refused, call)
		store.Pass()
		if call == "Get" {
			require.True(t, d.Live(access) && d.Live(refresh))
		}
		require.Equal(t, 200, d.Revoke("conf", refresh).Status)
		require.False(t, d.Live(access) || d.Live(refresh))
	}
}

// Hooks run before and after a revocation, see the token, and may refuse.
//
// Holds: house: hooks refuse.
func TestRevoke_HooksSeeTheTokenAndMayRefuse(t *testing.T) {
	t.Parallel()
	var seen []string
	refuse := true
	d := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Hooks.BeforeRevoke = func(_ context.Context, tok *introspect.Token) error {
			seen = append(seen, "before "+tok.Subject+" "+tok.ClientID)
			if refuse {
				return errors.New("not now: secret cause")
			}
			return nil
		}
		cfg.Hooks.AfterRevoke = func(_ context.Context, tok *introspect.Token) error {
			seen = append(seen, "after "+tok.Subject)
			return nil
		}
	})
	access, _ := d.Family("conf")
	res := d.Revoke("conf", access)
	require.Equal(t, 500, res.Status)
	require.NotContains(t, res.Body, "secret cause")
	require.True(t, d.Live(access))
	refuse = false
	require.Equal(t, 200, d.Revoke("conf", access).Status)
	require.False(t, d.Live(access))
	require.True(t, slices.Equal([]string{"before alice conf", "before alice conf", "after alice"},
		seen), "%v", seen)
}

// Each hook sees the token, with or without the other hook.
//
// Holds: house: hooks refuse.
func TestRevoke_EachHookWorksAlone(t *testing.T) {
	t.Parallel()
	var seen []string
	note := func(_ context.Context, tok *introspect.Token) error {
		seen = append(seen, tok.Subject)
		return nil
	}
	for _, set := range []func(*grantwell.Config){
		func(cfg *grantwell.Config) { cfg.Hooks.BeforeRevoke = note },
		func(cfg *grantwell.Config) { cfg.Hooks.AfterRevoke = note },
	} {
		d := servertest.New(t, set)
		access, _ := d.Family("conf")
		require.Equal(t, 200, d.Revoke("conf", access).Status)
	}
	require.Equal(t, []string{"alice", "alice"}, seen)
}

// When an authorization or a client ends, all its tokens stop at once. A
// client that is enabled again has its tokens back.
//
// Holds: house: deleted authorization; house: disabled client;
// house: subject still there.
func TestRevoke_AuthorizationOrClientEndsAll(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	access, refresh := d.Family("conf")
	grant := d.Records(storage.Query{Kind: storage.Refresh})[0].GrantID
	require.NoError(t, d.AS.RevokeGrant(t.Context(), grant))
	require.False(t, d.Live(access) || d.Live(refresh))
	d.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")

	code := d.Authorize(grantwell.Approval{
		Subject:  "alice",
		Remember: true,
	}, "scope", "read").Param("code")
	unused := d.Authorize(grantwell.Approval{
		Subject:  "alice",
		Remember: true,
	}, "scope", "read").Param("code")
	res := d.Redeem("conf", code)
	require.NoError(t, d.AS.RevokeConsent(t.Context(), "conf", "alice"))
	require.False(t, d.Live(res.String("access_token")) || d.Live(res.String("refresh_token")))
	d.Redeem("conf", unused).Fails(t, 400, "invalid_grant")

	access, refresh = d.Family("conf")
	code = d.Code("conf")
	d.ChangeClient("conf", func(c *storage.Client) { c.Disabled = true })
	d.ChangeClient("other", func(c *storage.Client) {
		c.Resources = []string{"https://as.example"}
	}) // the tokens' audience
	require.Equal(t, false, d.Introspect("other", access).JSON["active"])
	d.Refresh("conf", refresh).Fails(t, 401, "invalid_client")
	d.Redeem("conf", code).Fails(t, 401, "invalid_client")
	require.Empty(t, d.Authorize(grantwell.Approval{Subject: "alice"}).Param("code"),
		"no authorization either")
	tok, err := d.AS.Introspect(t.Context(), access)
	require.NoError(t, err)
	require.False(t, tok.Active)
	require.Equal(t, introspect.ReasonClient, tok.Reason)

	d.ChangeClient("conf", func(c *storage.Client) { c.Disabled = false })
	require.Equal(t, true, d.Introspect("other", access).JSON["active"])
	require.True(t, d.Live(access))
	require.Equal(t, 200, d.Refresh("conf", refresh).Status)

	require.NoError(t, d.Store.DeleteClient(t.Context(), "conf"))
	require.Equal(t, false, d.Introspect("other", access).JSON["active"])
}
