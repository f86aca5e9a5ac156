package grantwell_test

import (
	"context"
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

// A code buys tokens for its user and the scopes that the user consented to,
// whatever scope the token request names.
//
// Holds: RFC 6749 section 4.1.3.
func TestCode_BuysTheConsentedScopes(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for _, more := range [][]string{nil, {"scope", "read write"}, {"scope", "admin"},
		{"scope", "write"}} {
		res := l.Redeem("conf", l.Code("conf", "scope", "read"), more...)
		require.Equal(t, 200, res.Status, res.Body)
		require.Equal(t, "read", res.String("scope"))
		require.Equal(t, "alice", l.Introspect("conf", res.String("access_token")).String("sub"))
	}
}

// A code that another client presents is refused and spent. The tokens that
// the right client has stay valid.
//
// Holds: RFC 6749 section 4.1.3; RFC 6749 section 10.5.
func TestCode_OfAnotherClientIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, as, client, verifier, uri string }{
		{"right in all else", "other:" + servertest.Secret, "", servertest.Verifier,
			servertest.Redirect},
		{"wrong verifier", "other:" + servertest.Secret, "", strings.Repeat("x", 43),
			servertest.Redirect},
		{"no verifier", "other:" + servertest.Secret, "", "", servertest.Redirect},
		{"other redirect", "other:" + servertest.Secret, "", servertest.Verifier,
			"https://evil.example/"},
		{"a public client", "", "public", servertest.Verifier, servertest.Redirect},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := servertest.New(t, nil)
			steal := func(code string) servertest.Reply {
				return l.Post("/token", tt.as, "grant_type", "authorization_code",
					"client_id", tt.client, "code", code, "redirect_uri", tt.uri,
					"code_verifier", tt.verifier)
			}
			code := l.Code("conf")
			steal(code).Fails(t, 400, "invalid_grant")
			l.Redeem("conf", code).Fails(t, 400, "invalid_grant")

			code = l.Code("conf")
			owned := l.Redeem("conf", code)
			require.Equal(t, 200, owned.Status)
			steal(code).Fails(t, 400, "invalid_grant")
			require.True(t, l.Valid(owned.String("access_token")))
			require.Equal(t, 200, l.Refresh("conf", owned.String("refresh_token")).Status)
		})
	}
}

// The redirect URI must be the one of the authorization request, if that named
// one.
//
// Holds: RFC 6749 section 4.1.3.
func TestCode_RedirectURIMustMatch(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for _, uri := range []string{"", servertest.Redirect + "/", servertest.Redirect + "?a=b",
		strings.ToUpper(servertest.Redirect), "https://evil.example/cb",
		servertest.Redirect + "%2f", " " + servertest.Redirect} {
		l.Redeem("conf", l.Code("conf"), "redirect_uri", uri).Fails(t, 400, "invalid_grant")
	}
	require.Equal(t, 200, l.Redeem("conf", l.Code("conf"),
		"redirect_uri", servertest.Redirect).Status)
	require.Equal(t, 200, l.Redeem("conf", l.Code("conf", "redirect_uri", servertest.Omit),
		"redirect_uri", "").Status)
	require.Equal(t, 200, l.Redeem("conf", l.Code("conf", "redirect_uri", servertest.Omit),
		"redirect_uri", servertest.Redirect).Status)
	l.Redeem("conf", l.Code("conf", "redirect_uri", servertest.Omit),
		"redirect_uri", "https://evil.example/cb").Fails(t, 400, "invalid_grant")
}

// Unknown, malformed, expired, spent and foreign codes get the same answer.
//
// Holds: RFC 6749 section 4.1.2; RFC 6749 section 5.2.
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
		for name, code := range map[string]string{
			"malformed": "x",
			"long":      strings.Repeat("x", 4000),
			"text":      "ü\u2028\"",
			"expired":   expired,
			"spent":     last,
			"foreign":   foreign,
			"unknown":   mint(),
		} {
			require.Equal(t, want, l.Redeem("conf", code), name)
		}
	})
}

