package grantwell_test

import (
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
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// Two tabs of one browser keep their own state, client and scopes, whichever
// is answered first.
//
// Holds: house: two tabs.
func TestInteraction_TabsAreIndependent(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.Browser()
	one := b.Visit(servertest.AuthorizeURL("state", "one", "scope", "read"), nil)
	two := b.Visit(servertest.AuthorizeURL("state", "two", "client_id", "other", "scope", "write"),
		nil)
	require.NotEqual(t, one.Interaction(t), two.Interaction(t))
	twoPage := b.LogIn(two, "alice")
	onePage := b.Visit(h.AS.ResumeURL(one.Interaction(t)), nil)
	require.Contains(t, onePage.Body, "See your photos")
	require.NotContains(t, onePage.Body, "Change your photos")

	// The form of one tab is not accepted for the other.
	mixed := servertest.With(onePage.ConsentForm(t), "interaction", two.Interaction(t))
	b.Send("/consent", mixed).IsPage(t, http.StatusForbidden)

	q := b.Send("/consent", twoPage.ConsentForm(t)).Params(t)
	require.Equal(t, "two", q.Get("state"))
	res := h.Redeem("other", q.Get("code"))
	require.Equal(t, "write", res.String("scope"), res.Body)
	q = b.Send("/consent", onePage.ConsentForm(t)).Params(t)
	require.Equal(t, "one", q.Get("state"))
	res = h.Redeem("conf", q.Get("code"))
	require.Equal(t, "read", res.String("scope"), res.Body)
}

// An interaction belongs to the browser that began it. Its handle is worth
// nothing in another one.
//
// Holds: house: consent only narrows; house: interaction of one browser.
func TestInteraction_BelongsToItsBrowser(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	victim, thief := h.Browser(), h.SignedIn("mallory")
	res := victim.Visit(servertest.AuthorizeURL(), nil)
	page := victim.LogIn(res, "alice")
	handle := res.Interaction(t)

	thief.Send("/consent?interaction="+handle, nil).IsPage(t, http.StatusForbidden)
	thief.Visit(servertest.AuthorizeURL(), nil) // gives the thief a cookie of its own
	thief.Send("/consent?interaction="+handle, nil).IsPage(t, http.StatusForbidden)
	thief.Send("/consent", page.ConsentForm(t)).IsPage(t, http.StatusForbidden)
	require.Zero(t, h.CountOf(storage.Code))

	// The thief's own handle does not work in the victim's browser either.
	own := thief.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
	victim.Send("/consent?interaction="+own.Get("interaction"), nil).IsPage(t, http.StatusForbidden)
	victim.Send("/consent", own).IsPage(t, http.StatusForbidden)
	for _, handle := range []string{"", "x", strings.Repeat("A", 44), strings.Repeat("A", 4096),
		"%00", "../../x"} {
		victim.Send("/consent?interaction="+url.QueryEscape(handle), nil).IsPage(t,
			http.StatusBadRequest)
	}
	require.Zero(t, h.CountOf(storage.Code))
}

// A page that was made for one user is not answered by another user who signed
// in since in the same browser.
//
// Holds: RFC 6749 section 10.12; house: proof of one user.
func TestInteraction_AnotherUserInTheSameBrowser(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
	b.SignIn("bob")
	b.Send("/consent", form).IsPage(t, http.StatusForbidden)
	require.Zero(t, h.CountOf(storage.Code))
	// Bob gets a page of his own for the request, and it works.
	q := b.Send("/consent", b.Send("/consent?interaction="+form.Get("interaction"),
		nil).ConsentForm(t)).Params(t)
	require.NotEmpty(t, q.Get("code"))
	scopes, err := h.AS.ConsentedScopes(t.Context(), "conf", "alice")
	require.NoError(t, err)
	require.Empty(t, scopes)
}

// Signing out between the page and its post leads back to the login page, and
// the request is not lost.
//
// Holds: RFC 6749 section 4.1.1.
func TestInteraction_SurvivesASignOut(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
	u, _ := url.Parse(servertest.Issuer)
	b.Jar.SetCookies(u, []*http.Cookie{{Name: "session", Path: "/", MaxAge: -1}})
	res := b.Send("/consent", form)
	require.Zero(t, h.CountOf(storage.Code))
	q := b.Send("/consent", b.LogIn(res, "alice").ConsentForm(t)).Params(t)
	require.Equal(t, "st", q.Get("state"))
	require.NotEmpty(t, q.Get("code"))
}

// An interaction expires after its lifetime, counted from the request, while
// its record still exists.
//
// Holds: RFC 6749 section 4.1.1.
func TestInteraction_Expires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
			c.InteractionLifetime = 5 * time.Minute
		})
		b := h.SignedIn("alice")
		form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
		time.Sleep(5*time.Minute - time.Second)
		again := b.Send("/consent?interaction="+form.Get("interaction"),
			nil).ConsentForm(t) // showing the page again does not prolong the interaction
		time.Sleep(time.Second)
		b.Send("/consent", again).IsPage(t, http.StatusBadRequest)
		b.Send("/consent?interaction="+form.Get("interaction"), nil).IsPage(t,
			http.StatusBadRequest)
		require.Zero(t, h.CountOf(storage.Code))
	})
}

