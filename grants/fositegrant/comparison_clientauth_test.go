package fositegrant_test

import (
	"fmt"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// What a host of fosite has to write to remove a weakness.
const (
	ownStrategy = "your own `ClientAuthenticationStrategy`"
	ownFetcher  = "your own `JWKSFetcherStrategy`"
)

// ccForm is a token request by client credentials without the client.
const ccForm = "grant_type=client_credentials&scope=read"

func clientFindings() []finding {
	return []finding{
		{
			what: "A correct secret in the Basic header, and another client with a wrong secret in the body",
			try: func(c *contender) (string, bool) {
				form := ccForm + "&client_id=other&client_secret=wrong"
				res := c.send(c.request("/token", demoBasic, form))
				return res.brief(), res.status == 200
			},
			closes: "registering clients as `DefaultOpenIDConnectClient`",
			setup:  func(s *fositeSetup) { s.oidc = true },
		},
		{
			what: "A valid assertion of one client, and another client with a wrong secret in the Basic header",
			try: func(c *contender) (string, bool) {
				res := c.clientAuth("conf:wrong", c.assert("signer", "signer"))
				return res.brief(), res.status == 200
			},
			closes: ownStrategy,
		},
		{
			what: "No client credentials",
			try: func(c *contender) (string, bool) {
				res := c.send(c.request("/token", "", ccForm))
				return res.brief(), res.str("error") != "invalid_client"
			},
			closes: ownStrategy,
		},
		{
			what: "A wrong secret in the Basic header: the `WWW-Authenticate` header of the 401",
			try: func(c *contender) (string, bool) {
				res := c.send(c.request("/token", "conf:wrong", ccForm))
				if res.header.Get("WWW-Authenticate") == "" {
					return "none", true
				}
				return "present", res.status != 401
			},
		},
		{
			what: "A wrong secret with an unescaped `%` in the Basic header",
			try: func(c *contender) (string, bool) {
				req := c.request("/token", "", ccForm)
				req.SetBasicAuth("conf", "a+b%c")
				res := c.send(req)
				return res.brief(), res.str("error") != "invalid_client"
			},
			closes: ownStrategy,
		},
		{
			what:   "Slow hashes, whose time shows whether a client exists",
			try:    countHashes,
			closes: ownStrategy,
		},
		{
			what: "Assertions of two clients with the same `jti`",
			try: func(c *contender) (string, bool) {
				first := c.clientAuth("", c.assert("signer", "signer", "jti", "same"))
				second := c.clientAuth("", c.assert("second", "second", "jti", "same"))
				return sequence(first.brief(), second.brief()), second.status != 200
			},
			closes: ownStrategy,
		},
		{
			what: "An assertion for another server, then a valid one with the same `jti`",
			try: func(c *contender) (string, bool) {
				const elsewhere = "https://elsewhere.example"
				c.clientAuth("", c.assert("signer", "signer", "jti", "same", "aud", elsewhere))
				res := c.clientAuth("", c.assert("signer", "signer", "jti", "same"))
				return "the valid one: " + res.brief(), res.status != 200
			},
			closes: ownStrategy,
		},
		{
			what: "A client assertion that is valid for 50 years",
			try: func(c *contender) (string, bool) {
				exp := time.Now().AddDate(50, 0, 0).Unix()
				res := c.clientAuth("", c.assert("signer", "signer", "exp", exp))
				return res.brief(), res.status == 200
			},
			closes: ownStrategy,
		},
		{
			what: "20 unauthenticated assertions with invented key IDs: fetches of the client's `jwks_uri`",
			try: func(c *contender) (string, bool) {
				for i := range 20 {
					kid := fmt.Sprint("invented", i)
					c.clientAuth("", c.assert("remote", "remote", "kid", kid))
				}
				if c.fetches() >= 20 {
					return "one or more for each", true
				}
				return fmt.Sprint(c.fetches()), c.fetches() != 1
			},
			closes: ownFetcher,
		},
	}
}

// countHashes counts the slow hashes for a wrong secret of a client that exists, and for
// one of a client that does not exist.
func countHashes(c *contender) (string, bool) {
	// fosite hashes with bcrypt whatever the secret here is.
	client := demoClient("conf")
	client.Secrets = []storage.Secret{argon2Secret()}
	if err := c.register(client); err != nil {
		return err.Error(), true
	}
	ask := func(as string) int {
		return c.hashes(func() { c.send(c.request("/token", as, ccForm)) })
	}

	// Grantwell must see one slow hash before it can spend the same time on others.
	ask(demoBasic)
	known := ask("conf:wrong")
	unknown := ask("unknown:wrong")
	saw := fmt.Sprintf("%d for a wrong secret, %d for an unknown client", known, unknown)
	return saw, known != unknown
}
