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
	// lacks has the names of the workloads that the server does not support.
	lacks []string
	// scope is the scope of authorization requests, with which the server issues a
	// refresh token.
	scope string
	// users says that the server introspects and revokes only tokens of users.
	users bool
}

var peers = []peer{
	{name: "floor", build: newFloor, scope: "read"},
	{name: "fosite", build: newFosite, scope: "read offline", lacks: []string{"SAML bearer"}},
	{
		name:  "go-oauth2",
		build: newGoOAuth2,
		scope: "read",
		lacks: []string{"JWT bearer", "SAML bearer"},
	},
	{
		name:  "zitadel",
		build: newZitadel,
		scope: "openid offline_access",
		users: true,
		lacks: []string{"SAML bearer"},
	},
	{name: "grantwell", build: newGrantwell, scope: "read"},
}

// peerNamed returns a server by its name.
func peerNamed(name string) (peer, error) {
	i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
	if i < 0 {
		return peer{}, fmt.Errorf("bench: no server has the name %q", name)
	}
	return peers[i], nil
}

// has reports whether the server supports a workload.
func (p peer) has(w *workload) bool { return !slices.Contains(p.lacks, w.name) }

// workload is an operation that the servers repeat.
type workload struct {
	name string

	// form is the form of the server's access tokens.
	form string

	// ops is the number of operations in a round.
	ops int

	// alone sends one request at a time. Two concurrent refreshes crash fosite's memory
	// store.
	alone bool

	// prepare, if not nil, makes what n operations need. It is not measured.
	prepare func(c *caller, n int) error

	// op does the operation with index i.
	op func(c *caller, i int) error
}

// caller runs a workload on one connection.
type caller struct {
	target
	peer peer
	keys *keys

	// ready has the tokens that prepare made, and refresh the newest token of a chain.
	ready   []string
	refresh string

	// next is the index of the next assertion. All callers of a server share it.
	next *atomic.Int64
}

// sharedTokens is the number of live tokens that introspection asks about in turn.
const sharedTokens = 64

var workloads = []*workload{
	{name: "client credentials", form: opaque, ops: 8000, op: clientCredentials},
	{name: "client credentials, JWT ES256", form: es256, ops: 2000, op: clientCredentials},
	{name: "client credentials, JWT EdDSA", form: edDSA, ops: 2000, op: clientCredentials},
	{name: "client credentials, JWT RS256", form: rs256, ops: 200, op: clientCredentials},
	{name: "introspection", form: opaque, ops: 8000, prepare: liveTokens, op: introspectOne},
	{
		name:    "introspection, JWT ES256",
		form:    es256,
		ops:     2000,
		prepare: liveTokens,
		op:      introspectOne,
	},
	{
		name:    "refresh chain",
		form:    opaque,
		ops:     4000,
		alone:   true,
		prepare: firstRefresh,
		op:      refreshOne,
	},
	{
		name: "authorize + code + PKCE",
		form: opaque,
		ops:  4000,
		op:   func(c *caller, _ int) error { _, _, err := c.code(); return err },
	},
	{name: "revocation", form: opaque, ops: 4000, prepare: ownTokens, op: revokeOne},
	{name: "JWT bearer", form: opaque, ops: maxJWTs, op: jwtBearer},
	{name: "SAML bearer", form: opaque, ops: maxSAMLs, op: samlBearer},
}

// The numbers of assertions that are signed before a round.
const (
	maxJWTs  = 1500
	maxSAMLs = 400
)

// clientCredentials requests a token for the client itself.
func clientCredentials(c *caller, _ int) error {
	_, err := c.token("grant_type=client_credentials&scope=read", true)
	return err
}

// token sends a token request. Every answer without a token is an error.
func (c *caller) token(form string, basic bool) (answer, error) {
	a, err := c.post("/token", form, basic)
	if err == nil && (a.status != http.StatusOK || len(field(a.body, "access_token")) < 16) {
		err = fmt.Errorf("bench: %s: token request: %d %s", c.peer.name, a.status, a.body)
	}
	return a, err
}

