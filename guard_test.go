package grantwell_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

const resourceID = "https://as.example" // the audience that tokens have by default

// shown answers with what a handler finds in its request.
var shown = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	tok, _ := introspect.FromContext(r.Context())
	_ = json.NewEncoder(w).Encode(map[string]any{"sub": tok.Subject, "client": tok.ClientID, "scope": strings.Join(tok.Scope, " "), "exp": tok.ExpiresAt.Unix(),
		"dept": tok.Extra["dept"], "authorization": r.Header.Get("Authorization"), "query": r.URL.RawQuery, "form": r.PostFormValue("access_token")})
})

// A live token with the scopes opens the handler, which finds whose it is; the credentials stay behind.
// Holds S115, S124, S179.
func TestGuard_LiveToken(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	g := introspect.Guard{Introspector: d.srv, Audience: []string{resourceID}}
	code := d.authorize("conf", "read write", grantwell.Approval{Subject: "alice", Claims: map[string]any{"dept": "eng"}}).answered("code")
	access := d.redeem("conf", code).str("access_token")
	res := bearer(g.Require("read")(shown), access)
	require.Equal(t, 200, res.status, res.body)
	require.Equal(t, "alice", res.json["sub"])
	require.Equal(t, "conf", res.json["client"])
	require.Equal(t, "read write", res.json["scope"])
	require.Equal(t, "eng", res.json["dept"])
	require.InDelta(t, time.Now().Add(time.Hour).Unix(), res.json["exp"], 5)
	require.Empty(t, res.json["authorization"])
	g.KeepCredentials = true
	require.Equal(t, "Bearer "+access, bearer(g.Require("read")(shown), access).json["authorization"])
}

// The challenges for a token that is missing, unknown, expired, or whose client is gone.
// Holds S116, S117.
func TestGuard_Challenges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, nil)
		g := introspect.Guard{Introspector: d.srv, Audience: []string{resourceID}, Realm: "files"}
		h := g.Require("read")(shown)
		res := bearer(h, "")
		require.Equal(t, 401, res.status)
		require.Contains(t, res.header.Get("WWW-Authenticate"), `Bearer realm="files"`)
		require.NotContains(t, res.header.Get("WWW-Authenticate"), "error")
		gateway := g
		gateway.GatewayStatus = true
		require.Equal(t, 400, bearer(gateway.Require("read")(shown), "").status)

		refused := func(token, text string) {
			t.Helper()
			res := bearer(h, token)
			require.Equal(t, 401, res.status)
			require.Contains(t, res.header.Get("WWW-Authenticate"), `error="invalid_token"`)
			require.Contains(t, res.header.Get("WWW-Authenticate"), text)
		}
		_, refresh := d.family("conf")
		for _, token := range []string{"x", mintRefresh(t), refresh, d.code("conf")} {
			refused(token, "not valid")
		}
		expired, _ := d.family("conf")
		time.Sleep(time.Hour)
		refused(expired, "expired")
		revoked, _ := d.family("conf")
		d.revoke("conf", revoked)
		refused(revoked, "revoked")
		access, _ := d.family("conf")
		d.change("conf", func(c *storage.Client) { c.Disabled = true })
		refused(access, "not valid")
		require.NoError(t, d.store.DeleteClient(t.Context(), "conf"))
		refused(access, "not valid")
	})
}

