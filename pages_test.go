package grantwell_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// Every page and every redirect to a browser forbids framing, caching and a
// Referer.
//
// Holds: RFC 6749 section 10.12; RFC 6749 section 10.13; RFC 9700 section 2.6;
// RFC 9700 section 4.11.2; RFC 9700 section 4.12.
func TestPages_HaveSafeHeaders(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.Paths.DisplayCode = "/showcode"
	})
	b := h.SignedIn("alice")
	page := b.Visit(servertest.AuthorizeURL(), nil)
	for name, res := range map[string]servertest.Reply{
		"to the login page":   h.Browser().Send(servertest.AuthorizeURL(), nil),
		"to the consent page": h.SignedIn("bob").Send(servertest.AuthorizeURL(), nil),
		"consent page":        page,
		"code":                b.Send("/consent", page.ConsentForm(t)),
		"code at once":        b.Send(servertest.AuthorizeURL(), nil),
		"error":               b.Send(servertest.AuthorizeURL("scope", "admin"), nil),
		"error page":          b.Send(servertest.AuthorizeURL("client_id", "nobody"), nil),
		"consent error":       b.Send("/consent", nil),
		"form":                b.Send(servertest.AuthorizeURL("response_mode", "form_post"), nil),
		"shown code":          b.Send("/showcode", nil),
	} {
		res.HasPageHeaders(t)
		require.NotContains(t, []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect},
			res.Status, name)
		if res.Header.Get("Location") != "" {
			require.Equal(t, http.StatusSeeOther, res.Status, name)
			require.Empty(t, res.Body, name)
		} else {
			require.Contains(t, res.Header.Get("Content-Security-Policy"), "default-src 'none'",
				name)
		}
		require.NotContains(t, res.Header.Get("Content-Security-Policy"), "unsafe", name)
	}
}

// An error page repeats nothing of the request.
//
// Holds: house: escaped text; house: literal text.
func TestPages_ErrorPageRepeatsNothing(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, name := range []string{"client_id", "redirect_uri", "scope", "state", "response_type",
		"error", "error_description", "error_hint", "error_uri", "interaction", "prompt", "nonce"} {
		for _, target := range []string{servertest.AuthorizeURL("client_id", "nobody",
			name, script), "/consent?" + url.Values{name: {script}}.Encode()} {
			res := h.Browser().Send(target, nil)
			res.IsPage(t, http.StatusBadRequest)
			require.NotContains(t, res.Body, "alert(1)")
			require.NotContains(t, res.Body, "{{")
		}
	}
}

// The host may replace the error page and its texts.
//
// Holds: house: escaped text; house: pages of the host.
func TestPages_HostsOwnErrorPageAndTexts(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.ErrorText = func(code, _ string) (string, string) {
			return "<b>Dommage</b> " + strings.Repeat("x", 500), "https://as.example/errors/" + code
		}
	})
	res := h.Browser().Send(servertest.AuthorizeURL("client_id", "nobody"), nil)
	res.IsPage(t, http.StatusBadRequest)
	require.Contains(t, res.Body, "&lt;b&gt;Dommage")
	require.NotContains(t, res.Body, strings.Repeat("x", 257))
	q := h.Browser().Send(servertest.AuthorizeURL("scope", "admin"), nil).Params(t)
	require.Len(t, q.Get("error_description"), 256)
	require.Equal(t, "https://as.example/errors/invalid_scope", q.Get("error_uri"))
	require.Equal(t, "invalid_scope", q.Get("error"))

	type seen struct {
		status            int
		code, description string
	}
	var got seen
	h = servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.ErrorPage = func(w http.ResponseWriter, _ *http.Request, status int, code, description string) {
			got = seen{status, code, description}
			w.WriteHeader(status)
			_, _ = w.Write([]byte("mine"))
		}
	})
	res = h.Browser().Send(servertest.AuthorizeURL("redirect_uri", "https://evil.example/"), nil)
	require.Equal(t, []any{http.StatusBadRequest, "mine"}, []any{res.Status, res.Body})
	require.Equal(t, []any{http.StatusBadRequest, "invalid_request"}, []any{got.status, got.code})
	require.NotEmpty(t, got.description)
	require.NotContains(t, got.description, "evil")
	res.HasPageHeaders(t)

	h = servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.ErrorPage = func(http.ResponseWriter, *http.Request, int, string, string) {
			panic("secret-dsn")
		}
		c.ErrorText = func(string, string) (string, string) { panic("secret-dsn") }
	})
	res = h.Browser().Send(servertest.AuthorizeURL("client_id", "nobody"), nil)
	res.IsPage(t, http.StatusInternalServerError)
	require.NotContains(t, res.Body, "secret-dsn")
	require.Equal(t, "invalid_scope",
		h.Browser().Send(servertest.AuthorizeURL("scope", "admin"), nil).Params(t).Get("error"))
}

