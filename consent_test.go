package grantwell_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/storage"
)

// asks tells whether a request is answered with the consent page.
func asks(r reply) bool { return r.status == http.StatusOK && strings.Contains(r.body, "csrf") }

// Only what is new is asked for, and one record for the client and the user grows.
// Holds S150.
func TestConsent_Grows(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	page := b.visit(authorize("scope", "read"), nil)
	require.Equal(t, []string{"read"}, page.form(t)["scope"])
	b.send("/consent", page.form(t))

	require.NotEmpty(t, b.visit(authorize("scope", "read"), nil).params(t).Get("code"), "nothing new: no page")
	page = b.visit(authorize("scope", "read write"), nil)
	require.Equal(t, []string{"write"}, page.form(t)["scope"])
	require.Contains(t, page.body, "allowed before")
	q := b.send("/consent", page.form(t)).params(t)
	require.Equal(t, "read write", h.token("conf", "code", q.Get("code")).str("scope"))

	scopes, err := h.srv.Consented(t.Context(), "conf", "alice")
	require.NoError(t, err)
	require.Equal(t, []string{"read", "write"}, scopes)
	require.Equal(t, 1, h.count(storage.Consent))
	require.False(t, asks(b.visit(authorize("scope", "write read"), nil)))

	// It is this client's and this user's.
	require.True(t, asks(b.visit(authorize("client_id", "other", "scope", "read"), nil)))
	require.True(t, asks(h.as("bob").visit(authorize("scope", "read"), nil)))
}

// Saying no to what is new leaves what was allowed before, and gives no code.
// Holds S33, S150, R34.
func TestConsent_NoToTheNew(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	b.allow("scope", "read")
	codes := h.count(storage.Code)
	form := b.visit(authorize(), nil).form(t)
	require.Equal(t, "access_denied", b.send("/consent", with(form, "decision", "deny")).params(t).Get("error"))
	require.Equal(t, codes, h.count(storage.Code))
	b.send("/consent", form).isPage(t, http.StatusBadRequest) // the answer is final

	// Unticking only the new one gives the old one.
	q := b.send("/consent", with(b.visit(authorize(), nil).form(t), "scope", "-")).params(t)
	require.Equal(t, "read", h.token("conf", "code", q.Get("code")).str("scope"))
	require.True(t, asks(b.visit(authorize(), nil)))
}

// What a user withdraws ends at once: codes, refresh tokens and access tokens, and the user is asked again.
// What is allowed after that stands on its own.
// Holds S94, S105, S151.
func TestConsent_Withdrawn(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	code := b.allow().params(t).Get("code")
	first := h.token("conf", "code", b.allow().params(t).Get("code"))
	require.Equal(t, 200, first.status, first.body)
	bob := h.token("conf", "code", h.as("bob").allow().params(t).Get("code"))
	elsewhere := h.token("other", "code", b.allow("client_id", "other").params(t).Get("code"))
	require.True(t, h.active(first.str("access_token"), "conf"))
	page := b.visit(authorize("prompt", "consent"), nil)

	require.NoError(t, h.srv.RevokeConsent(t.Context(), "conf", "alice"))
	require.NoError(t, h.srv.RevokeConsent(t.Context(), "conf", "alice"), "again is no error")
	require.NoError(t, h.srv.RevokeConsent(t.Context(), "conf", "nobody"))
	require.False(t, h.active(first.str("access_token"), "conf"))
	h.token("conf", "code", code).fails(t, 400, "invalid_grant")
	h.token("conf", "grant_type", "refresh_token", "refresh_token", first.str("refresh_token")).fails(t, 400, "invalid_grant")
	require.True(t, h.active(bob.str("access_token"), "conf"), "another user's")
	require.True(t, h.active(elsewhere.str("access_token"), "other"), "another client's")

	require.True(t, asks(b.visit(authorize(), nil)))
	require.Equal(t, "consent_required", b.visit(authorize("prompt", "none"), nil).params(t).Get("error"))
	again := h.token("conf", "code", b.send("/consent", page.form(t)).params(t).Get("code")) // the page was open all the while
	require.True(t, h.active(again.str("access_token"), "conf"))
	require.False(t, h.active(first.str("access_token"), "conf"), "what was withdrawn stays so")
	require.False(t, asks(b.visit(authorize(), nil)))

	// And a second time.
	require.NoError(t, h.srv.RevokeConsent(t.Context(), "conf", "alice"))
	require.False(t, h.active(again.str("access_token"), "conf"))
	require.True(t, asks(b.visit(authorize(), nil)))
}

