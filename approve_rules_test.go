package grantwell_test

import (
	"context"
	"errors"
	"net/http"
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
)

// A form whose answer was withdrawn, because the last hook failed, gets no code when it is
// posted again. If the withdrawal fails too, the client learns that the server is not
// available.
//
// Holds: house: store fails closed.
func TestApprove_WithdrawnAnswerIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"", "Revoke"} {
		var store *servertest.Hooked
		h := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) {
			store = servertest.HookRecords(cfg)
			cfg.Hooks.AfterAuthorize = func(context.Context, *grantwell.AuthorizeRequest, grantwell.Approval) error {
				return errStore
			}
		})
		b := h.SignedIn("alice")
		form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
		code := "server_error"
		if fails != "" {
			store.Fail(errors.New(servertest.StoreFault), fails)
			code = "temporarily_unavailable"
		}
		require.Equal(t, code, b.Send("/consent", form).Param("error"))
		store.Pass()
		again := b.Send("/consent", form)
		require.Empty(t, again.Param("code"), fails)
		again.IsPage(t, http.StatusBadRequest)
	}
}

// A record that has the key of the code already is no second answer to the request.
//
// Holds: house: store fails closed.
func TestApprove_KeyThatExistsIsAFault(t *testing.T) {
	t.Parallel()
	s, store := servertest.NewHooked(t, nil)
	store.Fail(storage.ErrExists, "Insert")
	res := s.Get(servertest.AuthorizeURL())
	require.Equal(t, "temporarily_unavailable", res.Param("error"), res.Body)
}

// The lifetime of a code begins when the user approves, and not when the request came.
//
// Holds: RFC 6749 section 4.1.2.
func TestApprove_CodeLivesFromTheApproval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, nil)
		req := parsed(t, d)
		time.Sleep(5 * time.Minute)
		now := time.Now()
		code := answerOf(func(w http.ResponseWriter, r *http.Request) { d.AS.Approve(w, r, req, d.Approval) }).Param("code")
		rec, err := d.Store.Get(t.Context(), storage.Code, storage.Key(code))
		require.NoError(t, err)
		require.True(t, rec.IssuedAt.Equal(now), "%v %v", rec.IssuedAt, now)
		require.True(t, d.LastEvent().Time.Equal(now))

		req = parsed(t, d)
		time.Sleep(5 * time.Minute)
		answerOf(func(w http.ResponseWriter, r *http.Request) { d.AS.Deny(w, r, req) })
		require.True(t, d.LastEvent().Time.Equal(time.Now()))
	})
}

// An error of the host's choice goes to the client with its code.
func TestDenyError_KeepsTheCode(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	req := parsed(t, d)
	res := answerOf(func(w http.ResponseWriter, r *http.Request) {
		d.AS.DenyError(w, r, req, &grants.Error{Code: "login_required", Description: "Sign in first."})
	})
	require.Equal(t, "login_required", res.Param("error"))
	require.Equal(t, "Sign in first.", res.Param("error_description"))
	require.Equal(t, servertest.State, res.Param("state"))
}

// A request that waits belongs to its client in the store.
func TestInteraction_RecordNamesTheClient(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	h.Browser().Send(servertest.AuthorizeURL(), nil).Interaction(t)
	require.Equal(t, "conf", waiting(h.Server).ClientID)
}

// A user who has other cookies of the server learns that the request was begun elsewhere.
// Cookies are not the cause then.
func TestInteraction_OfAnotherBrowserSaysSo(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	handle := h.Browser().Send(servertest.AuthorizeURL(), nil).Interaction(t)
	other := h.Browser()
	other.Send(servertest.AuthorizeURL(), nil).Interaction(t)
	res := other.Send("/consent?interaction="+url.QueryEscape(handle), nil)
	res.IsPage(t, http.StatusForbidden)
	require.Contains(t, res.Body, "begun elsewhere")
	require.NotContains(t, res.Body, "no cookie")
}

// A login counts as newer than the request from one second before the request on, because
// the clocks of two instances differ. The session of before does not count.
func TestLogin_ClockOfAnotherInstance(t *testing.T) {
	t.Parallel()
	const begin = 2*time.Second + 300*time.Millisecond // of the request
	for name, c := range map[string]struct {
		session, login time.Duration // when the user signed in; login 0: not again
		whole          bool          // the host keeps whole seconds
		newer          bool
	}{
		"session of before":            {session: begin - 100*time.Millisecond},
		"at once":                      {session: begin - 100*time.Millisecond, login: begin, newer: true},
		"clock behind":                 {login: begin - 500*time.Millisecond, newer: true},
		"clock one second behind":      {login: begin - time.Second, newer: true},
		"clock further behind":         {login: begin - time.Second - 1},
		"session before, clock behind": {session: begin - 100*time.Millisecond, login: begin - 200*time.Millisecond, newer: true},
		"whole second":                 {login: begin, whole: true, newer: true},
		"session of the same second":   {session: begin - 100*time.Millisecond, whole: true, newer: true},
		"session of the second before": {session: begin - time.Second, whole: true},
		"whole second, clock behind":   {login: begin - time.Second, whole: true, newer: true},
		"whole second, further behind": {login: begin - 2*time.Second, whole: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := servertest.NewSite(t, nil)
			b := h.Browser()
			start := time.Now()
			signIn := func(after time.Duration) {
				at := start.Add(after)
				if c.whole {
					at = at.Truncate(time.Second)
				}
				u := &url.URL{Scheme: "https", Host: "as.example", Path: "/"}
				b.Jar.SetCookies(u, []*http.Cookie{servertest.SessionCookie("alice", at)})
			}
			if c.session != 0 {
				signIn(c.session)
			}
			time.Sleep(begin)
			res := b.Send(servertest.AuthorizeURL("prompt", "login"), nil)
			require.True(t, strings.HasPrefix(res.Header.Get("Location"), "/login?"), name)
			require.Contains(t, res.Header.Get("Location"), "prompt=login", name)
			if c.login != 0 {
				signIn(c.login)
			}
			page := b.Send("/consent?interaction="+url.QueryEscape(res.Interaction(t)), nil)
			require.Equal(t, c.newer, page.AsksConsent(), name)
		})
	}
}

// max_age=0 asks for a login also at the moment of one, and a login page that is opened for
// no other reason gets no prompt (OpenID Connect Core section 3.1.2.1).
func TestLogin_MaxAgeZero(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := servertest.NewSite(t, nil)
		b := h.SignedIn("alice")
		to := b.Send(servertest.AuthorizeURL("max_age", "0"), nil).Header.Get("Location")
		require.True(t, strings.HasPrefix(to, "/login?"), to)
		require.NotContains(t, to, "prompt")
	})
}
