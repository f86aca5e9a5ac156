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
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// A browser without a session goes through login and consent to a code, and
// the server emits one event.
//
// Holds: RFC 6749 section 4.1.1; RFC 6749 section 4.1.2; RFC 6749 section 4.1.3;
// RFC 9207 section 2; house: consent page; house: one event.
func TestConsentPage_LoginThenConsentThenCode(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.Browser()
	res := b.Visit(servertest.AuthorizeURL(), nil)
	res.HasPageHeaders(t)
	require.Empty(t, h.Events(), "no decision yet")
	page := b.LogIn(res, "alice")
	require.Contains(t, page.Body, "<h1>Sample is requesting permission to access:</h1>")
	require.Contains(t, page.Body, "See your photos")
	require.Contains(t, page.Body, "Change your photos")
	require.Contains(t, page.Body, "Signed in as Dear alice.")
	require.Contains(t, page.Body, "You will return to app.example.")
	require.Contains(t, page.Body, `value="allow"`)
	require.Contains(t, page.Body, `value="deny"`)
	require.Empty(t, h.Events())

	res = b.Send("/consent", page.ConsentForm(t))
	require.True(t, strings.HasPrefix(res.Header.Get("Location"), servertest.Redirect+"?code="))
	require.Equal(t, "st", res.Params(t).Get("state"))
	require.Equal(t, servertest.Issuer, res.Params(t).Get("iss"))
	res.HasPageHeaders(t)
	require.NotContains(t, res.Header.Get("Content-Security-Policy"), "form-action")
	require.Len(t, h.Events(), 1)
	e := h.Events()[0]
	require.Equal(t, []any{"consent", "ok", "conf", "alice", "authorization_code", 303,
		[]string{"read", "write"}},
		[]any{e.Endpoint, e.Outcome, e.ClientID, e.Subject, e.GrantType, e.Status, e.Scope})
	require.NotEmpty(t, e.GrantID)
	require.NotEqual(t, e.GrantID, page.ConsentForm(t).Get("interaction"))
	require.True(t, e.Remote.IsValid())

	res = h.Redeem("conf", res.Params(t).Get("code"))
	require.Equal(t, "read write", res.String("scope"), res.Body)
	rec, err := h.Store.Get(t.Context(), storage.Access, storage.Key(res.String("access_token")))
	require.NoError(t, err)
	require.Equal(t, "alice", rec.Subject)
	require.Contains(t, string(rec.Data), "sales")
}

// A user with a session sees no login page.
//
// Holds: house: host knows the user.
func TestConsentPage_SessionSkipsLogin(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	require.True(t, h.SignedIn("alice").Visit(servertest.AuthorizeURL(), nil).AsksConsent())
	require.NotEmpty(t, h.SignedIn("alice").Visit(servertest.AuthorizeURL("client_id", "trusted"),
		nil).Params(t).Get("code"))
}

// A user who denies gives access_denied and no code, and the decision cannot
// be posted again.
//
// Holds: RFC 6749 section 4.1.2.1; house: one event.
func TestConsentPage_DenyGivesNoCode(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	form := servertest.With(b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t),
		"decision", "deny")
	q := b.Send("/consent", form).Params(t)
	require.Equal(t, "access_denied", q.Get("error"))
	require.Equal(t, "st", q.Get("state"))
	require.Equal(t, servertest.Issuer, q.Get("iss"))
	require.Zero(t, h.CountOf(storage.Code))
	require.Zero(t, h.CountOf(storage.Consent))
	require.Len(t, h.Events(), 1)
	e := h.Events()[0]
	require.Equal(t, []any{"consent", "refused", "access_denied", "conf", "alice", 303},
		[]any{e.Endpoint, e.Outcome, e.Error, e.ClientID, e.Subject, e.Status})
	require.NotContains(t, e.GrantID+e.Cause, form.Get("interaction"),
		"the handle does not stand in an event")
	b.Send("/consent", servertest.With(form, "decision", "allow")).IsPage(t, http.StatusBadRequest)
	require.Zero(t, h.CountOf(storage.Code))
}

