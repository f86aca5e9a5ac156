package grantwell_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// The whole way of a browser without a session: login, consent, code; one event.
// Holds S25, S31, S35, S41, S148, S183.
func TestConsentPage_LoginThenConsentThenCode(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.browser()
	res := b.visit(authorize(), nil)
	safe(t, res)
	require.Empty(t, h.events, "nothing is decided yet")
	page := b.logIn(res, "alice")
	require.Contains(t, page.body, "<h1>Sample is requesting permission to access:</h1>")
	require.Contains(t, page.body, "See your photos")
	require.Contains(t, page.body, "Change your photos")
	require.Contains(t, page.body, "Signed in as Dear alice.")
	require.Contains(t, page.body, "You will return to app.example.")
	require.Contains(t, page.body, `value="allow"`)
	require.Contains(t, page.body, `value="deny"`)
	require.Empty(t, h.events)

	res = b.send("/consent", page.form(t))
	require.True(t, strings.HasPrefix(res.header.Get("Location"), redirect+"?code="))
	require.Equal(t, "st", res.params(t).Get("state"))
	require.Equal(t, origin, res.params(t).Get("iss"))
	safe(t, res)
	require.NotContains(t, res.header.Get("Content-Security-Policy"), "form-action")
	require.Len(t, h.events, 1)
	e := h.events[0]
	require.Equal(t, []any{"consent", "ok", "conf", "alice", "authorization_code", 303, []string{"read", "write"}},
		[]any{e.Endpoint, e.Outcome, e.ClientID, e.Subject, e.GrantType, e.Status, e.Scope})
	require.NotEmpty(t, e.GrantID)
	require.NotEqual(t, e.GrantID, page.form(t).Get("interaction"))
	require.True(t, e.Remote.IsValid())

	res = h.token("conf", "code", res.params(t).Get("code"))
	require.Equal(t, "read write", res.str("scope"), res.body)
	rec, err := h.store.Get(t.Context(), storage.Access, storage.Key(res.str("access_token")))
	require.NoError(t, err)
	require.Equal(t, "alice", rec.Subject)
	require.Contains(t, string(rec.Data), "sales")
}

// Who has a session sees no login page.
// Holds S26.
func TestConsentPage_SessionSkipsLogin(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	require.True(t, asks(h.as("alice").visit(authorize(), nil)))
	require.NotEmpty(t, h.as("alice").visit(authorize("client_id", "trusted"), nil).params(t).Get("code"))
}

// Holds S33, R34, S183.
func TestConsentPage_NoThanks(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	form := with(b.visit(authorize(), nil).form(t), "decision", "deny")
	q := b.send("/consent", form).params(t)
	require.Equal(t, "access_denied", q.Get("error"))
	require.Equal(t, "st", q.Get("state"))
	require.Equal(t, origin, q.Get("iss"))
	require.Zero(t, h.count(storage.Code))
	require.Zero(t, h.count(storage.Consent))
	require.Len(t, h.events, 1)
	e := h.events[0]
	require.Equal(t, []any{"consent", "refused", "access_denied", "conf", "alice", 303}, []any{e.Endpoint, e.Outcome, e.Error, e.ClientID, e.Subject, e.Status})
	require.NotContains(t, e.GrantID+e.Reason, form.Get("interaction"), "the handle is no text for a log")
	b.send("/consent", with(form, "decision", "allow")).isPage(t, http.StatusBadRequest)
	require.Zero(t, h.count(storage.Code))
}

// Holds S149, R43.
func TestConsentPage_Unticked(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	q := b.send("/consent", with(b.visit(authorize(), nil).form(t), "scope", "write")).params(t)
	require.Equal(t, "write", h.token("conf", "code", q.Get("code")).str("scope"))
	scopes, err := h.srv.Consented(t.Context(), "conf", "alice")
	require.NoError(t, err)
	require.Equal(t, []string{"write"}, scopes)

	b = h.as("bob")
	form := with(b.visit(authorize(), nil).form(t), "scope", "-")
	require.Equal(t, "access_denied", b.send("/consent", form).params(t).Get("error"), "nothing ticked is no")
	b.send("/consent", with(form, "scope", "read")).isPage(t, http.StatusBadRequest)
}

