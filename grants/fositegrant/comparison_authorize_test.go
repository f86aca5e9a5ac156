package fositegrant_test

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// outcome returns what came of an authorization request, and whether it got a code.
func outcome(r response) (string, bool) {
	if r.params().Get("code") != "" {
		return "a code", true
	}
	if r.params() == nil && r.str("error") == "" {
		return "an error page", false
	}
	return r.brief(), false
}

// asking returns a try that sends an authorization request of a client, changed by the
// pairs. A code is the weakness.
func asking(client string, pairs ...string) func(*contender) (string, bool) {
	return func(c *contender) (string, bool) {
		return outcome(c.authorize(authorizeQuery(client, pairs...)))
	}
}

func authorizeFindings() []finding {
	return []finding{
		{
			what: "Redirect URI `http://127.0.0.1:4711/cb`; registered is `https://127.0.0.1/cb`",
			try:  asking("loop", "redirect_uri", "http://127.0.0.1:4711/cb"),
		},
		{
			what: "Redirect URI `http://user:pw@127.0.0.1:4711/native`; registered is `http://127.0.0.1/native`",
			try: func(c *contender) (string, bool) {
				// Another port alone is allowed (RFC 8252 section 7.3).
				query := authorizeQuery("loop", "redirect_uri", "http://127.0.0.1:4711/native")
				require.NotEmpty(c.t, c.authorize(query).params().Get("code"), c.name)

				query = authorizeQuery("loop", "redirect_uri", "http://user:pw@127.0.0.1:4711/native")
				return outcome(c.authorize(query))
			},
		},
		{
			what:   "A client with the redirect URI `javascript:alert(1)`",
			try:    scriptRedirect,
			closes: "`RedirectSecureChecker: fosite.IsRedirectURISecureStrict`",
			setup: func(s *fositeSetup) {
				s.config.RedirectSecureChecker = fosite.IsRedirectURISecureStrict
			},
		},
		{
			what:   "A client with the scope `photos.*` requests `photos.delete`",
			try:    asking("wild", "scope", "photos.delete"),
			closes: "`ScopeStrategy: fosite.ExactScopeStrategy`",
			setup: func(s *fositeSetup) {
				s.config.ScopeStrategy = fosite.ExactScopeStrategy
			},
		},
		{
			what:   "A client with the audience `https://api.example` requests `https://api.example/../admin`",
			try:    asking("conf", "audience", "https://api.example/../admin"),
			closes: "`AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy`",
			setup: func(s *fositeSetup) {
				s.config.AudienceMatchingStrategy = fosite.ExactAudienceMatchingStrategy
			},
		},
		{
			what: "`resource` (RFC 8707) with an audience that the client is not registered for",
			try:  asking("conf", "resource", "https://elsewhere.example"),
		},
		{
			what: "`redirect_uri` and `client_id` twice",
			try: func(c *contender) (string, bool) {
				const second = "&client_id=other&redirect_uri=https%3A%2F%2Felsewhere.example%2F"
				return outcome(c.authorize(authorizeQuery("conf") + second))
			},
		},
		{
			what: "An unsigned request object (`alg: none`) that changes `state`",
			try:  unsignedRequest,
		},
		{
			what: "A request with PKCE and without `state`, which RFC 9700 allows",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("conf", "state", "-"))
				return res.brief(), res.params().Get("code") == ""
			},
		},
		{
			what: "An error redirect for a request without `state`",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("conf", "state", "-", "scope", "admin"))
				if res.params().Has("state") {
					return "has an empty `state`", true
				}
				return "has no `state`", res.params().Get("error") != "invalid_scope"
			},
		},
		{
			what: "`iss` in the answer, against mix-up attacks (RFC 9207)",
			try: func(c *contender) (string, bool) {
				success := c.authorize(authorizeQuery("conf")).params().Get("iss")
				failure := c.authorize(authorizeQuery("conf", "scope", "admin")).params().Get("iss")
				if success == "" && failure == "" {
					return "never", true
				}
				return "always", success != demoIssuer || failure != demoIssuer
			},
		},
		{
			what: "An error by `form_post`: the page's Content-Security-Policy",
			try: func(c *contender) (string, bool) {
				query := authorizeQuery("conf", "scope", "admin", "response_mode", "form_post")
				res := c.authorize(query)
				if res.header.Get("Content-Security-Policy") == "" {
					return "none", true
				}
				return "present", !strings.Contains(res.body, "invalid_scope")
			},
		},
		{
			what: "`form_post` to `com.example.app:/cb`",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("native",
					"redirect_uri", "com.example.app:/cb",
					"scope", "admin",
					"response_mode", "form_post"))
				if strings.Contains(res.body, "ZgotmplZ") {
					return "a form that goes to `#ZgotmplZ`", true
				}
				return res.brief(), res.status == http.StatusOK
			},
			closes: "your own `FormPostHTMLTemplate`",
		},
	}
}