// A scope that the user does not tick is not granted. Without any scope the
// request is denied.
//
// Holds: house: consent only narrows; house: ticked scopes.
func TestConsentPage_UntickedScopesAreNotGranted(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	q := b.Send("/consent", servertest.With(b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t),
		"scope", "write")).Params(t)
	require.Equal(t, "write", h.Redeem("conf", q.Get("code")).String("scope"))
	scopes, err := h.AS.ConsentedScopes(t.Context(), "conf", "alice")
	require.NoError(t, err)
	require.Equal(t, []string{"write"}, scopes)

	b = h.SignedIn("bob")
	form := servertest.With(b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t), "scope", "-")
	require.Equal(t, "access_denied", b.Send("/consent", form).Params(t).Get("error"),
		"a form without a scope denies")
	b.Send("/consent", servertest.With(form, "scope", "read")).IsPage(t, http.StatusBadRequest)
}

// The posted form can narrow the request. It cannot widen or replace any part
// of it.
//
// Holds: RFC 9700 section 2.1; house: consent only narrows.
func TestConsentPage_PostCannotChangeTheRequest(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	h.AddClient("conf", func(c *storage.Client) { c.Scope = append(c.Scope, "admin") })
	b := h.SignedIn("alice")
	form := b.Visit(servertest.AuthorizeURL("scope", "read"), nil).ConsentForm(t)
	form = servertest.With(form, "client_id", "other", "redirect_uri", "https://evil.example/",
		"response_type", "token", "response_mode", "fragment",
		"state", "mine", "code_challenge", "-", "subject", "bob", "approved", "true",
		"skip_consent", "true", "audience", "x", "resource", "https://api.example/", "nonce", "n",
		"scope.write", "true")
	form["scope"] = []string{"read", "write", "admin"}
	res := b.Send("/consent?client_id=other&scope=admin&redirect_uri=https://evil.example/", form)
	require.True(t, strings.HasPrefix(res.Header.Get("Location"), servertest.Redirect+"?code="),
		res.Header.Get("Location"))
	require.Equal(t, "st", res.Params(t).Get("state"))
	recs := h.Records(storage.Query{Kind: storage.Code})
	require.Len(t, recs, 1)
	require.Equal(t, []any{"conf", "alice", []string{"read"}, 0},
		[]any{recs[0].ClientID, recs[0].Subject, recs[0].Scope, len(recs[0].Audience)})
	require.Contains(t, string(recs[0].Data), servertest.Challenge)
	scopes, err := h.AS.ConsentedScopes(t.Context(), "conf", "alice")
	require.NoError(t, err)
	require.Equal(t, []string{"read"}, scopes)
}

// A form without this browser's token for this request is refused.
//
// Holds: RFC 6749 section 10.12.
func TestConsentPage_ForgedPostIsRefused(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
	other := h.SignedIn("alice")
	stolen := other.Visit(servertest.AuthorizeURL(),
		nil).ConsentForm(t).Get("csrf") // for the same user in another browser
	second := b.Visit(servertest.AuthorizeURL(),
		nil).ConsentForm(t).Get("csrf") // for another request in the same browser
	for name, csrf := range map[string]string{
		"missing":            "-",
		"wrong":              strings.Repeat("A", 43),
		"of another browser": stolen,
		"of another request": second,
		"long":               strings.Repeat("A", 5000),
		"cut":                form.Get("csrf")[:42],
	} {
		for _, decision := range []string{"allow", "deny"} {
			b.Send("/consent", servertest.With(form, "csrf", csrf, "decision", decision)).IsPage(t,
				http.StatusForbidden)
			require.Zero(t, h.CountOf(storage.Code), name)
		}
	}
	for _, site := range []string{"cross-site", "same-site", "none"} {
		b.Send("/consent", form, "Sec-Fetch-Site", site).IsPage(t, http.StatusForbidden)
	}
	// A GET decides nothing, whatever its query is. Nor does a post without a
	// decision.
	require.True(t, b.Do(http.MethodGet, "/consent?"+form.Encode(), "").AsksConsent())
	b.Send("/consent", servertest.With(form, "decision", "-")).IsPage(t, http.StatusBadRequest)
	b.Send("/consent", servertest.With(form, "decision", "maybe")).IsPage(t, http.StatusBadRequest)
	b.Do(http.MethodPost, "/consent", form.Encode(), "Content-Type", "text/plain").IsPage(t,
		http.StatusBadRequest)
	b.Do(http.MethodPost, "/consent", form.Encode()+"&decision=deny").IsPage(t,
		http.StatusBadRequest)
	b.Do(http.MethodPost, "/consent?"+form.Encode(), "x=1").IsPage(t, http.StatusBadRequest)
	require.Zero(t, h.CountOf(storage.Code))
	require.Zero(t, h.CountOf(storage.Consent))
	// After all these refusals the genuine form still works.
	require.NotEmpty(t, b.Send("/consent", form, "Sec-Fetch-Site",
		"same-origin").Params(t).Get("code"))
}

