package tokens

import (
	"crypto"
	"crypto/hmac"
	_ "crypto/sha1" // for tokens that exist already: see Hashed
	_ "crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxImported bounds another server's token, and the text that it stored of it, in
// bytes.
const maxImported = 512

// Imported is a form of token that another server issued. Such tokens are accepted
// until they expire. The form connects the string that a client presents with the
// text that the other server stored of it. Implementations are safe for
// concurrent use.
type Imported interface {
	// Digest returns the key of the token in the store, or false for a string
	// that the other server cannot have issued. The store is not asked for
	// such a string. Digest must bound the size before it does any work.
	Digest(token string) ([]byte, bool)
	// Stored returns the same digest from the text that the other server
	// stored of the token.
	Stored(text string) ([]byte, error)
}

// Hashed is the form of a server that stored a plain digest of its random tokens,
// in hex or base64.
//
// SHA-1 is accepted for this purpose only. An attacker who chooses two inputs can
// give them the same SHA-1. The other server drew its tokens at random, and a
// token cannot be found from its digest. Take the form out of the configuration
// when the last such token has expired.
type Hashed struct {
	// Hash is crypto.SHA1, SHA256, SHA384 or SHA512. Required.
	Hash crypto.Hash
	// Lengths are the lengths in bytes of the other server's access and
	// refresh tokens. The store is not asked for tokens of another length.
	// Empty: 22 to 512.
	Lengths []int
}

// hashes are the digests that are accepted.
var hashes = []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512}

// Check returns an error for a hash that is not one of the four, or a length
// below 22 or above 512. Shorter tokens have fewer than 128 bits and can be
// guessed.
func (d Hashed) Check() error {
	if !slices.Contains(hashes, d.Hash) {
		return errors.New("tokens: Hashed.Hash is not SHA-1, SHA-256, SHA-384 or SHA-512")
	}
	for _, n := range d.Lengths {
		if n < minRandom || n > maxImported {
			return fmt.Errorf("tokens: Hashed.Lengths has %d, which is not between %d and %d", n, minRandom, maxImported)
		}
	}
	return nil
}

// Digest returns the hash of the token.
func (d Hashed) Digest(token string) ([]byte, bool) {
	if len(token) < minRandom || len(token) > maxImported || d.Check() != nil {
		return nil, false
	}
	if len(d.Lengths) > 0 && !slices.Contains(d.Lengths, len(token)) {
		return nil, false
	}
	h := d.Hash.New()
	h.Write([]byte(token))
	return h.Sum(nil), true
}

// Stored reads the digest in hex, or in base64 of either alphabet, with or without
// padding.
func (d Hashed) Stored(text string) ([]byte, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	if len(text) == hex.EncodedLen(d.Hash.Size()) {
		if sum, err := hex.DecodeString(text); err == nil {
			return sum, nil
		}
	}
	if len(text) <= maxImported {
		std := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		if sum, err := base64.RawStdEncoding.Strict().DecodeString(std); err == nil && len(sum) == d.Hash.Size() {
			return sum, nil
		}
	}
	return nil, fmt.Errorf("tokens: not a digest of %d bytes in hex or base64", d.Hash.Size())
}

// FositeHMAC is the form of servers that were made with fosite, for example Hydra.
// A token is a random part, a dot, and the HMAC of the random part with the
// server's secret. The other server stored the HMAC. A token is looked up only if
// a secret verifies it, so a thief of the other server's tables can present
// nothing.
type FositeHMAC struct {
	// Secrets are the global secret of the other server and the rotated ones:
	// 1 to 16, each of at least 32 bytes, of which fosite uses the first 32.
	// Hydra's are the SHA-256 of each string in its secrets.system.
	Secrets [][]byte
	// Hash is that of the HMAC. Zero means crypto.SHA512_256, the default of
	// fosite.
	Hash crypto.Hash
	// Prefixes begin tokens and are not signed. Nil means "ory_at_" and
	// "ory_rt_". A token without a prefix is accepted too.
	Prefixes []string
}

// Check returns an error if the number of secrets is wrong, if one is too
// short, or if the hash is unknown.
func (f FositeHMAC) Check() error {
	if len(f.Secrets) == 0 || len(f.Secrets) > 16 {
		return errors.New("tokens: FositeHMAC.Secrets has none, or more than 16")
	}
	for i, s := range f.Secrets {
		if len(s) < 32 {
			return fmt.Errorf("tokens: FositeHMAC.Secrets[%d] has fewer than 32 bytes", i)
		}
	}
	known := []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA512_256}
	if !slices.Contains(known, f.hash()) {
		return errors.New("tokens: FositeHMAC.Hash is not SHA-256, SHA-384, SHA-512 or SHA-512/256")
	}
	return nil
}

func (f FositeHMAC) hash() crypto.Hash {
	if f.Hash == 0 {
		return crypto.SHA512_256
	}
	return f.Hash
}

// Digest verifies the token's HMAC and returns a digest of it.
func (f FositeHMAC) Digest(token string) ([]byte, bool) {
	if len(token) > maxImported || f.Check() != nil {
		return nil, false
	}
	// The decoder of base64 would skip line breaks.
	random, signature, ok := strings.Cut(f.withoutPrefix(token), ".")
	if !ok || strings.ContainsAny(token, "\r\n") {
		return nil, false
	}
	raw, err1 := base64.RawURLEncoding.Strict().DecodeString(random)
	got, err2 := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err1 != nil || err2 != nil || len(raw) < 16 {
		return nil, false
	}

	for _, secret := range f.Secrets {
		mac := hmac.New(f.hash().New, secret[:32])
		mac.Write(raw)
		if hmac.Equal(mac.Sum(nil), got) {
			sum := sha512.Sum384([]byte(signature))
			return signatureDigest(sum[:]), true
		}
	}
	return nil, false
}

// withoutPrefix returns the token without the first of the prefixes that it has.
func (f FositeHMAC) withoutPrefix(token string) string {
	prefixes := f.Prefixes
	if prefixes == nil {
		prefixes = []string{"ory_at_", "ory_rt_"}
	}
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(token, p); ok {
			return rest
		}
	}
	return token
}

// Stored reads an HMAC as fosite stores it, or the SHA-384 of one in hex, as Hydra
// 2.1 and later stores it for access tokens.
func (f FositeHMAC) Stored(text string) ([]byte, error) {
	if len(text) == hex.EncodedLen(sha512.Size384) {
		if sum, err := hex.DecodeString(text); err == nil {
			return signatureDigest(sum), nil
		}
	}
	if len(text) <= maxImported && !strings.ContainsAny(text, "\r\n") {
		if mac, err := base64.RawURLEncoding.Strict().DecodeString(text); err == nil && len(mac) == f.hash().Size() {
			sum := sha512.Sum384([]byte(text))
			return signatureDigest(sum[:]), nil
		}
	}
	return nil, errors.New("tokens: neither a signature nor its SHA-384 in hex")
}

// signatureDigest keeps the digest of an HMAC apart from that of a token.
// Otherwise, with a [Hashed] of SHA-384 configured too, the HMAC alone would be
// accepted as a token, and the tables of the other server are full of HMACs.
func signatureDigest(sum []byte) []byte {
	return append([]byte("fosite signature "), sum...)
}
