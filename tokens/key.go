package tokens

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-jose/go-jose/v4"
)

// The signature algorithms that keys may have (RFC 7518 section 3.1, RFC 8037 section 3.1). All are asymmetric.
const (
	RS256 = "RS256" // RSA, 2048 bits or more. Every client knows it; its signing is the slowest
	PS256 = "PS256" // RSA-PSS, 2048 bits or more
	ES256 = "ES256" // ECDSA on P-256
	ES384 = "ES384" // ECDSA on P-384
	EdDSA = "EdDSA" // Ed25519
)

const (
	minRSABits = 2048
	maxRSABits = 8192 // one verification with a larger key costs more than a request should
	maxKeyID   = 128
)

// Key is a key that signs tokens, or one that only verifies them.
//
// Printing a Key (with any verb, or as JSON) shows its ID and algorithm and never the private part.
type Key struct {
	// ID is the kid: 1 to 128 printable ASCII characters, unique among all keys that are published together.
	ID string
	// Algorithm is one of RS256, PS256, ES256, ES384 and EdDSA. A key is used with this algorithm and no other.
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

func checkAlgorithm(pub crypto.PublicKey, algorithm string) error {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return checkRSA(pub, algorithm)
	case *ecdsa.PublicKey:
		return checkECDSA(pub, algorithm)
	case ed25519.PublicKey:
		if algorithm != EdDSA {
			return fmt.Errorf("an Ed25519 key does not sign %q", algorithm)
		}
		if len(pub) != ed25519.PublicKeySize {
			return errors.New("not an Ed25519 public key")
		}
		return nil
	case nil:
		return errors.New("neither Signer nor Public is set")
	}
	return fmt.Errorf("keys of type %T are not supported", pub)
}

func checkRSA(pub *rsa.PublicKey, algorithm string) error {
	if algorithm != RS256 && algorithm != PS256 {
		return fmt.Errorf("an RSA key does not sign %q", algorithm)
	}
	if pub == nil || pub.N == nil || pub.N.Sign() <= 0 || pub.N.Bit(0) == 0 || pub.E < 3 || pub.E&1 == 0 {
		return errors.New("not an RSA public key")
	}
	if n := pub.N.BitLen(); n < minRSABits || n > maxRSABits {
		return fmt.Errorf("an RSA key of %d bits; %d to %d are allowed", n, minRSABits, maxRSABits)
	}
	return nil
}

func checkECDSA(pub *ecdsa.PublicKey, algorithm string) error {
	if pub == nil || pub.Curve == nil {
		return errors.New("not an ECDSA public key")
	}
	if algorithm != ES256 && algorithm != ES384 ||
		algorithm == ES256 && pub.Curve != elliptic.P256() || algorithm == ES384 && pub.Curve != elliptic.P384() {
		return fmt.Errorf("an ECDSA key on %s does not sign %q", pub.Curve.Params().Name, algorithm)
	}
	if _, err := pub.Bytes(); err != nil { // not on the curve
		return errors.New("not a point of the curve")
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
	sum, err := (&jose.JSONWebKey{Key: pub}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("tokens: no thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Format writes the ID and the algorithm, whatever the verb.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "Key("+k.ID+" "+k.Algorithm+")") }

// MarshalJSON writes the ID and the algorithm, so that no log gets more. [PublicJWKS] is the way to publish keys.
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"kid": k.ID, "alg": k.Algorithm})
}
