package grantwell_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// An error page of the host has no place for a link to the client, nor has a response mode
// that is no redirect: the browser goes back to the client at once.
func TestInteraction_OverGoesBackAtOnce(t *testing.T) {
	t.Parallel()
	own := func(w http.ResponseWriter, _ *http.Request, status int, code, _ string) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("own page: " + code))
	}
	for name, c := range map[string]struct {
		page func(http.ResponseWriter, *http.Request, int, string, string)
		mode string
	}{
		"page of the host": {own, "query"},
		"fragment":         {own, "fragment"},
		"form":             {nil, "form_post"},
		"link":             {nil, "fragment"},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { cfg.ErrorPage = c.page })
			b := h.Browser()
			handle := b.Send(servertest.AuthorizeURL("state", "s1", "response_mode", c.mode), nil).Interaction(t)
			time.Sleep(time.Hour)
			res := b.Send("/consent?interaction="+url.QueryEscape(handle), nil)
			switch {
			case c.page != nil:
				require.Equal(t, "access_denied", res.Params(t).Get("error"), name)
				require.Equal(t, "s1", res.Param("state"), name)
			case c.mode == "form_post":
				require.Equal(t, http.StatusOK, res.Status, name)
				require.Contains(t, res.Body, `name="error" value="access_denied"`, name)
			default:
				res.IsPage(t, http.StatusBadRequest)
				require.Contains(t, res.Body, `href="`+servertest.Redirect+`#error=access_denied`, name)
				require.Equal(t, http.StatusBadRequest, h.LastEvent().Status, name)
			}
		})
	}
}

// The page that shows a code speaks the language of the browser. What an application is
// denied is shown by the host's error page, if it has one.
//
// Holds: house: shown code.
func TestPages_CodePageOfTheHost(t *testing.T) {
	t.Parallel()
	const uri = servertest.Issuer + "/showcode"
	shown := func(page func(http.ResponseWriter, *http.Request, int, string, string)) (*servertest.Browser, string) {
		h := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) {
			cfg.Paths.DisplayCode = "/showcode"
			cfg.ErrorPage = page
		})
		h.AddClient("device", func(c *storage.Client) { c.RedirectURIs = []string{uri} })
		b := h.SignedIn("alice")
		return b, b.Allow("client_id", "device", "redirect_uri", uri).Header.Get("Location")
	}
	b, code := shown(nil)
	require.Contains(t, b.Send(code, nil, "Accept-Language", "de").Body, `<html lang="de">`)
	require.Contains(t, b.Send(code, nil, "Accept-Language", "fr").Body, `<html lang="en">`)
	require.Contains(t, b.Send("/showcode?error=access_denied", nil, "Accept-Language", "de").Body, `<html lang="de">`)
	require.Contains(t, b.Send("/showcode?code=%zz", nil).Body, "invalid_request")

	b, code = shown(func(w http.ResponseWriter, _ *http.Request, status int, code, _ string) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("own page: " + code))
	})
	require.Equal(t, http.StatusOK, b.Send(code, nil).Status)
	denied := b.Send("/showcode?error=access_denied", nil)
	require.Equal(t, http.StatusBadRequest, denied.Status)
	require.Equal(t, "own page: access_denied", denied.Body)
}

// A page that posts an answer speaks the language of the browser, at once and after the
// user decided.
func TestPages_AnswerByFormHasTheLanguage(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	consent := b.Visit(servertest.AuthorizeURL("response_mode", "form_post"), nil)
	german := []string{"Accept-Language", "de"}
	require.Contains(t, b.Send("/consent", consent.ConsentForm(t), german...).Body, `<html lang="de">`)
	require.Contains(t, b.Send(servertest.AuthorizeURL("response_mode", "form_post"), nil, german...).Body, `<html lang="de">`)
	consent = b.Send(b.Send(servertest.AuthorizeURL("prompt", "consent"), nil).Header.Get("Location"), nil, german...)
	require.Contains(t, consent.Body, `lang="de"`)
	require.Contains(t, consent.Body, "Dear alice")
}

// A link that was answered by a GET gets no answer again: a history of the browser, or a log,
// has it. Nothing of the answer is kept.
//
// Holds: house: used once.
func TestInteraction_LinkIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.Browser()
	handle := b.Send(servertest.AuthorizeURL("client_id", "trusted"), nil).Interaction(t)
	b.SignIn("alice")
	link := "/consent?interaction=" + url.QueryEscape(handle)
	require.NotEmpty(t, b.Send(link, nil).Param("code"))
	b.Send(link, nil).IsPage(t, http.StatusBadRequest)
	for _, rec := range h.Records(storage.Query{Kind: storage.Interaction}) {
		require.NotContains(t, string(rec.Data), `"answer"`)
	}
}

// Only an error that says when to come back has Retry-After on its page.
func TestErrorPage_RetryAfter(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	require.Empty(t, h.Browser().Send(servertest.AuthorizeURL("client_id", "nobody"), nil).Header.Get("Retry-After"))
}

// A page whose form is posted to this server sends its origin there, because the host's
// protection against forgery looks at it. Other pages send no referrer.
//
// Holds: RFC 6749 section 10.13.
func TestPages_ReferrerOfAForm(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	to := b.Send(servertest.AuthorizeURL(), nil)
	require.Equal(t, "no-referrer", to.Header.Get("Referrer-Policy"))
	require.Equal(t, "same-origin", b.Send(to.Header.Get("Location"), nil).Header.Get("Referrer-Policy"), "consent page")
	require.Equal(t, "no-referrer", b.Send("/consent", nil).Header.Get("Referrer-Policy"), "error page")

	h.Handle("/begin", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.AS.ParseAuthorize(w, r) }))
	h.Handle("/resume", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.AS.Resume(w, r) }))
	query := servertest.AuthorizeQuery().Encode()
	require.Equal(t, "same-origin", b.Send("/begin?"+query, nil).Header.Get("Referrer-Policy"))
	require.Equal(t, "no-referrer", b.Send("/begin", nil).Header.Get("Referrer-Policy"))
	link := "/resume?interaction=" + url.QueryEscape(to.Interaction(t))
	require.Equal(t, "same-origin", b.Send(link, nil).Header.Get("Referrer-Policy"))
	require.Equal(t, "no-referrer", b.Send("/resume", nil).Header.Get("Referrer-Policy"))
}
