package introspect_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
)

// A request with a live token reaches the handler, which finds the whole token.
// Further scopes do no harm.
//
// Holds: RFC 6750 section 3.1.
func TestGuard_LiveTokenReachesHandler(t *testing.T) {
	t.Parallel()
	w, seen := serve(newGuard(), bearer("Bearer good"), "read")
	require.Equal(t, http.StatusOK, w.Code)
	got, ok := introspect.FromContext(seen.Context())
	require.True(t, ok)
	require.Equal(t, "alice", got.Subject)
	require.Equal(t, "shop", got.ClientID)
	require.Equal(t, []string{"read", "write"}, got.Scope)
	require.Equal(t, "sales", got.Extra["department"])
	require.False(t, got.ExpiresAt.IsZero())

	_, ok = introspect.FromContext(context.Background())
	require.False(t, ok)
}

// Each refusal has the status, code and challenge of RFC 6750 section 3, and
// caches do not store it.
//
// Holds: RFC 6750 section 3; RFC 6750 section 3.1.
func TestGuard_ChallengesByTheLetter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token     *introspect.Token
		header    string
		change    func(*introspect.Guard)
		need      []string
		status    int
		challenge string
	}{
		"no token": {status: 401, challenge: `Bearer realm="notes"`},
		"no token, as a gateway": {change: func(g *introspect.Guard) { g.GatewayStatus = true }, status: 400,
			challenge: `Bearer realm="notes", error="invalid_request", error_description="The request carries no access token"`},
		"another scheme": {header: "Basic Zm9vOmJhcg==", status: 401, challenge: `Bearer realm="notes"`},
		"malformed": {header: "Bearer a b", status: 400,
			challenge: `Bearer realm="notes", error="invalid_request", error_description="The Authorization header is malformed"`},
		"unknown": {header: "Bearer x", token: &introspect.Token{Reason: introspect.ReasonUnknown}, status: 401,
			challenge: `Bearer realm="notes", error="invalid_token", error_description="The access token is not valid"`},
		"client disabled": {header: "Bearer x", token: &introspect.Token{Reason: introspect.ReasonClient}, status: 401,
			challenge: `Bearer realm="notes", error="invalid_token", error_description="The access token is not valid"`},
		"expired": {header: "Bearer x", token: &introspect.Token{Reason: introspect.ReasonExpired}, status: 401,
			challenge: `Bearer realm="notes", error="invalid_token", error_description="The access token has expired"`},
		"expired since the answer": {header: "Bearer x", token: live(func(t *introspect.Token) { t.ExpiresAt = time.Now().Add(-time.Second) }), status: 401,
			challenge: `Bearer realm="notes", error="invalid_token", error_description="The access token has expired"`},
		"revoked": {header: "Bearer x", token: &introspect.Token{Reason: introspect.ReasonRevoked}, status: 401,
			challenge: `Bearer realm="notes", error="invalid_token", error_description="The access token has been revoked"`},
		"not yet valid": {header: "Bearer x", token: live(func(t *introspect.Token) { t.NotBefore = time.Now().Add(time.Hour) }), status: 401,
			challenge: `Bearer realm="notes", error="invalid_token", error_description="The access token is not valid yet"`},
		"a scope lacks": {header: "Bearer x", token: live(), need: []string{"read", "admin"}, status: 403,
			challenge: `Bearer realm="notes", error="insufficient_scope", error_description="The access token lacks a needed scope", scope="read admin"`},
		"none of any": {header: "Bearer x", token: live(), need: []string{"admin", "root"}, change: func(g *introspect.Guard) { g.Match = introspect.Any }, status: 403,
			challenge: `Bearer realm="notes", error="insufficient_scope", error_description="The access token lacks a needed scope", scope="admin root"`},
		"one of any": {header: "Bearer x", token: live(), need: []string{"admin", "read"}, change: func(g *introspect.Guard) { g.Match = introspect.Any }, status: 200},
		"scopes are case-sensitive": {header: "Bearer x", token: live(), need: []string{"READ"}, status: 403,
			challenge: `Bearer realm="notes", error="insufficient_scope", error_description="The access token lacks a needed scope", scope="READ"`},
		"quotes in the realm": {change: func(g *introspect.Guard) { g.Realm = `a"b\c` }, status: 401, challenge: `Bearer realm="a\"b\\c"`},
		"no realm":            {change: func(g *introspect.Guard) { g.Realm = "" }, status: 401, challenge: `Bearer realm="api"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, seen := serve(newGuard(func(g *introspect.Guard) {
				g.Introspector = answers{"x": c.token}
				if c.change != nil {
					c.change(g)
				}
			}), bearer(c.header), c.need...)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.challenge, w.Header().Get("WWW-Authenticate"))
			require.Equal(t, c.status == 200, seen != nil)
			if c.status != 200 {
				require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			}
			if strings.Contains(c.challenge, "error=") {
				require.Equal(t, "application/json", w.Header().Get("Content-Type"))
				require.Contains(t, w.Body.String(), `{"error":"`)
			}
		})
	}
}

