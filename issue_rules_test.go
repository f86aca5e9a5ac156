package grantwell_test

import (
	"context"
	"encoding/json"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// The two resources of the tests on audiences. The first one is the default of a client
// that is registered for both.
const (
	firstAPI  = "https://one.example/"
	secondAPI = "https://two.example/"
)

// twoAPIs registers the client "conf" for both resources.
func twoAPIs(s *servertest.Server) {
	s.ChangeClient("conf", func(c *storage.Client) { c.Audience = []string{firstAPI, secondAPI} })
}

// audienceOf returns the audience that introspection shows.
func audienceOf(s *servertest.Server, token string) []any {
	aud, ok := s.Introspect("conf", token).JSON["aud"].([]any)
	if !ok {
		return []any{s.Introspect("conf", token).JSON["aud"]}
	}
	return aud
}

// The resource that the user approved stays the audience of every token of the grant,
// however often it is refreshed. It is not the client's default one.
//
// Holds: RFC 8707 section 2.2; house: client settings win.
func TestAudience_SurvivesEveryRefresh(t *testing.T) {
	t.Parallel()
	for name, g := range map[string]grants.RefreshToken{
		"rotate":   {Strict: true},
		"window":   {},
		"preserve": {Mode: grants.Preserve},
	} {
		d := servertest.New(t, servertest.WithRefresh(g))
		twoAPIs(d)
		res := d.Redeem("conf", d.Code("conf", "resource", secondAPI))
		for range 3 {
			require.Equal(t, 200, res.Status, "%s: %s", name, res.Body)
			require.Equal(t, []any{secondAPI}, audienceOf(d, res.String("access_token")), name)
			require.Equal(t, []any{secondAPI}, audienceOf(d, res.String("refresh_token")), name)
			res = d.Refresh("conf", res.String("refresh_token"))
		}
		// Once the grant is for this resource, it gives no token for the other one.
		d.Refresh("conf", res.String("refresh_token"), "resource", firstAPI).Fails(t, 400, "invalid_target")
		res = d.Redeem("conf", d.Code("conf"))
		require.Equal(t, []any{firstAPI}, audienceOf(d, res.String("access_token")), "the default")
	}
}

// A refresh token that is kept ends when it was not used for the idle time. Each use
// begins that time anew, within the lifetime of the family.
//
// Holds: house: client settings win; house: expiry at use.
func TestPreserve_EndsWhenIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, func(cfg *grantwell.Config) {
			servertest.WithRefresh(grants.RefreshToken{Mode: grants.Preserve})(cfg)
			cfg.RefreshTokenIdle = 10 * time.Minute
			cfg.RefreshTokenLifetime = time.Hour
		})
		_, token := d.Family("conf")
		for range 3 {
			time.Sleep(9 * time.Minute)
			require.Equal(t, 200, d.Refresh("conf", token).Status)
		}
		time.Sleep(10 * time.Minute)
		d.Refresh("conf", token).Fails(t, 400, "invalid_grant")

		_, token = d.Family("conf")
		for range 6 {
			time.Sleep(9 * time.Minute)
			require.Equal(t, 200, d.Refresh("conf", token).Status)
		}
		time.Sleep(6 * time.Minute)
		d.Refresh("conf", token).Fails(t, 400, "invalid_grant") // the family is an hour old
	})
}

// A kept token that was issued before the server had an idle time gets one by its next
// use.
//
// Holds: house: any instance; house: expiry at use.
func TestPreserve_GetsAnIdleTimeByItsUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept := servertest.WithRefresh(grants.RefreshToken{Mode: grants.Preserve})
		before := servertest.New(t, kept)
		_, token := before.Family("conf")
		after := servertest.On(t, before.Store, func(cfg *grantwell.Config) {
			kept(cfg)
			cfg.RefreshTokenIdle = 10 * time.Minute
		})
		time.Sleep(time.Hour)
		require.Equal(t, 200, after.Refresh("conf", token).Status)
		time.Sleep(10 * time.Minute)
		after.Refresh("conf", token).Fails(t, 400, "invalid_grant")
	})
}

