package grantwell_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
)

// Handlers are mounted one by one under paths of the host's choice, and nothing else answers.
// Holds S1.
func TestHandlers_MountedAlone(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	mux := http.NewServeMux()
	mux.Handle("POST /a/b/c", l.srv.TokenHandler())
	mux.Handle("/gone", l.srv.RevokeHandler())
	mux.Handle("/info", l.srv.TokenInfoHandler())
	mux.Handle("/meta", l.srv.MetadataHandler())
	l.mux = mux
	res := l.post("/a/b/c", conf, "grant_type", "client_credentials")
	require.Equal(t, 200, res.status, res.body)
	require.Equal(t, 200, l.post("/info", conf, "access_token", res.str("access_token")).status)
	require.Equal(t, 200, l.post("/gone", conf, "token", res.str("access_token")).status)
	l.post("/info", conf, "access_token", res.str("access_token")).fails(t, 400, "invalid_token")
	require.Equal(t, 200, l.do(httptest.NewRequest("GET", "/meta", nil)).status)
	require.Equal(t, 404, l.post("/token", conf, "grant_type", "client_credentials").status)
}

// Paths are compared byte for byte; what is switched off is not there.
// Holds S2, V198.
func TestPaths_ExactAndOff(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) {
		cfg.Grants, cfg.Paths.Revoke = []grants.Handler{grants.ClientCredentials{}}, "-"
	})
	handler := l.srv.Handler()
	for _, path := range []string{"/token/", "//token", "/Token", "/token%2f", "/./token", "/revoke", "/tokeninfo", "/jwks.json", "/authorize", "/"} {
		req := request("/", conf, "grant_type=client_credentials")
		req.URL.Path = path
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		require.Equal(t, 404, w.Code, path)
	}
	for _, g := range []string{"authorization_code", "password", "refresh_token", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "PASSWORD", "Client_Credentials"} {
		l.post("/token", conf, "grant_type", g, "code", "x", "username", "johndoe", "password", "A3ddj3w").fails(t, 400, "unsupported_grant_type")
	}
	meta := l.do(httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	require.Equal(t, []any{"client_credentials"}, meta.json["grant_types_supported"])
	for _, absent := range []string{"revocation_endpoint", "jwks_uri", "authorization_endpoint"} {
		require.NotContains(t, meta.json, absent)
	}
}

