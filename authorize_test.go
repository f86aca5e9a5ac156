package grantwell_test

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// allow takes an authorization request to its answer, saying yes where asked.
func (b *browser) allow(pairs ...string) reply {
	b.t.Helper()
	res := b.visit(authorize(pairs...), nil)
	if res.status == http.StatusOK && strings.Contains(res.body, "csrf") {
		res = b.send("/consent", res.form(b.t))
	}
	return res
}

// put registers a client like conf, but for the change.
func put(t *testing.T, h *host, id string, change func(*storage.Client)) {
	t.Helper()
	c, err := h.store.Client(t.Context(), "conf")
	require.NoError(t, err)
	c.ID = id
	change(&c)
	require.NoError(t, h.store.PutClient(t.Context(), c))
}

// Nothing is redirected to where nobody knows for certain that the client is, whatever else is wrong with the request.
// Holds R22, R23, R54, S27, V44, V45, V46, V47, V48, V54.
func TestAuthorize_UnknownClientOrRedirectIsAPage(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	put(t, h, "off", func(c *storage.Client) { c.Disabled = true })
	for _, who := range []*browser{h.browser(), h.as("alice")} {
		for _, first := range [][]string{
			{"client_id", "-"}, {"client_id", "nobody"}, {"client_id", "CONF"}, {"client_id", "conf "}, {"client_id", "off"}, {"client_id", strings.Repeat("x", 300)},
			{"redirect_uri", "https://evil.example/"}, {"redirect_uri", redirect + "/"}, {"client_id", "several", "redirect_uri", "-"},
		} {
			for _, more := range [][]string{nil, {"response_type", "-"}, {"response_type", "nonsense"}, {"scope", "admin"}, {"prompt", "none"}, {"response_mode", "form_post"},
				{"request_uri", "https://evil.example/r"}, {"request", "e30.e30."}, {"code_challenge", "-"}, {"rd", "https://evil.example/"}} {
				res := who.send(authorize(append(append([]string{}, first...), more...)...), nil)
				res.isPage(t, http.StatusBadRequest)
				require.NotContains(t, res.body, "evil")
			}
		}
	}
	require.Zero(t, h.count(storage.Interaction))
}