// A second use of a code ends what it bought as long as any of it lives: after the
// code's own lifetime, after a sweep, and also where the access token outlives the
// family or no refresh token was issued.
//
// Holds: RFC 6749 section 4.1.2; house: reuse is remembered; house: sweeping.
func TestCode_IsFoundAsLongAsWhatItBought(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		refresh time.Duration
		alone   bool
		after   time.Duration
		kept    time.Duration
	}{
		"by the family":       {refresh: 24 * time.Hour, after: 23 * time.Hour, kept: 24 * time.Hour},
		"by the access token": {refresh: 2 * time.Minute, after: 50 * time.Minute, kept: time.Hour},
		"no refresh token":    {refresh: 24 * time.Hour, alone: true, after: 50 * time.Minute, kept: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := servertest.New(t, func(cfg *grantwell.Config) { cfg.RefreshTokenLifetime = tt.refresh })
				if tt.alone {
					d.ChangeClient("conf", func(c *storage.Client) { c.GrantTypes = []string{"authorization_code"} })
				}
				code := d.Code("conf")
				first := d.Redeem("conf", code)
				require.Equal(t, 200, first.Status, first.Body)
				require.Equal(t, tt.alone, first.String("refresh_token") == "")

				// A spent code is kept no longer than it has to be.
				rec := d.Records(storage.Query{Kind: storage.Code})[0]
				require.Equal(t, tt.kept, rec.ExpiresAt.Sub(rec.IssuedAt).Round(time.Second))

				time.Sleep(tt.after)
				d.Sweep()
				d.Redeem("conf", code).Fails(t, 400, "invalid_grant")
				require.Equal(t, grants.ReasonCodeSpent, d.LastEvent().Reason)
				require.False(t, d.Valid(first.String("access_token")))
				for _, rec := range d.Records(storage.Query{GrantID: rec.GrantID}) {
					require.NotEqual(t, storage.Active, rec.State, rec.Kind)
				}
			})
		})
	}
}

// A second use of a refresh token ends the family also after the token's idle time and
// a sweep.
//
// Holds: RFC 9700 section 4.14.2; house: reuse is remembered; house: sweeping.
func TestRefresh_SpentTokenIsFoundAfterItsIdleTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, func(cfg *grantwell.Config) { cfg.RefreshTokenIdle = 10 * time.Minute })
		_, old := d.Family("conf")
		next := d.Refresh("conf", old)
		for range 3 {
			time.Sleep(9 * time.Minute)
			d.Sweep()
			next = d.Refresh("conf", next.String("refresh_token"))
			require.Equal(t, 200, next.Status, next.Body)
		}
		d.Refresh("conf", old).Fails(t, 400, "invalid_grant")
		require.False(t, d.Valid(next.String("access_token")))
		d.Refresh("conf", next.String("refresh_token")).Fails(t, 400, "invalid_grant")
	})
}

// A JWT access token says when its user authenticated, also after a refresh and in the
// implicit grant.
func TestJWT_SaysWhenTheUserAuthenticated(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-time.Hour)
	d := servertest.New(t, servertest.Signed(servertest.Keys(t)))
	d.Approval.AuthTime = at
	access, refresh := d.Family("conf")
	for _, token := range []string{
		access,
		d.Refresh("conf", refresh).String("access_token"),
		d.Authorize(d.Approval, "response_type", "token").Param("access_token"),
	} {
		require.EqualValues(t, at.Unix(), servertest.TokenClaims(t, token)["auth_time"])
		require.EqualValues(t, at.Unix(), d.Introspect("conf", token).JSON["auth_time"])
	}
	require.NotContains(t, servertest.TokenClaims(t, d.Token(servertest.Conf)), "auth_time", "no user")
}

// What the server keeps with a code and with tokens: the nonce of the request and the
// grant by which a token was issued.
func TestRecord_KeepsNonceAndGrantType(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	kept := func(kind storage.Kind, token string) map[string]any {
		rec, err := d.Store.Get(t.Context(), kind, storage.Key(token))
		require.NoError(t, err)
		var data map[string]any
		require.NoError(t, json.Unmarshal(rec.Data, &data))
		return data
	}
	code := d.Code("conf", "nonce", "n-0S6_WzA2Mj")
	require.Equal(t, "n-0S6_WzA2Mj", kept(storage.Code, code)["nonce"])
	require.Equal(t, "authorization_code", kept(storage.Code, code)["grant_type"])
	res := d.Redeem("conf", code)
	require.Equal(t, "authorization_code", kept(storage.Access, res.String("access_token"))["grant_type"])
	require.Equal(t, "authorization_code", kept(storage.Refresh, res.String("refresh_token"))["grant_type"])
	res = d.Login(servertest.Username, servertest.Password)
	require.Equal(t, "password", kept(storage.Access, res.String("access_token"))["grant_type"])
}

// A grant without scopes stays without them, by every way to a token, and the host's
// rule is not asked to add some.
//
// Holds: house: one scope engine; RFC 6749 section 3.3.
func TestScope_GrantWithoutScopeStaysWithout(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Scopes.AllowEmpty = true
		cfg.Scopes.Decide = func(_ context.Context, r grantwell.ScopeRequest) ([]string, error) {
			if r.Subject == "" {
				return nil, nil // at the authorization endpoint
			}
			return []string{"write"}, nil
		}
	})
	d.ChangeClient("conf", func(c *storage.Client) { c.DefaultScope = nil })
	for _, scope := range [][]string{nil, {}} {
		d.Approval.Scope = scope
		res := d.Authorize(d.Approval, "response_type", "token", "scope", servertest.Omit)
		require.NotEmpty(t, res.Param("access_token"), res.Header.Get("Location"))
		require.Empty(t, res.Param("scope"))
		require.NotContains(t, d.Introspect("conf", res.Param("access_token")).JSON, "scope")

		res = d.Redeem("conf", d.Code("conf", "scope", servertest.Omit))
		for range 2 {
			require.Equal(t, 200, res.Status, res.Body)
			require.Empty(t, res.String("scope"))
			res = d.Refresh("conf", res.String("refresh_token"))
		}
	}
}

