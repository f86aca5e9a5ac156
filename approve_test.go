package grantwell_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// approved builds a host that calls do for the authorization request of a
// target.
func approved(
	t *testing.T, hooks grantwell.Hooks, target string, do func(*grantwell.Server, http.ResponseWriter, *http.Request, *grantwell.AuthorizeRequest),
) (*servertest.Site, servertest.Reply) {
	t.Helper()
	h := servertest.NewSite(t, func(c *grantwell.Config, _ *grantwell.Pages) { c.Hooks = hooks })
	h.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if req, ok := h.AS.ParseAuthorize(w, r); ok {
			do(h.AS, w, r, req)
		}
	})
	return h, h.Browser().Send(target, nil)
}

// A host that misuses Approve, or that denies the request, gives no code.
//
// Holds: RFC 6749 section 4.1.2.1; RFC 9700 section 4.12; house: one event.
func TestApprove_MistakesAndRefusalsGiveNoCode(t *testing.T) {
	t.Parallel()
	denied := func(context.Context, *grantwell.AuthorizeRequest, *grantwell.Approval) error {
		return grants.AccessDenied("Not today.")
	}
	approve := func(a grantwell.Approval) func(*grantwell.Server, http.ResponseWriter, *http.Request, *grantwell.AuthorizeRequest) {
		return func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.Approve(w, r, req, a)
		}
	}
	for name, c := range map[string]struct {
		hooks grantwell.Hooks
		do    func(*grantwell.Server, http.ResponseWriter, *http.Request, *grantwell.AuthorizeRequest)
		code  string // of the redirect, or empty for a page
	}{
		"scope not requested": {
			do:   approve(grantwell.Approval{Subject: "alice", Scope: []string{"read", "write"}}),
			code: "server_error",
		},
		"no subject": {do: approve(grantwell.Approval{}), code: "server_error"},
		"nothing granted": {
			do:   approve(grantwell.Approval{Subject: "alice", Scope: []string{}}),
			code: "access_denied",
		},
		"hook refuses": {
			hooks: grantwell.Hooks{BeforeAuthorize: denied},
			do:    approve(grantwell.Approval{Subject: "alice"}),
			code:  "access_denied",
		},
		"hook fails": {
			hooks: grantwell.Hooks{BeforeAuthorize: func(context.Context, *grantwell.AuthorizeRequest, *grantwell.Approval) error {
				return errStore
			}},
			do:   approve(grantwell.Approval{Subject: "alice"}),
			code: "server_error",
		},
		"hook widens": {
			hooks: grantwell.Hooks{BeforeAuthorize: func(_ context.Context, _ *grantwell.AuthorizeRequest, a *grantwell.Approval) error {
				a.Scope = append(a.Scope, "write")
				return nil
			}},
			do:   approve(grantwell.Approval{Subject: "alice"}),
			code: "server_error",
		},
		"hook panics": {hooks: grantwell.Hooks{BeforeAuthorize: func(context.Context, *grantwell.AuthorizeRequest, *grantwell.Approval) error {
			panic("secret-dsn")
		}},
			do: approve(grantwell.Approval{Subject: "alice"})},
		"last hook fails": {
			hooks: grantwell.Hooks{AfterAuthorize: func(context.Context, *grantwell.AuthorizeRequest, grantwell.Approval) error {
				return errStore
			}},
			do:   approve(grantwell.Approval{Subject: "alice"}),
			code: "server_error",
		},
		"last hook panics": {hooks: grantwell.Hooks{AfterAuthorize: func(context.Context, *grantwell.AuthorizeRequest, grantwell.Approval) error {
			panic("secret-dsn")
		}},
			do: approve(grantwell.Approval{Subject: "alice"})},
		"denied": {do: func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.Deny(w, r, req)
		}, code: "access_denied"},
		"denied with nothing": {do: func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.DenyError(w, r, req, nil)
		}, code: "access_denied"},
		"a token endpoint's code": {do: func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.DenyError(w, r, req, grants.InvalidGrant("secret-dsn"))
		}, code: "access_denied"},
	} {
		h, res := approved(t, c.hooks, servertest.AuthorizeURL("scope", "read"), c.do)
		if c.code == "" {
			res.IsPage(t, http.StatusInternalServerError)
		} else {
			require.Equal(t, c.code, res.Params(t).Get("error"), name)
			require.Equal(t, "st", res.Params(t).Get("state"), name)
		}
		require.NotContains(t, res.Header.Get("Location")+res.Body, "code=", name)
		require.NotContains(t, res.Header.Get("Location")+res.Body, "secret-dsn", name)
		require.Len(t, h.Events(), 1, name)
		require.NotEqual(t, "ok", h.Events()[0].Outcome, name)
		for _, rec := range h.Records(storage.Query{Kind: storage.Code}) {
			require.NotEqual(t, storage.Active, rec.State, "%s: a code that was not sent stays", name)
		}
	}
}

