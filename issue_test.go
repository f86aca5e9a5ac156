package grantwell_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// A host's own grant is served at the same endpoint, by the same rules, as ours.
// Holds S3.
func TestGrants_HostsOwn(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Grants = append(cfg.Grants, servertest.HostGrant(func(_ context.Context, r *grants.Request) (*grants.Grant, error) {
			switch r.Form.Get("ticket") {
			case "good":
				return &grants.Grant{Subject: "bob", Refresh: true, Claims: map[string]any{"seat": 7}, Response: map[string]any{"seat": 7, "scope": "admin"}}, nil
			case "nothing":
				return nil, nil
			case "nobody":
				return &grants.Grant{}, nil
			case "odd":
				return nil, &grants.Error{Code: "ticket\n\"used\"", Description: "ü", Status: 42}
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
		return l.Post("/token", servertest.Conf, "grant_type", servertest.HostGrantType, "ticket", ticket, "scope", "write")
	}
	try("good").Fails(t, 400, "unauthorized_client")
	l.AddClient("conf", func(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, servertest.HostGrantType) })
	res := try("good")
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, "write", res.String("scope"))
	require.Equal(t, 7.0, res.JSON["seat"])
	intro := l.Post("/introspect", servertest.Conf, "token", res.String("access_token"))
	require.Equal(t, []any{"bob", 7.0}, []any{intro.JSON["sub"], intro.JSON["seat"]})
	require.Equal(t, 200, l.Post("/token", servertest.Conf, "grant_type", "refresh_token", "refresh_token", res.String("refresh_token")).Status)
	try("bad").Fails(t, 400, "invalid_grant")
	try("nothing").Fails(t, 500, "server_error")
	try("nobody").Fails(t, 500, "server_error")
	try("empty").Fails(t, 500, "server_error")
	try("odd").Fails(t, 400, "ticketused")
	try("odd").IsOnlyAnError(t)
	try("success").Fails(t, 400, "x")
	try("beyond").Fails(t, 400, "x")
	meta := l.Do(httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	require.Contains(t, meta.JSON["grant_types_supported"], servertest.HostGrantType)
}

// The preset for the gateway's clients: its paths, lengths, lifetimes, and formats, in errors too.
// Holds S16, S17, S23, S62.
func TestGateway_Formats(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		*cfg = grantwell.Gateway(*cfg)
		cfg.Hooks.Issue = func(_ context.Context, i *grantwell.Issue) error {
			i.Response["a<b&c"], i.Response["1n"] = "x</response><y>&\x01", map[string]int{"n": 1}
			return nil
		}
	})
	l.AddClient("conf", func(c *storage.Client) { c.Scope = append(c.Scope, "resource.WRITE", "resource.READ") })
	ask := func(format string, more ...string) servertest.Reply {
		return l.Post("/api/oauth/token", servertest.Conf, append([]string{"grant_type", "client_credentials", "scope", "resource.WRITE,resource.READ", "format", format}, more...)...)
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
		require.Equal(t, []string{"resource.WRITE resource.READ", "Bearer", "3600", "x</response><y>&\x01", `{"n":1}`},
			[]string{q.Get("scope"), q.Get("token_type"), q.Get("expires_in"), q.Get("a<b&c"), q.Get("1n")})
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
	require.Equal(t, []any{400, "application/xml", "no-store"}, []any{res.Status, res.Header.Get("Content-Type"), res.Header.Get("Cache-Control")})
	require.Contains(t, res.Body, "<error>invalid_request</error>")
	res = l.Post("/api/oauth/token", servertest.Conf, "grant_type", "magic", "format", "urlencoded")
	q, err := url.ParseQuery(res.Body)
	require.NoError(t, err)
	require.Equal(t, "unsupported_grant_type", q.Get("error"))

	// Without the preset the parameter is one of those that are ignored.
	plain := servertest.New(t, nil).Post("/token", servertest.Conf, "grant_type", "client_credentials", "format", "xml")
	require.Equal(t, 200, plain.Status)
	require.IsType(t, float64(0), plain.JSON["expires_in"])
}

// Lengths and lifetimes are the configured ones, and a client's own win.
// Holds S23, S24.
func TestIssue_LengthsAndLifetimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := servertest.New(t, func(cfg *grantwell.Config) {
			servertest.Signed(servertest.Keys(t))(cfg)
			cfg.AccessTokenFormat = "opaque"
			cfg.AccessTokens, cfg.RefreshTokens, cfg.Codes = tokens.Opaque{Length: 54, Prefix: "gw_at_"}, tokens.Opaque{Length: 46}, tokens.Opaque{Length: 30}
			cfg.AccessTokenLifetime, cfg.RefreshTokenLifetime = 20*time.Minute, 12*time.Hour
		})
		l.AddClient("conf", func(c *storage.Client) {
			c.ID, c.AccessTokenLifetime, c.RefreshTokenLifetime, c.AccessTokenFormat = "other", time.Minute, time.Hour, "jwt"
		})
		code := l.Code("conf")
		require.Len(t, code, 30)
		res := l.Redeem("conf", code)
		require.Len(t, res.String("access_token"), 54)
		require.True(t, strings.HasPrefix(res.String("access_token"), "gw_at_"))
		require.Len(t, res.String("refresh_token"), 46)
		require.Equal(t, 1200.0, res.JSON["expires_in"])
		own := l.Post("/token", "other:"+servertest.Secret, "grant_type", "authorization_code", "code", l.Code("other"), "redirect_uri", servertest.Redirect, "code_verifier", servertest.Verifier)
		require.Equal(t, 60.0, own.JSON["expires_in"])
		require.Equal(t, "other", servertest.TokenClaims(t, own.String("access_token"))["client_id"])
		refresh := func(as, token string) servertest.Reply {
			return l.Post("/token", as, "grant_type", "refresh_token", "refresh_token", token)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		require.True(t, l.Valid(own.String("access_token")))
		time.Sleep(time.Nanosecond)
		require.False(t, l.Valid(own.String("access_token")))
		time.Sleep(58 * time.Minute)
		require.False(t, l.Valid(res.String("access_token")))
		next := refresh("other:"+servertest.Secret, own.String("refresh_token"))
		require.Equal(t, 200, next.Status, next.Body)
		time.Sleep(time.Minute)
		refresh("other:"+servertest.Secret, next.String("refresh_token")).Fails(t, 400, "invalid_grant")
		time.Sleep(11*time.Hour - time.Second)
		last := refresh(servertest.Conf, res.String("refresh_token"))
		require.Equal(t, 1.0, last.JSON["expires_in"], "no access token outlives its family")
	})
}