// What a browser posts can narrow the request. It cannot widen or replace any part of it.
// Holds R43, R130, V53, V64, V65, V66.
func TestConsentPage_PostCannotChangeTheRequest(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	put(t, h, "conf", func(c *storage.Client) { c.Scope = append(c.Scope, "admin") })
	b := h.as("alice")
	form := b.visit(authorize("scope", "read"), nil).form(t)
	form = with(form, "scope", "read write admin", "client_id", "other", "redirect_uri", "https://evil.example/", "response_type", "token", "response_mode", "fragment",
		"state", "mine", "code_challenge", "-", "subject", "bob", "approved", "true", "skip_consent", "true", "audience", "x", "resource", "https://api.example/", "nonce", "n", "scope.write", "true")
	res := b.send("/consent?client_id=other&scope=admin&redirect_uri=https://evil.example/", form)
	require.True(t, strings.HasPrefix(res.header.Get("Location"), redirect+"?code="), res.header.Get("Location"))
	require.Equal(t, "st", res.params(t).Get("state"))
	recs, _, err := h.store.List(t.Context(), storage.Query{Kind: storage.Code})
	require.NoError(t, err)
	require.Len(t, recs, 1)
	require.Equal(t, []any{"conf", "alice", []string{"read"}, 0}, []any{recs[0].ClientID, recs[0].Subject, recs[0].Scope, len(recs[0].Audience)})
	require.Contains(t, string(recs[0].Data), challenge)
	scopes, err := h.srv.Consented(t.Context(), "conf", "alice")
	require.NoError(t, err)
	require.Equal(t, []string{"read"}, scopes)
}

// Holds R42, S45.
func TestConsentPage_Forged(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	form := b.visit(authorize(), nil).form(t)
	other := h.as("alice")
	stolen := other.visit(authorize(), nil).form(t).Get("csrf") // the same user's, in another browser
	second := b.visit(authorize(), nil).form(t).Get("csrf")     // the same browser's, for another request
	for name, csrf := range map[string]string{"missing": "-", "wrong": strings.Repeat("A", 43), "of another browser": stolen, "of another request": second, "long": strings.Repeat("A", 5000), "cut": form.Get("csrf")[:42]} {
		for _, decision := range []string{"allow", "deny"} {
			b.send("/consent", with(form, "csrf", csrf, "decision", decision)).isPage(t, http.StatusForbidden)
			require.Zero(t, h.count(storage.Code), name)
		}
	}
	for _, site := range []string{"cross-site", "same-site", "none"} {
		b.send("/consent", form, "Sec-Fetch-Site", site).isPage(t, http.StatusForbidden)
	}
	// A GET decides nothing, whatever it carries; nor does a post without a decision.
	require.True(t, asks(b.do(http.MethodGet, "/consent?"+form.Encode(), "")))
	b.send("/consent", with(form, "decision", "-")).isPage(t, http.StatusBadRequest)
	b.send("/consent", with(form, "decision", "maybe")).isPage(t, http.StatusBadRequest)
	b.do(http.MethodPost, "/consent", form.Encode(), "Content-Type", "text/plain").isPage(t, http.StatusBadRequest)
	b.do(http.MethodPost, "/consent", form.Encode()+"&decision=deny").isPage(t, http.StatusBadRequest)
	b.do(http.MethodPost, "/consent?"+form.Encode(), "x=1").isPage(t, http.StatusBadRequest)
	require.Zero(t, h.count(storage.Code))
	require.Zero(t, h.count(storage.Consent))
	// Refusing all of that did no harm to the genuine form.
	require.NotEmpty(t, b.send("/consent", form, "Sec-Fetch-Site", "same-origin").params(t).Get("code"))
}

// A double click gives one code.
// Holds S25, V75.
func TestConsentPage_PostedTwice(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	for round := range 20 {
		form := b.visit(authorize("prompt", "consent"), nil).form(t)
		var wg sync.WaitGroup
		replies := make([]reply, 4)
		for i := range replies {
			wg.Go(func() { replies[i] = b.send("/consent", form) })
		}
		wg.Wait()
		codes := 0
		for _, r := range replies {
			if r.status == http.StatusSeeOther {
				require.NotEmpty(t, r.params(t).Get("code"))
				codes++
				continue
			}
			r.isPage(t, http.StatusBadRequest)
		}
		require.Equal(t, 1, codes)
		require.Equal(t, round+1, h.count(storage.Code))
		b.send("/consent", form).isPage(t, http.StatusBadRequest)
		b.send("/consent?interaction="+form.Get("interaction"), nil).isPage(t, http.StatusBadRequest) // back button
	}
}

