package grantwell_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// offline returns the check of a resource server that knows only the published
// keys.
func offline(t *testing.T, d *servertest.Server) *introspect.LocalJWT {
	t.Helper()
	return &introspect.LocalJWT{
		Issuer:   "https://as.example",
		Audience: []string{"https://as.example"},
		Keys:     []byte(d.Get("/jwks.json").Body),
	}
}

// A signed access token has the header and the claims of RFC 9068. The
// resource server, the introspection endpoint and the server itself agree on
// them.
//
// Holds: RFC 9068 section 2; RFC 9068 section 2.1; RFC 9068 section 4;
// OpenID Connect Core section 2.
func TestJWT_AllChecksAgree(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{tokens.RS256, tokens.ES256, tokens.EdDSA} {
		key, err := tokens.GenerateKey(algorithm)
		require.NoError(t, err)
		keys, err := tokens.StaticKeys(key)
		require.NoError(t, err)
		for _, config := range []func(*grantwell.Config){servertest.Signed(keys),
			servertest.Unrecorded(keys)} {
			d := servertest.New(t, config)
			code := d.Authorize(grantwell.Approval{
				Subject: "alice",
				Claims:  map[string]any{"dept": "eng"},
			}).Param("code")
			res := d.Redeem("conf", code)
			token := res.String("access_token")
			require.Equal(t, map[string]any{
				"typ": "at+jwt",
				"alg": algorithm,
				"kid": key.ID,
			}, servertest.TokenHeader(t, token))
			claims := servertest.TokenClaims(t, token)
			for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti",
				"scope"} {
				require.NotEmpty(t, claims[name], name)
			}
			require.Equal(t, "https://as.example", claims["iss"])

			checked, err := offline(t, d).Introspect(t.Context(), token)
			require.NoError(t, err)
			require.True(t, checked.Active, checked.Reason)
			own, err := d.AS.Introspect(t.Context(), token)
			require.NoError(t, err)
			var remote introspect.Token
			require.NoError(t, json.Unmarshal([]byte(d.Introspect("conf", token).Body), &remote))
			for _, other := range []*introspect.Token{own, &remote} {
				require.True(t, other.Active)
				require.Equal(t, checked.Scope, other.Scope)
				require.Equal(t, checked.Subject, other.Subject)
				require.Equal(t, checked.ClientID, other.ClientID)
				require.Equal(t, checked.Issuer, other.Issuer)
				require.Equal(t, checked.Audience, other.Audience)
				require.Equal(t, checked.ExpiresAt.Unix(), other.ExpiresAt.Unix())
				require.Equal(t, checked.IssuedAt.Unix(), other.IssuedAt.Unix())
				require.Equal(t, checked.Extra["dept"], other.Extra["dept"])
			}
			jwks := d.Get("/jwks.json")
			require.Equal(t, 200, jwks.Status)
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
				require.NotContains(t, jwks.JSON["keys"].([]any)[0], private)
			}
		}
	}
}

// By default a signed token has a record and ends as any other: by revocation,
// with its family, and with its client.
//
// Holds: RFC 7009 section 2.1; RFC 7009 section 2.2.1.
func TestJWT_RevocableByDefault(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, servertest.Signed(servertest.Keys(t)))
	one, _ := d.Family("conf")
	require.True(t, d.Live(one))
	require.Equal(t, 200, d.Revoke("conf", one).Status)
	require.False(t, d.Live(one))
	two, refresh := d.Family("conf")
	require.Equal(t, 200, d.Revoke("conf", refresh).Status)
	require.False(t, d.Live(two))
	own, err := d.AS.Introspect(t.Context(), two)
	require.NoError(t, err)
	require.False(t, own.Active)
}

// A token without a record is recognised by its signature. It cannot be
// revoked, and the endpoint says so. Its client and its user are still
// checked.
//
// Holds: RFC 7009 section 2.2.1.
func TestJWT_UnrecordedCannotBeRevoked(t *testing.T) {
	t.Parallel()
	var off atomic.Bool
	keys := servertest.Keys(t)
	d := servertest.New(t, func(cfg *grantwell.Config) {
		servertest.Unrecorded(keys)(cfg)
		cfg.SubjectActive = func(context.Context, string) (bool, error) { return !off.Load(), nil }
	})
	token, refresh := d.Family("conf")
	require.Empty(t, d.Records(storage.Query{Kind: storage.Access}))
	require.True(t, d.Live(token))
	d.Revoke("conf", token).Fails(t, 400, "unsupported_token_type")
	require.True(t, d.Live(token))
	require.Equal(t, 200, d.Revoke("conf", refresh).Status)
	require.Equal(t, 200, d.Revoke("conf", "a.b.c").Status, "a string that is no token counts as revoked")
	tampered := token[:len(token)-2] + "AA"
	require.False(t, d.Live(tampered))
	off.Store(true)
	require.False(t, d.Live(token))
	off.Store(false)
	d.ChangeClient("conf", func(c *storage.Client) { c.Disabled = true })
	own, err := d.AS.Introspect(t.Context(), token)
	require.NoError(t, err)
	require.False(t, own.Active)

	synctest.Test(t, func(t *testing.T) {
		d := servertest.New(t, servertest.Unrecorded(keys))
		token, _ := d.Family("conf")
		time.Sleep(time.Hour)
		require.False(t, d.Live(token), "expired")
		require.Equal(t, 200, d.Revoke("conf", token).Status)
	})
}

