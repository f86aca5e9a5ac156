package grantwell_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
)

// Handlers are mounted one by one under paths of the host's choice, and no
// other path answers.
//
// Holds: house: mounted alone.
func TestHandlers_MountedAlone(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	mux := http.NewServeMux()
	mux.Handle("POST /a/b/c", l.AS.TokenHandler())
	mux.Handle("/gone", l.AS.RevokeHandler())
	mux.Handle("/info", l.AS.TokenInfoHandler())
	mux.Handle("/meta", l.AS.MetadataHandler())
	l.Handler = mux
	res := l.Post("/a/b/c", servertest.Conf, "grant_type", "client_credentials")
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, 200, l.Post("/info", servertest.Conf,
		"access_token", res.String("access_token")).Status)
	require.Equal(t, 200, l.Post("/gone", servertest.Conf,
		"token", res.String("access_token")).Status)
	l.Post("/info", servertest.Conf, "access_token", res.String("access_token")).Fails(t, 400,
		"invalid_token")
	require.Equal(t, 200, l.Do(httptest.NewRequest(http.MethodGet, "/meta", nil)).Status)
	require.Equal(t, 404, l.ClientCredentials(servertest.Conf).Status)
}

// Paths are compared byte for byte, and an endpoint that is switched off does
// not exist.
//
// Holds: house: limit by user; house: off unless named.
func TestPaths_AreExactAndMayBeOff(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Grants, cfg.Paths.Revoke = []grants.Handler{grants.ClientCredentials{}}, "-"
	})
	handler := l.AS.Handler()
	for _, path := range []string{"/token/", "//token", "/Token", "/token%2f", "/./token",
		"/revoke", "/tokeninfo", "/jwks.json", "/authorize", "/"} {
		req := servertest.Request("/", servertest.Conf, "grant_type=client_credentials")
		req.URL.Path = path
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		require.Equal(t, 404, w.Code, path)
	}
	for _, g := range []string{"authorization_code", "password", "refresh_token", "implicit",
		"urn:ietf:params:oauth:grant-type:jwt-bearer", "PASSWORD", "Client_Credentials"} {
		l.Post("/token", servertest.Conf, "grant_type", g, "code", "x", "username", "johndoe",
			"password", "A3ddj3w").Fails(t, 400, "unsupported_grant_type")
	}
	meta := l.Do(httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server", nil))
	require.Equal(t, []any{"client_credentials"}, meta.JSON["grant_types_supported"])
	for _, absent := range []string{"revocation_endpoint", "jwks_uri", "authorization_endpoint"} {
		require.NotContains(t, meta.JSON, absent)
	}
}

// The token, revocation and introspection endpoints serve POST only.
//
// Holds: RFC 6749 section 3.2.
func TestEndpoints_OnlyPost(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for _, path := range []string{"/token", "/revoke", "/introspect"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "BREW"} {
			req := servertest.Request(path, servertest.Conf,
				"grant_type=client_credentials&token=x")
			req.Method = method
			res := l.Do(req)
			require.Equal(t, 405, res.Status, method)
			require.Equal(t, "POST", res.Header.Get("Allow"), method)
			require.Equal(t, "invalid_request", res.String("error"), method)
		}
	}
}

// Every back-channel answer forbids caches and sniffing, sets no cookie and
// names no version, also for a method that is not served.
//
// Holds: RFC 6749 section 3.2; RFC 6749 section 5.1; RFC 9700 section 4.16;
// house: cookies.
func TestEndpoints_AnswersHaveSafeHeaders(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, func(c *grantwell.Config) { c.Paths.TokenInfo = "/tokeninfo" })
	for _, path := range []string{"/token", "/revoke", "/introspect", "/tokeninfo"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete,
			http.MethodPatch, http.MethodHead, http.MethodPost} {
			req, err := http.NewRequest(method, servertest.Issuer+path, nil)
			require.NoError(t, err)
			res := r.Do(req)
			if method != http.MethodPost {
				require.Equal(t, 405, res.Status, method+path)
				require.Equal(t, "POST", res.Header.Get("Allow"))
			}
			if method != http.MethodHead {
				require.NotEmpty(t, res.String("error"), method+path)
			}
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			require.Equal(t, path == "/token", res.Header.Get("Pragma") == "no-cache")
			require.Equal(t, "application/json", res.Header.Get("Content-Type"))
			require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
			require.Empty(t, res.Header.Values("Set-Cookie"))
			require.Empty(t, res.Header.Get("Server")+res.Header.Get("X-Powered-By"))
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		req, err := http.NewRequest(method, servertest.Issuer+"/authorize", nil)
		require.NoError(t, err)
		require.Equal(t, 405, r.Do(req).Status)
	}
	page := r.Get("/authorize", "client_id", "nobody")
	require.Equal(t, "nosniff", page.Header.Get("X-Content-Type-Options"))
	require.NotContains(t, page.Header.Get("Content-Security-Policy"), "unsafe-inline")
}

