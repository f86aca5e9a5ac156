package servertest

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Reply is an answer that was read to its end.
type Reply struct {
	Status int
	Header http.Header
	Body   string

	// JSON holds the members of a body that is a JSON object, and is nil for
	// any other body.
	JSON map[string]any

	// Err is the reason why the listener did not answer. Status is zero then,
	// and Body is the text of Err. It is always nil without a listener.
	Err error
}

// String returns a member of the JSON body that is a string, or "".
func (r Reply) String(name string) string {
	s, _ := r.JSON[name].(string)
	return s
}

// Active reports whether the body is an introspection answer for a live token
// (RFC 7662 section 2.2).
func (r Reply) Active() bool { return r.JSON["active"] == true }

// List returns a member of the JSON body that is a list of objects.
func (r Reply) List(t testing.TB, name string) []map[string]any {
	t.Helper()
	require.Equal(t, http.StatusOK, r.Status, r.Body)
	all, ok := r.JSON[name].([]any)
	require.True(t, ok, r.Body)

	var out []map[string]any
	for _, m := range all {
		out = append(out, m.(map[string]any))
	}
	return out
}

// Param returns a parameter of an authorization response, from the query or
// the fragment of the redirect, or "".
func (r Reply) Param(name string) string {
	q, err := r.redirect()
	if err != nil {
		return ""
	}
	return q.Get(name)
}

// Params returns all parameters of an authorization response, and stops the
// test if the reply is no redirect.
func (r Reply) Params(t testing.TB) url.Values {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, r.Status, r.Body)
	q, err := r.redirect()
	require.NoError(t, err)
	return q
}

func (r Reply) redirect() (url.Values, error) {
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	raw := u.RawQuery
	if u.Fragment != "" {
		raw = u.EscapedFragment()
	}
	return url.ParseQuery(raw)
}

// Fails asserts an OAuth error answer (RFC 6749 section 5.2) without a token.
func (r Reply) Fails(t testing.TB, status int, code string) {
	t.Helper()
	require.Equal(t, status, r.Status, r.Body)
	require.Equal(t, code, r.String("error"), r.Body)
	require.Empty(t, r.String("access_token"))
}

// SameTokens asserts that another answer carries the same tokens. Their
// remaining lifetimes may differ.
func (r Reply) SameTokens(t testing.TB, again Reply) {
	t.Helper()
	require.Equal(t, http.StatusOK, again.Status, again.Body)
	for _, name := range []string{"access_token", "refresh_token", "token_type", "scope"} {
		require.Equal(t, r.String(name), again.String(name), name)
	}
}

// The characters that RFC 6749 section 5.2 allows in error and
// error_description.
var allowedText = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]*$`)

// IsOnlyAnError asserts that the body is one JSON object with the members of
// RFC 6749 section 5.2 and nothing of the server's inside, and that no cache
// keeps the answer and no cookie comes with it.
func (r Reply) IsOnlyAnError(t testing.TB) {
	t.Helper()
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
	require.Empty(t, r.Header.Values("Set-Cookie"))
	require.Empty(t, r.Header.Get("Server"))

	dec := json.NewDecoder(strings.NewReader(r.Body))
	var members map[string]string
	require.NoError(t, dec.Decode(&members), r.Body)
	require.False(t, dec.More(), r.Body)
	for name, text := range members {
		require.Contains(t, []string{"error", "error_description", "error_uri"}, name)
		require.Regexp(t, allowedText, text)
	}
	for _, inside := range []string{"goroutine", ".go:", "panic", "memstore"} {
		require.NotContains(t, r.Body, inside)
	}
}

// IsPage asserts an error page of the server, without a redirect.
func (r Reply) IsPage(t testing.TB, status int) {
	t.Helper()
	require.Equal(t, status, r.Status, "%s %s", r.Header, r.Body)
	require.Empty(t, r.Header.Get("Location"))
	require.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"))
	require.Contains(t, r.Body, "error")
	r.HasPageHeaders(t)
}

// HasPageHeaders asserts the headers that every page and every redirect of the
// authorization endpoint carries.
func (r Reply) HasPageHeaders(t testing.TB) {
	t.Helper()
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	policies := []string{"no-referrer"}
	if r.Status == http.StatusOK {
		// A page whose form is posted to the same origin: under no-referrer a browser
		// sends the form with the origin "null".
		policies = append(policies, "same-origin")
	}
	require.Contains(t, policies, r.Header.Get("Referrer-Policy"))
	require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "DENY", r.Header.Get("X-Frame-Options"))
	require.Contains(t, r.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))
}

// AsksConsent reports whether the reply is the consent page.
func (r Reply) AsksConsent() bool {
	return r.Status == http.StatusOK && strings.Contains(r.Body, "csrf")
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	scopeField  = regexp.MustCompile(`name="scope" value="([^"]*)"`)
)

// HiddenFields returns the hidden fields of the form on a page.
func (r Reply) HiddenFields() url.Values {
	fields := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(r.Body, -1) {
		fields.Set(m[1], html.UnescapeString(m[2]))
	}
	return fields
}

// ConsentForm returns the form that the consent page posts when the user
// changes nothing and presses Allow.
func (r Reply) ConsentForm(t testing.TB) url.Values {
	t.Helper()
	require.Equal(t, http.StatusOK, r.Status, "%s %s", r.Header, r.Body)
	form := r.HiddenFields()
	form.Set("decision", "allow")
	for _, m := range scopeField.FindAllStringSubmatch(r.Body, -1) {
		form.Add("scope", html.UnescapeString(m[1]))
	}
	require.NotEmpty(t, form.Get("csrf"), r.Body)
	return form
}

// Interaction returns the handle of the suspended authorization request from a
// redirect to the login page or the consent page.
func (r Reply) Interaction(t testing.TB) string {
	t.Helper()
	handle := r.Params(t).Get("interaction")
	require.NotEmpty(t, handle, r.Header.Get("Location"))
	return handle
}