// The token type is one thing, issued and validated.
// Holds S178.
func TestIssue_TokenType(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) { cfg.TokenType = "Custom" })
	res := l.Post("/token", servertest.Conf, "grant_type", "client_credentials")
	require.Equal(t, "Custom", res.String("token_type"))
	intro := l.Post("/introspect", servertest.Conf, "token", res.String("access_token"))
	require.Equal(t, []any{true, "Custom"}, []any{intro.JSON["active"], intro.JSON["token_type"]})
}

// A client's audience is the default one of its tokens, else the server's, else the issuer.
func TestIssue_Audience(t *testing.T) {
	t.Parallel()
	aud := func(l *servertest.Server) any {
		res := l.Post("/token", servertest.Conf, "grant_type", "client_credentials")
		i, err := l.AS.Introspect(context.Background(), res.String("access_token"))
		require.NoError(t, err)
		return i.Audience
	}
	require.Equal(t, []string{"https://as.example"}, aud(servertest.New(t, nil)))
	l := servertest.New(t, func(cfg *grantwell.Config) { cfg.Audience = []string{"https://api.example"} })
	require.Equal(t, []string{"https://api.example"}, aud(l))
	l.AddClient("conf", func(c *storage.Client) { c.Audience = []string{"https://one.example", "https://two.example"} })
	require.Equal(t, []string{"https://one.example"}, aud(l))
}

