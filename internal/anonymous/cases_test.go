package anonymous

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// attack is one kind of request.
type attack struct {
	endpoint string
	sends    string // what the caller sends
	bound    string // what bounds the cost
	rows     int    // records that one request adds to the store
	slow     bool   // the work is slow on purpose, and the bound is on its number

	method string // "": POST
	target string // with the query
	body   string
	header map[string]string
	// want are the statuses that may come, before and past a limit.
	want []int
}

func (a *attack) request(from string) *http.Request {
	method := a.method
	if method == "" {
		method = http.MethodPost
	}
	req := httptest.NewRequest(method, servertest.Issuer+a.target, strings.NewReader(a.body))
	req.RemoteAddr = from
	if a.body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range a.header {
		req.Header.Set(name, value)
	}

	return req
}

// size is the length of a long text in a request: the whole may have 64 KiB.
const size = 60_000

func long(of string) string { return strings.Repeat(of, size/len(of)) }

// slowSecret is the secret of the client "slow", whose hash is slow.
const slowSecret = "hunter2"

// newSite builds a server with everything that has an anonymous caller, and what that
// caller may send. Wrong secrets cost little here, because the slow hash has the least
// cost there is. Without limits, each request does all its work.
func newSite(t testing.TB, limited bool) (*servertest.Site, []attack) {
	t.Helper()
	parties := servertest.NewParties(t)
	s := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) {
		parties.Trust(t, cfg)
		cfg.Events = nil               // the rig would keep them
		cfg.Timeout = 20 * time.Second // this machine may be busy
		cfg.Keys = servertest.Keys(t)
		cfg.PAR.Path = "/par"
		cfg.Paths.TokenInfo = "/tokeninfo"
		cfg.Paths.DisplayCode = "/code"
		cfg.TokenInfo = grantwell.TokenInfoConfig{Open: true, Get: true}
		if !limited {
			cfg.Limiter = limit.NewMemory(map[string]limit.Limit{"assertion": {}, "waiting": {}})
		}
	})
	parties.Register(t, s.Store)
	s.AddClient("conf", func(c *storage.Client) {
		c.ID, c.Secrets = "slow", []storage.Secret{{Hash: servertest.BcryptHash(t, slowSecret)}}
	})
	s.AddClient("conf", func(c *storage.Client) { c.ID, c.SkipConsent = "page", true })
	s.AddClient("", func(c *storage.Client) {
		c.ID, c.AuthMethod, c.Secrets = "largest", storage.AuthPrivateKeyJWT, nil
		c.JWKS = servertest.JWKS(t, &p521(t).PublicKey)
	})
	require.Equal(t, 200, s.ClientCredentials("slow:"+slowSecret).Status)
	admin, err := s.AS.Admin(grantwell.AdminConfig{Authorize: func(*http.Request) (string, error) {
		return "", grants.AccessDenied("no session")
	}})
	require.NoError(t, err)
	s.Handle("/admin/", http.StripPrefix("/admin", admin))

	all := append(tokenAttacks(t), browserAttacks()...)

	return s, append(all, otherAttacks()...)
}

// p521 generates a key of the curve whose signatures take longest to verify.
func p521(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)

	return key
}

func basic(id, secret string) map[string]string {
	return map[string]string{
		"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret))),
	}
}

const cc = "grant_type=client_credentials&"

// The bounds that stand in several rows.
const (
	byBody   = "Config.MaxBody, 64 KiB"
	bySecret = "grants/limit: 100 a minute by address, 20 by client and address"
	byProof  = "grants/limit: 1000 a minute by address"
	byWait   = "grants/limit: 1000 a minute by address; 8 KiB each"
	byHeader = "http.Server.MaxHeaderBytes, 1 MiB by default"
	byUnread = "the body is not read"
)

