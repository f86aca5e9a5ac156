package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// peer is a server of the comparison.
type peer struct {
	name  string
	build func(k *keys, form string) (http.Handler, error)
	// lacks names the workloads that it has no feature for.
	lacks []string
	// scope is what the authorization request asks for, so that a refresh token comes.
	scope string
	// users is set if only tokens of users can be introspected and revoked.
	users bool
}

var peers = []peer{
	{name: "floor", build: newFloor, scope: "read"},
	{name: "fosite", build: newFosite, scope: "read offline", lacks: []string{"SAML bearer"}},
	{name: "go-oauth2", build: newGoOAuth2, scope: "read", lacks: []string{"JWT bearer", "SAML bearer"}},
	{name: "zitadel", build: newZitadel, scope: "openid offline_access", users: true, lacks: []string{"SAML bearer"}},
	{name: "grantwell", build: newGrantwell, scope: "read"},
}

func peerNamed(name string) (peer, error) {
	i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
	if i < 0 {
		return peer{}, fmt.Errorf("no server is called %q", name)
	}
	return peers[i], nil
}

func (p peer) has(w *workload) bool { return !slices.Contains(p.lacks, w.name) }

// workload is something that servers are asked to do over and over.
type workload struct {
	name string
	form string // of the server's access tokens
	ops  int    // in a round
	// alone: one request at a time. fosite's memory store ends its process when two refresh at once.
	alone bool
	// prepare makes what n operations use up, or share; not timed. It may be nil.
	prepare func(c *caller, n int) error
	// op does the i-th operation.
	op func(c *caller, i int) error
}

// caller is one connection's end of a workload.
type caller struct {
	target
	peer    peer
	keys    *keys
	ready   []string      // what prepare made
	refresh string        // the newest of a chain
	next    *atomic.Int64 // the next assertion, shared by all callers of a server
}

// sharedTokens is how many live tokens introspection asks about in turn.
const sharedTokens = 64

var workloads = []*workload{
	{name: "client credentials", form: opaque, ops: 8000, op: clientCredentials},
	{name: "client credentials, JWT ES256", form: es256, ops: 2000, op: clientCredentials},
	{name: "client credentials, JWT EdDSA", form: edDSA, ops: 2000, op: clientCredentials},
	{name: "client credentials, JWT RS256", form: rs256, ops: 200, op: clientCredentials},
	{name: "introspection", form: opaque, ops: 8000, prepare: liveTokens, op: introspectOne},
	{name: "introspection, JWT ES256", form: es256, ops: 2000, prepare: liveTokens, op: introspectOne},
	{name: "refresh chain", form: opaque, ops: 4000, alone: true, prepare: firstRefresh, op: refreshOne},
	{name: "authorize + code + PKCE", form: opaque, ops: 4000, op: func(c *caller, _ int) error { _, _, err := c.code(); return err }},
	{name: "revocation", form: opaque, ops: 4000, prepare: ownTokens, op: revokeOne},
	{name: "JWT bearer", form: opaque, ops: maxJWTs, op: jwtBearer},
	{name: "SAML bearer", form: opaque, ops: maxSAMLs, op: samlBearer},
}

// How many assertions are signed beforehand.
const (
	maxJWTs  = 1500
	maxSAMLs = 400
)

func clientCredentials(c *caller, _ int) error {
	_, err := c.token("grant_type=client_credentials&scope=read", true)
	return err
}

// token sends a token request and returns the answer of a success.
func (c *caller) token(form string, basic bool) (answer, error) {
	a, err := c.post("/token", form, basic)
	if err == nil && (a.status != http.StatusOK || len(field(a.body, "access_token")) < 16) {
		err = fmt.Errorf("%s: token request: %d %s", c.peer.name, a.status, a.body)
	}
	return a, err
}