// Holds R24, R25, R26, R27, R28, S28, V36, V37, V38, V39, V40, V42, V43, V49, V50, V51, V52, V53, V56, V61.
func TestAuthorize_RedirectURIVariants(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	put(t, h, "tls", func(c *storage.Client) {
		c.RedirectURIs = []string{"https://127.0.0.1/cb", "http://localhost/cb", "https://foo.example"}
	})
	for client, variants := range map[string][]string{
		"conf": {redirect + "/", "https://app.example/CB", "https://app.example/cb/../evil", "https://app.example/cb/..;/evil", "https://app.example/cb%2f..", "https://app.example/%63b",
			redirect + "?x=1", redirect + "?", redirect + "#f", redirect + "#", "https://app.example.evil/cb", "https://app.example@evil/cb", `https://evil\@app.example/cb`,
			"https://evil%5c@app.example/cb", "https://app.example:443/cb", "//app.example/cb", "https:/app.example/cb", "https://app.example/\tcb", "https://app.example/cb\n", "https://app.example/cb%0a",
			"https://APP.example/cb", "HTTPS://app.example/cb", "https://аpp.example/cb", "https://xn--pp-7iba.example/cb", "http://app.example/cb", "https://[::1%25eth0]/cb", "https://[::1", "http://[::1",
			"https://app.example./cb", "https://app.example//cb", "https://app.example/cb;x", " " + redirect, redirect + " ", "javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd",
			"https://app.example/cb\x00", "https://app.example/\xff", "/\t/evil", "/%09/evil", "https:app.example/cb", "com.example.app:/cb", strings.Repeat("https://app.example/cb", 200)},
		"native": {"http://127.0.0.1:80@evil/cb", "http://127.0.0.1.evil/cb", "http://127.0.0.2/cb", "http://2130706433/cb", "http://127.1/cb", "https://127.0.0.1/cb", "http://127.0.0.1:4711/CB", "http://127.0.0.1:4711/cb?x",
			"http://127.0.0.1:0/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:+1/cb", "http://127.0.0.1:4711/%63b", "http://user@127.0.0.1:4711/cb", "http://[::1]:4711/x", "http://[0:0::1]/cb",
			"http://[::1%25lo]/cb", "http://localhost:4711/cb", "com.example.app:/cb/", "com.example.app://cb", "COM.example.app:/cb", "com.example.app:/cb?x"},
		"tls": {"http://127.0.0.1/cb", "https://127.0.0.1:4711/cb", "http://localhost:4711/cb", "https://fooXexample", "https://foo.example.evil", "https://foo.example/"},
	} {
		for _, uri := range variants {
			res := h.as("alice").send(authorize("client_id", client, "redirect_uri", uri), nil)
			res.isPage(t, http.StatusBadRequest)
		}
	}
	for uri, client := range map[string]string{redirect: "conf", "http://127.0.0.1:4711/cb": "native", "http://127.0.0.1/cb": "native", "http://[::1]:65535/cb": "native", "com.example.app:/cb": "native", "https://foo.example": "tls"} {
		res := h.as("alice").allow("client_id", client, "redirect_uri", uri)
		require.True(t, strings.HasPrefix(res.header.Get("Location"), uri+"?code="), "%q: %d %s", uri, res.status, res.body)
	}
	for _, bad := range []string{"http://app.example/cb", "javascript:alert(1)", "data:text/html,x", "https://*.example/cb", "https://example.com*", redirect + "#f", "https://a@b/cb"} {
		require.ErrorContains(t, (&storage.Client{ID: "c", RedirectURIs: []string{bad}}).Validate(), "redirect_uris", bad)
	}
}

// A store may hold what registration would refuse; it is refused then.
// Holds R26, R27, R30, V41.
func TestAuthorize_RegisteredBeforeTheRules(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"http://app.example/cb", "javascript:alert(1)", redirect + "?code=x", redirect + "?a=1&iss=x", "https://app.example/*"} {
		h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) {
			c.Clients = legacy{storage.Client{ID: "old", RedirectURIs: []string{uri}, Scope: []string{"read"}}}
		})
		h.as("alice").send(authorize("client_id", "old", "redirect_uri", uri), nil).isPage(t, http.StatusBadRequest)
		h.as("alice").send(authorize("client_id", "old", "redirect_uri", "-"), nil).isPage(t, http.StatusBadRequest)
	}
}

// legacy is a host's table of clients that nobody validated.
type legacy struct{ client storage.Client }

func (l legacy) Client(context.Context, string) (storage.Client, error) { return l.client, nil }

// Holds R29, S29.
func TestAuthorize_RedirectURIOmitted(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	res := h.as("alice").allow("redirect_uri", "-")
	require.True(t, strings.HasPrefix(res.header.Get("Location"), redirect+"?code="), res.body)
	require.Equal(t, 200, h.token("conf", "code", res.params(t).Get("code"), "redirect_uri", "-").status)
	h.as("alice").send(authorize("client_id", "several", "redirect_uri", "-"), nil).isPage(t, http.StatusBadRequest)
}

// A registered query stays byte for byte, and the answer is appended to it.
// Holds R30, S32.
func TestAuthorize_RegisteredQueryIsKept(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	const uri = "https://app.example/cb?tenant=1&x=%2F"
	for _, pairs := range [][]string{nil, {"scope", "admin"}, {"prompt", "none"}} {
		res := h.as("alice").allow(append([]string{"client_id", "query", "redirect_uri", uri}, pairs...)...)
		require.Equal(t, http.StatusSeeOther, res.status, res.body)
		require.True(t, strings.HasPrefix(res.header.Get("Location"), uri+"&"), res.header.Get("Location"))
		require.Len(t, res.params(t)["state"], 1)
	}
	res := h.as("alice").allow("client_id", "query", "redirect_uri", uri, "response_type", "token")
	require.True(t, strings.HasPrefix(res.header.Get("Location"), uri+"#access_token="), res.header.Get("Location"))
}