// The pages of a client's own origins may read its answers, and nobody else's.
// Holds S22, R20.
func TestCORS(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Paths.TokenInfo, cfg.Origins = "/tokeninfo", []string{"https://extra.example"}
	})
	const own = "https://app.example"
	token := l.Post("/token", servertest.Conf, "grant_type", "client_credentials").String("access_token")
	for _, path := range []string{"/token", "/revoke", "/introspect", "/tokeninfo"} {
		for origin, allowed := range map[string]bool{own: true, "https://evil.example": false, "null": false, "https://app.example.evil.example": false, "https://extra.example": false,
			"http://app.example": false, "https://APP.example": false, "https://app.example:443": false, "*": false} {
			for _, as := range []string{servertest.Conf, "conf:wrong", "other:" + servertest.Secret} {
				req := servertest.Request(path, as, servertest.Form("grant_type", "client_credentials", "token", "x", "access_token", token))
				req.Header.Set("Origin", origin)
				res := l.Do(req)
				want := ""
				if allowed && as != "other:"+servertest.Secret {
					want = origin
				}
				require.Equal(t, want, res.Header.Get("Access-Control-Allow-Origin"), path+origin+as)
				require.Empty(t, res.Header.Get("Access-Control-Allow-Credentials"))
				require.Contains(t, res.Header.Values("Vary"), "Origin")
			}
			req := httptest.NewRequest("OPTIONS", path, nil)
			req.Header.Set("Origin", origin)
			req.Header.Set("Access-Control-Request-Method", "POST")
			res := l.Do(req)
			if allowed || origin == "https://extra.example" {
				require.Equal(t, []any{204, origin, "POST"}, []any{res.Status, res.Header.Get("Access-Control-Allow-Origin"), res.Header.Get("Access-Control-Allow-Methods")})
			} else {
				require.Empty(t, res.Header.Get("Access-Control-Allow-Origin"), origin)
			}
			require.Empty(t, res.Header.Get("Access-Control-Allow-Credentials"))
		}
		require.Empty(t, l.Post(path, servertest.Conf, "grant_type", "client_credentials", "token", "x", "access_token", token).Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, 405, l.Do(httptest.NewRequest("OPTIONS", path, nil)).Status)
	}
	req := httptest.NewRequest("GET", "/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+servertest.Redirect, nil)
	req.Header.Set("Origin", own)
	require.Empty(t, l.Do(req).Header.Get("Access-Control-Allow-Origin"))
}

// Hostile input costs no more memory than its own size.
// Holds V149, V183.
func TestMemory_HostileInput(t *testing.T) { // not parallel: it reads the process's counters
	l := servertest.New(t, func(cfg *grantwell.Config) { servertest.Signed(servertest.Keys(t))(cfg) })
	dots := strings.Repeat(".", 1<<20)
	cookies := servertest.Request("/token", servertest.Conf, cc)
	for i := range 10_000 {
		cookies.Header.Add("Cookie", fmt.Sprintf("c%d=v", i))
	}
	whole := servertest.Request("/introspect", servertest.Conf, "token="+dots)
	chunked := servertest.Request("/introspect", servertest.Conf, "token="+dots)
	chunked.ContentLength = -1
	for name, tt := range map[string]struct {
		limit uint64
		run   func()
	}{
		"a token of dots":   {64 << 10, func() { _, _ = l.AS.Introspect(t.Context(), dots) }},
		"a body of dots":    {64 << 10, func() { require.Equal(t, 413, l.Do(whole).Status) }},
		"a chunked body":    {512 << 10, func() { require.Equal(t, 413, l.Do(chunked).Status) }},
		"a flood of cookie": {128 << 10, func() { require.Equal(t, 200, l.Do(cookies).Status) }},
	} {
		before, after := new(runtime.MemStats), new(runtime.MemStats)
		runtime.ReadMemStats(before)
		tt.run()
		runtime.ReadMemStats(after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, tt.limit, name)
	}
}

var _ introspect.Introspector = (*grantwell.Server)(nil)
