package examples_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

// redeem exchanges the code of a redirect and returns the answer.
func (p *process) redeem(q url.Values) reply {
	p.t.Helper()
	return p.post(
		p.demo.Token,
		p.confidential(),
		url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")},
			"redirect_uri": {"http://127.0.0.1:7777/callback"}}.Encode(),
	)
}

// A browser without a session is shown the login page and then consent, and comes
// back with a code and the same state, byte for byte. With a session there is no
// login page.
// Holds: RFC 6749 section 4.1.1; RFC 6749 section 4.1.2;
// house: host knows the user.
func TestPages_LoginConsentAndBack(t *testing.T) {
	t.Parallel()
	p := serve(t)
	b := p.browser()
	login := b.open(p.authorize())
	login.at("/login", http.StatusOK)
	for _, want := range []string{
		"Sign in",
		"Sample Confidential App",
		`id="username"`,
		`id="password"`,
		`id="login-submit"`,
	} {
		require.Contains(t, login.body, want)
	}
	consent := p.login(b, login)
	consent.at("/consent", http.StatusOK)
	for _, want := range []string{
		"Sample Confidential App is requesting permission to access:",
		"Read your resources",
		"johndoe",
		`id="consent-allow"`,
		`id="consent-deny"`,
	} {
		require.Contains(t, consent.body, want)
	}
	require.NotContains(t, login.body+consent.body, "<script")
	back := b.submit(consent, "scope", "resource.READ", "decision", "allow")
	q := back.answer()
	require.Equal(t,
		"http://127.0.0.1:7777/callback", back.away.Scheme+"://"+back.away.Host+back.away.Path,
	)
	require.Equal(t, "a b+c%&=~", q.Get("state"))
	require.Equal(t, p.demo.Issuer, q.Get("iss"))
	require.Equal(t, 200, p.redeem(q).status)

	next := b.open(p.authorize("scope", "resource.WRITE"))
	next.at("/consent", http.StatusOK) // no login page
	require.Contains(t,
		p.login(b, b.open(p.authorize("prompt", "login"))).answer(), "code",
		"asked to, it is shown again",
	)
}

// A user who denies sends the client access_denied and the state, and no code.
// Holds: RFC 6749 section 4.1.2; RFC 6749 section 4.1.2.1.
func TestPages_DenyHasNoCode(t *testing.T) {
	t.Parallel()
	p := serve(t)
	b := p.browser()
	q := b.submit(p.login(b, b.open(p.authorize())), "scope", "resource.READ", "decision", "deny").
		answer()
	require.Equal(t, "access_denied", q.Get("error"))
	require.Equal(t, "a b+c%&=~", q.Get("state"))
	require.Equal(t, p.demo.Issuer, q.Get("iss"))
	require.NotContains(t, q, "code")
}

