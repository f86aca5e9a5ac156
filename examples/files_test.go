package examples_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/examples/internal/transcript"
)

const clientsFile = `[
	{
		"client_id": "suite",
		"client_secret": "suite-secret-0123456789",
		"token_endpoint_auth_method": "client_secret_post",
		"grant_types": ["authorization_code", "password", "client_credentials", "refresh_token"],
		"response_types": ["code"],
		"redirect_uris": ["https://suite.example/cb"],
		"scope": "a b",
		"client_name": "Suite",
		"vendor_extension": {"of": "another server"}
	},
	{
		"client_id": "one-default",
		"client_secret": "suite-secret-0123456789",
		"grant_types": ["client_credentials"],
		"scope": "a b",
		"default_scope": "b"
	},
	{"client_id": "api", "client_secret": "api-secret-0123456789", "grant_types": []}
]`

const usersFile = `[
	{
		"username": "foo",
		"password": "bar",
		"sub": "user-1",
		"claims": {"plan": "gold", "email": "foo@example.com", "iss": "https://evil.example"}
	},
	{"username": "plain", "password": "p"}
]`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (r reply) object(t *testing.T) map[string]any {
	t.Helper()
	require.Equal(t, 200, r.status, r.body)
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &m), r.body)
	return m
}

// Clients and users of files are served beside those of the demo. A client without
// default_scope gets its whole scope if a request names none, one without grants
// may introspect, and members that are not known are skipped.
// Holds: RFC 6749 section 4.3.2.
func TestServer_ReadsClientsAndUsers(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"opaque", "jwt"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			p := serve(t,
				"-clients", write(t, clientsFile), "-users", write(t, usersFile),
				"-access-token", format,
			)
			as := url.Values{
				"client_id":     {"suite"},
				"client_secret": {"suite-secret-0123456789"},
			}.Encode()
			got := p.post(p.demo.Token, "", as+"&grant_type=password&username=foo&password=bar").
				object(t)
			require.Equal(t, "a b", got["scope"])
			token := got["access_token"].(string)

			seen := p.post(p.demo.Introspect, "api:api-secret-0123456789", "token="+token).object(t)
			require.Equal(t, true, seen["active"])
			require.Equal(t, "user-1", seen["sub"])
			require.Equal(t, "suite", seen["client_id"])
			require.Equal(t, p.demo.Issuer, seen["iss"], "a user's claim replaces nothing")
			require.Equal(t, "gold", seen["plan"])
			require.NotContains(t, seen, "email", "it needs the scope email (OpenID Connect Core section 5.4)")
			plain := p.post(p.demo.Token, "", as+"&grant_type=password&username=plain&password=p").object(t)
			form := as + "&access_token=" + plain["access_token"].(string)
			require.Equal(t, "plain", p.post(p.demo.TokenInfo, "", form).object(t)["user_id"])
			const own = "grant_type=client_credentials"
			one := p.post(p.demo.Token, "one-default:suite-secret-0123456789", own).object(t)
			require.Equal(t, "b", one["scope"])
			require.Equal(t, 400, p.post(p.demo.Token, "api:api-secret-0123456789", own).status)

			b := p.browser()
			login := b.open(p.demo.Authorize + "?response_type=code&client_id=suite&state=s")
			consent := b.submit(login, "username", "foo", "password", "bar")
			q := b.submit(consent, "scope", "a", "scope", "b", "decision", "allow").answer()
			code := p.post(p.demo.Token, "", as+"&grant_type=authorization_code&code="+q.Get("code")).
				object(t)
			require.Equal(t, "a b", code["scope"])
			p.golden("clientcredentials", p.run("clientcredentials"))
		})
	}
}

