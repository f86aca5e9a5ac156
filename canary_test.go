package grantwell_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/grants/observe"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// canaries holds the secrets of a run, and all text that the server gave to
// its host.
type canaries struct {
	secrets map[string]string // the kind of each secret
	outputs map[string]*bytes.Buffer
	tripped map[string]int
	trip    func(where string) error
}

// output returns the buffer of a channel: log, event, trace, error or panic.
func (c *canaries) output(channel string) io.Writer {
	if c.outputs[channel] == nil {
		c.outputs[channel] = new(bytes.Buffer)
	}
	return c.outputs[channel]
}

// keep remembers secrets. Short ones are left out, because they could stand in
// a text by chance.
func (c *canaries) keep(what string, secrets ...string) {
	for _, s := range secrets {
		if len(s) >= 20 {
			c.secrets[s] = what
		}
	}
}

// leaks lists the secrets that stand in a channel's text, in any of the
// encodings that a secret travels in.
func (c *canaries) leaks() (found []string) {
	const head = 16 // the length of the prefix that is looked up at each place
	type spelling struct{ text, what string }
	spellings := map[string][]spelling{}
	for s, what := range c.secrets {
		quoted, _ := json.Marshal(s)
		for _, text := range []string{s, url.QueryEscape(s), strings.Trim(string(quoted), `"`),
			base64.StdEncoding.EncodeToString([]byte(s)),
			base64.RawURLEncoding.EncodeToString([]byte(s)), hex.EncodeToString([]byte(s))} {
			spellings[text[:head]] = append(spellings[text[:head]], spelling{text, what})
		}
	}
	for channel, outputs := range c.outputs {
		text := outputs.Bytes()
		for i := range max(len(text)-head, 0) {
			for _, s := range spellings[string(text[i:i+head])] {
				if bytes.HasPrefix(text[i:], []byte(s.text)) {
					found = append(found, channel+": "+s.what)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// fails reports the fault that the run wants at a place.
func (c *canaries) fails(where string) error {
	if c.trip == nil {
		return nil
	}
	c.tripped[where]++
	return c.trip(where)
}

// configure listens to everything that a server gives its host, and puts a
// fault before every call of the host's.
func (c *canaries) configure(cfg *grantwell.Config, keys tokens.Keys) {
	events := json.NewEncoder(c.output("event"))
	observer := func(ctx context.Context, call observe.Call) (context.Context, func(observe.Outcome)) {
		fmt.Fprintf(c.output("trace"), "%+v", call)
		return ctx, func(out observe.Outcome) { fmt.Fprintln(c.output("trace"), out) }
	}
	cfg.Logger = slog.New(slog.NewJSONHandler(c.output("log"),
		&slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Events = func(_ context.Context, e grantwell.Event) { _ = events.Encode(e) }
	lister := cfg.Records.(storage.Lister)
	store := servertest.HookRecords(cfg)
	store.Before(func(_ context.Context, call servertest.Call) error { return c.fails(call.Name) })
	cfg.Records = observe.Records(observer, struct {
		storage.Records
		storage.Lister
	}{store, lister})
	cfg.Clients = observe.Clients(observer, cfg.Clients)
	cfg.Keys = observe.Keys(observer, trippingKeys{keys, c})
	limiter := cfg.Limiter
	cfg.Limiter = tripping{limiter, func(_ context.Context, where string) error {
		return c.fails(where)
	}}
	cfg.SubjectActive = func(context.Context, string) (bool, error) {
		return true, c.fails("subject")
	}
	cfg.Hooks = grantwell.Hooks{
		BeforeAuthorize: func(context.Context, *grantwell.AuthorizeRequest, *grantwell.Approval) error {
			return c.fails("authorize")
		},
		BeforeIssue:  func(context.Context, *grantwell.Issuance) error { return c.fails("issue") },
		AfterIssue:   func(context.Context, grantwell.Issuance) error { return c.fails("issued") },
		BeforeRevoke: func(context.Context, *introspect.Token) error { return c.fails("revoke") },
		Validate:     func(context.Context, *introspect.Token) error { return c.fails("validate") },
	}
	for i, g := range cfg.Grants {
		switch g := g.(type) {
		case grants.JWTBearer:
			g.Verifier = observe.Verifier(observer, g.Verifier)
			cfg.Grants[i] = g
		case grants.SAMLBearer:
			g.Verifier = observe.Verifier(observer, g.Verifier)
			cfg.Grants[i] = g
		}
	}
}

// trippingKeys fails where the run wants it.
type trippingKeys struct {
	tokens.Keys
	c *canaries
}

func (k trippingKeys) Signing(ctx context.Context) (tokens.Key, error) {
	if err := k.c.fails("signing"); err != nil {
		return tokens.Key{}, err
	}
	return k.Keys.Signing(ctx)
}

// canaryRun is a host with every flow and every listener.
type canaryRun struct {
	*canaries
	*servertest.Site
	t     *testing.T
	p     servertest.Parties
	admin http.Handler
}

const canaryPassword, canarySecret = "CANARY-pa55word/&=+ of a user", "CANARY-5ecret/&=+ of a client"

func newCanaryRun(t *testing.T) *canaryRun {
	c := &canaries{
		secrets: map[string]string{},
		outputs: map[string]*bytes.Buffer{},
		tripped: map[string]int{},
	}
	run := &canaryRun{canaries: c, t: t, p: servertest.NewParties(t)}
	signing, err := tokens.GenerateKey(tokens.ES256)
	require.NoError(t, err)
	keys, err := tokens.StaticKeys(signing)
	require.NoError(t, err)
	run.Site = servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) {
		run.p.Trust(t, cfg)
		cfg.Paths.TokenInfo = "/tokeninfo"
		cfg.Grants[2] = grants.Password{Authenticator: servertest.AuthenticatorFunc(func(_ context.Context, l grants.Login) (grants.User, error) {
			if err := c.fails("authenticator"); err != nil || l.Password != canaryPassword {
				return grants.User{}, errors.Join(err, grants.ErrWrongPassword)
			}
			return grants.User{Subject: "u"}, nil
		})}
		cfg.Limiter = limit.NewMemory(nil)
		c.configure(cfg, keys)
	})
	run.admin, err = run.AS.Admin(grantwell.AdminConfig{Authorize: func(*http.Request) (string, error) {
		return "root", c.fails("admin")
	}})
	require.NoError(t, err)
	run.p.Register(t, run.Store)
	client := servertest.Clients()[0]
	client.ID = "canary"
	client.Secrets = []storage.Secret{storage.HashSecret(canarySecret),
		{Hash: servertest.BcryptHash(t, canarySecret)}}
	client.AccessTokenFormat = "jwt"
	require.NoError(t, run.Store.PutClient(t.Context(), client))
	c.keep("client secret", canarySecret, servertest.Secret, strings.Repeat("k", 32))
	c.keep("hash of a secret", client.Secrets[0].Hash, client.Secrets[1].Hash)
	c.keep("password", canaryPassword)
	c.keep("verifier", servertest.Verifier)
	for _, key := range []any{signing.Signer, run.p.Client, run.p.AS, run.p.IDP} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		c.keep("private key", string(der), base64.StdEncoding.EncodeToString(der)[60:120])
	}
	d, err := run.p.Client.Bytes()
	require.NoError(t, err)
	c.keep("private key", string(d), fmt.Sprintf("%v", d), fmt.Sprintf("%x", d))
	return run
}

// ask sends a form and keeps the secrets of the answer.
func (r *canaryRun) ask(path, as string, pairs ...string) servertest.Reply {
	res := r.serve(r.Handler,
		servertest.Request(servertest.Issuer+path, as, servertest.Form(pairs...)))
	r.keep("access token", res.String("access_token"))
	r.keep("refresh token", res.String("refresh_token"))
	return res
}

// administer sends JSON to the administration and keeps the secrets of the
// answer.
func (r *canaryRun) administer(method, path, body string) servertest.Reply {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	res := r.serve(r.admin, req)
	r.keep("client secret", res.String("client_secret"))
	return res
}

// serve serves a request and writes errors and panics to their channels.
func (r *canaryRun) serve(h http.Handler, req *http.Request) (res servertest.Reply) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(r.output("panic"), "%v\n%s", p, debug.Stack())
		}
	}()
	if res = servertest.Serve(h, req); res.Status >= 400 ||
		strings.Contains(res.Header.Get("Location"), "error=") {
		fmt.Fprintln(r.output("error"), res.Header, res.Body)
	}
	return res
}

// code goes through login and consent, and gets a code.
func (r *canaryRun) code(client string) string {
	b := r.SignedIn("alice")
	page := b.Visit(servertest.AuthorizeURL("client_id", client), nil)
	if page.Status == http.StatusOK {
		form := page.ConsentForm(r.t)
		r.keep("csrf", form.Get("csrf"))
		r.keep("interaction", form.Get("interaction"))
		u, _ := url.Parse(servertest.Issuer)
		for _, cookie := range b.Jar.Cookies(u) {
			if cookie.Name != "session" {
				r.keep("cookie", cookie.Value)
			}
		}
		r.serve(r.Handler, servertest.Request(servertest.Issuer+"/consent", "",
			servertest.Form("csrf", "x"+form.Get("csrf"), "interaction", form.Get("interaction"),
				"decision", "allow")))
		page = b.Send("/consent", form)
	} else if page.Status >= 400 {
		fmt.Fprintln(r.output("error"), page.Header, page.Body)
	}
	u, err := url.Parse(page.Header.Get("Location"))
	require.NoError(r.t, err)
	r.keep("code", u.Query().Get("code"))
	return u.Query().Get("code")
}

// flows runs every flow. What a flow needs is made before the fault begins.
// Only a run without a fault must succeed.
func (r *canaryRun) flows(trip func(string) error) {
	t := r.t
	r.canaries.trip = nil
	const canary = "canary:" + canarySecret
	code, wrong, spent := r.code("canary"), r.code("canary"), r.code("conf")
	redeem := func(as, code, verifier string) servertest.Reply {
		return r.ask("/token", as, "grant_type", "authorization_code", "code", code,
			"redirect_uri", servertest.Redirect, "code_verifier", verifier)
	}
	first := redeem(servertest.Conf, spent, servertest.Verifier)
	require.Equal(t, 200, first.Status, first.Body)
	access, refresh := first.String("access_token"), first.String("refresh_token")
	bearer := servertest.SignJWT(t, jose.ES256, r.p.AS,
		servertest.AssertionClaims(servertest.OtherAS, "bob", servertest.Issuer))
	saml := servertest.SAMLAssertion(t, r.p.IDP, nil)
	auth := servertest.SignJWT(t, jose.ES256, r.p.Client,
		servertest.AssertionClaims("signer", "signer", servertest.Issuer))
	r.keep("assertion", bearer, saml, auth, bearer[len(bearer)-40:], auth[len(auth)-40:],
		saml[len(saml)/2:][:200])
	bad := "CANARY" + strings.Repeat("-bad", 8)
	r.keep("a wrong secret", bad)

	r.canaries.trip = trip
	answers := []servertest.Reply{
		redeem(canary, code, servertest.Verifier), redeem(canary, wrong, bad+bad),
		redeem(servertest.Conf, bad, servertest.Verifier),
		r.ask("/token", servertest.Conf, "grant_type", "refresh_token", "refresh_token", refresh),
		r.ask("/token", canary, "grant_type", "password", "username", "u",
			"password", canaryPassword),
		r.ask("/token", canary, "grant_type", "password", "username", "u", "password", bad),
		r.ask("/token", canary, "grant_type", "client_credentials"),
		r.ask("/token", "canary:"+bad, "grant_type", "client_credentials"),
		r.ask("/token", servertest.Trusted, "grant_type", assertion.GrantJWT, "assertion", bearer),
		r.ask("/token", servertest.Trusted, "grant_type", assertion.GrantJWT, "assertion", bearer),
		r.ask("/token", servertest.Trusted, "grant_type", assertion.GrantJWT, "assertion", auth),
		r.ask("/token", servertest.Trusted, "grant_type", assertion.GrantJWT,
			"assertion", bearer[:len(bearer)-9]+bad),
		r.ask("/token", servertest.Trusted, "grant_type", assertion.GrantSAML2, "assertion", saml),
		r.ask("/token", servertest.Trusted, "grant_type", assertion.GrantSAML2, "assertion", saml),
		r.ask("/token", servertest.Trusted, "grant_type", assertion.GrantSAML2,
			"assertion", saml[:400]+bad),
		r.ask("/token", "", "grant_type", "client_credentials",
			"client_assertion_type", assertion.ClientJWT, "client_assertion", auth),
		r.ask("/token", "", "grant_type", "client_credentials",
			"client_assertion_type", assertion.ClientJWT, "client_assertion", bearer),
		r.ask("/introspect", servertest.Conf, "token", access),
		r.ask("/introspect", canary, "token", access),
		r.ask("/introspect", servertest.Conf, "token", bad),
		r.ask("/tokeninfo", servertest.Conf, "access_token", access),
		r.ask("/tokeninfo?access_token="+access, servertest.Conf),
		r.ask("/token?code="+spent, servertest.Conf),
		r.ask("/revoke", "other:"+servertest.Secret, "token", access),
		r.ask("/revoke", servertest.Conf, "token", access),
		r.ask("/introspect", servertest.Conf, "token", access),
		redeem(servertest.Conf, spent, servertest.Verifier),
		r.ask("/token", servertest.Conf, "grant_type", "refresh_token", "refresh_token", refresh),
	}
	r.code("conf")
	made := r.administer("POST", "/clients",
		`{"client_name":"made","grant_types":["client_credentials"],"scope":"read"}`)
	exported := r.administer("GET", "/export?shared_keys=include", "")
	for _, res := range []servertest.Reply{made,
		r.administer("POST", "/clients/"+made.String("client_id")+"/secret", "{}"),
		r.administer("POST", "/clients/hmac/disable", ""),
		r.administer("POST", "/clients/hmac/enable", ""),
		r.administer("GET", "/grants?client_id=canary", ""), exported,
		r.administer("POST", "/import?existing=replace", exported.Body)} {
		require.True(t, trip != nil || res.Status < 300, "%d %s", res.Status, res.Body)
	}
	r.administer("POST", "/import", strings.Replace(exported.Body, `"`, "", 1))
	r.administer("POST", "/clients", `{"client_secret":"`+bad+`"}`)
	guarded := introspect.Guard{
		Introspector: r.AS,
		Audience:     []string{servertest.Issuer},
	}.Require("read")(http.NotFoundHandler())
	for _, s := range []string{access, refresh, bad} {
		req := servertest.Request(servertest.Issuer+"/resource", "", "")
		req.Header.Set("Authorization", "Bearer "+s)
		r.serve(guarded, req)
	}
	if trip == nil {
		for _, i := range []int{0, 3, 4, 6, 8, 12, 15, 17, 20, 24} {
			require.Equal(t, 200, answers[i].Status, "%d %s", i, answers[i].Body)
		}
	}
}

// Every secret has a marker. No marker stands in a log, an event, a trace, an
// error or a panic, in any flow, also when a call fails or panics with a value
// that holds all secrets.
//
// Holds: RFC 9700 section 2.4; house: no secret in words.
func TestCanary_NoSecretReachesAnOutput(t *testing.T) {
	t.Parallel()
	r := newCanaryRun(t)
	r.flows(nil)
	places := []string{"Insert", "Get", "Advance", "Revoke", "limiter", "subject", "authorize",
		"issue", "issued", "revoke", "validate", "authenticator", "signing", "admin"}
	for _, where := range places {
		for _, panics := range []bool{false, true} {
			r.flows(func(at string) error {
				if at != where {
					return nil
				}
				if panics {
					panic(fmt.Sprint(r.secrets))
				}
				return errors.New("down")
			})
		}
		require.NotZero(t, r.tripped[where], where)
	}
	for _, what := range []string{"client secret", "password", "verifier", "private key", "code",
		"access token", "refresh token", "assertion", "csrf", "interaction", "cookie",
		"a wrong secret"} {
		require.Contains(t, mapValues(r.secrets), what)
	}
	for _, channel := range []string{"log", "event", "trace", "error"} {
		require.Greater(t, r.outputs[channel].Len(), 10_000, channel)
	}
	require.Empty(t, r.leaks())
}

func mapValues(m map[string]string) (all []string) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// The search finds a secret in each channel and encoding. Without this test an
// empty result would prove nothing.
func TestCanary_FindsALeak(t *testing.T) {
	t.Parallel()
	r := newCanaryRun(t)
	r.flows(nil)
	for s, what := range map[string]string{
		canaryPassword: "password",
		canarySecret:   "client secret",
		r.code("conf"): "code",
	} {
		for channel, buffer := range r.outputs {
			clean := bytes.Clone(buffer.Bytes())
			for _, leak := range []func(){
				func() { fmt.Fprint(buffer, "got ", s) },
				func() {
					_ = json.NewEncoder(buffer).Encode(map[string]any{
						"time": time.Now(),
						"form": url.Values{"x": {s}},
					})
				},
				func() { fmt.Fprint(buffer, url.Values{"x": {s}}.Encode()) },
				func() { fmt.Fprintf(buffer, "%x", s) },
				func() { fmt.Fprint(buffer, base64.StdEncoding.EncodeToString([]byte(s))) },
			} {
				require.Empty(t, r.leaks())
				leak()
				require.Equal(t, []string{channel + ": " + what}, r.leaks())
				buffer.Reset()
				buffer.Write(clean)
			}
		}
	}
}
