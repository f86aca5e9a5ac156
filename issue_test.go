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
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// A host's own grant is served at the same endpoint, by the same rules, as ours.
// Holds S3.
func TestGrants_HostsOwn(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) {
		cfg.Grants = append(cfg.Grants, granting(func(_ context.Context, r *grants.Request) (*grants.Grant, error) {
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
	try := func(ticket string) reply {
		return l.post("/token", conf, "grant_type", hostGrant, "ticket", ticket, "scope", "write")
	}
	try("good").fails(t, 400, "unauthorized_client")
	l.put(func(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, hostGrant) })
	res := try("good")
	require.Equal(t, 200, res.status, res.body)
	require.Equal(t, "write", res.str("scope"))
	require.Equal(t, 7.0, res.json["seat"])
	intro := l.post("/introspect", conf, "token", res.str("access_token"))
	require.Equal(t, []any{"bob", 7.0}, []any{intro.json["sub"], intro.json["seat"]})
	require.Equal(t, 200, l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", res.str("refresh_token")).status)
	try("bad").fails(t, 400, "invalid_grant")
	try("nothing").fails(t, 500, "server_error")
	try("nobody").fails(t, 500, "server_error")
	try("empty").fails(t, 500, "server_error")
	try("odd").fails(t, 400, "ticketused")
	onlyAnError(t, try("odd"))
	try("success").fails(t, 400, "x")
	try("beyond").fails(t, 400, "x")
	meta := l.do(httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	require.Contains(t, meta.json["grant_types_supported"], hostGrant)
}

// The preset for the gateway's clients: its paths, lengths, lifetimes, and formats, in errors too.
// Holds S16, S17, S23, S62.
func TestGateway_Formats(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) {
		*cfg = grantwell.Gateway(*cfg)
		cfg.Hooks.Issue = func(_ context.Context, i *grantwell.Issue) error {
			i.Response["a<b&c"], i.Response["1n"] = "x</response><y>&\x01", map[string]int{"n": 1}
			return nil
		}
	})
	l.put(func(c *storage.Client) { c.Scope = append(c.Scope, "resource.WRITE", "resource.READ") })
	ask := func(format string, more ...string) reply {
		return l.post("/api/oauth/token", conf, append([]string{"grant_type", "client_credentials", "scope", "resource.WRITE,resource.READ", "format", format}, more...)...)
	}
	for _, format := range []string{"", "json"} {
		res := ask(format)
		require.Equal(t, "application/json", res.header.Get("Content-Type"))
		require.Equal(t, "resource.WRITE resource.READ", res.str("scope"))
		require.Equal(t, "3600", res.str("expires_in"), "quoted, as its samples are")
		require.Len(t, res.str("access_token"), 54)
	}
	for _, format := range []string{"urlencoded", "query"} {
		res := ask(format)
		require.Equal(t, 200, res.status, res.body)
		require.Equal(t, "application/x-www-form-urlencoded", res.header.Get("Content-Type"))
		q, err := url.ParseQuery(res.body)
		require.NoError(t, err)
		require.Equal(t, []string{"resource.WRITE resource.READ", "Bearer", "3600", "x</response><y>&\x01", `{"n":1}`},
			[]string{q.Get("scope"), q.Get("token_type"), q.Get("expires_in"), q.Get("a<b&c"), q.Get("1n")})
		require.Equal(t, "no-store", res.header.Get("Cache-Control"))
	}
	res := ask("xml")
	require.Equal(t, "application/xml", res.header.Get("Content-Type"))
	var doc struct {
		XMLName xml.Name `xml:"response"`
		Token   string   `xml:"access_token"`
		Scope   string   `xml:"scope"`
		Odd     string   `xml:"a_b_c"`
		Y       []string `xml:"y"`
	}
	require.NoError(t, xml.Unmarshal([]byte(res.body), &doc), res.body)
	require.Len(t, doc.Token, 54)
	require.Equal(t, "resource.WRITE resource.READ", doc.Scope)
	require.Equal(t, "x</response><y>&\uFFFD", doc.Odd)
	require.Empty(t, doc.Y)

	for _, format := range []string{"yaml", "XML", "json;x"} {
		res := ask(format)
		res.fails(t, 400, "invalid_request")
		require.Equal(t, "application/json", res.header.Get("Content-Type"))
	}
	res = ask("xml", "client_id", "other")
	require.Equal(t, []any{400, "application/xml", "no-store"}, []any{res.status, res.header.Get("Content-Type"), res.header.Get("Cache-Control")})
	require.Contains(t, res.body, "<error>invalid_request</error>")
	res = l.post("/api/oauth/token", conf, "grant_type", "magic", "format", "urlencoded")
	q, err := url.ParseQuery(res.body)
	require.NoError(t, err)
	require.Equal(t, "unsupported_grant_type", q.Get("error"))

	// Without the preset the parameter is one of those that are ignored.
	plain := newLocal(t, nil).post("/token", conf, "grant_type", "client_credentials", "format", "xml")
	require.Equal(t, 200, plain.status)
	require.IsType(t, float64(0), plain.json["expires_in"])
}

// Lengths and lifetimes are the configured ones, and a client's own win.
// Holds S23, S24.
func TestIssue_LengthsAndLifetimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, func(cfg *grantwell.Config) {
			withJWT(t, cfg)
			cfg.AccessTokenFormat = "opaque"
			cfg.AccessTokens, cfg.RefreshTokens, cfg.Codes = tokens.Opaque{Length: 54, Prefix: "gw_at_"}, tokens.Opaque{Length: 46}, tokens.Opaque{Length: 30}
			cfg.AccessTokenLifetime, cfg.RefreshTokenLifetime = 20*time.Minute, 12*time.Hour
		})
		l.put(func(c *storage.Client) {
			c.ID, c.AccessTokenLifetime, c.RefreshTokenLifetime, c.AccessTokenFormat = "other", time.Minute, time.Hour, "jwt"
		})
		code := l.code("conf")
		require.Len(t, code, 30)
		res := l.exchange(code)
		require.Len(t, res.str("access_token"), 54)
		require.True(t, strings.HasPrefix(res.str("access_token"), "gw_at_"))
		require.Len(t, res.str("refresh_token"), 46)
		require.Equal(t, 1200.0, res.json["expires_in"])
		own := l.post("/token", "other:"+secret, "grant_type", "authorization_code", "code", l.code("other"), "redirect_uri", redirect, "code_verifier", verifier)
		require.Equal(t, 60.0, own.json["expires_in"])
		require.Equal(t, "other", payload(t, own.str("access_token"))["client_id"])
		refresh := func(as, token string) reply {
			return l.post("/token", as, "grant_type", "refresh_token", "refresh_token", token)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		require.True(t, l.active(own.str("access_token")))
		time.Sleep(time.Nanosecond)
		require.False(t, l.active(own.str("access_token")))
		time.Sleep(58 * time.Minute)
		require.False(t, l.active(res.str("access_token")))
		next := refresh("other:"+secret, own.str("refresh_token"))
		require.Equal(t, 200, next.status, next.body)
		time.Sleep(time.Minute)
		refresh("other:"+secret, next.str("refresh_token")).fails(t, 400, "invalid_grant")
		time.Sleep(11*time.Hour - time.Second)
		last := refresh(conf, res.str("refresh_token"))
		require.Equal(t, 1.0, last.json["expires_in"], "no access token outlives its family")
	})
}

