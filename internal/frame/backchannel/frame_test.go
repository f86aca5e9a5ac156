package backchannel_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/event"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/frame/backchannel"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

const formType = "application/x-www-form-urlencoded"

// handle is what an endpoint does with a call.
type handle = func(ctx context.Context, c *seam.Call) (seam.Reply, error)

// rig is a frame, and the events that it sent.
type rig struct {
	*backchannel.Frame
	events []event.Event
}

func newRig() *rig {
	r := &rig{}
	r.Frame = &backchannel.Frame{
		Settings: frame.Settings{
			Issuer:  `https://as.example`,
			Timeout: time.Second,
			MaxBody: 1 << 10,
			Events: &event.Sink{
				Send:      func(_ context.Context, e event.Event) { r.events = append(r.events, e) },
				Addr:      func(*http.Request) netip.Addr { return netip.Addr{} },
				RequestID: func(*http.Request) string { return "r" },
			},
		},
		Origins: []string{"https://host.example"},
		Clients: finder{"https://app.example": nil, "https://down.example": errors.New("store down")},
	}

	return r
}

// finder are clients that know their origins. An origin may come with an error.
type finder map[string]error

// Client implements storage.Clients.
func (finder) Client(context.Context, string) (storage.Client, error) {
	return storage.Client{}, storage.ErrNotFound
}

// HasOrigin implements storage.OriginFinder.
func (f finder) HasOrigin(_ context.Context, origin string) (bool, error) {
	err, ok := f[origin]
	return ok, err
}

// post sends a form to an endpoint.
func (r *rig) post(do handle) *httptest.ResponseRecorder {
	return r.serve(seam.Endpoint{Name: "token", Handle: do}, form("https://as.example/token", "a=1"))
}

func (r *rig) serve(e seam.Endpoint, req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.Handler(e).ServeHTTP(w, req)

	return w
}

func form(target, body string) *http.Request {
	req := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	req.Header.Set("Content-Type", formType)

	return req
}

// failing returns an endpoint that fails.
func failing(err error) handle {
	return func(context.Context, *seam.Call) (seam.Reply, error) { return seam.Reply{}, err }
}