// Only POST is served at the token and revocation endpoints.
// Holds S19, R81.
func TestMethods(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	for _, path := range []string{"/token", "/revoke", "/introspect"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "BREW"} {
			req := request(path, conf, "grant_type=client_credentials&token=x")
			req.Method = method
			res := l.do(req)
			require.Equal(t, 405, res.status, method)
			require.Equal(t, "POST", res.header.Get("Allow"), method)
			require.Equal(t, "invalid_request", res.str("error"), method)
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
		{"no grant type", "/token", "scope=read", "", conf, 400, "invalid_request"},
		{"empty grant type", "/token", "grant_type=", "", conf, 400, "invalid_request"},
		{"no body", "/token", "", "", conf, 400, "invalid_request"},
		{"unknown grant", "/token", "grant_type=magic%0d%0a%22%5c%c3%a9", "", conf, 400, "unsupported_grant_type"},
		{"implicit", "/token", "grant_type=implicit", "", conf, 400, "unsupported_grant_type"},
		{"grant type twice", "/token", cc + "&" + cc, "", conf, 400, "invalid_request"},
		{"scope twice", "/token", cc + "&scope=read&scope=read", "", conf, 400, "invalid_request"},
		{"scope twice, once empty", "/token", cc + "&scope=&scope=read", "", conf, 400, "invalid_request"},
		{"client_id twice", "/token", cc + "&client_id=conf&client_id=conf", "", conf, 400, "invalid_request"},
		{"code twice", "/token", "grant_type=authorization_code&code=a&code=b", "", conf, 400, "invalid_request"},
		{"unknown parameter twice", "/token", cc + "&x=1&x=2", "", conf, 400, "invalid_request"},
		{"token twice", "/revoke", "token=a&token=b", "", conf, 400, "invalid_request"},
		{"token twice for introspection", "/introspect", "token=a&token=b", "", conf, 400, "invalid_request"},
		{"JSON", "/token", `{"grant_type":"client_credentials"}`, "application/json", conf, 400, "invalid_request"},
		{"multipart", "/token", "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--b--\r\n", "multipart/form-data; boundary=b", conf, 400, "invalid_request"},
		{"text", "/token", cc, "text/plain", conf, 400, "invalid_request"},
		{"no type", "/token", cc, "-", conf, 400, "invalid_request"},
		{"malformed type", "/token", cc, "application/x-www-form-urlencoded; =", conf, 400, "invalid_request"},
		{"bad percent", "/token", cc + "&scope=%zz", "", conf, 400, "invalid_request"},
		{"lone percent", "/token", cc + "&scope=50%", "", conf, 400, "invalid_request"},
		{"NUL", "/token", cc + "&scope=a%00b", "", conf, 400, "invalid_request"},
		{"raw NUL", "/token", cc + "&scope=a\x00b", "", conf, 400, "invalid_request"},
		{"invalid UTF-8", "/token", cc + "&scope=%ff", "", conf, 400, "invalid_request"},
		{"overlong UTF-8", "/token", cc + "&scope=%c0%af", "", conf, 400, "invalid_request"},
		{"malformed name", "/token", cc + "&%=1", "", conf, 400, "invalid_request"},
		{"all in the query", "/token?" + cc + "&client_id=post&scope=read", "", "", conf, 400, "invalid_request"},
		{"secret in the query", "/token?client_id=post&client_secret=" + secret, cc, "", "", 400, "invalid_request"},
		{"escaped name in the query", "/token?client%5fsecret=" + secret, cc, "", conf, 400, "invalid_request"},
		{"code in the query", "/token?code=abc", "grant_type=authorization_code&code=abc", "", conf, 400, "invalid_request"},
		{"assertion in the query", "/token?assertion=abc", cc, "", conf, 400, "invalid_request"},
		{"password in the query", "/token?password=abc", cc, "", conf, 400, "invalid_request"},
		{"verifier in the query", "/token?code_verifier=abc", cc, "", conf, 400, "invalid_request"},
		{"refresh token in the query", "/token?refresh_token=abc", cc, "", conf, 400, "invalid_request"},
		{"token in the query", "/revoke?token=abc", "token=abc", "", conf, 400, "invalid_request"},
		{"introspected token in the query", "/introspect?token=abc", "token=abc", "", conf, 400, "invalid_request"},
		{"client_id in the query only", "/token?client_id=public", "grant_type=password", "", "", 401, "invalid_client"},
		{"no token", "/revoke", "x=y", "", conf, 400, "invalid_request"},
		{"no credentials", "/token", cc, "", "", 401, "invalid_client"},
		{"wrong secret", "/token", cc, "", "conf:wrong", 401, "invalid_client"},
		{"scope", "/token", cc + "&scope=adm%c3%a9'%5c%3cx%3e", "", conf, 400, "invalid_scope"},
		{"unknown code", "/token", "grant_type=authorization_code&code=%22%0a", "", conf, 400, "invalid_grant"},
		{"wrong password", "/token", "grant_type=password&username=%22x&password=y", "", conf, 400, "invalid_grant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, nil)
			req := request(tt.target, tt.as, tt.body)
			switch tt.contentType {
			case "":
			case "-":
				req.Header.Del("Content-Type")
			default:
				req.Header.Set("Content-Type", tt.contentType)
			}
			res := l.do(req)
			res.fails(t, tt.status, tt.code)
			require.Equal(t, "application/json", res.header.Get("Content-Type"))
			onlyAnError(t, res)
			require.Zero(t, l.store.Len(), "nothing was stored")
		})
	}
}

