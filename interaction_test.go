package grantwell_test

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

const origin = "https://as.example"

// host is a service that uses the ready-made pages, with the smallest login page there is.
type host struct {
	t       *testing.T
	srv     *grantwell.Server
	store   *memstore.Store
	handler http.Handler

	mu     sync.Mutex
	events []grantwell.Event
}

// newHost builds one without a listener, so that it can live in a bubble of testing/synctest.
func newHost(t *testing.T, change func(*grantwell.Config, *grantwell.UI)) *host {
	t.Helper()
	h := &host{t: t, store: memstore.New()}
	for _, c := range append(testClients(), pageClients()...) {
		require.NoError(t, h.store.PutClient(t.Context(), c))
	}
	ui := grantwell.UI{User: func(r *http.Request) (grantwell.SignedIn, bool) {
		c, err := r.Cookie("session")
		if err != nil {
			return grantwell.SignedIn{}, false
		}
		who, at, _ := strings.Cut(c.Value, ".")
		n, _ := strconv.ParseInt(at, 10, 64)
		return grantwell.SignedIn{Subject: who, Name: "Dear " + who, AuthTime: time.Unix(0, n), Claims: map[string]any{"dept": "sales"}}, true
	}}
	cfg := grantwell.Config{Issuer: origin, Clients: h.store, Records: h.store, Grants: []grants.Handler{
		grants.AuthorizationCode{}, grants.Implicit{}, grants.RefreshToken{}},
		Scopes: grantwell.ScopeRules{Known: []grantwell.Scope{{Name: "read", Description: "See your photos"}, {Name: "write", Description: "Change your photos"}}},
		Events: func(_ context.Context, e grantwell.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
		}}
	if change != nil {
		change(&cfg, &ui)
	}
	var err error
	h.srv, err = grantwell.New(cfg)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", h.srv.Handler())
	mux.Handle("/authorize", h.srv.AuthorizeHandler(ui))
	mux.Handle("/consent", h.srv.ConsentHandler(ui))
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("login page")) })
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, session(r.FormValue("user"), time.Now()))
		http.Redirect(w, r, h.srv.ResumeURL(r.FormValue("interaction")), http.StatusSeeOther)
	})
	h.handler = mux
	return h
}

func session(who string, at time.Time) *http.Cookie {
	return &http.Cookie{Name: "session", Value: who + "." + strconv.FormatInt(at.UnixNano(), 10), Path: "/", Secure: true, HttpOnly: true}
}

// pageClients are further clients, for the endpoint that browsers see.
func pageClients() []storage.Client {
	clone := func(id string, change func(*storage.Client)) storage.Client {
		c := testClients()[0]
		c.ID, c.Name, c.Origins = id, "", nil
		change(&c)
		return c
	}
	public := func(c *storage.Client) {
		c.AuthMethod, c.Secrets, c.GrantTypes = storage.AuthNone, nil, []string{"authorization_code", "implicit", "refresh_token"}
	}
	return []storage.Client{
		clone("native", func(c *storage.Client) {
			public(c)
			c.RedirectURIs = []string{"com.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]/cb"}
		}),
		clone("trusted", func(c *storage.Client) { c.SkipConsent = true }),
		clone("query", func(c *storage.Client) { c.RedirectURIs = []string{"https://app.example/cb?tenant=1&x=%2F"} }),
		clone("several", func(c *storage.Client) { c.RedirectURIs = []string{redirect, "https://app.example/other"} }),
		clone("codeonly", func(c *storage.Client) { c.ResponseTypes = nil }),
		clone("hybrid", func(c *storage.Client) { c.ResponseTypes = []string{"code", "code token"} }),
	}
}

// authorize is the URL of an authorization request of conf's; pairs replace parameters, and "-" removes one.
func authorize(pairs ...string) string {
	q := url.Values{"response_type": {"code"}, "client_id": {"conf"}, "redirect_uri": {redirect}, "scope": {"read write"}, "state": {"st"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "-" {
			q.Del(pairs[i])
		}
	}
	return "/authorize?" + q.Encode()
}

// browser keeps cookies, as browsers do.
type browser struct {
	*host
	jar http.CookieJar
}

func (h *host) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(h.t, err)
	return &browser{h, jar}
}

