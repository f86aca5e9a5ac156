package backchannel_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/seam"
)

// parsed sends a request and returns its form, or the answer if it was refused.
func parsed(t *testing.T, e seam.Endpoint, req *http.Request) (url.Values, *httptest.ResponseRecorder, grants.Reason) {
	t.Helper()
	r := newRig()
	var got url.Values
	e.Handle = func(_ context.Context, c *seam.Call) (seam.Reply, error) {
		got = c.Form
		return seam.Reply{}, nil
	}
	w := r.serve(e, req)

	return got, w, r.events[0].Reason
}

// The form of a POST is its body, whatever the query says, and the body must be
// declared to be a form.
func TestParse_TheBodyIsTheForm(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{formType, formType + "; charset=utf-8", "Application/X-WWW-Form-URLEncoded"} {
		req := httptest.NewRequest(http.MethodPost, "/token?b=2", strings.NewReader("a=1&resource=x&resource=y&empty="))
		req.Header.Set("Content-Type", contentType)
		got, w, _ := parsed(t, seam.Endpoint{}, req)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, url.Values{"a": {"1"}, "resource": {"x", "y"}}, got)
	}
	for _, contentType := range []string{"", "application/json", "multipart/form-data; boundary=x", "text/plain", formType + "; charset"} {
		req := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader("a=1"))
		req.Header.Set("Content-Type", contentType)
		_, w, reason := parsed(t, seam.Endpoint{}, req)
		require.Equal(t, http.StatusBadRequest, w.Code, contentType)
		require.Equal(t, grants.ReasonMalformed, reason, contentType)
	}
}

// A form that another reader could read differently is refused.
func TestParse_AmbiguousIsRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"a=1&a=2", "a=&a=2", "a=%zz", "a=%00", "a=%ff", strings.Repeat("p&", 101)} {
		_, w, reason := parsed(t, seam.Endpoint{}, form("/token", body))
		require.Equal(t, http.StatusBadRequest, w.Code, body)
		require.Equal(t, grants.ReasonMalformed, reason, body)
	}
}

// A body or a query above the bound is not read to its end.
func TestParse_SizeIsBounded(t *testing.T) {
	t.Parallel()
	long := "a=" + strings.Repeat("x", 1<<10)
	unknown := form("/token", "")
	unknown.Body = io.NopCloser(strings.NewReader(long))
	unknown.ContentLength = -1
	for name, req := range map[string]*http.Request{
		"declared":   form("/token", long),
		"undeclared": unknown,
		"query":      httptest.NewRequest(http.MethodGet, "/token?"+long, nil),
	} {
		_, w, reason := parsed(t, seam.Endpoint{Get: true}, req)
		require.Equal(t, http.StatusRequestEntityTooLarge, w.Code, name)
		require.Equal(t, grants.ReasonTooLarge, reason, name)
	}
	exact := form("/token", long[:1<<10])
	_, w, _ := parsed(t, seam.Endpoint{}, exact)
	require.Equal(t, http.StatusOK, w.Code)
}

// A body that ends early is no form.
func TestBody_EndsEarly(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]io.Reader{
		"short":  strings.NewReader("a=1"),
		"broken": iotest.ErrReader(io.ErrUnexpectedEOF),
	} {
		for _, length := range []int64{100, -1} {
			if name == "short" && length < 0 {
				continue
			}
			req := form("/token", "")
			req.Body = io.NopCloser(body)
			req.ContentLength = length
			_, err := newRig().Body(httptest.NewRecorder(), req, 1<<10, time.Now().Add(time.Minute))
			require.Equal(t, grants.ReasonMalformed, grants.ErrorOf(err).Reason, name)
		}
	}
}

// A secret in the URL of a POST is refused, because logs keep it (RFC 6749 section
// 2.3.1), however its name is spelled. Other parameters there are not read.
func TestParse_SecretsInTheURLAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"client_secret", "client_assertion", "code", "token", "access_token", "refresh_token", "assertion",
		"password", "username", "code_verifier", "device_code", "subject_token", "actor_token",
		"client%5Fsecret", "%63ode",
	} {
		for _, query := range []string{name + "=x", "a=1&" + name + "=", name} {
			_, w, reason := parsed(t, seam.Endpoint{}, form("/token?"+query, "a=1"))
			require.Equal(t, http.StatusBadRequest, w.Code, query)
			require.Equal(t, grants.ReasonInURL, reason, query)
		}
	}
	for _, query := range []string{"client_id=x", "codes=x", "x=code", "CODE=x"} {
		got, w, _ := parsed(t, seam.Endpoint{}, form("/token?"+query, "a=1"))
		require.Equal(t, http.StatusOK, w.Code, query)
		require.Equal(t, url.Values{"a": {"1"}}, got)
	}
}
