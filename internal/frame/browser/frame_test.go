package browser_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/event"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/frame/browser"
	"github.com/grantwell/grantwell/internal/seam"
)

const (
	issuer   = "https://as.example"
	callback = "https://app.example/cb"
)

// recorder is a response mode that keeps the parameters of the last answer.
type recorder struct{ params seam.Params }

func (*recorder) ResponseMode() string                   { return "query" }
func (*recorder) Accept(*seam.Authorization, bool) error { return nil }
func (r *recorder) Encode(w http.ResponseWriter, _ *seam.Authorization, p seam.Params) int {
	r.params = p
	w.WriteHeader(http.StatusSeeOther)

	return http.StatusSeeOther
}

// rig is a frame with one response mode, and the events that it sent.
type rig struct {
	*browser.Frame
	mode   *recorder
	events []event.Event
}

func newRig() *rig {
	r := &rig{mode: &recorder{}}
	r.Frame = &browser.Frame{
		Settings: frame.Settings{
			Issuer:  issuer,
			Timeout: time.Second,
			MaxBody: 1 << 10,
			Events: &event.Sink{
				Send:      func(_ context.Context, e event.Event) { r.events = append(r.events, e) },
				Addr:      func(*http.Request) netip.Addr { return netip.Addr{} },
				RequestID: func(*http.Request) string { return "r" },
			},
		},
		Encoders: map[string]seam.Encoder{"query": r.mode},
		Cookie:   browser.Cookie{Name: "b", Path: "/", Secure: true},
	}

	return r
}

// page serves one GET.
func (r *rig) page(do func(ctx context.Context) error) *httptest.ResponseRecorder {
	return r.serve(httptest.NewRequest(http.MethodGet, issuer+"/authorize", nil), do)
}

func (r *rig) serve(req *http.Request, do func(ctx context.Context) error) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	e := browser.Event("authorize")
	r.Page(w, req, &e, do)

	return w
}

// verified is a request that may be redirected.
func verified(state string) *seam.Authorization {
	a := &seam.Authorization{ResponseMode: "query", State: state, StateGiven: state != ""}
	a.Verify(callback, true)

	return a
}

// An error is redirected only where the redirect URI is verified, and is a page
// otherwise (RFC 6749 section 4.1.2.1).
func TestPage_ErrorGoesBackOnlyIfItMay(t *testing.T) {
	t.Parallel()
	refusal := grants.InvalidScope("No such scope.")
	r := newRig()
	w := r.page(func(context.Context) error { return refusal })
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "No such scope.")
	require.Empty(t, r.mode.params)
	require.Equal(t, http.StatusBadRequest, r.events[0].Status)

	w = r.page(func(context.Context) error { return &seam.Redirected{Err: refusal, To: verified("s")} })
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, seam.Params{
		{Name: "error", Value: "invalid_scope"},
		{Name: "error_description", Value: "No such scope."},
		{Name: "state", Value: "s"},
		{Name: "iss", Value: issuer},
	}, r.mode.params)
	require.Equal(t, http.StatusSeeOther, r.events[1].Status)
	require.Equal(t, "invalid_scope", r.events[1].Error)
}

// A panic in a hook or a store is a fault of the server, and its value is not shown.
func TestPage_PanicIsAFault(t *testing.T) {
	t.Parallel()
	r := newRig()
	w := r.page(func(context.Context) error { panic("a secret") })
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "secret")
	require.Equal(t, event.Failed, r.events[0].Outcome)
	require.NotContains(t, r.events[0].Cause, "secret")

	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		r.page(func(context.Context) error { panic(http.ErrAbortHandler) })
	})
}

// A page does nothing for a method that is neither GET nor POST: a HEAD would approve
// and lose the answer.
func TestPage_OnlyGetAndPost(t *testing.T) {
	t.Parallel()
	r := newRig()
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		w := r.serve(httptest.NewRequest(method, issuer+"/authorize", nil), func(context.Context) error {
			t.Error(method + " was served")
			return nil
		})
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, "GET, POST", w.Header().Get("Allow"))
	}
}

func TestPage_RequiresTLSWhereConfigured(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.RequireTLS = true
	plain := httptest.NewRequest(http.MethodGet, "http://as.example/authorize", nil)
	w := r.serve(plain, func(context.Context) error { return errors.New("served") })
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Equal(t, grants.ReasonTLS, r.events[0].Reason)
	require.Equal(t, http.StatusOK, r.page(func(context.Context) error { return nil }).Code)
}

// The work on one page has a deadline.
func TestPage_HasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		begin := time.Now()
		r.page(func(ctx context.Context) error {
			<-ctx.Done()
			return grants.Unavailable(ctx.Err())
		})
		require.Equal(t, time.Second, time.Since(begin))
		require.Equal(t, event.Failed, r.events[0].Outcome)
	})
}

// A request without an outcome makes no event: it waits for the user.
func TestPage_EventHasAnOutcome(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.page(func(context.Context) error { return nil })
	require.Empty(t, r.events)

	e := browser.Event("authorize")
	e.Subject = "alice"
	ok := r.Page(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), &e,
		func(context.Context) error { return nil })
	require.True(t, ok)
	require.Len(t, r.events, 1)
	require.Equal(t, event.OK, r.events[0].Outcome)
}

