package fositegrant_test

import (
	"net/http"
	"time"
)

// withoutPushing is the setting of a host that does not offer pushed requests.
const withoutPushing = "leaving `PushedAuthorizeHandlerFactory` out"

// push sends a pushed authorization request (RFC 9126).
func (c *contender) push(as, rawQuery, body string) response {
	return c.send(c.request("/par"+rawQuery, as, body))
}

func parFindings() []finding {
	return []finding{
		{
			what: "Pushed request: a client authenticates and names another as `client_id`",
			try: func(c *contender) (string, bool) {
				res := c.push("other:"+demoSecret, "", authorizeQuery("conf"))
				if res.status != http.StatusCreated {
					return noEndpoint(res)
				}
				code := c.authorize("client_id=conf&request_uri=" + res.str("request_uri"))
				saw := "accepted: " + code.brief() + " for the other client"
				return saw, code.params().Get("code") != ""
			},
			closes: withoutPushing,
		},
		{
			what: "Pushed request: used after it has expired",
			fosite: func(s *fositeSetup) {
				s.config.PushedAuthorizeContextLifespan = 10 * time.Millisecond
			},
			try: func(c *contender) (string, bool) {
				res := c.push(demoBasic, "", authorizeQuery("conf"))
				if res.status != http.StatusCreated {
					return noEndpoint(res)
				}
				time.Sleep(50 * time.Millisecond)
				code := c.authorize("client_id=conf&request_uri=" + res.str("request_uri"))
				return code.brief(), code.params().Get("code") != ""
			},
			closes: withoutPushing,
		},
		{
			what: "Pushed request: the client's secret in the URL",
			try: func(c *contender) (string, bool) {
				credentials := "?client_id=conf&client_secret=" + demoSecret
				res := c.push("", credentials, authorizeQuery("conf", "client_id", "-"))
				if res.status != http.StatusCreated {
					return noEndpoint(res)
				}
				return res.brief(), true
			},
			closes: withoutPushing,
		},
	}
}

// noEndpoint returns a refusal in words.
func noEndpoint(r response) (string, bool) {
	if r.status == http.StatusNotFound {
		return "no such endpoint", false
	}
	return r.brief(), false
}
