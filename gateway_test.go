package grantwell_test

import (
	"context"
	"encoding/xml"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// The preset Gateway has the paths, lengths, lifetimes and formats of that
// gateway's clients, in errors too.
//
// Holds: house: delimiters; house: gateway formats; house: numeric lifetimes;
// house: token settings.
func TestGateway_Formats(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		*cfg = grantwell.Gateway(*cfg)
		cfg.Hooks.BeforeIssue = func(_ context.Context, i *grantwell.Issuance) error {
			i.Response["a<b&c"], i.Response["1n"] = "x</response><y>&\x01", map[string]int{"n": 1}
			return nil
		}
	})
	l.AddClient("conf", func(c *storage.Client) {
		c.Scope = append(c.Scope, "resource.WRITE", "resource.READ")
	})
	ask := func(format string, more ...string) servertest.Reply {
		return l.Post("/api/oauth/token", servertest.Conf,
			append([]string{"grant_type", "client_credentials", "scope",
				"resource.WRITE,resource.READ", "format", format}, more...)...)
	}
	for _, format := range []string{"", "json"} {
		res := ask(format)
		require.Equal(t, "application/json", res.Header.Get("Content-Type"))
		require.Equal(t, "resource.WRITE resource.READ", res.String("scope"))
		require.Equal(t, "3600", res.String("expires_in"), "quoted, as its samples are")
		require.Len(t, res.String("access_token"), 54)
	}
	for _, format := range []string{"urlencoded", "query"} {
		res := ask(format)
		require.Equal(t, 200, res.Status, res.Body)
		require.Equal(t, "application/x-www-form-urlencoded", res.Header.Get("Content-Type"))
		q, err := url.ParseQuery(res.Body)
		require.NoError(t, err)
		require.Equal(t, []string{"resource.WRITE resource.READ", "Bearer", "3600",
			"x</response><y>&\x01", `{"n":1}`},
			[]string{q.Get("scope"), q.Get("token_type"), q.Get("expires_in"), q.Get("a<b&c"),
				q.Get("1n")})
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	}
	res := ask("xml")
	require.Equal(t, "application/xml", res.Header.Get("Content-Type"))
	var doc struct {
		XMLName xml.Name `xml:"response"`
		Token   string   `xml:"access_token"`
		Scope   string   `xml:"scope"`
		Odd     string   `xml:"a_b_c"`
		Y       []string `xml:"y"`
	}
	require.NoError(t, xml.Unmarshal([]byte(res.Body), &doc), res.Body)
	require.Len(t, doc.Token, 54)
	require.Equal(t, "resource.WRITE resource.READ", doc.Scope)
	require.Equal(t, "x</response><y>&\uFFFD", doc.Odd)
	require.Empty(t, doc.Y)

	for _, format := range []string{"yaml", "XML", "json;x"} {
		res := ask(format)
		res.Fails(t, 400, "invalid_request")
		require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	}
	res = ask("xml", "client_id", "other")
	require.Equal(t, []any{400, "application/xml", "no-store"},
		[]any{res.Status, res.Header.Get("Content-Type"), res.Header.Get("Cache-Control")})
	require.Contains(t, res.Body, "<error>invalid_request</error>")
	res = l.Post("/api/oauth/token", servertest.Conf, "grant_type", "magic", "format", "urlencoded")
	q, err := url.ParseQuery(res.Body)
	require.NoError(t, err)
	require.Equal(t, "unsupported_grant_type", q.Get("error"))

	// Without the preset the parameter is one of those that are ignored.
	plain := servertest.New(t, nil).ClientCredentials(servertest.Conf, "format", "xml")
	require.Equal(t, 200, plain.Status)
	require.IsType(t, float64(0), plain.JSON["expires_in"])
}
