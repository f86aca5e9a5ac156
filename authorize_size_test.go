package grantwell_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// A request has at most 8 KiB of parameters that are kept while it waits, counted as the
// store keeps them. The client gets the refusal, without a state that is too long to be
// kept. Parameters that are not read count nothing.
func TestAuthorizeSize_WhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	s := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { cfg.AuthorizeParameters = []string{"own"} })
	for _, c := range []struct {
		name, value string
		fits, back  bool // back: the state comes back
	}{
		{"state", strings.Repeat("s", 7<<10), true, true},
		{"state", strings.Repeat("s", 8<<10), false, true},
		{"state", strings.Repeat("s", 8<<10+1), false, false},
		{"state", strings.Repeat("s", 60_000), false, false},
		{"state", strings.Repeat("<", 1200), true, true}, // six bytes each in JSON
		{"state", strings.Repeat("<", 1365), false, true},
		{"state", strings.Repeat("<", 1366), false, false},
		{"state", strings.Repeat("&", 6000), false, false},
		{"state", strings.Repeat("\x01", 1366), false, false},
		{"state", strings.Repeat("&", 1200), true, true},
		{"nonce", strings.Repeat("n", 7<<10), true, true},
		{"nonce", strings.Repeat("n", 8<<10), false, true},
		{"login_hint", strings.Repeat(">", 1<<10+400), false, true},
		{"own", strings.Repeat("o", 8<<10), false, true},
		{"resource", strings.Repeat("https://as.example/", 500), false, true},
		{"other", strings.Repeat("o", 50_000), true, true},
	} {
		form := servertest.AuthorizeQuery(c.name, c.value)
		for method, send := range map[string]func() servertest.Reply{
			"GET":  func() servertest.Reply { return s.Browser().Send("/authorize?"+form.Encode(), nil) },
			"POST": func() servertest.Reply { return s.Browser().Send("/authorize", form) },
		} {
			res := send()
			require.Equal(t, http.StatusSeeOther, res.Status, "%s %s", method, c.name)
			to, err := url.Parse(res.Header.Get("Location"))
			require.NoError(t, err)
			if c.fits {
				require.Equal(t, "/login", to.Path, "%s %s %d", method, c.name, len(c.value))
				continue
			}
			require.Contains(t, []string{"invalid_request", "invalid_target"}, to.Query().Get("error"), c.name)
			require.Equal(t, c.back, to.Query().Has("state"), "%s %d", c.name, len(c.value))
		}
	}
	for _, rec := range s.Records(storage.Query{Kind: storage.Interaction}) {
		require.LessOrEqual(t, len(rec.Data), 9<<10)
	}
}

// Requests of one address that wait are counted, because each is stored and any caller
// can send it. Past the limit the client learns that it may try again; other addresses,
// and users who need no page, are served.
func TestAuthorizeSize_WaitingRequestsAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	s := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) {
		cfg.Limiter = limit.NewMemory(map[string]limit.Limit{"waiting": {Failures: 5, Window: time.Minute}})
	})
	from := func(addr string, pairs ...string) servertest.Reply {
		req := servertest.Request(servertest.AuthorizeURL(pairs...), "", "")
		req.Method = http.MethodGet
		req.RemoteAddr = addr
		return s.Do(req)
	}
	for i := range 5 {
		require.True(t, strings.HasPrefix(from(fmt.Sprintf("[2001:db8::%d]:1", i)).Header.Get("Location"), "/login"))
	}
	before := s.CountOf(storage.Interaction)
	res := from("[2001:db8::6]:1")
	require.Equal(t, "temporarily_unavailable", res.Param("error"))
	require.Equal(t, servertest.State, res.Param("state"))
	require.Equal(t, before, s.CountOf(storage.Interaction))
	require.Equal(t, grants.ReasonLimit, s.LastEvent().Reason)
	require.Equal(t, "login_required", from("[2001:db8::6]:1", "prompt", "none").Param("error"))
	require.True(t, strings.HasPrefix(from("192.0.2.1:1").Header.Get("Location"), "/login"))

	// Requests without an address share no count: one caller could lock out all others.
	for range 7 {
		require.True(t, strings.HasPrefix(from("@").Header.Get("Location"), "/login"))
	}

	// The host that suspends a request itself gets the refusal.
	req := servertest.Request(servertest.AuthorizeURL(), "", "")
	req.Method = http.MethodGet
	req.RemoteAddr = "[2001:db8::7]:1"
	w := httptest.NewRecorder()
	parsed, ok := s.AS.ParseAuthorize(w, req)
	require.True(t, ok)
	_, err := s.AS.Suspend(w, req, parsed)
	var refused *grantwell.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusTooManyRequests, refused.Status)
	require.Positive(t, refused.RetryAfter)
}

// A request names at most 100 audiences, of which each word of the parameter is one.
//
// Holds: house: bounded parameters.
func TestAuthorizeSize_AudienceIsBounded(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	names := make([]string, 101)
	for i := range names {
		names[i] = fmt.Sprintf("a%d", i)
	}
	s.ChangeClient("conf", func(c *storage.Client) { c.Audience = names })
	words := func(n int) string { return strings.Join(names[:n], " ") }
	require.NotEmpty(t, s.Get(servertest.AuthorizeURL("audience", words(100))).Param("code"))
	require.Equal(t, "invalid_target", s.Get(servertest.AuthorizeURL("audience", words(101))).Param("error"))
}

// The ID of a client may have 255 characters, from the space to the tilde.
func TestAuthorizeSize_ClientID(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	id := "a b" + strings.Repeat("~", 252)
	s.AddClient(id, func(*storage.Client) {})
	require.NotEmpty(t, s.Get(servertest.AuthorizeURL("client_id", id)).Param("code"))
	s.Get(servertest.AuthorizeURL("client_id", id+"~")).IsPage(t, http.StatusBadRequest)
}
