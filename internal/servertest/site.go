package servertest

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/storage"
)

// Site is a service that uses the ready-made consent pages, with the smallest
// login page there is. Its handler serves /authorize, /consent and /login, and
// the endpoints of the server.
type Site struct {
	*Server
}

// NewSite builds a site that has the clients of [Clients] and [PageClients].
// change edits the configuration of the server and of the pages; it may be nil.
func NewSite(t testing.TB, change func(*grantwell.Config, *grantwell.Pages)) *Site {
	t.Helper()
	ui := grantwell.Pages{User: sessionUser}
	s := &Site{}
	s.Server = New(t, func(cfg *grantwell.Config) {
		cfg.Scopes.Known = []grantwell.Scope{
			{Name: "read", Description: "See your photos"},
			{Name: "write", Description: "Change your photos"},
		}
		if change != nil {
			change(cfg, &ui)
		}
	})
	Register(t, s.Store, PageClients()...)

	mux := http.NewServeMux()
	s.mux = mux
	mux.Handle("/", s.AS.Handler())
	mux.Handle("/authorize", s.AS.AuthorizeHandler(ui))
	mux.Handle("/consent", s.AS.ConsentHandler(ui))
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("login page"))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, SessionCookie(r.FormValue("user"), time.Now()))
		http.Redirect(w, r, s.AS.ResumeURL(r.FormValue("interaction")), http.StatusSeeOther)
	})
	s.Handler = mux
	return s
}

// SessionCookie returns the session of a user who logged in at that time. The
// subject is the user's name.
func SessionCookie(user string, at time.Time) *http.Cookie {
	return &http.Cookie{
		Name:     "session",
		Value:    user + "." + strconv.FormatInt(at.UnixNano(), 10),
		Path:     "/",
		Secure:   true,
		HttpOnly: true,
	}
}

// sessionUser reads what SessionCookie wrote.
func sessionUser(r *http.Request) (grantwell.Session, bool) {
	c, err := r.Cookie("session")
	if err != nil {
		return grantwell.Session{}, false
	}
	user, at, _ := strings.Cut(c.Value, ".")
	n, _ := strconv.ParseInt(at, 10, 64)
	return grantwell.Session{
		Subject:  user,
		Name:     "Dear " + user,
		AuthTime: time.Unix(0, n),
		Claims:   map[string]any{"dept": "sales"},
	}, true
}

// PageClients returns the clients of a [Site] beyond [Clients]. Each is like
// "conf" but for one thing:
//
//   - native is public, with a private scheme and loopback redirect URIs;
//   - trusted is not asked for consent;
//   - query has a redirect URI with a query;
//   - several has two redirect URIs;
//   - codeonly has no registered response types;
//   - hybrid has the response type "code token".
func PageClients() []storage.Client {
	clone := func(id string, change func(*storage.Client)) storage.Client {
		c := Clients()[0]
		c.ID = id
		c.Name = ""
		c.Origins = nil
		change(&c)
		return c
	}
	return []storage.Client{
		clone("native", func(c *storage.Client) {
			c.AuthMethod = storage.AuthNone
			c.Secrets = nil
			c.GrantTypes = []string{"authorization_code", "implicit", "refresh_token"}
			c.RedirectURIs = []string{"com.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]/cb"}
		}),
		clone("trusted", func(c *storage.Client) {
			c.SkipConsent = true
		}),
		clone("query", func(c *storage.Client) {
			c.RedirectURIs = []string{"https://app.example/cb?tenant=1&x=%2F"}
		}),
		clone("several", func(c *storage.Client) {
			c.RedirectURIs = []string{Redirect, "https://app.example/other"}
		}),
		clone("codeonly", func(c *storage.Client) {
			c.ResponseTypes = nil
		}),
		clone("hybrid", func(c *storage.Client) {
			c.ResponseTypes = []string{"code", "code token"}
		}),
	}
}

// Browser is a user's browser at a [Site]. It keeps cookies.
type Browser struct {
	Site *Site

	// Jar holds the cookies.
	Jar http.CookieJar
}

// Browser returns a new browser without a session.
func (s *Site) Browser() *Browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	return &Browser{
		Site: s,
		Jar:  jar,
	}
}

// SignedIn returns a new browser in which the user has just logged in.
func (s *Site) SignedIn(user string) *Browser {
	s.t.Helper()
	b := s.Browser()
	b.SignIn(user)
	return b
}

// SignIn logs a user in, in place of the one who was.
func (b *Browser) SignIn(user string) {
	b.Jar.SetCookies(issuerURL(), []*http.Cookie{SessionCookie(user, time.Now())})
}

func issuerURL() *url.URL { return &url.URL{Scheme: "https", Host: "as.example", Path: "/"} }

// Send makes one request and follows no redirect. It is a POST if form is not
// nil, and a GET otherwise. headers are names and values in turn.
func (b *Browser) Send(target string, form url.Values, headers ...string) Reply {
	if form == nil {
		return b.Do(http.MethodGet, target, "", headers...)
	}
	return b.Do(http.MethodPost, target, form.Encode(), headers...)
}

// Do makes one request with any method and body.
func (b *Browser) Do(method, path, body string, headers ...string) Reply {
	ctx := b.Site.t.Context()
	req := httptest.NewRequestWithContext(ctx, method, target(path), strings.NewReader(body))
	if body != "" || method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range b.Jar.Cookies(req.URL) {
		req.AddCookie(c)
	}

	res := b.Site.Do(req)
	b.Jar.SetCookies(req.URL, (&http.Response{Header: res.Header}).Cookies())
	return res
}

// Visit makes a request and follows redirects as long as they stay on this
// site. It stops at the login page.
func (b *Browser) Visit(target string, form url.Values, headers ...string) Reply {
	b.Site.t.Helper()
	res := b.Send(target, form, headers...)
	for range 10 {
		to := res.Header.Get("Location")
		if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "/login") {
			return res
		}
		res = b.Send(to, nil)
	}
	b.Site.t.Fatal("servertest: too many redirects")
	return res
}

// LogIn types a user's name into the login page that a reply leads to.
func (b *Browser) LogIn(res Reply, user string) Reply {
	t := b.Site.t
	t.Helper()
	to := res.Header.Get("Location")
	require.True(t, strings.HasPrefix(to, "/login?interaction="),
		"%d %s %s", res.Status, res.Header, res.Body)
	return b.Visit("/login", url.Values{
		"user":        {user},
		"interaction": {res.Interaction(t)},
	})
}

// Allow takes an authorization request with the parameters of [AuthorizeQuery]
// to its answer, and presses Allow if the consent page is shown.
func (b *Browser) Allow(pairs ...string) Reply {
	b.Site.t.Helper()
	res := b.Visit(AuthorizeURL(pairs...), nil)
	if res.AsksConsent() {
		res = b.Send("/consent", res.ConsentForm(b.Site.t))
	}
	return res
}
