package browsertest

import (
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
	"github.com/gorilla/csrf"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
)

// chromium returns the program, and skips the test if there is none.
func chromium(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err == nil {
		return path
	}
	if os.Getenv("GRANTWELL_REQUIRE_ALL") != "" {
		t.Fatal("chromium is not installed")
	}
	t.Skip("chromium is not installed")

	return ""
}

// browser is a browser with an empty profile.
type browser struct {
	t *testing.T

	// tab is the first tab. A new one of the same profile is made by newTab.
	tab context.Context

	mu     sync.Mutex
	blamed []string // what the browser refused because of a policy
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	allocator, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(chromium(t)),
		chromedp.UserDataDir(profile(t)),
		chromedp.Flag("headless", true),
		chromedp.Flag("no-sandbox", true),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-first-run", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	)
	t.Cleanup(stop)
	b := &browser{t: t}
	b.tab = b.newTab(allocator)

	return b
}

// profile returns a directory for a browser. Processes of the browser may still write to
// it after the browser was stopped, so its removal is tried again.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "browsertest")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, 20*time.Second, 50*time.Millisecond)
	})

	return dir
}

// newTab opens a tab. Each step in it ends within a minute.
func (b *browser) newTab(parent context.Context) context.Context {
	tab, closeTab := chromedp.NewContext(parent)
	b.t.Cleanup(closeTab)
	chromedp.ListenTarget(tab, func(e any) {
		entry, ok := e.(*log.EventEntryAdded)
		if ok && strings.Contains(entry.Entry.Text, "Content Security Policy") {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.blamed = append(b.blamed, entry.Entry.Text)
		}
	})

	// The first run opens the tab. It is closed when the context of that run ends.
	require.NoError(b.t, chromedp.Run(tab))

	return tab
}

// do runs steps in a tab.
func (b *browser) do(tab context.Context, steps ...chromedp.Action) {
	b.t.Helper()
	limited, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	require.NoError(b.t, chromedp.Run(limited, steps...))
}

// at waits until the tab is at a URL that begins with prefix, and returns the URL.
func (b *browser) at(tab context.Context, prefix string) string {
	b.t.Helper()
	var at string
	require.Eventually(b.t, func() bool {
		b.do(tab, chromedp.Evaluate("location.href", &at))
		return strings.HasPrefix(at, prefix)
	}, 20*time.Second, 50*time.Millisecond, "it is at %s", &at)

	return at
}

// refusals returns what the browser refused because of a policy.
func (b *browser) refusals() []string {
	b.mu.Lock()
	defer b.mu.Unlock()

	return append([]string(nil), b.blamed...)
}

// site is a server with a login page, and a client's pages on other origins.
type site struct {
	*servertest.Server

	issuer string
	client string // the client's origin
	home   string // the origin to which its callback redirects

	mu    sync.Mutex
	codes []string
	onto  string // where the callback redirects
}

// newSite starts the site. The login page is protected by gorilla/csrf, as a host's is.
func newSite(t *testing.T) *site {
	t.Helper()
	chromium(t)
	s := &site{}
	mux := http.NewServeMux()
	listener := httptest.NewServer(mux)
	t.Cleanup(listener.Close)
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<title>home</title><h1>home</h1>"))
	}))
	t.Cleanup(home.Close)
	callback := httptest.NewServer(http.HandlerFunc(s.callback))
	t.Cleanup(callback.Close)

	s.issuer = listener.URL
	s.client = strings.Replace(callback.URL, "127.0.0.1", "localhost", 1)
	s.home = home.URL
	s.onto = home.URL + "/"
	s.Server = servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Issuer = listener.URL
		cfg.AllowHTTP = true
		cfg.Scopes.Known = []grantwell.Scope{{Name: "read", Description: "See your photos"}}
	})
	c := servertest.Clients()[0]
	c.ID = "web"
	c.RedirectURIs = []string{s.client + "/cb"}
	c.Origins = nil
	servertest.Register(t, s.Store, c)

	pages := grantwell.Pages{User: user}
	mux.Handle("/authorize", s.AS.AuthorizeHandler(pages))
	mux.Handle("/consent", s.AS.ConsentHandler(pages))
	protect := csrf.Protect([]byte(strings.Repeat("k", 32)), csrf.Secure(false), csrf.Path("/"))
	mux.Handle("/login", plain(protect(http.HandlerFunc(s.login))))
	mux.Handle("/", s.AS.Handler())

	return s
}

// plain says that the site is served over http, which gorilla/csrf has to be told.
func plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, csrf.PlaintextHTTPRequest(r))
	})
}

func user(r *http.Request) (grantwell.Session, bool) {
	c, err := r.Cookie("session")
	if err != nil {
		return grantwell.Session{}, false
	}
	at, err := time.Parse(time.RFC3339, c.Value)

	return grantwell.Session{Subject: "alice", Name: "Alice", AuthTime: at}, err == nil
}

// login is the host's login page. It keeps the time of a login in whole seconds.
func (s *site) login(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.AS.Resume(w, r); !ok {
		return
	}
	handle := r.Form.Get("interaction")
	if r.Method == http.MethodPost {
		http.SetCookie(w, &http.Cookie{
			Name:     "session",
			Value:    time.Now().UTC().Format(time.RFC3339),
			Path:     "/",
			HttpOnly: true,
			SameSite: http.SameSiteLaxMode,
		})
		http.Redirect(w, r, s.AS.ResumeURL(handle), http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(`<title>Sign in</title><form method="post" action="/login">` + string(csrf.TemplateField(r)) +
		`<input type="hidden" name="interaction" value="` + html.EscapeString(handle) + `"><button id="in">Sign in</button></form>`))
}

// callback is the client's redirect URI. It redirects once more.
func (s *site) callback(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path != "/cb" {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<title>other</title>"))
		return
	}
	s.codes = append(s.codes, r.FormValue("code"))
	http.Redirect(w, r, s.onto+"?state="+r.FormValue("state"), http.StatusFound)
}

// received returns the codes that the client got.
func (s *site) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return append([]string(nil), s.codes...)
}

// start returns the URL of an authorization request.
func (s *site) start(pairs ...string) string {
	pairs = append([]string{"client_id", "web", "redirect_uri", s.client + "/cb", "scope", "read"}, pairs...)

	return s.issuer + servertest.AuthorizeURL(pairs...)
}
