package fositegrant_test

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"
)

// sentTo says where a code was sent, if it was.
func sentTo(h heard) (string, bool) {
	if h.params().Get("code") != "" {
		return "a code", true
	}
	if h.params() == nil && h.str("error") == "" {
		return "an error page", false
	}
	return h.brief(), false
}

func authorizeFindings() []finding {
	return []finding{
		{what: "Registered `https://127.0.0.1/cb`, asked for `http://127.0.0.1:4711/cb`",
			try: func(c *contender) (string, bool) {
				return sentTo(c.authorize(authorizeQuery("loop", "redirect_uri", "http://127.0.0.1:4711/cb")))
			}},
		{what: "Registered `http://127.0.0.1/native`, asked for `http://user:pw@127.0.0.1:4711/native`",
			try: func(c *contender) (string, bool) {
				good := c.authorize(authorizeQuery("loop", "redirect_uri", "http://127.0.0.1:4711/native")) // RFC 8252 section 7.3
				require.NotEmpty(c.t, good.params().Get("code"), c.name)
				return sentTo(c.authorize(authorizeQuery("loop", "redirect_uri", "http://user:pw@127.0.0.1:4711/native")))
			}},
		{what: "A client with the redirect URI `javascript:alert(1)`", try: scriptRedirect,
			closes: "`RedirectSecureChecker: fosite.IsRedirectURISecureStrict`",
			setup:  func(s *fositeSetup) { s.config.RedirectSecureChecker = fosite.IsRedirectURISecureStrict }},
		{what: "Client with the scope `photos.*` asks for `photos.delete`",
			try: func(c *contender) (string, bool) {
				return sentTo(c.authorize(authorizeQuery("wild", "scope", "photos.delete")))
			},
			closes: "`ScopeStrategy: fosite.ExactScopeStrategy`",
			setup:  func(s *fositeSetup) { s.config.ScopeStrategy = fosite.ExactScopeStrategy }},
		{what: "Client with the audience `https://api.example` asks for `https://api.example/../admin`",
			try: func(c *contender) (string, bool) {
				return sentTo(c.authorize(authorizeQuery("conf", "audience", "https://api.example/../admin")))
			},
			closes: "`AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy`",
			setup:  func(s *fositeSetup) { s.config.AudienceMatchingStrategy = fosite.ExactAudienceMatchingStrategy }},
		{what: "`resource` (RFC 8707) with an audience that the client may not have",
			try: func(c *contender) (string, bool) {
				return sentTo(c.authorize(authorizeQuery("conf", "resource", "https://elsewhere.example")))
			}},
		{what: "`redirect_uri` and `client_id` twice",
			try: func(c *contender) (string, bool) {
				return sentTo(c.authorize(authorizeQuery("conf") + "&client_id=other&redirect_uri=https%3A%2F%2Felsewhere.example%2F"))
			}},
		{what: "An unsigned request object (`alg: none`) that changes `state`", try: unsignedRequest},
		{what: "PKCE and no `state`, which RFC 9700 allows",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("conf", "state", "-"))
				return res.brief(), res.params().Get("code") == ""
			}},
		{what: "An error redirect where no `state` was sent",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("conf", "state", "-", "scope", "admin"))
				if res.params().Has("state") {
					return "has an empty `state`", true
				}
				return "has none", res.params().Get("error") != "invalid_scope"
			}},
		{what: "`iss` (RFC 9207) in the answer, which stops mix-up attacks",
			try: func(c *contender) (string, bool) {
				good, bad := c.authorize(authorizeQuery("conf")).params(), c.authorize(authorizeQuery("conf", "scope", "admin")).params()
				if good.Get("iss") == "" && bad.Get("iss") == "" {
					return "never there", true
				}
				return "always there", good.Get("iss") != demoIssuer || bad.Get("iss") != demoIssuer
			}},
		{what: "An error by `form_post`: the page's Content-Security-Policy",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("conf", "scope", "admin", "response_mode", "form_post"))
				if res.header.Get("Content-Security-Policy") == "" {
					return "none", true
				}
				return "there", !strings.Contains(res.body, "invalid_scope")
			}},
		{what: "`form_post` to `com.example.app:/cb`",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("native", "redirect_uri", "com.example.app:/cb", "scope", "admin", "response_mode", "form_post"))
				if strings.Contains(res.body, "ZgotmplZ") {
					return "a form that goes to `#ZgotmplZ`", true
				}
				return res.brief(), res.status == http.StatusOK
			},
			closes: "a `FormPostHTMLTemplate` of your own"},
	}
}

// scriptRedirect registers a redirect URI that is code, and sends a browser there.
func scriptRedirect(c *contender) (string, bool) {
	client := demoClients("https://unused.example")[3]
	client.ID, client.RedirectURIs = "script", []string{"javascript:alert(1)//"}
	if c.register(client) != nil {
		return "the registration is refused", false
	}
	res := c.authorize(authorizeQuery("script", "redirect_uri", client.RedirectURIs[0]))
	if strings.HasPrefix(res.header.Get("Location"), "javascript:") && res.params().Get("code") != "" {
		return "a redirect to it", true
	}
	return res.brief(), false
}

func unsignedRequest(c *contender) (string, bool) {
	part := base64.RawURLEncoding.EncodeToString
	object := part([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + part([]byte(`{"state":"from-the-object"}`)) + "."
	client := demoClients("https://unused.example")[6] // one with keys of its own
	client.ID, client.GrantTypes, client.RedirectURIs, client.Scope = "objects", []string{"authorization_code"}, []string{demoRedirect}, []string{"read", "openid"}
	if err := c.register(client); err != nil {
		return err.Error(), true
	}
	res := c.authorize(authorizeQuery("objects", "scope", "openid read", "request", object))
	if res.params().Get("state") == "from-the-object" {
		return "believed: a code", true
	}
	return res.brief(), false
}

func lessThanFosite() []lacking {
	return []lacking{
		{"OpenID Connect: `scope=openid` in the code flow", func(c *contender) (string, bool) {
			res := c.redeem(demoBasic, c.code("conf", "scope", "openid read", "nonce", "0123456789"))
			if res.str("id_token") != "" {
				return "an ID token", true
			}
			return "an access token, no ID token", res.status != 200
		}},
		{"The hybrid flow: `response_type=code id_token`", func(c *contender) (string, bool) {
			q := c.authorize(authorizeQuery("conf", "response_type", "code id_token", "scope", "openid read", "nonce", "0123456789")).params()
			if q.Get("code") != "" && q.Get("id_token") != "" {
				return "a code and an ID token", true
			}
			return q.Get("error"), false
		}},
		{"Pushed authorization requests (RFC 9126)", func(c *contender) (string, bool) {
			res := c.send(c.request("/par", demoBasic, authorizeQuery("conf")))
			if res.str("request_uri") != "" {
				return "a `request_uri`", true
			}
			return noPushing(res)
		}},
		{"A signed request object, with `scope=openid`", func(c *contender) (string, bool) {
			client := demoClients("https://unused.example")[6]
			client.ID, client.GrantTypes, client.RedirectURIs, client.Scope = "objects", []string{"authorization_code"}, []string{demoRedirect}, []string{"read", "openid"}
			_ = c.register(client)
			res := c.authorize(authorizeQuery("objects", "scope", "openid read", "request", signDemo(demoKeys().client, "k1", map[string]any{"state": "from-the-object"})))
			if res.params().Get("state") == "from-the-object" {
				return "read", true
			}
			return res.brief(), false
		}},
	}
}
