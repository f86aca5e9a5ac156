package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// The sizes of RSA keys that verify signatures, in bits. A shorter key can be
// factored. With a longer one each verification costs the server milliseconds,
// which the party that registered the key does not pay.
const (
	MinRSABits = 2048
	MaxRSABits = 8192
)

// Key verifies signatures. It is made by [NewKey], [NewSecret] or [ParseSet];
// its fields may be completed by the caller.
type Key struct {
	// ID is the kid, or "".
	ID string
	// Algorithm is the one algorithm that the key is for, or "" for every
	// algorithm of its kind.
	Algorithm string
	// Key is an *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or Secret.
	Key any
	// Thumbprint is the base64url SHA-256 thumbprint of RFC 7638, "" for a
	// secret.
	Thumbprint string
	// NotBefore and NotAfter are those of the certificate that the key came
	// in. They are zero without one, and package jws does not look at them.
	NotBefore time.Time
	NotAfter  time.Time
}

// Secret is the secret of an HMAC. The type keeps it apart from
// [ed25519.PublicKey] and every other public key, so that the octets of a
// public key can never be a secret.
type Secret []byte

// NewSecret returns the key of an HMAC. Each algorithm refuses a secret that is
// shorter than its hash (RFC 7518 section 3.2).
func NewSecret(secret []byte) Key { return Key{Key: Secret(secret)} }

// NewKey returns the key of a public key, or an error if [CheckKey] does.
func NewKey(public crypto.PublicKey) (Key, error) {
	if err := CheckKey(public); err != nil {
		return Key{}, err
	}
	// go-jose also refuses Ed25519 keys of small order here, with which a
	// signature verifies without a private key.
	thumbprint, err := Thumbprint(public)
	if err != nil {
		return Key{}, err
	}
	return Key{Key: public, Thumbprint: thumbprint}, nil
}

// CheckKey returns an error unless the key is fit to verify signatures: an
// *rsa.PublicKey of 2048 to 8192 bits, an *ecdsa.PublicKey on P-256, P-384 or
// P-521, or an ed25519.PublicKey.
func CheckKey(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return checkRSA(k)
	case *ecdsa.PublicKey:
		return checkECDSA(k)
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return errors.New("jws: not an Ed25519 key")
		}
		return nil
	default:
		return fmt.Errorf("jws: unsupported key type %T", public)
	}
}

func checkRSA(k *rsa.PublicKey) error {
	if k == nil || k.N == nil || k.N.Sign() <= 0 || k.N.Bit(0) == 0 {
		return errors.New("jws: not an RSA key")
	}
	if bits := k.N.BitLen(); bits < MinRSABits || bits > MaxRSABits {
		return fmt.Errorf("jws: an RSA key of %d bits, and %d to %d are allowed", bits, MinRSABits, MaxRSABits)
	}
	if k.E < 3 || k.E&1 == 0 {
		return errors.New("jws: an RSA key with an impossible exponent")
	}
	return nil
}

func checkECDSA(k *ecdsa.PublicKey) error {
	if k == nil || k.Curve != elliptic.P256() && k.Curve != elliptic.P384() && k.Curve != elliptic.P521() {
		return errors.New("jws: not an ECDSA key on P-256, P-384 or P-521")
	}
	// Bytes panics on a key without coordinates, which Valid finds.
	if !(&jose.JSONWebKey{Key: k}).Valid() {
		return errors.New("jws: not a point of its curve")
	}
	if _, err := k.Bytes(); err != nil {
		return errors.New("jws: not a point of its curve")
	}
	return nil
}

// Thumbprint returns the SHA-256 thumbprint of a public key in base64url (RFC
// 7638). The caller has checked the key.
func Thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", errors.New("jws: the key has no thumbprint")
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Serves reports whether the key verifies signatures of the algorithm.
func (k Key) Serves(alg string) bool {
	return (k.Algorithm == "" || SameAlgorithm(k.Algorithm, alg)) && Fits(alg, k.Key)
}
