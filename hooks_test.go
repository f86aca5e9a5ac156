package grantwell_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
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

// A hook adds claims and members. It cannot change the claims that the server
// sets, nor a required member of the answer.
//
// Holds: house: reserved claims; house: standard fields win.
func TestHooks_CannotOverwrite(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"opaque", "jwt"} {
		l := servertest.New(t, func(cfg *grantwell.Config) {
			servertest.Signed(servertest.Keys(t))(cfg)
			cfg.AccessTokenFormat = format
			scribble := func(i *grantwell.Issuance) {
				for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti",
					"client_id", "scope", "cnf", "auth_time", "active", "SUB", "Aud", "username",
					"token_type"} {
					i.Claims[name] = "evil"
				}
				for _, name := range []string{"access_token", "token_type", "expires_in",
					"refresh_token", "scope", "error", "error_description", "id_token"} {
					i.Response[name] = "evil"
				}
				i.Subject = "evil"
				i.GrantID = "evil"
				i.GrantType = "evil"
				i.Client.ID = "evil"
				i.Refresh = true
				i.Scope[0], i.Audience[0] = "evil", "evil"
				i.Scope = append(i.Scope, "evil")
				i.Audience = append(i.Audience, "evil")
				i.ExpiresAt = time.Now().Add(1000 * time.Hour)
				i.Client.Scope[0], i.Client.Audience = "evil", []string{"evil"}
			}
			cfg.Hooks.BeforeIssue = func(_ context.Context, i *grantwell.Issuance) error {
				scribble(i)
				i.Claims["dept"] = "HR"
				i.Response["greeting"] = "hello"
				i.Response["a"] = []int{1, 2}
				return nil
			}
			cfg.Hooks.AfterIssue = func(_ context.Context, i grantwell.Issuance) error {
				scribble(&i)
				return nil
			}
		})
		res := l.ClientCredentials(servertest.Conf)
		require.Equal(t, 200, res.Status, res.Body)
		require.NotContains(t, res.Body, "evil")
		require.NotContains(t, res.JSON, "refresh_token")
		require.Equal(t, "hello", res.String("greeting"))
		require.Equal(t, []any{1.0, 2.0}, res.JSON["a"])
		require.Equal(t, "Bearer", res.String("token_type"))
		require.LessOrEqual(t, res.JSON["expires_in"], 3600.0)
		intro := l.Introspect("conf", res.String("access_token"))
		require.Equal(t, true, intro.JSON["active"])
		require.NotContains(t, intro.Body, "evil")
		require.Equal(t, "HR", intro.String("dept"))
		require.Equal(t, "conf", intro.String("sub"))
		if format == "jwt" {
			claims := servertest.TokenClaims(t, res.String("access_token"))
			require.NotContains(t, claims, "SUB")
			for name, v := range map[string]any{
				"iss":       "https://as.example",
				"sub":       "conf",
				"client_id": "conf",
				"scope":     "read",
				"dept":      "HR",
			} {
				require.Equal(t, v, claims[name], name)
			}
			all, err := json.Marshal(claims)
			require.NoError(t, err)
			require.NotContains(t, string(all), "evil")
		}
	}
}

// Claims of the approval reach the token. If the hook of the issue sets the
// same claim, the hook wins.
//
// Holds: house: data of the code; house: data of the token.
func TestHooks_ClaimsMerge(t *testing.T) {
	t.Parallel()
	var seen map[string]any
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Paths.TokenInfo = "/tokeninfo"
		cfg.TokenInfo.Fields = map[string]string{
			"Name":       "Name",
			"Department": "Department",
			"scope":      "Name",
		}
		cfg.Hooks.BeforeIssue = func(_ context.Context, i *grantwell.Issuance) error {
			i.Claims["Department"] = "HR"
			return nil
		}
		cfg.Hooks.Validate = func(_ context.Context, t *introspect.Token) error {
			seen = t.Extra
			t.Extra["checked"] = true
			return nil
		}
	})
	l.Approval.Claims = map[string]any{"Name": "John", "Department": "IT"}
	first := l.Redeem("conf", l.Code("conf", "scope", servertest.Omit))
	require.Equal(t, 200, first.Status, first.Body)
	second := l.Refresh("conf", first.String("refresh_token"))
	for _, res := range []servertest.Reply{first, second} {
		info := l.Post("/tokeninfo", servertest.Conf, "access_token", res.String("access_token"))
		require.Equal(t, []string{"John", "HR", "read"},
			[]string{info.String("Name"), info.String("Department"), info.String("scope")},
			info.Body)
		require.Equal(t, "John", seen["Name"])
		intro := l.Introspect("conf", res.String("access_token"))
		require.Equal(t, true, intro.JSON["checked"])
	}
}

