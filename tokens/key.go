package tokens

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// The signature algorithms that keys may have (RFC 7518 section 3.1, RFC 8037
// section 3.1, RFC 9864 section 2.2). All are asymmetric.
const (
	// RS256 is RSA with 2048 bits or more. Every client supports it. It is the
	// slowest to sign.
	RS256 = jws.RS256
	// PS256 is RSA-PSS with 2048 bits or more.
	PS256 = jws.PS256
	// ES256 is ECDSA on P-256.
	ES256 = jws.ES256
	// ES384 is ECDSA on P-384.
	ES384 = jws.ES384
	// EdDSA is Ed25519.
	EdDSA = jws.EdDSA
	// Ed25519 is the newer name of the same algorithm. Fewer clients support
	// it. Verify accepts a token under either name.
	Ed25519 = jws.Ed25519
)

const maxKeyID = 128 // characters

// Key is a key that signs tokens, or one that only verifies them.
//
// A printed Key, with any verb or as JSON, shows its ID and algorithm and not
// the private part.
type Key struct {
	// ID is the kid: 1 to 128 printable ASCII characters, unique among all
	// keys that are published together.
	ID string
	// Algorithm is one of RS256, PS256, ES256, ES384, EdDSA and Ed25519. The
	// key is used with no other algorithm.
	Algorithm string
	// Signer signs. Only its two methods are used, so the key may be in a KMS
	// or an HSM. ECDSA signatures are expected in ASN.1 DER, as
	// [crypto.Signer] describes. Nil: the key only verifies.
	Signer crypto.Signer
	// Public is the public key of a key without Signer. With one it is not
	// used.
	Public crypto.PublicKey
}

// Keys are the keys of one issuer. An implementation is safe for concurrent use.
// It is asked for every token, so it must answer from memory. Neither side
// changes the slice that Published returns.
type Keys interface {
	// Signing returns the key that signs now. On every instance it is one of
	// those that Published returns.
	Signing(ctx context.Context) (Key, error)
	// Published returns every key that may have signed a token that is still
	// valid, and the keys that will sign soon.
	Published(ctx context.Context) ([]Key, error)
}

// Check returns an error if the ID is not a usable kid, or if the algorithm
// does not fit the type, curve or size of the key (RFC 8725 section 3.1).
func (k Key) Check() error {
	_, err := k.public()
	return err
}

// public returns the public key after the checks of [Key.Check].
func (k Key) public() (crypto.PublicKey, error) {
	if !validKeyID(k.ID) {
		return nil, errors.New("tokens: a key's ID must be 1 to 128 printable ASCII characters")
	}
	pub := k.Public
	if k.Signer != nil {
		pub = k.Signer.Public()
	}
	if err := checkAlgorithm(pub, k.Algorithm); err != nil {
		return nil, fmt.Errorf("tokens: key %q: %w", k.ID, err)
	}
	return pub, nil
}

// signs returns an error if the key cannot sign or is not valid.
func (k Key) signs() error {
	if k.Signer == nil {
		return fmt.Errorf("tokens: key %q only verifies", k.ID)
	}
	return k.Check()
}

// checkAlgorithm returns an error unless the key is sound and signs by the algorithm.
func checkAlgorithm(pub crypto.PublicKey, algorithm string) error {
	if pub == nil {
		return errors.New("neither Signer nor Public is set")
	}
	if err := jws.CheckKey(pub); err != nil {
		return err
	}
	if !slices.Contains(allAlgorithms, algorithm) || !jws.Fits(algorithm, pub) {
		return fmt.Errorf("a key of type %T does not sign %q", pub, algorithm)
	}
	return nil
}

// validKeyID reports whether id is 1 to 128 printable ASCII characters.
func validKeyID(id string) bool {
	for i := range len(id) {
		if id[i] < 0x20 || id[i] > 0x7e {
			return false
		}
	}
	return 0 < len(id) && len(id) <= maxKeyID
}

// Thumbprint returns the SHA-256 JWK thumbprint of a public key (RFC 7638): 43
// characters of base64url. It returns an error for each key that [Key.Check]
// refuses, so also for a private key or a secret.
func Thumbprint(pub crypto.PublicKey) (string, error) {
	if err := checkAlgorithm(pub, usualAlgorithm(pub)); err != nil {
		return "", fmt.Errorf("tokens: no thumbprint: %w", err)
	}
	thumbprint, err := jws.Thumbprint(pub)
	if err != nil {
		return "", fmt.Errorf("tokens: no thumbprint: %w", err)
	}
	return thumbprint, nil
}

// Format writes the ID and the algorithm, whatever the verb.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "Key("+k.ID+" "+k.Algorithm+")") }

// MarshalJSON writes the ID and the algorithm, so that a log gets no more. To
// publish keys, use [PublicJWKS].
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"kid": k.ID, "alg": k.Algorithm})
}
