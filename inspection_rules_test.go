package grantwell_test

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Introspection shows the same of a signed token with a record, of one without and of
// what the token itself says.
//
// Holds: RFC 7662 section 2.2; house: data of the token.
func TestIntrospect_ShowsWhatASignedTokenSays(t *testing.T) {
	t.Parallel()
	keys := servertest.Keys(t)
	for name, change := range map[string]func(*grantwell.Config){
		"recorded":   servertest.Signed(keys),
		"unrecorded": servertest.Unrecorded(keys),
	} {
		d := servertest.New(t, func(cfg *grantwell.Config) {
			change(cfg)
			cfg.TokenType = "N_A"
		})
		twoAPIs(d)
		d.Approval = grantwell.Approval{
			Subject:  "alice",
			AuthTime: time.Now().Add(-time.Hour),
			Claims:   map[string]any{"dept": "sales"},
		}
		access := d.Redeem("conf", d.Code("conf", "resource", secondAPI)).String("access_token")
		says := servertest.TokenClaims(t, access)
		res := d.Introspect("conf", access)
		require.Equal(t, true, res.JSON["active"], res.Body)
		for _, claim := range []string{"iss", "sub", "jti", "client_id", "scope", "exp", "iat", "auth_time", "dept"} {
			require.NotEmpty(t, says[claim], claim)
			require.Equal(t, says[claim], res.JSON[claim], "%s: %s", name, claim)
		}
		require.Equal(t, []any{secondAPI}, audienceOf(d, access), name)
		require.Equal(t, "N_A", res.String("token_type"), name)

		// An opaque token and a refresh token have no jti.
		opaque := servertest.New(t, nil)
		token, refresh := opaque.Family("conf")
		require.NotContains(t, opaque.Introspect("conf", token).JSON, "jti")
		require.Equal(t, servertest.Issuer, opaque.Introspect("conf", token).String("iss"))
		require.Equal(t, "Bearer", opaque.Introspect("conf", token).String("token_type"))
		require.Equal(t, "refresh_token", opaque.Introspect("conf", refresh).String("token_type"))
	}
}

// The event of an introspection names the user, the grant and the scope of the token,
// but not those of a token that the caller may not know about.
//
// Holds: house: one event.
func TestIntrospect_EventNamesTheToken(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	access, _ := d.Family("conf")
	require.True(t, d.Introspect("conf", access).Active())
	e := d.LastEvent()
	rec := d.Records(storage.Query{Kind: storage.Access})[0]
	require.Equal(t, []any{"introspect", "alice", rec.GrantID, []string{"read", "write"}},
		[]any{e.Endpoint, e.Subject, e.GrantID, e.Scope})

	require.False(t, d.Introspect("other", access).Active())
	e = d.LastEvent()
	require.Equal(t, []any{"", "", grants.ReasonNotEntitled}, []any{e.Subject, e.GrantID, e.Reason})
}

// A record whose data does not decode is a failure at introspection, and no token
// without its key and its consent.
//
// Holds: house: errors never grant.
func TestIntrospect_DamagedRecordIsAFailure(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, withTokenInfo(grantwell.TokenInfoConfig{}))
	access, refresh := d.Family("conf")
	for kind, token := range map[storage.Kind]string{storage.Access: access, storage.Refresh: refresh} {
		rec, err := d.Store.Get(t.Context(), kind, storage.Key(token))
		require.NoError(t, err)
		rec.Data = []byte("{")
		require.NoError(t, d.Store.Advance(t.Context(), storage.Active, rec))
		res := d.Introspect("conf", token)
		require.GreaterOrEqual(t, res.Status, 500, res.Body)
		require.NotContains(t, res.JSON, "active")
	}
	require.GreaterOrEqual(t, d.Post("/tokeninfo", servertest.Conf, "access_token", access).Status, 500)
	_, err := d.AS.Introspect(t.Context(), access)
	require.Error(t, err)
}

// The hooks around a revocation see all that the server knows of the token.
//
// Holds: house: hooks refuse; house: data of the token.
func TestRevoke_HooksSeeTheWholeToken(t *testing.T) {
	t.Parallel()
	var before, after []introspect.Token
	d := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Hooks.BeforeRevoke = func(_ context.Context, tok *introspect.Token) error {
			before = append(before, *tok)
			return nil
		}
		cfg.Hooks.AfterRevoke = func(_ context.Context, tok *introspect.Token) error {
			after = append(after, *tok)
			return nil
		}
	})
	twoAPIs(d)
	for kind, name := range map[storage.Kind]string{storage.Access: "access_token", storage.Refresh: "refresh_token"} {
		token := d.Redeem("conf", d.Code("conf", "resource", secondAPI)).String(name)
		rec, err := d.Store.Get(t.Context(), kind, storage.Key(token))
		require.NoError(t, err)
		before, after = nil, nil
		require.Equal(t, 200, d.Revoke("conf", token).Status)
		want := introspect.Token{
			ClientID:  "conf",
			Subject:   "alice",
			Scope:     []string{"read", "write"},
			Audience:  []string{secondAPI},
			ExpiresAt: rec.ExpiresAt,
			IssuedAt:  rec.IssuedAt,
		}
		require.False(t, want.ExpiresAt.IsZero() || want.IssuedAt.IsZero())
		require.Equal(t, []introspect.Token{want}, before, kind)
		require.Equal(t, before, after, kind)
	}
}

