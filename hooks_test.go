package grantwell_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// withJWT makes the server issue signed tokens.
func withJWT(t testing.TB, cfg *grantwell.Config) {
	key, err := tokens.GenerateKey("ES256")
	require.NoError(t, err)
	cfg.Keys, err = tokens.StaticKeys(key)
	require.NoError(t, err)
	cfg.AccessTokenFormat = "jwt"
}

// payload reads the claims of a JWT without a look at its signature.
func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3, token)
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(b, &m))
	return m
}

// A hook adds claims and members, and changes nothing of what a token says of itself or of what the answer must say.
// Holds S18, R246, V102.
func TestHooks_CannotOverwrite(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"opaque", "jwt"} {
		l := newLocal(t, func(cfg *grantwell.Config) {
			withJWT(t, cfg)
			cfg.AccessTokenFormat = format
			scribble := func(i *grantwell.Issue) {
				for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "cnf", "auth_time", "active", "SUB", "Aud", "username", "token_type"} {
					i.Claims[name] = "evil"
				}
				for _, name := range []string{"access_token", "token_type", "expires_in", "refresh_token", "scope", "error", "error_description", "id_token"} {
					i.Response[name] = "evil"
				}
				i.Subject, i.GrantID, i.GrantType, i.Client.ID, i.Refresh = "evil", "evil", "evil", "evil", true
				i.Scope[0], i.Audience[0] = "evil", "evil"
				i.Scope, i.Audience, i.ExpiresAt = append(i.Scope, "evil"), append(i.Audience, "evil"), time.Now().Add(1000*time.Hour)
				i.Client.Scope[0], i.Client.Audience = "evil", []string{"evil"}
			}
			cfg.Hooks.Issue = func(_ context.Context, i *grantwell.Issue) error {
				scribble(i)
				i.Claims["dept"], i.Response["greeting"], i.Response["a"] = "HR", "hello", []int{1, 2}
				return nil
			}
			cfg.Hooks.Issued = func(_ context.Context, i grantwell.Issue) error { scribble(&i); return nil }
		})
		res := l.post("/token", conf, "grant_type", "client_credentials")
		require.Equal(t, 200, res.status, res.body)
		require.NotContains(t, res.body, "evil")
		require.NotContains(t, res.json, "refresh_token")
		require.Equal(t, "hello", res.str("greeting"))
		require.Equal(t, []any{1.0, 2.0}, res.json["a"])
		require.Equal(t, "Bearer", res.str("token_type"))
		require.LessOrEqual(t, res.json["expires_in"], 3600.0)
		intro := l.post("/introspect", conf, "token", res.str("access_token"))
		require.Equal(t, true, intro.json["active"])
		require.NotContains(t, intro.body, "evil")
		require.Equal(t, "HR", intro.str("dept"))
		require.Equal(t, "conf", intro.str("sub"))
		if format == "jwt" {
			claims := payload(t, res.str("access_token"))
			require.NotContains(t, claims, "SUB")
			for name, v := range map[string]any{"iss": "https://as.example", "sub": "conf", "client_id": "conf", "scope": "read", "dept": "HR"} {
				require.Equal(t, v, claims[name], name)
			}
			all, err := json.Marshal(claims)
			require.NoError(t, err)
			require.NotContains(t, string(all), "evil")
		}
	}
}

// What was stored with the code reaches the token; on a clash what the issue of the token says wins.
// Holds S42, S179.
func TestHooks_ClaimsMerge(t *testing.T) {
	t.Parallel()
	var seen map[string]any
	l := newLocal(t, func(cfg *grantwell.Config) {
		cfg.Paths.TokenInfo, cfg.TokenInfo.Fields = "/tokeninfo", map[string]string{"Name": "Name", "Department": "Department", "scope": "Name"}
		cfg.Hooks.Issue = func(_ context.Context, i *grantwell.Issue) error { i.Claims["Department"] = "HR"; return nil }
		cfg.Hooks.Validate = func(_ context.Context, t *introspect.Token) error {
			seen = t.Extra
			t.Extra["checked"] = true
			return nil
		}
	})
	l.mux.HandleFunc("/approve", l.authorize(grantwell.Approval{Subject: "alice", Claims: map[string]any{"Name": "John", "Department": "IT"}}))
	q := formOf("response_type", "code", "client_id", "conf", "redirect_uri", redirect, "state", "s", "code_challenge", challenge, "code_challenge_method", "S256")
	w := l.do(httptest.NewRequest("GET", "/approve?"+q, nil))
	_, code, _ := strings.Cut(w.header.Get("Location"), "code=")
	code, _, _ = strings.Cut(code, "&")
	first := l.exchange(code)
	require.Equal(t, 200, first.status, first.body)
	second := l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", first.str("refresh_token"))
	for _, res := range []reply{first, second} {
		info := l.post("/tokeninfo", conf, "access_token", res.str("access_token"))
		require.Equal(t, []string{"John", "HR", "read"}, []string{info.str("Name"), info.str("Department"), info.str("scope")}, info.body)
		require.Equal(t, "John", seen["Name"])
		intro := l.post("/introspect", conf, "token", res.str("access_token"))
		require.Equal(t, true, intro.json["checked"])
	}
}

