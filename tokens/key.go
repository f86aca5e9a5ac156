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

// The signature algorithms that keys may have (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864 section 2.2). All
// are asymmetric.
const (
	RS256   = jws.RS256   // RSA, 2048 bits or more. Every client knows it; its signing is the slowest
	PS256   = jws.PS256   // RSA-PSS, 2048 bits or more
	ES256   = jws.ES256   // ECDSA on P-256
	ES384   = jws.ES384   // ECDSA on P-384
	EdDSA   = jws.EdDSA   // Ed25519
	Ed25519 = jws.Ed25519 // the same under its newer name, which fewer clients know
)

const maxKeyID = 128 // characters

// Key is a key that signs tokens, or one that only verifies them.
//
// Printing a Key (with any verb, or as JSON) shows its ID and algorithm and never the private part.
type Key struct {
	// ID is the kid: 1 to 128 printable ASCII characters, unique among all keys that are published together.
	ID string
	// Algorithm is one of RS256, PS256, ES256, ES384, EdDSA and Ed25519. A key is used with this algorithm and no other.
	Algorithm string
	// Signer signs. Only its two methods are used, so a key in a KMS or an HSM does as well as one in memory. ECDSA
	// signatures are expected in ASN.1 DER, as [crypto.Signer] has it. Nil: this key only verifies.
	Signer crypto.Signer
	// Public is the public key of a key that has no Signer, and is not looked at otherwise.
	Public crypto.PublicKey
}

// Keys are the keys of one issuer. Implementations are safe for concurrent use, and are asked for every token: they
// answer from memory. The slice that Published returns is not changed by either side.
type Keys interface {
	// Signing returns the key that signs now. It is among those that Published returns, on every instance.
	Signing(ctx context.Context) (Key, error)
	// Published returns every key with which a token that is still alive may have been signed, and those that will
	// soon sign.
	Published(ctx context.Context) ([]Key, error)
}

// Validate returns an error if the ID is not a usable kid, or the algorithm does not fit the type, curve or size of the
// key (RFC 8725 section 3.1).
func (k Key) Validate() error {
	_, err := k.public()
	return err
}

// public returns the public key, after every check of Validate.
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

// signs is Validate for a key that must be able to sign.
func (k Key) signs() error {
	if k.Signer == nil {
		return fmt.Errorf("tokens: key %q only verifies", k.ID)
	}
	return k.Validate()
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

func validKeyID(id string) bool {
	for i := range len(id) {
		if id[i] < 0x20 || id[i] > 0x7e {
			return false
		}
	}
	return 0 < len(id) && len(id) <= maxKeyID
}

// Thumbprint returns the SHA-256 JWK thumbprint of a public key (RFC 7638): 43 characters of base64url. It takes the keys
// that [Key.Validate] takes, and returns an error for everything else, above all for a private key or a secret.
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

// MarshalJSON writes the ID and the algorithm, so that no log gets more. [PublicJWKS] is the way to publish keys.
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"kid": k.ID, "alg": k.Algorithm})
}
