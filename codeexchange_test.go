package grantwell_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// A code buys tokens for its user and the scopes that were consented to, whatever scope the exchange names.
// Holds S35, R125.
func TestCode_BuysWhatWasConsented(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	for _, more := range [][]string{nil, {"scope", "read write"}, {"scope", "admin"}, {"scope", "write"}} {
		res := l.exchange(l.code("conf", "scope", "read"), more...)
		require.Equal(t, 200, res.status, res.body)
		require.Equal(t, "read", res.str("scope"))
		require.Equal(t, "alice", l.post("/introspect", conf, "token", res.str("access_token")).str("sub"))
	}
}

// A code in other hands is refused, spent, and leaves what its owner has alone.
// Holds S36, R111, R117, V18, V19, V20.
func TestCode_OfAnotherClient(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, as, client, verifier, uri string }{
		{"right in all else", "other:" + secret, "", verifier, redirect},
		{"wrong verifier", "other:" + secret, "", strings.Repeat("x", 43), redirect},
		{"no verifier", "other:" + secret, "", "", redirect},
		{"other redirect", "other:" + secret, "", verifier, "https://evil.example/"},
		{"a public client", "", "public", verifier, redirect},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, nil)
			steal := func(code string) reply {
				return l.post("/token", tt.as, "grant_type", "authorization_code", "client_id", tt.client, "code", code, "redirect_uri", tt.uri, "code_verifier", tt.verifier)
			}
			code := l.code("conf")
			steal(code).fails(t, 400, "invalid_grant")
			l.exchange(code).fails(t, 400, "invalid_grant")

			code = l.code("conf")
			owned := l.exchange(code)
			require.Equal(t, 200, owned.status)
			steal(code).fails(t, 400, "invalid_grant")
			require.True(t, l.active(owned.str("access_token")))
			require.Equal(t, 200, l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", owned.str("refresh_token")).status)
		})
	}
}

// The redirect URI must be the one of the authorization request, if that named one.
// Holds S37, R113.
func TestCode_RedirectURI(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	for _, uri := range []string{"", redirect + "/", redirect + "?a=b", strings.ToUpper(redirect), "https://evil.example/cb", redirect + "%2f", " " + redirect} {
		l.exchange2(l.code("conf"), uri).fails(t, 400, "invalid_grant")
	}
	require.Equal(t, 200, l.exchange2(l.code("conf"), redirect).status)
	require.Equal(t, 200, l.exchange2(l.code("conf", "redirect_uri", ""), "").status)
	require.Equal(t, 200, l.exchange2(l.code("conf", "redirect_uri", ""), redirect).status)
	l.exchange2(l.code("conf", "redirect_uri", ""), "https://evil.example/cb").fails(t, 400, "invalid_grant")
}

func (l *local) exchange2(code, uri string) reply {
	return l.post("/token", conf, "grant_type", "authorization_code", "code", code, "redirect_uri", uri, "code_verifier", verifier)
}

// Unknown, malformed, expired, spent and foreign codes get the same answer.
// Holds S38, R114, V95.
func TestCode_OneAnswerForAllFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, nil)
		mint := func() string {
			code, err := tokens.Opaque{}.Mint(t.Context(), tokens.Claims{})
			require.NoError(t, err)
			return code
		}
		want := l.exchange(mint())
		want.fails(t, 400, "invalid_grant")
		expired, last := l.code("conf"), l.code("conf")
		time.Sleep(time.Minute - time.Nanosecond)
		require.Equal(t, 200, l.exchange(last).status)
		time.Sleep(time.Nanosecond)
		foreign := l.code("other")
		for name, code := range map[string]string{"malformed": "x", "long": strings.Repeat("x", 4000), "text": "ü\u2028\"", "expired": expired, "spent": last, "foreign": foreign, "unknown": mint()} {
			require.Equal(t, want, l.exchange(code), name)
		}
	})
}

// A code lives as long as is configured, by the server or for the client, at most ten minutes.
// Holds S24, S38.
func TestCode_Lifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, func(cfg *grantwell.Config) { cfg.CodeLifetime = 10 * time.Minute })
		l.put(func(c *storage.Client) { c.ID, c.CodeLifetime = "other", 30*time.Second })
		long, short := l.code("conf"), l.code("other")
		time.Sleep(30 * time.Second)
		l.post("/token", "other:"+secret, "grant_type", "authorization_code", "code", short, "redirect_uri", redirect, "code_verifier", verifier).fails(t, 400, "invalid_grant")
		time.Sleep(9*time.Minute + 29*time.Second)
		require.Equal(t, 200, l.exchange(long).status)
	})
}

