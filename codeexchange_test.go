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
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// A code buys tokens for its user and the scopes that were consented to, whatever scope the exchange names.
// Holds S35, R125.
func TestCode_BuysWhatWasConsented(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for _, more := range [][]string{nil, {"scope", "read write"}, {"scope", "admin"}, {"scope", "write"}} {
		res := l.Redeem("conf", l.Code("conf", "scope", "read"), more...)
		require.Equal(t, 200, res.Status, res.Body)
		require.Equal(t, "read", res.String("scope"))
		require.Equal(t, "alice", l.Post("/introspect", servertest.Conf, "token", res.String("access_token")).String("sub"))
	}
}

// A code in other hands is refused, spent, and leaves what its owner has alone.
// Holds S36, R111, R117, V18, V19, V20.
func TestCode_OfAnotherClient(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, as, client, verifier, uri string }{
		{"right in all else", "other:" + servertest.Secret, "", servertest.Verifier, servertest.Redirect},
		{"wrong verifier", "other:" + servertest.Secret, "", strings.Repeat("x", 43), servertest.Redirect},
		{"no verifier", "other:" + servertest.Secret, "", "", servertest.Redirect},
		{"other redirect", "other:" + servertest.Secret, "", servertest.Verifier, "https://evil.example/"},
		{"a public client", "", "public", servertest.Verifier, servertest.Redirect},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := servertest.New(t, nil)
			steal := func(code string) servertest.Reply {
				return l.Post("/token", tt.as, "grant_type", "authorization_code", "client_id", tt.client, "code", code, "redirect_uri", tt.uri, "code_verifier", tt.verifier)
			}
			code := l.Code("conf")
			steal(code).Fails(t, 400, "invalid_grant")
			l.Redeem("conf", code).Fails(t, 400, "invalid_grant")

			code = l.Code("conf")
			owned := l.Redeem("conf", code)
			require.Equal(t, 200, owned.Status)
			steal(code).Fails(t, 400, "invalid_grant")
			require.True(t, l.Valid(owned.String("access_token")))
			require.Equal(t, 200, l.Post("/token", servertest.Conf, "grant_type", "refresh_token", "refresh_token", owned.String("refresh_token")).Status)
		})
	}
}

// The redirect URI must be the one of the authorization request, if that named one.
// Holds S37, R113.
func TestCode_RedirectURI(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for _, uri := range []string{"", servertest.Redirect + "/", servertest.Redirect + "?a=b", strings.ToUpper(servertest.Redirect), "https://evil.example/cb", servertest.Redirect + "%2f", " " + servertest.Redirect} {
		l.Redeem("conf", l.Code("conf"), "redirect_uri", uri).Fails(t, 400, "invalid_grant")
	}
	require.Equal(t, 200, l.Redeem("conf", l.Code("conf"), "redirect_uri", servertest.Redirect).Status)
	require.Equal(t, 200, l.Redeem("conf", l.Code("conf", "redirect_uri", servertest.Omit), "redirect_uri", "").Status)
	require.Equal(t, 200, l.Redeem("conf", l.Code("conf", "redirect_uri", servertest.Omit), "redirect_uri", servertest.Redirect).Status)
	l.Redeem("conf", l.Code("conf", "redirect_uri", servertest.Omit), "redirect_uri", "https://evil.example/cb").Fails(t, 400, "invalid_grant")
}

// Unknown, malformed, expired, spent and foreign codes get the same answer.
// Holds S38, R114, V95.
func TestCode_OneAnswerForAllFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := servertest.New(t, nil)
		mint := func() string {
			code, err := tokens.Opaque{}.Mint(t.Context(), tokens.Claims{})
			require.NoError(t, err)
			return code
		}
		want := l.Redeem("conf", mint())
		want.Fails(t, 400, "invalid_grant")
		expired, last := l.Code("conf"), l.Code("conf")
		time.Sleep(time.Minute - time.Nanosecond)
		require.Equal(t, 200, l.Redeem("conf", last).Status)
		time.Sleep(time.Nanosecond)
		foreign := l.Code("other")
		for name, code := range map[string]string{"malformed": "x", "long": strings.Repeat("x", 4000), "text": "ü\u2028\"", "expired": expired, "spent": last, "foreign": foreign, "unknown": mint()} {
			require.Equal(t, want, l.Redeem("conf", code), name)
		}
	})
}

