package grantwell_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// A resource at the token endpoint is obeyed or refused, and never ignored (RFC 8707
// section 2). A refusal does not spend the code or the refresh token.
func TestTokenRequest_ResourceIsNeverIgnored(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	c, err := d.Store.Client(t.Context(), "conf")
	require.NoError(t, err)
	c.Audience = []string{"https://a.example", "https://b.example"}
	require.NoError(t, d.Store.(storage.Registrar).PutClient(t.Context(), c))

	wrong := [][]string{
		{"resource", "https://c.example"},
		{"resource", "not a URI"},
		{"resource", "https://a.example", "resource", "https://b.example"},
		{"audience", "https://c.example"},
		{"resource", "https://a.example", "audience", "https://b.example"},
	}
	code := d.Authorize(grantwell.Approval{Subject: "alice"}).Param("code")
	for _, pairs := range wrong {
		d.ClientCredentials(servertest.Conf, pairs...).Fails(t, 400, "invalid_target")
		d.Redeem("conf", code, pairs...).Fails(t, 400, "invalid_target")
	}
	d.Redeem("conf", code, "resource", "https://b.example").Fails(t, 400, "invalid_target")
	res := d.Redeem("conf", code, "resource", "https://a.example")
	require.Equal(t, 200, res.Status, res.Body)
	refresh := res.String("refresh_token")
	for _, pairs := range wrong {
		d.Refresh("conf", refresh, pairs...).Fails(t, 400, "invalid_target")
	}
	require.Equal(t, 200, d.Refresh("conf", refresh).Status)

	res = d.ClientCredentials(servertest.Conf, "resource", "https://b.example")
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, "https://b.example", d.Introspect("conf", res.String("access_token")).String("aud"))
}
