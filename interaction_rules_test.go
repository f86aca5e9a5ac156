package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// parsed returns a valid authorization request of a server.
func parsed(t *testing.T, s *servertest.Server, pairs ...string) *grantwell.AuthorizeRequest {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, servertest.Issuer+servertest.AuthorizeURL(pairs...), nil)
	req, ok := s.AS.ParseAuthorize(w, r)
	require.True(t, ok, w.Body)
	return req
}

// answerOf returns what a function wrote for a browser.
func answerOf(f func(w http.ResponseWriter, r *http.Request)) servertest.Reply {
	r := httptest.NewRequest(http.MethodGet, servertest.Issuer+"/authorize", nil)
	return servertest.Serve(http.HandlerFunc(f), r)
}

// A request that is suspended twice waits once, under one handle.
//
// Holds: house: host knows the user.
func TestSuspend_TwiceIsOneInteraction(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	req := parsed(t, d)
	answerOf(func(w http.ResponseWriter, r *http.Request) {
		first, err := d.AS.Suspend(w, r, req)
		require.NoError(t, err)
		second, err := d.AS.Suspend(w, r, req)
		require.NoError(t, err)
		require.Equal(t, first, second)
		require.NotEmpty(t, first)
	})
	require.Equal(t, 1, d.CountOf(storage.Interaction))
	require.Equal(t, 1, d.ActiveOf(storage.Interaction))

	// The approval ends it.
	require.NotEmpty(t, answerOf(func(w http.ResponseWriter, r *http.Request) {
		d.AS.Approve(w, r, req, d.Approval)
	}).Param("code"))
	require.Zero(t, d.ActiveOf(storage.Interaction))
}

// A form that the host parsed is not read again: its body is gone.
//
// Holds: house: pages of the host.
func TestResume_TakesAFormThatTheHostParsed(t *testing.T) {
	t.Parallel()
	for name, parse := range map[string]func(r *http.Request) error{
		"not":    func(*http.Request) error { return nil },
		"parsed": func(r *http.Request) error { return r.ParseForm() },
	} {
		h := servertest.NewSite(t, nil)
		b := h.SignedIn("alice")
		form := b.Visit(servertest.AuthorizeURL("scope", "read"), nil).ConsentForm(t)
		h.Handle("/own", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !assertNoError(t, parse(r)) {
				return
			}
			if req, ok := h.AS.Resume(w, r); ok {
				h.AS.Approve(w, r, req, grantwell.Approval{Subject: "alice", Scope: r.Form["scope"]})
			}
		}))
		res := b.Send("/own", form)
		require.Equal(t, "read", h.Redeem("conf", res.Param("code")).String("scope"), name)
	}
}

func assertNoError(t *testing.T, err error) bool {
	if err != nil {
		t.Error(err)
	}
	return err == nil
}

// A form that is too large, malformed or no form at all is an error page, and answers
// nothing.
//
// Holds: house: bounded body; house: bounded parameters.
func TestResume_RefusesWhatIsNoForm(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t).Encode()
	const limit = 64 << 10
	for name, tt := range map[string]struct {
		body, kind string
		status     int
	}{
		"JSON":      {`{}`, "application/json", 400},
		"no type":   {form, "x", 400},
		"malformed": {form + "&a=%zz", "application/x-www-form-urlencoded", 400},
		"repeated":  {form + "&decision=deny", "application/x-www-form-urlencoded", 400},
		"too large": {form + "&a=" + strings.Repeat("x", limit-len(form)-2), "application/x-www-form-urlencoded", 413},
	} {
		res := b.Do(http.MethodPost, "/consent", tt.body, "Content-Type", tt.kind)
		require.Equal(t, tt.status, res.Status, "%s %s", name, res.Body)
		require.Empty(t, res.Header.Get("Location"), name)
	}
	b.Send("/consent?"+form+"&a="+strings.Repeat("x", limit), nil).IsPage(t, 413)
	require.Zero(t, h.CountOf(storage.Code))
	full := form + "&a=" + strings.Repeat("x", limit-len(form)-3)
	require.Len(t, full, limit)
	require.NotEmpty(t, b.Do(http.MethodPost, "/consent", full).Param("code"), "exactly the limit")
}

// The query of an authorization request may be as long as a body.
//
// Holds: house: bounded body.
func TestAuthorize_QueryIsBounded(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, func(cfg *grantwell.Config) { cfg.MaxBody = 1 << 10 })
	query := servertest.AuthorizeQuery().Encode() + "&x="
	fill := func(n int) string { return "/authorize?" + query + strings.Repeat("x", n-len(query)) }
	require.NotEmpty(t, d.Get(fill(1<<10)).Param("code"))
	d.Get(fill(1<<10+1)).IsPage(t, 413)
}

// A request is answered once. The second answer is an error page without a redirect,
// whichever of both answers it would be.
//
// Holds: house: used once; house: one winner.
func TestAuthorize_IsAnsweredOnce(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	for _, first := range []string{"approve", "deny"} {
		for _, second := range []string{"approve", "deny"} {
			req := parsed(t, d)
			answer := func(how string) servertest.Reply {
				return answerOf(func(w http.ResponseWriter, r *http.Request) {
					if how == "deny" {
						d.AS.Deny(w, r, req)
					} else {
						d.AS.Approve(w, r, req, d.Approval)
					}
				})
			}
			codes := d.CountOf(storage.Code)
			require.Equal(t, http.StatusSeeOther, answer(first).Status)
			answer(second).IsPage(t, http.StatusBadRequest)
			if first == "approve" {
				codes++
			}
			require.Equal(t, codes, d.CountOf(storage.Code))
		}
	}
}

