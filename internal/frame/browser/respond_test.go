package browser_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/seam"
)

// The state comes back as it was sent, and iss names the server (RFC 9207).
//
// Holds: RFC 6749 section 4.1.2; RFC 9207 section 2.
func TestRespond_AddsStateAndIssuer(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]seam.Params{
		"":             {{Name: "code", Value: "c"}, {Name: "iss", Value: issuer}},
		"a+b %zz\r\n💚": {{Name: "code", Value: "c"}, {Name: "state", Value: "a+b %zz\r\n💚"}, {Name: "iss", Value: issuer}},
	} {
		r := newRig()
		status := r.Respond(httptest.NewRecorder(), verified(state), seam.Params{{Name: "code", Value: "c"}})
		require.Equal(t, http.StatusSeeOther, status)
		require.Equal(t, want, r.mode.params)
	}
}

// A state and an iss that are there already are sent once.
func TestRespond_AddsNothingTwice(t *testing.T) {
	t.Parallel()
	r := newRig()
	own := seam.Params{{Name: "state", Value: "s"}, {Name: "iss", Value: issuer}}
	r.Respond(httptest.NewRecorder(), verified("s"), own)
	require.Equal(t, own, r.mode.params)
}

// A page that is a redirect may not be framed, cached or read by a script (RFC 9700
// section 2.6).
//
// Holds: RFC 6749 section 10.13; RFC 9700 section 2.6; RFC 9700 section 4.12.
func TestRespond_Headers(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	pages.Headers(w.Header())
	newRig().Respond(w, verified("s"), seam.Params{{Name: "code", Value: "c"}})
	for name, want := range map[string]string{
		"Cache-Control":                    "no-store",
		"Referrer-Policy":                  "no-referrer",
		"X-Content-Type-Options":           "nosniff",
		"X-Frame-Options":                  "DENY",
		"Access-Control-Allow-Origin":      "",
		"Access-Control-Allow-Credentials": "",
		"Content-Security-Policy":          "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
	} {
		require.Equal(t, want, w.Header().Get(name), name)
	}
}

// Only the URI that was verified gets an answer.
func TestRespond_NeverGoesToWhatWasNotVerified(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"", "/local", "//evil", "javascript:alert(1)", "http://app.example/cb", callback, callback + "#f",
		callback + "\r\nX: y",
	} {
		for _, mode := range []string{"query", "jwt", ""} {
			for name, to := range map[string]*seam.Authorization{
				"never verified":   {RedirectURI: uri, ResponseMode: mode},
				"another verified": verified("s"),
			} {
				r := newRig()
				to.RedirectURI = uri
				to.ResponseMode = mode
				if to.Verified() && mode == "query" {
					continue
				}
				w := httptest.NewRecorder()
				status := r.Respond(w, to, seam.Params{{Name: "code", Value: "secret"}})
				require.Equal(t, http.StatusInternalServerError, status, "%s %q %q", name, uri, mode)
				require.Equal(t, status, w.Code)
				require.Empty(t, w.Header().Get("Location"))
				require.NotContains(t, w.Body.String(), "secret")
				require.Empty(t, r.mode.params)
			}
		}
	}
}
