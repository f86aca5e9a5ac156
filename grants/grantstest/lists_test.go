package grantstest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/room/issue"
)

// The kit's list of claims is the server's: a grant that passes loses none.
func TestKit_ListsTheServersClaims(t *testing.T) {
	t.Parallel()
	for _, name := range registered {
		require.True(t, issue.Registered(name), "the server takes over the claim %s", name)
	}
	for _, name := range []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", // RFC 7519 section 4.1
		"client_id", "scope", "auth_time", "cnf", "acr", "amr", "azp", "nonce", "sid", "act", "may_act",
		"active", "username", "token_type", "email", "name", "groups", "roles", "entitlements",
	} {
		require.Equal(t, issue.Registered(name), slices.Contains(registered, name), name)
	}
}