// Holds R31, R32, R33, R48, R49, R50, R51, S30, S41, R37, R38, R39, R40.
func TestAuthorize_ErrorsGoBackToTheClient(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	for _, c := range []struct {
		code  string
		pairs []string
	}{
		{"invalid_request", []string{"response_type", "-"}},
		{"unsupported_response_type", []string{"response_type", "nonsense"}},
		{"unsupported_response_type", []string{"response_type", "id_token"}},
		{"unauthorized_client", []string{"client_id", "codeonly", "response_type", "token"}},
		{"unauthorized_client", []string{"response_type", "code token"}},
		{"unauthorized_client", []string{"response_type", "token code"}},
		{"invalid_scope", []string{"scope", "admin"}},
		{"invalid_scope", []string{"scope", "read admin"}},
		{"invalid_scope", []string{"scope", `rea"d`}},
		{"invalid_scope", []string{"scope", `rea\d`}},
		{"invalid_scope", []string{"scope", "réad"}},
		{"invalid_target", []string{"resource", "https://api.example/"}},
		{"invalid_target", []string{"resource", "relative"}},
		{"invalid_request", []string{"client_id", "public", "code_challenge", "-", "code_challenge_method", "-"}},
		{"invalid_request", []string{"code_challenge_method", "S512"}},
		{"invalid_request", []string{"code_challenge_method", "plain"}},
		{"invalid_request", []string{"code_challenge_method", "-"}},
		{"invalid_request", []string{"code_challenge", "-"}},
		{"invalid_request", []string{"code_challenge", challenge[1:]}},
		{"invalid_request", []string{"code_challenge", strings.Repeat("a", 129)}},
		{"invalid_request", []string{"code_challenge", challenge[:42] + "="}},
		{"invalid_request", []string{"response_mode", "nonsense"}},
		{"invalid_request", []string{"response_type", "token", "response_mode", "query"}},
		{"request_not_supported", []string{"request", "e30.e30."}},
		{"request_uri_not_supported", []string{"request_uri", "https://evil.example/r"}},
		{"invalid_request", []string{"max_age", "-1"}},
		{"invalid_request", []string{"max_age", "99999999999999999999"}},
		{"invalid_request", []string{"max_age", "soon"}},
		{"invalid_request", []string{"prompt", "none login"}},
		{"login_required", []string{"prompt", "none"}},
	} {
		res := h.browser().send(authorize(c.pairs...), nil)
		q := res.params(t)
		require.True(t, strings.HasPrefix(res.header.Get("Location"), redirect), res.header.Get("Location"))
		require.Equal(t, c.code, q.Get("error"), "%v: %s", c.pairs, res.header.Get("Location"))
		require.Equal(t, "st", q.Get("state"))
		require.Equal(t, origin, q.Get("iss"))
		require.Empty(t, q.Get("code"))
		require.NotContains(t, q.Get("error_description"), "admin", "the request is not repeated")
		safe(t, res)
	}
	require.Zero(t, h.count(storage.Interaction))
	for _, e := range h.events {
		require.Equal(t, "refused", e.Outcome)
		require.Equal(t, http.StatusSeeOther, e.Status)
		require.NotEmpty(t, e.ClientID)
	}
}

