package frontchannel_test

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

	"github.com/grantwell/grantwell/internal/frontchannel"
	"github.com/grantwell/grantwell/internal/pages"
)

const issuer = "https://as.example"

func withIssuer(c *frontchannel.Config) { c.Issuer = issuer }

func respond(f *frontchannel.FrontChannel, r *frontchannel.Request, params ...frontchannel.Param) *http.Response {
	w := httptest.NewRecorder()
	f.Respond(w, r, params)
	return w.Result()
}

// states are what clients send to find their way back.
var states = []string{
	"xyzzy", "a+b c%20d&e=f#g?h", "%", "%zz", "ü, 日本, 🙂", `"'><script>alert(1)</script>`, "\t", " ", "+", strings.Repeat("Aa0-._~", 60), "a=b;c=d",
}

// Holds R30, R36, R37, S31, S32, S41.
func TestRespond_AppendsToTheVerifiedURI(t *testing.T) {
	t.Parallel()
	f := server(t, withIssuer)
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
			r := &frontchannel.Request{RedirectURI: uri, ResponseMode: "query", State: state, StateGiven: true}
			res := respond(f, r, frontchannel.Param{Name: "code", Value: "c/+="})
			location := res.Header.Get("Location")
			query, ok := strings.CutPrefix(location, prefix)
			require.True(t, ok, location)
			require.NotContains(t, location, "#")
			require.True(t, strings.HasPrefix(query, "code="), "in order")
			got, err := url.ParseQuery(query)
			require.NoError(t, err)
			require.Equal(t, url.Values{"code": {"c/+="}, "state": {state}, "iss": {issuer}}, got)
		}
	}
	res := respond(server(t, nil), &frontchannel.Request{RedirectURI: callback, ResponseMode: "query"})
	require.Equal(t, callback, res.Header.Get("Location"), "no state when none was sent, no iss when none is configured")
}

// The caller's own state and iss are sent once, and its slice is not written to.
func TestRespond_AddsNothingTwice(t *testing.T) {
	t.Parallel()
	f := server(t, withIssuer)
	r := &frontchannel.Request{RedirectURI: callback, ResponseMode: "query", State: "s", StateGiven: true}
	params := make(frontchannel.Params, 0, 8)
	params.Add("state", "s")
	params.Add("iss", issuer)
	res := respond(f, r, params...)
	require.Equal(t, callback+"?state=s&iss=https%3A%2F%2Fas.example", res.Header.Get("Location"))

	params = params[:1]
	w := httptest.NewRecorder()
	f.Respond(w, r, params)
	require.Equal(t, "iss", params[:2][1].Name)
	params[:2][1] = frontchannel.Param{Name: "mine"}
	f.Respond(httptest.NewRecorder(), r, params)
	require.Equal(t, "mine", params[:2][1].Name)
}

// Holds R127, S48.
func TestRespond_FragmentLeavesTheQueryAlone(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for _, state := range states {
		r := &frontchannel.Request{RedirectURI: callback + "?a=1", ResponseMode: "fragment", State: state, StateGiven: true}
		res := respond(f, r, frontchannel.Param{Name: "access_token", Value: "t"}, frontchannel.Param{Name: "scope", Value: "read write"})
		fragment, ok := strings.CutPrefix(res.Header.Get("Location"), callback+"?a=1#")
		require.True(t, ok)
		got, err := url.ParseQuery(fragment)
		require.NoError(t, err)
		require.Equal(t, url.Values{"access_token": {"t"}, "scope": {"read write"}, "state": {state}}, got)
	}
	res := respond(f, &frontchannel.Request{RedirectURI: callback, ResponseMode: "query"}, frontchannel.Param{Name: "access_token", Value: "t"})
	require.Equal(t, callback+"#access_token=t", res.Header.Get("Location"), "whatever the caller says")
}

// Holds R38, R39, R40.
func TestRespond_Headers(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for mode, status := range map[string]int{"query": 303, "fragment": 303, "form_post": 200} {
		w := httptest.NewRecorder()
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		pages.Headers(w.Header())
		f.Respond(w, &frontchannel.Request{RedirectURI: callback, ResponseMode: mode}, frontchannel.Params{{Name: "code", Value: "c"}})
		require.Equal(t, status, w.Code)
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "",
		} {
			require.Equal(t, want, w.Header().Get(name), name)
		}
		require.Contains(t, w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'")
		if status == 303 {
			require.Empty(t, w.Body.String(), "the code is in the header alone")
		}
	}
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	formInput  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	formCode   = regexp.MustCompile(`<script>(.*)</script>`)
)

