package fositegrant

import (
	"context"
	"crypto/subtle"
	"errors"

	"github.com/ory/fosite"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell/storage"
)

// The longest secrets, in bytes, that are hashed. bcrypt ignores what follows 72 bytes.
const (
	maxSecret = 512
	maxBcrypt = 72
)

// Hasher verifies under fosite the client secrets that Grantwell stores: generated secrets
// by SHA-256 in constant time, and imported ones by bcrypt. It refuses every other hash.
// It also refuses an empty hash, because that is what a public client has.
type Hasher struct{}

var _ fosite.Hasher = Hasher{}

var errSecret = errors.New("fositegrant: the secret does not match")

// Compare implements [fosite.Hasher].
func (Hasher) Compare(_ context.Context, hash, secret []byte) error {
	if len(hash) == 0 || len(secret) == 0 || len(secret) > maxSecret {
		return errSecret
	}

	if hash[0] == '$' {
		if len(secret) > maxBcrypt || bcrypt.CompareHashAndPassword(hash, secret) != nil {
			return errSecret
		}
		return nil
	}

	digest := []byte(storage.HashSecret(string(secret)).Hash)
	if subtle.ConstantTimeCompare(digest, hash) != 1 {
		return errSecret
	}
	return nil
}

// Hash implements [fosite.Hasher]. The secret must be a generated one, because SHA-256 is
// no protection for one that a person chose.
func (Hasher) Hash(_ context.Context, secret []byte) ([]byte, error) {
	return []byte(storage.HashSecret(string(secret)).Hash), nil
}
