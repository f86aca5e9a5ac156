// Package secrethash verifies secrets against slow hashes: bcrypt, argon2id and
// PBKDF2, in the encodings that other authorization servers store.
//
// Slow hashes protect secrets that people chose. A comparison takes
// milliseconds to seconds by design, so the caller limits how many run at once
// and how often a secret may be tried. The parameters of a hash decide its
// cost, and an import may bring any parameters. They are bounded
// here, so that one stored hash cannot stop the server.
//
// No error quotes a hash.
package secrethash

import (
	"errors"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// maxBcryptSecret is how many bytes of a secret bcrypt reads. Longer secrets
// that begin alike would be equal.
const maxBcryptSecret = 72

// maxBcryptCost bounds the work of one comparison with bcrypt, about 4 s.
const maxBcryptCost = 16

// errUnknown is the error for a text that begins as none of the hashes does.
var errUnknown = errors.New("secrethash: the hash is not bcrypt, argon2id or PBKDF2")

// Compare reports whether the secret has the hash. It takes as long as the
// hash's parameters demand, whether the secret is right or wrong.
//
// It returns an error, and no answer, if the hash is malformed or out of
// bounds. A malformed bcrypt hash matches no secret.
func Compare(hash, secret string) (bool, error) {
	switch {
	case isArgon2(hash):
		return compareArgon2(hash, secret)
	case isPBKDF2(hash):
		return comparePBKDF2(hash, secret)
	case isBcrypt(hash):
		if len(secret) > maxBcryptSecret {
			return false, nil
		}
		err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(secret))
		return err == nil, nil
	default:
		return false, errUnknown
	}
}

// Check returns an error if no secret could be verified against the hash, or
// only at a cost that lets guesses stop the server.
func Check(hash string) error {
	switch {
	case isArgon2(hash):
		_, err := readArgon2(hash)
		return err
	case isPBKDF2(hash):
		_, err := readPBKDF2(hash)
		return err
	case isBcrypt(hash):
		return checkBcrypt(hash)
	default:
		return errUnknown
	}
}

// isBcrypt reports whether the hash is of one of the versions 2a, 2b and 2y,
// which are the same for secrets of up to 72 bytes.
func isBcrypt(hash string) bool { return strings.HasPrefix(hash, "$2") }

func checkBcrypt(hash string) error {
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil {
		return errors.New("secrethash: a bcrypt hash is malformed")
	}
	if cost > maxBcryptCost {
		return errors.New("secrethash: the cost of a bcrypt hash is too high")
	}
	return nil
}
