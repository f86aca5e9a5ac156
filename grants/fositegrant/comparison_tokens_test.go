package fositegrant_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"
)

func inTurn(saw ...string) string { return strings.Join(saw, ", then ") }

func spendsAtomically(s *fositeSetup) { s.atomic = true }

const ownStore = "a store of your own that spends in one atomic step"

func codeFindings() []finding {
	return []finding{
		{what: "Public client: a code with a wrong verifier, then the same code with none",
			try: func(c *contender) (string, bool) {
				code := c.code("public")
				wrong := c.redeem("public", code, "code_verifier", strings.Repeat("x", 43))
				none := c.redeem("public", code, "code_verifier", "-")
				return inTurn(wrong.brief(), none.brief()), none.status == 200
			},
			closes: "`EnforcePKCE: true`", setup: func(s *fositeSetup) { s.config.EnforcePKCE = true }},
		{what: "Public client: the code flow without PKCE",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("public", "code_challenge", "-", "code_challenge_method", "-"))
				return res.brief(), res.params().Get("code") != ""
			},
			closes: "`EnforcePKCEForPublicClients: true`", setup: func(s *fositeSetup) { s.config.EnforcePKCEForPublicClients = true }},
		{what: "A code challenge of five characters",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("public", "code_challenge", "short"))
				return res.brief(), res.params().Get("code") != ""
			}},
		{what: "A code without PKCE, redeemed while the store is about to mark it used for another request",
			try: func(c *contender) (string, bool) {
				code := c.code("conf", noPKCE...)
				first, second := c.overtaken("spend", 0, func() heard { return c.redeem(demoBasic, code, noPKCE...) })
				return whoGetTokens(first, second), first.status == 200 && second.status == 200
			},
			closes: ownStore, setup: spendsAtomically},
		{what: "Two at once with a code without PKCE: the answer to the one that is late",
			try: func(c *contender) (string, bool) {
				code := c.code("conf", noPKCE...)
				late, other := c.overtaken("read", c.rereads, func() heard { return c.redeem(demoBasic, code, noPKCE...) })
				if other.status != 200 {
					return "the other was refused: " + other.brief(), false
				}
				return late.brief(), late.status != 400
			}},
		{what: "50 codes without PKCE, each redeemed 8 times at once", try: underLoad,
			closes: "such a store, if it gives every request objects of its own"},
		{what: "A used code presented by another client that found it: the tokens of the first client",
			try: func(c *contender) (string, bool) {
				code := c.code("conf")
				token := c.redeem(demoBasic, code).str("access_token")
				c.redeem("other:"+demoSecret, code)
				return stillAlive(c, token)
			}},
	}
}

func whoGetTokens(a, b heard) string {
	if a.status == 200 && b.status == 200 {
		return "both get tokens"
	}
	if a.status != 200 && b.status != 200 {
		return "none gets tokens"
	}
	return "one gets tokens"
}

// stillAlive tells whether a token still is; a hole is where it is not.
func stillAlive(c *contender, token string) (string, bool) {
	if c.asked(demoBasic, token).active() {
		return "stay", false
	}
	return "are revoked", true
}

// loadEnv makes TestComparison_FositeUnderLoad of a child process do its work.
const loadEnv = "GRANTWELL_COMPARISON_LOAD"

// underLoad counts the codes that were redeemed more than once. fosite runs in a process of its own, because it may end it: its store
// shares the session between requests, and a map that two goroutines write to is fatal in Go. If its store in memory is too quick for this
// machine to be seen, it takes as long as one behind a network.
func underLoad(c *contender) (string, bool) {
	if c.name != "fosite" {
		if n := redeemedTwice(c); n > 0 {
			return fmt.Sprint(n, " codes more than once"), true
		}
		return "each once", false
	}
	for _, slow := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
		child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestComparison_FositeUnderLoad$", "-test.v")
		// The race detector has much to say here. It is to go on all the same.
		child.Env = append(os.Environ(), loadEnv+"="+slow.String(), "GOMAXPROCS=4", "GORACE=halt_on_error=0 exitcode=0")
		var out, complaint strings.Builder
		child.Stdout, child.Stderr = &out, &complaint
		_ = child.Run() // how it ends is told by what it says
		cancel()
		_, counted, finished := strings.Cut(out.String(), "more than once: ")
		if finished && !strings.HasPrefix(counted, "0\n") || strings.Contains(complaint.String(), "fatal error: concurrent map") {
			return "some codes more than once, or the process ends (`concurrent map`)", true
		}
	}
	return "each once", false
}

