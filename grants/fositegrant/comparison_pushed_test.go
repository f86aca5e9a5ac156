package fositegrant_test

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/require"
)

// withoutPushing is the setting of a host that does not offer pushed requests.
const withoutPushing = "leaving `PushedAuthorizeHandlerFactory` out"

// pushedLifetime is how long a pushed request lives at Grantwell: the least that it takes.
const pushedLifetime = 5 * time.Second

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
					return res.brief(), false
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
					return res.brief(), false
				}
				fresh := c.push(demoBasic, "", authorizeQuery("conf")).str("request_uri")
				used := c.authorize("client_id=conf&request_uri=" + fresh)
				require.NotEmpty(c.t, used.params().Get("code"), "a fresh one is usable: %s", used.body)

				seconds, _ := res.json["expires_in"].(float64)
				time.Sleep(time.Duration(seconds)*time.Second + 50*time.Millisecond)
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
					return res.brief(), false
				}
				return res.brief(), true
			},
			closes: withoutPushing,
		},
	}
}
