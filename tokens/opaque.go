package tokens

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
)

// The 64 characters of base64url (RFC 4648 section 5), all of them unreserved in a URL and legal in a b64token.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

const (
	bitsPerChar   = 6
	checksumChars = 6                  // 36 bits, room for CRC-32
	defaultRandom = 43                 // 258 bits
	minRandom     = 22                 // 132 bits: the shortest with at least 128
	maxPrefix     = 32                 // more tells a scanner nothing
	maxOpaque     = 256                // total
	maskChar      = 1<<bitsPerChar - 1 // 64 divides 256: masking a random byte has no bias
)

// Opaque makes random tokens that say nothing: what they stand for is in the store. The zero value is ready to use and
// makes 43 random characters (258 bits) and a checksum of 6.
//
// The checksum is no secret and no protection from an attacker. It lets Verify refuse garbage, truncation and every
// change of a single character before a store is asked, and lets a secret scanner report without false alarms.
type Opaque struct {
	// Prefix begins every token, for example "gw_at_", so that secret scanners recognise one that leaked. At most
	// 32 characters of A-Z a-z 0-9 . _ ~ and -. Default none.
	Prefix string
	// Length is the number of characters of the whole token: prefix, random part and checksum. At most 256. Default
	// len(Prefix) + 49. What leaves fewer than 22 random characters (132 bits) is refused by Validate and by Mint.
	Length int
}

var _ Strategy = Opaque{}

// Validate returns an error if the prefix has characters that do not belong in a token, or if the length leaves less than
// 128 bits of entropy.
func (o Opaque) Validate() error {
	if len(o.Prefix) > maxPrefix {
		return fmt.Errorf("tokens: Opaque.Prefix has %d characters, more than %d", len(o.Prefix), maxPrefix)
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
		return fmt.Errorf("tokens: Opaque.Length %d leaves %d random bits; at least 128 are needed, so at least %d characters",
			o.Length, max(0, r*bitsPerChar), len(o.Prefix)+minRandom+checksumChars)
	}
	return nil
}

// Mint returns a new token. The claims are not looked at: keep them in the store.
func (o Opaque) Mint(_ context.Context, _ Claims) (string, error) {
	if err := o.Validate(); err != nil {
		return "", err
	}
	token := make([]byte, o.total())
	body := token[:len(token)-checksumChars]
	secret := body[copy(body, o.Prefix):]
	if _, err := rand.Read(secret); err != nil {
		return "", errors.New("tokens: no randomness")
	}
	for i, b := range secret {
		secret[i] = alphabet[b&maskChar]
	}
	sum := checksum(body)
	copy(token[len(body):], sum[:])
	return string(token), nil
}

// Verify returns no claims, and no error if the token has exactly the form that Mint gives it. Whether such a token was
// ever issued only the store can say.
func (o Opaque) Verify(_ context.Context, token string) (Claims, error) {
	if err := o.Validate(); err != nil {
		return Claims{}, err
	}
	// The length first: it bounds everything below.
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

// random is the number of random characters; zero or less if there is no room for any.
func (o Opaque) random() int { return o.total() - len(o.Prefix) - checksumChars }

func (o Opaque) total() int {
	if o.Length == 0 {
		return len(o.Prefix) + defaultRandom + checksumChars
	}
	return o.Length
}

// checksum writes CRC-32 (IEEE) in the alphabet, high bits first. One spelling only: the spare bits are zero.
func checksum(body []byte) (out [checksumChars]byte) {
	sum := crc32.ChecksumIEEE(body)
	for i := checksumChars - 1; i >= 0; i-- {
		out[i] = alphabet[sum&maskChar]
		sum >>= bitsPerChar
	}
	return out
}

// inAlphabet tells for every byte whether it is one of the alphabet.
var inAlphabet = func() (in [256]bool) {
	for i := range len(alphabet) {
		in[alphabet[i]] = true
	}
	return in
}()

func isUnreserved(c byte) bool { return inAlphabet[c] || c == '.' || c == '~' }
