package fositegrant_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// jwtMember is a member of the header (0) or of the claims (1) of a JWT.
func jwtMember(token string, part int, name string) any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, _ := base64.RawURLEncoding.DecodeString(parts[part])
	var m map[string]any
	_ = json.Unmarshal(raw, &m)
	return m[name]
}

const (
	ownStrategy = "a `ClientAuthenticationStrategy` of your own"
	ownFetcher  = "a `JWKSFetcherStrategy` of your own"
)

const plainTokenForm = "grant_type=client_credentials&scope=read"

func clientFindings() []finding {
	return []finding{
		{what: "A good secret by Basic, and another client with a wrong one in the body",
			try: func(c *contender) (string, bool) {
				res := c.send(c.request("/token", demoBasic, plainTokenForm+"&client_id=other&client_secret=wrong"))
				return res.brief(), res.status == 200
			},
			closes: "registering clients as `DefaultOpenIDConnectClient`", setup: func(s *fositeSetup) { s.oidc = true }},
		{what: "A good assertion of one client, and another client with a wrong secret by Basic",
			try: func(c *contender) (string, bool) {
				res := c.clientAuth("conf:wrong", c.assert("signer", "signer"))
				return res.brief(), res.status == 200
			},
			closes: ownStrategy},
		{what: "No credentials at all",
			try: func(c *contender) (string, bool) {
				res := c.send(c.request("/token", "", plainTokenForm))
				return res.brief(), res.str("error") != "invalid_client"
			},
			closes: ownStrategy},
		{what: "A wrong secret by Basic: the `WWW-Authenticate` of the 401",
			try: func(c *contender) (string, bool) {
				res := c.send(c.request("/token", "conf:wrong", plainTokenForm))
				if res.header.Get("WWW-Authenticate") == "" {
					return "none", true
				}
				return "there", res.status != 401
			}},
		{what: "A wrong secret by Basic with a plain `%` in it",
			try: func(c *contender) (string, bool) {
				req := c.request("/token", "", plainTokenForm)
				req.SetBasicAuth("conf", "a+b%c")
				res := c.send(req)
				return res.brief(), res.str("error") != "invalid_client"
			},
			closes: ownStrategy},
		{what: "The slow hash, by which time tells whether a client exists", try: enumerates, closes: ownStrategy},
		{what: "Two clients' assertions with the same `jti`",
			try: func(c *contender) (string, bool) {
				first := c.clientAuth("", c.assert("signer", "signer", "jti", "same"))
				second := c.clientAuth("", c.assert("second", "second", "jti", "same"))
				return inTurn(first.brief(), second.brief()), second.status != 200
			},
			closes: ownStrategy},
		{what: "An assertion for another server, then a good one with its `jti`",
			try: func(c *contender) (string, bool) {
				c.clientAuth("", c.assert("signer", "signer", "jti", "same", "aud", "https://elsewhere.example"))
				res := c.clientAuth("", c.assert("signer", "signer", "jti", "same"))
				return "the good one: " + res.brief(), res.status != 200
			},
			closes: ownStrategy},
		{what: "A client's assertion that is valid for 50 years",
			try: func(c *contender) (string, bool) {
				res := c.clientAuth("", c.assert("signer", "signer", "exp", time.Now().AddDate(50, 0, 0).Unix()))
				return res.brief(), res.status == 200
			},
			closes: ownStrategy},
		{what: "20 unauthenticated assertions with invented key IDs: fetches of the client's `jwks_uri`",
			try: func(c *contender) (string, bool) {
				for i := range 20 {
					c.clientAuth("", c.assert("remote", "remote", "kid", fmt.Sprint("invented", i)))
				}
				if c.fetches() >= 20 {
					return "one or more for each", true
				}
				return fmt.Sprint(c.fetches()), c.fetches() != 1
			},
			closes: ownFetcher},
	}
}

// enumerates counts hashes for a wrong secret of a client that exists and of one that does not.
func enumerates(c *contender) (string, bool) {
	slow, _ := json.Marshal(demoClients("https://unused.example")[0])
	var client storage.Client
	_ = json.Unmarshal(slow, &client)
	client.Secrets = []storage.Secret{argon2Secret()} // at fosite it is bcrypt whatever this is
	if err := c.register(client); err != nil {
		return err.Error(), true
	}
	ask := func(as string) int {
		return c.hashes(func() { c.send(c.request("/token", as, plainTokenForm)) })
	}
	ask(demoBasic) // a server may have to see one before it knows how slow they are
	known, unknown := ask("conf:wrong"), ask("nobody:wrong")
	return fmt.Sprintf("%d for a wrong secret, %d for a client that does not exist", known, unknown), known != unknown
}

const mebi = 1 << 20

