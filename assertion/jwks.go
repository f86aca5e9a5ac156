package assertion

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// Bounds on a key set, so that neither parsing nor trying its keys can be made expensive.
const (
	maxJWKSSize = jws.MaxSetSize // octets
	maxJWKSKeys = 64
)

// KeySetSource gives the public keys of one issuer or one client. [*KeySet] is the fixed one,
// [RemoteKeys.URL] the one behind a jwks_uri.
type KeySetSource interface {
	// Keys returns the keys as they are now. kid is the key that a token names, or "": a source that can
	// fetch uses it to notice a rollover, and must bound how often it does so, for anybody can send any
	// kid. It comes from a token that nobody has verified. An error refuses the assertion, not the server:
	// whoever signs with a key has to publish it.
	Keys(ctx context.Context, kid string) (*KeySet, error)
}

// KeySet is the public keys of one party, parsed once and fit to verify with: RSA of 2048 to 8192 bits,
// ECDSA on P-256, P-384 or P-521, and Ed25519. It is immutable and safe for concurrent use.
type KeySet struct{ keys []jws.Key }

// Keys returns s: a KeySet is a [KeySetSource] that never changes.
func (s *KeySet) Keys(context.Context, string) (*KeySet, error) { return s, nil }

// Len returns the number of usable keys.
func (s *KeySet) Len() int { return len(s.keys) }

// has tells whether a token naming kid has a key to try.
func (s *KeySet) has(kid string) bool {
	return kid == "" || slices.ContainsFunc(s.keys, func(k jws.Key) bool { return k.ID == kid || k.ID == "" })
}

// NewKeySet makes a key set of bare keys: *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, or
// *x509.Certificate for its key. They have no kid and are tried whatever kid a token names.
// Of a certificate only the key and the dates are used, and the dates only under
// [JWTRules.CertificateDates]: registering a certificate is what makes it trusted, no chain is built.
// A key of another type or size is an error.
func NewKeySet(keys ...any) (*KeySet, error) {
	if len(keys) == 0 || len(keys) > maxJWKSKeys {
		return nil, fmt.Errorf("assertion: %d keys where 1 to %d are expected", len(keys), maxJWKSKeys)
	}
	set := &KeySet{}
	for i, k := range keys {
		cert, certified := k.(*x509.Certificate)
		if certified {
			k = cert.PublicKey
		}
		key, err := jws.NewKey(k)
		if err != nil {
			return nil, fmt.Errorf("assertion: key %d: %w", i, err)
		}
		if certified {
			key.NotBefore = cert.NotBefore
			key.NotAfter = cert.NotAfter
		}
		set.keys = append(set.keys, key)
	}
	return set, nil
}

// ParseCertificates reads PEM blocks of type CERTIFICATE. Anything else in the input is an error, a
// private key above all, and so is an input without a certificate.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	if len(data) > maxJWKSSize {
		return nil, errors.New("assertion: too many certificates")
	}
	var certs []*x509.Certificate
	for len(bytes.TrimSpace(data)) > 0 {
		block, rest := pem.Decode(data)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("assertion: not a PEM certificate")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("assertion: certificate %d: %w", len(certs), err)
		}
		certs, data = append(certs, cert), rest
	}
	if len(certs) == 0 {
		return nil, errors.New("assertion: no certificate")
	}
	return certs, nil
}

// ParseJWKS reads a JWK Set (RFC 7517 section 5) of at most 512 KiB and 64 keys. Keys that cannot verify
// an assertion are left out, as the RFC recommends: other key types and curves, RSA outside 2048 to 8192
// bits (4096 is the most that the parser takes), use other than sig, key_ops without verify. A set with
// private or symmetric key material is refused whole, because it was published by mistake. A set without
// a usable key is no error; it verifies nothing.
func ParseJWKS(data []byte) (*KeySet, error) {
	if len(data) > maxJWKSSize {
		return nil, fmt.Errorf("assertion: a key set of more than %d octets", maxJWKSSize)
	}
	digest := sha256.Sum256(data)
	if set := parsedSets.find(digest); set != nil {
		return set, nil
	}
	set, err := parseJWKS(data)
	if err == nil {
		parsedSets.keep(digest, set)
	}
	return set, err
}

func parseJWKS(data []byte) (*KeySet, error) {
	keys, err := jws.ParseSet(data, maxJWKSKeys)
	if err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	return &KeySet{keys: keys}, nil
}