// A code that was approved without a page, on the strength of a consent, rests on it as well.
// Holds S94, S105.
func TestConsent_WithdrawnAfterASilentApproval(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	b.allow()
	res := h.token("conf", "code", b.visit(authorize("prompt", "none"), nil).params(t).Get("code"))
	require.True(t, h.active(res.str("access_token"), "conf"))
	narrow := h.token("conf", "grant_type", "refresh_token", "refresh_token", res.str("refresh_token"), "scope", "read")
	require.Equal(t, 200, narrow.status, narrow.body)
	require.NoError(t, h.srv.RevokeConsent(t.Context(), "conf", "alice"))
	require.False(t, h.active(narrow.str("access_token"), "conf"))
	h.token("conf", "grant_type", "refresh_token", "refresh_token", narrow.str("refresh_token")).fails(t, 400, "invalid_grant")
}

// Ending one family ends its code and its tokens, and leaves the consent.
// Holds S105.
func TestConsent_RevokeGrant(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	first := h.token("conf", "code", b.allow().params(t).Get("code"))
	second := h.token("conf", "code", b.allow().params(t).Get("code"))
	rec, err := h.store.Get(t.Context(), storage.Access, storage.Key(first.str("access_token")))
	require.NoError(t, err)
	require.NoError(t, h.srv.RevokeGrant(t.Context(), rec.GrantID))
	require.False(t, h.active(first.str("access_token"), "conf"))
	require.True(t, h.active(second.str("access_token"), "conf"))
	h.token("conf", "grant_type", "refresh_token", "refresh_token", first.str("refresh_token")).fails(t, 400, "invalid_grant")
	require.False(t, asks(b.visit(authorize(), nil)))
}

// Consents are listed in pages, by client and by user.
// Holds S151.
func TestConsent_Listed(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	for _, who := range []string{"alice", "bob", "carol"} {
		h.as(who).allow("scope", "read")
		h.as(who).allow("client_id", "other")
	}
	seen := map[string]string{}
	for after, first := "", true; first || after != ""; first = false {
		recs, next, err := h.store.List(t.Context(), storage.Query{Kind: storage.Consent, ClientID: "other", After: after, Limit: 2})
		require.NoError(t, err)
		require.LessOrEqual(t, len(recs), 2)
		for _, r := range recs {
			seen[r.Subject] = strings.Join(r.Scope, " ")
		}
		after = next
	}
	require.Equal(t, map[string]string{"alice": "read write", "bob": "read write", "carol": "read write"}, seen)
	recs, _, err := h.store.List(t.Context(), storage.Query{Kind: storage.Consent, Subject: "bob"})
	require.NoError(t, err)
	require.Len(t, recs, 2)
}

// prompt=consent asks for all of it again; prompt=none asks for nothing, and says what is missing.
// Holds S152, R53.
func TestConsent_Prompt(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	require.Equal(t, "consent_required", b.visit(authorize("prompt", "none"), nil).params(t).Get("error"))
	b.allow()
	require.NotEmpty(t, b.visit(authorize("prompt", "none"), nil).params(t).Get("code"))
	require.Equal(t, []string{"read", "write"}, b.visit(authorize("prompt", "consent"), nil).form(t)["scope"])
	require.True(t, asks(b.visit(authorize("client_id", "trusted", "prompt", "consent"), nil)))
	require.Equal(t, "login_required", h.browser().visit(authorize("prompt", "none"), nil).params(t).Get("error"))
	require.Equal(t, "login_required", h.browser().visit(authorize("prompt", "none", "client_id", "trusted"), nil).params(t).Get("error"))
	require.Empty(t, h.browser().send(authorize("prompt", "none"), nil).header.Get("Set-Cookie"))
	require.Equal(t, "consent_required", b.visit(authorize("prompt", "none", "client_id", "native", "redirect_uri", "com.example.app:/cb"), nil).params(t).Get("error"))
}

