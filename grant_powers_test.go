package grantwell_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
)

// embedsCode is a grant of the host that has another one inside.
type embedsCode struct{ grants.AuthorizationCode }

// wrapsGrant is a grant of the host that names another one without embedding it.
type wrapsGrant struct{ inner grants.Handler }

// GrantType implements [grants.Handler].
func (n wrapsGrant) GrantType() string { return n.inner.GrantType() }

// Handle implements [grants.Handler].
func (n wrapsGrant) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	return n.inner.Handle(ctx, r)
}

// Unwrap implements [grants.Wrapper].
func (n wrapsGrant) Unwrap() grants.Handler { return n.inner }

// wraps returns the ways in which a host may list the authorization code grant.
func wraps(g grants.AuthorizationCode) map[string]grants.Handler {
	return map[string]grants.Handler{
		"itself":         g,
		"pointer":        &g,
		"embedded":       embedsCode{g},
		"pointer to it":  &embedsCode{g},
		"named":          wrapsGrant{g},
		"named pointer":  &wrapsGrant{&g},
		"named embedded": wrapsGrant{embedsCode{g}},
	}
}

// A grant that wraps the authorization code grant keeps its settings: the endpoint
// demands the challenge and accepts the methods that the metadata list, as without the
// wrapper (RFC 7636 sections 4.3 and 4.4.1).
func TestWrappedGrant_KeepsItsPKCERules(t *testing.T) {
	t.Parallel()
	for settings, g := range map[string]grants.AuthorizationCode{
		"default":  {},
		"required": {RequirePKCE: true},
		"plain":    {AllowPlainPKCE: true},
		"both":     {RequirePKCE: true, AllowPlainPKCE: true},
	} {
		for way, h := range wraps(g) {
			t.Run(settings+"/"+way, func(t *testing.T) {
				t.Parallel()
				s := servertest.New(t, func(cfg *grantwell.Config) { cfg.Grants[0] = h })
				methods := []any{"S256"}
				if g.AllowPlainPKCE {
					methods = append(methods, "plain")
				}
				require.Equal(t, methods, s.Get(wellKnown).JSON["code_challenge_methods_supported"])

				ask := func(client string, pairs ...string) string {
					res := s.Authorize(s.Approval, append([]string{"client_id", client}, pairs...)...)
					if e := res.Param("error"); e != "" {
						require.Equal(t, grants.ReasonChallenge, s.LastEvent().Reason)
						return e
					}
					require.NotEmpty(t, res.Param("code"), res.Body)
					return ""
				}
				refused := map[bool]string{true: "invalid_request"}
				without := []string{"code_challenge", "-", "code_challenge_method", "-"}
				require.Empty(t, ask("conf"))
				require.Equal(t, "invalid_request", ask("public", without...), "RFC 9700 section 2.1.1")
				require.Equal(t, refused[g.RequirePKCE], ask("conf", without...))
				require.Equal(t, refused[!g.AllowPlainPKCE], ask("conf", "code_challenge_method", "plain"))
				require.Equal(t, refused[!g.AllowPlainPKCE], ask("conf", "code_challenge_method", "-"))
				require.Equal(t, "invalid_request", ask("conf", "code_challenge", "short"))
			})
		}
	}
}

// A code of a wrapped grant is redeemed by the rules of the inner one.
func TestWrappedGrant_RedeemsItsCodes(t *testing.T) {
	t.Parallel()
	for way, h := range wraps(grants.AuthorizationCode{RequirePKCE: true}) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t, func(cfg *grantwell.Config) { cfg.Grants[0] = h })
			s.Redeem("conf", s.Code("conf"), "code_verifier", "-").Fails(t, 400, "invalid_grant")
			require.Equal(t, grants.ReasonCodeVerifier, s.LastEvent().Reason)
			res := s.Redeem("conf", s.Code("conf"))
			require.Equal(t, 200, res.Status, res.Body)
			require.True(t, s.Live(res.String("access_token")))
		})
	}
}

// Without a grant that has a response type, nothing of the authorization endpoint is
// listed, also if a grant of the host wraps another one.
func TestWrappedGrant_AddsNoPowerOfItsOwn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Grants = []grants.Handler{wrapsGrant{grants.ClientCredentials{}}}
	})
	meta := s.Get(wellKnown).JSON
	require.Equal(t, []any{}, meta["response_types_supported"])
	for _, member := range []string{"authorization_endpoint", "code_challenge_methods_supported", "response_modes_supported"} {
		require.NotContains(t, meta, member)
	}
	s.Authorize(s.Approval).IsPage(t, 400)
	require.Equal(t, 200, s.ClientCredentials(servertest.Conf).Status)
}
