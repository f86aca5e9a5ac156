package secrethash

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"strconv"
	"strings"
)

// The bounds of a PBKDF2 hash.
const (
	maxPBKDF2Rounds = 1 << 20
	maxPBKDF2Salt   = 128 // in bytes
	minPBKDF2Key    = 16  // in bytes
	maxPBKDF2Key    = 64
)

var errPBKDF2 = errors.New("secrethash: a PBKDF2 hash is malformed or out of bounds")

// pbkdf2Hash holds the parameters of RFC 8018 section 5.2 that the encoding
// carries.
type pbkdf2Hash struct {
	digest func() hash.Hash
	rounds int
	salt   []byte
	key    []byte
}

func isPBKDF2(hash string) bool { return strings.HasPrefix(hash, "$pbkdf2-") }

// readPBKDF2 reads the encoding $pbkdf2-sha256$i=25000,l=32$salt$key, also with
// sha512, in base64 without padding.
func readPBKDF2(encoded string) (pbkdf2Hash, error) {
	var h pbkdf2Hash
	parts := strings.Split(encoded, "$")
	if len(parts) != 5 {
		return h, errPBKDF2
	}

	switch parts[1] {
	case "pbkdf2-sha256":
		h.digest = sha256.New
	case "pbkdf2-sha512":
		h.digest = sha512.New
	default:
		return h, errPBKDF2
	}

	count, length, _ := strings.Cut(strings.TrimPrefix(parts[2], "i="), ",l=")
	rounds, err1 := strconv.Atoi(count)
	size, err2 := strconv.Atoi(length)
	salt, err3 := base64.RawStdEncoding.DecodeString(parts[3])
	key, err4 := base64.RawStdEncoding.DecodeString(parts[4])
	if errors.Join(err1, err2, err3, err4) != nil || len(key) != size {
		return h, errPBKDF2
	}

	h.rounds = rounds
	h.salt = salt
	h.key = key
	if !h.bounded() {
		return h, errPBKDF2
	}
	return h, nil
}

// bounded reports whether the hash can be computed at a bearable cost.
func (h pbkdf2Hash) bounded() bool {
	return h.rounds >= 1 && h.rounds <= maxPBKDF2Rounds &&
		len(h.salt) <= maxPBKDF2Salt &&
		len(h.key) >= minPBKDF2Key && len(h.key) <= maxPBKDF2Key
}

func comparePBKDF2(encoded, secret string) (bool, error) {
	h, err := readPBKDF2(encoded)
	if err != nil {
		return false, err
	}
	got, err := pbkdf2.Key(h.digest, secret, h.salt, h.rounds, len(h.key))
	if err != nil {
		return false, errPBKDF2
	}
	return subtle.ConstantTimeCompare(got, h.key) == 1, nil
}
