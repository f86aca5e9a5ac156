package grantwell_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// Tabs that begin at once in a browser without a cookie do not replace each other's
// (RFC 6749 section 10.12).
func TestInteraction_TabsOfAFreshBrowserAllFinish(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.Browser()
	var started []servertest.Reply
	for _, state := range []string{"one", "two", "three"} {
		res := h.Browser().Send(servertest.AuthorizeURL("state", state, "prompt", "consent"), nil)
		b.Jar.SetCookies(&url.URL{Scheme: "https", Host: "as.example"}, (&http.Response{Header: res.Header}).Cookies())
		started = append(started, res)
	}
	for i, state := range []string{"one", "two", "three"} {
		page := b.LogIn(started[i], "alice")
		require.Equal(t, state, b.Send("/consent", page.ConsentForm(t)).Params(t).Get("state"))
	}
}

// A form of another site becomes a request of the server's own, which carries the
// cookies (OpenID Connect Core section 3.1.2.1). Only what the server reads is sent on.
func TestAuthorize_PostOfAnotherSiteIsOpenedAgain(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	_, query, _ := strings.Cut(servertest.AuthorizeURL("unknown", "x"), "?")
	form, err := url.ParseQuery(query)
	require.NoError(t, err)
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://app.example"}, {"Origin", "null"}} {
		res := h.Browser().Send("/authorize", form, headers...)
		require.Equal(t, http.StatusSeeOther, res.Status)
		require.True(t, strings.HasPrefix(res.Header.Get("Location"), "/authorize?"), res.Header)
		require.NotContains(t, res.Header.Get("Location"), "unknown")
		require.Empty(t, res.Header.Values("Set-Cookie"))
		require.True(t, h.SignedIn("alice").Visit("/authorize", form, headers...).AsksConsent())
	}
	require.Equal(t, 3, h.CountOf(storage.Interaction))

	form.Set("state", strings.Repeat("s", 9000))
	res := h.Browser().Send("/authorize", form, "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusOK, res.Status)
	require.Contains(t, res.Body, `<form method="post" action="/authorize">`)
	require.Equal(t, form.Get("state"), res.HiddenFields().Get("state"))
	require.Equal(t, 3, h.CountOf(storage.Interaction), "nothing is kept for it")
}

// A request that took too long leads back to the client, and a browser without cookies
// is told so. Another browser gets no way into the client.
func TestInteraction_OverLeadsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := servertest.NewSite(t, nil)
		b := h.Browser()
		handle := b.Send(servertest.AuthorizeURL("state", "s1"), nil).Interaction(t)
		bare := h.Browser().Send("/consent?interaction="+handle, nil)
		bare.IsPage(t, http.StatusForbidden)
		require.Contains(t, bare.Body, "no cookie")

		time.Sleep(time.Hour)
		res := b.Send("/consent?interaction="+handle, nil)
		res.IsPage(t, http.StatusBadRequest)
		require.Contains(t, res.Body, `href="`+servertest.Redirect+`?error=access_denied`)
		require.Contains(t, res.Body, "state=s1")
		require.NotContains(t, h.SignedIn("mallory").Send("/consent?interaction="+handle, nil).Body, servertest.Redirect)
		german := b.Send("/consent?interaction="+handle, nil, "Accept-Language", "fr;q=0.9, de-AT;q=0.8, en;q=0.1")
		require.Contains(t, german.Body, `<html lang="de">`)
		require.Contains(t, german.Body, "zu lange gedauert")
	})
}

// A form that is posted again long after its answer has no answer.
func TestConsentPage_AnswerIsRepeatedForSecondsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := servertest.NewSite(t, nil)
		b := h.SignedIn("alice")
		for _, decision := range []string{"allow", "deny"} {
			form := servertest.With(b.Visit(servertest.AuthorizeURL("prompt", "consent"), nil).ConsentForm(t), "decision", decision)
			first := b.Send("/consent", form).Header.Get("Location")
			time.Sleep(15 * time.Second)
			require.Equal(t, first, b.Send("/consent", form).Header.Get("Location"))
			h.SignedIn("mallory").Send("/consent", form).IsPage(t, http.StatusForbidden)
			time.Sleep(time.Nanosecond)
			b.Send("/consent", form).IsPage(t, http.StatusBadRequest)
		}
	})
}

