package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// signIn presses the button of the login page.
func (b *browser) signIn(tab context.Context) {
	b.t.Helper()
	b.do(tab, chromedp.WaitVisible("#in"), chromedp.Click("#in"))
}

// allow waits until Allow reacts, and presses it.
func (b *browser) allow(tab context.Context) {
	b.t.Helper()
	b.do(tab, chromedp.WaitVisible("#consent-allow"), chromedp.Sleep(time.Second), chromedp.Click("#consent-allow"))
}

// A browser holds each redirect that follows a form to the page's form-action: the
// login page and the consent page end where the client leads, on another origin (RFC
// 6749 section 4.1.2). The login form passes gorilla/csrf.
func TestPages_EndWhereTheClientLeads(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t)
	b.do(b.tab, chromedp.Navigate(s.start("state", "one")))
	b.signIn(b.tab)
	b.allow(b.tab)
	require.Contains(t, b.at(b.tab, s.home), "state=one")

	// With the consent remembered, the login form itself leads out.
	fresh := newBrowser(t)
	fresh.do(fresh.tab, chromedp.Navigate(s.start("state", "two")))
	fresh.signIn(fresh.tab)
	require.Contains(t, fresh.at(fresh.tab, s.home), "state=two")
	require.Len(t, s.received(), 2)
	require.Empty(t, append(b.refusals(), fresh.refusals()...))
}

// An application's own scheme may be where the client leads (RFC 8252 section 7.1).
func TestPages_PrivateSchemeIsNotBlocked(t *testing.T) {
	s := newSite(t)
	s.onto = "com.example.app:/done"
	b := newBrowser(t)
	b.do(b.tab, chromedp.Navigate(s.start()))
	b.signIn(b.tab)
	b.allow(b.tab)
	require.Eventually(t, func() bool { return len(s.received()) == 1 }, 20*time.Second, 50*time.Millisecond)
	time.Sleep(500 * time.Millisecond)
	require.Empty(t, b.refusals())
}

// Tabs that begin at once in a fresh browser all finish, each with its own state (RFC
// 6749 section 10.12).
func TestPages_TabsThatBeginAtOnceAllFinish(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t)
	tabs := []context.Context{b.tab, b.newTab(b.tab), b.newTab(b.tab)}
	var wg sync.WaitGroup
	for i, tab := range tabs {
		wg.Go(func() { b.do(tab, chromedp.Navigate(s.start("state", "tab"+strconv.Itoa(i), "prompt", "consent"))) })
	}
	wg.Wait()
	for i, tab := range tabs {
		b.do(tab, page.BringToFront())
		b.signIn(tab)
		b.allow(tab)
		require.Contains(t, b.at(tab, s.home), "state=tab"+strconv.Itoa(i))
	}
}

// A form that another site posts to the authorization endpoint sees the session, and
// disturbs no tab that waits (OpenID Connect Core section 3.1.2.1).
func TestPages_PostOfAnotherSite(t *testing.T) {
	for name, nonce := range map[string]string{"short": "n", "long": strings.Repeat("n", 7000)} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			b := newBrowser(t)
			b.do(b.tab, chromedp.Navigate(s.start("state", "waits", "prompt", "consent")))
			b.signIn(b.tab)
			b.do(b.tab, chromedp.WaitVisible("#consent-allow"))

			other := b.newTab(b.tab)
			script := `(() => { const f = document.createElement('form'); f.method = 'post'; f.action = '` + s.issuer + `/authorize';
for (const [k, v] of new URL('` + s.start("state", "posted", "nonce", nonce) + `').searchParams) { const i = document.createElement('input'); i.name = k; i.value = v; f.append(i) }
document.body.append(f); f.submit() })()`
			b.do(other, chromedp.Navigate(s.client+"/page"), chromedp.Evaluate(script, nil))
			b.allow(other)
			require.Contains(t, b.at(other, s.home), "state=posted", "the session was seen")
			b.allow(b.tab)
			require.Contains(t, b.at(b.tab, s.home), "state=waits")
		})
	}
}

// The Enter key on a checkbox of the consent page allows nothing, and Allow does not
// react at once.
func TestConsent_NothingIsAllowedByAccident(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t)
	b.do(b.tab, chromedp.Navigate(s.start()))
	b.signIn(b.tab)
	b.do(b.tab, chromedp.WaitVisible("#consent-allow"), chromedp.Focus(`input[name="scope"]`), chromedp.KeyEvent(kb.Enter), chromedp.Sleep(time.Second))
	require.Empty(t, s.received())

	var first string
	b.do(b.tab, chromedp.Reload(), chromedp.WaitReady("#consent-allow"),
		chromedp.Evaluate(`getComputedStyle(document.querySelector('#consent-allow')).pointerEvents`, &first))
	require.Equal(t, "none", first)
	b.allow(b.tab)
	b.at(b.tab, s.home)
}

// A login time in whole seconds satisfies prompt=login: the browser is not sent to the
// login page for ever (OpenID Connect Core section 3.1.2.1).
func TestLogin_WholeSecondsEndTheLogin(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t)
	for _, pair := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"prompt", "select_account"}} {
		b.do(b.tab, chromedp.Navigate(s.start(pair...)))
		b.signIn(b.tab)
		if len(s.received()) == 0 {
			b.allow(b.tab)
		}
		b.at(b.tab, s.home)
	}
	require.Len(t, s.received(), 3)
}

// The page of the form post response mode posts itself, and the user sees a page.
func TestFormPost_PostsItself(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t)
	b.do(b.tab, chromedp.Navigate(s.start("response_mode", "form_post", "state", "posted")))
	b.signIn(b.tab)
	b.allow(b.tab)
	require.Contains(t, b.at(b.tab, s.home), "state=posted")
	require.NotEmpty(t, s.received()[0])
	require.Empty(t, b.refusals())
}

// With GRANTWELL_SCREENSHOTS set, the pages are stored there at the width of a
// telephone and of a desktop.
func TestPages_Screenshots(t *testing.T) {
	dir := os.Getenv("GRANTWELL_SCREENSHOTS")
	if dir == "" {
		t.Skip("GRANTWELL_SCREENSHOTS is not set")
	}
	s := newSite(t)
	b := newBrowser(t)
	b.do(b.tab, chromedp.Navigate(s.start("ui_locales", "de")))
	b.signIn(b.tab)
	b.do(b.tab, chromedp.WaitVisible("#consent-allow"))
	var consent string
	b.do(b.tab, chromedp.Location(&consent))
	for name, url := range map[string]string{"consent": consent, "error": s.start("client_id", "nobody")} {
		for size, width := range map[string]int64{"phone": 360, "desktop": 1280} {
			var image []byte
			b.do(b.tab, chromedp.EmulateViewport(width, 720), chromedp.Navigate(url), chromedp.Sleep(time.Second), chromedp.CaptureScreenshot(&image))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name+"-"+size+".png"), image, 0o600))
		}
	}
}
