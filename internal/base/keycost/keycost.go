// Package keycost bounds the work that one forged signature causes.
//
// A signature that no key verifies costs one public key operation for each key that is
// tried. The operations of large keys take a hundred times as long as those of small
// ones, so a number of keys alone would not bound the time.
package keycost

import (
	"crypto/ecdsa"
	"crypto/rsa"
)

// MaxKeys is the number of keys that are tried on one document or token.
const MaxKeys = 8

// The budget of one document or token in units of about 0.1 ms of CPU time, and the
// number of keys that are tried whatever they cost: a change of keys needs two. One key
// on each curve is within the budget.
const (
	budget = 24
	always = 2
)

// Budget counts the keys that were tried on one document or token. The zero value is
// ready.
type Budget struct {
	keys  int
	spent int
}

// Take counts one more key, and reports whether it may be tried. The first two always
// may. Of the largest kinds that are accepted, RSA of 8192 bits and P-521, no further
// one may; of RSA with 4096 bits six, of P-384 three, and of the usual ones [MaxKeys].
func (b *Budget) Take(key any) bool {
	b.keys++
	b.spent += cost(key)
	return b.keys <= always || b.keys <= MaxKeys && b.spent <= budget
}

// Within returns the number of the first keys that may all be tried on one document.
func Within[K any](keys []K) int {
	var b Budget
	for i, key := range keys {
		if !b.Take(key) {
			return i
		}
	}
	return len(keys)
}

// cost returns the units of one operation. Keys of other types, such as Ed25519 and
// secrets, are as fast as the smallest ones.
func cost(key any) int {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k == nil || k.N == nil {
			return 1
		}
		bits := k.N.BitLen()
		switch {
		case bits > 4096:
			return 10
		case bits > 3072:
			return 4
		case bits > 2048:
			return 2
		}
	case *ecdsa.PublicKey:
		if k == nil || k.Curve == nil {
			return 1
		}
		bits := k.Curve.Params().BitSize
		switch {
		case bits > 384:
			return 16
		case bits > 256:
			return 7
		}
	}
	return 1
}
