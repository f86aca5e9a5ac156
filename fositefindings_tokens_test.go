package grantwell_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// In fosite handling a reuse removed the mark, so that a third use looked like
// an unknown token. Here the mark stays.
//
// Holds: RFC 6819 section 5.2.2.3.
func TestFositeFinding_ReuseMarkStays(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	_, r1 := d.Family("conf")
	d.Refresh("conf", r1)
	for range 3 {
		d.Refresh("conf", r1).Fails(t, 400, "invalid_grant")
		rec, err := d.Store.Get(t.Context(), storage.Refresh, storage.Key(r1))
		require.NoError(t, err)
		require.Equal(t, storage.Revoked, rec.State)
	}
}

// In fosite reuse was handled before the client was checked, so that any
// holder of an old token could end a family.
//
// Holds: RFC 6749 section 6.
func TestFositeFinding_ReuseChecksClientFirst(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	_, r1 := d.Family("conf")
	live := d.Refresh("conf", r1).String("refresh_token")
	d.Refresh("other", r1).Fails(t, 400, "invalid_grant")
	d.Refresh("public", r1).Fails(t, 400, "invalid_grant")
	d.Post("/token", "conf:wrong", "grant_type", "refresh_token", "refresh_token", r1).Fails(t, 401,
		"invalid_client")
	require.True(t, d.Live(live))
}

// In fosite a lost race, a forged token and an inactive one had other codes
// and statuses than RFC 6749 section 5.2 gives them.
//
// Holds: RFC 6749 section 5.2.
func TestFositeFinding_RefreshErrorCodes(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	_, r1 := d.Family("conf")
	forged := r1[:20] + strings.Repeat("A", len(r1)-20)
	d.Refresh("conf", forged).Fails(t, 400, "invalid_grant")
	d.Refresh("conf", r1, "scope", "admin").Fails(t, 400, "invalid_scope")
	servertest.Parallel(8, func(int) {
		if res := d.Refresh("conf", r1); res.Status != 200 &&
			(res.Status != 400 || res.String("error") != "invalid_grant") {
			t.Errorf("a lost race is %d %s", res.Status, res.Body)
		}
	})
}

// In fosite the scope parameter of a refresh was ignored.
//
// Holds: RFC 6749 section 6.
func TestFositeFinding_RefreshScopeIsRead(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	_, r1 := d.Family("conf")
	require.Equal(t, "read", d.Refresh("conf", r1, "scope", "read").String("scope"))
}

// In fosite every registered client could ask about every token, also a
// refresh token, and any bearer token was a credential for asking.
//
// Holds: RFC 7662 section 2.1; RFC 7662 section 2.2.
func TestFositeFinding_IntrospectionHasOwners(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	access, refresh := d.Family("conf")
	for _, token := range []string{access, refresh} {
		require.Equal(t, `{"active":false}`, d.Introspect("other", token).Body)
	}
	req := servertest.Request("/introspect", "", servertest.Form("token", access))
	req.Header.Set("Authorization", "Bearer "+access)
	res := servertest.Serve(d.Handler, req)
	require.Equal(t, 401, res.Status)
	require.Equal(t, "invalid_client", res.String("error"))
	require.NotEmpty(t, res.Header.Get("WWW-Authenticate"))
}

// In fosite the expiry of a refresh token was that of the access token, and
// claims of the login could overwrite active and iss.
//
// Holds: RFC 7662 section 2.2; house: reserved claims.
func TestFositeFinding_IntrospectionIsOfTheTokenItself(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	code := d.Authorize(grantwell.Approval{
		Subject: "alice",
		Claims:  map[string]any{"active": false, "iss": "x", "token_type": "x", "nbf": 1},
	}, "scope", "read").Param("code")
	res := d.Redeem("conf", code)
	access := d.Introspect("conf", res.String("access_token")).JSON
	refresh := d.Introspect("conf", res.String("refresh_token")).JSON
	require.Greater(t, refresh["exp"], access["exp"].(float64)+86400)
	require.Equal(t, true, access["active"])
	require.Equal(t, "https://as.example", access["iss"])
	require.Equal(t, "Bearer", access["token_type"])
	require.NotContains(t, access, "nbf")
}

// In fosite a revocation without a token was accepted, and revoking an access
// token ended the refresh token.
//
// Holds: RFC 7009 section 2.1; RFC 7009 section 2.2.1.
func TestFositeFinding_RevocationOfAnAccessToken(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	access, refresh := d.Family("conf")
	d.Post("/revoke", servertest.Conf).Fails(t, 400, "invalid_request")
	require.Equal(t, 200, d.Revoke("conf", access).Status)
	require.True(t, d.Live(refresh))
	d.Revoke("other", refresh).Fails(t, 400, "invalid_grant")
}

// In fosite graceful rotation was left to the store and gave each retry a
// token of its own, so that the family forked.
//
// Holds: house: one succession.
func TestFositeFinding_GraceDoesNotFork(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{RetryWindow: time.Minute}))
	_, r1 := d.Family("conf")
	first := d.Refresh("conf", r1)
	first.SameTokens(t, d.Refresh("conf", r1))
	require.Equal(t, 1, d.ActiveOf(storage.Refresh))
}