// A JWT that the server's key signed is no access token if it has another type
// or issuer, or no record.
//
// Holds: house: kinds apart.
func TestJWT_NotEveryJWTOfOurKey(t *testing.T) {
	t.Parallel()
	key, err := tokens.GenerateKey(tokens.ES256)
	require.NoError(t, err)
	keys, err := tokens.StaticKeys(key)
	require.NoError(t, err)
	now := time.Now()
	claims := tokens.Claims{
		Subject:   "alice",
		ClientID:  "conf",
		ID:        "1",
		Audience:  []string{"https://as.example"},
		Scope:     []string{"read"},
		IssuedAt:  now,
		ExpiresAt: now.Add(time.Hour),
	}
	ours, err := tokens.JWT{Keys: keys, Issuer: "https://as.example"}.Mint(t.Context(), claims)
	require.NoError(t, err)
	other, err := tokens.JWT{Keys: keys, Issuer: "https://other.example"}.Mint(t.Context(), claims)
	require.NoError(t, err)
	d, free := servertest.New(t, servertest.Signed(keys)), servertest.New(t,
		servertest.Unrecorded(keys))
	require.False(t, d.Live(ours), "no record of it")
	require.True(t, free.Live(ours))
	require.False(t, free.Live(other), "another issuer")
	h, err := json.Marshal(map[string]any{"typ": "JWT", "alg": "ES256", "kid": key.ID})
	require.NoError(t, err)
	_, signed, _ := strings.Cut(ours, ".")
	payload, _, _ := strings.Cut(signed, ".")
	relabelled := base64.RawURLEncoding.EncodeToString(h) + "." + signed
	require.False(t, free.Live(relabelled))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"at+jwt","alg":"none"}`)) +
		"." + payload + "."
	require.False(t, free.Live(none))
}

// A hook adds claims and members. It cannot change what a token is or what the
// answer says.
//
// Holds: house: data of the token; house: hooks refuse; house: reserved claims.
func TestJWT_HooksCannotOverwrite(t *testing.T) {
	t.Parallel()
	for _, config := range []func(*grantwell.Config){servertest.Signed(servertest.Keys(t)),
		func(*grantwell.Config) {}} {
		d := servertest.New(t, func(cfg *grantwell.Config) {
			config(cfg)
			cfg.Hooks.BeforeIssue = func(_ context.Context, is *grantwell.Issuance) error {
				for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti",
					"client_id", "scope", "cnf", "active", "token_type", "Sub", "ISS"} {
					is.Claims[name] = "evil"
				}
				for _, name := range []string{"access_token", "token_type", "expires_in",
					"refresh_token", "scope", "error", "Access_Token", "SCOPE"} {
					is.Response[name] = "evil"
				}
				is.Claims["dept"], is.Response["notice"] = "eng", "hello"
				is.Subject = "mallory"
				is.GrantID = "evil"
				is.ExpiresAt = time.Now().Add(1000 * time.Hour)
				is.Client.ID = "other"
				is.Scope = append(is.Scope[:0], "admin")
				is.Audience = append(is.Audience[:0], "https://evil.example")
				return nil
			}
		})
		res := d.Redeem("conf", d.Code("conf"))
		require.Equal(t, 200, res.Status, res.Body)
		require.NotContains(t, res.Body, "evil")
		require.Equal(t, "hello", res.JSON["notice"])
		require.Equal(t, "read write", res.String("scope"))
		require.InDelta(t, 3600, res.JSON["expires_in"], 1)
		checked := d.Introspect("conf", res.String("access_token"))
		require.NotContains(t, checked.Body, "evil")
		require.Equal(t, "alice", checked.JSON["sub"])
		require.Equal(t, "conf", checked.JSON["client_id"])
		require.Equal(t, "https://as.example", checked.JSON["aud"])
		require.Equal(t, "eng", checked.JSON["dept"])
		if token := res.String("access_token"); strings.Count(token, ".") == 2 {
			claims, err := json.Marshal(servertest.TokenClaims(t, token))
			require.NoError(t, err)
			require.NotContains(t, string(claims), "evil")
			require.NotContains(t, string(claims), "mallory")
		}
	}
}

// Two resources get two tokens. A token has no personal data but the subject
// unless the host adds it.
//
// Holds: RFC 9068 section 5.
func TestJWT_OneAudienceNoPersonalData(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, servertest.Signed(servertest.Keys(t)))
	d.ChangeClient("conf", func(c *storage.Client) {
		c.Audience = []string{"https://one.example", "https://two.example"}
	})
	access, _ := d.Family("conf")
	claims := servertest.TokenClaims(t, access)
	require.Equal(t, "https://one.example", claims["aud"])
	for name := range claims {
		require.Contains(t, []string{"iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti",
			"auth_time"}, name)
	}
}

// While keys rotate under load, every token verifies by the JWK Set that is
// served at that moment, and a key is published before it signs.
//
// Holds: RFC 9068 section 4; house: one key set; house: rotation under load.
func TestJWT_RotationBreaksNoToken(t *testing.T) {
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
		d := servertest.New(t, servertest.Signed(&tokens.Rotation{
			Source:       tokens.Schedule(schedule...),
			PublishAhead: 2 * time.Hour,
			Keep:         2 * time.Hour,
		}))
		kids := map[any]bool{}
		var early *introspect.LocalJWT
		var old string
		for step := range 60 {
			keys := offline(t, d)
			servertest.Parallel(8, func(int) {
				res := d.ClientCredentials(servertest.Conf)
				checked, err := keys.Introspect(context.Background(), res.String("access_token"))
				if err != nil || !checked.Active {
					t.Errorf("a new token that does not verify: %v %v", err, checked)
				}
			})
			token := d.ClientCredentials(servertest.Conf).String("access_token")
			kids[servertest.TokenHeader(t, token)["kid"]] = true
			if early != nil { // a resource server that fetched the keys an hour ago
				checked, err := early.Introspect(t.Context(), token)
				require.NoError(t, err)
				require.True(t, checked.Active)
			}
			if old != "" {
				checked, err := keys.Introspect(t.Context(), old)
				require.NoError(t, err)
				require.True(t, checked.Active, "a token from before the rotation")
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

// A resource server checks signed tokens over HTTP with the published keys
// alone.
//
// Holds: RFC 9068 section 2; house: foreign tokens.
func TestJWT_GuardNeedsOnlyPublishedKeys(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, servertest.Signed(servertest.Keys(t)))
	ts := httptest.NewServer(d.Handler)
	t.Cleanup(ts.Close)
	in := &introspect.LocalJWT{
		Issuer:       "https://as.example",
		Audience:     []string{"https://as.example"},
		JWKSURI:      ts.URL + "/jwks.json",
		AllowPrivate: true,
	}
	guard := introspect.Guard{Introspector: in, Audience: []string{"https://as.example"}}
	h := guard.Require("read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, ok := introspect.FromContext(r.Context())
		if !ok || tok.Subject != "alice" || tok.ClientID != "conf" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	access, _ := d.Family("conf")
	require.Equal(t, 200, servertest.Bearer(h, access).Status)
	require.Equal(t, 401, servertest.Bearer(h, access+"x").Status)
	opaque, _ := servertest.New(t, nil).Family("conf")
	require.Equal(t, 401, servertest.Bearer(h, opaque).Status)
}

// A client's own lifetime does not make a signed token outlive the publication of its
// key, after which resources would refuse it. Opaque tokens have no such bound.
func TestJWTAccessTokens_EndWithTheirKey(t *testing.T) {
	t.Parallel()
	key, err := tokens.GenerateKey(tokens.ES256)
	require.NoError(t, err)
	s := servertest.New(t, servertest.Signed(&tokens.Rotation{
		Source: tokens.Schedule(tokens.ScheduledKey{Key: key}),
		Keep:   2 * time.Hour,
	}))
	for id, c := range map[string]struct {
		format string
		own    time.Duration
		want   float64
	}{
		"long":   {"", 5 * time.Hour, 7200},
		"exact":  {"jwt", 2 * time.Hour, 7200},
		"short":  {"jwt", 30 * time.Minute, 1800},
		"opaque": {"opaque", 5 * time.Hour, 18000},
		"none":   {"", 0, 3600},
	} {
		s.AddClient(id, func(client *storage.Client) {
			client.AccessTokenFormat, client.AccessTokenLifetime = c.format, c.own
		})
		got := s.ClientCredentials(id + ":" + servertest.Secret)
		require.Equal(t, 200, got.Status)
		require.EqualValues(t, c.want, got.JSON["expires_in"], id)
	}
}

// A signed token without a record ends with its client at once. Its iat has whole seconds,
// and is rounded so that it lies before the end (RFC 7519 section 4.1.6).
func TestJWTAccessTokens_UnrecordedEndWithTheirClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, func(cfg *grantwell.Config) {
			servertest.Signed(servertest.Keys(t))(cfg)
			cfg.Unrecorded = true
		})
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		for i := range 20 { // throughout a second
			id := fmt.Sprint("c", i)
			s.AddClient("conf", func(c *storage.Client) { c.ID = id })
			token := s.Token(id + ":" + servertest.Secret)
			require.True(t, s.Valid(token))
			time.Sleep(20 * time.Millisecond)
			s.AddClient("conf", func(c *storage.Client) { c.ID, c.TokensNotBefore = id, time.Now() })
			require.False(t, s.Valid(token), "issued %d ms after a whole second", 50*i)
			time.Sleep(30 * time.Millisecond)
			require.False(t, s.Valid(token))
		}
	})
}
