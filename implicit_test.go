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
	"github.com/grantwell/grantwell/storage"
)

// Holds S41, S48, S49, R127.
func TestImplicit_AnswersInTheFragment(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	res := h.as("alice").allow("response_type", "token", "scope", "read")
	require.Len(t, h.events, 1)
	e := h.events[0]
	require.Equal(t, []any{"implicit", "alice", "ok", []string{"read"}}, []any{e.GrantType, e.Subject, e.Outcome, e.Scope})
	u, err := url.Parse(res.header.Get("Location"))
	require.NoError(t, err)
	require.Empty(t, u.RawQuery)
	require.False(t, u.ForceQuery)
	q := res.params(t)
	require.True(t, h.active(q.Get("access_token"), "conf"))
	q.Del("access_token")
	require.Equal(t, url.Values{"token_type": {"Bearer"}, "expires_in": {"3600"}, "scope": {"read"}, "state": {"st"}, "iss": {origin}}, q)
	require.Zero(t, h.count(storage.Refresh))
	require.Zero(t, h.count(storage.Code))
	safe(t, res)
}

// Holds S50, R128.
func TestImplicit_ErrorsInTheFragment(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	for _, pairs := range [][]string{{"scope", "admin"}, {"prompt", "none"}, {"response_mode", "query"}, {"client_id", "codeonly"}, {"max_age", "x"}, {"response_type", "token id_token"}} {
		res := h.browser().send(authorize(append([]string{"response_type", "token"}, pairs...)...), nil)
		require.True(t, strings.HasPrefix(res.header.Get("Location"), redirect+"#error="), "%v: %d %s", pairs, res.status, res.header)
		require.Equal(t, "st", res.params(t).Get("state"))
		require.Equal(t, origin, res.params(t).Get("iss"))
	}
	b := h.as("alice")
	res := b.send("/consent", with(b.visit(authorize("response_type", "token"), nil).form(t), "decision", "deny"))
	require.True(t, strings.HasPrefix(res.header.Get("Location"), redirect+"#error=access_denied"), res.header.Get("Location"))
	require.Zero(t, h.count(storage.Access))
}

// Holds S51, R126.
func TestImplicit_OffByDefault(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Grants = []grants.Handler{grants.AuthorizationCode{}} })
	for _, types := range []string{"token", "code token", "id_token token"} {
		res := h.as("alice").allow("response_type", types)
		require.Equal(t, "unsupported_response_type", res.params(t).Get("error"))
	}
	var log bytes.Buffer
	warned := slog.New(slog.NewTextHandler(&log, nil))
	newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Logger = warned })
	require.Contains(t, log.String(), "level=WARN")
	require.Contains(t, log.String(), "implicit")
	// The token endpoint has no such grant either way.
	newHost(t, nil).token("conf", "grant_type", "implicit").fails(t, 400, "unsupported_grant_type")
}

// A request is answered as what it began as, whatever a browser posts later.
// Holds R130, V66.
func TestImplicit_IsNotReachedFromACodeRequest(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	b := h.as("alice")
	form := b.visit(authorize(), nil).form(t)
	res := b.send("/consent?response_type=token&response_mode=fragment", with(form, "response_type", "token", "response_mode", "fragment", "grant_type", "implicit"))
	require.NotEmpty(t, res.params(t).Get("code"))
	require.NotContains(t, res.header.Get("Location"), "access_token")
	require.Zero(t, h.count(storage.Access))

	// The client loses the type between page and post.
	form = b.visit(authorize("response_type", "token", "prompt", "consent"), nil).form(t)
	put(t, h, "conf", func(c *storage.Client) { c.ResponseTypes = []string{"code"} })
	require.Equal(t, "unauthorized_client", b.send("/consent", form).params(t).Get("error"))
	require.Zero(t, h.count(storage.Access))
}

// Where both grants are on, a client that is registered for the combination gets both, in families of their own: the code is
// redeemed once, and neither ends with the other.
// Holds R32, R131.
func TestImplicit_CodeAndToken(t *testing.T) {
	t.Parallel()
	for _, types := range []string{"code token", "token code"} {
		h := newHost(t, nil)
		res := h.as("alice").allow("client_id", "hybrid", "response_type", types)
		require.True(t, strings.HasPrefix(res.header.Get("Location"), redirect+"#code="), res.header.Get("Location"))
		q := res.params(t)
		front := q.Get("access_token")
		require.True(t, h.active(front, "hybrid"))
		first := h.token("hybrid", "code", q.Get("code"))
		require.Equal(t, 200, first.status, first.body)
		h.token("hybrid", "code", q.Get("code")).fails(t, 400, "invalid_grant")
		require.False(t, h.active(first.str("access_token"), "hybrid"), "the replay ends what the code bought")
		require.True(t, h.active(front, "hybrid"), "and not what came beside it")
		require.Equal(t, 1, h.count(storage.Refresh))
	}
	h := newHost(t, nil)
	res := h.as("alice").allow("response_type", "code token") // conf has both, and not together
	require.Equal(t, "unauthorized_client", res.params(t).Get("error"))
}

// Holds S94, S105.
func TestImplicit_EndsWithTheConsent(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	token := h.as("alice").allow("response_type", "token").params(t).Get("access_token")
	require.True(t, h.active(token, "conf"))
	require.NoError(t, h.srv.RevokeConsent(t.Context(), "conf", "alice"))
	require.False(t, h.active(token, "conf"))
}

// A hook that refuses the token refuses it in the fragment, and nothing is left.
// Holds R35, R128.
func TestImplicit_HookRefuses(t *testing.T) {
	t.Parallel()
	for _, hooks := range []grantwell.Hooks{
		{Issue: func(context.Context, *grantwell.Issue) error { return grants.AccessDenied("Not today.") }},
		{Issued: func(context.Context, grantwell.Issue) error { return grants.AccessDenied("Not today.") }},
	} {
		h := newHost(t, func(c *grantwell.Config, _ *grantwell.UI) { c.Hooks = hooks })
		res := h.as("alice").allow("response_type", "token")
		require.Equal(t, http.StatusSeeOther, res.status)
		require.Equal(t, "access_denied", res.params(t).Get("error"))
		recs, _, err := h.store.List(t.Context(), storage.Query{Kind: storage.Access})
		require.NoError(t, err)
		require.False(t, slices.ContainsFunc(recs, func(r storage.Record) bool { return r.State == storage.Active }))
	}
}
