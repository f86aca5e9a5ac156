package grantwell_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// Handlers are mounted one by one under paths of the host's choice, and nothing else answers.
// Holds S1.
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
	require.Equal(t, 200, l.Post("/info", servertest.Conf, "access_token", res.String("access_token")).Status)
	require.Equal(t, 200, l.Post("/gone", servertest.Conf, "token", res.String("access_token")).Status)
	l.Post("/info", servertest.Conf, "access_token", res.String("access_token")).Fails(t, 400, "invalid_token")
	require.Equal(t, 200, l.Do(httptest.NewRequest("GET", "/meta", nil)).Status)
	require.Equal(t, 404, l.Post("/token", servertest.Conf, "grant_type", "client_credentials").Status)
}

// Paths are compared byte for byte; what is switched off is not there.
// Holds S2, V198.
func TestPaths_ExactAndOff(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Grants, cfg.Paths.Revoke = []grants.Handler{grants.ClientCredentials{}}, "-"
	})
	handler := l.AS.Handler()
	for _, path := range []string{"/token/", "//token", "/Token", "/token%2f", "/./token", "/revoke", "/tokeninfo", "/jwks.json", "/authorize", "/"} {
		req := servertest.Request("/", servertest.Conf, "grant_type=client_credentials")
		req.URL.Path = path
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		require.Equal(t, 404, w.Code, path)
	}
	for _, g := range []string{"authorization_code", "password", "refresh_token", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "PASSWORD", "Client_Credentials"} {
		l.Post("/token", servertest.Conf, "grant_type", g, "code", "x", "username", "johndoe", "password", "A3ddj3w").Fails(t, 400, "unsupported_grant_type")
	}
	meta := l.Do(httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	require.Equal(t, []any{"client_credentials"}, meta.JSON["grant_types_supported"])
	for _, absent := range []string{"revocation_endpoint", "jwks_uri", "authorization_endpoint"} {
		require.NotContains(t, meta.JSON, absent)
	}
}

// Only POST is served at the token and revocation endpoints.
// Holds S19, R81.
func TestMethods(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for _, path := range []string{"/token", "/revoke", "/introspect"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "BREW"} {
			req := servertest.Request(path, servertest.Conf, "grant_type=client_credentials&token=x")
			req.Method = method
			res := l.Do(req)
			require.Equal(t, 405, res.Status, method)
			require.Equal(t, "POST", res.Header.Get("Allow"), method)
			require.Equal(t, "invalid_request", res.String("error"), method)
		}
	}
}

