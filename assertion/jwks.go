package assertion

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// Bounds on a key set, so that neither parsing nor trying its keys can be made expensive.
const (
	maxJWKSSize = 512 << 10 // octets
	maxJWKSKeys = 64
	maxKeyTries = 8 // keys tried on one token, which matters only to tokens without kid
)

// KeySource gives the public keys of one issuer or one client. [*KeySet] is the fixed one,
// [RemoteKeys.URL] the one behind a jwks_uri.
type KeySource interface {
	// Keys returns the keys as they are now. kid is the key that a token names, or "": a source that can
	// fetch uses it to notice a rollover, and must bound how often it does so, for anybody can send any
	// kid. It comes from a token that nobody has verified. An error refuses the assertion, not the server:
	// whoever signs with a key has to publish it.
	Keys(ctx context.Context, kid string) (*KeySet, error)
}

// KeySet is the public keys of one party, parsed once and fit to verify with: RSA of 2048 to 8192 bits,
// ECDSA on P-256, P-384 or P-521, and Ed25519. It is immutable and safe for concurrent use.
type KeySet struct{ keys []publicKey }

type publicKey struct {
	id        string // kid; "" fits any
	algorithm string // alg of the JWK; "" fits any that the key is good for
	key       crypto.PublicKey
	print     string    // RFC 7638 thumbprint
	notBefore time.Time // of the certificate that the key came in; zero otherwise
	notAfter  time.Time
}

// Keys returns s: a KeySet is a [KeySource] that never changes.
func (s *KeySet) Keys(context.Context, string) (*KeySet, error) { return s, nil }

// Len returns the number of usable keys.
func (s *KeySet) Len() int { return len(s.keys) }

// has tells whether a token naming kid has a key to try.
func (s *KeySet) has(kid string) bool {
	return kid == "" || slices.ContainsFunc(s.keys, func(k publicKey) bool { return k.id == kid || k.id == "" })
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
		p := publicKey{key: k}
		if cert, ok := k.(*x509.Certificate); ok {
			p = publicKey{key: cert.PublicKey, notBefore: cert.NotBefore, notAfter: cert.NotAfter}
		}
		if err := p.finish(); err != nil {
			return nil, fmt.Errorf("assertion: key %d: %w", i, err)
		}
		set.keys = append(set.keys, p)
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
	// The strict pass refuses doubled members anywhere, which parsers resolve differently.
	if _, err := strictObject(data); err != nil {
		return nil, fmt.Errorf("assertion: key set: %w", err)
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &raw); err != nil || raw.Keys == nil {
		return nil, errors.New("assertion: key set: no array of keys")
	}
	if len(raw.Keys) > maxJWKSKeys {
		return nil, fmt.Errorf("assertion: key set: more than %d keys", maxJWKSKeys)
	}
	set := &KeySet{}
	for i, r := range raw.Keys {
		p, err := parseJWK(r)
		if err != nil {
			return nil, fmt.Errorf("assertion: key set: key %d: %w", i, err)
		}
		if p != nil {
			set.keys = append(set.keys, *p)
		}
	}
	return set, nil
}

// parseJWK returns nil and no error for a key that is to be passed over.
func parseJWK(data []byte) (*publicKey, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return nil, errors.New("not an object")
	}
	for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, ok := members[secret]; ok {
			return nil, errors.New("it is secret, and must be replaced")
		}
	}
	if ops, ok := members["key_ops"]; ok {
		var list []string
		if json.Unmarshal(ops, &list) != nil || !slices.Contains(list, "verify") {
			return nil, nil
		}
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(data); err != nil || jwk.Use != "" && jwk.Use != "sig" {
		return nil, nil
	}
	p := publicKey{id: jwk.KeyID, algorithm: jwk.Algorithm, key: jwk.Key}
	if len(jwk.Certificates) > 0 {
		p.notBefore, p.notAfter = jwk.Certificates[0].NotBefore, jwk.Certificates[0].NotAfter
	}
	if p.finish() != nil {
		return nil, nil
	}
	return &p, nil
}

// finish checks that the key is fit for use and names it by its thumbprint.
func (p *publicKey) finish() error {
	switch k := p.key.(type) {
	case *rsa.PublicKey:
		if k == nil || k.N == nil || k.N.BitLen() < minRSABits || k.N.BitLen() > maxRSABits || k.N.Bit(0) == 0 {
			return fmt.Errorf("not an RSA key of %d to %d bits", minRSABits, maxRSABits)
		}
		if k.E < 3 || k.E&1 == 0 {
			return errors.New("an RSA key with an impossible exponent")
		}
	case *ecdsa.PublicKey:
		if k == nil || k.Curve != elliptic.P256() && k.Curve != elliptic.P384() && k.Curve != elliptic.P521() {
			return errors.New("not on P-256, P-384 or P-521")
		}
		if !(&jose.JSONWebKey{Key: k}).Valid() { // a key without coordinates, on which Bytes would panic
			return errors.New("not a point of its curve")
		}
		if _, err := k.Bytes(); err != nil {
			return errors.New("not a point of its curve")
		}
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return errors.New("not an Ed25519 key")
		}
	default:
		return fmt.Errorf("unsupported key type %T", p.key)
	}
	print, err := (&jose.JSONWebKey{Key: p.key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return err
	}
	p.print = base64.RawURLEncoding.EncodeToString(print)
	return nil
}

// candidates returns the keys that may have signed a token with this kid and algorithm. A kid selects, but
// several keys may bear it, and keys without one are always candidates.
func (s *KeySet) candidates(kid, alg string) []publicKey {
	a := jwtAlgorithms[alg]
	var fit []publicKey
	for _, k := range s.keys {
		named := kid == "" || k.id == kid || k.id == ""
		if named && (k.algorithm == "" || sameAlgorithm(k.algorithm, alg)) && a.fits(k.key) {
			if fit = append(fit, k); len(fit) == maxKeyTries {
				break
			}
		}
	}
	return fit
}

// sameAlgorithm knows that RFC 9864 gave EdDSA on Ed25519 a second name.
func sameAlgorithm(a, b string) bool {
	edwards := func(s string) bool { return s == "EdDSA" || s == "Ed25519" }
	return a == b || edwards(a) && edwards(b)
}