// as is a new browser with a session.
func (h *host) as(who string) *browser {
	b := h.browser()
	b.signIn(who)
	return b
}

func (b *browser) signIn(who string) {
	u, _ := url.Parse(origin)
	b.jar.SetCookies(u, []*http.Cookie{session(who, time.Now())})
}

// send makes one request and follows nothing. A form makes it a POST.
func (b *browser) send(target string, form url.Values, headers ...string) reply {
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	return b.do(method, target, body, headers...)
}

func (b *browser) do(method, target, body string, headers ...string) reply {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = origin + target
	}
	r := httptest.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
	if body != "" || method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	b.jar.SetCookies(r.URL, w.Result().Cookies())
	out := reply{status: w.Code, header: w.Result().Header, body: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &out.json)
	return out
}

// visit follows redirects for as long as they stay on this server, and stops at the login page.
func (b *browser) visit(target string, form url.Values, headers ...string) reply {
	b.t.Helper()
	res := b.send(target, form, headers...)
	for range 10 {
		to := res.header.Get("Location")
		if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "/login") {
			return res
		}
		res = b.send(to, nil)
	}
	b.t.Fatal("too many redirects")
	return res
}

// interaction reads the handle from a redirect to one of our pages.
func (r reply) interaction(t *testing.T) string {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, r.status, r.body)
	u, err := url.Parse(r.header.Get("Location"))
	require.NoError(t, err)
	require.NotEmpty(t, u.Query().Get("interaction"), r.header.Get("Location"))
	return u.Query().Get("interaction")
}

// logIn types a name into the login page that res leads to.
func (b *browser) logIn(res reply, who string) reply {
	b.t.Helper()
	require.True(b.t, strings.HasPrefix(res.header.Get("Location"), "/login?interaction="), "%d %s %s", res.status, res.header, res.body)
	return b.visit("/login", url.Values{"user": {who}, "interaction": {res.interaction(b.t)}})
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	scopeField  = regexp.MustCompile(`name="scope" value="([^"]*)"`)
)

// form reads a consent page: what it posts when nothing is changed and Allow is pressed.
func (r reply) form(t *testing.T) url.Values {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, "%s %s", r.header, r.body)
	f := url.Values{"decision": {"allow"}}
	for _, m := range hiddenField.FindAllStringSubmatch(r.body, -1) {
		f.Set(m[1], html.UnescapeString(m[2]))
	}
	for _, m := range scopeField.FindAllStringSubmatch(r.body, -1) {
		f.Add("scope", html.UnescapeString(m[1]))
	}
	require.NotEmpty(t, f.Get("csrf"), r.body)
	return f
}

// with returns the form with fields replaced; "-" removes one.
func with(f url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for name, v := range f {
		out[name] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if out[pairs[i]] = strings.Fields(pairs[i+1]); pairs[i+1] == "-" {
			delete(out, pairs[i])
		}
	}
	return out
}

// token posts to the token endpoint as a client.
func (h *host) token(client string, pairs ...string) reply {
	h.t.Helper()
	f := url.Values{"client_id": {client}, "code_verifier": {verifier}, "redirect_uri": {redirect}, "grant_type": {"authorization_code"}}
	basic := []string{}
	if client != "native" && client != "public" {
		f.Del("client_id")
		basic = []string{"Authorization", "Basic " + basicAuth(client)}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if f.Set(pairs[i], pairs[i+1]); pairs[i+1] == "-" {
			f.Del(pairs[i])
		}
	}
	return h.browser().send("/token", f, basic...)
}

func basicAuth(client string) string {
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth(client, secret)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}

func (h *host) active(token, client string) bool {
	h.t.Helper()
	res := h.browser().send("/introspect", url.Values{"token": {token}}, "Authorization", "Basic "+basicAuth(client))
	require.Equal(h.t, http.StatusOK, res.status, res.body)
	return res.json["active"] == true
}

// count counts the records of a kind.
func (h *host) count(kind storage.Kind) int {
	h.t.Helper()
	recs, _, err := h.store.List(h.t.Context(), storage.Query{Kind: kind, Limit: 1000})
	require.NoError(h.t, err)
	return len(recs)
}