// A code lives as long as the server or the client configures, at most ten
// minutes.
//
// Holds: RFC 6749 section 4.1.2; house: client settings win.
func TestCode_Lifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := servertest.New(t, func(cfg *grantwell.Config) { cfg.CodeLifetime = 10 * time.Minute })
		l.AddClient("conf", func(c *storage.Client) {
			c.ID = "other"
			c.CodeLifetime = 30 * time.Second
		})
		long, short := l.Code("conf"), l.Code("other")
		time.Sleep(30 * time.Second)
		l.Redeem("other", short).Fails(t, 400, "invalid_grant")
		time.Sleep(9*time.Minute + 29*time.Second)
		require.Equal(t, 200, l.Redeem("conf", long).Status)
	})
}

// A second redemption is refused and ends the tokens of the first one, also
// those that were refreshed since.
//
// Holds: RFC 6749 section 4.1.2.
func TestCode_SecondRedemptionRevokesFamily(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	code := l.Code("conf")
	first := l.Redeem("conf", code)
	second := l.Refresh("conf", first.String("refresh_token"))
	require.Equal(t, 200, second.Status, second.Body)
	bystander := l.Redeem("conf", l.Code("conf"))
	l.Redeem("conf", code).Fails(t, 400, "invalid_grant")
	require.False(t, l.Valid(first.String("access_token")))
	require.False(t, l.Valid(second.String("access_token")))
	l.Refresh("conf", second.String("refresh_token")).Fails(t, 400, "invalid_grant")
	require.True(t, l.Valid(bystander.String("access_token")), "another family of the same user and client")
	l.Redeem("conf", code).Fails(t, 400, "invalid_grant")
}

// Of any number of concurrent redemptions one succeeds, and no two families
// are live.
//
// Holds: RFC 6749 section 4.1.2; house: one winner; house: used once.
func TestCode_ConcurrentRedemptionsHaveOneWinner(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 3, 8, 64, 100} {
		l := servertest.New(t, servertest.LongTimeout)
		for range 10 {
			code := l.Code("conf")
			answers := make([]servertest.Reply, n)
			start := make(chan struct{})
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					<-start
					answers[i] = l.Redeem("conf", code)
				})
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

// The verifier must fit the challenge. One wrong verifier from the right
// client spends the code.
//
// Holds: RFC 7636 section 4.1; RFC 7636 section 4.6.
func TestCode_VerifierMustFitTheChallenge(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for name, v := range map[string]string{"missing": "", "wrong": strings.Repeat("x", 43),
		"the challenge": servertest.Challenge, "short": servertest.Verifier[:42],
		"one character": "d",
		"long":          strings.Repeat("a", 129), "charset": servertest.Verifier[:42] + "+",
		"padded": servertest.Verifier + "=", "space": servertest.Verifier[:42] + " ",
		"not ASCII": servertest.Verifier[:41] + "é", "case": strings.ToUpper(servertest.Verifier)} {
		for _, client := range []string{"conf", "public"} {
			code := l.Code(client)
			as := ""
			id := client
			if client == "conf" {
				as, id = servertest.Conf, ""
			}
			try := func(v string) servertest.Reply {
				return l.Post("/token", as, "grant_type", "authorization_code", "client_id", id,
					"code", code, "redirect_uri", servertest.Redirect, "code_verifier", v)
			}
			try(v).Fails(t, 400, "invalid_grant")
			try(servertest.Verifier).Fails(t, 400, "invalid_grant") // spent
			require.Empty(t, access(t, l), name)
		}
	}
}

// access lists the records of access tokens.
func access(t *testing.T, l *servertest.Server) []storage.Record {
	recs := l.Records(storage.Query{Kind: storage.Access})
	return recs
}