// Holds R54, S27.
func TestConsentPage_ClientChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *host){
		"disabled": func(t *testing.T, h *host) { put(t, h, "conf", func(c *storage.Client) { c.Disabled = true }) },
		"deleted":  func(t *testing.T, h *host) { require.NoError(t, h.store.DeleteClient(t.Context(), "conf")) },
		"moved": func(t *testing.T, h *host) {
			put(t, h, "conf", func(c *storage.Client) { c.RedirectURIs = []string{"https://new.example/"} })
		},
	} {
		h := newHost(t, nil)
		b := h.as("alice")
		form := b.visit(authorize(), nil).form(t)
		change(t, h)
		b.send("/consent", form).isPage(t, http.StatusBadRequest)
		b.send("/consent", with(form, "decision", "deny")).isPage(t, http.StatusBadRequest)
		require.Zero(t, h.count(storage.Code), name)
	}
	// It loses a scope: that is not granted any more.
	h := newHost(t, nil)
	b := h.as("alice")
	form := b.visit(authorize(), nil).form(t)
	put(t, h, "conf", func(c *storage.Client) { c.Scope = []string{"read"} })
	require.Equal(t, "invalid_scope", b.send("/consent", form).params(t).Get("error"))

	// It goes after the last look at it that Resume takes.
	h = newHost(t, nil)
	h.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if req, ok := h.srv.ParseAuthorize(w, r); ok {
			put(t, h, "conf", func(c *storage.Client) { c.Disabled = true })
			h.srv.Approve(w, r, req, grantwell.Approval{Subject: "alice"})
		}
	})
	h.browser().send(authorize(), nil).isPage(t, http.StatusBadRequest)
	require.Zero(t, h.count(storage.Code))
}

const script = `"><script>alert(1)</script><img src=x onerror=alert(1)>'{{.}}${713*991}`

// tag finds what would be markup of an attacker's.
var tag = regexp.MustCompile(`<script|<img src=x|onerror=alert\(1\)>|javascript:`)

// Names, logos, links, scopes and users are text on the page, whatever they hold.
// Holds S45, S148, R19, R39, V57, V63, V72, V77.
func TestConsentPage_Escapes(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *grantwell.Config, ui *grantwell.UI) {
		c.Scopes.Known[0].Description = script
		ui.User = func(*http.Request) (grantwell.SignedIn, bool) {
			return grantwell.SignedIn{Subject: script, Name: script}, true
		}
	})
	const odd = `<script>${713*991}'{{.}}`
	for _, link := range []string{"javascript:alert(1)", "https://x.example/" + script, "data:text/html,<script>alert(1)</script>", "//x.example/a.png", "JAVASCRIPT:alert(1)", " javascript:alert(1)"} {
		put(t, h, "evil", func(c *storage.Client) {
			c.Name, c.Description, c.LogoURI, c.PolicyURI, c.TOSURI = script, script, link, link, link
			c.Scope = []string{"read", odd}
			c.RedirectURIs = []string{"https://app.example;script-src/cb"}
		})
		res := h.browser().visit(authorize("client_id", "evil", "redirect_uri", "https://app.example;script-src/cb", "scope", "read "+odd, "state", script, "login_hint", script), nil)
		form := res.form(t)
		require.NotRegexp(t, tag, res.body)
		require.Equal(t, []string{"read", odd}, form["scope"])
		require.NotContains(t, res.body, "706583")
		require.Contains(t, res.body, "&lt;script&gt;")
		require.NotContains(t, res.body, "postMessage")
		safe(t, res)
		require.Equal(t, "text/html; charset=utf-8", res.header.Get("Content-Type"))
		require.Regexp(t, `^default-src 'none'; style-src 'nonce-[A-Za-z0-9_-]{22}'; img-src https: data:; form-action 'self' https:; frame-ancestors 'none'; base-uri 'none'$`, res.header.Get("Content-Security-Policy"))
	}
	put(t, h, "evil", func(c *storage.Client) { c.LogoURI = "https://app.example/logo.png" })
	res := h.browser().visit(authorize("client_id", "evil"), nil)
	require.Contains(t, res.body, `src="https://app.example/logo.png"`)
	require.Contains(t, res.header.Get("Content-Security-Policy"), "form-action 'self' https://app.example;")
}

// A client without a name is named by its ID; a scope without a description by its own name.
// Holds S148.
func TestConsentPage_WithoutTexts(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Scopes.Known = nil })
	res := h.as("alice").visit(authorize("client_id", "several"), nil)
	require.Contains(t, res.body, "<h1>several is requesting")
	require.Contains(t, res.body, "<span>read</span>")
}