// isPage asserts an error page: HTML with a status, the word error, and no way on.
func (r reply) isPage(t *testing.T, status int) {
	t.Helper()
	require.Equal(t, status, r.status, "%s %s", r.header, r.body)
	require.Empty(t, r.header.Get("Location"))
	require.Equal(t, "text/html; charset=utf-8", r.header.Get("Content-Type"))
	require.Contains(t, r.body, "error")
	safe(t, r)
}

// safe asserts what every page and redirect carries.
func safe(t *testing.T, r reply) {
	t.Helper()
	require.Equal(t, "no-store", r.header.Get("Cache-Control"))
	require.Equal(t, "no-referrer", r.header.Get("Referrer-Policy"))
	require.Equal(t, "nosniff", r.header.Get("X-Content-Type-Options"))
	require.Equal(t, "DENY", r.header.Get("X-Frame-Options"))
	require.Contains(t, r.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.Empty(t, r.header.Get("Access-Control-Allow-Origin"))
}

// Two tabs of one browser keep their own state, client and scopes, whichever is answered first.
// Holds S46.
func TestInteraction_TwoTabs(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.browser()
	one := b.visit(authorize("state", "one", "scope", "read"), nil)
	two := b.visit(authorize("state", "two", "client_id", "other", "scope", "write"), nil)
	require.NotEqual(t, one.interaction(t), two.interaction(t))
	twoPage := b.logIn(two, "alice")
	onePage := b.visit(h.srv.ResumeURL(one.interaction(t)), nil)
	require.Contains(t, onePage.body, "See your photos")
	require.NotContains(t, onePage.body, "Change your photos")

	// A form of one tab is no form of the other.
	mixed := with(onePage.form(t), "interaction", two.interaction(t))
	b.send("/consent", mixed).isPage(t, http.StatusForbidden)

	q := b.send("/consent", twoPage.form(t)).params(t)
	require.Equal(t, "two", q.Get("state"))
	res := h.token("other", "code", q.Get("code"))
	require.Equal(t, "write", res.str("scope"), res.body)
	q = b.send("/consent", onePage.form(t)).params(t)
	require.Equal(t, "one", q.Get("state"))
	res = h.token("conf", "code", q.Get("code"))
	require.Equal(t, "read", res.str("scope"), res.body)
}

// An interaction belongs to the browser that began it: knowing its handle is worth nothing elsewhere.
// Holds R45, V17, V62, V67.
func TestInteraction_StolenHandle(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	victim, thief := h.browser(), h.as("mallory")
	res := victim.visit(authorize(), nil)
	page := victim.logIn(res, "alice")
	handle := res.interaction(t)

	thief.send("/consent?interaction="+handle, nil).isPage(t, http.StatusForbidden)
	thief.visit(authorize(), nil) // now the thief has a cookie of its own
	thief.send("/consent?interaction="+handle, nil).isPage(t, http.StatusForbidden)
	thief.send("/consent", page.form(t)).isPage(t, http.StatusForbidden)
	require.Zero(t, h.count(storage.Code))

	// The other way round: the thief's own handle in the victim's browser.
	own := thief.visit(authorize(), nil).form(t)
	victim.send("/consent?interaction="+own.Get("interaction"), nil).isPage(t, http.StatusForbidden)
	victim.send("/consent", own).isPage(t, http.StatusForbidden)
	for _, handle := range []string{"", "x", strings.Repeat("A", 44), strings.Repeat("A", 4096), "%00", "../../x"} {
		victim.send("/consent?interaction="+url.QueryEscape(handle), nil).isPage(t, http.StatusBadRequest)
	}
	require.Zero(t, h.count(storage.Code))
}

// A page that was made for one user is not answered by another who signed in since in the same browser.
// Holds R42, V73, V74, V75.
func TestInteraction_AnotherUserInTheSameBrowser(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	form := b.visit(authorize(), nil).form(t)
	b.signIn("bob")
	b.send("/consent", form).isPage(t, http.StatusForbidden)
	require.Zero(t, h.count(storage.Code))
	// Bob's own page for it works, and is Bob's.
	q := b.send("/consent", b.send("/consent?interaction="+form.Get("interaction"), nil).form(t)).params(t)
	require.NotEmpty(t, q.Get("code"))
	scopes, err := h.srv.Consented(t.Context(), "conf", "alice")
	require.NoError(t, err)
	require.Empty(t, scopes)
}

// Signing out between page and post leads back to the login page, and the request is not lost.
// Holds S25.
func TestInteraction_SignedOutMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	form := b.visit(authorize(), nil).form(t)
	u, _ := url.Parse(origin)
	b.jar.SetCookies(u, []*http.Cookie{{Name: "session", Path: "/", MaxAge: -1}})
	res := b.send("/consent", form)
	require.Zero(t, h.count(storage.Code))
	q := b.send("/consent", b.logIn(res, "alice").form(t)).params(t)
	require.Equal(t, "st", q.Get("state"))
	require.NotEmpty(t, q.Get("code"))
}