// The token type is one thing, issued and validated.
// Holds S178.
func TestIssue_TokenType(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) { cfg.TokenType = "Custom" })
	res := l.post("/token", conf, "grant_type", "client_credentials")
	require.Equal(t, "Custom", res.str("token_type"))
	intro := l.post("/introspect", conf, "token", res.str("access_token"))
	require.Equal(t, []any{true, "Custom"}, []any{intro.json["active"], intro.json["token_type"]})
}

// A client's audience is the default one of its tokens, else the server's, else the issuer.
func TestIssue_Audience(t *testing.T) {
	t.Parallel()
	aud := func(l *local) any {
		res := l.post("/token", conf, "grant_type", "client_credentials")
		i, err := l.srv.Introspect(context.Background(), res.str("access_token"))
		require.NoError(t, err)
		return i.Audience
	}
	require.Equal(t, []string{"https://as.example"}, aud(newLocal(t, nil)))
	l := newLocal(t, func(cfg *grantwell.Config) { cfg.Audience = []string{"https://api.example"} })
	require.Equal(t, []string{"https://api.example"}, aud(l))
	l.put(func(c *storage.Client) { c.Audience = []string{"https://one.example", "https://two.example"} })
	require.Equal(t, []string{"https://one.example"}, aud(l))
}