// A code lives as long as is configured, by the server or for the client, at most ten minutes.
// Holds S24, S38.
func TestCode_Lifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := servertest.New(t, func(cfg *grantwell.Config) { cfg.CodeLifetime = 10 * time.Minute })
		l.AddClient("conf", func(c *storage.Client) { c.ID, c.CodeLifetime = "other", 30*time.Second })
		long, short := l.Code("conf"), l.Code("other")
		time.Sleep(30 * time.Second)
		l.Post("/token", "other:"+servertest.Secret, "grant_type", "authorization_code", "code", short, "redirect_uri", servertest.Redirect, "code_verifier", servertest.Verifier).Fails(t, 400, "invalid_grant")
		time.Sleep(9*time.Minute + 29*time.Second)
		require.Equal(t, 200, l.Redeem("conf", long).Status)
	})
}

// A second redemption is refused and ends what the first one bought, its later refreshes included.
// Holds S39, R115.
func TestCode_SecondRedemptionRevokesFamily(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	code := l.Code("conf")
	first := l.Redeem("conf", code)
	second := l.Post("/token", servertest.Conf, "grant_type", "refresh_token", "refresh_token", first.String("refresh_token"))
	require.Equal(t, 200, second.Status, second.Body)
	bystander := l.Redeem("conf", l.Code("conf"))
	l.Redeem("conf", code).Fails(t, 400, "invalid_grant")
	require.False(t, l.Valid(first.String("access_token")))
	require.False(t, l.Valid(second.String("access_token")))
	l.Post("/token", servertest.Conf, "grant_type", "refresh_token", "refresh_token", second.String("refresh_token")).Fails(t, 400, "invalid_grant")
	require.True(t, l.Valid(bystander.String("access_token")), "of the same user and client")
	l.Redeem("conf", code).Fails(t, 400, "invalid_grant")
}

// Of any number of redemptions at once exactly one succeeds, and no two families live.
// Holds S39, R116, I1, I11.
func TestCode_ParallelRedemptions(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 3, 8, 64, 100} {
		l := servertest.New(t, servertest.LongTimeout)
		for range 10 {
			code := l.Code("conf")
			answers := make([]servertest.Reply, n)
			start := make(chan struct{})
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() { <-start; answers[i] = l.Redeem("conf", code) })
			}
			close(start)
			wg.Wait()
			won, live := 0, 0
			for _, a := range answers {
				if a.Status == 200 {
					won++
					if l.Valid(a.String("access_token")) {
						live++
					}
					continue
				}
				a.Fails(t, 400, "invalid_grant")
			}
			require.Equal(t, 1, won)
			require.LessOrEqual(t, live, 1)
			recs := l.Records(storage.Query{Kind: storage.Access})
			active := 0
			for _, rec := range recs {
				if rec.State == storage.Active {
					active++
				}
			}
			require.LessOrEqual(t, active, 1)
			for _, rec := range recs {
				require.NoError(t, l.AS.RevokeGrant(t.Context(), rec.GrantID))
			}
		}
	}
}

// The verifier must fit the challenge; one wrong try by the right client spends the code.
// Holds S40, R118, R119, R120, R122, V28, V30, V31, V32.
func TestCode_Verifier(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for name, v := range map[string]string{"missing": "", "wrong": strings.Repeat("x", 43), "the challenge": servertest.Challenge, "short": servertest.Verifier[:42], "one character": "d",
		"long": strings.Repeat("a", 129), "charset": servertest.Verifier[:42] + "+", "padded": servertest.Verifier + "=", "space": servertest.Verifier[:42] + " ", "not ASCII": servertest.Verifier[:41] + "é", "case": strings.ToUpper(servertest.Verifier)} {
		for _, client := range []string{"conf", "public"} {
			code, as, id := l.Code(client), "", client
			if client == "conf" {
				as, id = servertest.Conf, ""
			}
			try := func(v string) servertest.Reply {
				return l.Post("/token", as, "grant_type", "authorization_code", "client_id", id, "code", code, "redirect_uri", servertest.Redirect, "code_verifier", v)
			}
			try(v).Fails(t, 400, "invalid_grant")
			try(servertest.Verifier).Fails(t, 400, "invalid_grant") // spent
			require.Empty(t, access(t, l), name)
		}
	}
}

func access(t *testing.T, l *servertest.Server) []storage.Record {
	recs := l.Records(storage.Query{Kind: storage.Access})
	return recs
}