// Holds R52.
func TestRespond_FormPost(t *testing.T) {
	t.Parallel()
	f := server(t, withIssuer)
	for _, uri := range []string{callback, callback + "?a=1&b=%7E'(x)", "http://127.0.0.1:4711/cb", "http://[::1]:1/cb"} {
		for _, state := range states {
			w := httptest.NewRecorder()
			f.Respond(w, &frontchannel.Request{RedirectURI: uri, ResponseMode: "form_post", State: state, StateGiven: true},
				frontchannel.Params{{Name: "code", Value: `c"><b>`}})
			body := w.Body.String()
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
			require.Equal(t, uri, html.UnescapeString(formAction.FindStringSubmatch(body)[1]))
			got := map[string]string{}
			for _, in := range formInput.FindAllStringSubmatch(body, -1) {
				got[in[1]] = html.UnescapeString(in[2])
			}
			require.Equal(t, map[string]string{"code": `c"><b>`, "state": state, "iss": issuer}, got)

			scripts := formCode.FindAllStringSubmatch(body, -1)
			require.Len(t, scripts, 1)
			require.Equal(t, 1, strings.Count(body, "<script"))
			require.Contains(t, body, "<button>", "works without scripts")
			sum := sha256.Sum256([]byte(scripts[0][1]))
			policy := w.Header().Get("Content-Security-Policy")
			require.Contains(t, policy, "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
			require.Contains(t, policy, "default-src 'none'")
			require.NotContains(t, policy, "unsafe")
			require.NotContains(t, policy, "form-action")
			require.Empty(t, w.Header().Get("Location"))
		}
	}
}

func TestRespond_NeverGoesToWhatMustNotBeRegistered(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for _, uri := range []string{"", "/local", "//evil", "javascript:alert(1)", "http://app.example/cb", callback + "#f", callback + "\r\nX: y"} {
		for _, mode := range []string{"query", "fragment", "form_post", ""} {
			res := respond(f, &frontchannel.Request{RedirectURI: uri, ResponseMode: mode}, frontchannel.Param{Name: "code", Value: "c"})
			require.Equal(t, http.StatusInternalServerError, res.StatusCode)
			require.Empty(t, res.Header.Get("Location"))
		}
	}
	r, e := parse(t, f, request())
	require.Nil(t, e)
	r.RedirectURI = "http://app.example/cb" // what Parse verified is another
	res := respond(f, r)
	require.Equal(t, http.StatusInternalServerError, res.StatusCode)
	res = respond(f, &frontchannel.Request{RedirectURI: "com.example.app:/cb", ResponseMode: "form_post"})
	require.Equal(t, http.StatusInternalServerError, res.StatusCode)
}

// An error takes the same road as a success.
//
// Holds S30, R31, R37.
func TestRespond_ErrorRedirect(t *testing.T) {
	t.Parallel()
	f := server(t, withIssuer)
	for types, code := range map[string]string{
		"-": "invalid_request", "nonsense": "unsupported_response_type", "token": "unauthorized_client",
	} {
		_, e := parse(t, f, request("response_type", types))
		refusedAtClient(t, e, code)
		location, err := url.Parse(respond(f, e.Request, e.Params()...).Header.Get("Location"))
		require.NoError(t, err)
		got := location.Query()
		if types == "token" {
			got, err = url.ParseQuery(location.Fragment)
			require.NoError(t, err)
		}
		require.Equal(t, url.Values{
			"error": {code}, "error_description": {e.Description}, "state": {"xyzzy"}, "iss": {issuer},
		}, got)
	}
}

func FuzzParseAndRespond(f *testing.F) {
	f.Add("web", "code", callback, "read", "s", "query", challenge, "S256", "urn:files")
	f.Add("spa", "token code", callback, "read  write", `"><`, "form_post", "", "", "")
	f.Add("app", "code", "http://[::1]:1/cb?x=1", "read", "é\n", "fragment", challenge, "S256", "")
	f.Add("spa", "token", callback, "\"", "", "query", "x", "", " ")
	fc := server(f, withIssuer)
	f.Fuzz(func(t *testing.T, client, types, uri, scope, state, mode, challenge, method, audience string) {
		r, e := parse(t, fc, url.Values{
			"client_id": {client}, "response_type": {types}, "redirect_uri": {uri}, "scope": {scope}, "state": {state},
			"response_mode": {mode}, "code_challenge": {challenge}, "code_challenge_method": {method}, "audience": {audience},
		})
		params := frontchannel.Params{{Name: "code", Value: "c"}}
		if e != nil {
			if r = e.Request; r == nil {
				return
			}
			params = e.Params()
		}
		matched := false
		for _, registered := range r.Client.RedirectURIs {
			matched = matched || frontchannel.MatchRedirectURI(registered, r.RedirectURI)
		}
		require.True(t, matched, "only ever to a registered URI")
		require.Equal(t, state, r.State)
		w := httptest.NewRecorder()
		fc.Respond(w, r, params)
		if r.ResponseMode == "form_post" {
			require.Equal(t, http.StatusOK, w.Code)
			return
		}
		require.Equal(t, http.StatusSeeOther, w.Code)
		rest, ok := strings.CutPrefix(w.Header().Get("Location"), r.RedirectURI)
		require.True(t, ok)
		got, err := url.ParseQuery(rest[1:])
		require.NoError(t, err)
		require.Equal(t, state, got.Get("state"))
	})
}