// A request is answered once, also if the host keeps it and two answers come
// at the same time.
func TestApprove_AnswersARequestOnce(t *testing.T) {
	t.Parallel()
	yes := grantwell.Approval{Subject: "alice"}
	second := httptest.NewRecorder()
	h, res := approved(t, grantwell.Hooks{}, servertest.AuthorizeURL(),
		func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.Approve(w, r, req, yes)
			s.Approve(second, r, req, yes)
			s.Deny(httptest.NewRecorder(), r, req)
		})
	require.NotEmpty(t, res.Params(t).Get("code"))
	require.Equal(t, http.StatusBadRequest, second.Code)
	require.Empty(t, second.Header().Get("Location"))
	require.Equal(t, 1, h.CountOf(storage.Code))

	h, res = approved(t, grantwell.Hooks{}, servertest.AuthorizeURL(),
		func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.Deny(w, r, req)
			s.Approve(httptest.NewRecorder(), r, req, yes)
		})
	require.Equal(t, "access_denied", res.Params(t).Get("error"))
	require.Zero(t, h.CountOf(storage.Code))
}

// A host may approve fewer scopes. A scope that it names twice counts once.
//
// Holds: house: host knows the user; house: ticked scopes.
func TestApprove_MayNarrowScopes(t *testing.T) {
	t.Parallel()
	h, res := approved(t, grantwell.Hooks{}, servertest.AuthorizeURL(),
		func(s *grantwell.Server, w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest) {
			s.Approve(w, r, req, grantwell.Approval{
				Subject: "alice",
				Scope:   []string{"write", "write"},
			})
		})
	recs := h.Records(storage.Query{Kind: storage.Code})
	require.Len(t, recs, 1)
	require.Equal(t, []string{"write"}, recs[0].Scope)
	require.Equal(t, "alice", recs[0].Subject)
	require.NotContains(t, string(recs[0].Data)+recs[0].Key, res.Params(t).Get("code"))
}

// After ParseAuthorize a host may answer with a page of its own: the headers
// allow its styles and forbid framing.
//
// Holds: RFC 6749 section 10.12; house: pages of the host.
func TestParseAuthorize_LeavesRoomForTheHostsPage(t *testing.T) {
	t.Parallel()
	_, res := approved(t, grantwell.Hooks{}, servertest.AuthorizeURL(),
		func(_ *grantwell.Server, w http.ResponseWriter, _ *http.Request, req *grantwell.AuthorizeRequest) {
			require.Equal(t, []string{"read", "write"}, req.Scope)
			_, _ = w.Write([]byte("my own page"))
		})
	require.Equal(t, "my own page", res.Body)
	res.HasPageHeaders(t)
	require.NotContains(t, res.Header.Get("Content-Security-Policy"), "default-src")
	require.NotContains(t, res.Header.Get("Content-Security-Policy"), "form-action")
}
