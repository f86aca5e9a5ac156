package introspect_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
)

const api = "https://api.example.com"

// answers is an Introspector that knows a few tokens.
type answers map[string]*introspect.Token

func (a answers) Introspect(_ context.Context, token string) (*introspect.Token, error) {
	if t, ok := a[token]; ok {
		return t, nil
	}
	return &introspect.Token{Reason: introspect.ReasonUnknown}, nil
}

// asked is an Introspector made of a function.
type asked func(ctx context.Context, token string) (*introspect.Token, error)

func (f asked) Introspect(ctx context.Context, token string) (*introspect.Token, error) {
	return f(ctx, token)
}

// live is a token of alice that may read and write.
func live(change ...func(*introspect.Token)) *introspect.Token {
	t := &introspect.Token{
		Active: true, Scope: []string{"read", "write"}, ClientID: "shop", Subject: "alice", TokenType: "Bearer",
		Audience: []string{api}, ExpiresAt: time.Now().Add(time.Hour), Extra: map[string]any{"department": "sales"},
	}
	for _, c := range change {
		c(t)
	}
	return t
}

func newGuard(change ...func(*introspect.Guard)) introspect.Guard {
	g := introspect.Guard{Introspector: answers{"good": live()}, Audience: []string{api}, Realm: "notes"}
	for _, c := range change {
		c(&g)
	}
	return g
}

// serve sends r through the guard. The request that the handler saw is nil if
// it did not run.
func serve(g introspect.Guard, r *http.Request, scopes ...string) (*httptest.ResponseRecorder, *http.Request) {
	var seen *http.Request
	w := httptest.NewRecorder()
	g.Require(scopes...)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })).ServeHTTP(w, r)
	return w, seen
}

func bearer(header string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/notes", nil)
	if header != "" {
		r.Header["Authorization"] = []string{header}
	}
	return r
}

// transport is an http.RoundTripper made of a function.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func client(f transport) *http.Client { return &http.Client{Transport: f} }

// reply is a 200 with that JSON.
func reply(body string) *http.Response {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.WriteString(body)
	return w.Result()
}

var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256     = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384     = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type claims = map[string]any

// good returns the claims of a token that is accepted. change replaces claims,
// and nil removes one.
func good(change claims) claims {
	now := time.Now().Unix()
	c := claims{
		"iss": "https://as.example.com", "aud": api, "sub": "alice", "client_id": "shop", "jti": "1",
		"scope": "read write", "iat": now, "exp": now + 300, "department": "sales",
	}
	for name, value := range change {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// sign makes a compact JWS. Its typ is at+jwt unless header has another.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, payload any, header ...map[string]any) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType("at+jwt")
	if kid != "" {
		o = o.WithHeader("kid", kid)
	}
	for _, h := range header {
		for name, value := range h {
			o = o.WithHeader(jose.HeaderKey(name), value)
		}
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	require.NoError(t, err)
	raw, ok := payload.(string)
	if !ok {
		raw = string(must(json.Marshal(payload)))
	}
	jws, err := s.Sign([]byte(raw))
	require.NoError(t, err)
	return must(jws.CompactSerialize())
}

// keySet is a JWK Set of public keys; use and alg are left out.
func keySet(keys map[string]crypto.Signer) []byte {
	var set jose.JSONWebKeySet
	for kid, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{KeyID: kid, Key: key.Public()})
	}
	return must(json.Marshal(set))
}

// checker is a LocalJWT with fixed keys.
func checker(change ...func(*introspect.LocalJWT)) *introspect.LocalJWT {
	j := &introspect.LocalJWT{
		Issuer: "https://as.example.com", Audience: []string{api},
		Keys: keySet(map[string]crypto.Signer{"rsa": rsaKey(), "p256": p256(), "p384": p384()}),
	}
	for _, c := range change {
		c(j)
	}
	return j
}
