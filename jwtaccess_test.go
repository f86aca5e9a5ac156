package grantwell_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

func signed(keys tokens.Keys) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) { cfg.Keys, cfg.AccessTokenFormat = keys, "jwt" }
}

func unrecorded(keys tokens.Keys) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) { signed(keys)(cfg); cfg.Unrecorded = true }
}

// part decodes the header (0) or the claims (1) of a compact JWS.
func part(t *testing.T, token string, i int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(raw, &m))
	return m
}

// offline is a resource server's own check, by the keys that the server publishes.
func offline(t *testing.T, d *direct) *introspect.LocalJWT {
	t.Helper()
	return &introspect.LocalJWT{Issuer: "https://as.example", Audience: []string{"https://as.example"}, Keys: []byte(d.get("/jwks.json").body)}
}

// A signed access token has the header and the claims of RFC 9068, and the resource's own check, introspection and the server itself agree on them.
// Holds S175, R242, R243, R244, S169.
func TestJWT_CompleteAndAgreed(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{tokens.RS256, tokens.ES256, tokens.EdDSA} {
		key, err := tokens.GenerateKey(algorithm)
		require.NoError(t, err)
		keys, err := tokens.StaticKeys(key)
		require.NoError(t, err)
		for _, config := range []func(*grantwell.Config){signed(keys), unrecorded(keys)} {
			d := newDirect(t, config)
			code := d.authorize("conf", "read write", grantwell.Approval{Subject: "alice", Claims: map[string]any{"dept": "eng"}}).answered("code")
			res := d.redeem("conf", code)
			token := res.str("access_token")
			require.Equal(t, map[string]any{"typ": "at+jwt", "alg": algorithm, "kid": key.ID}, part(t, token, 0))
			claims := part(t, token, 1)
			for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"} {
				require.NotEmpty(t, claims[name], name)
			}
			require.Equal(t, "https://as.example", claims["iss"])

			told, err := offline(t, d).Introspect(t.Context(), token)
			require.NoError(t, err)
			require.True(t, told.Active, told.Reason)
			own, err := d.srv.Introspect(t.Context(), token)
			require.NoError(t, err)
			var remote introspect.Token
			require.NoError(t, json.Unmarshal([]byte(d.asked("conf", token).body), &remote))
			for _, other := range []*introspect.Token{own, &remote} {
				require.True(t, other.Active)
				require.Equal(t, told.Scope, other.Scope)
				require.Equal(t, told.Subject, other.Subject)
				require.Equal(t, told.ClientID, other.ClientID)
				require.Equal(t, told.Issuer, other.Issuer)
				require.Equal(t, told.Audience, other.Audience)
				require.Equal(t, told.ExpiresAt.Unix(), other.ExpiresAt.Unix())
				require.Equal(t, told.IssuedAt.Unix(), other.IssuedAt.Unix())
				require.Equal(t, told.Extra["dept"], other.Extra["dept"])
			}
			jwks := d.get("/jwks.json")
			require.Equal(t, 200, jwks.status)
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
				require.NotContains(t, jwks.json["keys"].([]any)[0], private)
			}
		}
	}
}

// By default a signed token is recorded, and ends as any other does: by revocation, with its family, with its client.
// Holds S104, S97, S98, R221.
func TestJWT_RevocableByDefault(t *testing.T) {
	t.Parallel()
	d := newDirect(t, signed(testKeys(t)))
	one, _ := d.family("conf")
	require.True(t, d.live(one))
	require.Equal(t, 200, d.revoke("conf", one).status)
	require.False(t, d.live(one))
	two, refresh := d.family("conf")
	require.Equal(t, 200, d.revoke("conf", refresh).status)
	require.False(t, d.live(two))
	own, err := d.srv.Introspect(t.Context(), two)
	require.NoError(t, err)
	require.False(t, own.Active)
}