// A verifier without a challenge is the mark of a downgrade.
// Holds S40, R121, V29, V30.
func TestCode_VerifierWithoutChallenge(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	none := []string{"code_challenge", servertest.Omit, "code_challenge_method", servertest.Omit}
	l.Redeem("conf", l.Code("conf", none...)).Fails(t, 400, "invalid_grant")
	code := l.Code("conf", none...)
	require.Equal(t, 200, l.Post("/token", servertest.Conf, "grant_type", "authorization_code", "code", code, "redirect_uri", servertest.Redirect).Status)
}

// The rules on PKCE hold when the code is redeemed, not only when it was asked for: it may have been issued by other rules.
// Holds S40.
func TestCode_RulesOnPKCEAtRedemption(t *testing.T) {
	t.Parallel()
	none := []string{"code_challenge", servertest.Omit, "code_challenge_method", servertest.Omit}
	plain := []string{"code_challenge", servertest.Verifier, "code_challenge_method", "plain"}
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
		"plain":                  {grants.AuthorizationCode{AllowPlainPKCE: true}, grants.AuthorizationCode{}, "conf", nil, plain, servertest.Verifier},
	} {
		var second *servertest.Server
		first := servertest.New(t, func(cfg *grantwell.Config) {
			cfg.Grants[0] = tt.lax
			strict := *cfg
			strict.Grants = append([]grants.Handler{tt.strict}, cfg.Grants[1:]...)
			second = servertest.New(t, func(c *grantwell.Config) { *c = strict })
		})
		as, id := servertest.Conf, ""
		if tt.client == "public" {
			as, id = "", "public"
		}
		redeem := func(l *servertest.Server) servertest.Reply {
			return l.Post("/token", as, "grant_type", "authorization_code", "client_id", id, "code", first.Code(tt.client, tt.code...), "redirect_uri", servertest.Redirect, "code_verifier", tt.verifier)
		}
		require.Equal(t, 200, redeem(first).Status, name)
		code := first.Code(tt.client, tt.code...)
		if tt.register != nil {
			first.AddClient("conf", tt.register)
		}
		second.Post("/token", as, "grant_type", "authorization_code", "client_id", id, "code", code, "redirect_uri", servertest.Redirect, "code_verifier", tt.verifier).Fails(t, 400, "invalid_grant")
	}
	// And a pointer to the settings counts as the settings do where the code is asked for.
	l := servertest.New(t, func(cfg *grantwell.Config) { cfg.Grants[0] = &grants.AuthorizationCode{RequirePKCE: true} })
	res := l.Do(httptest.NewRequest(http.MethodGet, "/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+servertest.Redirect, nil))
	require.Contains(t, res.Header.Get("Location"), "error=invalid_request")
}

// What ended between code and redemption ends the code.
// Holds R124.
func TestCode_WhatEndedMeanwhile(t *testing.T) {
	t.Parallel()
	var off atomic.Bool
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.SubjectActive = func(_ context.Context, subject string) (bool, error) { return !off.Load() || subject != "alice", nil }
	})
	l.Approval.Remember = true

	code := l.Code("conf")
	off.Store(true)
	l.Redeem("conf", code).Fails(t, 400, "invalid_grant")
	off.Store(false)

	code = l.Code("conf")
	require.NoError(t, l.AS.RevokeConsent(t.Context(), "conf", "alice"))
	l.Redeem("conf", code).Fails(t, 400, "invalid_grant")

	code = l.Code("conf", "scope", "write")
	l.AddClient("conf", func(c *storage.Client) { c.Scope = []string{"read"} })
	l.Redeem("conf", code).Fails(t, 400, "invalid_grant")

	code = l.Code("conf", "scope", "read")
	l.AddClient("conf", func(c *storage.Client) { c.GrantTypes = []string{"client_credentials"} })
	l.Redeem("conf", code).Fails(t, 400, "unauthorized_client")

	code = l.Code("public")
	require.NoError(t, l.Store.DeleteClient(t.Context(), "public"))
	l.Post("/token", "", "grant_type", "authorization_code", "client_id", "public", "code", code, "redirect_uri", servertest.Redirect, "code_verifier", servertest.Verifier).Fails(t, 401, "invalid_client")
	require.Empty(t, access(t, l))
}