// Holds R36, S31.
func TestAuthorize_StateByteForByte(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	states := []string{"x", "a b+c%2B%&=;#?/\\", "ünï\u2028cödé 🔑", strings.Repeat("long+", 200), `"><script>alert(1)</script>`, "%zz", "{\"a\":[1]}", "a\r\nSet-Cookie: x=1", "'`$(x)", " leading and trailing "}
	for _, state := range states {
		for name, pairs := range map[string][]string{"granted": {}, "implicit": {"response_type", "token"}, "scope": {"scope", "admin"}, "none": {"prompt", "none", "client_id", "other"}, "code in fragment": {"response_mode", "fragment"}} {
			res := h.as("alice").allow(append(pairs, "state", state)...)
			require.Equal(t, []string{state}, res.params(t)["state"], name)
			require.Empty(t, res.header.Get("Set-Cookie"))
		}
		b := h.as("alice")
		form := b.visit(authorize("state", state, "prompt", "consent"), nil).form(t)
		require.Equal(t, state, b.send("/consent", with(form, "decision", "deny")).params(t).Get("state"))

		res := h.as("alice").allow("state", state, "response_mode", "form_post")
		if strings.Contains(state, "\n") { // a form cannot carry it as it is
			require.Equal(t, "invalid_request", res.params(t).Get("error"))
			continue
		}
		require.Equal(t, state, fields(res).Get("state"))
	}
	for _, pairs := range [][]string{{"state", "-"}, {"state", ""}, {"state", "-", "scope", "admin"}} {
		require.NotContains(t, h.as("alice").allow(pairs...).params(t), "state")
	}
}

// fields are those of a page that posts itself.
func fields(r reply) url.Values {
	f := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(r.body, -1) {
		f.Add(m[1], html.UnescapeString(m[2]))
	}
	return f
}

// Holds R52, R37, V55, V56, V57.
func TestAuthorize_FormPost(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	for _, pairs := range [][]string{{}, {"scope", "admin"}} {
		res := h.as("alice").allow(append(pairs, "response_mode", "form_post", "state", `"><script>alert(1)</script>`)...)
		require.Equal(t, http.StatusOK, res.status)
		safe(t, res)
		require.Contains(t, res.body, `action="`+redirect+`"`)
		require.NotContains(t, res.body, "<script>alert")
		require.NotContains(t, res.header.Get("Content-Security-Policy"), "form-action")
		require.Equal(t, origin, fields(res).Get("iss"))
		require.NotEqual(t, fields(res).Has("code"), fields(res).Has("error"))
	}
	res := h.as("alice").allow("response_mode", "form_post", "client_id", "native", "redirect_uri", "com.example.app:/cb")
	require.Equal(t, "invalid_request", res.params(t).Get("error"))
}

// A POST is the same as a GET. Nothing else does anything, HEAD included: it would approve and nobody would have the code.
// Holds R21.
func TestAuthorize_Methods(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	_, query, _ := strings.Cut(authorize("client_id", "trusted"), "?")
	b := h.as("alice")
	require.NotEmpty(t, b.do(http.MethodPost, "/authorize", query).params(t).Get("code"))
	require.Equal(t, 1, h.count(storage.Code))
	b.do(http.MethodPost, "/authorize", strings.Repeat("x", 70_000)).isPage(t, http.StatusRequestEntityTooLarge)
	b.do(http.MethodGet, "/authorize?x="+strings.Repeat("x", 70_000), "").isPage(t, http.StatusRequestEntityTooLarge)
	b.do(http.MethodPost, "/authorize", query, "Content-Type", "multipart/form-data; boundary=x").isPage(t, http.StatusBadRequest)
	b.do(http.MethodPost, "/authorize", `{"client_id":"trusted"}`, "Content-Type", "application/json").isPage(t, http.StatusBadRequest)
	b.do(http.MethodPost, "/authorize?"+query, "state=x").isPage(t, http.StatusBadRequest) // the query of a POST is not read
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, "BREW"} {
		for _, path := range []string{"/authorize?" + query, "/consent?interaction=x"} {
			res := b.do(method, path, "", "Origin", "https://app.example")
			res.isPage(t, http.StatusMethodNotAllowed)
			require.Equal(t, "GET, POST", res.header.Get("Allow"))
		}
	}
	for _, bad := range []string{"&state=twice", "&client_id=trusted", "&redirect_uri=" + url.QueryEscape(redirect), "&x=%zz", "&x=%00", "&x=%ff", strings.Repeat("&p=1", 101)} {
		b.do(http.MethodGet, "/authorize?"+query+bad, "").isPage(t, http.StatusBadRequest)
	}
	require.Equal(t, 1, h.count(storage.Code))
	// No preflight is answered and no origin is told that it may read.
	safe(t, b.send(authorize("client_id", "trusted"), nil, "Origin", "https://app.example"))
}