// Whatever is sent, the answer is one JSON object in the characters of RFC 6749 section 5.2, that no cache keeps and no cookie follows.
// Holds S4, S7, S14, S19, S20, R2, R5, R6, R9, R10, R11, R82.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const cc = "grant_type=client_credentials"
	for _, tt := range []struct {
		name, target, body, contentType, as string
		status                              int
		code                                string
	}{
		{"no grant type", "/token", "scope=read", "", servertest.Conf, 400, "invalid_request"},
		{"empty grant type", "/token", "grant_type=", "", servertest.Conf, 400, "invalid_request"},
		{"no body", "/token", "", "", servertest.Conf, 400, "invalid_request"},
		{"unknown grant", "/token", "grant_type=magic%0d%0a%22%5c%c3%a9", "", servertest.Conf, 400, "unsupported_grant_type"},
		{"implicit", "/token", "grant_type=implicit", "", servertest.Conf, 400, "unsupported_grant_type"},
		{"grant type twice", "/token", cc + "&" + cc, "", servertest.Conf, 400, "invalid_request"},
		{"scope twice", "/token", cc + "&scope=read&scope=read", "", servertest.Conf, 400, "invalid_request"},
		{"scope twice, once empty", "/token", cc + "&scope=&scope=read", "", servertest.Conf, 400, "invalid_request"},
		{"client_id twice", "/token", cc + "&client_id=conf&client_id=conf", "", servertest.Conf, 400, "invalid_request"},
		{"code twice", "/token", "grant_type=authorization_code&code=a&code=b", "", servertest.Conf, 400, "invalid_request"},
		{"unknown parameter twice", "/token", cc + "&x=1&x=2", "", servertest.Conf, 400, "invalid_request"},
		{"token twice", "/revoke", "token=a&token=b", "", servertest.Conf, 400, "invalid_request"},
		{"token twice for introspection", "/introspect", "token=a&token=b", "", servertest.Conf, 400, "invalid_request"},
		{"JSON", "/token", `{"grant_type":"client_credentials"}`, "application/json", servertest.Conf, 400, "invalid_request"},
		{"multipart", "/token", "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--b--\r\n", "multipart/form-data; boundary=b", servertest.Conf, 400, "invalid_request"},
		{"text", "/token", cc, "text/plain", servertest.Conf, 400, "invalid_request"},
		{"no type", "/token", cc, "-", servertest.Conf, 400, "invalid_request"},
		{"malformed type", "/token", cc, "application/x-www-form-urlencoded; =", servertest.Conf, 400, "invalid_request"},
		{"bad percent", "/token", cc + "&scope=%zz", "", servertest.Conf, 400, "invalid_request"},
		{"lone percent", "/token", cc + "&scope=50%", "", servertest.Conf, 400, "invalid_request"},
		{"NUL", "/token", cc + "&scope=a%00b", "", servertest.Conf, 400, "invalid_request"},
		{"raw NUL", "/token", cc + "&scope=a\x00b", "", servertest.Conf, 400, "invalid_request"},
		{"invalid UTF-8", "/token", cc + "&scope=%ff", "", servertest.Conf, 400, "invalid_request"},
		{"overlong UTF-8", "/token", cc + "&scope=%c0%af", "", servertest.Conf, 400, "invalid_request"},
		{"malformed name", "/token", cc + "&%=1", "", servertest.Conf, 400, "invalid_request"},
		{"all in the query", "/token?" + cc + "&client_id=post&scope=read", "", "", servertest.Conf, 400, "invalid_request"},
		{"secret in the query", "/token?client_id=post&client_secret=" + servertest.Secret, cc, "", "", 400, "invalid_request"},
		{"escaped name in the query", "/token?client%5fsecret=" + servertest.Secret, cc, "", servertest.Conf, 400, "invalid_request"},
		{"code in the query", "/token?code=abc", "grant_type=authorization_code&code=abc", "", servertest.Conf, 400, "invalid_request"},
		{"assertion in the query", "/token?assertion=abc", cc, "", servertest.Conf, 400, "invalid_request"},
		{"password in the query", "/token?password=abc", cc, "", servertest.Conf, 400, "invalid_request"},
		{"verifier in the query", "/token?code_verifier=abc", cc, "", servertest.Conf, 400, "invalid_request"},
		{"refresh token in the query", "/token?refresh_token=abc", cc, "", servertest.Conf, 400, "invalid_request"},
		{"token in the query", "/revoke?token=abc", "token=abc", "", servertest.Conf, 400, "invalid_request"},
		{"introspected token in the query", "/introspect?token=abc", "token=abc", "", servertest.Conf, 400, "invalid_request"},
		{"client_id in the query only", "/token?client_id=public", "grant_type=password", "", "", 401, "invalid_client"},
		{"no token", "/revoke", "x=y", "", servertest.Conf, 400, "invalid_request"},
		{"no credentials", "/token", cc, "", "", 401, "invalid_client"},
		{"wrong secret", "/token", cc, "", "conf:wrong", 401, "invalid_client"},
		{"scope", "/token", cc + "&scope=adm%c3%a9'%5c%3cx%3e", "", servertest.Conf, 400, "invalid_scope"},
		{"unknown code", "/token", "grant_type=authorization_code&code=%22%0a", "", servertest.Conf, 400, "invalid_grant"},
		{"wrong password", "/token", "grant_type=password&username=%22x&password=y", "", servertest.Conf, 400, "invalid_grant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := servertest.New(t, nil)
			req := servertest.Request(tt.target, tt.as, tt.body)
			switch tt.contentType {
			case "":
			case "-":
				req.Header.Del("Content-Type")
			default:
				req.Header.Set("Content-Type", tt.contentType)
			}
			res := l.Do(req)
			res.Fails(t, tt.status, tt.code)
			require.Equal(t, "application/json", res.Header.Get("Content-Type"))
			res.IsOnlyAnError(t)
			require.Empty(t, l.Records(storage.Query{}), "nothing was stored")
		})
	}
}