// Two posts of one form give one code, and each gets it (RFC 6749 section 4.1.2: a code is
// issued once for a decision).
//
// Holds: RFC 6749 section 4.1.1; house: proof of one user.
func TestConsentPage_DoubleClickGivesOneCode(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	for round := range 20 {
		form := b.Visit(servertest.AuthorizeURL("prompt", "consent"), nil).ConsentForm(t)
		var wg sync.WaitGroup
		replies := make([]servertest.Reply, 4)
		for i := range replies {
			wg.Go(func() { replies[i] = b.Send("/consent", form) })
		}
		wg.Wait()
		code := replies[0].Params(t).Get("code")
		require.NotEmpty(t, code)
		for _, r := range append(replies, b.Send("/consent", form)) {
			require.Equal(t, code, r.Params(t).Get("code"), "the same answer")
			require.Equal(t, "st", r.Params(t).Get("state"))
		}
		require.Equal(t, round+1, h.CountOf(storage.Code))

		// Another form, or none, has no answer. The page leads back to the client.
		other := b.Send("/consent", servertest.With(form, "decision", "deny"))
		other.IsPage(t, http.StatusBadRequest)
		require.Contains(t, other.Body, `href="`+servertest.Redirect+`?error=access_denied`)
		require.NotContains(t, other.Body, "another browser")
		b.Send("/consent?interaction="+form.Get("interaction"), nil).IsPage(t, http.StatusBadRequest)
		for _, rec := range h.Records(storage.Query{Kind: storage.Interaction}) {
			require.NotContains(t, string(rec.Data), code, "the store alone does not have the code")
		}
	}
}

// A client that was deleted, disabled or changed while the page was open gets
// no code.
//
// Holds: RFC 6749 section 3.1.2.4; house: disabled meanwhile.
func TestConsentPage_ClientChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *servertest.Site){
		"disabled": func(t *testing.T, h *servertest.Site) {
			h.AddClient("conf", func(c *storage.Client) { c.Disabled = true })
		},
		"deleted": func(t *testing.T, h *servertest.Site) {
			require.NoError(t, h.Store.DeleteClient(t.Context(), "conf"))
		},
		"moved": func(t *testing.T, h *servertest.Site) {
			h.AddClient("conf", func(c *storage.Client) {
				c.RedirectURIs = []string{"https://new.example/"}
			})
		},
	} {
		h := servertest.NewSite(t, nil)
		b := h.SignedIn("alice")
		form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
		change(t, h)
		b.Send("/consent", form).IsPage(t, http.StatusBadRequest)
		b.Send("/consent", servertest.With(form, "decision", "deny")).IsPage(t,
			http.StatusBadRequest)
		require.Zero(t, h.CountOf(storage.Code), name)
	}
	// A scope that the client has lost is not granted.
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
	h.AddClient("conf", func(c *storage.Client) { c.Scope = []string{"read"} })
	require.Equal(t, "invalid_scope", b.Send("/consent", form).Params(t).Get("error"))

	// The client is deleted after Resume has looked it up for the last time.
	h = servertest.NewSite(t, nil)
	h.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if req, ok := h.AS.ParseAuthorize(w, r); ok {
			h.AddClient("conf", func(c *storage.Client) { c.Disabled = true })
			h.AS.Approve(w, r, req, grantwell.Approval{Subject: "alice"})
		}
	})
	h.Browser().Send(servertest.AuthorizeURL(), nil).IsPage(t, http.StatusBadRequest)
	require.Zero(t, h.CountOf(storage.Code))
}

