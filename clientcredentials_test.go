package grantwell_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// A client gets a token for itself and no refresh token, unless that was asked for by name.
// Holds S59, S60, R138.
func TestClientCredentials_SpeaksForTheClient(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) { cfg.Paths.TokenInfo = "/tokeninfo" })
	res := l.post("/token", conf, "grant_type", "client_credentials")
	require.Equal(t, 200, res.status, res.body)
	require.NotContains(t, res.json, "refresh_token")
	info := l.post("/tokeninfo", conf, "access_token", res.str("access_token"))
	require.Equal(t, "conf", info.str("user_id"))
	require.Equal(t, "conf", info.str("audience"))
	require.Equal(t, "conf", l.post("/introspect", conf, "token", res.str("access_token")).str("sub"))

	l = newLocal(t, func(cfg *grantwell.Config) {
		cfg.Grants = []grants.Handler{grants.ClientCredentials{Refresh: true}, grants.RefreshToken{}}
	})
	res = l.post("/token", conf, "grant_type", "client_credentials")
	require.Equal(t, 200, l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", res.str("refresh_token")).status)
	l.put(func(c *storage.Client) { c.GrantTypes = []string{"client_credentials"} })
	require.NotContains(t, l.post("/token", conf, "grant_type", "client_credentials").json, "refresh_token")
}

// A public client has nothing to prove itself by, whatever the registry says.
// Holds S61, R137.
func TestClientCredentials_PublicClient(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) { cfg.Clients = lenient{cfg.Clients} })
	l.post("/token", "", "grant_type", "client_credentials", "client_id", "public").fails(t, 400, "unauthorized_client")
}

// lenient is a registry that lists every grant for everybody, as Client.Validate would not allow.
type lenient struct{ storage.Clients }

func (l lenient) Client(ctx context.Context, id string) (storage.Client, error) {
	c, err := l.Clients.Client(ctx, id)
	c.GrantTypes = allGrants
	return c, err
}

// Scopes that the client may not have are refused; what it gets without asking is told.
// Holds S128, S130, S132, R139.
func TestClientCredentials_Scope(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	require.Equal(t, "read", l.post("/token", conf, "grant_type", "client_credentials").str("scope"))
	require.Equal(t, "write read", l.post("/token", conf, "grant_type", "client_credentials", "scope", "write read").str("scope"))
	for _, s := range []string{"admin", "read admin", "READ", "rea", "reads"} {
		l.post("/token", conf, "grant_type", "client_credentials", "scope", s).fails(t, 400, "invalid_scope")
	}
	l.put(func(c *storage.Client) { c.DefaultScope = nil })
	l.post("/token", conf, "grant_type", "client_credentials").fails(t, 400, "invalid_scope")
}
