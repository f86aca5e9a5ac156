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
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// Only new scopes are asked for, and the one record for the client and the
// user grows.
//
// Holds: house: remembered consent.
func TestConsent_AsksOnlyForNewScopes(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	page := b.Visit(servertest.AuthorizeURL("scope", "read"), nil)
	require.Equal(t, []string{"read"}, page.ConsentForm(t)["scope"])
	b.Send("/consent", page.ConsentForm(t))

	require.NotEmpty(t, b.Visit(servertest.AuthorizeURL("scope", "read"),
		nil).Params(t).Get("code"), "nothing new: no page")
	page = b.Visit(servertest.AuthorizeURL("scope", "read write"), nil)
	require.Equal(t, []string{"write"}, page.ConsentForm(t)["scope"])
	require.Contains(t, page.Body, "allowed before")
	q := b.Send("/consent", page.ConsentForm(t)).Params(t)
	require.Equal(t, "read write", h.Redeem("conf", q.Get("code")).String("scope"))

	scopes, err := h.AS.ConsentedScopes(t.Context(), "conf", "alice")
	require.NoError(t, err)
	require.Equal(t, []string{"read", "write"}, scopes)
	require.Equal(t, 1, h.CountOf(storage.Consent))
	require.False(t, b.Visit(servertest.AuthorizeURL("scope", "write read"), nil).AsksConsent())

	// The consent is for this client and this user only.
	require.True(t, b.Visit(servertest.AuthorizeURL("client_id", "other", "scope", "read"),
		nil).AsksConsent())
	require.True(t, h.SignedIn("bob").Visit(servertest.AuthorizeURL("scope", "read"),
		nil).AsksConsent())
}

// A user who denies new scopes keeps the consent to the old ones, and the
// client gets no code.
//
// Holds: RFC 6749 section 4.1.2.1; house: remembered consent.
func TestConsent_DenyingNewScopesKeepsTheOld(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	b.Allow("scope", "read")
	codes := h.CountOf(storage.Code)
	form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
	require.Equal(t, "access_denied",
		b.Send("/consent", servertest.With(form, "decision", "deny")).Params(t).Get("error"))
	require.Equal(t, codes, h.CountOf(storage.Code))
	b.Send("/consent", form).IsPage(t, http.StatusBadRequest) // the decision is final

	// Unticking the new scope alone grants the old one.
	q := b.Send("/consent", servertest.With(b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t),
		"scope", "-")).Params(t)
	require.Equal(t, "read", h.Redeem("conf", q.Get("code")).String("scope"))
	require.True(t, b.Visit(servertest.AuthorizeURL(), nil).AsksConsent())
}

// Withdrawing a consent ends its codes, refresh tokens and access tokens at
// once, and the user is asked again. A consent that is given after that is
// independent of it.
//
// Holds: house: deleted authorization; house: listed consents;
// house: subject still there.
func TestConsent_WithdrawalEndsTokens(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	code := b.Allow().Params(t).Get("code")
	first := h.Redeem("conf", b.Allow().Params(t).Get("code"))
	require.Equal(t, 200, first.Status, first.Body)
	bob := h.Redeem("conf", h.SignedIn("bob").Allow().Params(t).Get("code"))
	elsewhere := h.Redeem("other", b.Allow("client_id", "other").Params(t).Get("code"))
	require.True(t, h.Introspect("conf", first.String("access_token")).Active())
	page := b.Visit(servertest.AuthorizeURL("prompt", "consent"), nil)

	require.NoError(t, h.AS.RevokeConsent(t.Context(), "conf", "alice"))
	require.NoError(t, h.AS.RevokeConsent(t.Context(), "conf", "alice"), "again is no error")
	require.NoError(t, h.AS.RevokeConsent(t.Context(), "conf", "nobody"))
	require.False(t, h.Introspect("conf", first.String("access_token")).Active())
	h.Redeem("conf", code).Fails(t, 400, "invalid_grant")
	h.Refresh("conf", first.String("refresh_token")).Fails(t, 400, "invalid_grant")
	require.True(t, h.Introspect("conf", bob.String("access_token")).Active(), "another user's")
	require.True(t, h.Introspect("other", elsewhere.String("access_token")).Active(),
		"another client's")

	require.True(t, b.Visit(servertest.AuthorizeURL(), nil).AsksConsent())
	require.Equal(t, "consent_required",
		b.Visit(servertest.AuthorizeURL("prompt", "none"), nil).Params(t).Get("error"))
	again := h.Redeem("conf",
		b.Send("/consent",
			page.ConsentForm(t)).Params(t).Get("code")) // the page was open before the withdrawal
	require.True(t, h.Introspect("conf", again.String("access_token")).Active())
	require.False(t, h.Introspect("conf", first.String("access_token")).Active(),
		"the withdrawn tokens stay revoked")
	require.False(t, b.Visit(servertest.AuthorizeURL(), nil).AsksConsent())

	// The same once more.
	require.NoError(t, h.AS.RevokeConsent(t.Context(), "conf", "alice"))
	require.False(t, h.Introspect("conf", again.String("access_token")).Active())
	require.True(t, b.Visit(servertest.AuthorizeURL(), nil).AsksConsent())
}