// A wrong command line or file is refused with a message that names it, and nothing
// is served.
// Holds: house: configuration errors.
func TestServer_RefusesWrongOptions(t *testing.T) {
	t.Parallel()
	const wrongClient = `[{"client_id":"c","client_secret":"0123456789abcdef",
		"redirect_uris":["javascript:alert(1)"]}]`
	const misspelt = `[{"client_id":"c","client_secret":"0123456789abcdef","redirect_uri":["https://a.example/cb"]}]`
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"plain http elsewhere": {[]string{"-issuer", "http://as.example"}, "Config.Issuer"},
		"unknown format":       {[]string{"-access-token", "saml"}, "Config.AccessTokenFormat"},
		"unknown store":        {[]string{"-store", "paper"}, "-store"},
		"store of a driver":    {[]string{"-store", "sqlite:x.db"}, "run ./server -store sqlite:"},
		"key alone":            {[]string{"-tls-key", "x"}, "-tls-cert"},
		"no such certificate":  {[]string{"-tls-cert", "x", "-tls-key", "x"}, "x"},
		"no such clients":      {[]string{"-clients", "nowhere.json"}, "nowhere.json"},
		"wrong client":         {[]string{"-clients", write(t, wrongClient)}, "redirect_uris"},
		"window and strict":    {[]string{"-strict-refresh", "-retry-window", "9s"}, "RetryWindow"},
		"clients, no array":    {[]string{"-clients", write(t, `{"client_id":"c"}`)}, "not a JSON array of clients"},
		"misspelt member":      {[]string{"-clients", write(t, misspelt)}, `"c": "redirect_uri": there is no such member`},
		"wrong users":          {[]string{"-users", write(t, `{"username":"x"}`)}, "not a JSON array of objects with username"},
		"users of other types": {[]string{"-users", write(t, `[{"username":1}]`)}, "of type number"},
		"proxy, no address":    {[]string{"-trusted-proxy", "127.0.0.1,proxy.example"}, `"proxy.example" is neither`},
		"user without name":    {[]string{"-users", write(t, `[{"password":"x"}]`)}, "username"},
		"too many users":       {[]string{"-users", write(t, "["+strings.Repeat("{},", 10_000)+"{}]")}, "too many"},
		"too large":            {[]string{"-users", write(t, strings.Repeat(" ", 4<<20+1))}, "too large"},
		"stray argument":       {[]string{"stray"}, "stray"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(
				t.Context(), time.Minute,
			) // one that serves after all is ended, and found out
			defer cancel()
			cmd := exec.CommandContext(
				ctx,
				filepath.Join(bin, "server"),
				append([]string{"-addr", "127.0.0.1:0", "-demo", "-"}, c.args...)...)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "%s", out)
			require.Contains(t, string(out), c.says)
			require.NotContains(t, string(out), "ready")
		})
	}
}

// An issuer with a path has every endpoint below it, and its metadata at the place
// of RFC 8414 section 3.1.
// Holds: RFC 8414 section 2.
func TestServer_IssuerWithPath(t *testing.T) {
	t.Parallel()
	p := &process{t: t, path: filepath.Join(t.TempDir(), "demo.json")}
	p.start(
		"server", "-addr", "127.0.0.1:0", "-demo", p.path, "-issuer", "https://localhost/tenant",
	)
	p.read()
	require.Equal(t, "https://localhost/tenant/token", p.demo.Token)
	require.Equal(t,
		"https://localhost/.well-known/oauth-authorization-server/tenant", p.lines["metadata"][0],
	)
	require.Equal(t, "https://localhost/tenant/api/protected", p.demo.Protected)
}

// A client that must push its authorization requests gets an answer to a pushed one and
// to no other (RFC 9126 sections 2.1 and 6).
func TestServer_ClientMustPush(t *testing.T) {
	t.Parallel()
	p := serve(t, "-clients", write(t, `[{
		"client_id": "pushes",
		"client_secret": "suite-secret-0123456789",
		"redirect_uris": ["https://suite.example/cb"],
		"scope": "a",
		"require_pushed_authorization_requests": true
	}]`))
	require.Equal(t, []string{p.demo.Issuer + "/par"}, p.lines["par"])
	require.Equal(t, p.demo.PAR, p.lines["par"][0])

	b := p.browser()
	direct := b.open(p.demo.Authorize + "?response_type=code&client_id=pushes&state=s")
	require.Equal(t, "invalid_request", direct.answer().Get("error"))

	pushed := p.post(p.demo.PAR, "pushes:suite-secret-0123456789", "response_type=code&state=s")
	require.Equal(t, 201, pushed.status, pushed.body)
	var answer struct {
		RequestURI string `json:"request_uri"`
	}
	require.NoError(t, json.Unmarshal([]byte(pushed.body), &answer))
	reference := url.Values{"client_id": {"pushes"}, "request_uri": {answer.RequestURI}}
	consent := p.login(b, b.open(p.demo.Authorize+"?"+reference.Encode()))
	q := b.submit(consent, "scope", "a", "decision", "allow").answer()
	require.Equal(t, "s", q.Get("state"))
	require.NotEmpty(t, q.Get("code"))
}

