package fositegrant_test

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/storage"
)

// contender is one of the two servers, as the client and the test see it.
type contender struct {
	t    testing.TB
	name string
	url  string
	http *http.Client

	// audience is what an assertion for this server must name.
	audience string

	// gate holds calls of the store.
	gate *gate

	// rereads is how often a redemption reads the code before it reads it for the last
	// time.
	rereads int

	// register registers a client.
	register func(storage.Client) error

	// hashes counts the secrets that are hashed while f runs.
	hashes func(f func()) int

	// broken makes the store fail at every call about tokens.
	broken func(bool)

	// fetches counts the requests for the key set of the client "remote".
	fetches func() int

	// sign signs claims with the server's own key.
	sign func(claims map[string]any) string
}

// response is an answer that was read to its end.
type response struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// newContender serves a handler over HTTP.
func newContender(t testing.TB, name string, h http.Handler) *contender {
	ts := httptest.NewServer(h)
	t.Cleanup(ts.Close)
	client := ts.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	client.Transport.(*http.Transport).ExpectContinueTimeout = 10 * time.Second
	return &contender{
		t:    t,
		name: name,
		url:  ts.URL,
		http: client,
		gate: new(gate),
	}
}

// send sends a request. It runs in other goroutines too, so that it must not end the test.
func (c *contender) send(req *http.Request) response {
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Errorf("%s: %v", c.name, err)
		return response{}
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Errorf("%s: %v", c.name, err)
	}

	out := response{
		status: res.StatusCode,
		header: res.Header,
		body:   string(b),
	}
	_ = json.Unmarshal(b, &out.json)
	return out
}

// request returns a POST of a form that is already encoded. as is "id:secret" for Basic
// authentication, "Bearer " and a token, or empty.
func (c *contender) request(path, as, body string) *http.Request {
	req, err := http.NewRequest(http.MethodPost, c.url+path, strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(as, "Bearer ") {
		req.Header.Set("Authorization", as)
	} else if id, secret, ok := strings.Cut(as, ":"); ok {
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	return req
}

// post sends a form of names and values in turn.
func (c *contender) post(path, as string, pairs ...string) response {
	return c.send(c.request(path, as, formOf(pairs).Encode()))
}

// formOf returns a form of names and values in turn. The value "-" removes a name.
func formOf(pairs []string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// authorizeQuery returns a valid authorization request of a client, changed by the pairs.
func authorizeQuery(client string, pairs ...string) string {
	request := []string{
		"response_type", "code",
		"client_id", client,
		"redirect_uri", demoRedirect,
		"scope", "read write offline",
		"state", "0123456789",
		"code_challenge", demoChallenge,
		"code_challenge_method", "S256",
	}
	return formOf(append(request, pairs...)).Encode()
}

// authorize sends an authorization request. The user approves everything.
func (c *contender) authorize(rawQuery string) response {
	req, err := http.NewRequest(http.MethodGet, c.url+"/authorize?"+rawQuery, nil)
	require.NoError(c.t, err)
	return c.send(req)
}

// params returns the parameters of a redirect to the client, or nil if the answer is no
// redirect.
func (r response) params() url.Values {
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != http.StatusSeeOther {
		return nil
	}
	params, _ := url.ParseQuery(cmp.Or(u.EscapedFragment(), u.RawQuery))
	return params
}

// code returns a valid code of a client.
func (c *contender) code(client string, pairs ...string) string {
	res := c.authorize(authorizeQuery(client, pairs...))
	code := res.params().Get("code")
	require.NotEmpty(c.t, code, "%s: %d %s %s",
		c.name, res.status, res.body, res.header.Get("Location"))
	return code
}

// noPKCE are the pairs of a code without a challenge and of its redemption without a
// verifier. fosite allows that to every client, and Grantwell to confidential clients.
var noPKCE = []string{"code_challenge", "-", "code_challenge_method", "-", "code_verifier", "-"}

// redeem sends a code to the token endpoint. as is "id:secret", or the ID of a public
// client.
func (c *contender) redeem(as, code string, pairs ...string) response {
	form := []string{
		"grant_type", "authorization_code",
		"code", code,
		"redirect_uri", demoRedirect,
		"code_verifier", demoVerifier,
	}
	if !strings.Contains(as, ":") {
		form = append(form, "client_id", as)
		as = ""
	}
	return c.post("/token", as, append(form, pairs...)...)
}

// tokens returns the tokens for a valid code of the client conf.
func (c *contender) tokens() (access, refresh string) {
	res := c.redeem(demoBasic, c.code("conf"))
	require.Equal(c.t, 200, res.status, res.body)
	return res.str("access_token"), res.str("refresh_token")
}

// refresh sends a refresh token to the token endpoint.
func (c *contender) refresh(as, token string, pairs ...string) response {
	form := []string{"grant_type", "refresh_token", "refresh_token", token}
	return c.post("/token", as, append(form, pairs...)...)
}

// introspect sends a token to the introspection endpoint.
func (c *contender) introspect(as, token string) response {
	return c.post("/introspect", as, "token", token)
}

// active reports whether an introspection response says that the token is active.
func (r response) active() bool {
	return r.json["active"] == true
}

// str returns a member of the JSON answer.
func (r response) str(name string) string {
	s, _ := r.json[name].(string)
	return s
}

// brief returns the answer in a few words.
func (r response) brief() string {
	if params := r.params(); params != nil {
		return cmp.Or(params.Get("error"), "a code")
	}
	if code := r.str("error"); code != "" {
		return fmt.Sprint(r.status, " ", code)
	}
	return fmt.Sprint(r.status)
}

// assert signs an assertion of one of the clients or of the identity provider. The pairs
// change its claims, and the pair "kid" the key ID.
func (c *contender) assert(iss, sub string, pairs ...any) string {
	now := time.Now()
	claims := map[string]any{
		"iss": iss,
		"sub": sub,
		"aud": c.audience,
		"iat": now.Unix(),
		"exp": now.Add(2 * time.Minute).Unix(),
		"jti": rand.Text(),
	}
	kid := "k1"
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == "kid" {
			kid = pairs[i+1].(string)
			continue
		}
		claims[pairs[i].(string)] = pairs[i+1]
	}

	key := demoKeys().client
	if iss == demoIDP {
		key = demoKeys().idp
	}
	return signDemo(key, kid, claims)
}

// clientAuth requests a token by client credentials, with an assertion in place of a
// secret.
func (c *contender) clientAuth(as, text string) response {
	return c.post("/token", as,
		"grant_type", "client_credentials",
		"scope", "read",
		"client_assertion_type", assertion.ClientJWT,
		"client_assertion", text)
}

// bearer sends an assertion as a grant (RFC 7523 section 2.1).
func (c *contender) bearer(as, text string, pairs ...string) response {
	form := []string{"grant_type", assertion.GrantJWT, "scope", "read", "assertion", text}
	return c.post("/token", as, append(form, pairs...)...)
}