// A code that was approved without a page, because of an earlier consent, ends
// with that consent too.
//
// Holds: house: deleted authorization; house: subject still there.
func TestConsent_WithdrawalEndsSilentApprovals(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	b.Allow()
	res := h.Redeem("conf", b.Visit(servertest.AuthorizeURL("prompt", "none"),
		nil).Params(t).Get("code"))
	require.True(t, h.Introspect("conf", res.String("access_token")).Active())
	narrow := h.Refresh("conf", res.String("refresh_token"), "scope", "read")
	require.Equal(t, 200, narrow.Status, narrow.Body)
	require.NoError(t, h.AS.RevokeConsent(t.Context(), "conf", "alice"))
	require.False(t, h.Introspect("conf", narrow.String("access_token")).Active())
	h.Refresh("conf", narrow.String("refresh_token")).Fails(t, 400, "invalid_grant")
}

// Revoking one grant ends its code and its tokens, and keeps the consent.
//
// Holds: house: deleted authorization.
func TestConsent_OutlivesARevokedGrant(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	first := h.Redeem("conf", b.Allow().Params(t).Get("code"))
	second := h.Redeem("conf", b.Allow().Params(t).Get("code"))
	rec, err := h.Store.Get(t.Context(), storage.Access, storage.Key(first.String("access_token")))
	require.NoError(t, err)
	require.NoError(t, h.AS.RevokeGrant(t.Context(), rec.GrantID))
	require.False(t, h.Introspect("conf", first.String("access_token")).Active())
	require.True(t, h.Introspect("conf", second.String("access_token")).Active())
	h.Refresh("conf", first.String("refresh_token")).Fails(t, 400, "invalid_grant")
	require.False(t, b.Visit(servertest.AuthorizeURL(), nil).AsksConsent())
}

// Consents are listed in pages, by client and by user.
//
// Holds: house: listed consents.
func TestConsent_IsListedByClientAndUser(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, who := range []string{"alice", "bob", "carol"} {
		h.SignedIn(who).Allow("scope", "read")
		h.SignedIn(who).Allow("client_id", "other")
	}
	seen := map[string]string{}
	for after, first := "", true; first || after != ""; first = false {
		recs, next, err := h.Store.(storage.Lister).List(t.Context(), storage.Query{
			Kind:     storage.Consent,
			ClientID: "other",
			After:    after,
			Limit:    2,
		})
		require.NoError(t, err)
		require.LessOrEqual(t, len(recs), 2)
		for _, r := range recs {
			seen[r.Subject] = strings.Join(r.Scope, " ")
		}
		after = next
	}
	require.Equal(t, map[string]string{
		"alice": "read write",
		"bob":   "read write",
		"carol": "read write",
	}, seen)
	recs := h.Records(storage.Query{Kind: storage.Consent, Subject: "bob"})
	require.Len(t, recs, 2)
}

// prompt=consent asks for every scope again. prompt=none shows no page and
// returns the error that names what is missing.
//
// Holds: RFC 8252 section 8.6; OpenID Connect Core section 3.1.2.1.
func TestConsent_PromptConsentAndNone(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	require.Equal(t, "consent_required",
		b.Visit(servertest.AuthorizeURL("prompt", "none"), nil).Params(t).Get("error"))
	b.Allow()
	require.NotEmpty(t, b.Visit(servertest.AuthorizeURL("prompt", "none"),
		nil).Params(t).Get("code"))
	require.Equal(t, []string{"read", "write"},
		b.Visit(servertest.AuthorizeURL("prompt", "consent"), nil).ConsentForm(t)["scope"])
	require.True(t, b.Visit(servertest.AuthorizeURL("client_id", "trusted", "prompt", "consent"),
		nil).AsksConsent())
	require.Equal(t, "login_required",
		h.Browser().Visit(servertest.AuthorizeURL("prompt", "none"), nil).Params(t).Get("error"))
	require.Equal(t, "login_required",
		h.Browser().Visit(servertest.AuthorizeURL("prompt", "none", "client_id", "trusted"),
			nil).Params(t).Get("error"))
	require.Empty(t, h.Browser().Send(servertest.AuthorizeURL("prompt", "none"),
		nil).Header.Get("Set-Cookie"))
	require.Equal(t, "consent_required",
		b.Visit(servertest.AuthorizeURL("prompt", "none", "client_id", "native",
			"redirect_uri", "com.example.app:/cb"), nil).Params(t).Get("error"))
}