// TestComparison_FositeUnderLoad is the other process of underLoad, and does nothing anywhere else.
func TestComparison_FositeUnderLoad(t *testing.T) {
	slow, err := time.ParseDuration(os.Getenv(loadEnv))
	if err != nil {
		return
	}
	fmt.Printf("more than once: %d\n", redeemedTwice(newFosite(t, func(s *fositeSetup) { s.slow = slow })))
}

func redeemedTwice(c *contender) (n int) {
	for range 50 {
		code := c.code("conf", noPKCE...)
		if atOnce(8, func() heard { return c.redeem(demoBasic, code, noPKCE...) }) > 1 {
			n++
		}
	}
	return n
}

func refreshFindings() []finding {
	return []finding{
		{what: "A refresh token used while the store is about to mark it used for another request",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				first, second := c.overtaken("spend", 0, func() heard { return c.refresh(demoBasic, refresh) })
				return whoGetTokens(first, second), first.status == 200 && second.status == 200
			},
			closes: ownStore, setup: spendsAtomically},
		{what: "Refresh with `scope=read` of a token for read, write and offline",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				res := c.refresh(demoBasic, refresh, "scope", "read")
				return "scope " + res.str("scope"), res.str("scope") != "read"
			}},
		{what: "Refresh with `scope=admin`, which was never granted",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				res := c.refresh(demoBasic, refresh, "scope", "admin")
				return res.brief(), res.status == 200
			}},
		{what: "A refresh token with one character changed",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				b := []byte(refresh)
				b[10] ^= 1 // a letter or digit beside it
				if b[10] == '@' || b[10] == '`' || b[10] == '/' || b[10] == ',' || b[10] == '.' || b[10] == '[' || b[10] == '{' {
					b[10] = 'x'
				}
				res := c.refresh(demoBasic, string(b))
				return res.brief(), res.str("error") != "invalid_grant"
			}},
		{what: "A used refresh token presented by another client that found it: the tokens of the first client",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				token := c.refresh(demoBasic, refresh).str("access_token")
				c.refresh("other:"+demoSecret, refresh)
				return stillAlive(c, token)
			}},
	}
}