// By default scripts cannot read the cookie, another subdomain cannot set it,
// and it is not sent over plain HTTP or with another site's form.
//
// Holds: house: cookies.
func TestInteraction_CookieIsProtected(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	raw := h.Browser().Send(servertest.AuthorizeURL(), nil).Header.Values("Set-Cookie")
	require.Len(t, raw, 1)
	require.Regexp(t,
		`^__Host-grantwell-[A-Za-z0-9_-]{8}=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$`, raw[0])

	h = servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.Cookie = grantwell.CookieConfig{
			Name:   "txn",
			Domain: "as.example",
			Path:   "/consent",
			MaxAge: time.Hour,
		}
	})
	raw = h.Browser().Send(servertest.AuthorizeURL(), nil).Header.Values("Set-Cookie")
	require.Len(t, raw, 1)
	require.Regexp(t,
		`^txn-[A-Za-z0-9_-]{8}=[A-Za-z0-9_-]{43}; Path=/consent; Domain=as.example; Max-Age=3600; HttpOnly; Secure; SameSite=Lax$`,
		raw[0])

	h = servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.Issuer = "http://localhost"
		c.AllowHTTP = true
	})
	raw = h.Browser().Send(servertest.AuthorizeURL(), nil).Header.Values("Set-Cookie")
	require.Regexp(t, `^grantwell-[A-Za-z0-9_-]{8}=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Lax$`, raw[0])

	for name, bad := range map[string]grantwell.CookieConfig{
		"domain": {Name: "__Host-x", Domain: "as.example"},
		"path":   {Name: "__Host-x", Path: "/a"},
	} {
		_, err := grantwell.New(grantwell.Config{
			Issuer:  servertest.Issuer,
			Clients: memstore.New(),
			Grants:  []grants.Handler{grants.AuthorizationCode{}},
			Cookie:  bad,
		})
		require.ErrorContains(t, err, "Cookie", name)
	}
}

// A browser that has the cookie keeps it, so that its other tabs go on. A
// foreign cookie of the same name does not hide it.
//
// Holds: house: cookies; house: two tabs.
func TestInteraction_CookieIsKept(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.Browser()
	require.NotEmpty(t, b.Send(servertest.AuthorizeURL(), nil).Header.Values("Set-Cookie"))
	require.Empty(t, b.Send(servertest.AuthorizeURL(), nil).Header.Values("Set-Cookie"))

	u, _ := url.Parse(servertest.Issuer)
	mine := b.Jar.Cookies(u)[0]
	handle := b.Send(servertest.AuthorizeURL(), nil).Interaction(t)
	b.SignIn("alice")
	sess := b.Jar.Cookies(u)
	r := httptest.NewRequest(http.MethodGet, servertest.Issuer+"/consent?interaction="+handle, nil)
	r.AddCookie(&http.Cookie{Name: mine.Name, Value: "left-by-another-site"})
	for _, c := range sess {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
}