// An answer is JSON that no cache keeps (RFC 6749 section 5.1), and makes one event.
func TestAnswer_IsJSONWithoutCache(t *testing.T) {
	t.Parallel()
	r := newRig()
	w := r.serve(seam.Endpoint{
		Name:    "token",
		NoCache: true,
		Handle: func(_ context.Context, c *seam.Call) (seam.Reply, error) {
			require.Equal(t, url.Values{"a": {"1"}}, c.Form)
			return seam.Reply{
				Members: seam.Members{seam.Text("x", "y")},
				Header:  http.Header{"Dpop-Nonce": {"n"}},
				Event:   event.Event{Subject: "alice"},
			}, nil
		},
	}, form("/token", "a=1"))
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"x":"y"}`, w.Body.String())
	for name, want := range map[string]string{
		"Content-Type":           "application/json",
		"Cache-Control":          "no-store",
		"Pragma":                 "no-cache",
		"X-Content-Type-Options": "nosniff",
		"DPoP-Nonce":             "n",
	} {
		require.Equal(t, want, w.Header().Get(name), name)
	}
	require.Len(t, r.events, 1)
	require.Equal(t, "token", r.events[0].Endpoint)
	require.Equal(t, event.OK, r.events[0].Outcome)
	require.Equal(t, http.StatusOK, r.events[0].Status)
	require.Equal(t, "alice", r.events[0].Subject)
}

// An answer without a body has no length of its own and keeps its status.
func TestAnswer_MayBeEmptyOrReady(t *testing.T) {
	t.Parallel()
	w := newRig().post(func(context.Context, *seam.Call) (seam.Reply, error) {
		return seam.Reply{Status: http.StatusNoContent}, nil
	})
	require.Equal(t, http.StatusNoContent, w.Code)
	require.Empty(t, w.Body.String())
	require.Empty(t, w.Header().Get("Content-Type"))

	ready := []byte(`{"keys":[` + strings.Repeat(" ", 2<<10) + `]}`)
	w = newRig().post(func(context.Context, *seam.Call) (seam.Reply, error) { return seam.Reply{JSON: ready}, nil })
	require.Equal(t, ready, w.Body.Bytes())
	require.Equal(t, strconv.Itoa(len(ready)), w.Header().Get("Content-Length"))
}

// An answer that has no JSON form is a fault of the server, and no part of it is
// sent.
func TestAnswer_WithoutJSONFormIsAFault(t *testing.T) {
	t.Parallel()
	r := newRig()
	w := r.post(func(context.Context, *seam.Call) (seam.Reply, error) {
		return seam.Reply{Members: seam.Members{seam.Text("access_token", "secret"), seam.Other("f", func() {})}}, nil
	})
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.JSONEq(t, `{"error":"server_error"}`, w.Body.String())
	require.Equal(t, event.Failed, r.events[0].Outcome)
	require.Equal(t, http.StatusInternalServerError, r.events[0].Status)
}

// An error has the members of RFC 6749 section 5.2, in its characters, and nothing of
// the cause.
func TestError_IsOnlyWhatTheClientMayKnow(t *testing.T) {
	t.Parallel()
	r := newRig()
	w := r.post(failing(&grants.Error{
		Code:        "invalid_grant\r\n\"",
		Description: "Ä \"quoted\" \\ text\x00 " + strings.Repeat("x", 500),
		URI:         "https://help.example/a b\"",
		Err:         errors.New("pq: 10.0.0.7"),
		Reason:      grants.ReasonGrant,
	}))
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.NotContains(t, w.Body.String(), "pq")
	require.JSONEq(t, `{"error":"invalid_grant","error_description":" quoted  text `+strings.Repeat("x", 256-14)+
		`","error_uri":"https://help.example/ab"}`, w.Body.String())
	require.Equal(t, event.Refused, r.events[0].Outcome)
	require.Equal(t, grants.ReasonGrant, r.events[0].Reason)
	require.Contains(t, r.events[0].Cause, "pq")

	long := &grants.Error{Code: "x~", URI: "https://help.example/" + strings.Repeat("u", 600)}
	require.JSONEq(t, `{"error":"x~","error_uri":"https://help.example/`+strings.Repeat("u", 512-21)+`"}`,
		newRig().post(failing(long)).Body.String())

	w = r.post(failing(errors.New("pq: 10.0.0.7")))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "pq")
	require.Contains(t, w.Body.String(), "server_error")
	require.Equal(t, event.Failed, r.events[1].Outcome)

	// An answer that was made before the error is not sent with it.
	w = r.post(func(context.Context, *seam.Call) (seam.Reply, error) {
		return seam.Reply{JSON: []byte(`{"access_token":"secret"}`)}, grants.InvalidGrant("late")
	})
	require.NotContains(t, w.Body.String(), "secret")
}

// The host may replace the text of an error. If its function panics, the built-in
// text is used.
func TestError_TextOfTheHost(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.ErrorText = func(code, _ string) (string, string) { return "Text for " + code, "https://help.example/" }
	require.JSONEq(t, `{"error":"invalid_scope","error_description":"Text for invalid_scope","error_uri":"https://help.example/"}`,
		r.post(failing(grants.InvalidScope("built in"))).Body.String())
	r.ErrorText = func(string, string) (string, string) { panic("translation") }
	require.Contains(t, r.post(failing(grants.InvalidScope("built in"))).Body.String(), "built in")
}

// A status 401 carries a challenge (RFC 6749 section 5.2), the error's own if it has
// one. A status 503 says when to come back.
func TestError_Headers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want http.Header
	}{
		"no client": {grants.InvalidClient("x"), http.Header{"Www-Authenticate": {`Basic realm="https://as.example"`}}},
		"own challenge": {
			&grants.Error{Code: "invalid_client", Header: http.Header{"Www-Authenticate": {"DPoP"}}},
			http.Header{"Www-Authenticate": {"DPoP"}},
		},
		"own header": {
			&grants.Error{Code: "use_dpop_nonce", Header: http.Header{"Dpop-Nonce": {"n"}}},
			http.Header{"Dpop-Nonce": {"n"}, "Www-Authenticate": nil},
		},
		"too many tries": {grants.TooManyTries(1500 * time.Millisecond), http.Header{"Retry-After": {"2"}}},
		"no time given":  {&grants.Error{Code: "temporarily_unavailable", Status: 503}, http.Header{"Retry-After": {"1"}}},
		"refused":        {grants.InvalidGrant("x"), http.Header{"Retry-After": nil, "Www-Authenticate": nil}},
	} {
		w := newRig().post(failing(c.err))
		for header, want := range c.want {
			require.Equal(t, want, w.Result().Header[header], "%s: %s", name, header)
		}
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"), name)
	}
}

