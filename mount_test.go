package grantwell_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// full serves every optional endpoint.
func full(t *testing.T, issuer string) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) {
		cfg.Issuer = issuer
		cfg.Keys = servertest.Keys(t)
		cfg.Paths.TokenInfo = "/tokeninfo"
		cfg.Paths.DisplayCode = "/code"
		cfg.PAR.Path = "/par"
	}
}

// The paths of a full server, below the issuer's path.
var fullPaths = []string{"/token", "/revoke", "/introspect", "/tokeninfo", "/par", "/jwks.json", "/code"}

var allMethods = []string{
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// Routes are each path with each method, once, and the whole path has that of the
// issuer (RFC 8414 section 3.1).
func TestRoutes_EachPathWithEachMethod(t *testing.T) {
	t.Parallel()
	for issuer, base := range map[string]string{"https://as.example": "", "https://as.example/tenant/a": "/tenant/a"} {
		want := map[string]bool{}
		for _, method := range allMethods {
			want[method+" "+wellKnown+base] = true
			for _, path := range fullPaths {
				want[method+" "+base+path] = true
			}
		}
		s := servertest.New(t, full(t, issuer))
		for _, r := range s.AS.Routes() {
			require.True(t, want[r.Method+" "+r.Path], "%s %s is listed twice or not at all wanted", r.Method, r.Path)
			require.NotNil(t, r.Handler)
			delete(want, r.Method+" "+r.Path)
		}
		require.Empty(t, want)
	}
}

// hostMux is a mux with pages of the host that a careless registration would hide or
// conflict with.
func hostMux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, pattern := range []string{
		"GET /", "POST /forms/", "GET /static/", "GET /{name}", "GET /token/{id}", "GET /.well-known/security.txt", "GET /authorize",
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("host " + pattern)) })
	}

	return mux
}

// A mux that has pages of the host takes the server beside them: no pattern conflicts,
// and every request that is not for an endpoint still reaches the host.
func TestMount_BesideAHost(t *testing.T) {
	t.Parallel()
	for issuer, base := range map[string]string{"https://as.example": "", "https://as.example/tenant": "/tenant"} {
		s := servertest.New(t, full(t, issuer))
		mux := hostMux()
		require.NotPanics(t, func() { s.AS.Mount(mux) })
		s.Handler = mux

		res := s.Post(base+"/token", servertest.Conf, "grant_type", "client_credentials")
		require.Equal(t, 200, res.Status, res.Body)
		require.True(t, s.Post(base+"/introspect", servertest.Conf, "token", res.String("access_token")).Active())
		require.Equal(t, issuer, s.Get(wellKnown + base).JSON["issuer"])
		require.NotEmpty(t, s.Get(base + "/jwks.json").JSON["keys"])
		require.Equal(t, 201, s.Do(servertest.Request(base+"/par", servertest.Conf, servertest.AuthorizeQuery().Encode())).Status)

		for path, want := range map[string]string{
			"/":                         "host GET /",
			"/about/us":                 "host GET /",
			"/page":                     "host GET /{name}",
			"/static/x.css":             "host GET /static/",
			"/token/7":                  "host GET /token/{id}",
			"/authorize":                "host GET /authorize",
			"/.well-known/security.txt": "host GET /.well-known/security.txt",
			"/.well-known/other":        "host GET /",
			base + "/token/x/y":         "host GET /",
		} {
			require.Equal(t, want, s.Get(path).Body, path)
		}
		require.Equal(t, "host POST /forms/", s.Do(servertest.Request("/forms/1", "", "a=b")).Body)
	}
}

// A page of the host for every path and every method is no conflict either.
func TestMount_BesideACatchAll(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"/", "/{name}", "as.example/", "/{path...}"} {
		s := servertest.New(t, full(t, "https://as.example"))
		mux := http.NewServeMux()
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		require.NotPanics(t, func() { s.AS.Mount(mux) }, pattern)
		require.Equal(t, http.StatusTeapot, servertest.Serve(mux, httptest.NewRequest(http.MethodPut, "https://as.example/x", nil)).Status)
	}
}