// field returns a string member of a JSON object. The members that it reads have no
// escapes.
func field(body []byte, name string) string {
	_, rest, ok := bytes.Cut(body, []byte(`"`+name+`":"`))
	if !ok {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// code runs the authorization code flow with PKCE: the requests of the browser and of the
// client.
func (c *caller) code() (access, refresh string, err error) {
	code, err := c.authorize()
	if err != nil {
		return "", "", err
	}
	return c.redeem(code)
}

// maxHops is the most redirects within a server.
const maxHops = 3

// authorize returns a code. It follows redirects within the server, as to a login page.
func (c *caller) authorize() (code string, err error) {
	a, err := c.get("/authorize", authorizeQueries[c.peer.scope])
	for range maxHops {
		if err != nil {
			return "", err
		}
		local := strings.TrimPrefix(a.location, issuer)
		if a.status/100 != 3 || !strings.HasPrefix(local, "/") {
			break
		}
		path, query, _ := strings.Cut(local, "?")
		a, err = c.get(path, query)
	}
	if err != nil {
		return "", err
	}

	_, rest, ok := strings.Cut(a.location, "code=")
	code, _, _ = strings.Cut(rest, "&")
	if !ok || !strings.HasPrefix(a.location, redirectURI) || code == "" {
		return "", fmt.Errorf("bench: %s: authorization: %d %s %s",
			c.peer.name, a.status, a.location, a.body)
	}
	return code, nil
}

// redeemForm is a token request for a code, without the code.
var redeemForm = url.Values{
	"grant_type":    {"authorization_code"},
	"redirect_uri":  {redirectURI},
	"code_verifier": {verifier},
}.Encode()

// redeem exchanges a code for tokens.
func (c *caller) redeem(code string) (access, refresh string, err error) {
	a, err := c.token(redeemForm+"&code="+code, true)
	if err != nil {
		return "", "", err
	}
	access = field(a.body, "access_token")
	refresh = field(a.body, "refresh_token")
	if refresh == "" {
		return "", "", fmt.Errorf("bench: %s: no refresh token: %s", c.peer.name, a.body)
	}
	return access, refresh, nil
}

// authorizeQueries are the authorization requests by their scope.
var authorizeQueries = func() map[string]string {
	m := make(map[string]string)
	for _, p := range peers {
		m[p.scope] = authorizeQuery(p.scope)
	}
	return m
}()

// access returns a live access token, encoded for a form.
func (c *caller) access() (string, error) {
	if c.peer.users {
		access, _, err := c.code()
		return url.QueryEscape(access), err
	}
	a, err := c.token("grant_type=client_credentials&scope=read", true)
	return url.QueryEscape(field(a.body, "access_token")), err
}

// ownTokens makes a token for each of n operations.
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

// liveTokens makes the tokens that introspection asks about.
func liveTokens(c *caller, _ int) error { return ownTokens(c, sharedTokens) }

// introspectOne introspects one of the tokens, which must be active.
func introspectOne(c *caller, i int) error {
	a, err := c.post("/introspect", "token="+c.ready[i%len(c.ready)], true)
	if err == nil &&
		(a.status != http.StatusOK || !bytes.Contains(a.body, []byte(`"active":true`))) {
		err = fmt.Errorf("bench: %s: introspection: %d %s", c.peer.name, a.status, a.body)
	}
	return err
}

// firstRefresh makes the first token of a chain.
func firstRefresh(c *caller, _ int) (err error) {
	_, c.refresh, err = c.code()
	return err
}

// refreshOne uses the newest refresh token, which must give another one.
func refreshOne(c *caller, _ int) error {
	a, err := c.token("grant_type=refresh_token&refresh_token="+c.refresh, true)
	if err != nil {
		return err
	}
	next := field(a.body, "refresh_token")
	if next == "" || next == c.refresh {
		return fmt.Errorf("bench: %s: the refresh token was not rotated", c.peer.name)
	}
	c.refresh = next
	return nil
}

// revokeOne revokes one of the tokens.
func revokeOne(c *caller, i int) error {
	a, err := c.post("/revoke", "token="+c.ready[i], true)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("bench: %s: revocation: %d %s", c.peer.name, a.status, a.body)
	}
	return err
}

// jwtBearer uses the next JWT assertion.
func jwtBearer(c *caller, _ int) error {
	i := int(c.next.Add(1)-1) % len(c.keys.JWTs)
	_, err := c.token(
		"grant_type="+url.QueryEscape(grantJWT)+"&scope=read&assertion="+c.keys.JWTs[i],
		false,
	)
	return err
}

// samlBearer uses the next SAML assertion.
func samlBearer(c *caller, _ int) error {
	i := int(c.next.Add(1)-1) % len(c.keys.SAMLs)
	_, err := c.token(
		"grant_type="+url.QueryEscape(grantSAML)+"&scope=read&assertion="+c.keys.SAMLs[i],
		true,
	)
	return err
}

// pair gets an access token and a refresh token by a password, so that the store has
// nothing else. It uses a code on a server without the password grant.
func (c *caller) pair() error {
	if c.peer.users {
		_, _, err := c.code()
		return err
	}
	a, err := c.token(
		"grant_type=password&username="+user+"&password="+password+"&scope="+url.QueryEscape(
			c.peer.scope,
		),
		true,
	)
	if err == nil && field(a.body, "refresh_token") == "" {
		err = fmt.Errorf("bench: %s: no refresh token: %s", c.peer.name, a.body)
	}
	return err
}