// Each hook gets typed values and the context, may refuse with an OAuth error, and a panic in it is a 500 without a token.
// Holds S180, R13.
func TestHooks_RefuseAndPanic(t *testing.T) {
	t.Parallel()
	type key struct{}
	for _, at := range []string{"authorize", "authorized", "issue", "refresh", "issued", "revoke", "revoked", "validate", "decide", "limiter", "subject", "strategy", "request id", "events", "grant"} {
		for mode, want := range map[string]struct {
			status int
			code   string
		}{"refuse": {403, "access_denied"}, "fail": {500, "server_error"}, "panic": {500, "server_error"}, "panic with an error": {500, "server_error"}, "crash": {500, "server_error"}} {
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
					return none[len(on)] // a runtime error
				}
				l := newLocal(t, func(cfg *grantwell.Config) {
					cfg.Grants = append(cfg.Grants, granting(func(ctx context.Context, _ *grants.Request) (*grants.Grant, error) {
						return &grants.Grant{Subject: "s"}, trip(ctx, "grant")
					}))
					cfg.Hooks = grantwell.Hooks{
						Authorize: func(ctx context.Context, _ *grantwell.AuthorizeRequest, _ *grantwell.Approval) error {
							return trip(ctx, "authorize")
						},
						Authorized: func(ctx context.Context, _ *grantwell.AuthorizeRequest, _ grantwell.Approval) error {
							return trip(ctx, "authorized")
						},
						Issue: func(ctx context.Context, i *grantwell.Issue) error {
							if i.GrantType == "refresh_token" {
								return trip(ctx, "refresh")
							}
							return trip(ctx, "issue")
						},
						Issued:   func(ctx context.Context, _ grantwell.Issue) error { return trip(ctx, "issued") },
						Revoke:   func(ctx context.Context, _ *introspect.Token) error { return trip(ctx, "revoke") },
						Revoked:  func(ctx context.Context, _ *introspect.Token) error { return trip(ctx, "revoked") },
						Validate: func(ctx context.Context, _ *introspect.Token) error { return trip(ctx, "validate") },
					}
					cfg.Scopes.Decide = func(ctx context.Context, r grantwell.ScopeRequest) ([]string, error) {
						return r.Allowed, trip(ctx, "decide")
					}
					cfg.SubjectActive = func(ctx context.Context, _ string) (bool, error) { return true, trip(ctx, "subject") }
					cfg.Limiter = tripping{cfg.Limiter, trip}
					cfg.Strategy = strategy
					strategy.trip = trip
					cfg.RequestID = func(r *http.Request) string { _ = trip(r.Context(), "request id"); return "id" }
					cfg.Events = func(ctx context.Context, _ grantwell.Event) { _ = trip(ctx, "events") }
				})
				inner := l.mux
				l.mux = http.NewServeMux()
				l.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
					inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "v")))
				})
				l.put(func(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, hostGrant) })
				first := l.exchange(l.code("conf"))
				require.Equal(t, 200, first.status, first.body)
				access, refresh := first.str("access_token"), first.str("refresh_token")
				on = at
				var res reply
				switch at {
				case "authorize", "authorized":
					res = l.do(httptest.NewRequest("GET", "/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+redirect, nil))
					require.NotContains(t, res.header.Get("Location")+res.body, "code=")
					require.NotContains(t, res.header.Get("Location")+res.body, "marker-text")
				case "refresh":
					res = l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", refresh)
				case "revoke", "revoked":
					res = l.post("/revoke", conf, "token", access)
				case "validate":
					if res = l.post("/introspect", conf, "token", access); mode == "refuse" {
						require.Equal(t, false, res.json["active"])
					}
				case "limiter":
					res = l.post("/token", conf, "grant_type", "password", "username", "johndoe", "password", "A3ddj3w")
				case "subject":
					res = l.post("/token", conf, "grant_type", "password", "username", "johndoe", "password", "A3ddj3w")
				case "grant":
					res = l.post("/token", conf, "grant_type", hostGrant)
				default:
					res = l.post("/token", conf, "grant_type", "client_credentials")
				}
				require.NotContains(t, res.body, "marker-text")
				switch at {
				case "authorize", "authorized":
				case "request id", "events": // they come after the answer
					require.Equal(t, 200, res.status)
				case "validate":
					if mode != "refuse" {
						require.GreaterOrEqual(t, res.status, 500, res.body)
					}
				case "limiter", "subject":
					if mode == "fail" { // they ask something that may be down
						res.fails(t, 503, "temporarily_unavailable")
						break
					}
					res.fails(t, want.status, want.code)
				default:
					res.fails(t, want.status, want.code)
				}
				on = ""
				res = l.post("/token", conf, "grant_type", "client_credentials")
				require.Equal(t, 200, res.status, "the next request: %s", res.body)
			})
		}
	}
}

