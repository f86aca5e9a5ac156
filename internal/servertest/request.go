package servertest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// Omit removes a parameter that a request has by default, when it stands as
// the parameter's value.
const Omit = "-"

// Form returns the URL-encoded form of names and values in turn. A name that
// occurs twice stands in the form twice.
func Form(pairs ...string) string {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form.Encode()
}

// With returns a copy of a form in which pairs replace parameters.
func With(form url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for name, values := range form {
		out[name] = values
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == Omit {
			out.Del(pairs[i])
		}
	}
	return out
}

// Request returns a POST of a form that was encoded already. The path is below
// [Issuer]. as is the client's ID and secret as "id:secret" for HTTP Basic
// authentication, or empty.
func Request(path, as, body string) *http.Request {
	req := httptest.NewRequest(http.MethodPost, target(path), strings.NewReader(body))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")

	// Over a listener the client may have to send the body again.
	req.GetBody = func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(body)), nil
	}
	if id, secret, ok := strings.Cut(as, ":"); ok {
		// RFC 6749 section 2.3.1: both are form-encoded first.
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	return req
}

// target makes an absolute URL of a path, so that a request that is served in
// this process has come over TLS to the issuer's host.
func target(path string) string {
	if strings.HasPrefix(path, "/") {
		return Issuer + path
	}
	return path
}

// AuthorizeQuery returns the parameters of an authorization request by "conf":
// response type code, both scopes and a challenge. pairs replace parameters.
func AuthorizeQuery(pairs ...string) url.Values {
	return With(url.Values{
		"response_type":         {"code"},
		"client_id":             {"conf"},
		"redirect_uri":          {Redirect},
		"scope":                 {"read write"},
		"state":                 {State},
		"code_challenge":        {Challenge},
		"code_challenge_method": {"S256"},
	}, pairs...)
}

// AuthorizeURL returns the path and the query of an authorization request with
// the parameters of [AuthorizeQuery].
func AuthorizeURL(pairs ...string) string {
	return "/authorize?" + AuthorizeQuery(pairs...).Encode()
}

// CodeForm returns the parameters of a token request that redeems a code,
// without the client's authentication. pairs replace parameters.
func CodeForm(code string, pairs ...string) url.Values {
	return With(url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {Redirect},
		"code_verifier": {Verifier},
	}, pairs...)
}