// The pages of a client's own origins may read its answers, and nobody else's.
// Holds S22, R20.
func TestCORS(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) {
		cfg.Paths.TokenInfo, cfg.Origins = "/tokeninfo", []string{"https://extra.example"}
	})
	const own = "https://app.example"
	token := l.post("/token", conf, "grant_type", "client_credentials").str("access_token")
	for _, path := range []string{"/token", "/revoke", "/introspect", "/tokeninfo"} {
		for origin, allowed := range map[string]bool{own: true, "https://evil.example": false, "null": false, "https://app.example.evil.example": false, "https://extra.example": false,
			"http://app.example": false, "https://APP.example": false, "https://app.example:443": false, "*": false} {
			for _, as := range []string{conf, "conf:wrong", "other:" + secret} {
				req := request(path, as, formOf("grant_type", "client_credentials", "token", "x", "access_token", token))
				req.Header.Set("Origin", origin)
				res := l.do(req)
				want := ""
				if allowed && as != "other:"+secret {
					want = origin
				}
				require.Equal(t, want, res.header.Get("Access-Control-Allow-Origin"), path+origin+as)
				require.Empty(t, res.header.Get("Access-Control-Allow-Credentials"))
				require.Contains(t, res.header.Values("Vary"), "Origin")
			}
			req := httptest.NewRequest("OPTIONS", path, nil)
			req.Header.Set("Origin", origin)
			req.Header.Set("Access-Control-Request-Method", "POST")
			res := l.do(req)
			if allowed || origin == "https://extra.example" {
				require.Equal(t, []any{204, origin, "POST"}, []any{res.status, res.header.Get("Access-Control-Allow-Origin"), res.header.Get("Access-Control-Allow-Methods")})
			} else {
				require.Empty(t, res.header.Get("Access-Control-Allow-Origin"), origin)
			}
			require.Empty(t, res.header.Get("Access-Control-Allow-Credentials"))
		}
		require.Empty(t, l.post(path, conf, "grant_type", "client_credentials", "token", "x", "access_token", token).header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, 405, l.do(httptest.NewRequest("OPTIONS", path, nil)).status)
	}
	req := httptest.NewRequest("GET", "/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+redirect, nil)
	req.Header.Set("Origin", own)
	require.Empty(t, l.do(req).header.Get("Access-Control-Allow-Origin"))
}

// Hostile input costs no more memory than its own size.
// Holds V149, V183.
func TestMemory_HostileInput(t *testing.T) { // not parallel: it reads the process's counters
	l := newLocal(t, func(cfg *grantwell.Config) { withJWT(t, cfg) })
	dots := strings.Repeat(".", 1<<20)
	cookies := request("/token", conf, cc)
	for i := range 10_000 {
		cookies.Header.Add("Cookie", fmt.Sprintf("c%d=v", i))
	}
	whole := request("/introspect", conf, "token="+dots)
	chunked := request("/introspect", conf, "token="+dots)
	chunked.ContentLength = -1
	for name, tt := range map[string]struct {
		limit uint64
		run   func()
	}{
		"a token of dots":   {64 << 10, func() { _, _ = l.srv.Introspect(t.Context(), dots) }},
		"a body of dots":    {64 << 10, func() { require.Equal(t, 413, l.do(whole).status) }},
		"a chunked body":    {512 << 10, func() { require.Equal(t, 413, l.do(chunked).status) }},
		"a flood of cookie": {128 << 10, func() { require.Equal(t, 200, l.do(cookies).status) }},
	} {
		before, after := new(runtime.MemStats), new(runtime.MemStats)
		runtime.ReadMemStats(before)
		tt.run()
		runtime.ReadMemStats(after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, tt.limit, name)
	}
}

var _ introspect.Introspector = (*grantwell.Server)(nil)