// A lost refresh answer is given again within -retry-window, which is on by
// default, and never with -strict-refresh.
// Holds: RFC 6819 section 5.2.2.3.
func TestServer_RetryWindow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want int
	}{
		"default": {nil, 200},
		"1m":      {[]string{"-retry-window", "1m"}, 200},
		"0s":      {[]string{"-retry-window", "0s"}, 400},
		"strict":  {[]string{"-strict-refresh"}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, tt.args...)
			form := "grant_type=password&username=johndoe&password=" + p.demo.Passwords["johndoe"]
			first := p.post(p.demo.Token, p.confidential(), form).object(t)
			form = "grant_type=refresh_token&refresh_token=" + first["refresh_token"].(string)
			second := p.post(p.demo.Token, p.confidential(), form).object(t)
			again := p.post(p.demo.Token, p.confidential(), form)
			require.Equal(t, tt.want, again.status, again.body)
			if tt.want == 200 {
				require.Equal(t, second["refresh_token"], again.object(t)["refresh_token"])
			}
		})
	}
}

// With -log each outcome is a line of the log, and no line has a secret.
// Holds: house: no secret in words.
func TestServer_LogHasNoSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "demo.json")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer log.Close()
	p := &process{t: t, path: path, stderr: log}
	p.start("server", "-addr", "127.0.0.1:0", "-demo", path, "-log")
	p.read()
	var secrets []string
	for _, s := range []map[string]string{p.demo.Secrets, p.demo.Passwords} {
		for _, v := range s {
			if v != "" {
				secrets = append(secrets, v)
			}
		}
	}
	for _, c := range transcript.Programs {
		for line := range strings.Lines(p.run(c.Name, c.Args...)) {
			if before, after, ok := strings.Cut(strings.TrimSpace(line), ":"); ok &&
				strings.Contains(before, " token") &&
				after != "" {
				secrets = append(secrets, strings.TrimSpace(after))
			}
		}
	}
	b, err := os.ReadFile(log.Name())
	require.NoError(t, err)
	require.Contains(t, string(b), "event.client_id="+demo.Confidential)
	require.Greater(t, len(secrets), 10)
	for _, s := range secrets {
		require.NotContains(t, string(b), s)
	}
}

// Flags let clients of other servers be tried: a secret in either place, an assertion of
// an hour, and one whose audience is the token endpoint. Without them all are refused.
func TestServer_FlagsForOtherPeoplesClients(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey}}})
	require.NoError(t, err)
	file := write(t, `[
		{"client_id":"basic","client_secret":"0123456789abcdef","grant_types":["client_credentials"],"scope":"a"},
		{"client_id":"signer","token_endpoint_auth_method":"private_key_jwt","jwks":`+string(keys)+`,
			"grant_types":["client_credentials","urn:ietf:params:oauth:grant-type:jwt-bearer"],"scope":"a"}
	]`)
	sign := func(audience string, life time.Duration) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
		require.NoError(t, err)
		now := time.Now()
		text, err := jwt.Signed(signer).Claims(map[string]any{
			"iss": "signer", "sub": "signer", "aud": audience, "jti": rand.Text(),
			"iat": now.Unix(), "exp": now.Add(life).Unix(),
		}).Serialize()
		require.NoError(t, err)
		return text
	}
	for _, c := range []struct {
		flags []string
		want  []int
	}{
		{nil, []int{401, 400, 401}},
		{[]string{"-any-secret-place", "-assertion-lifetime", "1h", "-legacy-audience"}, []int{200, 200, 200}},
	} {
		p := serve(t, append([]string{"-clients", file}, c.flags...)...)
		own := "grant_type=client_credentials"
		grant := url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
			"assertion":  {sign(p.demo.Issuer, time.Hour)},
		}
		proof := url.Values{
			"grant_type":            {"client_credentials"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {sign(p.demo.Token, time.Minute)},
		}
		require.Equal(t, c.want, []int{
			p.post(p.demo.Token, "", own+"&client_id=basic&client_secret=0123456789abcdef").status,
			p.post(p.demo.Token, "", grant.Encode()).status,
			p.post(p.demo.Token, "", proof.Encode()).status,
		})
	}
}
