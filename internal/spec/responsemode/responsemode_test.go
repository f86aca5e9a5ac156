package responsemode_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/internal/spec/responsemode"
)

const callback = "https://app.example/cb"

// states are values that clients send to find their way back.
var states = []string{
	"xyzzy", "a+b c%20d&e=f#g?h", "%", "%zz", "ü, 日本, 🙂", `"'><script>alert(1)</script>`, "\t", " ", "+",
	strings.Repeat("Aa0-._~", 60), "a=b;c=d",
}

// encode writes an answer in a mode, as the frame does.
func encode(t *testing.T, mode seam.Encoder, uri string, params ...seam.Param) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	pages.Headers(w.Header())
	status := mode.Encode(w, &seam.Authorization{RedirectURI: uri}, params)
	require.Equal(t, w.Code, status)

	return w
}

// A query that is registered stays byte for byte, and the parameters follow it in
// their order (RFC 6749 section 3.1.2).
//
// Holds: RFC 6749 section 3.1.2; RFC 6749 section 4.1.2; RFC 9207 section 2.
func TestQuery_AppendsToTheVerifiedURI(t *testing.T) {
	t.Parallel()
	for uri, prefix := range map[string]string{
		callback:                     callback + "?",
		callback + "?":               callback + "?",
		callback + "?a=1":            callback + "?a=1&",
		callback + "?a=1&":           callback + "?a=1&",
		callback + "?b=%7e+%20&a=1;": callback + "?b=%7e+%20&a=1;&",
		"http://127.0.0.1:4711/cb":   "http://127.0.0.1:4711/cb?",
		"com.example.app:/cb":        "com.example.app:/cb?",
		"https://app.example":        "https://app.example?",
	} {
		for _, state := range states {
			w := encode(t, responsemode.Query{}, uri,
				seam.Param{Name: "code", Value: "c/+="}, seam.Param{Name: "state", Value: state})
			location := w.Header().Get("Location")
			query, ok := strings.CutPrefix(location, prefix)
			require.True(t, ok, location)
			require.NotContains(t, location, "#")
			require.True(t, strings.HasPrefix(query, "code="), "in order")
			got, err := url.ParseQuery(query)
			require.NoError(t, err)
			require.Equal(t, url.Values{"code": {"c/+="}, "state": {state}}, got)
		}
	}
	require.Equal(t, callback, encode(t, responsemode.Query{}, callback).Header().Get("Location"))
}

// A token goes into the fragment, whatever the mode of the request is.
//
// Holds: RFC 6749 section 4.2.2.
func TestFragment_LeavesTheQueryAlone(t *testing.T) {
	t.Parallel()
	for _, state := range states {
		w := encode(t, responsemode.Fragment{}, callback+"?a=1", seam.Param{Name: "access_token", Value: "t"},
			seam.Param{Name: "scope", Value: "read write"}, seam.Param{Name: "state", Value: state})
		fragment, ok := strings.CutPrefix(w.Header().Get("Location"), callback+"?a=1#")
		require.True(t, ok)
		got, err := url.ParseQuery(fragment)
		require.NoError(t, err)
		require.Equal(t, url.Values{"access_token": {"t"}, "scope": {"read write"}, "state": {state}}, got)
	}
	for _, name := range []string{"access_token", "id_token"} {
		w := encode(t, responsemode.Query{}, callback, seam.Param{Name: name, Value: "t"})
		require.Equal(t, callback+"#"+name+"=t", w.Header().Get("Location"))
	}
}

// The status 303 makes a browser change to GET (RFC 9700 section 4.12), and no body
// repeats the code.
//
// Holds: RFC 9700 section 4.12.
func TestRedirect_HasNoBody(t *testing.T) {
	t.Parallel()
	for _, mode := range []seam.Encoder{responsemode.Query{}, responsemode.Fragment{}} {
		w := encode(t, mode, callback, seam.Param{Name: "code", Value: "c"})
		require.Equal(t, http.StatusSeeOther, w.Code)
		require.Empty(t, w.Body.String(), "the code is in the header alone")
	}
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	formInput  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	formCode   = regexp.MustCompile(`<script>(.*)</script>`)
)

