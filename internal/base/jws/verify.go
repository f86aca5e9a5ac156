package jws

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"sync"

	"github.com/grantwell/grantwell/internal/base/keycost"
)

// Verify returns the first of the keys that verifies the signature, and reports
// whether there is one. It tries those that serve the token's algorithm, at
// most as many as package keycost lets one token cost.
func (t *Token) Verify(keys []Key) (Key, bool) {
	alg := algorithms[t.Header.Algorithm]
	if alg.family == 0 {
		return Key{}, false
	}

	digest := alg.digest(t.Signed)
	var budget keycost.Budget
	for _, k := range keys {
		if !k.Serves(t.Header.Algorithm) {
			continue
		}
		if !budget.Take(k.Key) {
			break
		}
		if alg.verify(k.Key, digest, t.Signature) {
			return k, true
		}
	}
	return Key{}, false
}

// digest hashes the signed text once, however many keys are tried.
func (a algorithm) digest(signed string) []byte {
	if a.family == ed25519Curve || a.family == hmacSecret {
		return []byte(signed)
	}
	h := a.hash.New()
	h.Write([]byte(signed))
	return h.Sum(nil)
}

// verify checks one signature with one key that fits.
func (a algorithm) verify(key any, digest, signature []byte) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if a.family == rsaPSS {
			// RFC 7518 section 3.5: the salt is as long as the hash.
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			return rsa.VerifyPSS(k, a.hash, digest, signature, options) == nil
		}
		return rsa.VerifyPKCS1v15(k, a.hash, digest, signature) == nil

	case *ecdsa.PublicKey:
		// RFC 7518 section 3.4: r and s side by side, each as long as the
		// curve's order.
		size := (k.Curve.Params().N.BitLen() + 7) / 8
		if len(signature) != 2*size {
			return false
		}
		r := new(big.Int).SetBytes(signature[:size])
		s := new(big.Int).SetBytes(signature[size:])
		return ecdsa.Verify(k, digest, r, s)

	case ed25519.PublicKey:
		return ed25519.Verify(k, digest, signature)

	case Secret:
		m := hmac.New(a.hash.New, k)
		m.Write(digest)
		return hmac.Equal(m.Sum(nil), signature)

	default:
		return false
	}
}

// SpendTime does the work of one verification whose outcome is dropped. A
// caller that refuses a token before any key could be tried calls it, so that
// an unknown signer takes as long as a known one and does not stand out.
func (t *Token) SpendTime() {
	alg := algorithms[t.Header.Algorithm]
	for _, key := range decoys() {
		if Fits(t.Header.Algorithm, key) {
			alg.verify(key, alg.digest(t.Signed), t.Signature)
			return
		}
	}
}

// decoys are keys whose private part is not kept, one for every kind of
// algorithm.
var decoys = sync.OnceValue(func() []any {
	// The modulus is odd and of the usual size. It is not the product of two
	// primes, which does not matter, because its outcome is dropped.
	modulus := new(big.Int).SetBytes(bytes.Repeat([]byte{0xb7}, MinRSABits/8))
	keys := []any{
		&rsa.PublicKey{N: modulus, E: 65537},
		Secret(strings.Repeat("decoy decoy decoy ", 4)),
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		if k, err := ecdsa.GenerateKey(curve, rand.Reader); err == nil {
			keys = append(keys, k.Public())
		}
	}
	if public, _, err := ed25519.GenerateKey(rand.Reader); err == nil {
		keys = append(keys, public)
	}
	return keys
})