// waiting returns the record of the one request that waits for its user.
func waiting(s *servertest.Server) storage.Record {
	for _, rec := range s.Records(storage.Query{Kind: storage.Interaction}) {
		if rec.State == storage.Active {
			return rec
		}
	}
	return storage.Record{}
}

// A client that was deleted or disabled while the user decided gets no answer: the user
// sees a page.
//
// Holds: house: disabled meanwhile.
func TestApprove_ClientIsGoneMeanwhile(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(d *servertest.Server){
		"deleted":  func(d *servertest.Server) { d.DeleteClient("conf") },
		"disabled": func(d *servertest.Server) { d.ChangeClient("conf", func(c *storage.Client) { c.Disabled = true }) },
	} {
		d := servertest.New(t, nil)
		req := parsed(t, d)
		end(d)
		res := answerOf(func(w http.ResponseWriter, r *http.Request) { d.AS.Approve(w, r, req, d.Approval) })
		res.IsPage(t, http.StatusBadRequest)
		require.Contains(t, res.Body, "no longer registered", name)
		require.Zero(t, d.CountOf(storage.Code), name)
	}
}

// A request that waited and was answered or removed elsewhere meanwhile is a page that
// says so, and no failure of the store.
//
// Holds: house: used once.
func TestApprove_WaitingRequestIsOver(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, end := range []string{"spent", "swept"} {
		b := h.SignedIn("alice")
		handle := b.Send(servertest.AuthorizeURL("client_id", "other"), nil).Interaction(t)
		h.Handle("/own/"+end, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, ok := h.AS.Resume(w, r)
			if !ok {
				return
			}
			rec := waiting(h.Server)
			if rec.State = storage.Spent; end == "swept" {
				rec.ExpiresAt = time.Now().Add(-time.Hour)
			}
			if assertNoError(t, h.Store.Advance(t.Context(), storage.Active, rec)) && end == "swept" {
				h.Sweep()
			}
			h.AS.Approve(w, r, req, grantwell.Approval{Subject: "alice"})
		}))
		res := b.Send("/own/"+end+"?interaction="+url.QueryEscape(handle), nil)
		res.IsPage(t, http.StatusBadRequest)
		require.Contains(t, res.Body, "answered already", end)
		require.Zero(t, h.CountOf(storage.Code), end)
	}
}

// Of two forms that are posted at once, the one that comes too late gets 503 if the
// store cannot say what the answer was. When it is posted again, it gets the answer.
//
// Holds: house: store fails closed; house: one winner.
func TestConsentPage_OutageAtADoubleClick(t *testing.T) {
	t.Parallel()
	var store *servertest.Hooked
	h := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { store = servertest.HookRecords(cfg) })
	b := h.SignedIn("alice")
	form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)

	var first servertest.Reply
	late := false
	store.Before(func(_ context.Context, call servertest.Call) error {
		switch {
		case call.Kind != storage.Interaction:
		case late && call.Name == "Get":
			return errors.New(servertest.StoreFault)
		case call.Name == "Advance" && !late:
			late = true
			store.Around(func() { first = b.Send("/consent", form) })
		}
		return nil
	})
	res := b.Send("/consent", form)
	store.Pass()
	require.NotEmpty(t, first.Param("code"))
	res.IsPage(t, http.StatusServiceUnavailable)
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	require.Equal(t, "failed", h.LastEvent().Outcome)

	require.Equal(t, first.Param("code"), b.Send("/consent", form).Param("code"))
	require.Equal(t, 1, h.CountOf(storage.Code))
}

// A request that is removed while its form is posted is a page that says so.
//
// Holds: house: used once.
func TestConsentPage_RequestIsSweptMeanwhile(t *testing.T) {
	t.Parallel()
	var store *servertest.Hooked
	h := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { store = servertest.HookRecords(cfg) })
	b := h.SignedIn("alice")
	form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
	gone := false
	store.Before(func(_ context.Context, call servertest.Call) error {
		if call.Kind == storage.Interaction && (gone || call.Name == "Advance") {
			gone = true
			return storage.ErrNotFound
		}
		return nil
	})
	b.Send("/consent", form).IsPage(t, http.StatusBadRequest)
	require.True(t, gone)
	require.Zero(t, h.CountOf(storage.Code))
}

// resource and audience may stand in an authorization request several times, and no
// other parameter.
//
// Holds: RFC 8707 section 2.
func TestAuthorize_TargetsMayBeRepeated(t *testing.T) {
	t.Parallel()
	const one, two = "https://one.example/", "https://two.example/"
	d := servertest.New(t, nil)
	d.ChangeClient("conf", func(c *storage.Client) { c.Audience = []string{one, two} })
	for _, name := range []string{"resource", "audience"} {
		res := d.Get(servertest.AuthorizeURL(), name, one, name, two)
		require.NotEmpty(t, res.Param("code"), res.Header.Get("Location"))
		rec, err := d.Store.Get(t.Context(), storage.Code, storage.Key(res.Param("code")))
		require.NoError(t, err)
		require.Equal(t, []string{one, two}, rec.Audience, name)
	}
	require.Equal(t, "invalid_request", d.Get(servertest.AuthorizeURL(), "nonce", "1", "nonce", "2").Param("error"))
}
