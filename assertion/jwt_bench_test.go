package assertion

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"math/big"
	"testing"
	"time"
)

// BenchmarkJWT_ES256 reports the cost of one verification, also as a multiple
// of the bare signature check inside of it. Everything but the signature should
// take less than a third of the time.
func BenchmarkJWT_ES256(b *testing.B) {
	key := jwtTestKeys()["p256"]
	j, _ := newJWT(b, func(c *JWTConfig) {
		c.Issuers, c.AllowReuse = Issuers(idp(nil)), true
	})
	r := grantOf(signGrant(b, grantClaims()))
	token, err := parseJWT(Grant, r.Assertion)
	if err != nil {
		b.Fatal(err)
	}
	public := key.Public().(*ecdsa.PublicKey)
	digest := sha256.Sum256([]byte(token.Signed))
	x, y := new(big.Int).SetBytes(token.Signature[:32]), new(big.Int).SetBytes(token.Signature[32:])

	// The two are timed by turns, so that other load of the machine affects both.
	var whole, bare time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		_, err := j.Verify(b.Context(), r)
		middle := time.Now()
		ok := ecdsa.Verify(public, digest[:], x, y)
		whole, bare = whole+middle.Sub(start), bare+time.Since(middle)
		if err != nil || !ok {
			b.Fatal(err, ok)
		}
	}
	b.ReportMetric(float64(whole.Nanoseconds())/float64(b.N), "ns/verify")
	b.ReportMetric(float64(whole)/float64(bare), "x-bare-verify")
}

// BenchmarkJWT_Refused verifies a token of an unknown issuer, of which an
// attacker could send many.
func BenchmarkJWT_Refused(b *testing.B) {
	j, _ := newJWT(b, func(c *JWTConfig) { c.Issuers = Issuers(idp(nil)) })
	r := grantOf(signGrant(b, with(grantClaims(), "iss", "https://other.example")))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := j.Verify(b.Context(), r); err == nil {
			b.Fatal("accepted")
		}
	}
}