// failing is a store of which one call fails.
type failing struct {
	storage.Records
	call string
	kind storage.Kind
}

var errStore = errors.New("store: secret-dsn is down")

func (f failing) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if f.call == "get" && kind == f.kind {
		return storage.Record{}, errStore
	}
	return f.Records.Get(ctx, kind, key)
}

func (f failing) Insert(ctx context.Context, recs ...storage.Record) error {
	if f.call == "insert" && recs[0].Kind == f.kind {
		return errStore
	}
	return f.Records.Insert(ctx, recs...)
}

func (f failing) Advance(ctx context.Context, from storage.State, next storage.Record, recs ...storage.Record) error {
	if f.call == "advance" && next.Kind == f.kind {
		return errStore
	}
	return f.Records.Advance(ctx, from, next, recs...)
}

type failingClients struct{ storage.Clients }

func (failingClients) Client(context.Context, string) (storage.Client, error) {
	return storage.Client{}, errStore
}

// A store that fails is temporarily_unavailable to a client that is known, and a page with 503 before; never a code, and never the cause.
// Holds R35.
func TestAuthorize_StoreFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call  string
		kind  storage.Kind
		pairs []string
	}{
		{"insert", storage.Code, []string{"client_id", "trusted"}},
		{"get", storage.Consent, []string{"client_id", "trusted"}},
		{"insert", storage.Interaction, nil},
		{"advance", storage.Interaction, nil},
		{"insert", storage.Consent, nil},
		{"insert", storage.Access, []string{"client_id", "trusted", "response_type", "token"}},
	} {
		h := newHost(t, func(cfg *grantwell.Config, _ *grantwell.UI) { cfg.Records = failing{cfg.Records, c.call, c.kind} })
		res := h.as("alice").allow(c.pairs...)
		q := res.params(t)
		require.Equal(t, "temporarily_unavailable", q.Get("error"), "%+v", c)
		require.Equal(t, "st", q.Get("state"))
		require.NotContains(t, res.header.Get("Location"), "secret-dsn")
		require.Zero(t, h.count(storage.Code))
		last := h.events[len(h.events)-1]
		require.Equal(t, "failed", last.Outcome)
		require.Contains(t, last.Reason, "secret-dsn")
	}
	h := newHost(t, func(cfg *grantwell.Config, _ *grantwell.UI) {
		cfg.Records = failing{cfg.Records, "get", storage.Interaction}
	})
	h.as("alice").visit(authorize(), nil).isPage(t, http.StatusServiceUnavailable)
	h = newHost(t, func(cfg *grantwell.Config, _ *grantwell.UI) { cfg.Clients = failingClients{} })
	res := h.as("alice").visit(authorize(), nil)
	res.isPage(t, http.StatusServiceUnavailable)
	require.NotContains(t, res.body, "secret-dsn")
	require.NotEmpty(t, res.header.Get("Retry-After"))
}

// approved is a host whose one page does with a request what the test wants.
func approved(t *testing.T, hooks grantwell.Hooks, target string, do func(*grantwell.Server, http.ResponseWriter, *http.Request, *grantwell.AuthorizeRequest)) (*host, reply) {
	t.Helper()
	h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Hooks = hooks })
	h.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if req, ok := h.srv.ParseAuthorize(w, r); ok {
			do(h.srv, w, r, req)
		}
	})
	return h, h.browser().send(target, nil)
}

