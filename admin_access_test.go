package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// newApp is the document of a new client.
const newApp = `{"client_id":"app","client_name":"App","grant_types":["client_credentials"],"scope":"read"}`

// Admin returns an error without an authorization function and over stores
// that cannot be administered. Only the host mounts the handler.
//
// Holds: house: admin behind the host.
func TestAdmin_NeedsAnAuthorizationAndStores(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, nil)
	for _, cfg := range []grantwell.AdminConfig{
		{},
		{Authorize: servertest.CallerName, Overlap: -1},
		{Authorize: servertest.CallerName, Overlap: 1 << 62},
	} {
		h, err := r.AS.Admin(cfg)
		require.ErrorContains(t, err, "grantwell: AdminConfig.")
		require.Nil(t, h)
	}
	_, err := r.AS.Account(grantwell.AccountConfig{})
	require.ErrorContains(t, err, "AccountConfig.Subject")
	bare := servertest.New(t, func(c *grantwell.Config) {
		c.Clients = struct{ storage.Clients }{c.Clients}
		c.Records = struct{ storage.Records }{c.Records}
	})
	_, err = bare.AS.Admin(grantwell.AdminConfig{})
	for _, want := range []string{"AdminConfig.Authorize", "storage.Registrar", "storage.Lister"} {
		require.ErrorContains(t, err, want)
	}
	_, err = bare.AS.Account(grantwell.AccountConfig{Subject: servertest.CallerName})
	require.ErrorContains(t, err, "storage.Lister")
	for _, path := range []string{"/clients", "/admin/clients", "/grants", "/export"} {
		require.Equal(t, 404, r.Get(path).Status)
	}
}

// The host's authorization function runs before everything else. A caller that
// it refuses learns nothing and changes nothing.
//
// Holds: house: admin behind the host.
func TestAdmin_AsksTheHostFirst(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	requests := [][2]string{{"GET", "/clients"}, {"GET", "/clients/conf"},
		{"GET", "/clients/nobody"}, {"POST", "/clients"}, {"PUT", "/clients/conf"},
		{"DELETE", "/clients/conf"},
		{"POST", "/clients/conf/disable"}, {"POST", "/clients/conf/enable"},
		{"POST", "/clients/conf/secret"}, {"POST", "/clients/conf/revoke"},
		{"DELETE", "/clients/conf/secrets/x"},
		{"GET", "/grants?subject=alice"}, {"DELETE", "/grants/x"},
		{"DELETE", "/grants?subject=alice"}, {"GET", "/consents?subject=alice"},
		{"DELETE", "/consents?subject=alice&client_id=conf"},
		{"GET", "/export"}, {"POST", "/import"}, {"GET", "/nothing"}, {"PATCH", "/clients"}}
	for _, q := range requests {
		for _, h := range []http.Handler{o.AdminHandler, o.AccountHandler} {
			res := servertest.SendJSON(h, q[0], q[1], newApp)
			res.Fails(t, 403, "access_denied")
			require.NotContains(t, res.Body, "signed in")
			e := o.LastEvent()
			require.Equal(t, "refused", e.Outcome)
			require.Empty(t, e.Actor+e.Action)
			require.Contains(t, e.Cause, "no caller is signed in")
		}
	}
	_, err := o.Store.Client(t.Context(), "app")
	require.ErrorIs(t, err, storage.ErrNotFound)
	for name, c := range map[string]struct {
		who    func(*http.Request) (string, error)
		status int
	}{
		"no name": {func(*http.Request) (string, error) { return "", nil }, 403},
		"a long name": {func(*http.Request) (string, error) {
			return strings.Repeat("x", 1025), nil
		}, 500},
		"panics": {func(*http.Request) (string, error) { panic("secret") }, 500},
		"its own answer": {func(*http.Request) (string, error) {
			return "", &grants.Error{Code: "login_required", Status: 401}
		}, 401},
		"unavailable": {func(*http.Request) (string, error) {
			return "", grants.Unavailable(errors.New("x"))
		}, 503},
	} {
		h, err := o.AS.Admin(grantwell.AdminConfig{Authorize: c.who})
		require.NoError(t, err)
		res := servertest.SendJSON(h, "POST", "/clients", newApp)
		require.Equal(t, c.status, res.Status, name)
		require.Empty(t, res.Header.Get("WWW-Authenticate"),
			"the host knows how its callers authenticate")
		_, err = o.Store.Client(t.Context(), "app")
		require.ErrorIs(t, err, storage.ErrNotFound, name)
	}
}

