package grantwell_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/storage"
)

// Every page and every redirect that a browser sees forbids framing, keeping and telling where it came from.
// Holds S45, R38, R39, R40, R41.
func TestPages_Headers(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Paths.ShowCode = "/showcode" })
	b := h.as("alice")
	page := b.visit(authorize(), nil)
	for name, res := range map[string]reply{
		"to the login page":   h.browser().send(authorize(), nil),
		"to the consent page": h.as("bob").send(authorize(), nil),
		"consent page":        page,
		"code":                b.send("/consent", page.form(t)),
		"code at once":        b.send(authorize(), nil),
		"error":               b.send(authorize("scope", "admin"), nil),
		"error page":          b.send(authorize("client_id", "nobody"), nil),
		"consent error":       b.send("/consent", nil),
		"form":                b.send(authorize("response_mode", "form_post"), nil),
		"shown code":          b.send("/showcode", nil),
	} {
		safe(t, res)
		require.NotContains(t, []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect}, res.status, name)
		if res.header.Get("Location") != "" {
			require.Equal(t, http.StatusSeeOther, res.status, name)
			require.Empty(t, res.body, name)
		} else {
			require.Contains(t, res.header.Get("Content-Security-Policy"), "default-src 'none'", name)
		}
		require.NotContains(t, res.header.Get("Content-Security-Policy"), "unsafe", name)
	}
}

// Nothing of a request is repeated on an error page, however it is put.
// Holds R19, V58, V59, V60, V63, V76.
func TestPages_ErrorPageRepeatsNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	for _, name := range []string{"client_id", "redirect_uri", "scope", "state", "response_type", "error", "error_description", "error_hint", "error_uri", "interaction", "prompt", "nonce"} {
		for _, target := range []string{authorize("client_id", "nobody", name, script), "/consent?" + url.Values{name: {script}}.Encode()} {
			res := h.browser().send(target, nil)
			res.isPage(t, http.StatusBadRequest)
			require.NotContains(t, res.body, "alert(1)")
			require.NotContains(t, res.body, "{{")
		}
	}
}

// Holds R19, S153, V76.
func TestPages_HostsOwnErrorPageAndTexts(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) {
		c.ErrorText = func(code, _ string) (string, string) {
			return "<b>Dommage</b> " + strings.Repeat("x", 500), "https://as.example/errors/" + code
		}
	})
	res := h.browser().send(authorize("client_id", "nobody"), nil)
	res.isPage(t, http.StatusBadRequest)
	require.Contains(t, res.body, "&lt;b&gt;Dommage")
	require.NotContains(t, res.body, strings.Repeat("x", 257))
	q := h.browser().send(authorize("scope", "admin"), nil).params(t)
	require.Len(t, q.Get("error_description"), 256)
	require.Equal(t, "https://as.example/errors/invalid_scope", q.Get("error_uri"))
	require.Equal(t, "invalid_scope", q.Get("error"))

	type seen struct {
		status            int
		code, description string
	}
	var got seen
	h = newHost(t, func(c *grantwell.Config, _ *grantwell.UI) {
		c.ErrorPage = func(w http.ResponseWriter, _ *http.Request, status int, code, description string) {
			got = seen{status, code, description}
			w.WriteHeader(status)
			_, _ = w.Write([]byte("mine"))
		}
	})
	res = h.browser().send(authorize("redirect_uri", "https://evil.example/"), nil)
	require.Equal(t, []any{http.StatusBadRequest, "mine"}, []any{res.status, res.body})
	require.Equal(t, []any{http.StatusBadRequest, "invalid_request"}, []any{got.status, got.code})
	require.NotEmpty(t, got.description)
	require.NotContains(t, got.description, "evil")
	safe(t, res)

	h = newHost(t, func(c *grantwell.Config, _ *grantwell.UI) {
		c.ErrorPage = func(http.ResponseWriter, *http.Request, int, string, string) { panic("secret-dsn") }
		c.ErrorText = func(string, string) (string, string) { panic("secret-dsn") }
	})
	res = h.browser().send(authorize("client_id", "nobody"), nil)
	res.isPage(t, http.StatusInternalServerError)
	require.NotContains(t, res.body, "secret-dsn")
	require.Equal(t, "invalid_scope", h.browser().send(authorize("scope", "admin"), nil).params(t).Get("error"))
}

var shownCode = regexp.MustCompile(`<code id="authorization-code">([^<]+)</code>`)

// The page that shows a code is there when it is asked for, shows what is one of our codes, and nothing else.
// Holds S44, R19, V60.
func TestPages_ShowCode(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	require.Equal(t, http.StatusNotFound, h.browser().send("/showcode?code=x", nil).status)

	h = newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Paths.ShowCode = "/showcode" })
	const uri = origin + "/showcode"
	put(t, h, "device", func(c *storage.Client) { c.RedirectURIs = []string{uri} })
	b := h.as("alice")
	res := b.allow("client_id", "device", "redirect_uri", uri)
	to := res.header.Get("Location")
	page := b.send(to, nil)
	require.Equal(t, http.StatusOK, page.status)
	require.Equal(t, res.params(t).Get("code"), shownCode.FindStringSubmatch(page.body)[1])
	safe(t, page)
	require.Contains(t, page.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, 200, h.token("device", "code", res.params(t).Get("code"), "redirect_uri", uri).status)

	denied := b.send(b.send(authorize("client_id", "device", "redirect_uri", uri, "scope", "admin"), nil).header.Get("Location"), nil)
	denied.isPage(t, http.StatusBadRequest)
	require.Contains(t, denied.body, "invalid_scope")
	code := res.params(t).Get("code")
	for _, q := range []string{"", "?code=" + code, "?code=" + code + "&iss=https://evil.example", "?iss=" + origin + "&code=call+0800-1234", "?iss=" + origin + "&code=" + url.QueryEscape(script),
		"?iss=" + origin + "&code=" + code[1:], "?error=" + url.QueryEscape("call 0800-1234"), "?error=access_denied&error_description=" + url.QueryEscape(script)} {
		res := b.send("/showcode"+q, nil)
		res.isPage(t, http.StatusBadRequest)
		require.NotContains(t, res.body, "0800")
		require.NotContains(t, res.body, "alert(1)")
		require.NotContains(t, res.body, code[:20])
	}
}

// A server whose grants have no such request says so on a page.
// Holds R23.
func TestPages_NoFrontChannel(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Grants = c.Grants[2:] })
	h.as("alice").send(authorize(), nil).isPage(t, http.StatusBadRequest)
}

// Where TLS is required, a page over plain HTTP is an error page.
// Holds R39.
func TestPages_RequireTLS(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.RequireTLS = true })
	plain := "http://as.example" + authorize("client_id", "trusted")
	h.as("alice").send(plain, nil).isPage(t, http.StatusBadRequest)
	h.as("alice").send(plain, nil, "X-Forwarded-Proto", "https").isPage(t, http.StatusBadRequest)
	require.NotEmpty(t, h.as("alice").send(authorize("client_id", "trusted"), nil).params(t).Get("code"))
}

// A server below a path sends browsers to its own pages.
// Holds S25.
func TestPages_IssuerWithAPath(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Issuer = origin + "/tenant" })
	res := h.browser().send(authorize(), nil)
	require.True(t, strings.HasPrefix(res.header.Get("Location"), "/tenant/login?interaction="), res.header.Get("Location"))
	require.Equal(t, "/tenant/consent?interaction=a%26b", h.srv.ResumeURL("a&b"))
	require.Equal(t, origin+"/tenant", h.as("alice").send(authorize("client_id", "trusted"), nil).params(t).Get("iss"))
}
