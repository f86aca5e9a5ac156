package assertion

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"math/big"
	"testing"
	"time"
)

// BenchmarkJWT_ES256 reports what one verification costs, and how many times the bare signature check
// that is inside of it. Everything that is not the signature should stay below a third.
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

	// The two are timed by turns, so that whatever else the machine does falls on both alike.
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

// BenchmarkJWT_Refused is a token of a stranger, as a flood of them would be.
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