func introspectionFindings() []finding {
	lookUp := func(s *fositeSetup) { s.lookUp = true }
	return []finding{
		{what: "Another client, for which it is not meant, introspects an access token",
			try: func(c *contender) (string, bool) {
				token, _ := c.tokens()
				return c.told("other:"+demoSecret, token)
			}},
		{what: "Another client introspects a refresh token",
			try: func(c *contender) (string, bool) {
				_, token := c.tokens()
				return c.told("other:"+demoSecret, token)
			},
			closes: "`DisableRefreshTokenValidation: true`", setup: func(s *fositeSetup) { s.config.DisableRefreshTokenValidation = true }},
		{what: "Introspection with some access token, of any scope, in place of client authentication",
			try: func(c *contender) (string, bool) {
				token, _ := c.tokens()
				bearer := c.post("/token", "other:"+demoSecret, "grant_type", "client_credentials", "scope", "read").str("access_token")
				return c.told("Bearer "+bearer, token)
			}},
		{what: "The expiry that introspection tells of a refresh token which lives 30 days",
			try: func(c *contender) (string, bool) {
				_, token := c.tokens()
				exp, _ := c.asked(demoBasic, token).json["exp"].(float64)
				days := time.Until(time.Unix(int64(exp), 0)).Hours() / 24
				if days < 1 {
					return "in an hour", true
				}
				return fmt.Sprintf("in %.0f days", days), false
			}},
		{what: "A login whose extra claims are named `active`, `iss` and `token_type`",
			claims: map[string]any{"active": false, "iss": "x", "token_type": "x"},
			fosite: func(s *fositeSetup) {
				s.session = func(subject string) fosite.Session {
					return &fosite.DefaultSession{Subject: subject, Extra: map[string]any{"active": false, "iss": "x", "token_type": "x"}}
				}
			},
			try: func(c *contender) (string, bool) {
				token, _ := c.tokens()
				res := c.asked(demoBasic, token)
				if res.json["iss"] == "x" || !res.active() {
					return fmt.Sprintf("introspection says active %v, iss %v", res.json["active"], res.json["iss"]), true
				}
				return "introspection says active true", false
			}},
		{what: "Stateless JWT access tokens: introspection of an ID token, signed with the same key", fosite: withJWT, grantwell: signedTokens,
			try: func(c *contender) (string, bool) {
				now := time.Now()
				return c.told(demoBasic, c.sign(map[string]any{"iss": demoIssuer, "aud": "conf", "sub": "alice", "iat": now.Unix(),
					"exp": now.Add(time.Hour).Unix(), "nonce": "n"}))
			},
			closes: "`OAuth2TokenIntrospectionFactory`, which looks tokens up", setup: lookUp},
		{what: "Stateless JWT access tokens: introspection of a JWT without `exp`", fosite: withJWT, grantwell: signedTokens,
			try: func(c *contender) (string, bool) {
				return c.told(demoBasic, c.sign(map[string]any{"iss": demoIssuer, "aud": demoIssuer, "sub": "alice", "client_id": "conf", "scope": "read"}))
			},
			closes: "`OAuth2TokenIntrospectionFactory`, which looks tokens up", setup: lookUp},
	}
}

// told says what introspection tells somebody who should not be told anything. The owner of a good token is told of it at the same server.
func (c *contender) told(as, token string) (string, bool) {
	own, _ := c.tokens()
	require.True(c.t, c.asked(demoBasic, own).active(), "%s does not know its own token", c.name)
	h := c.asked(as, token)
	switch {
	case h.active():
		return "active, with all that is known", true
	case h.status == 200:
		return "not active", false
	case h.str("error") != "":
		return h.brief(), false
	}
	return fmt.Sprint(h.status, ", not active"), false
}

func revocationFindings() []finding {
	return []finding{
		{what: "Revocation while the store is down",
			try: func(c *contender) (string, bool) {
				access, refresh := c.tokens()
				c.broken(true)
				res := c.post("/revoke", demoBasic, "token", refresh)
				c.broken(false)
				if res.status == 200 && c.asked(demoBasic, access).active() {
					return "200, and the tokens stay active", true
				}
				return res.brief(), res.status == 200
			}},
		{what: "Revocation of another client's token",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				res := c.post("/revoke", "other:"+demoSecret, "token", refresh)
				if res.status == 200 && c.asked(demoBasic, refresh).active() {
					return "200, and the token stays active", true
				}
				return res.brief(), res.status == 200
			}},
		{what: "Revocation without a token",
			try: func(c *contender) (string, bool) {
				res := c.post("/revoke", demoBasic, "token_type_hint", "access_token")
				return res.brief(), res.status == 200
			}},
	}
}

func jwtFindings() []finding {
	return []finding{
		{what: "JWT access tokens: `aud` and `typ` of one without an audience", fosite: withJWT, grantwell: signedTokens,
			try: func(c *contender) (string, bool) {
				token, _ := c.tokens()
				typ, aud := jwtMember(token, 0, "typ"), jwtMember(token, 1, "aud")
				return fmt.Sprintf("`%v`, `%v`", aud, typ), fmt.Sprint(aud) == "[]" || typ != "at+jwt"
			}},
		{what: "JWT access tokens: `iat` after a refresh some seconds later", fosite: withJWT, grantwell: signedTokens,
			try: func(c *contender) (string, bool) {
				first, refresh := c.tokens()
				time.Sleep(1100 * time.Millisecond) // iat counts seconds
				second := c.refresh(demoBasic, refresh).str("access_token")
				if jwtMember(first, 1, "iat") == jwtMember(second, 1, "iat") {
					return "that of the first token", true
				}
				return "the time of the refresh", false
			}},
	}
}
