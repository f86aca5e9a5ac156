package grantwell_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// Handling a reuse removed the mark, so that a third use looked like an unknown token. Here the mark stays.
// Holds R164.
func TestFositeFinding_ReuseMarkStays(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	_, r1 := d.family("conf")
	d.refresh("conf", r1)
	for range 3 {
		d.refresh("conf", r1).fails(t, 400, "invalid_grant")
		rec, err := d.store.Get(t.Context(), storage.Refresh, storage.Key(r1))
		require.NoError(t, err)
		require.Equal(t, storage.Revoked, rec.State)
	}
}

// Reuse was handled before the client was checked, so that anybody with an old token could end a family.
// Holds R160.
func TestFositeFinding_ReuseChecksClientFirst(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	_, r1 := d.family("conf")
	live := d.refresh("conf", r1).str("refresh_token")
	d.refresh("other", r1).fails(t, 400, "invalid_grant")
	d.refresh("public", r1).fails(t, 400, "invalid_grant")
	d.post("/token", "conf:wrong", "grant_type", "refresh_token", "refresh_token", r1).fails(t, 401, "invalid_client")
	require.True(t, d.live(live))
}

// A lost race, a forged or an inactive token had other codes and statuses than RFC 6749 section 5.2 gives them.
// Holds R162.
func TestFositeFinding_RefreshErrorCodes(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	_, r1 := d.family("conf")
	forged := r1[:20] + strings.Repeat("A", len(r1)-20)
	d.refresh("conf", forged).fails(t, 400, "invalid_grant")
	d.refresh("conf", r1, "scope", "admin").fails(t, 400, "invalid_scope")
	parallel(8, func(int) {
		if res := d.refresh("conf", r1); res.status != 200 && (res.status != 400 || res.str("error") != "invalid_grant") {
			t.Errorf("a lost race is %d %s", res.status, res.body)
		}
	})
}

// The scope parameter of a refresh was ignored.
// Holds R161.
func TestFositeFinding_RefreshScopeIsHeard(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	_, r1 := d.family("conf")
	require.Equal(t, "read", d.refresh("conf", r1, "scope", "read").str("scope"))
}

// Any registered client could ask about any token, a refresh token too, and any bearer token was a credential for asking.
// Holds R231, R232, R228.
func TestFositeFinding_IntrospectionHasOwners(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	access, refresh := d.family("conf")
	for _, token := range []string{access, refresh} {
		require.Equal(t, `{"active":false}`, d.asked("other", token).body)
	}
	req := formRequest("/introspect", "", "token", access)
	req.Header.Set("Authorization", "Bearer "+access)
	res := serveTo(d.h, req)
	require.Equal(t, 401, res.status)
	require.Equal(t, "invalid_client", res.str("error"))
	require.NotEmpty(t, res.header.Get("WWW-Authenticate"))
}

// The expiry of a refresh token was told as the access token's, and claims of the login could overwrite active and iss.
// Holds S113, R246.
func TestFositeFinding_IntrospectionTellsTheTruth(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	code := d.authorize("conf", "read", grantwell.Approval{Subject: "alice", Claims: map[string]any{"active": false, "iss": "x", "token_type": "x", "nbf": 1}}).answered("code")
	res := d.redeem("conf", code)
	access, refresh := d.asked("conf", res.str("access_token")).json, d.asked("conf", res.str("refresh_token")).json
	require.Greater(t, refresh["exp"], access["exp"].(float64)+86400)
	require.Equal(t, true, access["active"])
	require.Equal(t, "https://as.example", access["iss"])
	require.Equal(t, "Bearer", access["token_type"])
	require.NotContains(t, access, "nbf")
}

// A revocation without a token was accepted, and one of an access token ended the refresh token.
// Holds R218, R221.
func TestFositeFinding_RevocationOfAnAccessToken(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	access, refresh := d.family("conf")
	d.post("/revoke", conf).fails(t, 400, "invalid_request")
	require.Equal(t, 200, d.revoke("conf", access).status)
	require.True(t, d.live(refresh))
	d.revoke("other", refresh).fails(t, 400, "invalid_grant")
}

// Graceful rotation was the store's business and gave each retry a token of its own: the family forked.
// Holds R165, V6.
func TestFositeFinding_GraceDoesNotFork(t *testing.T) {
	t.Parallel()
	d := newDirect(t, withRefresh(grants.RefreshToken{RetryWindow: time.Minute}))
	_, r1 := d.family("conf")
	first := d.refresh("conf", r1)
	first.sameTokens(t, d.refresh("conf", r1))
	require.Equal(t, 1, d.activeOf(storage.Refresh))
}
