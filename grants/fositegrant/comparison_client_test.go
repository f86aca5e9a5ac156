package fositegrant_test

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// What the two servers that are compared have in common: their clients, as both are given them.
const (
	demoSecret    = servertest.Secret
	demoBasic     = servertest.Conf
	demoRedirect  = servertest.Redirect
	demoVerifier  = servertest.Verifier
	demoChallenge = servertest.Challenge
	demoIssuer    = servertest.Issuer
	demoIDP       = "https://idp.example"
)

// demoKeys are made once: one of the clients', one of the identity provider's, and those of the server.
var demoKeys = sync.OnceValue(func() (k struct {
	client, idp, server *ecdsa.PrivateKey
	rsa                 *rsa.PrivateKey
}) {
	for _, p := range []**ecdsa.PrivateKey{&k.client, &k.idp, &k.server} {
		*p, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	return k
})

// demoClients are registered at both servers. The secret of each that has one is demoSecret.
func demoClients(jwksURI string) []storage.Client {
	conf := storage.Client{ID: "conf", Secrets: []storage.Secret{storage.HashSecret(demoSecret)},
		GrantTypes:    []string{"authorization_code", "client_credentials", "refresh_token", assertion.GrantJWT},
		ResponseTypes: []string{"code", "code id_token"}, RedirectURIs: []string{demoRedirect},
		Scope: []string{"read", "write", "offline", "openid"}, DefaultScope: []string{"read"}, Audience: []string{"https://api.example"}}
	other := conf.Clone()
	other.ID = "other"
	wild := conf.Clone()
	wild.ID, wild.Scope = "wild", []string{"photos.*", "read"}
	public := conf.Clone()
	public.ID, public.AuthMethod, public.Secrets = "public", storage.AuthNone, nil
	public.GrantTypes = []string{"authorization_code", "refresh_token"}
	native := public.Clone()
	native.ID, native.RedirectURIs = "native", []string{"com.example.app:/cb"}
	loop := public.Clone()
	loop.ID, loop.RedirectURIs = "loop", []string{"https://127.0.0.1/cb", "http://127.0.0.1/native"}
	signer := storage.Client{ID: "signer", AuthMethod: storage.AuthPrivateKeyJWT, JWKS: demoJWKS(&demoKeys().client.PublicKey), AuthSigningAlg: "ES256",
		GrantTypes: []string{"client_credentials", assertion.GrantJWT}, Scope: []string{"read"}, DefaultScope: []string{"read"}}
	second := signer.Clone()
	second.ID = "second"
	remote := signer.Clone()
	remote.ID, remote.JWKS, remote.JWKSURI = "remote", nil, jwksURI
	return []storage.Client{conf, other, wild, public, native, loop, signer, second, remote}
}

func demoJWKS(public any) json.RawMessage {
	b, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k1", Use: "sig"}}})
	return b
}

// contender is one of the servers as the client sees it: an address, and what a test may do to the store behind it.
type contender struct {
	t         testing.TB
	name      string
	url       string
	http      *http.Client
	audience  string // what an assertion for this server has to name
	storeGate *storeGate
	rereads   int                                // how often a redemption has read the code before it reads it for the last time
	register  func(storage.Client) error         // registers a client
	hashes    func(f func()) int                 // how many secrets are hashed while f runs
	broken    func(bool)                         // makes the store fail at every call about tokens
	fetches   func() int                         // how often the key set of the client "remote" was fetched
	sign      func(claims map[string]any) string // signs with the server's own key
}

// heard is an answer that was read to its end.
type heard struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// listenAs serves a handler and returns the client's side of it.
func listenAs(t testing.TB, name string, h http.Handler) *contender {
	ts := httptest.NewServer(h)
	t.Cleanup(ts.Close)
	ts.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ts.Client().Transport.(*http.Transport).ExpectContinueTimeout = 10 * time.Second
	return &contender{t: t, name: name, url: ts.URL, http: ts.Client(), storeGate: new(storeGate)}
}

func (c *contender) send(req *http.Request) heard {
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Errorf("%s: %v", c.name, err) // and no FailNow: requests are sent from other goroutines too
		return heard{}
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Errorf("%s: %v", c.name, err)
	}
	out := heard{status: res.StatusCode, header: res.Header, body: string(b)}
	_ = json.Unmarshal(b, &out.json)
	return out
}

// request is a POST of a form that is already encoded. as is "id:secret" for Basic, a token after "Bearer ", or "".
func (c *contender) request(path, as, body string) *http.Request {
	req, err := http.NewRequest(http.MethodPost, c.url+path, strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(as, "Bearer ") {
		req.Header.Set("Authorization", as)
	} else if id, pass, ok := strings.Cut(as, ":"); ok {
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(pass))
	}
	return req
}

func (c *contender) post(path, as string, pairs ...string) heard {
	return c.send(c.request(path, as, pairsOf(pairs).Encode()))
}