// script is a text that would be markup, a template or code if a page did not
// escape it.
const script = `"><script>alert(1)</script><img src=x onerror=alert(1)>'{{.}}${713*991}`

// tag finds markup of an attacker's.
var tag = regexp.MustCompile(`<script|<img src=x|onerror=alert\(1\)>|javascript:`)

// Names, logos, links, scopes and users are text on the page, whatever they
// contain.
//
// Holds: RFC 6749 section 10.12; RFC 6749 section 10.13; house: consent page;
// house: escaped text; house: literal text; house: no token in pages.
func TestConsentPage_EscapesEveryText(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(c *grantwell.Config, ui *grantwell.Pages) {
		c.Scopes.Known[0].Description = script
		ui.User = func(*http.Request) (grantwell.Session, bool) {
			return grantwell.Session{Subject: script, Name: script}, true
		}
	})
	const odd = `<script>${713*991}'{{.}}`
	for _, link := range []string{"javascript:alert(1)", "https://x.example/" + script,
		"data:text/html,<script>alert(1)</script>", "//x.example/a.png", "JAVASCRIPT:alert(1)",
		" javascript:alert(1)"} {
		h.AddClient("evil", func(c *storage.Client) {
			c.Name = script
			c.Description = script
			c.LogoURI = link
			c.PolicyURI = link
			c.TOSURI = link
			c.Scope = []string{"read", odd}
			c.RedirectURIs = []string{"https://app.example;script-src/cb"}
		})
		res := h.Browser().Visit(servertest.AuthorizeURL("client_id", "evil",
			"redirect_uri", "https://app.example;script-src/cb", "scope", "read "+odd,
			"state", script, "login_hint", script), nil)
		form := res.ConsentForm(t)
		require.NotRegexp(t, tag, res.Body)
		require.Equal(t, []string{"read", odd}, form["scope"])
		require.NotContains(t, res.Body, "706583")
		require.Contains(t, res.Body, "&lt;script&gt;")
		require.NotContains(t, res.Body, "postMessage")
		res.HasPageHeaders(t)
		require.Equal(t, "text/html; charset=utf-8", res.Header.Get("Content-Type"))
		require.Regexp(t,
			`^default-src 'none'; style-src 'nonce-[A-Za-z0-9_-]{22}'; img-src https: data:; frame-ancestors 'none'; base-uri 'none'$`,
			res.Header.Get("Content-Security-Policy"))
	}
	h.AddClient("evil", func(c *storage.Client) { c.LogoURI = "https://app.example/logo.png" })
	res := h.Browser().Visit(servertest.AuthorizeURL("client_id", "evil"), nil)
	require.Contains(t, res.Body, `src="https://app.example/logo.png"`)
	require.Contains(t, res.Header.Get("Content-Security-Policy"),
		"style-src 'nonce-")
}

// A client without a name is shown by its ID, and a scope without a
// description by its name.
//
// Holds: house: consent page.
func TestConsentPage_NamesTheClientByItsID(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) { c.Scopes.Known = nil })
	res := h.SignedIn("alice").Visit(servertest.AuthorizeURL("client_id", "several"), nil)
	require.Contains(t, res.Body, "<h1>several is requesting")
	require.Contains(t, res.Body, "<span>read</span>")
}

