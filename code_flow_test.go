package grantwell_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
)

// The whole code flow: authorization, redemption, refresh, introspection and
// revocation.
//
// Holds: RFC 6749 section 4.1.1; RFC 6749 section 4.1.2; RFC 6749 section 4.1.3;
// RFC 6749 section 6; RFC 7009 section 2.1; RFC 7662 section 2.2;
// RFC 9207 section 2; RFC 9700 section 2.2.2.
func TestCodeFlow_EndToEnd(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, nil)
	q := r.Get("/authorize", "response_type", "code", "client_id", "conf",
		"redirect_uri", servertest.Redirect, "state", "a b+c%&=",
		"code_challenge", servertest.Challenge, "code_challenge_method", "S256").Params(t)
	require.Equal(t, "a b+c%&=", q.Get("state"))
	require.Equal(t, "https://as.example", q.Get("iss"))
	first := r.Redeem("conf", q.Get("code"))
	require.Equal(t, 200, first.Status, first.Body)
	require.Equal(t, "Bearer", first.String("token_type"))
	require.InDelta(t, 3600, first.JSON["expires_in"], 1)
	require.True(t, r.Live(first.String("access_token")))

	second := r.Refresh("conf", first.String("refresh_token"))
	require.Equal(t, 200, second.Status, second.Body)
	require.NotEqual(t, first.String("refresh_token"), second.String("refresh_token"))
	require.Equal(t, 200, r.Revoke("conf", second.String("refresh_token")).Status)
	require.False(t, r.Live(first.String("access_token")))
	require.False(t, r.Live(second.String("access_token")))
	r.Refresh("conf", second.String("refresh_token")).Fails(t, 400, "invalid_grant")
}