// Each hook gets typed values and the context and may refuse with an OAuth
// error. A panic in it is a 500 without a token.
//
// Holds: house: hooks refuse.
func TestHooks_RefuseAndPanic(t *testing.T) {
	t.Parallel()
	type key struct{}
	for _, at := range []string{"authorize", "authorized", "issue", "refresh", "issued", "revoke",
		"revoked", "validate", "decide", "limiter", "subject", "strategy", "request id", "events",
		"grant"} {
		for mode, want := range map[string]struct {
			status int
			code   string
		}{
			"refuse":              {403, "access_denied"},
			"fail":                {500, "server_error"},
			"panic":               {500, "server_error"},
			"panic with an error": {500, "server_error"},
			"crash":               {500, "server_error"},
		} {
			t.Run(at+"/"+mode, func(t *testing.T) {
				t.Parallel()
				on, strategy := "", &breaking{}
				trip := func(ctx context.Context, where string) error {
					if ctx != nil {
						require.Equal(t, "v", ctx.Value(key{}), where)
					}
					if on != where {
						return nil
					}
					switch mode {
					case "refuse":
						return grants.AccessDenied("Not today.")
					case "fail":
						return errors.New("marker-text")
					case "panic":
						panic("marker-text")
					case "panic with an error":
						panic(errors.New("marker-text"))
					}
					var none []error
					return none[len(on)] //nolint:govet // it panics with a runtime error, as a faulty hook does
				}
				l := servertest.New(t, func(cfg *grantwell.Config) {
					cfg.Grants = append(cfg.Grants,
						servertest.HostGrant(func(ctx context.Context, _ *grants.Request) (*grants.Grant, error) {
							return &grants.Grant{Subject: "s"}, trip(ctx, "grant")
						}))
					cfg.Hooks = grantwell.Hooks{
						BeforeAuthorize: func(ctx context.Context, _ *grantwell.AuthorizeRequest, _ *grantwell.Approval) error {
							return trip(ctx, "authorize")
						},
						AfterAuthorize: func(ctx context.Context, _ *grantwell.AuthorizeRequest, _ grantwell.Approval) error {
							return trip(ctx, "authorized")
						},
						BeforeIssue: func(ctx context.Context, i *grantwell.Issuance) error {
							if i.GrantType == "refresh_token" {
								return trip(ctx, "refresh")
							}
							return trip(ctx, "issue")
						},
						AfterIssue: func(ctx context.Context, _ grantwell.Issuance) error {
							return trip(ctx, "issued")
						},
						BeforeRevoke: func(ctx context.Context, _ *introspect.Token) error {
							return trip(ctx, "revoke")
						},
						AfterRevoke: func(ctx context.Context, _ *introspect.Token) error {
							return trip(ctx, "revoked")
						},
						Validate: func(ctx context.Context, _ *introspect.Token) error {
							return trip(ctx, "validate")
						},
					}
					cfg.Scopes.Decide = func(ctx context.Context, r grantwell.ScopeRequest) ([]string, error) {
						return r.Allowed, trip(ctx, "decide")
					}
					cfg.SubjectActive = func(ctx context.Context, _ string) (bool, error) {
						return true, trip(ctx, "subject")
					}
					cfg.Limiter = tripping{cfg.Limiter, trip}
					cfg.Strategy = strategy
					strategy.trip = trip
					cfg.RequestID = func(r *http.Request) string {
						_ = trip(r.Context(), "request id")
						return "id"
					}
					cfg.Events = func(ctx context.Context, _ grantwell.Event) {
						_ = trip(ctx, "events")
					}
				})
				inner := l.Handler
				l.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "v")))
				})
				l.AddClient("conf", func(c *storage.Client) {
					c.GrantTypes = append(c.GrantTypes, servertest.HostGrantType)
				})
				first := l.Redeem("conf", l.Code("conf"))
				require.Equal(t, 200, first.Status, first.Body)
				access, refresh := first.String("access_token"), first.String("refresh_token")
				on = at
				var res servertest.Reply
				switch at {
				case "authorize", "authorized":
					res = l.Do(httptest.NewRequest(http.MethodGet,
						"/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+
							servertest.Redirect, nil))
					require.NotContains(t, res.Header.Get("Location")+res.Body, "code=")
					require.NotContains(t, res.Header.Get("Location")+res.Body, "marker-text")
				case "refresh":
					res = l.Refresh("conf", refresh)
				case "revoke", "revoked":
					res = l.Revoke("conf", access)
				case "validate":
					if res = l.Introspect("conf", access); mode == "refuse" {
						require.Equal(t, false, res.JSON["active"])
					}
				case "limiter":
					res = l.Login("johndoe", "A3ddj3w")
				case "subject":
					res = l.Login("johndoe", "A3ddj3w")
				case "grant":
					res = l.Post("/token", servertest.Conf, "grant_type", servertest.HostGrantType)
				default:
					res = l.ClientCredentials(servertest.Conf)
				}
				require.NotContains(t, res.Body, "marker-text")
				switch at {
				case "authorize", "authorized":
				case "request id", "events": // they run after the answer
					require.Equal(t, 200, res.Status)
				case "validate":
					if mode != "refuse" {
						require.GreaterOrEqual(t, res.Status, 500, res.Body)
					}
				case "limiter", "subject":
					if mode == "fail" { // they call a dependency that may be down
						res.Fails(t, 503, "temporarily_unavailable")
						break
					}
					res.Fails(t, want.status, want.code)
				default:
					res.Fails(t, want.status, want.code)
				}
				on = ""
				res = l.ClientCredentials(servertest.Conf)
				require.Equal(t, 200, res.Status, "the next request: %s", res.Body)
			})
		}
	}
}