// A page of the host's own gets all data that it needs, and its form is
// checked in the same way.
//
// Holds: RFC 6749 section 10.12; house: pages of the host.
func TestConsentPage_HostMayRenderItsOwn(t *testing.T) {
	t.Parallel()
	var got grantwell.ConsentPage
	h := servertest.NewSite(t, func(_ *grantwell.Config, ui *grantwell.Pages) {
		ui.Consent = func(w http.ResponseWriter, _ *http.Request, p grantwell.ConsentPage) {
			got = p
			_, _ = w.Write([]byte("<div id=app></div>"))
		}
	})
	b := h.SignedIn("alice")
	post := func(scopes ...string) url.Values {
		f := url.Values{"decision": {"allow"}, "scope": scopes}
		for name, value := range got.Hidden {
			f.Set(name, value)
		}
		return f
	}
	res := b.Visit(servertest.AuthorizeURL("scope", "read"), nil)
	require.Equal(t, "<div id=app></div>", res.Body)
	res.HasPageHeaders(t)
	require.Equal(t, "same-origin", res.Header.Get("Referrer-Policy"), "its form is posted to this origin")
	require.NotContains(t, res.Header.Get("Content-Security-Policy"), "default-src",
		"its styles are its own business")
	require.Equal(t, []any{"/consent", "alice", "conf", []grantwell.Scope{{
		Name:        "read",
		Description: "See your photos",
	}}, []grantwell.Scope(nil)},
		[]any{got.Action, got.User.Subject, got.Request.Client.ID, got.Asked, got.Granted})
	b.Send(got.Action, servertest.With(post("read"), "csrf", "-")).IsPage(t, http.StatusForbidden)
	require.NotEmpty(t, b.Send(got.Action, post("read", "write")).Params(t).Get("code"))

	b.Visit(servertest.AuthorizeURL(), nil)
	require.Equal(t, []grantwell.Scope{{
		Name:        "write",
		Description: "Change your photos",
	}}, got.Asked)
	require.Equal(t, []grantwell.Scope{{Name: "read", Description: "See your photos"}}, got.Granted)
	q := b.Send(got.Action, post()).Params(t)
	require.Equal(t, "read", h.Redeem("conf", q.Get("code")).String("scope"))
}

// A panic in the host's code is answered with a page, and gives no code.
//
// Holds: RFC 6749 section 4.1.2.1; house: one event.
func TestConsentPage_HostPanicGivesNoCode(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(_ *grantwell.Config, ui *grantwell.Pages) {
		ui.User = func(*http.Request) (grantwell.Session, bool) { panic("secret-dsn") }
	})
	res := h.SignedIn("alice").Visit(servertest.AuthorizeURL(), nil)
	res.IsPage(t, http.StatusInternalServerError)
	require.NotContains(t, res.Body, "secret-dsn")
	require.Equal(t, "failed", h.Events()[0].Outcome)

	for _, boom := range []func(*grantwell.Config, *grantwell.Pages){
		func(_ *grantwell.Config, ui *grantwell.Pages) {
			ui.Consent = func(http.ResponseWriter, *http.Request, grantwell.ConsentPage) {
				panic("secret-dsn")
			}
		},
		func(c *grantwell.Config, _ *grantwell.Pages) {
			c.Scopes.Decide = func(context.Context, grantwell.ScopeRequest) ([]string, error) {
				panic("secret-dsn")
			}
		},
		func(c *grantwell.Config, _ *grantwell.Pages) {
			c.Hooks.BeforeAuthorize = func(context.Context, *grantwell.AuthorizeRequest, *grantwell.Approval) error {
				panic("secret-dsn")
			}
		},
		func(c *grantwell.Config, _ *grantwell.Pages) {
			c.SubjectActive = func(context.Context, string) (bool, error) { panic("secret-dsn") }
		},
	} {
		h := servertest.NewSite(t, boom)
		res := h.SignedIn("alice").Allow()
		res.IsPage(t, http.StatusInternalServerError)
		require.NotContains(t, res.Body, "secret-dsn")
		require.Zero(t, h.CountOf(storage.Code))
		require.Len(t, h.Events(), 1)
	}
}

// An error of the host's hook reaches the client with its own code.
//
// Holds: RFC 6749 section 4.1.2.1; house: one event.
func TestConsentPage_HookErrorReachesTheClient(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.Hooks.BeforeAuthorize = func(_ context.Context, req *grantwell.AuthorizeRequest, _ *grantwell.Approval) error {
			return &grants.Error{
				Code:        "interaction_required",
				Description: "Accept \"the\" terms\r\n<first>.",
			}
		}
	})
	q := h.SignedIn("alice").Allow().Params(t)
	require.Equal(t, "interaction_required", q.Get("error"))
	require.Equal(t, "Accept the terms<first>.", q.Get("error_description"))
	require.Zero(t, h.CountOf(storage.Code))
	require.Zero(t, h.CountOf(storage.Consent), "a scope that was not granted is not stored")
}