// ScopeRules.Decide learns the grant, the user and what was requested. What it returns
// never exceeds what an earlier step granted.
//
// Holds: house: one scope engine; RFC 6749 section 6.
func TestScopeDecide_NeverExceedsWhatWasGranted(t *testing.T) {
	t.Parallel()
	var seen []grantwell.ScopeRequest
	d := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Scopes.NoOpenID = true
		cfg.Scopes.Decide = func(_ context.Context, r grantwell.ScopeRequest) ([]string, error) {
			seen = append(seen, r)
			return []string{"read", "write", "read", "openid"}, nil
		}
	})
	d.ChangeClient("conf", func(c *storage.Client) { c.Scope = append(c.Scope, "openid") })
	last := func(grantType, subject string) {
		t.Helper()
		r := seen[len(seen)-1]
		require.Equal(t, []string{grantType, subject, "conf"}, []string{r.GrantType, r.Subject, r.Client.ID})
	}

	require.Equal(t, "read write", d.ClientCredentials(servertest.Conf, "scope", "read").String("scope"), "nothing bounds it")
	last("client_credentials", "conf")
	require.Equal(t, "read write", d.Login(servertest.Username, servertest.Password, "scope", "read").String("scope"))
	last("password", "sub-johndoe")

	d.Approval.Scope = []string{"read"}
	code := d.Code("conf", "scope", "read")
	last("authorization_code", "")
	require.NotEmpty(t, d.Authorize(grantwell.Approval{Subject: "alice"}, "response_type", "token").Param("access_token"))
	require.Equal(t, "implicit", seen[len(seen)-2].GrantType)
	last("implicit", "alice")

	res := d.Redeem("conf", code)
	require.Equal(t, "read", res.String("scope"), "the user allowed no more")
	last("authorization_code", "alice")
	for range 2 {
		res = d.Refresh("conf", res.String("refresh_token"))
		require.Equal(t, "read", res.String("scope"), res.Body)
		last("refresh_token", "alice")
	}
}

// Without NoOpenID the rule of the host may grant openid, to a token of a user.
//
// Holds: house: openid is asked for.
func TestScopeDecide_MayGrantOpenID(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Scopes.Decide = func(context.Context, grantwell.ScopeRequest) ([]string, error) {
			return []string{"read", "openid"}, nil
		}
	})
	require.Equal(t, "read openid", d.Login(servertest.Username, servertest.Password).String("scope"))
	require.Equal(t, "read", d.ClientCredentials(servertest.Conf).String("scope"), "openid speaks of a user")
}

// SubjectActive is asked about users. A client that acts for itself is none.
//
// Holds: house: subject still there.
func TestSubjectActive_IsNotAskedAboutAClient(t *testing.T) {
	t.Parallel()
	var asked []string
	d := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.SubjectActive = func(_ context.Context, subject string) (bool, error) {
			asked = append(asked, subject)
			return subject == "alice", nil
		}
	})
	token := d.Token(servertest.Conf)
	require.True(t, d.Live(token))
	require.Empty(t, asked)
	access, _ := d.Family("conf")
	require.True(t, d.Live(access))
	require.NotEmpty(t, asked)
	for _, subject := range asked {
		require.Equal(t, "alice", subject)
	}
	d.Login(servertest.Username, servertest.Password).Fails(t, 400, "invalid_grant")
}

// No refresh token comes with a grant where the server does not serve the refresh grant,
// or where the client is not registered for it.
//
// Holds: house: off unless named.
func TestRefreshToken_OnlyWhereItCanBeUsed(t *testing.T) {
	t.Parallel()
	without := servertest.New(t, func(cfg *grantwell.Config) { cfg.Grants = cfg.Grants[:len(cfg.Grants)-1] })
	unregistered := servertest.New(t, nil)
	unregistered.ChangeClient("conf", func(c *storage.Client) { c.GrantTypes = []string{"authorization_code", "password"} })
	for _, d := range []*servertest.Server{without, unregistered} {
		for _, res := range []servertest.Reply{
			d.Redeem("conf", d.Code("conf")),
			d.Login(servertest.Username, servertest.Password),
		} {
			require.Equal(t, 200, res.Status, res.Body)
			require.NotContains(t, res.JSON, "refresh_token")
		}
		require.Zero(t, d.CountOf(storage.Refresh))
	}
}

// Event.GrantType names a grant that is served, and no text of the caller.
//
// Holds: house: one event.
func TestEvent_GrantTypeIsOneThatIsServed(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	for sent, want := range map[string]string{
		"client_credentials": "client_credentials",
		"evil\ntext":         "",
		"implicit":           "",
		"":                   "",
	} {
		d.Do(servertest.Request("/token", servertest.Conf, url.Values{"grant_type": {sent}}.Encode()))
		require.Equal(t, want, d.LastEvent().GrantType, sent)
	}
}