// A token that is not recorded is told by its signature; it cannot be revoked, and the endpoint says so. Its client and its user are still looked at.
// Holds S104, R226.
func TestJWT_Unrecorded(t *testing.T) {
	t.Parallel()
	var off atomic.Bool
	keys := testKeys(t)
	d := newDirect(t, func(cfg *grantwell.Config) {
		unrecorded(keys)(cfg)
		cfg.SubjectActive = func(context.Context, string) (bool, error) { return !off.Load(), nil }
	})
	token, refresh := d.family("conf")
	require.Empty(t, d.records(storage.Query{Kind: storage.Access}))
	require.True(t, d.live(token))
	d.revoke("conf", token).fails(t, 400, "unsupported_token_type")
	require.True(t, d.live(token))
	require.Equal(t, 200, d.revoke("conf", refresh).status)
	require.Equal(t, 200, d.revoke("conf", "a.b.c").status, "what is no token is revoked already")
	tampered := token[:len(token)-2] + "AA"
	require.False(t, d.live(tampered))
	off.Store(true)
	require.False(t, d.live(token))
	off.Store(false)
	d.change("conf", func(c *storage.Client) { c.Disabled = true })
	own, err := d.srv.Introspect(t.Context(), token)
	require.NoError(t, err)
	require.False(t, own.Active)

	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, unrecorded(keys))
		token, _ := d.family("conf")
		time.Sleep(time.Hour)
		require.False(t, d.live(token), "expired")
		require.Equal(t, 200, d.revoke("conf", token).status)
	})
}

