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

// A client gets a token for itself, and a refresh token only if the
// configuration asks for one.
//
// Holds: RFC 6749 section 4.4.3; house: client as user.
func TestClientCredentials_TokenIsTheClients(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) { cfg.Paths.TokenInfo = "/tokeninfo" })
	res := l.ClientCredentials(servertest.Conf)
	require.Equal(t, 200, res.Status, res.Body)
	require.NotContains(t, res.JSON, "refresh_token")
	info := l.Post("/tokeninfo", servertest.Conf, "access_token", res.String("access_token"))
	require.Equal(t, "conf", info.String("user_id"))
	require.Equal(t, "conf", info.String("audience"))
	require.Equal(t, "conf", l.Introspect("conf", res.String("access_token")).String("sub"))

	l = servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Grants = []grants.Handler{
			grants.ClientCredentials{Refresh: true},
			grants.RefreshToken{},
		}
	})
	res = l.ClientCredentials(servertest.Conf)
	require.Equal(t, 200, l.Refresh("conf", res.String("refresh_token")).Status)
	l.AddClient("conf", func(c *storage.Client) { c.GrantTypes = []string{"client_credentials"} })
	require.NotContains(t, l.ClientCredentials(servertest.Conf).JSON, "refresh_token")
}

// A public client cannot authenticate, so it gets no token, whatever the
// registry lists.
//
// Holds: RFC 6749 section 4.4.
func TestClientCredentials_PublicClientIsRefused(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) { cfg.Clients = lenient{cfg.Clients} })
	l.ClientCredentials("", "client_id", "public").Fails(t, 400, "unauthorized_client")
}

// lenient is a registry that lists every grant type for every client, which
// Client.Validate does not allow.
type lenient struct{ storage.Clients }

func (l lenient) Client(ctx context.Context, id string) (storage.Client, error) {
	c, err := l.Clients.Client(ctx, id)
	c.GrantTypes = servertest.GrantTypes()
	return c, err
}

// A scope that the client may not have is refused. The answer names the scope
// that the client got without asking.
//
// Holds: RFC 6749 section 3.3.
func TestClientCredentials_ScopeIsTheClients(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	require.Equal(t, "read", l.ClientCredentials(servertest.Conf).String("scope"))
	require.Equal(t, "write read",
		l.ClientCredentials(servertest.Conf, "scope", "write read").String("scope"))
	for _, s := range []string{"admin", "read admin", "READ", "rea", "reads"} {
		l.ClientCredentials(servertest.Conf, "scope", s).Fails(t, 400, "invalid_scope")
	}
	l.AddClient("conf", func(c *storage.Client) { c.DefaultScope, c.Scope = nil, nil })
	l.ClientCredentials(servertest.Conf).Fails(t, 400, "invalid_scope")
}
