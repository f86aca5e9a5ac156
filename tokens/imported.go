package tokens

import (
	"crypto"
	"crypto/hmac"
	_ "crypto/sha1" // of tokens that exist already: see Hashed
	_ "crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxImported bounds another server's token, and what that server stored of it, in bytes.
const maxImported = 512

// Imported is a form of token that another server issued and that is accepted until it expires. It connects the
// string that a client presents with what the other server stored of it. Implementations are safe for concurrent use.
type Imported interface {
	// Digest returns what stands for the token in the store, or false for a string that the other server cannot
	// have issued. The store is not asked for such a one, so it must bound the size before it does any work.
	Digest(token string) ([]byte, bool)
	// Stored returns the same digest from what the other server stored of the token.
	Stored(text string) ([]byte, error)
}

// Hashed is the form of a server that stored a plain digest of its random tokens, in hex or base64.
//
// SHA-1 is accepted here and nowhere else. Its weakness is that two inputs with one digest can be made by somebody who
// chooses both; here the other server drew the tokens at random, and from a digest nobody finds a token. Take the form out
// of the configuration when the last such token has expired.
type Hashed struct {
	// Hash is crypto.SHA1, SHA256, SHA384 or SHA512. Required.
	Hash crypto.Hash
	// Lengths are the lengths in bytes that the server's access and refresh tokens have. Others never reach the store.
	// Empty: 22 to 512.
	Lengths []int
}

// Validate returns an error for a hash that is not one of the four, or a length below 22 or above 512: shorter
// tokens have fewer than 128 bits, and can be guessed.
func (d Hashed) Validate() error {
	if !slices.Contains([]crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512}, d.Hash) {
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
	if len(token) < minRandom || len(token) > maxImported || len(d.Lengths) > 0 && !slices.Contains(d.Lengths, len(token)) || d.Validate() != nil {
		return nil, false
	}
	h := d.Hash.New()
	h.Write([]byte(token))
	return h.Sum(nil), true
}

// Stored reads the digest in hex, or in base64 of either alphabet with or without padding.
func (d Hashed) Stored(text string) ([]byte, error) {
	if err := d.Validate(); err != nil {
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

// FositeHMAC is the form of servers made with fosite, Hydra among them: a random part, a dot and its HMAC with the server's
// secret, of which the store has the second part. A token is looked up only if the secret made it, so that who
// stole the other server's tables has nothing.
type FositeHMAC struct {
	// Secrets are the server's global secret and the rotated ones, in bytes: at least 32, of which fosite uses the
	// first 32. Hydra's are the SHA-256 of each string in its secrets.system. At least one, at most 16.
	Secrets [][]byte
	// Hash is that of the HMAC; zero: crypto.SHA512_256, fosite's own default.
	Hash crypto.Hash
	// Prefixes begin tokens and are no part of what is signed. nil: "ory_at_" and "ory_rt_". One without is accepted too.
	Prefixes []string
}

// Validate returns an error if there is no secret, one that is too short, too many, or an unknown hash.
func (f FositeHMAC) Validate() error {
	if len(f.Secrets) == 0 || len(f.Secrets) > 16 {
		return errors.New("tokens: FositeHMAC.Secrets has none, or more than 16")
	}
	for i, s := range f.Secrets {
		if len(s) < 32 {
			return fmt.Errorf("tokens: FositeHMAC.Secrets[%d] has fewer than 32 bytes", i)
		}
	}
	if !slices.Contains([]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA512_256}, f.hash()) {
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

// Digest verifies the token's HMAC and returns a digest of its signature.
func (f FositeHMAC) Digest(token string) ([]byte, bool) {
	if len(token) > maxImported || f.Validate() != nil {
		return nil, false
	}
	prefixes := f.Prefixes
	if prefixes == nil {
		prefixes = []string{"ory_at_", "ory_rt_"}
	}
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(token, p); ok {
			token = rest
			break
		}
	}
	random, signature, ok := strings.Cut(token, ".")
	if !ok || strings.ContainsAny(token, "\r\n") { // which base64 skips
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

// Stored reads a signature as fosite stores it, or the SHA-384 of one in hex, as Hydra 2.1 and later stores those
// of access tokens.
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

// signatureDigest keeps the digest of a signature apart from that of a token. Otherwise, beside a Hashed with SHA-384, the bare
// signature would pass for a token, and the old tables are full of them.
func signatureDigest(sum []byte) []byte { return append([]byte("fosite signature "), sum...) }