// With RequireTLS a plain HTTP request is refused, unless a trusted proxy says
// that it received it over TLS.
//
// Holds: RFC 9700 section 2.6.
func TestRequireTLS_OnlyATrustedProxyMaySaySo(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.RequireTLS = true
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, tt := range []struct {
		remote, proto string
		status        int
	}{
		{"192.0.2.1:1", "", 400},
		{"192.0.2.1:1", "https", 400},
		{"10.1.1.1:1", "", 400},
		{"10.1.1.1:1", "http", 400},
		{"10.1.1.1:1", "https", 200},
		{"[::ffff:10.1.1.1]:1", "https", 200},
		{"10.1.1.1:1", "https,https", 200},
		{"10.1.1.1:1", "http,https", 400},
		{"@", "https", 400},
	} {
		req := servertest.Request("/token", servertest.Conf, "grant_type=client_credentials")
		req.TLS = nil
		req.RemoteAddr = tt.remote
		req.Header.Set("X-Forwarded-Proto", tt.proto)
		require.Equal(t, tt.status, l.Do(req).Status, tt)
	}
}

// The proxy at the other end of a unix-domain socket is believed by a setting of its own:
// it has no address. Without it, its headers are ignored, and the log says so once.
func TestTrustedSocket_IsASettingOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, trusted := range []bool{true, false} {
		var log bytes.Buffer
		s := servertest.New(t, func(cfg *grantwell.Config) {
			cfg.RequireTLS = true
			cfg.TrustedSocket = trusted
			servertest.LogTo(cfg, &log)
		})
		want := 400
		for range 2 {
			req := servertest.Request("/token", servertest.Conf, "grant_type=client_credentials")
			req.TLS = nil
			req.RemoteAddr = "@"
			req.Header.Set("X-Forwarded-Proto", "https")
			req.Header.Set("X-Forwarded-For", "203.0.113.9:4711")
			if trusted {
				want = 200
				require.Equal(t, "203.0.113.9", s.AS.RemoteAddr(req).String())
			} else {
				require.False(t, s.AS.RemoteAddr(req).IsValid())
			}
			require.Equal(t, want, s.Do(req).Status)
		}
		require.Equal(t, !trusted, strings.Contains(log.String(), "no trusted proxy"))
		require.LessOrEqual(t, strings.Count(log.String(), "no trusted proxy"), 1)
	}
}

// No header of a request changes the issuer.
//
// Holds: RFC 9700 section 4.13.
func TestIssuer_NotFromHeaders(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	plain := l.Do(httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server", nil))
	evil := httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server", nil)
	evil.Host = "evil.example"
	for _, h := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host",
		"X-Host", "X-Forwarded-Prefix", "Forwarded"} {
		evil.Header.Set(h, "host=evil.example")
	}
	require.Equal(t, plain.Body, l.Do(evil).Body)
	req := httptest.NewRequest(http.MethodGet,
		"/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+servertest.Redirect,
		nil)
	req.Host = "evil.example"
	req.Header.Set("X-Forwarded-Host", "evil.example")
	where := l.Do(req).Header.Get("Location")
	require.True(t, strings.HasPrefix(where, servertest.Redirect+"?"), where)
	require.NotContains(t, where, "evil")
	req = servertest.Request("/token", servertest.Conf, "grant_type=client_credentials")
	req.Host = "evil.example"
	res := l.Do(req)
	require.Equal(t, 200, res.Status)
	intro := l.Introspect("conf", res.String("access_token"))
	require.Equal(t, "https://as.example", intro.String("iss"))
	require.NotContains(t, intro.Body, "evil")
}

// No header or host of a request changes the metadata document.
//
// Holds: OpenID Connect Core section 2; house: issuer not from the host header.
func TestMetadata_IndependentOfTheRequest(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	want := d.Get(wellKnown)
	req := httptest.NewRequest(http.MethodGet,
		"http://evil.example:8080"+wellKnown+"?issuer=https://evil.example", nil)
	req.Host = "evil.example"
	for name, value := range map[string]string{"X-Forwarded-Host": "evil.example",
		"X-Forwarded-Proto": "http", "Forwarded": "host=evil.example;proto=http",
		"X-Original-Host":    "evil.example",
		"X-Forwarded-Prefix": "/evil", "Origin": "https://evil.example"} {
		req.Header.Set(name, value)
	}
	got := servertest.Serve(d.Handler, req)
	require.Equal(t, want.Body, got.Body)
	require.Equal(t, want.Header, got.Header)
	require.Equal(t, "*", got.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, 405, servertest.Serve(d.Handler,
		httptest.NewRequest(http.MethodPost, wellKnown, nil)).Status)
}
