package fositegrant_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// sequence joins what was observed one after the other.
func sequence(saw ...string) string {
	return strings.Join(saw, ", then ")
}

// atomicStore is what removes races from fosite, and withAtomicStore the setup for it.
const atomicStore = "a store that spends in one atomic step"

func withAtomicStore(s *fositeSetup) {
	s.atomic = true
}

func codeFindings() []finding {
	return []finding{
		{
			what: "Public client: a code with a wrong verifier, then the same code without one",
			try: func(c *contender) (string, bool) {
				code := c.code("public")
				wrong := c.redeem("public", code, "code_verifier", strings.Repeat("x", 43))
				without := c.redeem("public", code, "code_verifier", "-")
				return sequence(wrong.brief(), without.brief()), without.status == 200
			},
			closes: "`EnforcePKCE: true`",
			setup:  func(s *fositeSetup) { s.config.EnforcePKCE = true },
		},
		{
			what: "Public client: the code flow without PKCE",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("public", noPKCE...))
				return res.brief(), res.params().Get("code") != ""
			},
			closes: "`EnforcePKCEForPublicClients: true`",
			setup:  func(s *fositeSetup) { s.config.EnforcePKCEForPublicClients = true },
		},
		{
			what: "A code challenge of five characters",
			try: func(c *contender) (string, bool) {
				res := c.authorize(authorizeQuery("public", "code_challenge", "short"))
				return res.brief(), res.params().Get("code") != ""
			},
		},
		{
			what: "A code without PKCE, redeemed while the store is marking it as used for another request",
			try: func(c *contender) (string, bool) {
				code := c.code("conf", noPKCE...)
				first, second := c.overtake("spend", 0, func() response {
					return c.redeem(demoBasic, code, noPKCE...)
				})
				return winners(first, second)
			},
			closes: atomicStore,
			setup:  withAtomicStore,
		},
		{
			what: "Two concurrent requests with one code without PKCE: the answer to the second",
			try: func(c *contender) (string, bool) {
				code := c.code("conf", noPKCE...)
				second, first := c.overtake("read", c.rereads, func() response {
					return c.redeem(demoBasic, code, noPKCE...)
				})
				if first.status != 200 {
					return "the first was refused: " + first.brief(), false
				}
				return second.brief(), second.status != 400
			},
		},
		{
			what:   "50 codes without PKCE, each redeemed by 8 concurrent requests",
			try:    underLoad,
			closes: "such a store that also returns new objects at each call",
		},
		{
			what: "A spent code presented by another client: the tokens of the first client",
			try: func(c *contender) (string, bool) {
				code := c.code("conf")
				token := c.redeem(demoBasic, code).str("access_token")
				c.redeem("other:"+demoSecret, code)
				return tokenState(c, token)
			},
		},
	}
}

// winners returns which of two requests got tokens. Both is the weakness.
func winners(a, b response) (string, bool) {
	switch {
	case a.status == 200 && b.status == 200:
		return "both requests get tokens", true
	case a.status != 200 && b.status != 200:
		return "no request gets tokens", false
	}
	return "one request gets tokens", false
}

// tokenState returns whether a token is active. It is the weakness if it is not.
func tokenState(c *contender, token string) (string, bool) {
	if c.introspect(demoBasic, token).active() {
		return "stay active", false
	}
	return "are revoked", true
}

// loadVariable tells TestComparison_FositeUnderLoad in a child process to run. Its value
// is how long fosite's store takes to mark a code as used.
const loadVariable = "GRANTWELL_COMPARISON_LOAD"

// underLoad counts the codes that are redeemed more than once.
//
// fosite runs in a process of its own, because it may crash: its store shares a session
// between requests, and Go ends a process in which two goroutines write to one map. If its
// memory store is too fast for the race to show on this machine, the store is slowed down
// to the speed of a store behind a network.
func underLoad(c *contender) (string, bool) {
	if c.name != "fosite" {
		if n := redeemedTwice(c); n > 0 {
			return fmt.Sprint(n, " codes are redeemed more than once"), true
		}
		return "each is redeemed once", false
	}

	for _, slow := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond} {
		if crashesUnderLoad(c, slow) {
			return "some codes are redeemed more than once, or the process crashes (`concurrent map`)", true
		}
	}
	return "each is redeemed once", false
}

// crashesUnderLoad reports whether fosite in a child process redeems a code more than
// once, or crashes.
func crashesUnderLoad(c *contender, slow time.Duration) bool {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0],
		"-test.run=^TestComparison_FositeUnderLoad$", "-test.v")

	// The race detector finds the races of fosite. They must not end the child.
	child.Env = append(os.Environ(),
		loadVariable+"="+slow.String(), "GOMAXPROCS=4", "GORACE=halt_on_error=0 exitcode=0")
	var stdout, stderr strings.Builder
	child.Stdout = &stdout
	child.Stderr = &stderr

	// A crash shows in the output, so that the error says nothing new.
	_ = child.Run()
	_, counted, finished := strings.Cut(stdout.String(), "more than once: ")
	if finished && !strings.HasPrefix(counted, "0\n") {
		return true
	}
	return strings.Contains(stderr.String(), "fatal error: concurrent map")
}

// This is the child process of underLoad. In another process it does nothing.
func TestComparison_FositeUnderLoad(t *testing.T) {
	slow, err := time.ParseDuration(os.Getenv(loadVariable))
	if err != nil {
		return
	}
	c := newFosite(t, func(s *fositeSetup) { s.slow = slow })
	fmt.Printf("more than once: %d\n", redeemedTwice(c))
}

// redeemedTwice redeems 50 codes by 8 concurrent requests each, and returns how many codes
// were redeemed more than once.
func redeemedTwice(c *contender) (n int) {
	for range 50 {
		code := c.code("conf", noPKCE...)
		tokens := concurrently(8, func() response {
			return c.redeem(demoBasic, code, noPKCE...)
		})
		if tokens > 1 {
			n++
		}
	}
	return n
}

func refreshFindings() []finding {
	return []finding{
		{
			what: "A refresh token used while the store is marking it as used for another request",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				first, second := c.overtake("spend", 0, func() response {
					return c.refresh(demoBasic, refresh)
				})
				return winners(first, second)
			},
			closes: atomicStore,
			setup:  withAtomicStore,
		},
		{
			what: "Refresh with `scope=read` of a token for read, write and offline",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				res := c.refresh(demoBasic, refresh, "scope", "read")
				return "scope " + res.str("scope"), res.str("scope") != "read"
			},
		},
		{
			what: "Refresh with `scope=admin`, which was never granted",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				res := c.refresh(demoBasic, refresh, "scope", "admin")
				return res.brief(), res.status == 200
			},
		},
		{
			what: "A refresh token with one character changed",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				changed := byte('x')
				if refresh[10] == changed {
					changed = 'y'
				}
				res := c.refresh(demoBasic, refresh[:10]+string(changed)+refresh[11:])
				return res.brief(), res.str("error") != "invalid_grant"
			},
		},
		{
			what: "A spent refresh token presented by another client: the tokens of the first client",
			try: func(c *contender) (string, bool) {
				_, refresh := c.tokens()
				token := c.refresh(demoBasic, refresh).str("access_token")
				c.refresh("other:"+demoSecret, refresh)
				return tokenState(c, token)
			},
		},
	}
}
