package grantwell_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// the audience that tokens have by default

// A live token with the scopes opens the handler, which reads the token from
// its context. The credentials do not reach it.
//
// Holds: RFC 6750 section 3.1; house: credentials removed;
// house: data of the token.
func TestGuard_LiveTokenOpensTheHandler(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	g := introspect.Guard{Introspector: d.AS, Audience: []string{servertest.Issuer}}
	code := d.Authorize(grantwell.Approval{
		Subject: "alice",
		Claims:  map[string]any{"dept": "eng"},
	}).Param("code")
	access := d.Redeem("conf", code).String("access_token")
	res := servertest.Bearer(g.Require("read")(http.HandlerFunc(servertest.ShowToken)), access)
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, "alice", res.JSON["sub"])
	require.Equal(t, "conf", res.JSON["client"])
	require.Equal(t, "read write", res.JSON["scope"])
	require.Equal(t, "eng", res.JSON["dept"])
	require.InDelta(t, time.Now().Add(time.Hour).Unix(), res.JSON["exp"], 5)
	require.Empty(t, res.JSON["authorization"])
	g.KeepCredentials = true
	require.Equal(t, "Bearer "+access,
		servertest.Bearer(g.Require("read")(http.HandlerFunc(servertest.ShowToken)),
			access).JSON["authorization"])
}

// A token that is missing, unknown, expired, or whose client is gone gets the
// challenge of RFC 6750 section 3.
//
// Holds: RFC 6750 section 3; RFC 6750 section 3.1.
func TestGuard_ChallengesABadToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, nil)
		g := introspect.Guard{
			Introspector: d.AS,
			Audience:     []string{servertest.Issuer},
			Realm:        "files",
		}
		h := g.Require("read")(http.HandlerFunc(servertest.ShowToken))
		res := servertest.Bearer(h, "")
		require.Equal(t, 401, res.Status)
		require.Contains(t, res.Header.Get("WWW-Authenticate"), `Bearer realm="files"`)
		require.NotContains(t, res.Header.Get("WWW-Authenticate"), "error")
		gateway := g
		gateway.GatewayStatus = true
		require.Equal(t,
			400, servertest.Bearer(gateway.Require("read")(http.HandlerFunc(servertest.ShowToken)),
				"").Status)

		refused := func(token, text string) {
			t.Helper()
			res := servertest.Bearer(h, token)
			require.Equal(t, 401, res.Status)
			require.Contains(t, res.Header.Get("WWW-Authenticate"), `error="invalid_token"`)
			require.Contains(t, res.Header.Get("WWW-Authenticate"), text)
		}
		_, refresh := d.Family("conf")
		for _, token := range []string{"x", servertest.UnknownToken(t), refresh, d.Code("conf")} {
			refused(token, "not valid")
		}
		expired, _ := d.Family("conf")
		time.Sleep(time.Hour)
		refused(expired, "expired")
		revoked, _ := d.Family("conf")
		d.Revoke("conf", revoked)
		refused(revoked, "revoked")
		access, _ := d.Family("conf")
		d.ChangeClient("conf", func(c *storage.Client) { c.Disabled = true })
		refused(access, "not valid")
		require.NoError(t, d.Store.DeleteClient(t.Context(), "conf"))
		refused(access, "not valid")
	})
}