// tokenAttacks are those at the token endpoint.
func tokenAttacks(t testing.TB) []attack {
	t.Helper()
	stranger := servertest.ECKey(t)
	slowest := servertest.SignJWT(t, jose.ES512, p521(t), servertest.AssertionClaims("largest", "largest", servertest.Issuer))
	claims := servertest.AssertionClaims("signer", "signer", servertest.Issuer)
	forged := servertest.SignJWT(t, jose.ES256, stranger, claims)
	fat := servertest.SignJWT(t, jose.ES256, stranger, servertest.AssertionClaims("signer", "signer", servertest.Issuer, "x", strings.Repeat("x", 40_000)))
	signature := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","x":"` + strings.Repeat("x", 40_000) + `"}`))
	another := servertest.RSAKey(t)
	saml := servertest.SAMLAssertion(t, another, nil)
	prefixes := servertest.SAMLAssertion(t, another, nil)
	raw, err := base64.RawURLEncoding.DecodeString(prefixes)
	require.NoError(t, err)
	list := strings.TrimSpace(strings.Repeat("p ", 20_000))
	prefixes = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw),
		`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`,
		`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="`+list+`"/></ds:Transform>`, 1)))
	var names strings.Builder
	for i := 0; names.Len() < 40_000; i++ {
		fmt.Fprintf(&names, ` xmlns:n%d="u%d"`, i, i)
	}
	xml := func(text string) string {
		return "grant_type=" + url.QueryEscape(assertion.GrantSAML2) + "&assertion=" + base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	const open = `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`
	bearer := func(grant, value string) string {
		return "grant_type=" + url.QueryEscape(grant) + "&assertion=" + value
	}
	proof := func(value string) string {
		return cc + "client_assertion_type=" + url.QueryEscape(assertion.ClientJWT) + "&client_assertion=" + value
	}
	trusted := basic("trusted", servertest.Secret) // a client of its own, at which assertions are tried
	refused := []int{400, 401, 429}
	rows := []attack{
		{sends: "a long parameter", bound: byBody, body: "x=" + long("x"), want: []int{401}},
		{sends: "a parameter of escapes", bound: byBody, body: "x=" + long("%3C"), want: []int{401}},
		{sends: "100 parameters", bound: "100 parameters", body: manyParameters(100), want: []int{401}},
		{sends: "20,000 parameters", bound: "100 parameters", body: long("a&"), want: []int{400}},
		{sends: "a long scope", bound: "100 scopes", body: cc + "scope=" + long("a+"), want: []int{400}},
		{sends: "a long client_id", bound: byBody, body: cc + "client_id=" + long("x"), want: []int{401}},
		{sends: "a long Basic header", bound: "8 KiB", body: cc, header: basic(long("x"), "y"), want: []int{401}},
		{sends: "a wrong secret of an unknown client", bound: bySecret, slow: true, body: cc, header: basic("nobody", "guess"), want: []int{401, 429}},
		{sends: "a wrong secret of a client", bound: bySecret, slow: true, body: cc, header: basic("conf", "guess"), want: []int{401, 429}},
		{sends: "a wrong secret of a client with a slow hash", bound: bySecret, slow: true, body: cc, header: basic("slow", "guess"), want: []int{401, 429}},
		{sends: "a long secret", bound: bySecret, slow: true, body: cc + "client_id=conf&client_secret=" + long("x"), want: []int{401, 429}},
		{sends: "a long code", bound: byBody, body: "grant_type=authorization_code&client_id=public&code=" + long("x"), want: []int{400}},
		{sends: "a long refresh token", bound: byBody, body: "grant_type=refresh_token&client_id=public&refresh_token=" + long("x"), want: []int{400}},
		{sends: "a long verifier", bound: "128 characters", body: "grant_type=authorization_code&client_id=public&code=x&code_verifier=" + long("x"), want: []int{400}},
		{sends: "a wrong password", bound: "grants/limit: 100 a minute by address, 10 by user", body: "grant_type=password&client_id=public&username=a&password=b", want: []int{400, 429}},
		{sends: "a long username", bound: "256 bytes of it count", body: "grant_type=password&client_id=public&password=b&username=" + long("%EF%B7%BA"), want: []int{400, 429}},
		{sends: "a forged client assertion", bound: byProof, body: proof(forged), want: refused},
		{sends: "a forged client assertion by ES512", bound: byProof, slow: true, body: proof(slowest), want: refused},
		{sends: "a forged client assertion of 60 kB", bound: byProof, body: proof(fat), want: refused},
		{sends: "a long header in a client assertion", bound: byProof, body: proof(header + ".e30." + signature), want: refused},
		{sends: "a forged JWT", bound: byProof, body: bearer(assertion.GrantJWT, forged), want: refused},
		{sends: "a JWT of no form", bound: byProof, body: bearer(assertion.GrantJWT, long("x")), want: refused},
		{sends: "a deep JWT", bound: byProof, body: bearer(assertion.GrantJWT, "e30."+base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 40_000)))+".x"), want: refused},
		{sends: "a forged SAML assertion", bound: byProof, body: bearer(assertion.GrantSAML2, saml), header: trusted, want: refused},
		{sends: "a SAML assertion with a long PrefixList", bound: byProof, body: bearer(assertion.GrantSAML2, prefixes), header: trusted, want: refused},
		{sends: "the same without credentials", bound: byProof, body: bearer(assertion.GrantSAML2, prefixes), want: refused},
		{sends: "a SAML assertion of no form", bound: byProof, body: bearer(assertion.GrantSAML2, long("x")), header: trusted, want: refused},
		{sends: "a SAML assertion of many namespaces", bound: byProof, body: xml(open + names.String() + "/>"), header: trusted, want: refused},
		{sends: "a deep SAML assertion", bound: byProof, body: xml(open + ">" + strings.Repeat("<a>", 13_000)), header: trusted, want: refused},
		{sends: "a SAML assertion of many elements", bound: byProof, body: xml(open + ">" + strings.Repeat("<a/>", 10_000) + "</saml:Assertion>"), header: trusted, want: refused},
		{sends: "a SAML assertion with entities", bound: byProof, body: xml(`<!DOCTYPE a [<!ENTITY b "c">]>` + open + ">" + strings.Repeat("&b;", 10_000) + "</saml:Assertion>"), header: trusted, want: refused},
	}
	for i := range rows {
		rows[i].endpoint, rows[i].target = "token", "/token"
	}

	return rows
}