// The error page of the host replaces the built-in one. If it panics, the built-in
// one is shown.
func TestErrorPage_OfTheHost(t *testing.T) {
	t.Parallel()
	r := newRig()
	fail := func(context.Context) error { return grants.InvalidRequest("Wrong.") }
	r.ErrorPage = func(w http.ResponseWriter, _ *http.Request, status int, code, description string) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(code + " " + description))
	}
	w := r.page(fail)
	require.Equal(t, "invalid_request Wrong.", w.Body.String())
	require.Equal(t, http.StatusBadRequest, w.Code)

	r.ErrorPage = func(http.ResponseWriter, *http.Request, int, string, string) { panic("template") }
	w = r.page(fail)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Contains(t, w.Body.String(), "server_error")
}

// Only codes of this endpoint are sent to a client. A code of another endpoint, which
// a hook may return, becomes access_denied or server_error.
func TestRefusal_HasACodeOfThisEndpoint(t *testing.T) {
	t.Parallel()
	for code, want := range map[*grants.Error]string{
		grants.InvalidScope("x"):                              "invalid_scope",
		grants.InvalidTarget("x"):                             "invalid_target",
		grants.InvalidGrant("x"):                              "access_denied",
		grants.InvalidClient("x"):                             "access_denied",
		{Code: "made_up", Description: "x"}:                   "access_denied",
		{Code: "made_up", Status: http.StatusBadGateway}:      "server_error",
		{Code: "invalid\r\nX: y", Description: "x"}:           "access_denied",
		{Code: "consent_required", Description: "x"}:          "consent_required",
		{Code: "request_uri_not_supported", Description: "x"}: "request_uri_not_supported",
	} {
		r := newRig()
		r.page(func(context.Context) error { return &seam.Redirected{Err: code, To: verified("")} })
		require.Equal(t, want, r.mode.params.Value("error"), code.Code)
	}

	r := newRig()
	r.page(func(context.Context) error {
		return &seam.Redirected{Err: errors.New("pq: host 10.0.0.7"), To: verified("")}
	})
	require.Equal(t, "server_error", r.mode.params.Value("error"))
	require.NotContains(t, r.mode.params.Value("error_description"), "pq")
}

// The text of an error may be the host's. It is cut to the characters of RFC 6749
// section 4.1.2.1.
func TestRefusal_TextIsPlain(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.ErrorText = func(string, string) (string, string) {
		return "Nein,\n\"das\" geht nicht: ä" + strings.Repeat("x", 1000), "https://help.example/é"
	}
	r.page(func(context.Context) error { return &seam.Redirected{Err: grants.InvalidScope("x"), To: verified("")} })
	text := r.mode.params.Value("error_description")
	require.True(t, strings.HasPrefix(text, "Nein,das geht nicht: x"), text)
	require.Len(t, text, frame.MaxDescription)
	require.Equal(t, "https://help.example/", r.mode.params.Value("error_uri"))

	r.ErrorText = func(string, string) (string, string) { panic("translation") }
	r.page(func(context.Context) error {
		return &seam.Redirected{Err: grants.InvalidScope("built in"), To: verified("")}
	})
	require.Equal(t, "built in", r.mode.params.Value("error_description"))
}

// The parameters of a page are the query of a GET or the form of a POST, never both,
// and within bounds.
func TestForm_ReadsOnePlace(t *testing.T) {
	t.Parallel()
	r := newRig()
	post := func(target, contentType, body string) (map[string][]string, error) {
		req := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
		req.Header.Set("Content-Type", contentType)
		return r.Form(httptest.NewRecorder(), req)
	}
	const form = "application/x-www-form-urlencoded"
	got, err := r.Form(nil, httptest.NewRequest(http.MethodGet, "/authorize?a=1", nil))
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"a": {"1"}}, map[string][]string(got))
	got2, err := post("/authorize?a=1", form+"; charset=utf-8", "b=2")
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"b": {"2"}}, got2)

	for name, send := range map[string]func() error{
		"JSON": func() error { _, err := post("/", "application/json", "{}"); return err },
		"large body": func() error {
			_, err := post("/", form, "a="+strings.Repeat("x", 1<<10))
			return err
		},
		"large query": func() error {
			_, err := r.Form(nil, httptest.NewRequest(http.MethodGet, "/?a="+strings.Repeat("x", 1<<10), nil))
			return err
		},
		"repeated": func() error { _, err := post("/", form, "a=1&a=2"); return err },
	} {
		require.Error(t, send(), name)
	}
}

// The codes of the authorization endpoint reach the client as they are.
//
// Holds: RFC 6749 section 4.1.2.1.
func TestRefusal_KeepsTheCodesOfThisEndpoint(t *testing.T) {
	t.Parallel()
	r := newRig()
	for _, code := range []string{
		"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope",
		"server_error", "temporarily_unavailable", "invalid_target", "login_required", "consent_required",
		"interaction_required", "account_selection_required", "request_not_supported", "request_uri_not_supported",
		"registration_not_supported",
	} {
		params := r.Refusal(&grants.Error{Code: code, Status: http.StatusBadRequest})
		require.Equal(t, seam.Param{Name: "error", Value: code}, params[0])
	}
}