// A token that another request revokes, or that is removed, at the same moment is
// revoked: status 200.
//
// Holds: RFC 7009 section 2.2; house: fault of a race.
func TestRevoke_AnotherRequestWasFirst(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{"revoked": storage.ErrConflict, "removed": storage.ErrNotFound} {
		d, store := servertest.NewHooked(t, nil)
		access, _ := d.Family("conf")
		store.Fail(cause, "Advance")
		require.Equal(t, 200, d.Revoke("conf", access).Status, name)
	}
}

// The open token information endpoint answers callers without a name. A caller that
// sends a name, a secret or a header is authenticated like any other.
//
// Holds: house: token information asks who.
func TestTokenInfo_OpenForCallersWithoutAName(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, withTokenInfo(grantwell.TokenInfoConfig{Open: true}))
	access, _ := d.Family("conf")
	require.Equal(t, 200, d.Post("/tokeninfo", "", "access_token", access).Status)
	for name, pairs := range map[string][]string{
		"a name":            {"client_id", "conf"},
		"a secret":          {"client_secret", servertest.Secret},
		"a name and secret": {"client_id", "conf", "client_secret", servertest.Secret},
	} {
		res := d.Post("/tokeninfo", "", append(pairs, "access_token", access)...)
		res.Fails(t, 401, "invalid_client")
		require.NotContains(t, res.JSON, "user_id", name)
	}
	for _, header := range []string{"Bearer x", "Basic x", ""} {
		req := servertest.Request("/tokeninfo", "", servertest.Form("access_token", access))
		req.Header["Authorization"] = []string{header}
		d.Do(req).Fails(t, 401, "invalid_client")
	}
	d.Post("/tokeninfo", servertest.Conf, "access_token", servertest.UnknownToken(t)).Fails(t, 400, "invalid_token")
}

// ended is a limiter that keeps what became of the guesses.
type ended struct{ done []bool }

// Attempt implements grants.Limiter.
func (e *ended) Attempt(context.Context, string) (func(bool), time.Duration, error) {
	return func(ok bool) { e.done = append(e.done, ok) }, 0, nil
}

// At the open endpoint a token that is not live counts as a guess, and a live one and a
// failure of the store do not.
//
// Holds: RFC 7662 section 4; house: store fails closed.
func TestTokenInfo_FailureIsNoGuess(t *testing.T) {
	t.Parallel()
	limiter := &ended{}
	d, store := servertest.NewHooked(t, func(cfg *grantwell.Config) {
		withTokenInfo(grantwell.TokenInfoConfig{Open: true})(cfg)
		cfg.Limiter = limiter
	})
	access, _ := d.Family("conf")
	ask := func(token string) servertest.Reply { return d.Post("/tokeninfo", "", "access_token", token) }
	require.Equal(t, 200, ask(access).Status)
	require.Equal(t, []bool{true}, limiter.done)
	ask(servertest.UnknownToken(t)).Fails(t, 400, "invalid_token")
	require.Equal(t, []bool{true, false}, limiter.done)
	store.Fail(errors.New(servertest.StoreFault), "Get")
	ask(access).Fails(t, 503, "temporarily_unavailable")
	require.Equal(t, []bool{true, false, true}, limiter.done)
}

// A comparison of a slow hash that could not be made is no wrong guess.
//
// Holds: house: shared limits; house: hash formats.
func TestClientAuth_ComparisonThatFailsIsNoGuess(t *testing.T) {
	t.Parallel()
	limiter := &ended{}
	d := servertest.New(t, func(cfg *grantwell.Config) { cfg.Limiter = limiter })
	d.AddClient("slow", func(c *storage.Client) {
		c.Secrets = []storage.Secret{{Hash: servertest.BcryptHash(t, "right")}}
	})
	d.AddClient("damaged", func(c *storage.Client) {
		c.Secrets = []storage.Secret{{Hash: "$argon2id$v=19$m=1,t=1,p=1$x"}}
	})
	require.Equal(t, 200, d.ClientCredentials("slow:right").Status)
	d.ClientCredentials("slow:wrong").Fails(t, 401, "invalid_client")
	require.Equal(t, []bool{true, true, false, false}, limiter.done) // the address and the client
	d.ClientCredentials("damaged:right").Fails(t, 503, "temporarily_unavailable")
	require.Equal(t, []bool{true, true, false, false, true, true}, limiter.done)
}

