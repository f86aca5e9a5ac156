package fositegrant_test

import (
	"fmt"
	"strings"
	"time"
)

// mebi is the number of bytes in a MiB.
const mebi = 1 << 20

// limitBody is the setup of a host that limits the size of requests.
func limitBody(s *fositeSetup) {
	s.body = 64 << 10
}

func tokenEndpointFindings() []finding {
	return []finding{
		{
			what:   "A body of 8 MiB as `multipart/form-data`",
			try:    sendMultipart,
			closes: "`http.MaxBytesHandler` in the host",
			setup:  limitBody,
		},
		{
			what:   "4 MiB of dots as the refresh token of a public client: allocated memory",
			try:    sendDots,
			closes: "`http.MaxBytesHandler` in the host",
			setup:  limitBody,
		},
		{
			what: "`grant_type` and `scope` twice",
			try: func(c *contender) (string, bool) {
				form := ccForm + "&grant_type=password&scope=write"
				res := c.send(c.request("/token", demoBasic, form))
				return res.brief(), res.status == 200
			},
		},
		{
			what: "An unknown grant type",
			try: func(c *contender) (string, bool) {
				res := c.post("/token", demoBasic, "grant_type", "magic")
				return res.brief(), res.str("error") != "unsupported_grant_type"
			},
		},
		{
			what: "Error codes for a replayed assertion, and for introspection without credentials",
			try: func(c *contender) (string, bool) {
				a := c.assert("signer", "signer")
				c.clientAuth("", a)
				replayed := c.clientAuth("", a).str("error")
				anonymous := c.post("/introspect", "", "token", "x").str("error")

				// RFC 6749 section 5.2 registers neither of fosite's codes.
				weak := replayed != "invalid_client" || anonymous != "invalid_client"
				return replayed + ", " + anonymous, weak
			},
		},
		{
			what: "A scope with an accent, a backslash and `<`: `error_description` repeats it",
			try: func(c *contender) (string, bool) {
				form := []string{"grant_type", "client_credentials", "scope", `adm(é)'\<x>`}
				res := c.post("/token", demoBasic, form...)
				if strings.Contains(res.str("error_description"), `adm(é)`) {
					return "yes", true
				}
				return "no", res.str("error") != "invalid_scope"
			},
		},
	}
}

// sendMultipart sends a token request as multipart/form-data with a large file.
func sendMultipart(c *contender) (string, bool) {
	const start = "--b\r\nContent-Disposition: form-data; name="
	var body strings.Builder
	body.WriteString(start + "\"grant_type\"\r\n\r\nclient_credentials\r\n")
	body.WriteString(start + "\"scope\"\r\n\r\nread\r\n")
	body.WriteString(start + "\"f\"; filename=\"f\"\r\n\r\n")
	body.WriteString(strings.Repeat("x", 8*mebi) + "\r\n--b--\r\n")

	// With Expect a server that refuses the request need not read the body.
	req := c.request("/token", demoBasic, body.String())
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	req.Header.Set("Expect", "100-continue")
	res := c.send(req)
	return res.brief(), res.status == 200
}

// sendDots compares the allocated memory with the size of the body. The client allocates
// little itself, because it sends the body from one string.
func sendDots(c *contender) (string, bool) {
	dots := strings.Repeat(".", 4*mebi)
	body := "grant_type=refresh_token&client_id=public&refresh_token=" + dots
	before := bytesAllocated()
	req := c.request("/token", "", body)
	req.Header.Set("Expect", "100-continue")
	res := c.send(req)

	times := (bytesAllocated() - before) / uint64(len(body))
	switch {
	case times >= 10:
		return "more than 10 times the size", true
	case times > 0:
		return fmt.Sprint(times, " times the size or more"), true
	}
	return fmt.Sprint(res.brief(), ", less than the size"), res.status == 200
}

func bearerFindings() []finding {
	return []finding{
		{
			what: "JWT bearer: an assertion whose `iat` is ten years in the future",
			try: func(c *contender) (string, bool) {
				exp := time.Now().AddDate(10, 0, 0)
				iat := exp.Add(-time.Minute)
				a := c.assert(demoIDP, "ann", "iat", iat.Unix(), "exp", exp.Unix())
				res := c.bearer(demoBasic, a)
				return res.brief(), res.status == 200
			},
		},
		{
			what: "JWT bearer: an assertion with a second audience: the audience of the token",
			try: func(c *contender) (string, bool) {
				audience := []string{c.audience, "https://third.example"}
				res := c.bearer(demoBasic, c.assert(demoIDP, "ann", "aud", audience))
				if res.status != 200 {
					return res.brief(), false
				}
				token := c.introspect(demoBasic, res.str("access_token"))
				if strings.Contains(fmt.Sprint(token.json["aud"]), "third") {
					return "both audiences of the assertion", true
				}
				return "the audience of the server's rule", false
			},
		},
		{
			what: "JWT bearer: a scope that is allowed to the issuer and not to the client",
			try: func(c *contender) (string, bool) {
				res := c.bearer(demoBasic, c.assert(demoIDP, "ann"), "scope", "admin")
				return res.brief(), res.status == 200
			},
		},
		{
			what: "JWT bearer without client authentication: a wrong client secret beside the assertion",
			fosite: func(s *fositeSetup) {
				s.config.GrantTypeJWTBearerCanSkipClientAuth = true
			},
			try: func(c *contender) (string, bool) {
				res := c.bearer("conf:wrong", c.assert("signer", "signer"))
				return res.brief(), res.status == 200
			},
			closes: "`GrantTypeJWTBearerCanSkipClientAuth: false`, the default",
			setup: func(s *fositeSetup) {
				s.config.GrantTypeJWTBearerCanSkipClientAuth = false
			},
		},
	}
}