// manyParameters returns a form of n parameters.
func manyParameters(n int) string {
	form := make([]string, n)
	for i := range form {
		form[i] = fmt.Sprintf("p%d=%s", i, strings.Repeat("x", size/n-6))
	}

	return strings.Join(form, "&")
}

// browserAttacks are those at what a browser opens.
func browserAttacks() []attack {
	to := func(pairs ...string) string { return servertest.AuthorizeURL(pairs...) }
	form := func(pairs ...string) string { return servertest.AuthorizeQuery(pairs...).Encode() }
	page := []int{303, 400}
	const consent = "interaction=" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

	return []attack{
		{endpoint: "authorize", sends: "a request", bound: byWait, method: "GET", target: to(), rows: 1, want: page},
		{endpoint: "authorize", sends: "a request of 8 KiB", bound: byWait, method: "GET", target: to("state", strings.Repeat("s", 4000), "nonce", strings.Repeat("n", 3500)), rows: 1, want: page},
		{endpoint: "authorize", sends: "a state that JSON escapes", bound: byWait, method: "GET", target: to("state", strings.Repeat("<", 1200)), rows: 1, want: page},
		{endpoint: "authorize", sends: "a long state", bound: "8 KiB", method: "GET", target: to("state", long("s")), want: page},
		{endpoint: "authorize", sends: "a long state of escapes", bound: "8 KiB", method: "GET", target: to("state", strings.Repeat("<", size/3)), want: page},
		{endpoint: "authorize", sends: "a long scope", bound: "100 scopes", method: "GET", target: to("scope", long("a ")), want: page},
		{endpoint: "authorize", sends: "many resources", bound: "100", target: "/authorize", body: form() + strings.Repeat("&resource=https://a.example/", 90), want: page},
		{endpoint: "authorize", sends: "parameters that are not read", bound: byBody, target: "/authorize", body: form() + "&x=" + strings.Repeat("x", size-1000), rows: 1, want: page},
		{endpoint: "authorize", sends: "a form from another site", bound: byBody, target: "/authorize", body: form("state", strings.Repeat("\"", size/3-1000)), header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: []int{200, 303}},
		{endpoint: "authorize", sends: "an unknown client", bound: byBody, method: "GET", target: to("client_id", long("x")), want: page},
		{endpoint: "authorize", sends: "another redirect URI", bound: byBody, method: "GET", target: to("redirect_uri", "https://a.example/"+long("x")), want: page},
		{endpoint: "authorize", sends: "a query of 500 kB", bound: byBody, method: "GET", target: to("state", strings.Repeat("s", 500_000)), want: []int{413}},
		{endpoint: "authorize", sends: "an unknown pushed request", bound: byBody, method: "GET", target: "/authorize?client_id=conf&request_uri=urn:ietf:params:oauth:request_uri:" + strings.Repeat("x", 1000), want: page},
		{endpoint: "authorize", sends: "125,000 cookies", bound: byHeader, method: "GET", target: to(), rows: 1, header: map[string]string{"Cookie": strings.Repeat("a=b;", 125_000)}, want: page},
		{endpoint: "authorize", sends: "2,900 cookies of 340 bytes", bound: byHeader, method: "GET", target: to(), rows: 1, header: map[string]string{"Cookie": strings.Repeat("a="+strings.Repeat("b", 338)+";", 2900)}, want: page},
		{endpoint: "authorize", sends: "cookies of the server's name", bound: "64 cookies", method: "GET", target: to(), rows: 1, header: map[string]string{"Cookie": strings.Repeat("__Host-grantwell="+strings.Repeat("c", 43)+"; ", 500)}, want: page},
		{endpoint: "consent", sends: "an unknown handle", bound: "64 bytes", method: "GET", target: "/consent?" + consent, want: page},
		{endpoint: "consent", sends: "a long form", bound: byBody, target: "/consent", body: consent + "&scope=" + long("x"), want: page},
		{endpoint: "code page", sends: "a long code", bound: byBody, method: "GET", target: "/code?code=" + long("x"), want: page},
		{endpoint: "code page", sends: "a query of 500 kB", bound: byBody, method: "GET", target: "/code?code=" + strings.Repeat("x", 500_000), want: []int{413}},
	}
}