// A route, a method or a request can need scopes, all of them or any of them.
//
// Holds: RFC 6750 section 3.1; house: scopes by request.
func TestGuard_NeedsAllOrAnyScopes(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	code := d.Authorize(grantwell.Approval{Subject: "alice"}, "scope", "read").Param("code")
	read := d.Redeem("conf", code).String("access_token")
	both, _ := d.Family("conf")
	all := introspect.Guard{Introspector: d.AS, Audience: []string{servertest.Issuer}}
	either := all
	either.Match = introspect.Any
	require.Equal(t, 200, servertest.Bearer(either.Require("read",
		"admin")(http.HandlerFunc(servertest.ShowToken)), read).Status)
	require.Equal(t, 403, servertest.Bearer(either.Require("write",
		"admin")(http.HandlerFunc(servertest.ShowToken)), read).Status)
	require.Equal(t,
		200, servertest.Bearer(all.Require("read")(http.HandlerFunc(servertest.ShowToken)),
			both).Status, "extra scopes never hurt")
	res := servertest.Bearer(all.Require("read", "write")(http.HandlerFunc(servertest.ShowToken)),
		read)
	require.Equal(t, 403, res.Status)
	require.Contains(t, res.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	require.Contains(t, res.Header.Get("WWW-Authenticate"), `scope="read write"`)

	byMethod := all
	byMethod.ScopesFor = func(r *http.Request) []string {
		if r.Method == http.MethodGet {
			return []string{"read"}
		}
		return []string{"write"}
	}
	mux := http.NewServeMux()
	mux.Handle("/", byMethod.Require()(http.HandlerFunc(servertest.ShowToken)))
	mux.Handle("GET /open",
		all.Require()(http.HandlerFunc(servertest.ShowToken))) // the route's own guard takes precedence
	ask := func(method, path, token string) int {
		req := httptest.NewRequest(method, path, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		return servertest.Serve(mux, req).Status
	}
	require.Equal(t, 200, ask("GET", "/x", read))
	require.Equal(t, 403, ask("PUT", "/x", read))
	require.Equal(t, 200, ask("PUT", "/x", both))
	require.Equal(t, 200, ask("GET", "/open", read))
}

// A token is read in one place only, and from the query only if that is
// configured.
//
// Holds: RFC 6750 section 2.
func TestGuard_ReadsTheTokenInOnePlace(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	access, _ := d.Family("conf")
	g := introspect.Guard{Introspector: d.AS, Audience: []string{servertest.Issuer}}
	require.Equal(t, 401, servertest.Serve(g.Require()(http.HandlerFunc(servertest.ShowToken)),
		httptest.NewRequest(http.MethodGet, "/?access_token="+access, nil)).Status)
	g.Lookup = introspect.Lookup{
		Schemes:    []string{"OAuth"},
		FormField:  "access_token",
		QueryField: "access_token",
		Extract: func(r *http.Request) (string, error) {
			return r.Header.Get("X-Token"), nil
		},
	}
	h := g.Require()(http.HandlerFunc(servertest.ShowToken))
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("Authorization", "OAuth "+access)
	require.Equal(t, 200, servertest.Serve(h, req).Status)
	res := servertest.Serve(h, httptest.NewRequest(http.MethodGet, "/?a=1&access_token="+access, nil))
	require.Equal(t, 200, res.Status)
	require.NotContains(t, res.JSON["query"], access)
	res = servertest.Serve(h, servertest.Request("/", "", servertest.Form("access_token", access)))
	require.Equal(t, 200, res.Status)
	require.Empty(t, res.JSON["form"])
	req = httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("X-Token", access)
	require.Equal(t, 200, servertest.Serve(h, req).Status)
	req = httptest.NewRequest(http.MethodGet, "/?access_token="+access, nil)
	req.Header.Set("Authorization", "OAuth "+access)
	require.Equal(t, 400, servertest.Serve(h, req).Status)
}

// Tokens of another server are introspected over HTTP, and the context has the
// same value, with the client's local name. Two tokens never share a cached
// answer, and without a cache a revocation is seen at once.
//
// Holds: house: cached answers; house: foreign tokens.
func TestGuard_RemoteServer(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	d.ChangeClient("other", func(c *storage.Client) { c.Resources = []string{servertest.Issuer} })
	ts := httptest.NewServer(d.Handler)
	t.Cleanup(ts.Close)
	remote := func(age time.Duration) *introspect.Remote {
		return &introspect.Remote{
			Endpoint:       ts.URL + "/introspect",
			ClientID:       "other",
			ClientSecret:   servertest.Secret,
			Issuer:         "https://as.example",
			MaxAge:         age,
			MaxInactiveAge: age,
			ClientMap: func(_ context.Context, id string) (string, error) {
				return "local-" + id, nil
			},
		}
	}
	asking := introspect.Guard{Introspector: remote(0), Audience: []string{servertest.Issuer}}
	keeping := introspect.Guard{
		Introspector: remote(time.Hour),
		Audience:     []string{servertest.Issuer},
	}
	one, _ := d.Family("conf")
	code := d.Authorize(grantwell.Approval{Subject: "bob"}, "scope", "write").Param("code")
	two := d.Redeem("conf", code).String("access_token")
	for _, g := range []introspect.Guard{asking, keeping} {
		for range 2 {
			res := servertest.Bearer(g.Require("read")(http.HandlerFunc(servertest.ShowToken)), one)
			require.Equal(t, 200, res.Status, res.Body)
			require.Equal(t, "alice", res.JSON["sub"])
			require.Equal(t, "local-conf", res.JSON["client"])
			require.Equal(t,
				403, servertest.Bearer(g.Require("read")(http.HandlerFunc(servertest.ShowToken)),
					two).Status)
			require.Equal(t,
				"bob", servertest.Bearer(g.Require("write")(http.HandlerFunc(servertest.ShowToken)),
					two).JSON["sub"], "no two tokens share an answer")
		}
	}
	d.Revoke("conf", one)
	require.Equal(t,
		401, servertest.Bearer(asking.Require("read")(http.HandlerFunc(servertest.ShowToken)),
			one).Status, "at once where nothing is kept")
	require.Equal(t,
		200, servertest.Bearer(keeping.Require("read")(http.HandlerFunc(servertest.ShowToken)),
			one).Status, "within the bound that was configured")
}
