package fositegrant_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"
)

func introspectionFindings() []finding {
	return []finding{
		{
			what: "A client outside the audience introspects an access token of another client",
			try: func(c *contender) (string, bool) {
				token, _ := c.tokens()
				return c.introspectForeign("other:"+demoSecret, token)
			},
		},
		{
			what: "A client introspects a refresh token of another client",
			try: func(c *contender) (string, bool) {
				_, token := c.tokens()
				return c.introspectForeign("other:"+demoSecret, token)
			},
			closes: "`DisableRefreshTokenValidation: true`",
			setup:  func(s *fositeSetup) { s.config.DisableRefreshTokenValidation = true },
		},
		{
			what: "Introspection with an access token of any scope in place of client authentication",
			try: func(c *contender) (string, bool) {
				token, _ := c.tokens()
				other := c.post("/token", "other:"+demoSecret,
					"grant_type", "client_credentials", "scope", "read")
				return c.introspectForeign("Bearer "+other.str("access_token"), token)
			},
		},
		{
			what: "Introspection of a refresh token with a lifetime of 30 days: its expiry",
			try: func(c *contender) (string, bool) {
				_, token := c.tokens()
				exp, _ := c.introspect(demoBasic, token).json["exp"].(float64)
				days := time.Until(time.Unix(int64(exp), 0)).Hours() / 24
				if days < 1 {
					return "in an hour", true
				}
				return fmt.Sprintf("in %.0f days", days), false
			},
		},
		reservedClaims(),
		{
			what:      "Stateless JWT access tokens: introspection of an ID token, signed with the same key",
			fosite:    withJWT,
			grantwell: signedTokens,
			try: func(c *contender) (string, bool) {
				now := time.Now()
				return c.introspectForeign(demoBasic, c.sign(map[string]any{
					"iss":   demoIssuer,
					"aud":   "conf",
					"sub":   "alice",
					"iat":   now.Unix(),
					"exp":   now.Add(time.Hour).Unix(),
					"nonce": "n",
				}))
			},
			closes: "`OAuth2TokenIntrospectionFactory`, which looks tokens up",
			setup:  func(s *fositeSetup) { s.lookUp = true },
		},
		{
			what:      "Stateless JWT access tokens: introspection of a JWT without `exp`",
			fosite:    withJWT,
			grantwell: signedTokens,
			try: func(c *contender) (string, bool) {
				return c.introspectForeign(demoBasic, c.sign(map[string]any{
					"iss":       demoIssuer,
					"aud":       demoIssuer,
					"sub":       "alice",
					"client_id": "conf",
					"scope":     "read",
				}))
			},
			closes: "`OAuth2TokenIntrospectionFactory`, which looks tokens up",
			setup:  func(s *fositeSetup) { s.lookUp = true },
		},
	}
}

// reservedClaims is a login whose claims have the names of introspection's own members.
func reservedClaims() finding {
	claims := map[string]any{"active": false, "iss": "x", "token_type": "x"}
	return finding{
		what:   "A login whose extra claims are named `active`, `iss` and `token_type`",
		claims: claims,
		fosite: func(s *fositeSetup) {
			s.session = func(subject string) fosite.Session {
				return &fosite.DefaultSession{Subject: subject, Extra: claims}
			}
		},
		try: func(c *contender) (string, bool) {
			token, _ := c.tokens()
			res := c.introspect(demoBasic, token)
			if res.json["iss"] == "x" || !res.active() {
				return fmt.Sprintf("`active` is %v, `iss` is %v", res.json["active"], res.json["iss"]), true
			}
			return "`active` is true", false
		},
	}
}

// introspectForeign introspects a token that the caller must not learn about, or that is
// no access token. An active answer is the weakness. It first checks that the server
// answers for a token of the caller's own.
func (c *contender) introspectForeign(as, token string) (string, bool) {
	own, _ := c.tokens()
	require.True(c.t, c.introspect(demoBasic, own).active(), "%s: own token", c.name)

	res := c.introspect(as, token)
	switch {
	case res.active():
		return "active, with all claims", true
	case res.status == 200:
		return "not active", false
	case res.str("error") != "":
		return res.brief(), false
	}
	return fmt.Sprint(res.status, ", not active"), false
}

func revocationFindings() []finding {
	return []finding{
		{
			what: "Revocation while the store is down",
			try: func(c *contender) (string, bool) {
				access, refresh := c.tokens()
				c.broken(true)
				res := c.post("/revoke", demoBasic, "token", refresh)
				c.broken(false)
				if res.status == 200 && c.introspect(demoBasic, access).active() {
					return "200, and the tokens stay active", true
				}
				return res.brief(), res.status == 200
			},
		},
		{
			what: "Revocation of another client's token",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				res := c.post("/revoke", "other:"+demoSecret, "token", refresh)
				if res.status == 200 && c.introspect(demoBasic, refresh).active() {
					return "200, and the token stays active", true
				}
				return res.brief(), res.status == 200
			},
		},
		{
			what: "Revocation without a token",
			try: func(c *contender) (string, bool) {
				res := c.post("/revoke", demoBasic, "token_type_hint", "access_token")
				return res.brief(), res.status == 200
			},
		},
	}
}

func jwtFindings() []finding {
	return []finding{
		{
			what:      "JWT access tokens: `aud` and `typ` of a token without an audience",
			fosite:    withJWT,
			grantwell: signedTokens,
			try: func(c *contender) (string, bool) {
				token, _ := c.tokens()
				typ := jwtMember(token, 0, "typ")
				aud := jwtMember(token, 1, "aud")

				// RFC 9068 section 2 requires both.
				weak := fmt.Sprint(aud) == "[]" || typ != "at+jwt"
				return fmt.Sprintf("`%v`, `%v`", aud, typ), weak
			},
		},
		{
			what:      "JWT access tokens: `iat` after a refresh some seconds later",
			fosite:    withJWT,
			grantwell: signedTokens,
			try: func(c *contender) (string, bool) {
				first, refresh := c.tokens()

				// The claim counts seconds.
				time.Sleep(1100 * time.Millisecond)
				second := c.refresh(demoBasic, refresh).str("access_token")
				if jwtMember(first, 1, "iat") == jwtMember(second, 1, "iat") {
					return "that of the first token", true
				}
				return "the time of the refresh", false
			},
		},
	}
}

// jwtMember returns a member of the header (part 0) or of the claims (part 1) of a JWT.
func jwtMember(token string, part int, name string) any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, _ := base64.RawURLEncoding.DecodeString(parts[part])
	var members map[string]any
	_ = json.Unmarshal(raw, &members)
	return members[name]
}