// A second redemption is refused and ends what the first one bought, its later refreshes included.
// Holds S39, R115.
func TestCode_SecondRedemptionRevokesFamily(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	code := l.code("conf")
	first := l.exchange(code)
	second := l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", first.str("refresh_token"))
	require.Equal(t, 200, second.status, second.body)
	bystander := l.exchange(l.code("conf"))
	l.exchange(code).fails(t, 400, "invalid_grant")
	require.False(t, l.active(first.str("access_token")))
	require.False(t, l.active(second.str("access_token")))
	l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", second.str("refresh_token")).fails(t, 400, "invalid_grant")
	require.True(t, l.active(bystander.str("access_token")), "of the same user and client")
	l.exchange(code).fails(t, 400, "invalid_grant")
}

// patient is for tests that load the machine: that a deadline passes is no finding of theirs.
func patient(cfg *grantwell.Config) { cfg.Timeout = time.Minute }

// Of any number of redemptions at once exactly one succeeds, and no two families live.
// Holds S39, R116, I1, I11.
func TestCode_ParallelRedemptions(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 3, 8, 64, 100} {
		l := newLocal(t, patient)
		for range 10 {
			code := l.code("conf")
			answers := make([]reply, n)
			start := make(chan struct{})
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() { <-start; answers[i] = l.exchange(code) })
			}
			close(start)
			wg.Wait()
			won, live := 0, 0
			for _, a := range answers {
				if a.status == 200 {
					won++
					if l.active(a.str("access_token")) {
						live++
					}
					continue
				}
				a.fails(t, 400, "invalid_grant")
			}
			require.Equal(t, 1, won)
			require.LessOrEqual(t, live, 1)
			recs, _, err := l.store.List(t.Context(), storage.Query{Kind: storage.Access})
			require.NoError(t, err)
			active := 0
			for _, rec := range recs {
				if rec.State == storage.Active {
					active++
				}
			}
			require.LessOrEqual(t, active, 1)
			for _, rec := range recs {
				require.NoError(t, l.srv.RevokeGrant(t.Context(), rec.GrantID))
			}
		}
	}
}

// The verifier must fit the challenge; one wrong try by the right client spends the code.
// Holds S40, R118, R119, R120, R122, V28, V30, V31, V32.
func TestCode_Verifier(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	for name, v := range map[string]string{"missing": "", "wrong": strings.Repeat("x", 43), "the challenge": challenge, "short": verifier[:42], "one character": "d",
		"long": strings.Repeat("a", 129), "charset": verifier[:42] + "+", "padded": verifier + "=", "space": verifier[:42] + " ", "not ASCII": verifier[:41] + "é", "case": strings.ToUpper(verifier)} {
		for _, client := range []string{"conf", "public"} {
			code, as, id := l.code(client), "", client
			if client == "conf" {
				as, id = conf, ""
			}
			try := func(v string) reply {
				return l.post("/token", as, "grant_type", "authorization_code", "client_id", id, "code", code, "redirect_uri", redirect, "code_verifier", v)
			}
			try(v).fails(t, 400, "invalid_grant")
			try(verifier).fails(t, 400, "invalid_grant") // spent
			require.Empty(t, access(t, l), name)
		}
	}
}

func access(t *testing.T, l *local) []storage.Record {
	recs, _, err := l.store.List(t.Context(), storage.Query{Kind: storage.Access})
	require.NoError(t, err)
	return recs
}

// A verifier without a challenge is the mark of a downgrade.
// Holds S40, R121, V29, V30.
func TestCode_VerifierWithoutChallenge(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	none := []string{"code_challenge", "", "code_challenge_method", ""}
	l.exchange(l.code("conf", none...)).fails(t, 400, "invalid_grant")
	code := l.code("conf", none...)
	require.Equal(t, 200, l.post("/token", conf, "grant_type", "authorization_code", "code", code, "redirect_uri", redirect).status)
}

