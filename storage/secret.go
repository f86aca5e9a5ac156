package storage

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// ImportSecret returns the stored form of a client secret that another server hashed. It takes bcrypt, argon2id
// and PBKDF2 ("$pbkdf2-sha256$i=25000,l=32$salt$key", also with sha512) as they are, and a plain SHA-256 digest in hex or
// base64. A plain digest protects only a secret that was generated: replace one that a person chose.
func ImportSecret(hash string) (Secret, error) {
	if len(hash) > 512 {
		return Secret{}, errors.New("storage: the hash of a secret is too long")
	}
	if knownHash(hash) {
		return Secret{Hash: hash}, nil
	}
	sum, err := hex.DecodeString(hash)
	if err != nil {
		std := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(hash, "="))
		sum, err = base64.RawStdEncoding.Strict().DecodeString(std)
	}
	if err != nil || len(sum) != sha256.Size {
		return Secret{}, errors.New("storage: the hash of a secret is not bcrypt, argon2id, PBKDF2 or SHA-256")
	}
	return Secret{Hash: "sha256:" + base64.RawURLEncoding.EncodeToString(sum)}, nil
}