// A request that another site makes a browser send changes nothing: forms,
// plain text, and requests whose headers name another site.
//
// Holds: house: admin behind the host.
func TestAdmin_RefusesOtherSites(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded",
		"multipart/form-data; boundary=x", "application/jsonx", "text/plain; application/json"} {
		for _, path := range []string{"/clients", "/clients/conf/disable", "/clients/conf/secret",
			"/import"} {
			o.Admin("POST", path, newApp, "Content-Type", media).Fails(t, 415, "invalid_request")
		}
	}
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
	} {
		for _, q := range [][2]string{
			{"POST", "/clients"},
			{"PUT", "/clients/conf"},
			{"DELETE", "/clients/conf"},
			{"DELETE", "/grants?subject=alice"},
			{"POST", "/clients/conf/disable"},
		} {
			res := o.Admin(q[0], q[1], newApp, header...)
			res.Fails(t, 403, "access_denied")
			require.Empty(t, res.Header.Get("Access-Control-Allow-Origin"))
		}
	}
	o.Admin("OPTIONS", "/clients", "", "Origin", "https://app.example",
		"Access-Control-Request-Method", "POST").Fails(t, 405, "invalid_request")
	conf, err := o.Store.Client(t.Context(), "conf")
	require.NoError(t, err)
	require.False(t, conf.Disabled)
	res := o.Admin("POST", "/clients", newApp, "Content-Type", "Application/JSON; charset=utf-8",
		"Sec-Fetch-Site", "same-origin")
	require.Equal(t, 201, res.Status, res.Body)
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	require.Empty(t, res.Header.Values("Set-Cookie"))
}

// Inputs are bounded, and an unknown parameter, member or path is refused,
// never ignored.
//
// Holds: house: admin behind the host.
func TestAdmin_RefusesUnknownInput(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	for _, body := range []string{"", "{", "null", "[]", `"x"`, "{}{}", `{} x`, newApp + newApp,
		"{\"client_name\":\"\xff\"}", `{"client_id":"a","client_id":"b"}`,
		`{"metadata":{"a":"1","a":"2"},"grant_types":["client_credentials"]}`,
		strings.Repeat("[", 60_000), strings.Repeat(`{"a":`, 12_000)} {
		o.Admin("POST", "/clients", body).Fails(t, 400, "invalid_request")
	}
	o.Admin("POST", "/clients", `{"client_name":"`+strings.Repeat("x", 64<<10)+`"}`).Fails(t, 413,
		"invalid_request")
	for _, member := range []string{`"redirect_uri":["https://app.example/cb"]`,
		`"CLIENT_NAME":"x"`, `"scope":["read"]`, `"access_token_lifetime":"60"`, `"contacts":{}`, `"require_pkce":"yes"`, `"client_secret":"x"`,
		`"":1`,
		`"secrets":[]`, `"secrets":[{"hash":"x"}]`, `"shared_key":"eA=="`,
		`"created_at":"2020-01-01T00:00:00Z"`, `"created_by":"me"`,
		`"tokens_not_before":"2020-01-01T00:00:00Z"`} {
		o.Admin("POST", "/clients", `{"grant_types":["client_credentials"],`+member+`}`).Fails(t,
			400, "invalid_client_metadata")
	}
	for _, path := range []string{"/clients?limit=0", "/clients?limit=1001", "/clients?limit=x",
		"/clients?limit=-1", "/clients?limit=1&limit=2", "/clients?client=x", "/clients?after=%00",
		"/clients?after=" + strings.Repeat("x", 256), "/clients?after=%zz", "/clients/conf?x=1",
		"/grants", "/grants?scope=read", "/grants?subject=a&kind=consent",
		"/grants?subject=a&after=garbage",
		"/grants?subject=" + strings.Repeat("x", 1025), "/consents",
		"/consents?subject=a&kind=code", "/export?shared_keys=yes",
		"/clients?after=" + strings.Repeat("x", 9000)} {
		o.Admin("GET", path, "").Fails(t, 400, "invalid_request")
	}
	o.Admin("DELETE", "/consents?client_id=conf", "").Fails(t, 400, "invalid_request")
	for _, path := range []string{"/", "", "/clients/", "/clients//", "/clients/conf/",
		"/clients/conf/x", "//clients", "/clients/conf/secrets/",
		"/clients/" + strings.Repeat("x", 513), "/clients/nobody"} {
		o.Admin("GET", "/x", "").Fails(t, 404, "not_found")
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.URL.Path, req.Header = path, http.Header{"X-Who": {"root"}}
		w := httptest.NewRecorder()
		o.AdminHandler.ServeHTTP(w, req)
		require.Equal(t, 404, w.Code, path)
	}
	res := o.Admin("PATCH", "/clients/conf", "")
	res.Fails(t, 405, "invalid_request")
	require.Equal(t, "DELETE, GET, HEAD, PUT", res.Header.Get("Allow"))
}

// A store that fails is a 503 at every route, and no change is half done.
func TestAdmin_StoreFailureChangesNothing(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the store refuses a context that has ended
	for _, q := range [][2]string{{"GET", "/clients"}, {"GET", "/clients/conf"},
		{"POST", "/clients"}, {"DELETE", "/clients/conf"}, {"POST", "/clients/conf/disable"},
		{"GET", "/grants?subject=alice"}, {"DELETE", "/grants/x"},
		{"DELETE", "/grants?subject=alice"}, {"GET", "/consents?subject=alice"},
		{"DELETE", "/consents?subject=alice&client_id=conf"}, {"GET", "/export"}} {
		req := httptest.NewRequestWithContext(ctx, q[0], q[1], strings.NewReader(newApp))
		req.Header = http.Header{"X-Who": {"root"}, "Content-Type": {"application/json"}}
		w := httptest.NewRecorder()
		o.AdminHandler.ServeHTTP(w, req)
		require.Equal(t, 503, w.Code, q)
		require.NotContains(t, w.Body.String(), "canceled")
		require.Equal(t, "failed", o.LastEvent().Outcome)
	}
}