// prompt=login and max_age want a login that is newer than the request, and nobody gets round it: not by opening the
// consent page, not by posting its form.
// Holds R53.
func TestConsent_LoginAgain(t *testing.T) {
	t.Parallel()
	for name, pairs := range map[string][]string{"login": {"prompt", "login"}, "login and consent": {"prompt", "login consent"}, "max_age": {"max_age", "60"}, "max_age 0": {"max_age", "0"}} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil)
			b := h.as("alice")
			b.allow() // all is consented: only the login is wanted
			form := b.visit(authorize("client_id", "other"), nil).form(t)
			time.Sleep(61 * time.Second)
			for _, client := range []string{"conf", "trusted", "other"} {
				codes := h.count(storage.Code)
				res := b.visit(authorize(append(pairs, "client_id", client)...), nil)
				require.True(t, strings.HasPrefix(res.header.Get("Location"), "/login"), name)
				handle := res.interaction(t)
				res = b.visit(h.srv.ResumeURL(handle), nil)
				require.True(t, strings.HasPrefix(res.header.Get("Location"), "/login"), name)
				res = b.visit("/consent", with(form, "interaction", handle))
				require.True(t, strings.HasPrefix(res.header.Get("Location"), "/login"), name)
				require.Equal(t, codes, h.count(storage.Code))
				time.Sleep(time.Second)
				res = b.logIn(res, "alice")
				if asks(res) {
					time.Sleep(time.Second) // thinking it over makes no login stale that the request wanted
					res = b.send("/consent", res.form(t))
				}
				require.NotEmpty(t, res.params(t).Get("code"), name)
				time.Sleep(61 * time.Second)
			}
			require.Equal(t, "login_required", b.visit(authorize("prompt", "none", "max_age", "60"), nil).params(t).Get("error"))
			require.NotEmpty(t, b.visit(authorize("prompt", "none", "max_age", "62"), nil).params(t).Get("code"))
		})
	}
}

// What anybody can imitate is asked about every time: a public client whose answer goes to an app or to this machine.
// Holds S152, R44, V69, V70.
func TestConsent_PublicNativeClientIsAskedAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	for _, uri := range []string{"com.example.app:/cb", "http://127.0.0.1:4711/cb", "http://[::1]:4711/cb"} {
		for range 2 {
			page := b.visit(authorize("client_id", "native", "redirect_uri", uri), nil)
			require.Equal(t, []string{"read", "write"}, page.form(t)["scope"], uri)
			require.NotEmpty(t, b.send("/consent", page.form(t)).params(t).Get("code"))
		}
	}
	b.allow("client_id", "public")
	require.False(t, asks(b.visit(authorize("client_id", "public"), nil)), "a web site of its own")
}

// Holds S34, V69.
func TestConsent_Skipped(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	res := h.as("alice").send(authorize("client_id", "trusted"), nil)
	require.NotEmpty(t, res.params(t).Get("code"))
	require.Zero(t, h.count(storage.Consent))
	require.Equal(t, "invalid_scope", h.as("alice").send(authorize("client_id", "trusted", "scope", "admin"), nil).params(t).Get("error"))

	public := storage.Client{ID: "p", AuthMethod: storage.AuthNone, RedirectURIs: []string{redirect}, Scope: []string{"read", "write"}, SkipConsent: true}
	require.ErrorContains(t, public.Validate(), "skip_consent")
	for forced, want := range map[bool]bool{false: true, true: false} {
		public.ForceSkipConsent = forced
		h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Clients = legacy{public} })
		require.Equal(t, want, asks(h.as("alice").visit(authorize("client_id", "p"), nil)), "forced %v", forced)
	}
	public.ForceSkipConsent = true
	require.NoError(t, public.Validate())
}

// A user whom the host has disabled gets nothing, consent or not.
// Holds S94.
func TestConsent_DisabledUser(t *testing.T) {
	t.Parallel()
	off := map[string]bool{}
	h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) {
		c.SubjectActive = func(_ context.Context, subject string) (bool, error) { return !off[subject], nil }
	})
	require.Equal(t, "access_denied", h.as("conf").allow().params(t).Get("error"), "a user whose subject is a client's ID")
	b := h.as("alice")
	res := h.token("conf", "code", b.allow().params(t).Get("code"))
	require.Equal(t, 200, res.status, res.body)
	off["alice"] = true
	require.Equal(t, "access_denied", b.allow().params(t).Get("error"))
}
