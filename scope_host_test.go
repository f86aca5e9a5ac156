package grantwell_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// A grant of the host that decided on no scope has none, also where the server's rules
// would refuse a request without one and the host's rule would grant some.
//
// Holds: house: one scope engine; house: grants of the host.
func TestScope_HostGrantThatDecidedOnNone(t *testing.T) {
	t.Parallel()
	for name, decide := range map[string]func(context.Context, grantwell.ScopeRequest) ([]string, error){
		"no rule": nil,
		"a rule":  func(context.Context, grantwell.ScopeRequest) ([]string, error) { return []string{"write"}, nil },
	} {
		d := servertest.New(t, func(cfg *grantwell.Config) {
			cfg.Scopes.Decide = decide
			cfg.Grants = append(cfg.Grants, servertest.HostGrant(
				func(context.Context, *grants.Request) (*grants.Grant, error) {
					g := &grants.Grant{Subject: "alice"}
					g.Scope = []string{}
					return g, nil
				}))
		})
		d.ChangeClient("conf", func(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, servertest.HostGrantType) })
		res := d.Post("/token", servertest.Conf, "grant_type", servertest.HostGrantType)
		require.Equal(t, 200, res.Status, "%s: %s", name, res.Body)
		require.Empty(t, res.String("scope"), name)
	}
}