// tripping is a limiter that fails where the test wants it.
type tripping struct {
	grants.Limiter
	trip func(context.Context, string) error
}

func (l tripping) Attempt(ctx context.Context, _ string) (func(bool), time.Duration, error) {
	return func(bool) {}, 0, l.trip(ctx, "limiter")
}

// breaking is a token strategy that fails where the test wants it.
type breaking struct {
	tokens.Opaque
	trip func(context.Context, string) error
}

func (b *breaking) Mint(ctx context.Context, c tokens.Claims) (string, error) {
	if err := b.trip(ctx, "strategy"); err != nil {
		return "", err
	}
	return b.Opaque.Mint(ctx, c)
}

// When the hook after the issue refuses, what was issued is revoked before the
// answer is sent.
//
// Holds: house: hooks refuse.
func TestHooks_IssuedMayRefuse(t *testing.T) {
	t.Parallel()
	refuse := true
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Hooks.AfterIssue = func(context.Context, grantwell.Issuance) error {
			if refuse {
				panic("no")
			}
			return nil
		}
	})
	code := l.Code("conf")
	l.Redeem("conf", code).Fails(t, 500, "server_error")
	recs := l.Records(storage.Query{})
	require.Len(t, recs, 3)
	for _, rec := range recs {
		require.Equal(t, storage.Revoked, rec.State, rec.Kind)
	}
	refuse = false
	l.Redeem("conf", code).Fails(t, 400, "invalid_grant")
}