// A page of the host's own gets all that it needs, and what it posts is checked the same.
// Holds S153, S45.
func TestConsentPage_HostsOwn(t *testing.T) {
	t.Parallel()
	var got grantwell.ConsentPage
	h := newHost(t, func(_ *grantwell.Config, ui *grantwell.UI) {
		ui.Consent = func(w http.ResponseWriter, _ *http.Request, p grantwell.ConsentPage) {
			got = p
			_, _ = w.Write([]byte("<div id=app></div>"))
		}
	})
	b := h.as("alice")
	post := func(scopes ...string) url.Values {
		f := url.Values{"decision": {"allow"}, "scope": scopes}
		for name, value := range got.Hidden {
			f.Set(name, value)
		}
		return f
	}
	res := b.visit(authorize("scope", "read"), nil)
	require.Equal(t, "<div id=app></div>", res.body)
	safe(t, res)
	require.NotContains(t, res.header.Get("Content-Security-Policy"), "default-src", "its styles are its own business")
	require.Equal(t, []any{"/consent", "alice", "conf", []grantwell.Scope{{Name: "read", Description: "See your photos"}}, []grantwell.Scope(nil)},
		[]any{got.Action, got.User.Subject, got.Request.Client.ID, got.Asked, got.Granted})
	b.send(got.Action, with(post("read"), "csrf", "-")).isPage(t, http.StatusForbidden)
	require.NotEmpty(t, b.send(got.Action, post("read", "write")).params(t).Get("code"))

	b.visit(authorize(), nil)
	require.Equal(t, []grantwell.Scope{{Name: "write", Description: "Change your photos"}}, got.Asked)
	require.Equal(t, []grantwell.Scope{{Name: "read", Description: "See your photos"}}, got.Granted)
	q := b.send(got.Action, post()).params(t)
	require.Equal(t, "read", h.token("conf", "code", q.Get("code")).str("scope"))
}

// Panics of the host's code are a page, and no code.
// Holds R35, S183.
func TestConsentPage_HostPanics(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(_ *grantwell.Config, ui *grantwell.UI) {
		ui.User = func(*http.Request) (grantwell.SignedIn, bool) { panic("secret-dsn") }
	})
	res := h.as("alice").visit(authorize(), nil)
	res.isPage(t, http.StatusInternalServerError)
	require.NotContains(t, res.body, "secret-dsn")
	require.Equal(t, "failed", h.events[0].Outcome)

	for _, boom := range []func(*grantwell.Config, *grantwell.UI){
		func(_ *grantwell.Config, ui *grantwell.UI) {
			ui.Consent = func(http.ResponseWriter, *http.Request, grantwell.ConsentPage) { panic("secret-dsn") }
		},
		func(c *grantwell.Config, _ *grantwell.UI) {
			c.Scopes.Decide = func(context.Context, grantwell.ScopeRequest) ([]string, error) { panic("secret-dsn") }
		},
		func(c *grantwell.Config, _ *grantwell.UI) {
			c.Hooks.Authorize = func(context.Context, *grantwell.AuthorizeRequest, *grantwell.Approval) error { panic("secret-dsn") }
		},
		func(c *grantwell.Config, _ *grantwell.UI) {
			c.SubjectActive = func(context.Context, string) (bool, error) { panic("secret-dsn") }
		},
	} {
		h := newHost(t, boom)
		res := h.as("alice").allow()
		res.isPage(t, http.StatusInternalServerError)
		require.NotContains(t, res.body, "secret-dsn")
		require.Zero(t, h.count(storage.Code))
		require.Len(t, h.events, 1)
	}
}

// A user's host may say more than yes and no.
// Holds S183, R35.
func TestConsentPage_HookErrorReachesTheClient(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) {
		c.Hooks.Authorize = func(_ context.Context, req *grantwell.AuthorizeRequest, _ *grantwell.Approval) error {
			return &grants.Error{Code: "interaction_required", Description: "Accept \"the\" terms\r\n<first>."}
		}
	})
	q := h.as("alice").allow().params(t)
	require.Equal(t, "interaction_required", q.Get("error"))
	require.Equal(t, "Accept the terms<first>.", q.Get("error_description"))
	require.Zero(t, h.count(storage.Code))
	require.Zero(t, h.count(storage.Consent), "what was not granted is not remembered")
}
