package assertion

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests sign their tokens by the primitives of the standard library alone,
// so that no code both makes and judges a token.

const (
	jwtServer   = "https://as.example"
	jwtEndpoint = "https://as.example/token"
	jwtIdP      = "https://idp.example"
	jwtClient   = "client-1"
)

var jwtNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// jwtTestKeys are made once, because RSA keys are slow to make.
var jwtTestKeys = sync.OnceValue(func() map[string]crypto.Signer {
	keys := map[string]crypto.Signer{}
	for _, name := range []string{"rsa", "rsa2"} {
		keys[name] = must(rsa.GenerateKey(rand.Reader, 2048))
	}
	for name, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p256b": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		keys[name] = must(ecdsa.GenerateKey(curve, rand.Reader))
	}
	for _, name := range []string{"ed", "ed2"} {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[name] = k
	}
	return keys
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// signRaw signs any header and claims. key is a crypto.Signer, or the octets of
// an HMAC secret. alg is the algorithm of the signature, whatever the header
// says.
func signRaw(t testing.TB, alg string, key any, header, claims string) string {
	t.Helper()
	return signText(t, alg, key, b64([]byte(header))+"."+b64([]byte(claims)))
}

func signText(t testing.TB, alg string, key any, input string) string {
	t.Helper()
	bits := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}
	var digest []byte
	hash := bits[alg[min(2, len(alg)):]]
	if hash != 0 {
		h := hash.New()
		h.Write([]byte(input))
		digest = h.Sum(nil)
	}
	var signature []byte
	var err error
	switch k := key.(type) {
	case []byte:
		m := hmac.New(hash.New, k)
		m.Write([]byte(input))
		signature = m.Sum(nil)
	case *rsa.PrivateKey:
		if strings.HasPrefix(alg, "PS") {
			signature, err = rsa.SignPSS(rand.Reader, k, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			signature, err = rsa.SignPKCS1v15(rand.Reader, k, hash, digest)
		}
	case *ecdsa.PrivateKey:
		r, s, failed := ecdsa.Sign(rand.Reader, k, digest)
		require.NoError(t, failed)
		size := (k.Params().N.BitLen() + 7) / 8
		signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case ed25519.PrivateKey:
		signature = ed25519.Sign(k, []byte(input))
	default:
		t.Fatalf("no way to sign with %T", key)
	}
	require.NoError(t, err)
	return input + "." + b64(signature)
}

type jwtMap = map[string]any

// signJWT signs claims under a header without faults.
func signJWT(t testing.TB, alg, kid string, key any, claims jwtMap) string {
	t.Helper()
	header := jwtMap{"alg": alg}
	if kid != "" {
		header["kid"] = kid
	}
	return signRaw(t, alg, key, toJSON(header), toJSON(claims))
}

func toJSON(v any) string { return string(must(json.Marshal(v))) }

// with returns a copy of m with one member changed, or taken out if v is nil.
func with(m jwtMap, name string, v any) jwtMap {
	m = maps.Clone(m)
	if m[name] = v; v == nil {
		delete(m, name)
	}
	return m
}

// jwkOf writes a public key as a JWK, by hand.
func jwkOf(kid string, key crypto.PublicKey) jwtMap {
	var k jwtMap
	switch key := key.(type) {
	case *rsa.PublicKey:
		k = jwtMap{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}
	case *ecdsa.PublicKey:
		point := must(key.Bytes())[1:]
		k = jwtMap{"kty": "EC", "crv": key.Params().Name, "x": b64(point[:len(point)/2]), "y": b64(point[len(point)/2:])}
	case ed25519.PublicKey:
		k = jwtMap{"kty": "OKP", "crv": "Ed25519", "x": b64(key)}
	}
	if kid != "" {
		k["kid"] = kid
	}
	return k
}

func jwksOf(keys ...jwtMap) []byte {
	return []byte(toJSON(jwtMap{"keys": append([]jwtMap{}, keys...)}))
}

// certificateFor is a self-signed certificate that is valid from an hour before jwtNow until the given time.
func certificateFor(t testing.TB, key crypto.Signer, until time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: jwtClient},
		NotBefore: jwtNow.Add(-time.Hour), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return must(x509.ParseCertificate(der))
}

// jwtReplay is a ReplayStore that counts.
type jwtReplay struct {
	mu    sync.Mutex
	seen  map[string]time.Time
	calls int
	err   error
}

func (r *jwtReplay) Use(_ context.Context, issuer, id string, until time.Time) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.err != nil {
		return false, r.err
	}
	if _, ok := r.seen[issuer+"\x00"+id]; ok {
		return false, nil
	}
	if r.seen == nil {
		r.seen = map[string]time.Time{}
	}
	r.seen[issuer+"\x00"+id] = until
	return true, nil
}

// jwtClients is a ClientKeys over a map.
type jwtClients map[string]ClientCredentials

func (c jwtClients) ClientKeys(_ context.Context, id string) (ClientCredentials, error) {
	if id == "broken" {
		return ClientCredentials{}, errors.New("database down")
	}
	if k, ok := c[id]; ok {
		return k, nil
	}
	return ClientCredentials{}, ErrUnknownClient
}

// newJWT is a verifier at jwtNow with its replay store.
func newJWT(t testing.TB, change func(*JWTConfig)) (*JWTVerifier, *jwtReplay) {
	t.Helper()
	replay := &jwtReplay{}
	c := JWTConfig{
		Issuer: jwtServer, TokenEndpoint: jwtEndpoint, Replay: replay,
		Now: func() time.Time { return jwtNow },
	}
	change(&c)
	j, err := NewJWT(c)
	require.NoError(t, err)
	return j, replay
}

// grantClaims returns the claims of a valid grant.
func grantClaims() jwtMap {
	return jwtMap{
		"iss": jwtIdP, "sub": "alice", "aud": jwtServer, "jti": "one",
		"exp": jwtNow.Add(2 * time.Minute).Unix(), "iat": jwtNow.Unix(),
	}
}

// clientClaims returns the claims of a valid client assertion.
func clientClaims() jwtMap {
	c := grantClaims()
	c["iss"], c["sub"] = jwtClient, jwtClient
	return c
}

func grantOf(token string) Request  { return Request{Use: Grant, Assertion: token} }
func clientOf(token string) Request { return Request{Use: ClientAuth, Assertion: token} }

// requireRefused checks code and reason, and that no assertion comes with the error.
func requireRefused(t testing.TB, code string, reason Reason, a *Assertion, err error) {
	t.Helper()
	require.Nil(t, a)
	var refusal *Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, reason, refusal.Reason, "%v", err)
	require.Equal(t, code, refusal.Code)
}

func newP256() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func newP521() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) }
