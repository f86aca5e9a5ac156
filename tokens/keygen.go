package tokens

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/grantwell/grantwell/internal/base/jws"
)

const maxPEM = 64 << 10 // bytes of a key file

// GenerateKey returns a new key in memory. Its ID is its thumbprint (RFC 7638).
// RSA keys have 2048 bits and take a noticeable part of a second to make. Prefer
// ES256 or EdDSA: see the package documentation.
func GenerateKey(algorithm string) (Key, error) {
	var signer crypto.Signer
	var err error
	switch algorithm {
	case RS256, PS256:
		signer, err = rsa.GenerateKey(rand.Reader, jws.MinRSABits)
	case ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ES384:
		signer, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case EdDSA, Ed25519:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		return Key{}, fmt.Errorf("tokens: unknown algorithm %q", algorithm)
	}
	if err != nil {
		return Key{}, fmt.Errorf("tokens: no %s key could be made: %w", algorithm, err)
	}
	return NewKey(signer, algorithm)
}

// NewKey returns the key of a signer, which may be in a KMS or an HSM. Its ID is
// its thumbprint (RFC 7638). An empty algorithm is derived from the key: RS256
// for RSA, ES256 for P-256, ES384 for P-384, EdDSA for Ed25519.
func NewKey(signer crypto.Signer, algorithm string) (Key, error) {
	if signer == nil {
		return Key{}, errors.New("tokens: no signer")
	}
	return finishKey(Key{Algorithm: algorithm, Signer: signer}, signer.Public())
}

// ParseKey reads one key in PEM of at most 64 KiB: PKCS #8 ("PRIVATE KEY", as
// openssl genpkey writes), PKCS #1 ("RSA PRIVATE KEY"), SEC 1 ("EC PRIVATE KEY"),
// or a public key ("PUBLIC KEY"), which gives a key that only verifies. ID and
// algorithm are as in [NewKey]. It refuses encrypted keys, and a file with
// anything after the key.
func ParseKey(data []byte, algorithm string) (Key, error) {
	if len(data) > maxPEM {
		return Key{}, errors.New("tokens: a key file of more than 64 KiB")
	}
	block, rest := pem.Decode(data)
	if block == nil {
		return Key{}, errors.New("tokens: no PEM block")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return Key{}, fmt.Errorf("tokens: more than one PEM block: text after %q", block.Type)
	}

	parsed, err := parseBlock(block)
	if err != nil {
		return Key{}, err
	}
	if block.Type == "PUBLIC KEY" {
		return finishKey(Key{Algorithm: algorithm, Public: parsed}, parsed)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return Key{}, fmt.Errorf("tokens: a key of type %T does not sign", parsed)
	}
	return NewKey(signer, algorithm)
}

// parseBlock reads the key by the type of the block.
func parseBlock(block *pem.Block) (key any, err error) {
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("tokens: a PEM block %q is no key that can be used", block.Type)
	}
	if err != nil {
		// The cause is not wrapped, because it may quote the input.
		return nil, fmt.Errorf("tokens: the PEM block %q cannot be read as a key", block.Type)
	}
	return key, nil
}

// finishKey completes the algorithm and the ID, and checks the key.
func finishKey(k Key, pub crypto.PublicKey) (Key, error) {
	var err error
	if k.Algorithm == "" {
		k.Algorithm = usualAlgorithm(pub)
	}
	if err = checkAlgorithm(pub, k.Algorithm); err != nil {
		return Key{}, fmt.Errorf("tokens: %w", err)
	}
	if k.ID, err = Thumbprint(pub); err != nil {
		return Key{}, err
	}
	return k, k.Check()
}

// usualAlgorithm returns the algorithm of a key's type. It is empty for a key that
// has none, and checkAlgorithm then returns the reason.
func usualAlgorithm(pub crypto.PublicKey) string {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return RS256
	case *ecdsa.PublicKey:
		if pub != nil && pub.Curve == elliptic.P384() {
			return ES384
		}
		return ES256
	case ed25519.PublicKey:
		return EdDSA
	}
	return ""
}