// An interaction ends with its lifetime, counted from the request, although its record is still there.
// Holds S25.
func TestInteraction_Expires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.InteractionLifetime = 5 * time.Minute })
		b := h.as("alice")
		form := b.visit(authorize(), nil).form(t)
		time.Sleep(5*time.Minute - time.Second)
		again := b.send("/consent?interaction="+form.Get("interaction"), nil).form(t) // showing the page again prolongs nothing
		time.Sleep(time.Second)
		b.send("/consent", again).isPage(t, http.StatusBadRequest)
		b.send("/consent?interaction="+form.Get("interaction"), nil).isPage(t, http.StatusBadRequest)
		require.Zero(t, h.count(storage.Code))
	})
}

// The cookie: by default it cannot be read by scripts, set by a neighbour, or sent in the clear or by a foreign form.
// Holds S154.
func TestInteraction_Cookie(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	raw := h.browser().send(authorize(), nil).header.Values("Set-Cookie")
	require.Len(t, raw, 1)
	require.Regexp(t, `^__Host-grantwell=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$`, raw[0])

	h = newHost(t, func(c *grantwell.Config, _ *grantwell.UI) {
		c.Cookie = grantwell.Cookie{Name: "txn", Domain: "as.example", Path: "/consent", MaxAge: time.Hour}
	})
	raw = h.browser().send(authorize(), nil).header.Values("Set-Cookie")
	require.Len(t, raw, 1)
	require.Regexp(t, `^txn=[A-Za-z0-9_-]{43}; Path=/consent; Domain=as.example; Max-Age=3600; HttpOnly; Secure; SameSite=Lax$`, raw[0])

	h = newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Issuer, c.AllowHTTP = "http://localhost", true })
	raw = h.browser().send(authorize(), nil).header.Values("Set-Cookie")
	require.Regexp(t, `^grantwell=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Lax$`, raw[0])

	for name, bad := range map[string]grantwell.Cookie{"domain": {Name: "__Host-x", Domain: "as.example"}, "path": {Name: "__Host-x", Path: "/a"}} {
		_, err := grantwell.New(grantwell.Config{Issuer: origin, Clients: memstore.New(), Grants: []grants.Handler{grants.AuthorizationCode{}}, Cookie: bad})
		require.ErrorContains(t, err, "Cookie", name)
	}
}

// A browser that has the cookie keeps it, so that its other tabs go on; one that somebody else left under the name does not hide it.
// Holds S46, S154.
func TestInteraction_CookieIsKept(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.browser()
	require.NotEmpty(t, b.send(authorize(), nil).header.Values("Set-Cookie"))
	require.Empty(t, b.send(authorize(), nil).header.Values("Set-Cookie"))

	u, _ := url.Parse(origin)
	mine := b.jar.Cookies(u)[0]
	handle := b.send(authorize(), nil).interaction(t)
	b.signIn("alice")
	sess := b.jar.Cookies(u)
	r := httptest.NewRequest(http.MethodGet, origin+"/consent?interaction="+handle, nil)
	r.AddCookie(&http.Cookie{Name: mine.Name, Value: "left-by-somebody"})
	for _, c := range sess {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
}