// Pages forbid framing and caching and send no Referer. A form that was not made
// for this browser is refused: consent answers 403 and issues nothing, and login
// shows the form again and signs no user in.
// Holds: RFC 6749 section 10.12.
func TestPages_RefuseForgedForms(t *testing.T) {
	t.Parallel()
	p := serve(t)
	b := p.browser()
	safe := func(at page) {
		policy := "no-referrer"
		if strings.Contains(at.body, "<form") {
			policy = "same-origin" // else the browser posts the form with the origin "null"
		}
		require.Equal(t, "DENY", at.header.Get("X-Frame-Options"))
		require.Contains(t, at.header.Get("Content-Security-Policy"), "default-src 'none'")
		require.Contains(t, at.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		require.Equal(t, "no-store", at.header.Get("Cache-Control"))
		require.Equal(t, policy, at.header.Get("Referrer-Policy"))
		require.Equal(t, "nosniff", at.header.Get("X-Content-Type-Options"))
	}
	login := b.open(p.authorize())
	safe(login)
	for name, change := range map[string]func(url.Values){
		"no token":    func(v url.Values) { v.Del("csrf") },
		"wrong token": func(v url.Values) { v.Set("csrf", strings.Repeat("A", 43)) },
	} {
		form := login.fields()
		form.Set("username", "johndoe")
		form.Set("password", p.demo.Passwords["johndoe"])
		change(form)
		again := b.post(login, form)
		again.at("/login", http.StatusForbidden)
		require.Contains(t, again.body, "Error", name)
		safe(again)
	}
	b.open(p.authorize()).at("/login", http.StatusOK)

	consent := p.login(b, login)
	safe(consent)
	for _, change := range []func(url.Values){
		func(v url.Values) { v.Del("csrf") },
		func(v url.Values) { v.Set("csrf", strings.Repeat("A", 43)) },
		func(v url.Values) { v.Set("csrf", login.fields().Get("csrf")) },
	} {
		form := consent.fields()
		form.Set("decision", "allow")
		form.Set("scope", "resource.READ")
		change(form)
		forged := b.post(consent, form)
		forged.at("/consent", http.StatusForbidden)
		require.Contains(t, forged.body, "error")
		safe(forged)
	}
	// Another browser cannot continue the waiting request, with or without a
	// session.
	other := p.browser()
	p.login(other, other.open(p.authorize()))
	other.open(consent.url.String()).at("/consent", http.StatusForbidden)
	other.open(login.url.String()).at("/login", http.StatusForbidden)

	unknown := b.open(p.authorize("client_id", "nobody"))
	unknown.at("/authorize", http.StatusBadRequest)
	require.Contains(t, unknown.body, "error")
	safe(unknown)
	b.open(p.demo.Issuer+"/login").at("/login", http.StatusBadRequest)
	b.open(p.demo.Issuer+"/consent").at("/consent", http.StatusBadRequest)
	require.Contains(t,
		b.submit(consent, "scope", "resource.READ", "decision", "allow").answer(), "code",
		"the genuine form still works",
	)
}

// A wrong password is answered the same as a user who does not exist. Past the
// limit, which the password grant shares, the answer is 429.
// Holds: RFC 6749 section 4.3.2.
func TestPages_LimitGuesses(t *testing.T) {
	t.Parallel()
	p := serve(t)
	b := p.browser()
	login := b.open(p.authorize())
	strip := regexp.MustCompile(`(nonce|value)="[^"]*"`)
	known := b.submit(login, "username", "johndoe", "password", "wrong")
	known.at("/login", http.StatusBadRequest)
	require.Contains(t, known.body, "Error")
	unknown := b.submit(login, "username", "nobody", "password", "wrong")
	require.Equal(t,
		strip.ReplaceAllString(known.body, ""), strip.ReplaceAllString(unknown.body, ""),
	)
	for range 9 {
		b.submit(login, "username", "johndoe", "password", "wrong").
			at("/login", http.StatusBadRequest)
	}
	locked := p.login(b, login)
	locked.at("/login", http.StatusTooManyRequests)
	require.NotEmpty(t, locked.header.Get("Retry-After"))
	grant := p.post(
		p.demo.Token, p.confidential(),
		"grant_type=password&username=johndoe&password="+p.demo.Passwords["johndoe"],
	)
	require.Equal(t, http.StatusTooManyRequests, grant.status, grant.body)
}

// Two tabs of one browser each end with their own state, client and scope.
// Holds: house: two tabs.
func TestPages_TwoTabs(t *testing.T) {
	t.Parallel()
	p := serve(t)
	b := p.browser()
	first := b.open(p.authorize("state", "first"))
	second := b.open(
		p.authorize(
			"state", "second", "client_id", demo.Public, "scope", "resource.WRITE",
			"code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
			"code_challenge_method", "S256",
		),
	)
	consentFirst := p.login(b, first)
	// The second tab's form is older than the session, and works.
	consentSecond := b.submit(second, "username", "johndoe", "password", p.demo.Passwords["johndoe"])
	consentSecond.at("/consent", http.StatusOK)
	require.Contains(t, consentSecond.body, "Sample Public App")
	q := b.submit(consentSecond, "scope", "resource.WRITE", "decision", "allow").answer()
	require.Equal(t, "second", q.Get("state"))
	q = b.submit(consentFirst, "scope", "resource.READ", "decision", "allow").answer()
	require.Equal(t, "first", q.Get("state"))
	require.Contains(t, p.redeem(q).body, `"scope":"resource.READ"`)
}

// Consent shows the application, its logo and the description of each scope,
// escaped. The user may untick a scope. A scope that was allowed is not asked for
// again, unless prompt=consent asks for it or the client is public, so that another
// program could pretend to be it.
// Holds: RFC 8252 section 8.6; house: consent page; house: remembered consent;
// house: ticked scopes.
func TestPages_ConsentIsEscapedPartialAndRemembered(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "clients.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{
		"client_id": "evil",
		"client_secret": "0123456789abcdef0123",
		"client_name": "<script>alert(1)</script>",
		"logo_uri": "https://evil.example/\"onerror=\"alert(1)",
		"redirect_uris": ["https://evil.example/cb"],
		"scope": "resource.READ resource.WRITE",
		"grant_types": ["authorization_code"]
	}]`), 0o600))
	p := serve(t, "-clients", file)
	b := p.browser()
	both := []string{"scope", "resource.READ resource.WRITE"}
	consent := p.login(b, b.open(p.authorize(both...)))
	require.Contains(t, consent.body, "Read your resources")
	require.Contains(t, consent.body, "Change your resources")
	q := b.submit(consent, "scope", "resource.READ", "decision", "allow").answer()
	require.Contains(t, p.redeem(q).body, `"scope":"resource.READ"`)

	require.Contains(t, b.open(p.authorize()).answer(), "code", "all was allowed before: no page")
	more := b.open(p.authorize(both...))
	more.at("/consent", http.StatusOK)
	require.Contains(t, more.body, `name="scope" value="resource.WRITE"`)
	require.NotContains(t, more.body, `name="scope" value="resource.READ"`)
	q = b.submit(more, "scope", "resource.WRITE", "decision", "allow").answer()
	require.Contains(t, p.redeem(q).body, `"scope":"resource.READ resource.WRITE"`)
	require.Contains(t, b.open(p.authorize(both...)).answer(), "code")
	b.open(p.authorize("prompt", "consent")).at("/consent", http.StatusOK)
	require.Equal(t,
		"login_required", p.browser().open(p.authorize("prompt", "none")).answer().Get("error"),
	)

	public := []string{
		"client_id", demo.Public, "code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		"code_challenge_method", "S256",
	}
	for range 2 {
		consent = b.open(p.authorize(public...))
		consent.at("/consent", http.StatusOK)
		require.Contains(t,
			b.submit(consent, "scope", "resource.READ", "decision", "allow").answer(), "code",
		)
	}

	evil := b.open(p.authorize("client_id", "evil", "redirect_uri", "https://evil.example/cb"))
	evil.at("/consent", http.StatusOK)
	require.Contains(t, evil.body, "&lt;script&gt;alert(1)&lt;/script&gt;")
	require.NotContains(t, evil.body, "<script")
	require.NotContains(t, evil.body, `"onerror`)
	require.Contains(t, evil.body, `<img class="logo" src="https://evil.example/`)
	b.http.Jar = p.browser().http.Jar
	login := b.open(
		p.authorize(
			"client_id", "evil", "redirect_uri", "https://evil.example/cb",
			"login_hint", `"><script>`,
		),
	)
	login.at("/login", http.StatusOK)
	require.NotContains(t, login.body, "<script")
}