// A token for another resource, for none, or of another kind gives no access.
//
// Holds: RFC 6750 section 3.1; RFC 7662 section 2.2.
func TestGuard_OnlyAccessTokensForThisResource(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*introspect.Token){
		"another resource":     func(t *introspect.Token) { t.Audience = []string{"https://other.example.com", api + "/"} },
		"no resource":          func(t *introspect.Token) { t.Audience = nil },
		"refresh token":        func(t *introspect.Token) { t.TokenType = "refresh_token" },
		"refresh token by use": func(t *introspect.Token) { t.Extra = map[string]any{"token_use": "refresh_token"} },
		"inactive, all else well": func(t *introspect.Token) {
			t.Active = false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, seen := serve(newGuard(func(g *introspect.Guard) { g.Introspector = answers{"x": live(change)} }), bearer("Bearer x"))
			require.Equal(t, http.StatusUnauthorized, w.Code)
			require.Contains(t, w.Header().Get("WWW-Authenticate"), `error="invalid_token"`)
			require.Nil(t, seen)
		})
	}
	w, _ := serve(introspect.Guard{Introspector: answers{"x": live(func(t *introspect.Token) { t.Audience = nil })}, AnyAudience: true}, bearer("Bearer x"))
	require.Equal(t, http.StatusOK, w.Code)
}

// A Guard whose configuration would check too little does not start. The error
// names the wrong field.
//
// Holds: house: audience is set.
func TestGuard_RefusesToStartMisconfigured(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*introspect.Guard){
		"Introspector":         func(g *introspect.Guard) { g.Introspector = nil },
		"Audience":             func(g *introspect.Guard) { g.Audience = nil },
		"Audience: an element": func(g *introspect.Guard) { g.Audience = []string{api, ""} },
		"AnyAudience":          func(g *introspect.Guard) { g.AnyAudience = true },
		"Realm":                func(g *introspect.Guard) { g.Realm = "a\r\nSet-Cookie: b" },
		"Match":                func(g *introspect.Guard) { g.Match = 7 },
		"MetadataURL":          func(g *introspect.Guard) { g.MetadataURL = "http://api.example.com/m" },
		"Lookup.Schemes":       func(g *introspect.Guard) { g.Lookup.Schemes = []string{"Bear er"} },
		"Lookup: no place":     func(g *introspect.Guard) { g.Lookup.NoHeader = true },
		"JWT.Audience": func(g *introspect.Guard) {
			g.Introspector = &introspect.LocalJWT{Issuer: "x", JWKSURI: "https://x.example"}
		},
		"Remote.Endpoint": func(g *introspect.Guard) { g.Introspector = &introspect.Remote{Endpoint: "http://as.example.com"} },
		"Remote.MaxInactiveAge": func(g *introspect.Guard) {
			g.Introspector = &introspect.Remote{Endpoint: "https://a.example", MaxInactiveAge: 1}
		},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			g := newGuard(change)
			require.ErrorContains(t, g.Check(), field)
			require.Panics(t, func() { g.Require() })
		})
	}
	require.NoError(t, newGuard().Check())
	require.Panics(t, func() { newGuard().Require("read write") })
	require.Panics(t, func() { newGuard().Require("") })
}

