package grantwell_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Whatever is sent, the answer is one JSON object in the characters of RFC
// 6749 section 5.2, which no cache keeps and which sets no cookie.
//
// Holds: RFC 6749 section 2.3.1; RFC 6749 section 3.2; RFC 6749 section 5.1;
// RFC 6749 section 5.2; RFC 6749 appendix B.
func TestTokenRequest_RefusalIsOneJSONObject(t *testing.T) {
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
		{"unknown grant", "/token", "grant_type=magic%0d%0a%22%5c%c3%a9", "", servertest.Conf, 400,
			"unsupported_grant_type"},
		{"implicit", "/token", "grant_type=implicit", "", servertest.Conf, 400,
			"unsupported_grant_type"},
		{"grant type twice", "/token", cc + "&" + cc, "", servertest.Conf, 400, "invalid_request"},
		{"scope twice", "/token", cc + "&scope=read&scope=read", "", servertest.Conf, 400,
			"invalid_request"},
		{"scope twice, once empty", "/token", cc + "&scope=&scope=read", "", servertest.Conf, 400,
			"invalid_request"},
		{"client_id twice", "/token", cc + "&client_id=conf&client_id=conf", "", servertest.Conf,
			400, "invalid_request"},
		{"code twice", "/token", "grant_type=authorization_code&code=a&code=b", "", servertest.Conf,
			400, "invalid_request"},
		{"unknown parameter twice", "/token", cc + "&x=1&x=2", "", servertest.Conf, 400,
			"invalid_request"},
		{"token twice", "/revoke", "token=a&token=b", "", servertest.Conf, 400, "invalid_request"},
		{"token twice for introspection", "/introspect", "token=a&token=b", "", servertest.Conf,
			400, "invalid_request"},
		{"JSON", "/token", `{"grant_type":"client_credentials"}`, "application/json",
			servertest.Conf, 400, "invalid_request"},
		{"multipart",
			"/token", "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--b--\r\n",
			"multipart/form-data; boundary=b", servertest.Conf, 400, "invalid_request"},
		{"text", "/token", cc, "text/plain", servertest.Conf, 400, "invalid_request"},
		{"no type", "/token", cc, "-", servertest.Conf, 400, "invalid_request"},
		{"malformed type", "/token", cc, "application/x-www-form-urlencoded; =", servertest.Conf,
			400, "invalid_request"},
		{"bad percent", "/token", cc + "&scope=%zz", "", servertest.Conf, 400, "invalid_request"},
		{"lone percent", "/token", cc + "&scope=50%", "", servertest.Conf, 400, "invalid_request"},
		{"NUL", "/token", cc + "&scope=a%00b", "", servertest.Conf, 400, "invalid_request"},
		{"raw NUL", "/token", cc + "&scope=a\x00b", "", servertest.Conf, 400, "invalid_request"},
		{"invalid UTF-8", "/token", cc + "&scope=%ff", "", servertest.Conf, 400, "invalid_request"},
		{"overlong UTF-8", "/token", cc + "&scope=%c0%af", "", servertest.Conf, 400,
			"invalid_request"},
		{"malformed name", "/token", cc + "&%=1", "", servertest.Conf, 400, "invalid_request"},
		{"all in the query", "/token?" + cc + "&client_id=post&scope=read", "", "", servertest.Conf,
			400, "invalid_request"},
		{"secret in the query", "/token?client_id=post&client_secret=" + servertest.Secret, cc, "",
			"", 400, "invalid_request"},
		{"escaped name in the query", "/token?client%5fsecret=" + servertest.Secret, cc, "",
			servertest.Conf, 400, "invalid_request"},
		{"code in the query", "/token?code=abc", "grant_type=authorization_code&code=abc", "",
			servertest.Conf, 400, "invalid_request"},
		{"assertion in the query", "/token?assertion=abc", cc, "", servertest.Conf, 400,
			"invalid_request"},
		{"password in the query", "/token?password=abc", cc, "", servertest.Conf, 400,
			"invalid_request"},
		{"verifier in the query", "/token?code_verifier=abc", cc, "", servertest.Conf, 400,
			"invalid_request"},
		{"refresh token in the query", "/token?refresh_token=abc", cc, "", servertest.Conf, 400,
			"invalid_request"},
		{"token in the query", "/revoke?token=abc", "token=abc", "", servertest.Conf, 400,
			"invalid_request"},
		{"introspected token in the query", "/introspect?token=abc", "token=abc", "",
			servertest.Conf, 400, "invalid_request"},
		{"client_id in the query only", "/token?client_id=public", "grant_type=password", "", "",
			401, "invalid_client"},
		{"no token", "/revoke", "x=y", "", servertest.Conf, 400, "invalid_request"},
		{"no credentials", "/token", cc, "", "", 401, "invalid_client"},
		{"wrong secret", "/token", cc, "", "conf:wrong", 401, "invalid_client"},
		{"scope", "/token", cc + "&scope=adm%c3%a9'%5c%3cx%3e", "", servertest.Conf, 400,
			"invalid_scope"},
		{"unknown code", "/token", "grant_type=authorization_code&code=%22%0a", "", servertest.Conf,
			400, "invalid_grant"},
		{"wrong password", "/token", "grant_type=password&username=%22x&password=y", "",
			servertest.Conf, 400, "invalid_grant"},
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

// An unknown parameter changes nothing, and an empty parameter counts as
// absent (RFC 6749 section 3.2).
//
// Holds: RFC 6749 section 3.1.
func TestTokenRequest_UnknownAndEmptyParametersAreIgnored(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for _, body := range []string{"", "&foo=bar", "&scope=", "&scope", "&client_id=",
		"&client_secret=", "&code=", "&&", "&resource=",
		"&foo=%F0%9F%98%80"} {
		res := l.Do(servertest.Request("/token", servertest.Conf,
			"grant_type=client_credentials"+body))
		require.Equal(t, 200, res.Status, body+res.Body)
		require.Equal(t, "read", res.String("scope"))
	}
	l.Do(servertest.Request("/token", servertest.Conf,
		"grant_type=password&username=johndoe&password=")).Fails(t, 400, "invalid_request")
	req := servertest.Request("/token", servertest.Conf, "grant_type=client_credentials")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	require.Equal(t, 200, l.Do(req).Status)
}

// A success is JSON that no cache keeps, with every member that a client needs
// and none that is null.
//
// Holds: RFC 6749 section 5.1; house: numeric lifetimes.
func TestTokenResponse_HasAllMembersAndNoNull(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Hooks.BeforeIssue = func(_ context.Context, i *grantwell.Issuance) error {
			i.Response["nothing"] = nil
			return nil
		}
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

// The host's texts replace descriptions and URIs. Codes, statuses and the
// allowed characters stay.
//
// Holds: house: texts of the host.
func TestErrorText_ReplacesTheTextOnly(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.ErrorText = func(code, description string) (string, string) {
			switch code {
			case "unsupported_grant_type":
				return "Gibt's nicht: \"\\\u00fc\r\n" + strings.Repeat("x",
					1000), "https://help.example/\" a"
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
	require.NotEmpty(t, res.String("error_description"),
		"the built-in text, if the function panics")
}

// A body that is too large is refused before it is read to its end, with or
// without a Content-Length.
//
// Holds: RFC 6749 section 3.2; house: bounded body; house: bounded parameters.
func TestTokenRequest_SizeIsBounded(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, nil).Listen()
	big := "grant_type=client_credentials&scope=" + strings.Repeat("a", 70<<10)
	for _, length := range []string{"Content-Length: 100000000", "Transfer-Encoding: chunked"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.URL, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = c.Write([]byte("POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
			length +
			"\r\n\r\n"))
		require.NoError(t, err)
		if strings.HasPrefix(length, "T") {
			// Writing may fail, because the server may close the connection once
			// it has answered.
			_, _ = c.Write([]byte("11180\r\n" + big[:0x11180-2] + "\r\n"))
		}
		// The body never ends. The server must answer before.
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
	for name, body := range map[string]string{
		"resources": many.String(),
		"scopes":    "&scope=" + list.String(),
		"spaces":    "&scope=" + strings.Repeat("+", 10_000),
	} {
		l.Do(servertest.Request("/token", servertest.Conf,
			"grant_type=client_credentials"+body)).Fails(t, map[bool]int{
			true:  413,
			false: 400,
		}[len(body) > 64<<10], "invalid_request")
		require.Empty(t, l.Records(storage.Query{}), name)
	}
	var pairs string
	for i := range 100 {
		pairs += "&p" + strings.Repeat("x", i) + "=1"
	}
	l.Do(servertest.Request("/token", servertest.Conf,
		"grant_type=client_credentials"+pairs)).Fails(t, 400, "invalid_request")
}

// Hostile input costs no more memory than its own size.
//
// Holds: house: bounded parameters; house: bounded tokens.
func TestTokenRequest_MemoryIsBounded(
	t *testing.T,
) {
	l := servertest.New(t, func(cfg *grantwell.Config) {
		servertest.Signed(servertest.Keys(t))(cfg)
	})
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

// No answer has anything of a concurrent request.
//
// Holds: house: answers apart.
func TestTokenRequest_ConcurrentRequestsDoNotMix(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, servertest.LongTimeout)
	var scopes []string
	for a := 'a'; a <= 'z'; a++ {
		scopes = append(scopes, "s."+string(a), "t."+string(a))
	}
	l.AddClient("conf", func(c *storage.Client) { c.Scope = append(c.Scope, scopes...) })
	var wg sync.WaitGroup
	for i, a := range scopes {
		for _, b := range scopes[i+1:] {
			wg.Go(func() {
				res := l.ClientCredentials(servertest.Conf, "scope", b+" "+a)
				if !(res.Status == 200 && res.String("scope") == b+" "+a) {
					t.Errorf("%s %s: %s", a, b, res.Body)
				}
				info, err := l.AS.Introspect(context.Background(), res.String("access_token"))
				if err != nil || strings.Join(info.Scope, " ") != b+" "+a {
					t.Errorf("%s %s: %v %v", a, b, info, err)
				}
			})
		}
	}
	for i := range 256 {
		wg.Go(func() {
			id := "user-" + string(rune('A'+i%26)) + strings.Repeat("x", i/26)
			res := l.Redeem("conf", l.Authorize(grantwell.Approval{Subject: id}).Param("code"))
			if sub := l.Introspect("conf", res.String("access_token")).String("sub"); sub != id {
				t.Errorf("%s became %s", id, sub)
			}
		})
	}
	wg.Wait()
}

// A user whose subject is the ID of a client gets no token, so that no user
// passes for a client (RFC 9068 section 5).
//
// Holds: RFC 9068 section 2.2.
func TestTokenRequest_SubjectThatIsAClientIsRefused(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, func(c *grantwell.Config) {
		key, err := tokens.GenerateKey(tokens.ES256)
		require.NoError(t, err)
		c.Keys, err = tokens.StaticKeys(key)
		require.NoError(t, err)
		c.AccessTokenFormat = "jwt"
		c.Grants[2] = grants.Password{Authenticator: subjects{}}
	})
	ask := func(user string) servertest.Reply {
		return r.Login(user, "x")
	}
	ask("conf").Fails(t, 400, "invalid_grant")
	ask("other").Fails(t, 400, "invalid_grant")
	require.Equal(t, 200, ask("alice").Status)
	res := r.ClientCredentials(servertest.Conf)
	tok, err := jose.ParseSignedCompact(res.String("access_token"),
		[]jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	require.Contains(t, string(tok.UnsafePayloadWithoutVerification()), `"sub":"conf"`)
}

// subjects accepts any password. The username is the subject.
type subjects struct{}

func (subjects) Authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	return grants.User{Subject: l.Username}, nil
}