// Mistakes of a host, and its refusals, give no code.
// Holds R34, R35, R38, S33, S183.
func TestApprove_Refused(t *testing.T) {
	t.Parallel()
	denied := func(context.Context, *grantwell.AuthorizeRequest, *grantwell.Approval) error {
		return grants.AccessDenied("Not today.")
	}
	approve := func(a grantwell.Approval) func(*grantwell.Server, http.ResponseWriter, *http.Request, *grantwell.AuthorizeRequest) {
		return func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.Approve(w, r, req, a)
		}
	}
	for name, c := range map[string]struct {
		hooks grantwell.Hooks
		do    func(*grantwell.Server, http.ResponseWriter, *http.Request, *grantwell.AuthorizeRequest)
		code  string // of the redirect; empty: a page
	}{
		"scope not requested": {do: approve(grantwell.Approval{Subject: "alice", Scope: []string{"read", "write"}}), code: "server_error"},
		"no subject":          {do: approve(grantwell.Approval{}), code: "server_error"},
		"nothing granted":     {do: approve(grantwell.Approval{Subject: "alice", Scope: []string{}}), code: "access_denied"},
		"hook refuses":        {hooks: grantwell.Hooks{Authorize: denied}, do: approve(grantwell.Approval{Subject: "alice"}), code: "access_denied"},
		"hook fails": {hooks: grantwell.Hooks{Authorize: func(context.Context, *grantwell.AuthorizeRequest, *grantwell.Approval) error { return errStore }},
			do: approve(grantwell.Approval{Subject: "alice"}), code: "server_error"},
		"hook widens": {hooks: grantwell.Hooks{Authorize: func(_ context.Context, _ *grantwell.AuthorizeRequest, a *grantwell.Approval) error {
			a.Scope = append(a.Scope, "write")
			return nil
		}}, do: approve(grantwell.Approval{Subject: "alice"}), code: "server_error"},
		"hook panics": {hooks: grantwell.Hooks{Authorize: func(context.Context, *grantwell.AuthorizeRequest, *grantwell.Approval) error { panic("secret-dsn") }},
			do: approve(grantwell.Approval{Subject: "alice"})},
		"last hook fails": {hooks: grantwell.Hooks{Authorized: func(context.Context, *grantwell.AuthorizeRequest, grantwell.Approval) error { return errStore }},
			do: approve(grantwell.Approval{Subject: "alice"}), code: "server_error"},
		"last hook panics": {hooks: grantwell.Hooks{Authorized: func(context.Context, *grantwell.AuthorizeRequest, grantwell.Approval) error { panic("secret-dsn") }},
			do: approve(grantwell.Approval{Subject: "alice"})},
		"denied": {do: func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.Deny(w, r, req)
		}, code: "access_denied"},
		"denied with nothing": {do: func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.DenyWith(w, r, req, nil)
		}, code: "access_denied"},
		"a token endpoint's code": {do: func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.DenyWith(w, r, req, grants.InvalidGrant("secret-dsn"))
		}, code: "access_denied"},
	} {
		h, res := approved(t, c.hooks, authorize("scope", "read"), c.do)
		if c.code == "" {
			res.isPage(t, http.StatusInternalServerError)
		} else {
			require.Equal(t, c.code, res.params(t).Get("error"), name)
			require.Equal(t, "st", res.params(t).Get("state"), name)
		}
		require.NotContains(t, res.header.Get("Location")+res.body, "code=", name)
		require.NotContains(t, res.header.Get("Location")+res.body, "secret-dsn", name)
		require.Len(t, h.events, 1, name)
		require.NotEqual(t, "ok", h.events[0].Outcome, name)
	}
}

// One request has one answer, also when the host keeps it and two clicks come at once.
func TestApprove_Twice(t *testing.T) {
	t.Parallel()
	yes := grantwell.Approval{Subject: "alice"}
	second := httptest.NewRecorder()
	h, res := approved(t, grantwell.Hooks{}, authorize(), func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
		s.Approve(w, r, req, yes)
		s.Approve(second, r, req, yes)
		s.Deny(httptest.NewRecorder(), r, req)
	})
	require.NotEmpty(t, res.params(t).Get("code"))
	require.Equal(t, http.StatusBadRequest, second.Code)
	require.Empty(t, second.Header().Get("Location"))
	require.Equal(t, 1, h.count(storage.Code))

	h, res = approved(t, grantwell.Hooks{}, authorize(), func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
		s.Deny(w, r, req)
		s.Approve(httptest.NewRecorder(), r, req, yes)
	})
	require.Equal(t, "access_denied", res.params(t).Get("error"))
	require.Zero(t, h.count(storage.Code))
}