// scriptRedirect registers a client with a script as redirect URI, and sends a browser
// to it.
func scriptRedirect(c *contender) (string, bool) {
	client := demoClient("public")
	client.ID = "script"
	client.RedirectURIs = []string{"javascript:alert(1)//"}
	if c.register(client) != nil {
		return "the registration is refused", false
	}

	res := c.authorize(authorizeQuery("script", "redirect_uri", client.RedirectURIs[0]))
	script := strings.HasPrefix(res.header.Get("Location"), "javascript:")
	if script && res.params().Get("code") != "" {
		return "a redirect to it", true
	}
	return res.brief(), false
}

// objectClient returns a client that may send request objects, because it has a key.
func objectClient() storage.Client {
	client := demoClient("signer")
	client.ID = "objects"
	client.GrantTypes = []string{"authorization_code"}
	client.RedirectURIs = []string{demoRedirect}
	client.Scope = []string{"read", "openid"}
	return client
}

// unsignedRequest sends a request object without a signature that changes the state.
func unsignedRequest(c *contender) (string, bool) {
	if err := c.register(objectClient()); err != nil {
		return err.Error(), true
	}
	part := base64.RawURLEncoding.EncodeToString
	header := part([]byte(`{"alg":"none","typ":"JWT"}`))
	object := header + "." + part([]byte(`{"state":"from-the-object"}`)) + "."

	res := c.authorize(authorizeQuery("objects", "scope", "openid read", "request", object))
	if res.params().Get("state") == "from-the-object" {
		return "accepted: a code", true
	}
	return res.brief(), false
}

func lessThanFosite() []lacking {
	openID := []string{"scope", "openid read", "nonce", "0123456789"}
	return []lacking{
		{
			what: "OpenID Connect: `scope=openid` in the code flow",
			try: func(c *contender) (string, bool) {
				res := c.redeem(demoBasic, c.code("conf", openID...))
				if res.str("id_token") != "" {
					return "an ID token", true
				}
				return "an access token, no ID token", res.status != 200
			},
		},
		{
			what: "The hybrid flow: `response_type=code id_token`",
			try: func(c *contender) (string, bool) {
				pairs := append([]string{"response_type", "code id_token"}, openID...)
				params := c.authorize(authorizeQuery("conf", pairs...)).params()
				if params.Get("code") != "" && params.Get("id_token") != "" {
					return "a code and an ID token", true
				}
				return params.Get("error"), false
			},
		},
		{
			what: "A signed request object, with `scope=openid`",
			try: func(c *contender) (string, bool) {
				_ = c.register(objectClient())
				claims := map[string]any{"state": "from-the-object"}
				object := signDemo(demoKeys().client, "k1", claims)
				query := authorizeQuery("objects", "scope", "openid read", "request", object)
				res := c.authorize(query)
				if res.params().Get("state") == "from-the-object" {
					return "read", true
				}
				return res.brief(), false
			},
		},
	}
}