func tokenEndpointFindings() []finding {
	return []finding{
		{what: "A body of 8 MiB as `multipart/form-data`",
			try: func(c *contender) (string, bool) {
				field := func(name, value string) string {
					return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
				}
				body := field("grant_type", "client_credentials") + field("scope", "read") +
					"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + strings.Repeat("x", 8*mebi) + "\r\n--b--\r\n"
				req := c.request("/token", demoBasic, body)
				req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
				req.Header.Set("Expect", "100-continue") // who refuses need not read it
				res := c.send(req)
				return res.brief(), res.status == 200
			},
			closes: "`http.MaxBytesHandler` of the host", setup: func(s *fositeSetup) { s.body = 64 << 10 }},
		{what: "4 MiB of dots as the refresh token of a public client: memory allocated for them", try: sendDots,
			closes: "`http.MaxBytesHandler` of the host", setup: func(s *fositeSetup) { s.body = 64 << 10 }},
		{what: "`grant_type` and `scope` twice",
			try: func(c *contender) (string, bool) {
				res := c.send(c.request("/token", demoBasic, plainTokenForm+"&grant_type=password&scope=write"))
				return res.brief(), res.status == 200
			}},
		{what: "A grant type that there is not",
			try: func(c *contender) (string, bool) {
				res := c.post("/token", demoBasic, "grant_type", "magic")
				return res.brief(), res.str("error") != "unsupported_grant_type"
			}},
		{what: "Error codes outside the specification: a replayed assertion, introspection without credentials",
			try: func(c *contender) (string, bool) {
				a := c.assert("signer", "signer")
				c.clientAuth("", a)
				codes := []string{c.clientAuth("", a).str("error"), c.post("/introspect", "", "token", "x").str("error")}
				return strings.Join(codes, ", "), codes[0] != "invalid_client" || codes[1] != "invalid_client"
			}},
		{what: "A scope with an accent, a backslash and `<`: is it in `error_description`?",
			try: func(c *contender) (string, bool) {
				res := c.post("/token", demoBasic, "grant_type", "client_credentials", "scope", `adm(é)'\<x>`)
				if strings.Contains(res.str("error_description"), `adm(é)`) {
					return "yes", true
				}
				return "no", res.str("error") != "invalid_scope"
			}},
	}
}

// sendDots compares what is allocated with the body. The client's own part is small: it sends what it has.
func sendDots(c *contender) (string, bool) {
	body := "grant_type=refresh_token&client_id=public&refresh_token=" + strings.Repeat(".", 4*mebi)
	before := bytesAllocated()
	req := c.request("/token", "", body)
	req.Header.Set("Expect", "100-continue")
	res := c.send(req)
	if times := (bytesAllocated() - before) / uint64(len(body)); times >= 10 {
		return "more than 10 times their size", true
	} else if times > 0 {
		return fmt.Sprint(times, " times their size or more"), true
	}
	return fmt.Sprint(res.brief(), ", less than their size"), res.status == 200
}

func parFindings() []finding {
	const without = "leaving `PushedAuthorizeHandlerFactory` out"
	pushed := func(c *contender, as, rawQuery, body string) heard {
		return c.send(c.request("/par"+rawQuery, as, body))
	}
	return []finding{
		{what: "Pushed request: a client authenticates and names another as `client_id`",
			try: func(c *contender) (string, bool) {
				res := pushed(c, "other:"+demoSecret, "", authorizeQuery("conf"))
				if res.status != http.StatusCreated {
					return noPushing(res)
				}
				code := c.authorize("client_id=conf&request_uri=" + res.str("request_uri"))
				return "accepted: " + code.brief() + " for the other", code.params().Get("code") != ""
			},
			closes: without},
		{what: "Pushed request: used after it has expired",
			fosite: func(s *fositeSetup) { s.config.PushedAuthorizeContextLifespan = 10 * time.Millisecond },
			try: func(c *contender) (string, bool) {
				res := pushed(c, demoBasic, "", authorizeQuery("conf"))
				if res.status != http.StatusCreated {
					return noPushing(res)
				}
				time.Sleep(50 * time.Millisecond)
				code := c.authorize("client_id=conf&request_uri=" + res.str("request_uri"))
				return code.brief(), code.params().Get("code") != ""
			},
			closes: without},
		{what: "Pushed request: the client's secret in the URL",
			try: func(c *contender) (string, bool) {
				res := pushed(c, "", "?client_id=conf&client_secret="+demoSecret, authorizeQuery("conf", "client_id", "-"))
				if res.status != http.StatusCreated {
					return noPushing(res)
				}
				return res.brief(), true
			},
			closes: without},
	}
}

func noPushing(h heard) (string, bool) {
	if h.status == http.StatusNotFound {
		return "no such endpoint yet", false
	}
	return h.brief(), false
}

func bearerFindings() []finding {
	years := func() (iat, exp int64) {
		at := time.Now().AddDate(10, 0, 0)
		return at.Add(-time.Minute).Unix(), at.Unix()
	}
	return []finding{
		{what: "JWT bearer: an assertion of ten years, whose `iat` is in the future",
			try: func(c *contender) (string, bool) {
				iat, exp := years()
				res := c.bearer(demoBasic, c.assert(demoIDP, "ann", "iat", iat, "exp", exp))
				return res.brief(), res.status == 200
			}},
		{what: "JWT bearer: an assertion with a second audience: the audience of the token",
			try: func(c *contender) (string, bool) {
				res := c.bearer(demoBasic, c.assert(demoIDP, "ann", "aud", []string{c.audience, "https://third.example"}))
				if res.status != 200 {
					return res.brief(), false
				}
				aud := fmt.Sprint(c.asked(demoBasic, res.str("access_token")).json["aud"])
				if strings.Contains(aud, "third") {
					return "both of the assertion's", true
				}
				return "the server's own rule", false
			}},
		{what: "JWT bearer: a scope that the issuer may give and the client may not have",
			try: func(c *contender) (string, bool) {
				res := c.bearer(demoBasic, c.assert(demoIDP, "ann"), "scope", "admin")
				return res.brief(), res.status == 200
			}},
		{what: "JWT bearer without client authentication: a wrong secret beside the assertion",
			fosite: func(s *fositeSetup) { s.config.GrantTypeJWTBearerCanSkipClientAuth = true },
			try: func(c *contender) (string, bool) {
				res := c.bearer("conf:wrong", c.assert("signer", "signer"))
				return res.brief(), res.status == 200
			},
			closes: "`GrantTypeJWTBearerCanSkipClientAuth: false`, the default",
			setup:  func(s *fositeSetup) { s.config.GrantTypeJWTBearerCanSkipClientAuth = false }},
	}
}
