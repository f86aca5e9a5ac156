package grantwell_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// The token is returned in the fragment, without a refresh token.
//
// Holds: RFC 6749 section 4.2.2; RFC 9207 section 2.
func TestImplicit_AnswersInTheFragment(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	res := h.SignedIn("alice").Allow("response_type", "token", "scope", "read")
	require.Len(t, h.Events(), 1)
	e := h.Events()[0]
	require.Equal(t, []any{"implicit", "alice", "ok", []string{"read"}},
		[]any{e.GrantType, e.Subject, e.Outcome, e.Scope})
	u, err := url.Parse(res.Header.Get("Location"))
	require.NoError(t, err)
	require.Empty(t, u.RawQuery)
	require.False(t, u.ForceQuery)
	q := res.Params(t)
	require.True(t, h.Introspect("conf", q.Get("access_token")).Active())
	q.Del("access_token")
	require.Equal(t, url.Values{
		"token_type": {"Bearer"},
		"expires_in": {"3600"},
		"scope":      {"read"},
		"state":      {"st"},
		"iss":        {servertest.Issuer},
	}, q)
	require.Zero(t, h.CountOf(storage.Refresh))
	require.Zero(t, h.CountOf(storage.Code))
	res.HasPageHeaders(t)
}

// Errors of an implicit request are returned in the fragment too.
//
// Holds: RFC 6749 section 4.2.2.1.
func TestImplicit_ErrorsInTheFragment(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, pairs := range [][]string{
		{"scope", "admin"},
		{"prompt", "none"},
		{"response_mode", "query"},
		{"client_id", "codeonly"},
		{"max_age", "x"},
		{"response_type", "token id_token"},
	} {
		res := h.Browser().Send(servertest.AuthorizeURL(append([]string{"response_type", "token"},
			pairs...)...), nil)
		require.True(t, strings.HasPrefix(res.Header.Get("Location"),
			servertest.Redirect+"#error="), "%v: %d %s", pairs, res.Status, res.Header)
		require.Equal(t, "st", res.Params(t).Get("state"))
		require.Equal(t, servertest.Issuer, res.Params(t).Get("iss"))
	}
	b := h.SignedIn("alice")
	res := b.Send("/consent",
		servertest.With(b.Visit(servertest.AuthorizeURL("response_type", "token"),
			nil).ConsentForm(t), "decision", "deny"))
	require.True(t, strings.HasPrefix(res.Header.Get("Location"),
		servertest.Redirect+"#error=access_denied"), res.Header.Get("Location"))
	require.Zero(t, h.CountOf(storage.Access))
}

// A server that does not list the grant refuses the response type.
//
// Holds: RFC 9700 section 2.1.2.
func TestImplicit_OffByDefault(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) {
		c.Grants = []grants.Handler{grants.AuthorizationCode{}}
	})
	for _, types := range []string{"token", "code token", "id_token token"} {
		res := h.SignedIn("alice").Allow("response_type", types)
		require.Equal(t, "unsupported_response_type", res.Params(t).Get("error"))
	}
	var log bytes.Buffer
	warned := slog.New(slog.NewTextHandler(&log, nil))
	servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) { c.Logger = warned })
	require.Contains(t, log.String(), "level=WARN")
	require.Contains(t, log.String(), "implicit")
	// The token endpoint never serves this grant.
	servertest.NewSite(t, nil).Post("/token", servertest.Conf, "grant_type", "implicit").Fails(t,
		400, "unsupported_grant_type")
}

// A request keeps its response type, whatever the browser posts later.
//
// Holds: house: consent only narrows.
func TestImplicit_IsNotReachedFromACodeRequest(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	b := h.SignedIn("alice")
	form := b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t)
	res := b.Send("/consent?response_type=token&response_mode=fragment",
		servertest.With(form, "response_type", "token", "response_mode", "fragment",
			"grant_type", "implicit"))
	require.NotEmpty(t, res.Params(t).Get("code"))
	require.NotContains(t, res.Header.Get("Location"), "access_token")
	require.Zero(t, h.CountOf(storage.Access))

	// The client loses the response type between the page and its post.
	form = b.Visit(servertest.AuthorizeURL("response_type", "token", "prompt", "consent"),
		nil).ConsentForm(t)
	h.AddClient("conf", func(c *storage.Client) { c.ResponseTypes = []string{"code"} })
	require.Equal(t, "unauthorized_client", b.Send("/consent", form).Params(t).Get("error"))
	require.Zero(t, h.CountOf(storage.Access))
}

// With both grants, a client that is registered for the combination gets a
// code and a token in families of their own: the code is redeemed once, and
// neither ends with the other.
//
// Holds: RFC 6749 section 3.1.1; RFC 6749 section 4.1.2.
func TestImplicit_CodeAndTokenAreTwoFamilies(t *testing.T) {
	t.Parallel()
	for _, types := range []string{"code token", "token code"} {
		h := servertest.NewSite(t, nil)
		res := h.SignedIn("alice").Allow("client_id", "hybrid", "response_type", types)
		require.True(t, strings.HasPrefix(res.Header.Get("Location"), servertest.Redirect+"#code="),
			res.Header.Get("Location"))
		q := res.Params(t)
		front := q.Get("access_token")
		require.True(t, h.Introspect("hybrid", front).Active())
		first := h.Redeem("hybrid", q.Get("code"))
		require.Equal(t, 200, first.Status, first.Body)
		h.Redeem("hybrid", q.Get("code")).Fails(t, 400, "invalid_grant")
		require.False(t, h.Introspect("hybrid", first.String("access_token")).Active(),
			"the replay ends the tokens of the code")
		require.True(t, h.Introspect("hybrid", front).Active(), "and not the token of the same answer")
		require.Equal(t, 1, h.CountOf(storage.Refresh))
	}
	h := servertest.NewSite(t, nil)
	res := h.SignedIn("alice").Allow("response_type", "code token") // conf has both, but not the combination
	require.Equal(t, "unauthorized_client", res.Params(t).Get("error"))
}

// A token of the implicit grant ends with the consent.
//
// Holds: house: deleted authorization; house: subject still there.
func TestImplicit_EndsWithTheConsent(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	token := h.SignedIn("alice").Allow("response_type", "token").Params(t).Get("access_token")
	require.True(t, h.Introspect("conf", token).Active())
	require.NoError(t, h.AS.RevokeConsent(t.Context(), "conf", "alice"))
	require.False(t, h.Introspect("conf", token).Active())
}

// An error of a hook is returned in the fragment, and no live record is left.
//
// Holds: RFC 6749 section 4.1.2.1; RFC 6749 section 4.2.2.1.
func TestImplicit_HookMayRefuse(t *testing.T) {
	t.Parallel()
	for _, hooks := range []grantwell.Hooks{
		{BeforeIssue: func(context.Context, *grantwell.Issuance) error {
			return grants.AccessDenied("Not today.")
		}},
		{AfterIssue: func(context.Context, grantwell.Issuance) error {
			return grants.AccessDenied("Not today.")
		}},
	} {
		h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) { c.Hooks = hooks })
		res := h.SignedIn("alice").Allow("response_type", "token")
		require.Equal(t, http.StatusSeeOther, res.Status)
		require.Equal(t, "access_denied", res.Params(t).Get("error"))
		recs := h.Records(storage.Query{Kind: storage.Access})
		require.False(t, slices.ContainsFunc(recs, func(r storage.Record) bool {
			return r.State == storage.Active
		}))
	}
}