var allowedText = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]*$`)

// onlyAnError asserts the form of an error answer.
func onlyAnError(t *testing.T, res reply) {
	t.Helper()
	require.Equal(t, "no-store", res.header.Get("Cache-Control"))
	require.Equal(t, "nosniff", res.header.Get("X-Content-Type-Options"))
	require.Empty(t, res.header.Values("Set-Cookie"))
	require.Empty(t, res.header.Get("Server"))
	dec := json.NewDecoder(strings.NewReader(res.body))
	var m map[string]string
	require.NoError(t, dec.Decode(&m), res.body)
	require.False(t, dec.More(), res.body)
	for name, v := range m {
		require.Contains(t, []string{"error", "error_description", "error_uri"}, name)
		require.Regexp(t, allowedText, v)
	}
	for _, inner := range []string{"goroutine", ".go:", "panic", "memstore"} {
		require.NotContains(t, res.body, inner)
	}
}

// A parameter that nobody knows changes nothing, and an empty one is as good as none.
// Holds R3, R4.
func TestParameters_UnknownAndEmpty(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	for _, body := range []string{"", "&foo=bar", "&scope=", "&scope", "&client_id=", "&client_secret=", "&code=", "&&", "&resource=https://a&resource=https://b", "&foo=%F0%9F%98%80"} {
		res := l.do(request("/token", conf, "grant_type=client_credentials"+body))
		require.Equal(t, 200, res.status, body+res.body)
		require.Equal(t, "read", res.str("scope"))
	}
	l.do(request("/token", conf, "grant_type=password&username=johndoe&password=")).fails(t, 400, "invalid_request")
	req := request("/token", conf, "grant_type=client_credentials")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	require.Equal(t, 200, l.do(req).status)
}

// A success is JSON that no cache keeps, with all that a client needs and nothing that is null.
// Holds S14, S15, S16, R83, R84.
func TestSuccess_Form(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) {
		cfg.Hooks.Issue = func(_ context.Context, i *grantwell.Issue) error { i.Response["nothing"] = nil; return nil }
	})
	res := l.exchange(l.code("conf", "scope", "read write"))
	require.Equal(t, 200, res.status, res.body)
	require.Equal(t, "application/json", res.header.Get("Content-Type"))
	require.Equal(t, "no-store", res.header.Get("Cache-Control"))
	require.Equal(t, "no-cache", res.header.Get("Pragma"))
	require.Empty(t, res.header.Values("Set-Cookie"))
	require.Len(t, res.json, 5)
	require.NotEmpty(t, res.str("access_token"))
	require.NotEmpty(t, res.str("refresh_token"))
	require.Equal(t, "Bearer", res.str("token_type"))
	require.Equal(t, "read write", res.str("scope"))
	require.IsType(t, float64(0), res.json["expires_in"])
	require.LessOrEqual(t, res.json["expires_in"], 3600.0)
	require.Greater(t, res.json["expires_in"], 3590.0)
	require.NotContains(t, res.body, "null")
}

// An embedder's texts replace descriptions and URIs; codes and statuses stay, and so does the character set.
// Holds S21.
func TestErrorText(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) {
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
	res := l.post("/token", conf, "grant_type", "magic")
	res.fails(t, 400, "unsupported_grant_type")
	require.True(t, strings.HasPrefix(res.str("error_description"), "Gibt's nicht: x"), res.body)
	require.Equal(t, "https://help.example/a", res.str("error_uri"))
	onlyAnError(t, res)
	res = l.post("/token", "conf:wrong", "grant_type", "magic")
	res.fails(t, 401, "invalid_client")
	require.NotContains(t, res.json, "error_description")
	res = l.post("/token", conf, "grant_type", "authorization_code", "code", "x")
	res.fails(t, 400, "invalid_grant")
	require.NotEmpty(t, res.str("error_description"), "the built-in text, if the function panics")
}

// TLS mode refuses plain HTTP, whoever claims otherwise, but for a trusted proxy.
// Holds R14.
func TestRequireTLS(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) {
		cfg.RequireTLS, cfg.TrustedProxies = true, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, tt := range []struct {
		remote, proto string
		status        int
	}{{"192.0.2.1:1", "", 400}, {"192.0.2.1:1", "https", 400}, {"10.1.1.1:1", "", 400}, {"10.1.1.1:1", "http", 400}, {"10.1.1.1:1", "https", 200}, {"[::ffff:10.1.1.1]:1", "https", 200}} {
		req := request("/token", conf, "grant_type=client_credentials")
		req.RemoteAddr = tt.remote
		req.Header.Set("X-Forwarded-Proto", tt.proto)
		require.Equal(t, tt.status, l.do(req).status, tt)
	}
}

// No header of a caller's changes who we say we are.
// Holds R15.
func TestIssuer_NotFromHeaders(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	plain := l.do(httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	evil := httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil)
	evil.Host = "evil.example"
	for _, h := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "X-Host", "X-Forwarded-Prefix", "Forwarded"} {
		evil.Header.Set(h, "host=evil.example")
	}
	require.Equal(t, plain.body, l.do(evil).body)
	req := httptest.NewRequest("GET", "/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+redirect, nil)
	req.Host = "evil.example"
	req.Header.Set("X-Forwarded-Host", "evil.example")
	where := l.do(req).header.Get("Location")
	require.True(t, strings.HasPrefix(where, redirect+"?"), where)
	require.NotContains(t, where, "evil")
	req = request("/token", conf, "grant_type=client_credentials")
	req.Host = "evil.example"
	res := l.do(req)
	require.Equal(t, 200, res.status)
	intro := l.post("/introspect", conf, "token", res.str("access_token"))
	require.Equal(t, "https://as.example", intro.str("iss"))
	require.NotContains(t, intro.body, "evil")
}

// What is too large is refused before it is read to its end, whether it says its size or not.
// Holds S19, R7, R8, V178, V187.
func TestBounds(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	big := "grant_type=client_credentials&scope=" + strings.Repeat("a", 70<<10)
	for _, length := range []string{"Content-Length: 100000000", "Transfer-Encoding: chunked"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.http.URL, "http://"))
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

	l := newLocal(t, nil)
	var many, list strings.Builder
	for range 10_000 {
		many.WriteString("&resource=https://r.example")
		list.WriteString("+a")
	}
	for name, body := range map[string]string{"resources": many.String(), "scopes": "&scope=" + list.String(), "spaces": "&scope=" + strings.Repeat("+", 10_000)} {
		l.do(request("/token", conf, "grant_type=client_credentials"+body)).fails(t, map[bool]int{true: 413, false: 400}[len(body) > 64<<10], "invalid_request")
		require.Zero(t, l.store.Len(), name)
	}
	var pairs string
	for i := range 100 {
		pairs += "&p" + strings.Repeat("x", i) + "=1"
	}
	l.do(request("/token", conf, "grant_type=client_credentials"+pairs)).fails(t, 400, "invalid_request")
}
