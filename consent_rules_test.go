package grantwell_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// What a session says about its user reaches the tokens, whether the user was asked
// for consent or not.
//
// Holds: house: data of the code; house: data of the token; RFC 7662 section 2.2.
func TestSession_ReachesTheTokens(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-time.Hour)
	h := servertest.NewSite(t, nil)
	h.ChangeClient("other", func(c *storage.Client) { c.SkipConsent = true })
	for name, tt := range map[string]struct {
		client string
		times  int
	}{
		"asked":             {"conf", 1},
		"remembered":        {"conf", 2},
		"never asked about": {"other", 1},
	} {
		b := h.Browser()
		user := "user of " + strings.ReplaceAll(name, " ", "-")
		session := servertest.SessionCookie(user, at)
		session.Value = strings.ReplaceAll(session.Value, " ", "-")
		b.Jar.SetCookies(mustURL(t, servertest.Issuer+"/"), []*http.Cookie{session})
		var code string
		for range tt.times {
			code = b.Allow("client_id", tt.client).Param("code")
			require.NotEmpty(t, code, name)
		}
		res := h.Introspect(tt.client, h.Redeem(tt.client, code).String("access_token"))
		require.Equal(t, "sales", res.String("dept"), "%s: %s", name, res.Body)
		require.EqualValues(t, at.Unix(), res.JSON["auth_time"], name)
	}
}

// Without Approval.AuthTime the user authenticated now.
func TestApprove_UserAuthenticatedNowByDefault(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	for _, at := range []time.Time{{}, time.Now().Add(-time.Hour)} {
		d.Approval.AuthTime = at
		want := at
		if at.IsZero() {
			want = time.Now()
		}
		access, _ := d.Family("conf")
		got, ok := d.Introspect("conf", access).JSON["auth_time"].(float64)
		require.True(t, ok)
		require.InDelta(t, want.Unix(), got, 2)
	}
}

// The consent page names and describes each scope, also one that was granted before,
// and shows what the client is registered with.
//
// Holds: house: consent page; house: described scopes.
func TestConsentPage_ShowsTheClientAndEveryScope(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	h.ChangeClient("conf", func(c *storage.Client) {
		c.Description = "Prints photos."
		c.PolicyURI = "https://app.example/policy"
		c.TOSURI = "https://app.example/terms"
		c.LogoURI = "https://app.example/logo.png"
	})
	b := h.SignedIn("alice")
	b.Allow("scope", "read")
	page := b.Visit(servertest.AuthorizeURL("scope", "read write"), nil)
	for _, text := range []string{
		"Prints photos.",
		`href="https://app.example/policy"`,
		`href="https://app.example/terms"`,
		`src="https://app.example/logo.png"`,
		"See your photos",
		"Change your photos",
		"allowed before",
		`action="/consent"`,
	} {
		require.Contains(t, page.Body, text)
	}
	require.Equal(t, []string{"write"}, page.ConsentForm(t)["scope"], "what was granted is not asked for")
	require.Equal(t, 1, strings.Count(page.Body, "allowed before"))
	require.Contains(t, b.Visit(servertest.AuthorizeURL("client_id", "other", "scope", "read"), nil).Body, ">Sample is requesting")
}

// A consent is remembered for a client that authenticates, wherever its redirect leads,
// and for a public one on a web site of its own. Every other public client can be
// imitated by any program, so that its users are always asked.
//
// Holds: house: remembered consent; RFC 8252 section 8.6.
func TestConsent_IsRememberedForClientsThatCannotBeImitated(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	h.ChangeClient("other", func(c *storage.Client) { c.RedirectURIs = []string{"com.example.app:/cb"} })
	for client, tt := range map[string]struct {
		redirect   string
		remembered bool
	}{
		"conf":   {servertest.Redirect, true},
		"other":  {"com.example.app:/cb", true},
		"public": {servertest.Redirect, true},
		"native": {"com.example.app:/cb", false},
	} {
		b := h.SignedIn("alice")
		pairs := []string{"client_id", client, "redirect_uri", tt.redirect}
		require.True(t, b.Visit(servertest.AuthorizeURL(pairs...), nil).AsksConsent(), client)
		b.Allow(pairs...)
		require.Equal(t, !tt.remembered, b.Visit(servertest.AuthorizeURL(pairs...), nil).AsksConsent(), client)
	}
}