// The scopes that a route, a method or a request needs, all of them or any.
// Holds S118, S119, S120, S122, S123.
func TestGuard_Scopes(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	code := d.authorize("conf", "read", grantwell.Approval{Subject: "alice"}).answered("code")
	read := d.redeem("conf", code).str("access_token")
	both, _ := d.family("conf")
	all := introspect.Guard{Introspector: d.srv, Audience: []string{resourceID}}
	either := all
	either.Match = introspect.Any
	require.Equal(t, 200, bearer(either.Require("read", "admin")(shown), read).status)
	require.Equal(t, 403, bearer(either.Require("write", "admin")(shown), read).status)
	require.Equal(t, 200, bearer(all.Require("read")(shown), both).status, "extra scopes never hurt")
	res := bearer(all.Require("read", "write")(shown), read)
	require.Equal(t, 403, res.status)
	require.Contains(t, res.header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	require.Contains(t, res.header.Get("WWW-Authenticate"), `scope="read write"`)

	byMethod := all
	byMethod.ScopesFor = func(r *http.Request) []string {
		if r.Method == http.MethodGet {
			return []string{"read"}
		}
		return []string{"write"}
	}
	mux := http.NewServeMux()
	mux.Handle("/", byMethod.Require()(shown))
	mux.Handle("GET /open", all.Require()(shown)) // a route's own guard wins
	ask := func(method, path, token string) int {
		req := httptest.NewRequest(method, path, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		return serveTo(mux, req).status
	}
	require.Equal(t, 200, ask("GET", "/x", read))
	require.Equal(t, 403, ask("PUT", "/x", read))
	require.Equal(t, 200, ask("PUT", "/x", both))
	require.Equal(t, 200, ask("GET", "/open", read))
}

// Where a token is read: one place only, and never the query unless it is named.
// Holds S121.
func TestGuard_Places(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	access, _ := d.family("conf")
	g := introspect.Guard{Introspector: d.srv, Audience: []string{resourceID}}
	require.Equal(t, 401, serveTo(g.Require()(shown), httptest.NewRequest("GET", "/?access_token="+access, nil)).status)
	g.Lookup = introspect.Lookup{Schemes: []string{"OAuth"}, FormField: "access_token", QueryField: "access_token", Extract: func(r *http.Request) (string, error) { return r.Header.Get("X-Token"), nil }}
	h := g.Require()(shown)
	req := httptest.NewRequest("GET", "/", nil)
	req.Header.Set("Authorization", "OAuth "+access)
	require.Equal(t, 200, serveTo(h, req).status)
	res := serveTo(h, httptest.NewRequest("GET", "/?a=1&access_token="+access, nil))
	require.Equal(t, 200, res.status)
	require.NotContains(t, res.json["query"], access)
	res = serveTo(h, formRequest("/", "", "access_token", access))
	require.Equal(t, 200, res.status)
	require.Empty(t, res.json["form"])
	req = httptest.NewRequest("GET", "/", nil)
	req.Header.Set("X-Token", access)
	require.Equal(t, 200, serveTo(h, req).status)
	req = httptest.NewRequest("GET", "/?access_token="+access, nil)
	req.Header.Set("Authorization", "OAuth "+access)
	require.Equal(t, 400, serveTo(h, req).status)
}

// Tokens of a server elsewhere are asked about over HTTP: the same value in the context, by the local name of the client. No two tokens share an answer that is
// kept, and where none is kept a revocation is seen at once.
// Holds S125, V100, V101.
func TestGuard_RemoteServer(t *testing.T) {
	t.Parallel()
	d := newDirect(t, nil)
	d.change("other", func(c *storage.Client) { c.Resources = []string{resourceID} })
	ts := httptest.NewServer(d.h)
	t.Cleanup(ts.Close)
	remote := func(age time.Duration) *introspect.Remote {
		return &introspect.Remote{Endpoint: ts.URL + "/introspect", ClientID: "other", ClientSecret: secret, Issuer: "https://as.example", MaxAge: age, MaxInactiveAge: age,
			ClientMap: func(_ context.Context, id string) (string, error) { return "local-" + id, nil }}
	}
	asking := introspect.Guard{Introspector: remote(0), Audience: []string{resourceID}}
	keeping := introspect.Guard{Introspector: remote(time.Hour), Audience: []string{resourceID}}
	one, _ := d.family("conf")
	code := d.authorize("conf", "write", grantwell.Approval{Subject: "bob"}).answered("code")
	two := d.redeem("conf", code).str("access_token")
	for _, g := range []introspect.Guard{asking, keeping} {
		for range 2 {
			res := bearer(g.Require("read")(shown), one)
			require.Equal(t, 200, res.status, res.body)
			require.Equal(t, "alice", res.json["sub"])
			require.Equal(t, "local-conf", res.json["client"])
			require.Equal(t, 403, bearer(g.Require("read")(shown), two).status)
			require.Equal(t, "bob", bearer(g.Require("write")(shown), two).json["sub"], "no two tokens share an answer")
		}
	}
	d.revoke("conf", one)
	require.Equal(t, 401, bearer(asking.Require("read")(shown), one).status, "at once where nothing is kept")
	require.Equal(t, 200, bearer(keeping.Require("read")(shown), one).status, "within the bound that was configured")
}