// field reads a string member of a JSON object, which has no escapes where we look.
func field(body []byte, name string) string {
	_, rest, ok := bytes.Cut(body, []byte(`"`+name+`":"`))
	if !ok {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// code runs the authorization code flow with PKCE: the browser's requests and the client's.
func (c *caller) code() (access, refresh string, err error) {
	code, err := c.authorize()
	if err != nil {
		return "", "", err
	}
	return c.redeem(code)
}

func (c *caller) authorize() (code string, err error) {
	a, err := c.get("/authorize", authorizeQueries[c.peer.scope])
	for hops := 0; err == nil && a.status/100 == 3 && strings.HasPrefix(strings.TrimPrefix(a.location, issuer), "/") && hops < 3; hops++ {
		path, query, _ := strings.Cut(strings.TrimPrefix(a.location, issuer), "?")
		a, err = c.get(path, query)
	}
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(a.location, "code=")
	code, _, _ = strings.Cut(rest, "&")
	if !ok || !strings.HasPrefix(a.location, redirectURI) || code == "" {
		return "", fmt.Errorf("%s: authorization: %d %s %s", c.peer.name, a.status, a.location, a.body)
	}
	return code, nil
}

func (c *caller) redeem(code string) (access, refresh string, err error) {
	a, err := c.token("grant_type=authorization_code&code="+code+"&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&code_verifier="+verifier, true)
	if err != nil {
		return "", "", err
	}
	access, refresh = field(a.body, "access_token"), field(a.body, "refresh_token")
	if refresh == "" {
		return "", "", fmt.Errorf("%s: no refresh token: %s", c.peer.name, a.body)
	}
	return access, refresh, nil
}

var authorizeQueries = func() map[string]string {
	m := make(map[string]string)
	for _, p := range peers {
		m[p.scope] = authorizeQuery(p.scope)
	}
	return m
}()

// access gets a live access token, escaped for a form.
func (c *caller) access() (string, error) {
	if c.peer.users {
		access, _, err := c.code()
		return url.QueryEscape(access), err
	}
	a, err := c.token("grant_type=client_credentials&scope=read", true)
	return url.QueryEscape(field(a.body, "access_token")), err
}

func ownTokens(c *caller, n int) error {
	c.ready = nil
	for range n {
		t, err := c.access()
		if err != nil {
			return err
		}
		c.ready = append(c.ready, t)
	}
	return nil
}

func liveTokens(c *caller, _ int) error { return ownTokens(c, sharedTokens) }

func introspectOne(c *caller, i int) error {
	a, err := c.post("/introspect", "token="+c.ready[i%len(c.ready)], true)
	if err == nil && (a.status != http.StatusOK || !bytes.Contains(a.body, []byte(`"active":true`))) {
		err = fmt.Errorf("%s: introspection: %d %s", c.peer.name, a.status, a.body)
	}
	return err
}

func firstRefresh(c *caller, _ int) (err error) {
	_, c.refresh, err = c.code()
	return err
}

func refreshOne(c *caller, _ int) error {
	a, err := c.token("grant_type=refresh_token&refresh_token="+c.refresh, true)
	if err != nil {
		return err
	}
	next := field(a.body, "refresh_token")
	if next == "" || next == c.refresh {
		return fmt.Errorf("%s: the refresh token was not rotated", c.peer.name)
	}
	c.refresh = next
	return nil
}

func revokeOne(c *caller, i int) error {
	a, err := c.post("/revoke", "token="+c.ready[i], true)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%s: revocation: %d %s", c.peer.name, a.status, a.body)
	}
	return err
}

func jwtBearer(c *caller, _ int) error {
	i := int(c.next.Add(1)-1) % len(c.keys.JWTs)
	_, err := c.token("grant_type="+url.QueryEscape(grantJWT)+"&scope=read&assertion="+c.keys.JWTs[i], false)
	return err
}

func samlBearer(c *caller, _ int) error {
	i := int(c.next.Add(1)-1) % len(c.keys.SAMLs)
	_, err := c.token("grant_type="+url.QueryEscape(grantSAML)+"&scope=read&assertion="+c.keys.SAMLs[i], true)
	return err
}

// pair gets an access and a refresh token by a password, which leaves nothing else in the store; by a code where
// there is no such grant.
func (c *caller) pair() error {
	if c.peer.users {
		_, _, err := c.code()
		return err
	}
	a, err := c.token("grant_type=password&username="+user+"&password="+password+"&scope="+url.QueryEscape(c.peer.scope), true)
	if err == nil && field(a.body, "refresh_token") == "" {
		err = fmt.Errorf("%s: no refresh token: %s", c.peer.name, a.body)
	}
	return err
}