// A verifier for a code without a challenge is refused: the challenge may have
// been removed on the way (RFC 9700 section 4.8).
//
// Holds: RFC 7636 section 4.6; RFC 9700 section 2.1.1.
func TestCode_VerifierWithoutChallengeIsRefused(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	none := []string{"code_challenge", servertest.Omit, "code_challenge_method", servertest.Omit}
	l.Redeem("conf", l.Code("conf", none...)).Fails(t, 400, "invalid_grant")
	code := l.Code("conf", none...)
	require.Equal(t, 200, l.Post("/token", servertest.Conf, "grant_type", "authorization_code",
		"code", code, "redirect_uri", servertest.Redirect).Status)
}

// The rules on PKCE hold when the code is redeemed as well, because an
// instance with other rules may have issued the code.
//
// Holds: RFC 7636 section 4.6.
func TestCode_PKCERulesHoldAtRedemption(t *testing.T) {
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
		"required of all": {grants.AuthorizationCode{},
			grants.AuthorizationCode{RequirePKCE: true}, "conf", nil, none, ""},
		"required, by pointer": {grants.AuthorizationCode{},
			&grants.AuthorizationCode{RequirePKCE: true}, "conf", nil, none, ""},
		"required of the client": {grants.AuthorizationCode{}, grants.AuthorizationCode{}, "conf",
			func(c *storage.Client) {
				c.RequirePKCE = true
			}, none, ""},
		"public": {grants.AuthorizationCode{PublicWithoutPKCE: true}, grants.AuthorizationCode{},
			"public", nil, none, ""},
		"plain": {grants.AuthorizationCode{AllowPlainPKCE: true}, grants.AuthorizationCode{},
			"conf", nil, plain, servertest.Verifier},
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
			return l.Post("/token", as, "grant_type", "authorization_code", "client_id", id,
				"code", first.Code(tt.client, tt.code...), "redirect_uri", servertest.Redirect,
				"code_verifier", tt.verifier)
		}
		require.Equal(t, 200, redeem(first).Status, name)
		code := first.Code(tt.client, tt.code...)
		if tt.register != nil {
			first.AddClient("conf", tt.register)
		}
		second.Post("/token", as, "grant_type", "authorization_code", "client_id", id, "code", code,
			"redirect_uri", servertest.Redirect, "code_verifier", tt.verifier).Fails(t, 400,
			"invalid_grant")
	}
	// A pointer to the settings works like the settings at the authorization request.
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Grants[0] = &grants.AuthorizationCode{RequirePKCE: true}
	})
	res := l.Do(httptest.NewRequest(http.MethodGet,
		"/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+servertest.Redirect,
		nil))
	require.Contains(t, res.Header.Get("Location"), "error=invalid_request")
}

// A code is refused when its user, consent, scope, grant type or client has
// ended since.
//
// Holds: house: subject still there.
func TestCode_EndsWithWhatItRestsOn(t *testing.T) {
	t.Parallel()
	var off atomic.Bool
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.SubjectActive = func(_ context.Context, subject string) (bool, error) {
			return !off.Load() || subject != "alice", nil
		}
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
	l.Post("/token", "", "grant_type", "authorization_code", "client_id", "public", "code", code,
		"redirect_uri", servertest.Redirect, "code_verifier", servertest.Verifier).Fails(t, 401,
		"invalid_client")
	require.Empty(t, access(t, l))
}

// A public client names itself at redemption, and must be the client that the
// code was issued to.
//
// Holds: RFC 6749 section 3.2.1; RFC 6749 section 5.2.
func TestCode_PublicClientNamesItself(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, nil)
	code := r.Code("public")
	form := []string{"grant_type", "authorization_code", "code", code, "redirect_uri",
		servertest.Redirect, "code_verifier", servertest.Verifier}
	r.Post("/token", "", form...).Fails(t, 401, "invalid_client")
	require.Equal(t, 200, r.Post("/token", "", append(form, "client_id", "public")...).Status)
	code = r.Code("public")
	form[3] = code
	r.Post("/token", servertest.Conf, form...).Fails(t, 400, "invalid_grant")
}
