package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// everyWay sends a request for a scope by each grant, and returns for each the
// granted scope, or "!" and the error code.
func everyWay(t *testing.T, l *servertest.Server, scope string) map[string]string {
	out := map[string]string{}
	keep := func(name string, res servertest.Reply) {
		if out[name] = res.String("scope"); res.Status != 200 {
			out[name] = "!" + res.String("error")
		}
	}
	keep("client_credentials", l.ClientCredentials(servertest.Conf, "scope", scope))
	keep("password", l.Login("johndoe", "A3ddj3w", "scope", scope))
	for _, kind := range []string{"code", "token"} {
		q := url.Values{
			"response_type": {kind},
			"client_id":     {"conf"},
			"redirect_uri":  {servertest.Redirect},
			"state":         {"s"},
			"scope":         {scope},
		}
		res := l.Do(httptest.NewRequest(http.MethodGet, "/authorize?"+q.Encode(), nil))
		if res.Status == 500 { // a page, without a redirect
			out[kind] = "!server_error"
			continue
		}
		u, err := url.Parse(res.Header.Get("Location"))
		require.NoError(t, err)
		f, err := url.ParseQuery(u.RawQuery + u.EscapedFragment())
		require.NoError(t, err)
		switch {
		case f.Get("error") != "":
			out[kind] = "!" + f.Get("error")
		case kind == "token":
			out[kind] = f.Get("scope")
			require.True(t, f.Has("scope"), u)
		default:
			keep(kind, l.Post("/token", servertest.Conf, "grant_type", "authorization_code",
				"code", f.Get("code"), "redirect_uri", servertest.Redirect))
		}
	}
	return out
}

