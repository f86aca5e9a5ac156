package assertion

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// Bounds on a key set, so that neither reading it nor trying its keys is expensive.
const (
	maxJWKSSize = jws.MaxSetSize // octets
	maxJWKSKeys = 64
)

// KeySetSource returns the public keys of one issuer or one client. [*KeySet] is a
// source that does not change. [RemoteKeys.URL] is one for a jwks_uri.
type KeySetSource interface {
	// Keys returns the keys as they are now. kid is the key that a token
	// names, or "". A source that fetches keys uses it to notice a rollover.
	// It must bound how often it fetches, because the token is not verified
	// and every client can send any kid. An error refuses the assertion and is
	// not a server error: the party that signs must publish its keys.
	Keys(ctx context.Context, kid string) (*KeySet, error)
}

// KeySet is the public keys of one party, parsed once and fit to verify with: RSA of
// 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, and Ed25519. It does not change
// and is safe for concurrent use.
type KeySet struct {
	keys    []jws.Key
	dropped []string
}

// Dropped returns, for each key of a JWK Set that was left out, its position, its kid
// and the reason.
func (s *KeySet) Dropped() []string { return slices.Clone(s.dropped) }

// Keys returns s, so a KeySet is a [KeySetSource].
func (s *KeySet) Keys(context.Context, string) (*KeySet, error) { return s, nil }

// Len returns the number of usable keys.
func (s *KeySet) Len() int { return len(s.keys) }

// PublicKeys returns the keys themselves, in order, for an [Issuer] whose SAML
// assertions they verify.
func (s *KeySet) PublicKeys() []crypto.PublicKey {
	out := make([]crypto.PublicKey, len(s.keys))
	for i, k := range s.keys {
		out[i] = k.Key
	}
	return out
}

// has reports whether there is a key to try on a token that names kid.
func (s *KeySet) has(kid string) bool {
	return kid == "" || slices.ContainsFunc(s.keys, func(k jws.Key) bool { return k.ID == kid || k.ID == "" })
}

// NewKeySet returns a key set of bare keys: *rsa.PublicKey, *ecdsa.PublicKey,
// ed25519.PublicKey, or *x509.Certificate for its key. The keys have no kid and are
// tried on every token. A key of another type or size is an error.
//
// Only the key and the dates of a certificate are used, and the dates only under
// [JWTRules.CertificateDates]. No chain is built: a certificate is trusted because
// it is registered.
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

// ParseCertificates reads PEM blocks of type CERTIFICATE. Anything else in the
// input, a private key above all, is an error. So is an input without a
// certificate.
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
		certs = append(certs, cert)
		data = rest
	}
	if len(certs) == 0 {
		return nil, errors.New("assertion: no certificate")
	}
	return certs, nil
}

// ParseJWKS reads a JWK Set (RFC 7517 section 5) of at most 512 KiB and 64 keys.
//
// Keys that cannot verify an assertion are left out, as the RFC recommends: other
// key types and curves, RSA outside 2048 to 4096 bits, a use other than sig, key_ops
// without verify, an alg that does not fit the key. A set with private or symmetric
// key material is refused as a whole, because it was published by mistake. A set
// without a usable key is no error; it verifies nothing.
func ParseJWKS(data []byte) (*KeySet, error) {
	if len(data) > maxJWKSSize {
		return nil, fmt.Errorf("assertion: a key set of more than %d octets", maxJWKSSize)
	}
	digest := sha256.Sum256(data)
	if set := parsedSets.find(digest); set != nil {
		return set, nil
	}

	keys, dropped, err := jws.ReadSet(data, maxJWKSKeys)
	if err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	set := &KeySet{keys: keys, dropped: dropped}
	parsedSets.keep(digest, set)
	return set, nil
}