// otherAttacks are those at the rest.
func otherAttacks() []attack {
	return []attack{
		{endpoint: "par", sends: "a request of a public client", bound: "grants/limit: 100 a minute by address; 8 KiB each", target: "/par", body: servertest.AuthorizeQuery("client_id", "public", "state", strings.Repeat("s", 4000)).Encode(), rows: 1, want: []int{201, 429}},
		{endpoint: "par", sends: "a long request", bound: "8 KiB", target: "/par", body: servertest.AuthorizeQuery("client_id", "public", "state", strings.Repeat("s", size-1000)).Encode(), want: []int{400, 429}},
		{endpoint: "revoke", sends: "a long token", bound: byBody, target: "/revoke", body: "client_id=public&token=" + long("x"), want: []int{200}},
		{endpoint: "introspect", sends: "no credentials", bound: byBody, target: "/introspect", body: "token=" + long("x"), want: []int{401}},
		{endpoint: "introspect", sends: "a wrong secret", bound: bySecret, slow: true, target: "/introspect", body: "token=x", header: basic("conf", "guess"), want: []int{401, 429}},
		{endpoint: "tokeninfo", sends: "a long token", bound: "grants/limit: 100 a minute by address", target: "/tokeninfo", body: "access_token=" + long("x"), want: []int{400, 429}},
		{endpoint: "metadata", sends: "a request", bound: "the document is made once", method: "GET", target: "/.well-known/oauth-authorization-server", want: []int{200}},
		{endpoint: "jwks", sends: "a request", bound: "the document is small", method: "GET", target: "/jwks.json", want: []int{200}},
		{endpoint: "all", sends: "a preflight", bound: "255 bytes of Origin", method: "OPTIONS", target: "/token", header: map[string]string{"Origin": "https://" + strings.Repeat("o", 40_000), "Access-Control-Request-Method": "POST"}, want: []int{204}},
		{endpoint: "all", sends: "a method of no endpoint", bound: byUnread, method: "PUT", target: "/token", body: long("x"), want: []int{405}},
		{endpoint: "all", sends: "another content type", bound: byUnread, target: "/token", body: long("x"), header: map[string]string{"Content-Type": "text/" + strings.Repeat("x", 10_000)}, want: []int{400}},
		{endpoint: "all", sends: "500 kB of Accept-Language", bound: "512 bytes", method: "GET", target: "/authorize?client_id=nobody", header: map[string]string{"Accept-Language": strings.Repeat("de,", 170_000)}, want: []int{400}},
		{endpoint: "all", sends: "500 kB of X-Forwarded-For", bound: "4 KiB of a line", target: "/token", body: cc, header: map[string]string{"X-Forwarded-For": strings.Repeat("10.0.0.1,", 55_000)}, want: []int{401}},
		{endpoint: "all", sends: "500 kB of Authorization", bound: "8 KiB", target: "/token", body: cc, header: map[string]string{"Authorization": "Basic " + strings.Repeat("x", 500_000)}, want: []int{401}},
		{endpoint: "all", sends: "500 kB of X-Request-Id", bound: "a short one is taken", target: "/token", body: cc, header: map[string]string{"X-Request-Id": strings.Repeat("x", 500_000)}, want: []int{401}},
		{endpoint: "admin", sends: "no session", bound: byUnread, method: "PUT", target: "/admin/clients/x", body: long("x"), want: []int{403}},
	}
}