// Tokens of one kind are not tokens of another, and one changed character makes garbage.
// Holds R86, R87, V91.
func TestTokens_OfTheWrongKindOrChanged(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	code := l.Code("conf")
	got := l.Redeem("conf", l.Code("conf"))
	at, rt := got.String("access_token"), got.String("refresh_token")
	for _, wrong := range []string{code, at} {
		l.Post("/token", servertest.Conf, "grant_type", "refresh_token", "refresh_token", wrong).Fails(t, 400, "invalid_grant")
	}
	for _, wrong := range []string{at, rt} {
		l.Redeem("conf", wrong).Fails(t, 400, "invalid_grant")
	}
	for _, wrong := range []string{code, rt} {
		require.False(t, l.Valid(wrong))
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
		require.False(t, l.Valid(c), c)
		require.Equal(t, false, l.Post("/introspect", servertest.Conf, "token", c).JSON["active"], c)
	}
	for _, c := range change(rt) {
		l.Post("/token", servertest.Conf, "grant_type", "refresh_token", "refresh_token", c).Fails(t, 400, "invalid_grant")
	}
	for _, c := range change(code) {
		l.Redeem("conf", c).Fails(t, 400, "invalid_grant")
	}
	require.True(t, l.Valid(at))
	require.Equal(t, 200, l.Redeem("conf", code).Status)
}

// Whoever copies the store has no usable token, code or secret, and lookups compare digests only.
// Holds R85, R88, V116, V117.
func TestStore_HoldsNoSecret(t *testing.T) {
	t.Parallel()
	l, store := servertest.NewHooked(t, nil)
	code := l.Code("conf")
	got := l.Redeem("conf", code)
	unused := l.Code("conf")
	secrets := []string{code, unused, got.String("access_token"), got.String("refresh_token"), servertest.Secret, servertest.Verifier}
	seen := map[string]bool{}
	for _, s := range secrets[:4] {
		require.GreaterOrEqual(t, len(s), 49) // 258 bits and a checksum
		require.False(t, seen[s[:8]])
		seen[s[:8]] = true
	}
	recs := l.Records(storage.Query{})
	require.Len(t, recs, 4)
	clients, err := l.Store.ListClients(t.Context(), "", 0)
	require.NoError(t, err)
	dump, err := json.Marshal([]any{recs, clients})
	require.NoError(t, err)
	for _, s := range secrets {
		require.NotContains(t, string(dump), s)
	}
	var lookups atomic.Int32
	store.Before(func(_ context.Context, call servertest.Call) error {
		lookups.Add(1)
		require.NotContains(t, call.Key, got.String("access_token")[:8])
		return nil
	})
	require.True(t, l.Valid(got.String("access_token")))
	require.NotZero(t, lookups.Load())
	for range 100_000 {
		guess, err := tokens.Opaque{}.Mint(t.Context(), tokens.Claims{})
		require.NoError(t, err)
		require.False(t, l.Valid(guess))
	}
	lookups.Store(0)
	for range 1000 {
		require.False(t, l.Valid(strings.Repeat("A", 49)))
	}
	require.Zero(t, lookups.Load(), "garbage does not reach the store")
}

// No answer carries what belongs to another request.
// Holds V13, V15.
func TestToken_ParallelRequestsDoNotMix(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, servertest.LongTimeout)
	var scopes []string
	for a := 'a'; a <= 'z'; a++ {
		scopes = append(scopes, "s."+string(a), "t."+string(a))
	}
	l.AddClient("conf", func(c *storage.Client) { c.Scope = append(c.Scope, scopes...) })
	var wg sync.WaitGroup
	for i, a := range scopes {
		for _, b := range scopes[i+1:] {
			wg.Go(func() {
				res := l.Post("/token", servertest.Conf, "grant_type", "client_credentials", "scope", b+" "+a)
				if !(res.Status == 200 && res.String("scope") == b+" "+a) {
					t.Errorf("%s %s: %s", a, b, res.Body)
				}
				info, err := l.AS.Introspect(context.Background(), res.String("access_token"))
				if err != nil || strings.Join(info.Scope, " ") != b+" "+a {
					t.Errorf("%s %s: %v %v", a, b, info, err)
				}
			})
		}
	}
	for i := range 256 {
		wg.Go(func() {
			id := "user-" + string(rune('A'+i%26)) + strings.Repeat("x", i/26)
			res := l.Redeem("conf", l.Authorize(grantwell.Approval{Subject: id}).Param("code"))
			if sub := l.Introspect("conf", res.String("access_token")).String("sub"); sub != id {
				t.Errorf("%s became %s", id, sub)
			}
		})
	}
	wg.Wait()
}