// Cookies are HttpOnly and SameSite. Over https they are Secure and have a __Host-
// name. The ID of the session changes when a user signs in, and the old ID is worth
// nothing then.
// Holds: OpenID Connect Core section 3.1.2.3; house: cookies.
func TestPages_Cookies(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	for name, args := range map[string][]string{
		"http":  nil,
		"https": {"-tls-cert", cert, "-tls-key", key},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, args...)
			b := p.browser()
			b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			toLogin := b.open(p.authorize())
			login := b.open(p.demo.Issuer + toLogin.away.String())
			done := p.login(b, login)
			var ids []string
			for _, at := range []page{toLogin, login, done} {
				cookies := at.header.Values("Set-Cookie")
				require.Len(t, cookies, 1)
				c, err := http.ParseSetCookie(cookies[0])
				require.NoError(t, err)
				require.True(t, c.HttpOnly)
				require.Equal(t, http.SameSiteLaxMode, c.SameSite)
				require.Equal(t, "/", c.Path)
				require.Empty(t, c.Domain)
				require.Equal(t, name == "https", c.Secure)
				require.Equal(t, name == "https", strings.HasPrefix(c.Name, "__Host-"))
				ids = append(ids, c.Name+"="+c.Value)
			}
			require.NotEqual(t, ids[1], ids[2])
			for i, want := range map[int]string{1: "/login", 2: "/consent"} {
				req, err := http.NewRequest(http.MethodGet, p.authorize(), nil)
				require.NoError(t, err)
				req.Header.Set("Cookie", ids[i])
				client := b.http
				client.Jar = nil
				res, err := client.Do(req)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.True(t,
					strings.HasPrefix(res.Header.Get("Location"), want+"?"),
					res.Header.Get("Location"),
				)
			}
		})
	}
}
