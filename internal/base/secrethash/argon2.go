package secrethash

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The bounds of an argon2id hash.
const (
	maxArgon2Memory = 256 << 10 // in KiB, that is 256 MiB
	maxArgon2Passes = 16
	minArgon2Key    = 16 // in bytes
	maxArgon2Key    = 64
)

var errArgon2 = errors.New("secrethash: an argon2id hash is malformed or out of bounds")

// argon2Hash holds the parameters of RFC 9106 section 3.1 that the encoding
// carries.
type argon2Hash struct {
	memory uint32 // in KiB
	passes uint32
	lanes  uint8
	salt   []byte
	key    []byte
}

func isArgon2(hash string) bool { return strings.HasPrefix(hash, "$argon2id$") }

// readArgon2 reads the encoding of the reference implementation,
// $argon2id$v=19$m=65536,t=3,p=4$salt$key, in base64 without padding.
func readArgon2(hash string) (argon2Hash, error) {
	var h argon2Hash
	parts := strings.Split(hash, "$")
	if len(parts) != 6 {
		return h, errArgon2
	}

	var version int
	_, err1 := fmt.Sscanf(parts[2], "v=%d", &version)
	_, err2 := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes)
	salt, err3 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err4 := base64.RawStdEncoding.DecodeString(parts[5])
	if errors.Join(err1, err2, err3, err4) != nil || version != argon2.Version {
		return h, errArgon2
	}

	h.salt = salt
	h.key = key
	if !h.bounded() {
		return h, errArgon2
	}
	return h, nil
}

// bounded reports whether the hash can be computed at a bearable cost.
// argon2.IDKey panics for zero passes or lanes.
func (h argon2Hash) bounded() bool {
	return h.memory <= maxArgon2Memory &&
		h.passes >= 1 && h.passes <= maxArgon2Passes &&
		h.lanes >= 1 &&
		len(h.key) >= minArgon2Key && len(h.key) <= maxArgon2Key
}

func compareArgon2(hash, secret string) (bool, error) {
	h, err := readArgon2(hash)
	if err != nil {
		return false, err
	}
	got := argon2.IDKey([]byte(secret), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(got, h.key) == 1, nil
}