// A JWT that our key signed and that is no access token of ours is none: another type, another issuer, no record.
// Holds R86.
func TestJWT_NotEveryJWTOfOurKey(t *testing.T) {
	t.Parallel()
	key, err := tokens.GenerateKey(tokens.ES256)
	require.NoError(t, err)
	keys, err := tokens.StaticKeys(key)
	require.NoError(t, err)
	now := time.Now()
	claims := tokens.Claims{Subject: "alice", ClientID: "conf", ID: "1", Audience: []string{"https://as.example"}, Scope: []string{"read"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	ours, err := tokens.JWT{Keys: keys, Issuer: "https://as.example"}.Mint(t.Context(), claims)
	require.NoError(t, err)
	other, err := tokens.JWT{Keys: keys, Issuer: "https://other.example"}.Mint(t.Context(), claims)
	require.NoError(t, err)
	d, free := newDirect(t, signed(keys)), newDirect(t, unrecorded(keys))
	require.False(t, d.live(ours), "no record of it")
	require.True(t, free.live(ours))
	require.False(t, free.live(other), "another issuer")
	h, err := json.Marshal(map[string]any{"typ": "JWT", "alg": "ES256", "kid": key.ID})
	require.NoError(t, err)
	relabelled := base64.RawURLEncoding.EncodeToString(h) + ours[strings.Index(ours, "."):]
	require.False(t, free.live(relabelled))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"at+jwt","alg":"none"}`)) + ours[strings.Index(ours, "."):strings.LastIndex(ours, ".")+1]
	require.False(t, free.live(none))
}

// A hook adds claims and members, and cannot change what a token is or what the answer says.
// Holds S179, S180, R246, V102.
func TestJWT_HooksCannotOverwrite(t *testing.T) {
	t.Parallel()
	for _, config := range []func(*grantwell.Config){signed(testKeys(t)), func(*grantwell.Config) {}} {
		d := newDirect(t, func(cfg *grantwell.Config) {
			config(cfg)
			cfg.Hooks.Issue = func(_ context.Context, is *grantwell.Issue) error {
				for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "cnf", "active", "token_type", "Sub", "ISS"} {
					is.Claims[name] = "evil"
				}
				for _, name := range []string{"access_token", "token_type", "expires_in", "refresh_token", "scope", "error", "Access_Token", "SCOPE"} {
					is.Response[name] = "evil"
				}
				is.Claims["dept"], is.Response["notice"] = "eng", "hello"
				is.Subject, is.GrantID, is.ExpiresAt, is.Client.ID = "mallory", "evil", time.Now().Add(1000*time.Hour), "other"
				is.Scope, is.Audience = append(is.Scope[:0], "admin"), append(is.Audience[:0], "https://evil.example")
				return nil
			}
		})
		res := d.redeem("conf", d.code("conf"))
		require.Equal(t, 200, res.status, res.body)
		require.NotContains(t, res.body, "evil")
		require.Equal(t, "hello", res.json["notice"])
		require.Equal(t, "read write", res.str("scope"))
		require.InDelta(t, 3600, res.json["expires_in"], 1)
		told := d.asked("conf", res.str("access_token"))
		require.NotContains(t, told.body, "evil")
		require.Equal(t, "alice", told.json["sub"])
		require.Equal(t, "conf", told.json["client_id"])
		require.Equal(t, "https://as.example", told.json["aud"])
		require.Equal(t, "eng", told.json["dept"])
		if token := res.str("access_token"); strings.Count(token, ".") == 2 {
			claims, err := json.Marshal(part(t, token, 1))
			require.NoError(t, err)
			require.NotContains(t, string(claims), "evil")
			require.NotContains(t, string(claims), "mallory")
		}
	}
}

// Tokens for two resources are two tokens, and nothing of the user but the subject is in one unless the host puts it there.
// Holds R247.
func TestJWT_OneAudienceNoPersonalData(t *testing.T) {
	t.Parallel()
	d := newDirect(t, signed(testKeys(t)))
	d.change("conf", func(c *storage.Client) { c.Audience = []string{"https://one.example", "https://two.example"} })
	access, _ := d.family("conf")
	claims := part(t, access, 1)
	require.Equal(t, "https://one.example", claims["aud"])
	for name := range claims {
		require.Contains(t, []string{"iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti", "auth_time"}, name)
	}
}

// While keys rotate under load, each token verifies by the JWKS served at that moment, and the next key is there before it signs.
// Holds S172, R244, R245, I10.
func TestJWT_RotationUnderLoad(t *testing.T) {
	t.Parallel()
	var schedule []tokens.ScheduledKey
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where synthetic time begins
	for i := range 12 {
		key, err := tokens.GenerateKey(tokens.ES256)
		require.NoError(t, err)
		at := time.Time{}
		if i > 0 {
			at = start.Add(time.Duration(i) * time.Hour)
		}
		schedule = append(schedule, tokens.ScheduledKey{Key: key, NotBefore: at})
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t, signed(&tokens.Rotation{Source: tokens.Schedule(schedule...), PublishAhead: 2 * time.Hour, Keep: 2 * time.Hour}))
		kids := map[any]bool{}
		var early *introspect.LocalJWT
		var old string
		for step := range 60 {
			keys := offline(t, d)
			parallel(8, func(int) {
				res := d.post("/token", conf, "grant_type", "client_credentials")
				told, err := keys.Introspect(context.Background(), res.str("access_token"))
				if err != nil || !told.Active {
					t.Errorf("a token that fails at its own moment: %v %v", err, told)
				}
			})
			token := d.post("/token", conf, "grant_type", "client_credentials").str("access_token")
			kids[part(t, token, 0)["kid"]] = true
			if early != nil { // a resource that fetched the keys an hour ago
				told, err := early.Introspect(t.Context(), token)
				require.NoError(t, err)
				require.True(t, told.Active)
			}
			if old != "" {
				told, err := keys.Introspect(t.Context(), old)
				require.NoError(t, err)
				require.True(t, told.Active, "a token of before the rotation")
			}
			old = token
			if step%6 == 0 {
				early = keys
			}
			time.Sleep(10 * time.Minute)
		}
		require.Len(t, kids, 10)
	})
}

// A resource checks signed tokens by the published keys alone, over HTTP.
// Holds S125, S175.
func TestJWT_GuardByJWKS(t *testing.T) {
	t.Parallel()
	d := newDirect(t, signed(testKeys(t)))
	ts := httptest.NewServer(d.h)
	t.Cleanup(ts.Close)
	in := &introspect.LocalJWT{Issuer: "https://as.example", Audience: []string{"https://as.example"}, JWKSURI: ts.URL + "/jwks.json", AllowPrivate: true}
	guard := introspect.Guard{Introspector: in, Audience: []string{"https://as.example"}}
	h := guard.Require("read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, ok := introspect.FromContext(r.Context())
		if !ok || tok.Subject != "alice" || tok.ClientID != "conf" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	access, _ := d.family("conf")
	require.Equal(t, 200, bearer(h, access).status)
	require.Equal(t, 401, bearer(h, access+"x").status)
	opaque, _ := newDirect(t, nil).family("conf")
	require.Equal(t, 401, bearer(h, opaque).status)
}

func bearer(h http.Handler, token string) reply {
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return serveTo(h, req)
}