// Scopes of ScopesFor are needed in addition to those of the route. Each route
// has its own Guard.
//
// Holds: house: scopes by request.
func TestGuard_ScopesPerRequestAndRoute(t *testing.T) {
	t.Parallel()
	g := newGuard(func(g *introspect.Guard) {
		g.ScopesFor = func(r *http.Request) []string {
			if r.Method == http.MethodGet {
				return []string{"read"}
			}
			return []string{"admin"}
		}
	})
	mux := http.NewServeMux()
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/", g.Require("write")(ok))
	open := g
	open.ScopesFor = nil
	mux.Handle("/open", open.Require()(ok))
	for _, c := range []struct {
		method, path, scope string
		status              int
	}{{"GET", "/", "", 200}, {"POST", "/", `scope="write admin"`, 403}, {"POST", "/open", "", 200}} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code)
		require.Contains(t, w.Header().Get("WWW-Authenticate"), c.scope)
	}
}

// A failure of the Introspector is answered by 503 and a panic by 500. Neither
// gives access or reveals the cause.
//
// Holds: house: errors never grant; house: hooks refuse; house: store fails closed.
func TestGuard_FailsClosed(t *testing.T) {
	t.Parallel()
	secret := "dial tcp 10.1.2.3: good"
	for name, c := range map[string]struct {
		change func(*introspect.Guard)
		status int
		code   string
	}{
		"error": {func(g *introspect.Guard) {
			g.Introspector = asked(func(context.Context, string) (*introspect.Token, error) { return live(), errors.New(secret) })
		}, 503, "temporarily_unavailable"},
		"nothing": {func(g *introspect.Guard) {
			g.Introspector = asked(func(context.Context, string) (*introspect.Token, error) { return nil, nil })
		}, 503, "temporarily_unavailable"},
		"panic": {func(g *introspect.Guard) {
			g.Introspector = asked(func(context.Context, string) (*introspect.Token, error) { panic(secret) })
		}, 500, "server_error"},
		"panic in scopes":  {func(g *introspect.Guard) { g.ScopesFor = func(*http.Request) []string { panic(secret) } }, 500, "server_error"},
		"panic in extract": {func(g *introspect.Guard) { g.Lookup.Extract = func(*http.Request) (string, error) { panic(secret) } }, 500, "server_error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			w, seen := serve(newGuard(c.change, func(g *introspect.Guard) { g.Logger = slog.New(slog.NewTextHandler(&log, nil)) }), bearer("Bearer good"))
			require.Nil(t, seen)
			require.Equal(t, c.status, w.Code)
			require.JSONEq(t, `{"error":"`+c.code+`"}`, w.Body.String())
			require.Empty(t, w.Header().Get("WWW-Authenticate"))
			require.Equal(t, c.status == 503, w.Header().Get("Retry-After") != "")
			require.NotEmpty(t, log.String())
			if c.status == 500 {
				require.NotContains(t, log.String(), secret)
			}
		})
	}
}