// An endpoint whose callers the host authenticates names no scheme of its own.
func TestError_HostedHasNoChallenge(t *testing.T) {
	t.Parallel()
	r := newRig()
	w := httptest.NewRecorder()
	r.Hosted("admin", func(context.Context, http.ResponseWriter, *seam.Call) (seam.Reply, error) {
		return seam.Reply{}, grants.InvalidClient("x")
	}).ServeHTTP(w, form("/admin", ""))
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.NotContains(t, w.Result().Header, "Www-Authenticate")
}

// The body of a request to a path that is not served is not waited for.
func TestPaths_BodyOfAnUnknownPathIsNotRead(t *testing.T) {
	t.Parallel()
	r := newRig()
	h := r.Paths("", []seam.Endpoint{{Path: "/token"}}).Handler()
	for body, want := range map[string]string{"a=1": "close", "": ""} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, form("/other", body))
		require.Equal(t, http.StatusNotFound, w.Code)
		require.Equal(t, want, w.Header().Get("Connection"), body)
	}
}

// A quote in the issuer cannot end the challenge's string (RFC 9110 section 5.6.4).
func TestError_ChallengeIsQuoted(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.Issuer = `https://as.example/"\`
	w := r.post(failing(grants.InvalidClient("x")))
	require.Equal(t, `Basic realm="https://as.example/\"\\"`, w.Header().Get("WWW-Authenticate"))
}

// A panic is a fault of the server, and its value is not shown: it may be a secret.
func TestPanic_IsAFault(t *testing.T) {
	t.Parallel()
	r := newRig()
	for _, value := range []any{"a secret", errors.New("a secret"), grants.InvalidGrant("a secret")} {
		w := r.post(func(context.Context, *seam.Call) (seam.Reply, error) { panic(value) })
		require.Equal(t, http.StatusInternalServerError, w.Code)
		require.NotContains(t, w.Body.String(), "secret")
	}
	for _, e := range r.events {
		require.Equal(t, event.Failed, e.Outcome)
		require.NotContains(t, e.Cause, "secret")
	}
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		r.post(func(context.Context, *seam.Call) (seam.Reply, error) { panic(http.ErrAbortHandler) })
	})
}

// The work on one request has a deadline. A fault after it is status 503, because the
// caller may try again.
func TestDeadline_IsTemporary(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		begin := time.Now()
		w := r.post(func(ctx context.Context, _ *seam.Call) (seam.Reply, error) {
			<-ctx.Done()
			return seam.Reply{}, ctx.Err()
		})
		require.Equal(t, time.Second, time.Since(begin))
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, grants.ReasonTimeout, r.events[0].Reason)

		// A refusal that comes late is still the caller's fault.
		w = r.post(func(ctx context.Context, _ *seam.Call) (seam.Reply, error) {
			<-ctx.Done()
			return seam.Reply{}, grants.InvalidGrant("x")
		})
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Equal(t, grants.ReasonGrant, r.events[1].Reason)
	})
}

// An endpoint has its methods and refuses every other one (RFC 9110 section 15.5.6).
func TestMethods_AreThoseOfTheEndpoint(t *testing.T) {
	t.Parallel()
	ok := func(_ context.Context, c *seam.Call) (seam.Reply, error) {
		return seam.Reply{Members: seam.Members{seam.Text("a", c.Form.Get("a"))}}, nil
	}
	for _, get := range []bool{false, true} {
		e := seam.Endpoint{Name: "tokeninfo", Get: get, Handle: ok}
		for _, method := range []string{
			http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "post",
		} {
			w := newRig().serve(e, httptest.NewRequest(method, "/x?a=1", nil))
			if get && method == http.MethodGet {
				require.JSONEq(t, `{"a":"1"}`, w.Body.String())
				continue
			}
			require.Equal(t, http.StatusMethodNotAllowed, w.Code, "%v %s", get, method)
			want := "POST"
			if get && method != http.MethodOptions {
				want = "GET, POST"
			}
			require.Equal(t, want, w.Header().Get("Allow"), "%v %s", get, method)
		}
	}
}

func TestTLS_IsRequiredWhereConfigured(t *testing.T) {
	t.Parallel()
	served := func(context.Context, *seam.Call) (seam.Reply, error) { return seam.Reply{}, nil }
	r := newRig()
	r.RequireTLS = true
	e := seam.Endpoint{Handle: served}
	require.Equal(t, http.StatusBadRequest, r.serve(e, form("http://as.example/token", "")).Code)
	require.Equal(t, grants.ReasonTLS, r.events[0].Reason)
	require.Equal(t, http.StatusOK, r.serve(e, form("https://as.example/token", "")).Code)

	hosted := r.Hosted("admin", func(context.Context, http.ResponseWriter, *seam.Call) (seam.Reply, error) {
		t.Error("served")
		return seam.Reply{}, nil
	})
	w := httptest.NewRecorder()
	hosted.ServeHTTP(w, form("http://as.example/admin", ""))
	require.Equal(t, http.StatusBadRequest, w.Code)
}

// The client is authenticated before the endpoint is asked. It is known to the event
// also where it could not authenticate.
func TestAuthenticate_ComesFirst(t *testing.T) {
	t.Parallel()
	r := newRig()
	client := &storage.Client{ID: "app"}
	e := seam.Endpoint{Name: "introspect", Authenticate: true, Handle: func(_ context.Context, c *seam.Call) (seam.Reply, error) {
		require.Same(t, client, c.Client)
		require.True(t, c.Authenticated)
		return seam.Reply{}, nil
	}}
	r.Frame.Authenticate = func(context.Context, *seam.Call) (*storage.Client, bool, error) { return client, true, nil }
	require.Equal(t, http.StatusOK, r.serve(e, form("/introspect", "")).Code)

	e.Handle = func(context.Context, *seam.Call) (seam.Reply, error) { t.Error("served"); return seam.Reply{}, nil }
	r.Frame.Authenticate = func(context.Context, *seam.Call) (*storage.Client, bool, error) {
		return client, false, grants.InvalidClient("wrong secret")
	}
	w := r.serve(e, form("/introspect", ""))
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, []string{"app", "app"}, []string{r.events[0].ClientID, r.events[1].ClientID})
}

// xml is a format that a request may choose.
type xml struct{ fails bool }

func (x xml) Format(f url.Values) (*seam.Format, error) {
	switch f.Get("format") {
	case "xml":
		return &seam.Format{ContentType: "application/xml", Encode: func(m seam.Members) ([]byte, error) {
			if x.fails {
				return nil, errors.New("no XML form")
			}
			var b bytes.Buffer
			for i := range m {
				text, _ := m[i].Plain()
				b.WriteString("<" + m[i].Name + ">" + text)
			}
			return b.Bytes(), nil
		}}, nil
	case "":
		return nil, nil
	}

	return nil, grants.InvalidRequest("The format is unknown.")
}

// A request may choose the form of its answer, also of an error. One that it cannot
// have is JSON.
func TestFormat_IsThatOfTheRequest(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.Formatters = []seam.Formatter{xml{}}
	e := seam.Endpoint{Handle: func(context.Context, *seam.Call) (seam.Reply, error) {
		return seam.Reply{Members: seam.Members{seam.Text("a", "b")}}, nil
	}}
	w := r.serve(e, form("/token", "format=xml"))
	require.Equal(t, "<a>b", w.Body.String())
	require.Equal(t, "application/xml", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"a":"b"}`, r.serve(e, form("/token", "")).Body.String())

	w = r.serve(e, form("/token", "format=yaml"))
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))

	e.Handle = failing(grants.InvalidScope(""))
	w = r.serve(e, form("/token", "format=xml"))
	require.Equal(t, "<error>invalid_scope", w.Body.String())

	r.Formatters = []seam.Formatter{xml{fails: true}}
	w = r.serve(e, form("/token", "format=xml"))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.JSONEq(t, `{"error":"server_error"}`, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
}