// A user who allows a request without scopes has not denied it.
//
// Holds: house: consent page.
func TestConsentPage_AllowWithoutScopes(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { cfg.Scopes.AllowEmpty = true })
	h.ChangeClient("conf", func(c *storage.Client) { c.Scope, c.DefaultScope = nil, nil })
	b := h.SignedIn("alice")
	page := b.Visit(servertest.AuthorizeURL("scope", servertest.Omit), nil)
	res := b.Send("/consent", page.ConsentForm(t))
	require.NotEmpty(t, res.Param("code"), res.Header.Get("Location"))
	require.Equal(t, 200, h.Redeem("conf", res.Param("code")).Status)

	// The user is asked about each resource, also where there is no scope to ask for.
	h.ChangeClient("conf", func(c *storage.Client) { c.Audience = []string{"https://bank.example"} })
	require.NotEmpty(t, b.Visit(servertest.AuthorizeURL("scope", servertest.Omit), nil).Param("code"))
	bank := servertest.AuthorizeURL("scope", servertest.Omit, "resource", "https://bank.example")
	page = b.Visit(bank, nil)
	require.True(t, page.AsksConsent(), page.Header)
	require.NotEmpty(t, b.Send("/consent", page.ConsentForm(t)).Param("code"))
	require.NotEmpty(t, b.Visit(bank, nil).Param("code"))
}

// A consent is a grant of its own, and says when it was given: ending one family ends
// no consent, and the consents of two clients end apart.
//
// Holds: house: listed consents; house: deleted authorization.
func TestConsent_IsARecordOfItsOwn(t *testing.T) {
	t.Parallel()
	d := servertest.NewAdmin(t, nil)
	d.Approval.Remember = true
	begin := time.Now().Add(-time.Second)
	access, _ := d.Family("conf")
	d.Family("other")

	seen := map[string]bool{"": true}
	for _, rec := range d.Records(storage.Query{Kind: storage.Consent}) {
		require.False(t, seen[rec.GrantID], "a grant of its own")
		seen[rec.GrantID] = true
		require.True(t, rec.IssuedAt.After(begin) && !rec.IssuedAt.After(time.Now()), rec.IssuedAt)
	}
	require.Len(t, seen, 3)
	for _, rec := range d.Records(storage.Query{Kind: storage.Access}) {
		require.False(t, seen[rec.GrantID], "no family")
		require.NoError(t, d.AS.RevokeGrant(t.Context(), rec.GrantID))
	}
	require.False(t, d.Valid(access))
	require.Equal(t, 2, d.ActiveOf(storage.Consent))
	granted, err := time.Parse(time.RFC3339, d.Account("alice", "GET", "/consents").List(t, "consents")[0]["granted_at"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), granted, time.Minute)
}

// Two consents that are given at the same moment, and two withdrawals, are no failure.
// Both requests see what the other one did.
//
// Holds: house: fault of a race; house: remembered consent.
func TestConsent_RacesAreNoFailure(t *testing.T) {
	t.Parallel()
	d, store := servertest.NewHooked(t, nil)
	approve := func(scope string) servertest.Reply {
		return d.Authorize(grantwell.Approval{Subject: "alice", Remember: true}, "scope", scope)
	}
	// meanwhile does something once, just before the next write of a consent.
	meanwhile := func(write string, do func()) {
		var once sync.Once
		store.Before(func(_ context.Context, call servertest.Call) error {
			if call.Kind == storage.Consent && call.Name == write {
				once.Do(func() { store.Around(do) })
			}
			return nil
		})
	}
	scopes := func() []string {
		all, err := d.AS.ConsentedScopes(t.Context(), "conf", "alice")
		require.NoError(t, err)
		return all
	}

	meanwhile("Insert", func() { require.NotEmpty(t, approve("read").Param("code")) })
	require.NotEmpty(t, approve("write").Param("code"), "the first consent of both")
	require.Equal(t, []string{"read", "write"}, scopes())
	require.Equal(t, 1, d.CountOf(storage.Consent))

	meanwhile("Advance", func() { require.NoError(t, d.AS.RevokeConsent(t.Context(), "conf", "alice")) })
	require.NoError(t, d.AS.RevokeConsent(t.Context(), "conf", "alice"), "two withdrawals")
	store.Pass()
	require.Empty(t, scopes())
	require.Zero(t, d.ActiveOf(storage.Consent))

	// A withdrawal at the moment at which the consent grows is not undone.
	require.NotEmpty(t, approve("read").Param("code"))
	meanwhile("Advance", func() { require.NoError(t, d.AS.RevokeConsent(t.Context(), "conf", "alice")) })
	require.NotEmpty(t, approve("write").Param("code"))
	store.Pass()
	require.Equal(t, []string{"write"}, scopes())
	require.Equal(t, 1, d.ActiveOf(storage.Consent))
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}