// The client that an assertion names may be read by a page of its own: the answer has
// the headers for its origin.
func TestCORS_OfAClientThatAnAssertionNames(t *testing.T) {
	t.Parallel()
	const origin = "https://signer.example"
	d, p := servertest.NewAssertion(t, nil)
	d.ChangeClient("signer", func(c *storage.Client) { c.Origins = []string{origin} })
	s := &outageSite{parties: p}
	for from, want := range map[string]string{origin: origin, "https://app.example": ""} {
		req := servertest.Request("/token", "", servertest.Form(
			"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", s.signed(t, "signer", "")))
		req.Header.Set("Origin", from)
		res := d.Do(req)
		require.Equal(t, 200, res.Status, res.Body)
		require.Equal(t, want, res.Header.Get("Access-Control-Allow-Origin"))
	}
}

// A wrong method is 405 with the header Allow at the metadata too.
func TestMetadata_WrongMethodHasAllow(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	res := d.Post("/.well-known/oauth-authorization-server", "")
	require.Equal(t, http.StatusMethodNotAllowed, res.Status)
	require.Equal(t, "GET, HEAD", res.Header.Get("Allow"))
}

// What the configuration must not have: a nil grant, also as a nil pointer, and more
// than four forms of imported tokens.
//
// Holds: house: configuration errors.
func TestConfig_NilGrantsAndTooManyForms(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	build := func(change func(*grantwell.Config)) error {
		cfg := grantwell.Config{
			Issuer:  servertest.Issuer,
			Clients: d.Store,
			Records: d.Store,
			Grants:  []grants.Handler{grants.ClientCredentials{}},
		}
		change(&cfg)
		_, err := grantwell.New(cfg)
		return err
	}
	for _, h := range []grants.Handler{nil, (*grants.AuthorizationCode)(nil), (*grants.RefreshToken)(nil), (*grants.Implicit)(nil)} {
		err := build(func(cfg *grantwell.Config) { cfg.Grants = append(cfg.Grants, h) })
		require.ErrorContains(t, err, "Grants[1]: is nil")
	}
	for n := range 6 {
		err := build(func(cfg *grantwell.Config) {
			for range n {
				cfg.Imported = append(cfg.Imported, tokens.Hashed{Hash: crypto.SHA256})
			}
		})
		require.Equal(t, n > 4, err != nil && strings.Contains(err.Error(), "more than 4 forms"), "%d: %v", n, err)
	}
}

// A hint that is wrong still finds the token, and the event of a token that has ended says
// so, and not that the caller may not know it.
//
// Holds: RFC 7662 section 2.1.
func TestIntrospect_WrongHintAndEndedToken(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	access, refresh := d.Family("conf")
	for token, hint := range map[string]string{access: "refresh_token", refresh: "access_token"} {
		require.Equal(t, http.StatusOK, d.Post("/introspect", servertest.Conf, "token", token, "token_type_hint", hint).Status)
		require.True(t, d.Post("/introspect", servertest.Conf, "token", token, "token_type_hint", hint).Active(), hint)
	}
	require.Equal(t, 200, d.Revoke("conf", access).Status)
	require.Equal(t, "alice", d.LastEvent().Subject)
	require.NotEmpty(t, d.LastEvent().GrantID)
	require.False(t, d.Live(access))
	require.Equal(t, grants.ReasonToken, d.LastEvent().Reason)
	require.Equal(t, string(introspect.ReasonRevoked), d.LastEvent().Cause)
	require.False(t, d.Live("nonsense"))
	require.Equal(t, grants.ReasonToken, d.LastEvent().Reason)
}

// A resource server that is a client may ask about tokens whose audience is its ID. A public
// client may not, because any program can take its name. The host may allow a caller more,
// and says it for each.
//
// Holds: RFC 7662 section 2.1; house: token information asks who.
func TestIntrospect_AudienceIsTheCaller(t *testing.T) {
	t.Parallel()
	allowed := false
	d := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Paths.TokenInfo = "/tokeninfo"
		cfg.MayIntrospect = func(_ context.Context, caller storage.Client, _ *introspect.Token) bool {
			return allowed && caller.ID == "post"
		}
	})
	as, id := servertest.Credentials("post")
	ask := func(token string) bool {
		return d.Post("/introspect", as, append(id, "token", token)...).Active()
	}
	issue := func(audience string) string {
		d.ChangeClient("conf", func(c *storage.Client) { c.Audience = []string{audience} })
		return d.Token(servertest.Conf)
	}
	for audience, want := range map[string]bool{"post": true, "https://api.example": false} {
		require.Equal(t, want, ask(issue(audience)), audience)
	}
	other := issue("https://api.example")
	allowed = true
	require.True(t, ask(other))

	token := issue("public")
	d.Post("/tokeninfo", "", "client_id", "public", "access_token", token).Fails(t, 400, "invalid_token")
	require.Equal(t, grants.ReasonNotEntitled, d.LastEvent().Reason)
	require.Equal(t, http.StatusOK, d.Post("/tokeninfo", servertest.Conf, "access_token", token).Status)
	require.Equal(t, "conf", d.LastEvent().Subject)
	require.NotEmpty(t, d.LastEvent().GrantID)
	require.NotEmpty(t, d.LastEvent().Scope)
	require.Equal(t, "tokeninfo", d.LastEvent().Endpoint)
}