// shownCode finds the code on the page.
var shownCode = regexp.MustCompile(`<code id="authorization-code">([^<]+)</code>`)

// The page that shows a code exists only if it is configured, and shows only a
// code that this server issued.
//
// Holds: house: escaped text; house: shown code.
func TestPages_CodePageShowsOnlyCodes(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	require.Equal(t, http.StatusNotFound, h.Browser().Send("/showcode?code=x", nil).Status)

	h = servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.Paths.DisplayCode = "/showcode"
	})
	const uri = servertest.Issuer + "/showcode"
	h.AddClient("device", func(c *storage.Client) { c.RedirectURIs = []string{uri} })
	b := h.SignedIn("alice")
	res := b.Allow("client_id", "device", "redirect_uri", uri)
	to := res.Header.Get("Location")
	page := b.Send(to, nil)
	require.Equal(t, http.StatusOK, page.Status)
	require.Equal(t, res.Params(t).Get("code"), shownCode.FindStringSubmatch(page.Body)[1])
	page.HasPageHeaders(t)
	require.Contains(t, page.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, 200, h.Redeem("device", res.Params(t).Get("code"), "redirect_uri", uri).Status)

	denied := b.Send(b.Send(servertest.AuthorizeURL("client_id", "device", "redirect_uri", uri,
		"scope", "admin"), nil).Header.Get("Location"), nil)
	denied.IsPage(t, http.StatusBadRequest)
	require.Contains(t, denied.Body, "invalid_scope")
	code := res.Params(t).Get("code")
	for _, q := range []string{"", "?code=" + code, "?code=" + code + "&iss=https://evil.example",
		"?iss=" + servertest.Issuer + "&code=call+0800-1234",
		"?iss=" + servertest.Issuer + "&code=" + url.QueryEscape(script),
		"?iss=" + servertest.Issuer + "&code=" + code[1:],
		"?error=" + url.QueryEscape("call 0800-1234"),
		"?error=access_denied&error_description=" + url.QueryEscape(script)} {
		res := b.Send("/showcode"+q, nil)
		res.IsPage(t, http.StatusBadRequest)
		require.NotContains(t, res.Body, "0800")
		require.NotContains(t, res.Body, "alert(1)")
		require.NotContains(t, res.Body, code[:20])
	}
}

// A server whose grants have no authorization request answers one with a page.
//
// Holds: RFC 6749 section 3.1.2.4.
func TestPages_NoGrantUsesTheAuthorizationEndpoint(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.Grants = c.Grants[2:]
	})
	h.SignedIn("alice").Send(servertest.AuthorizeURL(), nil).IsPage(t, http.StatusBadRequest)
}

// With RequireTLS a page over plain HTTP is an error page.
//
// Holds: RFC 6749 section 10.13.
func TestPages_RequireTLS(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) { c.RequireTLS = true })
	plain := "http://as.example" + servertest.AuthorizeURL("client_id", "trusted")
	h.SignedIn("alice").Send(plain, nil).IsPage(t, http.StatusBadRequest)
	h.SignedIn("alice").Send(plain, nil, "X-Forwarded-Proto", "https").IsPage(t,
		http.StatusBadRequest)
	require.NotEmpty(t, h.SignedIn("alice").Send(servertest.AuthorizeURL("client_id", "trusted"),
		nil).Params(t).Get("code"))
}

// A server whose issuer has a path sends browsers to pages below it.
//
// Holds: RFC 6749 section 4.1.1.
func TestPages_IssuerWithAPath(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.Issuer = servertest.Issuer + "/tenant"
	})
	res := h.Browser().Send(servertest.AuthorizeURL(), nil)
	require.True(t, strings.HasPrefix(res.Header.Get("Location"), "/tenant/login?interaction="),
		res.Header.Get("Location"))
	require.Equal(t, "/tenant/consent?interaction=a%26b", h.AS.ResumeURL("a&b"))
	require.Equal(t, servertest.Issuer+"/tenant",
		h.SignedIn("alice").Send(servertest.AuthorizeURL("client_id", "trusted"),
			nil).Params(t).Get("iss"))
}
