package xmldsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/grantwell/grantwell/internal/base/keycost"
)

// UsableKeys returns the keys that pass [CheckKey], at most [keycost.MaxKeys].
func UsableKeys(keys []crypto.PublicKey) []crypto.PublicKey {
	// The order stays, so a caller may put the likeliest key first.
	var usable []crypto.PublicKey
	for _, key := range keys {
		if len(usable) < keycost.MaxKeys && CheckKey(key) == nil {
			usable = append(usable, key)
		}
	}
	return usable
}

// CheckKeys returns an error if the keys are more than can be tried on one document,
// which is a matter of their number and of what they cost: see package keycost.
func CheckKeys(keys []crypto.PublicKey) error {
	if len(keys) > keycost.MaxKeys {
		return fmt.Errorf("xmldsig: %d keys, and at most %d are tried", len(keys), keycost.MaxKeys)
	}
	// A document is tried with the keys of one type only.
	ofRSA := func(key crypto.PublicKey) bool { _, ok := key.(*rsa.PublicKey); return ok }
	notRSA := func(key crypto.PublicKey) bool { return !ofRSA(key) }
	for _, other := range []func(crypto.PublicKey) bool{ofRSA, notRSA} {
		list := slices.DeleteFunc(slices.Clone(keys), other)
		if n := keycost.Within(list); n < len(list) {
			return fmt.Errorf("xmldsig: %d large keys of one type, of which at most %d are tried", len(list), n)
		}
	}
	return nil
}

// CheckKey returns an error unless the key may verify XML signatures: an
// *rsa.PublicKey of 2048 to 8192 bits, or an *ecdsa.PublicKey on P-256, P-384 or
// P-521.
func CheckKey(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key == nil || key.N == nil || key.N.BitLen() < 2048 || key.N.BitLen() > 8192 {
			return errors.New("xmldsig: an RSA key must have 2048 to 8192 bits")
		}
	case *ecdsa.PublicKey:
		curves := []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}
		if key == nil || !slices.Contains(curves, key.Curve) {
			return errors.New("xmldsig: an ECDSA key must be on P-256, P-384 or P-521")
		}
	default:
		return fmt.Errorf("xmldsig: a %T verifies no XML signature", key)
	}
	return nil
}

// Thumbprint returns the base64url SHA-256 of the SubjectPublicKeyInfo, or "" for
// a key that has none.
func Thumbprint(key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