// Every grant decides on scopes by the same rules with the same results.
//
// Holds: RFC 6749 section 3.3; house: delimiters; house: one scope engine;
// house: openid is asked for.
func TestScope_SameRulesForEveryGrant(t *testing.T) {
	t.Parallel()
	all, anyOf := grantwell.ScopeRules{}, grantwell.ScopeRules{Match: grantwell.MatchAny}
	noDefault := func(c *storage.Client) { c.DefaultScope, c.Scope = nil, nil }
	openid := func(c *storage.Client) { c.Scope = append(c.Scope, "openid") }
	decide := func(f func(grantwell.ScopeRequest) ([]string, error)) grantwell.ScopeRules {
		return grantwell.ScopeRules{Decide: func(_ context.Context, r grantwell.ScopeRequest) ([]string, error) {
			return f(r)
		}}
	}
	gateway := grantwell.ScopeRules{Delimiters: ",+", Match: grantwell.MatchAny}
	for name, tt := range map[string]struct {
		rules     grantwell.ScopeRules
		client    func(*storage.Client)
		ask, want string
	}{
		"default":    {all, nil, "", "read"},
		"no default": {all, noDefault, "", "!invalid_scope"},
		"no default, registered": {all, func(c *storage.Client) {
			c.Scope = []string{"openid", "write", "offline_access", "read", "email", "write"}
			c.DefaultScope = nil
		}, "", "write read"},
		"of a user, for itself": {grantwell.ScopeRules{Claims: map[string][]string{"staff": {"dept"}}},
			func(c *storage.Client) {
				c.Scope = []string{"staff", "read"}
				c.DefaultScope = nil
			}, "", "read"},
		"no default, empty allowed": {grantwell.ScopeRules{AllowEmpty: true}, noDefault, "",
			""},
		"empty allowed, asked too much": {grantwell.ScopeRules{
			AllowEmpty: true,
			Match:      grantwell.MatchAny,
		}, noDefault, "admin", "!invalid_scope"},
		"all":                      {all, nil, "write read", "write read"},
		"all, one not allowed":     {all, nil, "read admin", "!invalid_scope"},
		"any":                      {anyOf, nil, "admin write", "write"},
		"any, none allowed":        {anyOf, nil, "admin root", "!invalid_scope"},
		"repeated and spaced":      {all, nil, "  write   read write  read ", "write read"},
		"only spaces":              {all, nil, "   ", "read"},
		"quote":                    {all, nil, `re"ad`, "!invalid_scope"},
		"backslash":                {anyOf, nil, `read a\b`, "!invalid_scope"},
		"tab":                      {anyOf, nil, "read\twrite", "!invalid_scope"},
		"not ASCII":                {anyOf, nil, "read \u00e9", "!invalid_scope"},
		"no-break space":           {anyOf, nil, "read\u00a0write", "!invalid_scope"},
		"comma":                    {all, nil, "read,write", "!invalid_scope"},
		"comma, the gateway's":     {gateway, nil, "write,read", "write read"},
		"plus, the gateway's":      {gateway, nil, "write+read,,admin", "write read"},
		"case":                     {all, nil, "Read", "!invalid_scope"},
		"openid, not the client's": {anyOf, nil, "openid read", "read"},
		"openid, off": {grantwell.ScopeRules{
			Match:    grantwell.MatchAny,
			NoOpenID: true,
		}, openid, "openid read", "read"},
		"openid, off, decided": {grantwell.ScopeRules{NoOpenID: true,
			Decide: func(context.Context, grantwell.ScopeRequest) ([]string, error) {
				return []string{"openid", "read"}, nil
			}}, openid, "openid read", "read"},
		"decided": {decide(func(r grantwell.ScopeRequest) ([]string, error) {
			return r.Requested[:1], nil
		}), nil, "hook write", "hook"},
		"decided, twice": {decide(func(grantwell.ScopeRequest) ([]string, error) {
			return []string{"read", "read"}, nil
		}), nil, "read", "read"},
		"decided, refused": {decide(func(grantwell.ScopeRequest) ([]string, error) {
			return nil, grants.InvalidScope("No.")
		}), nil, "read", "!invalid_scope"},
		"decided, denied": {decide(func(grantwell.ScopeRequest) ([]string, error) {
			return nil, grants.AccessDenied("No.")
		}), nil, "read", "!access_denied"},
		"decided, nothing": {decide(func(grantwell.ScopeRequest) ([]string, error) {
			return nil, nil
		}), nil, "read", "!invalid_scope"},
		"decided, malformed": {decide(func(grantwell.ScopeRequest) ([]string, error) {
			return []string{"a b"}, nil
		}), nil, "read", "!server_error"},
		"decided, failed": {decide(func(grantwell.ScopeRequest) ([]string, error) {
			return nil, errors.New("no")
		}), nil, "read", "!server_error"},
		"decided, panicked": {decide(func(grantwell.ScopeRequest) ([]string, error) {
			panic("no")
		}), nil, "read", "!server_error"},
		"decided, scribbled": {decide(func(r grantwell.ScopeRequest) ([]string, error) {
			r.Requested[0], r.Allowed[0] = "x", "x"
			return []string{"read"}, nil
		}), nil, "read", "read"},
		"too many":               {anyOf, nil, strings.Repeat("read ", 500), "!invalid_"},
		"too many different":     {anyOf, nil, many(101), "!invalid_"},
		"as many as are allowed": {anyOf, nil, "read " + many(99), "read"},
		"too long": {anyOf, nil, "read " + strings.Repeat("x", 300),
			"!invalid_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := servertest.New(t, func(cfg *grantwell.Config) { cfg.Scopes = tt.rules })
			if tt.client != nil {
				l.AddClient("conf", tt.client)
			}
			for way, got := range everyWay(t, l, tt.ask) {
				if strings.HasSuffix(tt.want, "_") { // invalid_request or invalid_scope
					require.True(t, strings.HasPrefix(got, tt.want), "%s: %s", way, got)
					continue
				}
				require.Equal(t, tt.want, got, way)
			}
		})
	}
}

// many returns n different scopes.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("s" + strings.Repeat("x", i) + " ")
	}
	return b.String()
}

// A parameter whose name only begins with "scope" is not the scope.
//
// Holds: house: bounded tokens.
func TestScope_OtherNamesAreNotScope(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	l.AddClient("conf", func(c *storage.Client) { c.DefaultScope = []string{"write"} })
	res := l.Do(servertest.Request("/token", servertest.Conf,
		cc+"&scope.999999999=read&scope[999999999]=read"))
	require.Equal(t, "write", res.String("scope"))
}

// The metadata list the public scopes only.
func TestScope_MetadataListsPublicOnes(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Scopes.Known = []grantwell.Scope{
			{Name: "contacts", Description: "Access and change your email contacts", Public: true},
			{Name: "internal"},
		}
	})
	meta := l.Do(httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server", nil))
	require.Equal(t, []any{"contacts"}, meta.JSON["scopes_supported"])
}

// A scope is shown by its description, and by its name if it has none.
//
// Holds: house: described scopes.
func TestScope_HasADescription(t *testing.T) {
	t.Parallel()
	rules := grantwell.ScopeRules{Known: []grantwell.Scope{
		{Name: "read", Description: "Access and change your email contacts", Public: true},
		{Name: "write"},
	}}
	require.Equal(t, "Access and change your email contacts", rules.Description("read"))
	require.Equal(t, "write", rules.Description("write"))
	r := servertest.New(t, func(c *grantwell.Config) { c.Scopes = rules })
	require.Equal(t, []any{"read"},
		r.Get("/.well-known/oauth-authorization-server").JSON["scopes_supported"])
}
