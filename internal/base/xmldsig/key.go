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
)

// MaxKeys bounds the public key operations that one document can cause.
const MaxKeys = 8

// UsableKeys returns the keys that pass [CheckKey], at most [MaxKeys].
func UsableKeys(keys []crypto.PublicKey) []crypto.PublicKey {
	// The order stays, so a caller may put the likeliest key first.
	var usable []crypto.PublicKey
	for _, key := range keys {
		if len(usable) < MaxKeys && CheckKey(key) == nil {
			usable = append(usable, key)
		}
	}
	return usable
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
