package storage

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// maxHash is the longest hash of a secret that a client may have, in bytes.
const maxHash = 512

// Secret is a client secret as it is stored: hashed.
type Secret struct {
	// Hash is "sha256:" and base64url(SHA-256(secret)) for a generated secret:
	// see [HashSecret]. For an imported one (see [ImportSecret]) it is a bcrypt
	// ("$2a$", "$2b$", "$2y$"), argon2id ("$argon2id$") or PBKDF2
	// ("$pbkdf2-sha256$", "$pbkdf2-sha512$") string.
	Hash string `json:"hash"`

	// Chosen says that people may have chosen a secret whose hash is "sha256:", so that
	// it can be guessed: the server then compares it within the limits of guesses.
	// Slow hashes are always compared so.
	Chosen bool `json:"chosen,omitempty"`

	// ExpiresAt is when the secret stops working. Zero means never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// HashSecret returns the stored form of a generated secret, one of 128 random
// bits or more. A secret that a person chose needs bcrypt or argon2id instead,
// because SHA-256 is fast enough to guess it.
func HashSecret(secret string) Secret {
	sum := sha256.Sum256([]byte(secret))
	return digestSecret(sum[:])
}

// digestSecret returns the stored form for a SHA-256 digest.
func digestSecret(sum []byte) Secret {
	return Secret{Hash: "sha256:" + base64.RawURLEncoding.EncodeToString(sum)}
}

// ImportSecret returns the stored form of a client secret that another server
// hashed. It takes bcrypt, argon2id and PBKDF2
// ("$pbkdf2-sha256$i=25000,l=32$salt$key", also with sha512) as they are, and a
// plain SHA-256 digest in hex or base64. A plain digest protects only a secret
// that was generated: replace a secret that a person chose.
//
// A secret of more than 72 bytes is never verified against bcrypt, which reads no
// further, so that two secrets would be equal. A hash does not show how long its
// secret is: give a client with such a secret a new one.
func ImportSecret(hash string) (Secret, error) {
	if len(hash) > maxHash {
		return Secret{}, errors.New("storage: the hash of a secret is too long")
	}
	if knownHash(hash) {
		return Secret{Hash: hash}, nil
	}

	// The hash itself is never part of an error: errors end in logs.
	sum, err := hex.DecodeString(hash)
	if err != nil {
		standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(hash, "="))
		sum, err = base64.RawStdEncoding.Strict().DecodeString(standard)
	}
	if err != nil || len(sum) != sha256.Size {
		return Secret{}, errors.New("storage: the hash of a secret is not bcrypt, argon2id, PBKDF2 or SHA-256")
	}
	stored := digestSecret(sum)
	stored.Chosen = true // a digest does not show how its secret was made

	return stored, nil
}

// knownHash reports whether the text has the form of a stored hash. Whether a
// slow hash is well formed is decided when a secret is compared with it.
func knownHash(h string) bool {
	if digest, ok := strings.CutPrefix(h, "sha256:"); ok {
		sum, err := base64.RawURLEncoding.DecodeString(digest)
		return err == nil && len(sum) == sha256.Size
	}

	slow := [...]string{"$2a$", "$2b$", "$2y$", "$argon2id$", "$pbkdf2-sha256$", "$pbkdf2-sha512$"}
	for _, prefix := range slow {
		if strings.HasPrefix(h, prefix) {
			return true
		}
	}
	return false
}