// A bound token is refused without proof, and under the wrong scheme.
//
// Holds: RFC 8705 section 3; RFC 9449 section 7.2; RFC 9728 section 3.
func TestGuard_BoundTokensNeedProof(t *testing.T) {
	t.Parallel()
	certificate, other := &x509.Certificate{Raw: []byte("one")}, &x509.Certificate{Raw: []byte("two")}
	sum := sha256.Sum256(certificate.Raw)
	x5t := map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}
	both := map[string]string{"x5t#S256": x5t["x5t#S256"], "jwk": `{"kty":"OKP"}`}
	yes := func(*http.Request, *introspect.Token) error { return nil }
	withCert := func(c *x509.Certificate) *tls.ConnectionState {
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
	}
	for name, c := range map[string]struct {
		cnf     map[string]string
		kind    string
		scheme  string
		tls     *tls.ConnectionState
		confirm func(*http.Request, *introspect.Token) error
		status  int
	}{
		"no Confirm":                {cnf: x5t, scheme: "Bearer", status: 401},
		"no connection state":       {cnf: x5t, scheme: "Bearer", confirm: introspect.ConfirmCertificate, status: 401},
		"no certificate":            {cnf: x5t, scheme: "Bearer", tls: &tls.ConnectionState{}, confirm: introspect.ConfirmCertificate, status: 401},
		"another certificate":       {cnf: x5t, scheme: "Bearer", tls: withCert(other), confirm: introspect.ConfirmCertificate, status: 401},
		"its certificate":           {cnf: x5t, scheme: "Bearer", tls: withCert(certificate), confirm: introspect.ConfirmCertificate, status: 200},
		"a second binding":          {cnf: both, scheme: "Bearer", tls: withCert(certificate), confirm: introspect.ConfirmCertificate, status: 401},
		"DPoP token as Bearer":      {cnf: map[string]string{"jkt": "k"}, scheme: "Bearer", confirm: yes, status: 401},
		"DPoP token":                {cnf: map[string]string{"jkt": "k"}, scheme: "DPoP", confirm: yes, status: 200},
		"bearer token as DPoP":      {scheme: "DPoP", confirm: yes, status: 401},
		"DPoP type, key not stated": {kind: "DPoP", scheme: "Bearer", confirm: yes, status: 401},
		"DPoP, no Confirm":          {cnf: map[string]string{"jkt": "k"}, scheme: "DPoP", status: 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := bearer(c.scheme + " x")
			r.TLS = c.tls
			w, seen := serve(newGuard(func(g *introspect.Guard) {
				g.Lookup.Schemes, g.Confirm = []string{"Bearer", "DPoP"}, c.confirm
				g.Introspector = answers{"x": live(func(t *introspect.Token) { t.Confirmation, t.TokenType = c.cnf, c.kind })}
			}), r)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.status == 200, seen != nil)
			if c.status == 401 {
				require.Contains(t, w.Header().Get("WWW-Authenticate"), `error="invalid_token"`)
			}
		})
	}
}

// An error of Confirm can set the answer. Its text cannot end the quoted string
// of the header.
//
// Holds: RFC 6749 section 5.2; RFC 9449 section 7.1.
func TestGuard_ConfirmSetsTheAnswer(t *testing.T) {
	t.Parallel()
	own := &introspect.Refusal{Scheme: "DPoP", Code: "use_dpop_nonce", Description: "a\"b\r\nc", Header: http.Header{"DPoP-Nonce": {"n"}}}
	w, seen := serve(newGuard(func(g *introspect.Guard) {
		g.Lookup.Schemes = []string{"Bearer", "DPoP"}
		g.Introspector = answers{"x": live(func(t *introspect.Token) { t.Confirmation = map[string]string{"jkt": "k"} })}
		g.Confirm = func(*http.Request, *introspect.Token) error { return own }
	}), bearer("DPoP x"))
	require.Nil(t, seen)
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, "n", w.Header().Get("DPoP-Nonce"))
	require.Equal(t, []string{`Bearer realm="notes"`, `DPoP realm="notes", error="use_dpop_nonce", error_description="abc"`}, w.Header().Values("WWW-Authenticate"))
	require.Zero(t, own.Status)
}

// An ErrorHandler writes the body. The challenge is set before it is called.
func TestGuard_ErrorHandlerWritesBody(t *testing.T) {
	t.Parallel()
	w, _ := serve(newGuard(func(g *introspect.Guard) {
		g.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, refusal *introspect.Refusal) {
			w.WriteHeader(refusal.Status)
			_, _ = w.Write([]byte(refusal.Reason))
		}
	}), bearer("Bearer bad"))
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, "unknown", w.Body.String())
	require.NotEmpty(t, w.Header().Get("WWW-Authenticate"))
}