const hostGrant = "urn:example:host"

// granting is a host's own grant.
type granting func(ctx context.Context, r *grants.Request) (*grants.Grant, error)

func (granting) GrantType() string { return hostGrant }
func (g granting) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	return g(ctx, r)
}

type tripping struct {
	grants.Limiter
	trip func(context.Context, string) error
}

func (l tripping) Attempt(ctx context.Context, _ string) (func(bool), time.Duration, error) {
	return func(bool) {}, 0, l.trip(ctx, "limiter")
}

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

// What the hook after the issue refuses is withdrawn before anybody hears of it.
// Holds S180.
func TestHooks_IssuedRefuses(t *testing.T) {
	t.Parallel()
	refuse := true
	l := newLocal(t, func(cfg *grantwell.Config) {
		cfg.Hooks.Issued = func(context.Context, grantwell.Issue) error {
			if refuse {
				panic("no")
			}
			return nil
		}
	})
	code := l.code("conf")
	l.exchange(code).fails(t, 500, "server_error")
	recs, _, err := l.store.List(t.Context(), storage.Query{})
	require.NoError(t, err)
	require.Len(t, recs, 3)
	for _, rec := range recs {
		require.Equal(t, storage.Revoked, rec.State, rec.Kind)
	}
	refuse = false
	l.exchange(code).fails(t, 400, "invalid_grant")
}

// A hook that takes too long is cut off by the deadline, as a store is.
// Holds R12.
func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, store := newHooked(t, nil)
		for _, slow := range []string{"Client", "Insert"} {
			store.breaks(func(ctx context.Context, call string) error {
				if call == slow {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			})
			start := time.Now()
			res := l.post("/token", conf, "grant_type", "client_credentials")
			res.fails(t, 503, "temporarily_unavailable")
			require.NotEmpty(t, res.header.Get("Retry-After"))
			require.Equal(t, 2*time.Second, time.Since(start))
		}
		require.Zero(t, l.store.Len())
	})
}

// A store that is down is 503 and no token, one that panics 500; afterwards all is as before.
// Holds R12, R13.
func TestStore_DownOrPanicking(t *testing.T) {
	t.Parallel()
	l, store := newHooked(t, nil)
	first := l.exchange(l.code("conf"))
	for _, call := range []string{"Client", "Get", "Insert", "Advance", "Revoke"} {
		for _, panics := range []bool{false, true} {
			code := l.code("conf")
			spent := l.code("conf")
			require.Equal(t, 200, l.exchange(spent).status)
			store.breaks(func(_ context.Context, name string) error {
				if !strings.HasPrefix(name, call) {
					return nil
				}
				if panics {
					panic("dial tcp db7.internal: refused")
				}
				return errors.New("dial tcp db7.internal: refused")
			})
			answers := map[string]reply{}
			if call != "Insert" && call != "Revoke" {
				answers["code"] = l.exchange(code)
			}
			switch call {
			case "Client", "Insert":
				answers["client_credentials"] = l.post("/token", conf, "grant_type", "client_credentials")
			case "Revoke":
				answers["second use"] = l.exchange(spent)
			case "Get":
				answers["introspect"] = l.post("/introspect", conf, "token", first.str("access_token"))
				answers["refresh"] = l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", first.str("refresh_token"))
			case "Advance":
				answers["revoke"] = l.post("/revoke", conf, "token", first.str("access_token"))
			}
			store.before.Store(nil)
			for name, res := range answers {
				if panics {
					res.fails(t, 500, "server_error")
				} else {
					res.fails(t, 503, "temporarily_unavailable")
					require.NotEmpty(t, res.header.Get("Retry-After"), name)
				}
				onlyAnError(t, res)
				require.NotContains(t, res.body, "db7")
			}
			require.NotEmpty(t, answers)
			require.Equal(t, 200, l.exchange(code).status, "the code is not lost with the store")
		}
	}
}