// The rules on PKCE hold when the code is redeemed, not only when it was asked for: it may have been issued by other rules.
// Holds S40.
func TestCode_RulesOnPKCEAtRedemption(t *testing.T) {
	t.Parallel()
	none := []string{"code_challenge", "", "code_challenge_method", ""}
	plain := []string{"code_challenge", verifier, "code_challenge_method", "plain"}
	for name, tt := range map[string]struct {
		lax, strict grants.Handler
		client      string
		register    func(*storage.Client)
		code        []string
		verifier    string
	}{
		"required of all":        {grants.AuthorizationCode{}, grants.AuthorizationCode{RequirePKCE: true}, "conf", nil, none, ""},
		"required, by pointer":   {grants.AuthorizationCode{}, &grants.AuthorizationCode{RequirePKCE: true}, "conf", nil, none, ""},
		"required of the client": {grants.AuthorizationCode{}, grants.AuthorizationCode{}, "conf", func(c *storage.Client) { c.RequirePKCE = true }, none, ""},
		"public":                 {grants.AuthorizationCode{PublicWithoutPKCE: true}, grants.AuthorizationCode{}, "public", nil, none, ""},
		"plain":                  {grants.AuthorizationCode{AllowPlainPKCE: true}, grants.AuthorizationCode{}, "conf", nil, plain, verifier},
	} {
		var second *local
		first := newLocal(t, func(cfg *grantwell.Config) {
			cfg.Grants[0] = tt.lax
			strict := *cfg
			strict.Grants = append([]grants.Handler{tt.strict}, cfg.Grants[1:]...)
			second = newLocal(t, func(c *grantwell.Config) { *c = strict })
		})
		as, id := conf, ""
		if tt.client == "public" {
			as, id = "", "public"
		}
		redeem := func(l *local) reply {
			return l.post("/token", as, "grant_type", "authorization_code", "client_id", id, "code", first.code(tt.client, tt.code...), "redirect_uri", redirect, "code_verifier", tt.verifier)
		}
		require.Equal(t, 200, redeem(first).status, name)
		code := first.code(tt.client, tt.code...)
		if tt.register != nil {
			first.put(tt.register)
		}
		second.post("/token", as, "grant_type", "authorization_code", "client_id", id, "code", code, "redirect_uri", redirect, "code_verifier", tt.verifier).fails(t, 400, "invalid_grant")
	}
	// And a pointer to the settings counts as the settings do where the code is asked for.
	l := newLocal(t, func(cfg *grantwell.Config) { cfg.Grants[0] = &grants.AuthorizationCode{RequirePKCE: true} })
	res := l.do(httptest.NewRequest(http.MethodGet, "/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+redirect, nil))
	require.Contains(t, res.header.Get("Location"), "error=invalid_request")
}

// What ended between code and redemption ends the code.
// Holds R124.
func TestCode_WhatEndedMeanwhile(t *testing.T) {
	t.Parallel()
	var off atomic.Bool
	l := newLocal(t, func(cfg *grantwell.Config) {
		cfg.SubjectActive = func(_ context.Context, subject string) (bool, error) { return !off.Load() || subject != "alice", nil }
	})
	l.mux = http.NewServeMux()
	l.mux.Handle("/", l.srv.Handler())
	l.mux.HandleFunc("/authorize", l.authorize(grantwell.Approval{Subject: "alice", Remember: true}))

	code := l.code("conf")
	off.Store(true)
	l.exchange(code).fails(t, 400, "invalid_grant")
	off.Store(false)

	code = l.code("conf")
	require.NoError(t, l.srv.RevokeConsent(t.Context(), "conf", "alice"))
	l.exchange(code).fails(t, 400, "invalid_grant")

	code = l.code("conf", "scope", "write")
	l.put(func(c *storage.Client) { c.Scope = []string{"read"} })
	l.exchange(code).fails(t, 400, "invalid_grant")

	code = l.code("conf")
	l.put(func(c *storage.Client) { c.GrantTypes = []string{"client_credentials"} })
	l.exchange(code).fails(t, 400, "unauthorized_client")

	code = l.code("public")
	require.NoError(t, l.store.DeleteClient(t.Context(), "public"))
	l.post("/token", "", "grant_type", "authorization_code", "client_id", "public", "code", code, "redirect_uri", redirect, "code_verifier", verifier).fails(t, 401, "invalid_client")
	require.Empty(t, access(t, l))
}

// Tokens of one kind are not tokens of another, and one changed character makes garbage.
// Holds R86, R87, V91.
func TestTokens_OfTheWrongKindOrChanged(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	code := l.code("conf")
	got := l.exchange(l.code("conf"))
	at, rt := got.str("access_token"), got.str("refresh_token")
	for _, wrong := range []string{code, at} {
		l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", wrong).fails(t, 400, "invalid_grant")
	}
	for _, wrong := range []string{at, rt} {
		l.exchange(wrong).fails(t, 400, "invalid_grant")
	}
	for _, wrong := range []string{code, rt} {
		require.False(t, l.active(wrong))
	}
	change := func(s string) []string {
		swap := func(i int) string {
			c := byte('A')
			if s[i] == c {
				c = 'B'
			}
			return s[:i] + string(c) + s[i+1:]
		}
		return []string{s[:len(s)-1], s + "A", s + "=", s + "\n", " " + s, strings.ToLower(s), strings.ToUpper(s), swap(0), swap(20), swap(len(s) - 1),
			s[1:], strings.NewReplacer("-", "+", "_", "/").Replace(s) + "==", s + "." + s, strings.Repeat(s, 2)}
	}
	for _, c := range change(at) {
		require.False(t, l.active(c), c)
		require.Equal(t, false, l.post("/introspect", conf, "token", c).json["active"], c)
	}
	for _, c := range change(rt) {
		l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", c).fails(t, 400, "invalid_grant")
	}
	for _, c := range change(code) {
		l.exchange(c).fails(t, 400, "invalid_grant")
	}
	require.True(t, l.active(at))
	require.Equal(t, 200, l.exchange(code).status)
}

// Whoever copies the store has no usable token, code or secret, and lookups compare digests only.
// Holds R85, R88, V116, V117.
func TestStore_HoldsNoSecret(t *testing.T) {
	t.Parallel()
	l, store := newHooked(t, nil)
	code := l.code("conf")
	got := l.exchange(code)
	unused := l.code("conf")
	secrets := []string{code, unused, got.str("access_token"), got.str("refresh_token"), secret, verifier}
	seen := map[string]bool{}
	for _, s := range secrets[:4] {
		require.GreaterOrEqual(t, len(s), 49) // 258 bits and a checksum
		require.False(t, seen[s[:8]])
		seen[s[:8]] = true
	}
	recs, _, err := l.store.List(t.Context(), storage.Query{})
	require.NoError(t, err)
	require.Len(t, recs, 4)
	clients, err := l.store.ListClients(t.Context(), "", 0)
	require.NoError(t, err)
	dump, err := json.Marshal([]any{recs, clients})
	require.NoError(t, err)
	for _, s := range secrets {
		require.NotContains(t, string(dump), s)
	}
	var lookups atomic.Int32
	store.breaks(func(_ context.Context, call string) error {
		lookups.Add(1)
		require.NotContains(t, call, got.str("access_token")[:8])
		return nil
	})
	require.True(t, l.active(got.str("access_token")))
	require.NotZero(t, lookups.Load())
	for range 100_000 {
		guess, err := tokens.Opaque{}.Mint(t.Context(), tokens.Claims{})
		require.NoError(t, err)
		require.False(t, l.active(guess))
	}
	lookups.Store(0)
	for range 1000 {
		require.False(t, l.active(strings.Repeat("A", 49)))
	}
	require.Zero(t, lookups.Load(), "garbage does not reach the store")
}

// No answer carries what belongs to another request.
// Holds V13, V15.
func TestToken_ParallelRequestsDoNotMix(t *testing.T) {
	t.Parallel()
	l := newLocal(t, patient)
	var scopes []string
	for a := 'a'; a <= 'z'; a++ {
		scopes = append(scopes, "s."+string(a), "t."+string(a))
	}
	l.put(func(c *storage.Client) { c.Scope = append(c.Scope, scopes...) })
	var wg sync.WaitGroup
	for i, a := range scopes {
		for _, b := range scopes[i+1:] {
			wg.Go(func() {
				res := l.post("/token", conf, "grant_type", "client_credentials", "scope", b+" "+a)
				if !(res.status == 200 && res.str("scope") == b+" "+a) {
					t.Errorf("%s %s: %s", a, b, res.body)
				}
				info, err := l.srv.Introspect(context.Background(), res.str("access_token"))
				if err != nil || strings.Join(info.Scope, " ") != b+" "+a {
					t.Errorf("%s %s: %v %v", a, b, info, err)
				}
			})
		}
	}
	for i := range 256 {
		wg.Go(func() {
			id := "user-" + string(rune('A'+i%26)) + strings.Repeat("x", i/26)
			mux := http.NewServeMux()
			mux.HandleFunc("/authorize", l.authorize(grantwell.Approval{Subject: id}))
			mux.Handle("/", l.srv.Handler())
			one := &local{t: t, srv: l.srv, store: l.store, mux: mux}
			res := one.exchange(one.code("conf"))
			if sub := one.post("/introspect", conf, "token", res.str("access_token")).str("sub"); sub != id {
				t.Errorf("%s became %s", id, sub)
			}
		})
	}
	wg.Wait()
}