// A wrong method at an endpoint is the server's to refuse, with the methods that it
// has, also where the host has a page for every path (RFC 9110 section 15.5.6).
func TestMount_WrongMethodIsOurs(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, full(t, "https://as.example"))
	mux := hostMux()
	s.AS.Mount(mux)
	allow := map[string]string{
		"/token": "POST", "/revoke": "POST", "/introspect": "POST", "/tokeninfo": "POST", "/par": "POST",
		"/jwks.json": "GET, HEAD", wellKnown: "GET, HEAD", "/code": "GET, POST",
	}
	for path, methods := range allow {
		for _, method := range allMethods {
			if strings.Contains(methods, method) {
				continue
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			require.Equal(t, http.StatusMethodNotAllowed, w.Code, "%s %s", method, path)
			require.Equal(t, methods, w.Header().Get("Allow"), "%s %s", method, path)
			require.NotContains(t, w.Body.String(), "host", "%s %s", method, path)
		}
	}
}

// What is switched off is not registered: its path is the host's.
func TestMount_PathsThatAreOffAreTheHosts(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Paths.Revoke = "-"
		cfg.Paths.Introspect = "-"
	})
	mux := hostMux()
	s.AS.Mount(mux)
	s.Handler = mux
	for _, path := range []string{"/revoke", "/introspect", "/tokeninfo", "/jwks.json", "/code", "/par"} {
		require.Equal(t, "host GET /{name}", s.Get(path).Body, path)
	}
	require.Len(t, s.AS.Routes(), 2*len(allMethods), "the token endpoint and the metadata")
}

// Two servers of one host, with different paths of their issuers, share a mux.
func TestMount_TwoIssuersInOneMux(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, tenant := range []string{"a", "b"} {
		servertest.New(t, full(t, "https://as.example/"+tenant)).AS.Mount(mux)
	}
	for _, tenant := range []string{"a", "b"} {
		res := servertest.Serve(mux, httptest.NewRequest(http.MethodGet, wellKnown+"/"+tenant, nil))
		require.Equal(t, "https://as.example/"+tenant, res.JSON["issuer"])
		res = servertest.Serve(mux, servertest.Request("/"+tenant+"/token", servertest.Conf, "grant_type=client_credentials"))
		require.Equal(t, 200, res.Status, res.Body)
	}
	require.Equal(t, 404, servertest.Serve(mux, httptest.NewRequest(http.MethodGet, wellKnown, nil)).Status)
}

// The routes work in another router too: each handler stands alone.
func TestRoutes_HandlersStandAlone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	table := map[string]http.Handler{}
	for _, r := range s.AS.Routes() {
		table[r.Method+" "+r.Path] = r.Handler
	}
	res := servertest.Serve(table["POST /token"], servertest.Request("/anywhere", servertest.Conf, "grant_type=client_credentials"))
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, 1, s.ActiveOf(storage.Access))
}

// A handler that is mounted below a prefix which the issuer has already is not found, and
// the answer says why. A path that is served nowhere is a plain 404.
func TestHandler_BelowAStrippedPrefix(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *grantwell.Config) { cfg.Issuer = servertest.Issuer + "/auth" })
	mux := http.NewServeMux()
	mux.Handle("/auth/", http.StripPrefix("/auth", s.AS.Handler()))
	s.Handler = mux
	res := s.Post("/auth/token", servertest.Conf, "grant_type", "client_credentials")
	require.Equal(t, http.StatusNotFound, res.Status)
	require.Contains(t, res.Body, "http.StripPrefix")
	require.NotContains(t, s.Post("/auth/nowhere", "").Body, "StripPrefix")

	s.Handler = s.AS.Handler()
	require.Equal(t, http.StatusOK, s.Post("/auth/token", servertest.Conf, "grant_type", "client_credentials").Status)
	require.Equal(t, "404 page not found\n", s.Post("/token", "").Body)
}