// prompt=login and max_age need a login that is newer than the request.
// Opening the consent page or posting its form does not get round it.
//
// Holds: OpenID Connect Core section 3.1.2.1.
func TestConsent_NewLoginCannotBeSkipped(t *testing.T) {
	t.Parallel()
	for name, pairs := range map[string][]string{
		"login":             {"prompt", "login"},
		"login and consent": {"prompt", "login consent"},
		"max_age":           {"max_age", "60"},
		"max_age 0":         {"max_age", "0"},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := servertest.NewSite(t, nil)
			b := h.SignedIn("alice")
			b.Allow() // everything is consented, so only the login is needed
			form := b.Visit(servertest.AuthorizeURL("client_id", "other"), nil).ConsentForm(t)
			time.Sleep(61 * time.Second)
			for _, client := range []string{"conf", "trusted", "other"} {
				codes := h.CountOf(storage.Code)
				res := b.Visit(servertest.AuthorizeURL(append(pairs, "client_id", client)...), nil)
				require.True(t, strings.HasPrefix(res.Header.Get("Location"), "/login"), name)
				handle := res.Interaction(t)
				res = b.Visit(h.AS.ResumeURL(handle), nil)
				require.True(t, strings.HasPrefix(res.Header.Get("Location"), "/login"), name)
				res = b.Visit("/consent", servertest.With(form, "interaction", handle))
				require.True(t, strings.HasPrefix(res.Header.Get("Location"), "/login"), name)
				require.Equal(t, codes, h.CountOf(storage.Code))
				time.Sleep(time.Second)
				res = b.LogIn(res, "alice")
				if res.AsksConsent() {
					time.Sleep(time.Second) // the login stays new enough while the user reads the page
					res = b.Send("/consent", res.ConsentForm(t))
				}
				require.NotEmpty(t, res.Params(t).Get("code"), name)
				time.Sleep(61 * time.Second)
			}
			require.Equal(t, "login_required",
				b.Visit(servertest.AuthorizeURL("prompt", "none", "max_age", "60"),
					nil).Params(t).Get("error"))
			require.NotEmpty(t, b.Visit(servertest.AuthorizeURL("prompt", "none", "max_age", "62"),
				nil).Params(t).Get("code"))
		})
	}
}

// A public client whose answer goes to an app or to this machine is asked
// every time, because another program can imitate it.
//
// Holds: RFC 8252 section 8.6.
func TestConsent_PublicNativeClientIsAskedAgain(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	for _, uri := range []string{"com.example.app:/cb", "http://127.0.0.1:4711/cb",
		"http://[::1]:4711/cb"} {
		for range 2 {
			page := b.Visit(servertest.AuthorizeURL("client_id", "native", "redirect_uri", uri),
				nil)
			require.Equal(t, []string{"read", "write"}, page.ConsentForm(t)["scope"], uri)
			require.NotEmpty(t, b.Send("/consent", page.ConsentForm(t)).Params(t).Get("code"))
		}
	}
	b.Allow("client_id", "public")
	require.False(t, b.Visit(servertest.AuthorizeURL("client_id", "public"), nil).AsksConsent(),
		"a web site of its own")
}

// A client with SkipConsent gets a code without the consent page, and no
// consent is stored.
//
// Holds: RFC 8252 section 8.6; house: skipped consent.
func TestConsent_IsSkippedForTrustedClients(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	res := h.SignedIn("alice").Send(servertest.AuthorizeURL("client_id", "trusted"), nil)
	require.NotEmpty(t, res.Params(t).Get("code"))
	require.Zero(t, h.CountOf(storage.Consent))
	require.Equal(t, "invalid_scope",
		h.SignedIn("alice").Send(servertest.AuthorizeURL("client_id", "trusted", "scope", "admin"),
			nil).Params(t).Get("error"))

	public := storage.Client{
		ID:           "p",
		AuthMethod:   storage.AuthNone,
		RedirectURIs: []string{servertest.Redirect},
		Scope:        []string{"read", "write"},
		SkipConsent:  true,
	}
	require.ErrorContains(t, public.Validate(), "skip_consent")
	for forced, want := range map[bool]bool{false: true, true: false} {
		public.ForceSkipConsent = forced
		h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
			c.Clients = legacy{public}
		})
		require.Equal(t, want, h.SignedIn("alice").Visit(servertest.AuthorizeURL("client_id", "p"),
			nil).AsksConsent(), "forced %v", forced)
	}
	public.ForceSkipConsent = true
	require.NoError(t, public.Validate())
}

// A user whom the host has disabled gets no code and no token, with or without
// a consent.
//
// Holds: house: subject still there.
func TestConsent_DisabledUserGetsNothing(t *testing.T) {
	t.Parallel()
	off := map[string]bool{}
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.SubjectActive = func(_ context.Context, subject string) (bool, error) {
			return !off[subject], nil
		}
	})
	require.Equal(t, "access_denied", h.SignedIn("conf").Allow().Params(t).Get("error"),
		"a user whose subject is a client's ID")
	b := h.SignedIn("alice")
	res := h.Redeem("conf", b.Allow().Params(t).Get("code"))
	require.Equal(t, 200, res.Status, res.Body)
	off["alice"] = true
	require.Equal(t, "access_denied", b.Allow().Params(t).Get("error"))
}