// A host may narrow; a scope named twice is one scope.
// Holds S149, S26.
func TestApprove_Narrows(t *testing.T) {
	t.Parallel()
	h, res := approved(t, grantwell.Hooks{}, authorize(), func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
		s.Approve(w, r, req, grantwell.Approval{Subject: "alice", Scope: []string{"write", "write"}})
	})
	recs, _, err := h.store.List(t.Context(), storage.Query{Kind: storage.Code})
	require.NoError(t, err)
	require.Len(t, recs, 1)
	require.Equal(t, []string{"write"}, recs[0].Scope)
	require.Equal(t, "alice", recs[0].Subject)
	require.NotContains(t, string(recs[0].Data)+recs[0].Key, res.params(t).Get("code"))
}

// A page of the host's own may follow a request that was parsed: its styles are not forbidden, framing is.
// Holds S45, S153.
func TestParseAuthorize_LeavesRoomForTheHostsPage(t *testing.T) {
	t.Parallel()
	_, res := approved(t, grantwell.Hooks{}, authorize(), func(_ *grantwell.Server, w http.ResponseWriter, _ *http.Request, req *grantwell.AuthorizeRequest) {
		require.Equal(t, []string{"read", "write"}, req.Scope)
		_, _ = w.Write([]byte("my own page"))
	})
	require.Equal(t, "my own page", res.body)
	safe(t, res)
	require.NotContains(t, res.header.Get("Content-Security-Policy"), "default-src")
	require.NotContains(t, res.header.Get("Content-Security-Policy"), "form-action")
}

// A code is random, in characters that need no escape, and gone after its lifetime although its record is there.
// Holds R46, R47.
func TestAuthorize_CodeIsRandomAndShortLived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil)
		b := h.as("alice")
		seen := map[string]bool{}
		for range 200 {
			code := b.allow("client_id", "trusted").params(t).Get("code")
			require.Regexp(t, `^[A-Za-z0-9._~-]{28,}$`, code)
			require.False(t, seen[code])
			seen[code] = true
		}
		late := b.allow("client_id", "trusted").params(t).Get("code")
		soon := b.allow("client_id", "trusted").params(t).Get("code")
		time.Sleep(59 * time.Second)
		require.Equal(t, 200, h.token("trusted", "code", soon).status)
		time.Sleep(time.Second)
		h.token("trusted", "code", late).fails(t, 400, "invalid_grant")
		require.Equal(t, 202, h.count(storage.Code))
	})
	_, err := grantwell.New(grantwell.Config{Issuer: origin, Clients: legacy{}, Grants: []grants.Handler{grants.AuthorizationCode{}}, CodeLifetime: 11 * time.Minute})
	require.ErrorContains(t, err, "CodeLifetime")
}

// Holds R53.
func TestAuthorize_HostileHints(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	for _, name := range []string{"prompt", "login_hint", "ui_locales", "id_token_hint", "acr_values", "display", "claims", "max_age", "nonce", "subject", "user", "approved", "csrf", "interaction", "decision"} {
		for _, value := range []string{"https://evil.example/", "\r\nLocation: https://evil.example/", "<script>", "allow", "alice", strings.Repeat("9", 3000)} {
			res := h.browser().send(authorize(name, value), nil)
			to := res.header.Get("Location")
			require.Equal(t, http.StatusSeeOther, res.status, "%s=%s", name, value)
			require.True(t, strings.HasPrefix(to, "/login?interaction=") || strings.HasPrefix(to, redirect+"?error=invalid_request"), to)
			require.NotContains(t, to, "evil")
		}
	}
	require.Zero(t, h.count(storage.Code))
}
