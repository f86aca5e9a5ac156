package grantwell_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// A grant of the host's own is served at the same endpoint by the same rules
// as the server's grants.
//
// Holds: house: grants of the host.
func TestHostGrant_IsServedByTheSameRules(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Grants = append(cfg.Grants,
			servertest.HostGrant(func(_ context.Context, r *grants.Request) (*grants.Grant, error) {
				switch r.Form.Get("ticket") {
				case "good":
					return &grants.Grant{
						Subject:  "bob",
						Refresh:  true,
						Claims:   map[string]any{"seat": 7},
						Response: map[string]any{"seat": 7, "scope": "admin"},
					}, nil
				case "nothing":
					return nil, nil
				case "nobody":
					return &grants.Grant{}, nil
				case "odd":
					return nil, &grants.Error{
						Code:        "ticket\n\"used\"",
						Description: "ü",
						Status:      42,
					}
				case "empty":
					return nil, &grants.Error{}
				case "beyond":
					return nil, &grants.Error{Code: "x", Status: 1000}
				case "success":
					return nil, &grants.Error{Code: "x", Status: 200}
				}
				return nil, grants.InvalidGrant("no such ticket")
			}))
	})
	try := func(ticket string) servertest.Reply {
		return l.Post("/token", servertest.Conf, "grant_type", servertest.HostGrantType,
			"ticket", ticket, "scope", "write")
	}
	try("good").Fails(t, 400, "unauthorized_client")
	l.AddClient("conf", func(c *storage.Client) {
		c.GrantTypes = append(c.GrantTypes, servertest.HostGrantType)
	})
	res := try("good")
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, "write", res.String("scope"))
	require.Equal(t, 7.0, res.JSON["seat"])
	intro := l.Introspect("conf", res.String("access_token"))
	require.Equal(t, []any{"bob", 7.0}, []any{intro.JSON["sub"], intro.JSON["seat"]})
	require.Equal(t, 200, l.Refresh("conf", res.String("refresh_token")).Status)
	try("bad").Fails(t, 400, "invalid_grant")
	try("nothing").Fails(t, 500, "server_error")
	try("nobody").Fails(t, 500, "server_error")
	try("empty").Fails(t, 500, "server_error")
	try("odd").Fails(t, 400, "ticketused")
	try("odd").IsOnlyAnError(t)
	try("success").Fails(t, 400, "x")
	try("beyond").Fails(t, 400, "x")
	meta := l.Do(httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server", nil))
	require.Contains(t, meta.JSON["grant_types_supported"], servertest.HostGrantType)
}
