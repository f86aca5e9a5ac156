package grantwell_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// A claim about the user reaches a token only with a scope that covers it (OpenID
// Connect Core section 5.4).
func TestClaims_AboutAUserNeedTheirScope(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Scopes.Claims = map[string][]string{"staff": {"badge"}, "write": {"email"}}
	})
	s.AddClient("conf", func(c *storage.Client) {
		c.Scope = []string{"read", "write", "email", "profile", "staff"}
	})
	s.Approval.Claims = map[string]any{"email": "a@b.example", "name": "Alice", "badge": "7", "tenant": "t1"}
	for scope, want := range map[string][]string{
		"read":          {"tenant"},
		"read email":    {"tenant", "email"},
		"read write":    {"tenant", "email"},
		"profile":       {"tenant", "name"},
		"staff profile": {"tenant", "name", "badge"},
	} {
		res := s.Redeem("conf", s.Code("conf", "scope", scope))
		require.Equal(t, 200, res.Status, res.Body)
		again := s.Refresh("conf", res.String("refresh_token"))
		for _, token := range []string{res.String("access_token"), again.String("access_token")} {
			answer := s.Introspect("conf", token)
			require.True(t, answer.Active())
			for _, name := range []string{"email", "name", "badge", "tenant"} {
				if has := answer.JSON[name] != nil; has {
					require.Contains(t, want, name, scope)
				} else {
					require.NotContains(t, want, name, scope)
				}
			}
		}
	}

	// A narrowed token lacks the claim, and the family keeps it.
	res := s.Redeem("conf", s.Code("conf", "scope", "read email"))
	narrow := s.Refresh("conf", res.String("refresh_token"), "scope", "read")
	require.Nil(t, s.Introspect("conf", narrow.String("access_token")).JSON["email"])
	whole := s.Refresh("conf", narrow.String("refresh_token"))
	require.Equal(t, "a@b.example", s.Introspect("conf", whole.String("access_token")).JSON["email"])
}

// A token of a client's own never has a scope that speaks of a user, asked for or
// not (RFC 6749 sections 3.3 and 4.4).
func TestClientCredentials_HasNoScopeOfAUser(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Scopes.Claims = map[string][]string{"staff": {"badge"}}
	})
	all := []string{"openid", "offline_access", "profile", "email", "address", "phone", "staff", "read"}
	for _, preset := range [][]string{nil, all} {
		s.AddClient("conf", func(c *storage.Client) {
			c.Scope = all
			c.DefaultScope = preset
		})
		require.Equal(t, "read", s.ClientCredentials(servertest.Conf).String("scope"))
	}
	for _, scope := range all[:7] {
		s.ClientCredentials(servertest.Conf, "scope", "read "+scope).Fails(t, 400, "invalid_scope")
	}
}

// Introspection needs proof of who asks (RFC 7662 section 2.1), and the metadata say
// so. Where no grant serves a public client, no endpoint lists its method.
func TestMetadata_ListsNoMethodThatIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	access, _ := s.Family("public")
	s.Introspect("public", access).Fails(t, 401, "invalid_client")
	meta := s.Get("/.well-known/oauth-authorization-server").JSON
	require.Contains(t, meta["token_endpoint_auth_methods_supported"], "none")
	require.Contains(t, meta["revocation_endpoint_auth_methods_supported"], "none")
	require.NotContains(t, meta["introspection_endpoint_auth_methods_supported"], "none")

	s = servertest.New(t, func(cfg *grantwell.Config) { cfg.Grants = cfg.Grants[3:4] })
	meta = s.Get("/.well-known/oauth-authorization-server").JSON
	for _, endpoint := range []string{"token", "revocation", "introspection"} {
		require.NotContains(t, meta[endpoint+"_endpoint_auth_methods_supported"], "none")
	}
}

// A revocation is answered 200 without content (RFC 7009 section 2.2), and without a type:
// clients that see one parse what is not there.
func TestRevoke_AnswerIsEmpty(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil).Listen()
	access, _ := s.Family("conf")
	for _, token := range []string{access, access, "unknown"} {
		res := s.Revoke("conf", token)
		require.Equal(t, 200, res.Status)
		require.Empty(t, res.Body)
		require.NotContains(t, res.Header, "Content-Type")
	}
}