// A consent covers the scopes at the resources that the user was shown (RFC 8707
// section 2).
func TestConsent_CoversOnlyTheResourcesShown(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	h.AddClient("conf", func(c *storage.Client) { c.Audience = []string{"https://cal.example", "https://bank.example"} })
	b := h.SignedIn("alice")
	ask := func(scope, resource string) servertest.Reply {
		return b.Visit(servertest.AuthorizeURL("scope", scope, "resource", resource), nil)
	}
	page := ask("read", "https://cal.example")
	require.Contains(t, page.Body, "https://cal.example")
	b.Send("/consent", page.ConsentForm(t)).Params(t)
	require.NotEmpty(t, ask("read", "https://cal.example").Params(t).Get("code"))

	page = ask("read write", "https://bank.example")
	require.Contains(t, page.Body, "https://bank.example")
	b.Send("/consent", page.ConsentForm(t)).Params(t)
	require.True(t, ask("write", "https://cal.example").AsksConsent(), "never shown together")
	require.True(t, b.Visit(servertest.AuthorizeURL("scope", "read"), nil).AsksConsent(), "all resources")
}

// A login after the request began counts although the host keeps whole seconds, and
// one of before does not (OpenID Connect Core section 3.1.2.1).
func TestLogin_TimesInWholeSeconds(t *testing.T) {
	t.Parallel()
	for _, pair := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"max_age", "1"}} {
		synctest.Test(t, func(t *testing.T) {
			h := servertest.NewSite(t, func(_ *grantwell.Config, p *grantwell.Pages) {
				exact := p.User
				p.User = func(r *http.Request) (grantwell.Session, bool) {
					s, ok := exact(r)
					s.AuthTime = s.AuthTime.Truncate(time.Second)
					return s, ok
				}
			})
			b := h.SignedIn("alice")
			time.Sleep(2*time.Second + 300*time.Millisecond)
			res := b.Send(servertest.AuthorizeURL(pair...), nil)
			require.True(t, strings.HasPrefix(res.Header.Get("Location"), "/login?"), res.Header)
			handle := res.Interaction(t)
			require.Contains(t, b.Send("/consent?interaction="+handle, nil).Header.Get("Location"), "/login?", "no new login")
			require.True(t, b.LogIn(res, "alice").AsksConsent())
		})
	}
}

// prompt=select_account leads to the login page once, and the consent page has a link
// to it (OpenID Connect Core section 3.1.2.1).
func TestLogin_UserMayBeChanged(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	res := b.Send(servertest.AuthorizeURL("prompt", "select_account"), nil)
	require.Contains(t, res.Header.Get("Location"), "prompt=select_account")
	page := b.Send("/consent?interaction="+res.Interaction(t), nil)
	require.True(t, page.AsksConsent())
	require.Contains(t, page.Body, `href="/login?interaction=`)
}

// The host adds a language and the document around the pages.
func TestPages_MessagesAndLayout(t *testing.T) {
	t.Parallel()
	french := grantwell.Messages("en")
	french["An error occurred"] = "Une erreur"
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.Messages = map[string]map[string]string{"fr": french}
		c.PageLayout = func(language, title, nonce, content string) string {
			return language + "|" + title + "|" + nonce + "|" + content
		}
	})
	res := h.Browser().Send(servertest.AuthorizeURL("client_id", "nobody", "ui_locales", "xx fr-CA"), nil, "Accept-Language", "de")
	require.True(t, strings.HasPrefix(res.Body, "fr|"), res.Body)
	require.Contains(t, res.Body, "Une erreur")
}
