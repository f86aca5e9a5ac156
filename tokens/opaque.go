package tokens

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
)

// alphabet holds the 64 characters of base64url (RFC 4648 section 5). All are
// unreserved in a URL and legal in a b64token.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

const (
	bitsPerChar   = 6
	checksumChars = 6                  // 36 bits, room for CRC-32
	defaultRandom = 43                 // 258 bits
	minRandom     = 22                 // 132 bits, the shortest length with at least 128
	maxPrefix     = 32                 // characters
	maxOpaque     = 256                // characters of the whole token
	maskChar      = 1<<bitsPerChar - 1 // without bias, because 64 divides 256
)

// Opaque makes random tokens. Their meaning is in the store. The zero value is
// ready to use and makes tokens of 43 random characters (258 bits) and a checksum
// of 6.
//
// The checksum is not secret and does not protect against an attacker. It lets
// Verify refuse garbage, truncation and each change of a single character before
// a store is asked, and lets a secret scanner report without false alarms.
type Opaque struct {
	// Prefix begins every token, for example "gw_at_", so that secret scanners
	// recognize a leaked one. At most 32 characters of A-Z a-z 0-9 . _ ~ and -,
	// and the first is not -. No token begins with -.
	Prefix string
	// Length is the number of characters of the whole token: prefix, random
	// part and checksum. At most 256. Zero means len(Prefix) + 49. Check and
	// Mint refuse a length that leaves fewer than 22 random characters (132
	// bits).
	Length int
}

var _ Strategy = Opaque{}

// Check returns an error if the prefix has a character that is not allowed in a
// token, or if the length leaves less than 128 bits of entropy.
func (o Opaque) Check() error {
	if len(o.Prefix) > maxPrefix {
		return fmt.Errorf("tokens: Opaque.Prefix has %d characters, more than %d", len(o.Prefix), maxPrefix)
	}
	if o.Prefix != "" && o.Prefix[0] == '-' {
		return errors.New("tokens: Opaque.Prefix begins with a hyphen, so that command lines take a token for an option")
	}
	for i := range len(o.Prefix) {
		if c := o.Prefix[i]; !isUnreserved(c) {
			return fmt.Errorf("tokens: Opaque.Prefix contains %q", c)
		}
	}
	if o.Length > maxOpaque {
		return fmt.Errorf("tokens: Opaque.Length %d is more than %d", o.Length, maxOpaque)
	}
	if r := o.random(); r < minRandom {
		least := len(o.Prefix) + minRandom + checksumChars
		return fmt.Errorf("tokens: Opaque.Length %d leaves %d random bits; at least 128 are needed, so at least %d characters",
			o.Length, max(0, r*bitsPerChar), least)
	}
	return nil
}

// Mint returns a new token. It does not use the claims: keep them in the store.
func (o Opaque) Mint(_ context.Context, _ Claims) (string, error) {
	if err := o.Check(); err != nil {
		return "", err
	}
	token := make([]byte, o.total())
	body := token[:len(token)-checksumChars]
	prefix := copy(body, o.Prefix)
	secret := body[prefix:]
	if _, err := rand.Read(secret); err != nil {
		return "", errors.New("tokens: no randomness")
	}
	for i, b := range secret {
		secret[i] = alphabet[b&maskChar]
	}
	// A token that begins with a hyphen is an option to most command lines. One in 64
	// is drawn again, which costs less than 0.03 bits.
	for prefix == 0 && secret[0] == '-' {
		if _, err := rand.Read(secret[:1]); err != nil {
			return "", errors.New("tokens: no randomness")
		}
		secret[0] = alphabet[secret[0]&maskChar]
	}
	sum := checksum(body)
	copy(token[len(body):], sum[:])
	return string(token), nil
}

// Verify returns no claims. It returns no error if the token has exactly the form
// that Mint gives it. Whether the token was issued, only the store knows.
func (o Opaque) Verify(_ context.Context, token string) (Claims, error) {
	if err := o.Check(); err != nil {
		return Claims{}, err
	}
	// The length is checked first, because it bounds the work below.
	if len(token) != o.total() {
		return Claims{}, invalidError("not the length of an opaque token")
	}
	if token[:len(o.Prefix)] != o.Prefix {
		return Claims{}, invalidError("not the prefix of an opaque token")
	}
	body := []byte(token[:len(token)-checksumChars])
	for _, c := range body[len(o.Prefix):] {
		if !inAlphabet[c] {
			return Claims{}, invalidError("a character that no opaque token has")
		}
	}
	if sum := checksum(body); token[len(body):] != string(sum[:]) {
		return Claims{}, invalidError("wrong checksum")
	}
	return Claims{}, nil
}

// random returns the number of random characters. It is zero or negative if there
// is no room for any.
func (o Opaque) random() int { return o.total() - len(o.Prefix) - checksumChars }

// total returns the number of characters of a token.
func (o Opaque) total() int {
	if o.Length == 0 {
		return len(o.Prefix) + defaultRandom + checksumChars
	}
	return o.Length
}

// checksum returns the CRC-32 (IEEE) of body in the alphabet, high bits first. The
// spare bits are zero, so there is one spelling only.
func checksum(body []byte) (out [checksumChars]byte) {
	sum := crc32.ChecksumIEEE(body)
	for i := checksumChars - 1; i >= 0; i-- {
		out[i] = alphabet[sum&maskChar]
		sum >>= bitsPerChar
	}
	return out
}

// inAlphabet holds for every byte whether it is in the alphabet.
var inAlphabet = func() (in [256]bool) {
	for i := range len(alphabet) {
		in[alphabet[i]] = true
	}
	return in
}()

func isUnreserved(c byte) bool { return inAlphabet[c] || c == '.' || c == '~' }