// pairsOf makes values of names and values in turn. The value "-" takes a name away again.
func pairsOf(pairs []string) url.Values {
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

// authorizeQuery is a good authorization request of a client, changed by the pairs.
func authorizeQuery(client string, pairs ...string) string {
	return pairsOf(append([]string{"response_type", "code", "client_id", client, "redirect_uri", demoRedirect, "scope", "read write offline",
		"state", "0123456789", "code_challenge", demoChallenge, "code_challenge_method", "S256"}, pairs...)).Encode()
}

// authorize sends a browser whose user approves everything to the authorization endpoint.
func (c *contender) authorize(rawQuery string) heard {
	req, err := http.NewRequest(http.MethodGet, c.url+"/authorize?"+rawQuery, nil)
	require.NoError(c.t, err)
	return c.send(req)
}

// params are what came back to the client by redirect, nil if nothing did.
func (h heard) params() url.Values {
	u, err := url.Parse(h.header.Get("Location"))
	if err != nil || h.status != http.StatusSeeOther {
		return nil
	}
	q, _ := url.ParseQuery(cmp.Or(u.EscapedFragment(), u.RawQuery))
	return q
}

// code is a good code of a client.
func (c *contender) code(client string, pairs ...string) string {
	res := c.authorize(authorizeQuery(client, pairs...))
	code := res.params().Get("code")
	require.NotEmpty(c.t, code, "%s: %d %s %s", c.name, res.status, res.body, res.header.Get("Location"))
	return code
}

// noPKCE makes a code without a challenge, redeemed without a verifier: fosite allows that to every client, Grantwell to confidential ones.
var noPKCE = []string{"code_challenge", "-", "code_challenge_method", "-", "code_verifier", "-"}

// redeem sends a code to the token endpoint.
func (c *contender) redeem(as, code string, pairs ...string) heard {
	form := []string{"grant_type", "authorization_code", "code", code, "redirect_uri", demoRedirect, "code_verifier", demoVerifier}
	if !strings.Contains(as, ":") {
		form, as = append(form, "client_id", as), ""
	}
	return c.post("/token", as, append(form, pairs...)...)
}

// tokens are what a good code of the client conf buys.
func (c *contender) tokens() (access, refresh string) {
	res := c.redeem(demoBasic, c.code("conf"))
	require.Equal(c.t, 200, res.status, res.body)
	return res.str("access_token"), res.str("refresh_token")
}

func (c *contender) refresh(as, token string, pairs ...string) heard {
	return c.post("/token", as, append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)...)
}

// asked is the answer of the introspection endpoint.
func (c *contender) asked(as, token string) heard { return c.post("/introspect", as, "token", token) }

func (h heard) active() bool { return h.json["active"] == true }

func (h heard) str(name string) string { s, _ := h.json[name].(string); return s }

// brief is the answer in a few words.
func (h heard) brief() string {
	if q := h.params(); q != nil {
		if q.Get("error") == "" {
			return "a code"
		}
		return q.Get("error")
	}
	if e := h.str("error"); e != "" {
		return fmt.Sprint(h.status, " ", e)
	}
	return fmt.Sprint(h.status)
}

// assert signs an assertion of one of the clients, or of the identity provider. Pairs change its claims.
func (c *contender) assert(iss, sub string, pairs ...any) string {
	now := time.Now()
	claims := map[string]any{"iss": iss, "sub": sub, "aud": c.audience, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text()}
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

func signDemo(key any, kid string, claims map[string]any) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic(err)
	}
	out, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		panic(err)
	}
	return out
}

// clientAuth asks for a token of the client's own with an assertion in place of a secret.
func (c *contender) clientAuth(as, assertionText string) heard {
	return c.post("/token", as, "grant_type", "client_credentials", "scope", "read", "client_assertion_type", assertion.ClientJWT, "client_assertion", assertionText)
}

// bearer presents an assertion as a grant.
func (c *contender) bearer(as, assertionText string, pairs ...string) heard {
	return c.post("/token", as, append([]string{"grant_type", assertion.GrantJWT, "scope", "read", "assertion", assertionText}, pairs...)...)
}

// storeGate holds one call of the store until it is let go.
type storeGate struct {
	mu             sync.Mutex
	at             string
	skip           int
	entered, leave chan struct{}
}

func (g *storeGate) arm(at string, skip int) (entered, leave chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.skip, g.entered, g.leave = at, skip, make(chan struct{}), make(chan struct{})
	return g.entered, g.leave
}

// pass is called by the store before it does what at names.
func (g *storeGate) pass(at string) {
	g.mu.Lock()
	if g.at != at || g.skip > 0 {
		if g.at == at {
			g.skip--
		}
		g.mu.Unlock()
		return
	}
	g.at = ""
	entered, leave := g.entered, g.leave
	g.mu.Unlock()
	close(entered)
	<-leave
}

// overtaken sends a request, holds it in the store, answers a second one whole, and lets the first go on: the order in which two
// requests at once go wrong, if they do, without any luck.
func (c *contender) overtaken(at string, skip int, request func() heard) (held, second heard) {
	entered, leave := c.storeGate.arm(at, skip)
	done := make(chan heard, 1)
	go func() { done <- request() }()
	select {
	case <-entered:
	case res := <-done:
		require.Fail(c.t, "nothing was held", "%s at %s: %s", c.name, at, res.body)
	}
	second = request()
	close(leave)
	return <-done, second
}

// atOnce sends the same request n times in parallel and counts how often it got a token.
func atOnce(n int, request func() heard) (won int) {
	answers := make([]heard, n)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = request() })
	}
	wg.Wait()
	return len(slices.DeleteFunc(answers, func(h heard) bool { return h.status != 200 }))
}