// OAuth 2.0 Form Post Response Mode: every value comes back byte for byte, and the
// policy allows the page's own script by its hash and no other.
//
// Holds: RFC 6749 section 10.13; OAuth 2.0 Form Post Response Mode section 2.
func TestFormPost_EscapesValuesAndAllowsItsScript(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		callback, callback + "?a=1&b=%7E'(x)", "http://127.0.0.1:4711/cb", "http://[::1]:1/cb",
	} {
		for _, state := range states {
			w := encode(t, responsemode.FormPost{}, uri,
				seam.Param{Name: "code", Value: `c"><b>`}, seam.Param{Name: "state", Value: state})
			body := w.Body.String()
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
			require.Equal(t, html.EscapeString(uri), formAction.FindStringSubmatch(body)[1])
			got := map[string]string{}
			for _, in := range formInput.FindAllStringSubmatch(body, -1) {
				got[in[1]] = html.UnescapeString(in[2])
			}
			require.Equal(t, map[string]string{"code": `c"><b>`, "state": state}, got)

			scripts := formCode.FindAllStringSubmatch(body, -1)
			require.Len(t, scripts, 1)
			require.Equal(t, 1, strings.Count(body, "<script"))
			require.Contains(t, body, "<button>", "works without scripts")
			sum := sha256.Sum256([]byte(scripts[0][1]))
			policy := w.Header().Get("Content-Security-Policy")
			require.Contains(t, policy, "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
			require.Contains(t, policy, "default-src 'none'")
			require.Contains(t, policy, "frame-ancestors 'none'")
			require.NotContains(t, policy, "unsafe")
			require.NotContains(t, policy, "form-action")
			require.Empty(t, w.Header().Get("Location"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		}
	}
}

// A form that posts to a script or to a program is never written.
func TestFormPost_GoesToTheWebOnly(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"", "/local", "//evil", "javascript:alert(1)", "com.example.app:/cb", "HTTPS://app.example/cb"} {
		w := encode(t, responsemode.FormPost{}, uri, seam.Param{Name: "code", Value: "secret"})
		require.Equal(t, http.StatusInternalServerError, w.Code)
		require.NotContains(t, w.Body.String(), "secret")
		require.Empty(t, w.Header().Get("Location"))
	}
}

// A mode refuses what it cannot carry before anything is issued.
func TestAccept_RefusesWhatTheModeCannotCarry(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode       seam.Encoder
		uri, state string
		secret, ok bool
	}{
		"query":                        {responsemode.Query{}, callback, "s", false, true},
		"query with a token":           {responsemode.Query{}, callback, "s", true, false},
		"fragment":                     {responsemode.Fragment{}, callback, "s\n", true, true},
		"form_post":                    {responsemode.FormPost{}, callback, "s", true, true},
		"form_post to loopback":        {responsemode.FormPost{}, "http://127.0.0.1/cb", "s", true, true},
		"form_post to a program":       {responsemode.FormPost{}, "com.example.app:/cb", "s", false, false},
		"form_post with a line feed":   {responsemode.FormPost{}, callback, "a\nb", false, false},
		"form_post with a return":      {responsemode.FormPost{}, callback, "a\rb", false, false},
		"form_post with other spacing": {responsemode.FormPost{}, callback, "a\t\u2028b", false, true},
	} {
		err := c.mode.Accept(&seam.Authorization{RedirectURI: c.uri, State: c.state}, c.secret)
		if c.ok {
			require.NoError(t, err, name)
			continue
		}
		e := grants.ErrorOf(err)
		require.Equal(t, "invalid_request", e.Code, name)
		require.Equal(t, grants.ReasonResponseMode, e.Reason, name)
	}
}
