package examples_test

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/examples/internal/transcript"
)

// raw sends a request that is written out, head and body, over a connection of its
// own.
func (p *process) raw(head, body string) (status int, header http.Header, text string) {
	p.t.Helper()
	u, err := url.Parse(p.demo.Issuer)
	require.NoError(p.t, err)
	conn, err := net.Dial("tcp", u.Host)
	require.NoError(p.t, err)
	defer conn.Close()
	head = strings.ReplaceAll(strings.TrimSpace(head), "\n", "\r\n")
	_, err = fmt.Fprintf(
		conn, "%s\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", head, u.Host,
		len(body), body,
	)
	require.NoError(p.t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(p.t, err)
	defer res.Body.Close()
	var b strings.Builder
	_, err = bufio.NewReader(res.Body).WriteTo(&b)
	require.NoError(p.t, err)
	return res.StatusCode, res.Header, b.String()
}

// code gets a code as the browser in the guide does.
func (p *process) code(redirect string) string {
	p.t.Helper()
	b := p.browser()
	at := b.open(
		p.demo.Issuer + "/api/oauth/authorize?client_id=SampleConfidentialApp&response_type=code" +
			"&scope=https%3A%2F%2Flocalhost%3A8090%2Fauth%2Fuserinfo.email&redirect_uri=" + url.QueryEscape(redirect),
	)
	back := p.login(b, at)
	if back.away == nil { // asked once: what was allowed is remembered
		require.Contains(p.t, back.body, "is requesting permission to access:")
		require.Contains(p.t, back.body, "Access and change your email contacts")
		back = b.submit(
			back, "scope", "https://localhost:8090/auth/userinfo.email", "decision", "allow",
		)
	}
	code := back.answer().Get("code")
	require.True(p.t, strings.HasPrefix(back.away.String(), redirect+"?"), back.away)
	require.Len(p.t, code, 30)
	return code
}

// The samples of the guide, with the secrets of this run, get the documented status
// and fields from a server with the gateway preset.
// Holds: RFC 6750 section 3; RFC 7009 section 2.1; house: client as user;
// house: delimiters; house: gateway formats; house: gateway samples;
// house: numeric lifetimes; house: token information.
func TestGateway_GuideSamples(t *testing.T) {
	t.Parallel()
	p := serve(t, "-gateway")
	secret, password := p.demo.Secrets[demo.Confidential], p.demo.Passwords["johndoe"]
	basic := "Authorization: Basic " + basicAuth(demo.Confidential, secret)
	form := "\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\n"
	post := "POST /api/oauth/token HTTP/1.1" + form

	issued := func(t *testing.T, status int, h http.Header, body string) map[string]any {
		t.Helper()
		require.Equal(t, "no-store", h.Get("Cache-Control"))
		require.Equal(t, "no-cache", h.Get("Pragma"))
		m := reply{status, h, body}.object(t)
		require.True(t, strings.HasPrefix(h.Get("Content-Type"), "application/json"))
		require.Len(t, m["access_token"], 54)
		require.Equal(t, "Bearer", m["token_type"])
		require.Equal(t, "3600", m["expires_in"], "quoted, as in the samples")
		return m
	}

	t.Run("code by urlencoded answer", func(t *testing.T) {
		p := p.in(t)
		code := p.code("http://localhost:8090/auth/redirect.html")
		status, h, body := p.raw(
			post,
			"client_id=SampleConfidentialApp&client_secret="+secret+"&code="+code+
				"&redirect_uri=http%3A%2F%2Flocalhost%3A8090%2Fauth%2Fredirect.html&grant_type=authorization_code&format=query",
		)
		require.Equal(t, 200, status, body)
		require.True(t,
			strings.HasPrefix(h.Get("Content-Type"), "application/x-www-form-urlencoded"), h,
		)
		q, err := url.ParseQuery(body)
		require.NoError(t, err)
		require.Len(t, q.Get("access_token"), 54)
		require.Len(t, q.Get("refresh_token"), 46)
		require.Equal(t, "Bearer", q.Get("token_type"))
		require.Equal(t, "3600", q.Get("expires_in"))
	})
	t.Run("code by JSON answer, then refresh", func(t *testing.T) {
		p := p.in(t)
		code := p.code("https://localhost/oauth_callback")
		status, h, body := p.raw(
			post,
			"client_id=SampleConfidentialApp&client_secret="+secret+"&code="+code+
				"&redirect_uri=https%3A%2F%2Flocalhost%2Foauth_callback&grant_type=authorization_code",
		)
		first := issued(t, status, h, body)
		status, h, body = p.raw(
			post+basic, "grant_type=refresh_token&refresh_token="+first["refresh_token"].(string),
		)
		second := issued(t, status, h, body)
		require.NotEqual(t, first["refresh_token"], second["refresh_token"])
		require.Len(t, second["refresh_token"], 46)
		// The successor is used as well, so a further use of the first is no retry.
		status, h, body = p.raw(
			post+basic, "grant_type=refresh_token&refresh_token="+second["refresh_token"].(string),
		)
		issued(t, status, h, body)
		status, _, body = p.raw(
			post+basic, "grant_type=refresh_token&refresh_token="+first["refresh_token"].(string),
		)
		require.Equal(t, 400, status, body)
		require.Contains(t, body, `"error":"invalid_grant"`)
	})
	t.Run("implicit", func(t *testing.T) {
		p := p.in(t)
		b := p.browser()
		consent := p.login(
			b,
			b.open(
				p.demo.Issuer+"/api/oauth/authorize?client_id=SampleConfidentialApp&response_type=token"+
					"&scope=https%3A%2F%2Flocalhost%3A8090%2Fauth%2Fuser.photos&redirect_uri=https%3A%2F%2Flocalhost%2Foauth_callback&state=1956901292",
			),
		)
		q := b.submit(consent, "scope", "https://localhost:8090/auth/user.photos", "decision", "allow").
			answer()
		require.Len(t, q.Get("access_token"), 54)
		require.Equal(t, "3600", q.Get("expires_in"))
		require.Equal(t, "Bearer", q.Get("token_type"))
		require.Equal(t, "1956901292", q.Get("state"))
		require.Equal(t, "https://localhost:8090/auth/user.photos", q.Get("scope"))
		require.NotContains(t, q, "refresh_token")
	})
	t.Run("password", func(t *testing.T) {
		p := p.in(t)
		status, h, body := p.raw(
			post+basic, "grant_type=password&username=johndoe&password="+password,
		)
		require.Len(t, issued(t, status, h, body)["refresh_token"], 46)
	})
	t.Run("client credentials, scopes by comma, and XML", func(t *testing.T) {
		p := p.in(t)
		status, h, body := p.raw(
			post+basic, "grant_type=client_credentials&scope=resource.WRITE,resource.READ",
		)
		m := issued(t, status, h, body)
		require.Equal(t, "resource.WRITE resource.READ", m["scope"])
		require.NotContains(t, m, "refresh_token")
		status, h, body = p.raw(
			"POST /api/oauth/tokeninfo HTTP/1.1"+form, "access_token="+m["access_token"].(string),
		)
		info := reply{status, h, body}.object(t)
		require.Equal(t, demo.Confidential, info["audience"])
		require.Equal(t, demo.Confidential, info["user_id"])

		status, h, body = p.raw(post+basic, "grant_type=client_credentials&format=xml")
		require.Equal(t, 200, status, body)
		require.Contains(t, h.Get("Content-Type"), "xml")
		var answer struct {
			Token string `xml:"access_token"`
			Type  string `xml:"token_type"`
		}
		require.NoError(t, xml.Unmarshal([]byte(body), &answer))
		require.Len(t, answer.Token, 54)
		require.Equal(t, "Bearer", answer.Type)
	})
	t.Run("token information and the protected resource", func(t *testing.T) {
		p := p.in(t)
		status, h, body := p.raw(
			post+basic,
			"grant_type=password&username=johndoe&scope=https%3A%2F%2Flocalhost%3A8090%2Fauth%2Fuserinfo.email&password="+password,
		)
		token := issued(t, status, h, body)["access_token"].(string)
		status, h, body = p.raw("POST /api/oauth/tokeninfo HTTP/1.1"+form, "access_token="+token)
		m := reply{status, h, body}.object(t)
		require.Equal(t, demo.Confidential, m["audience"])
		require.Equal(t, "johndoe", m["user_id"])
		require.Equal(t, "https://localhost:8090/auth/userinfo.email", m["scope"])
		require.InDelta(t, 3600, m["expires_in"], 60)
		require.Len(t, m, 4, "and nothing of the request, least of all its secrets")
		status, _, body = p.raw("POST /api/oauth/tokeninfo HTTP/1.1"+form, "access_token=nothing")
		require.Equal(t, 400, status, body)

		status, _, body = p.raw(
			"GET /api/oauth/protected HTTP/1.1\nAuthorization: Bearer "+token, "",
		)
		require.Equal(t, 200, status)
		require.Contains(t, body, "Congrats! You've hit an OAuth protected resource")
		status, h, body = p.raw("GET /api/oauth/protected HTTP/1.1", "")
		require.Equal(t, 400, status, body)
		require.Contains(t, h.Get("WWW-Authenticate"), `error="invalid_request"`)
	})
	t.Run("revoke", func(t *testing.T) {
		p := p.in(t)
		status, h, body := p.raw(
			post+basic, "grant_type=password&username=johndoe&password="+password,
		)
		m := issued(t, status, h, body)
		revoke := "POST /api/oauth/revoke HTTP/1.1" + form
		hinted := "token=" + m["refresh_token"].(string) + "&token_type_hint=refresh_token"
		status, _, body = p.raw(
			revoke+"Authorization: Basic "+basicAuth(demo.Resource, p.demo.Secrets[demo.Resource]),
			hinted,
		)
		require.Equal(t, 403, status, body)
		status, _, body = p.raw(
			revoke+"Authorization: Basic "+basicAuth(demo.Confidential, "wrong"), hinted,
		)
		require.Equal(t, 401, status, body)
		status, _, body = p.raw(revoke+basic, hinted)
		require.Equal(t, 200, status, body)
		require.Empty(t, body)
		status, _, body = p.raw(
			"GET /api/oauth/protected HTTP/1.1\nAuthorization: Bearer "+m["access_token"].(string),
			"",
		)
		require.Equal(t, 401, status, body)
		status, _, body = p.raw(
			revoke+basic, "token=4eclEUX1N6oVIOoZBbaDTI977SV3T9KqJ3ayOvs4gqhGA4",
		)
		require.Equal(t, 200, status, body)
	})
	for _, c := range transcript.Programs {
		p.run(c.Name, c.Args...) // the programs take the preset's paths and formats too
	}
}

// Without the preset, a secret is accepted only at the place that the client is
// registered for, and the parameter format is ignored.
// Holds: RFC 6749 section 2.3.
func TestGateway_DeviationsAreOff(t *testing.T) {
	t.Parallel()
	p := serve(t)
	body := "client_id=SampleConfidentialApp&client_secret=" + p.demo.Secrets[demo.Confidential] + "&grant_type=client_credentials"
	require.Equal(t, 401, p.post(p.demo.Token, "", body).status)
	m := p.post(p.demo.Token, p.confidential(), "grant_type=client_credentials&format=xml").
		object(t)
	require.InDelta(t, 3600, m["expires_in"], 1)
	require.Equal(t,
		401, p.post(p.demo.TokenInfo, "", "access_token="+m["access_token"].(string)).status,
	)

	g := serve(t, "-gateway")
	both := g.post(
		g.demo.Token, g.confidential(),
		"client_secret="+g.demo.Secrets[demo.Confidential]+"&grant_type=client_credentials",
	)
	require.Equal(t, 400, both.status, "two places at once are refused with the preset too")
	public := g.post(
		g.demo.Token, "", "client_id=SampleConfidentialApp&grant_type=client_credentials",
	)
	require.Equal(t, 401, public.status, "and no secret is none")
}

func basicAuth(id, secret string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(id, secret)
	_, payload, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return payload
}