// A parameter that nobody knows changes nothing, and an empty one is as good as none.
// Holds R3, R4.
func TestParameters_UnknownAndEmpty(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for _, body := range []string{"", "&foo=bar", "&scope=", "&scope", "&client_id=", "&client_secret=", "&code=", "&&", "&resource=https://a&resource=https://b", "&foo=%F0%9F%98%80"} {
		res := l.Do(servertest.Request("/token", servertest.Conf, "grant_type=client_credentials"+body))
		require.Equal(t, 200, res.Status, body+res.Body)
		require.Equal(t, "read", res.String("scope"))
	}
	l.Do(servertest.Request("/token", servertest.Conf, "grant_type=password&username=johndoe&password=")).Fails(t, 400, "invalid_request")
	req := servertest.Request("/token", servertest.Conf, "grant_type=client_credentials")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	require.Equal(t, 200, l.Do(req).Status)
}

// A success is JSON that no cache keeps, with all that a client needs and nothing that is null.
// Holds S14, S15, S16, R83, R84.
func TestSuccess_Form(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Hooks.Issue = func(_ context.Context, i *grantwell.Issue) error { i.Response["nothing"] = nil; return nil }
	})
	res := l.Redeem("conf", l.Code("conf", "scope", "read write"))
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	require.Equal(t, "no-cache", res.Header.Get("Pragma"))
	require.Empty(t, res.Header.Values("Set-Cookie"))
	require.Len(t, res.JSON, 5)
	require.NotEmpty(t, res.String("access_token"))
	require.NotEmpty(t, res.String("refresh_token"))
	require.Equal(t, "Bearer", res.String("token_type"))
	require.Equal(t, "read write", res.String("scope"))
	require.IsType(t, float64(0), res.JSON["expires_in"])
	require.LessOrEqual(t, res.JSON["expires_in"], 3600.0)
	require.Greater(t, res.JSON["expires_in"], 3590.0)
	require.NotContains(t, res.Body, "null")
}

// An embedder's texts replace descriptions and URIs; codes and statuses stay, and so does the character set.
// Holds S21.
func TestErrorText(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.ErrorText = func(code, description string) (string, string) {
			switch code {
			case "unsupported_grant_type":
				return "Gibt's nicht: \"\\\u00fc\r\n" + strings.Repeat("x", 1000), "https://help.example/\" a"
			case "invalid_grant":
				panic("no text")
			}
			return "", ""
		}
	})
	res := l.Post("/token", servertest.Conf, "grant_type", "magic")
	res.Fails(t, 400, "unsupported_grant_type")
	require.True(t, strings.HasPrefix(res.String("error_description"), "Gibt's nicht: x"), res.Body)
	require.Equal(t, "https://help.example/a", res.String("error_uri"))
	res.IsOnlyAnError(t)
	res = l.Post("/token", "conf:wrong", "grant_type", "magic")
	res.Fails(t, 401, "invalid_client")
	require.NotContains(t, res.JSON, "error_description")
	res = l.Post("/token", servertest.Conf, "grant_type", "authorization_code", "code", "x")
	res.Fails(t, 400, "invalid_grant")
	require.NotEmpty(t, res.String("error_description"), "the built-in text, if the function panics")
}

// TLS mode refuses plain HTTP, whoever claims otherwise, but for a trusted proxy.
// Holds R14.
func TestRequireTLS(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.RequireTLS, cfg.TrustedProxies = true, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, tt := range []struct {
		remote, proto string
		status        int
	}{{"192.0.2.1:1", "", 400}, {"192.0.2.1:1", "https", 400}, {"10.1.1.1:1", "", 400}, {"10.1.1.1:1", "http", 400}, {"10.1.1.1:1", "https", 200}, {"[::ffff:10.1.1.1]:1", "https", 200}} {
		req := servertest.Request("/token", servertest.Conf, "grant_type=client_credentials")
		req.TLS = nil
		req.RemoteAddr = tt.remote
		req.Header.Set("X-Forwarded-Proto", tt.proto)
		require.Equal(t, tt.status, l.Do(req).Status, tt)
	}
}

// No header of a caller's changes who we say we are.
// Holds R15.
func TestIssuer_NotFromHeaders(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	plain := l.Do(httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	evil := httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil)
	evil.Host = "evil.example"
	for _, h := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "X-Host", "X-Forwarded-Prefix", "Forwarded"} {
		evil.Header.Set(h, "host=evil.example")
	}
	require.Equal(t, plain.Body, l.Do(evil).Body)
	req := httptest.NewRequest("GET", "/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+servertest.Redirect, nil)
	req.Host = "evil.example"
	req.Header.Set("X-Forwarded-Host", "evil.example")
	where := l.Do(req).Header.Get("Location")
	require.True(t, strings.HasPrefix(where, servertest.Redirect+"?"), where)
	require.NotContains(t, where, "evil")
	req = servertest.Request("/token", servertest.Conf, "grant_type=client_credentials")
	req.Host = "evil.example"
	res := l.Do(req)
	require.Equal(t, 200, res.Status)
	intro := l.Post("/introspect", servertest.Conf, "token", res.String("access_token"))
	require.Equal(t, "https://as.example", intro.String("iss"))
	require.NotContains(t, intro.Body, "evil")
}

// What is too large is refused before it is read to its end, whether it says its size or not.
// Holds S19, R7, R8, V178, V187.
func TestBounds(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, nil).Listen()
	big := "grant_type=client_credentials&scope=" + strings.Repeat("a", 70<<10)
	for _, length := range []string{"Content-Length: 100000000", "Transfer-Encoding: chunked"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.URL, "http://"))
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Write([]byte("POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" + length + "\r\n\r\n"))
		require.NoError(t, err)
		if strings.HasPrefix(length, "T") {
			// Writing may fail: the server is free to close once it has answered.
			_, _ = c.Write([]byte("11180\r\n" + big[:0x11180-2] + "\r\n"))
		}
		// The body has no end: the answer must come all the same.
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.Equal(t, 413, res.StatusCode)
		require.Equal(t, "application/json", res.Header.Get("Content-Type"))
		require.True(t, res.Close, "the rest of the body is not read")
	}

	l := servertest.New(t, nil)
	var many, list strings.Builder
	for range 10_000 {
		many.WriteString("&resource=https://r.example")
		list.WriteString("+a")
	}
	for name, body := range map[string]string{"resources": many.String(), "scopes": "&scope=" + list.String(), "spaces": "&scope=" + strings.Repeat("+", 10_000)} {
		l.Do(servertest.Request("/token", servertest.Conf, "grant_type=client_credentials"+body)).Fails(t, map[bool]int{true: 413, false: 400}[len(body) > 64<<10], "invalid_request")
		require.Empty(t, l.Records(storage.Query{}), name)
	}
	var pairs string
	for i := range 100 {
		pairs += "&p" + strings.Repeat("x", i) + "=1"
	}
	l.Do(servertest.Request("/token", servertest.Conf, "grant_type=client_credentials"+pairs)).Fails(t, 400, "invalid_request")
}
