package grantwell

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

var errPBKDF2 = errors.New("grantwell: a stored PBKDF2 hash is malformed or out of bounds")

// equalPBKDF2 compares with the encoding $pbkdf2-sha256$i=25000,l=32$salt$key, in base64 without padding.
func equalPBKDF2(encoded, secret string) (bool, error) {
	parts := strings.Split(encoded, "$")
	if len(parts) != 5 {
		return false, errPBKDF2
	}
	var h func() hash.Hash
	switch parts[1] {
	case "pbkdf2-sha256":
		h = sha256.New
	case "pbkdf2-sha512":
		h = sha512.New
	default:
		return false, errPBKDF2
	}
	count, length, ok := strings.Cut(strings.TrimPrefix(parts[2], "i="), ",l=")
	rounds, err1 := strconv.Atoi(count)
	size, err2 := strconv.Atoi(length)
	salt, err3 := base64.RawStdEncoding.DecodeString(parts[3])
	want, err4 := base64.RawStdEncoding.DecodeString(parts[4])
	if !ok || errors.Join(err1, err2, err3, err4) != nil || rounds < 1 || rounds > 1<<20 || len(salt) > 128 ||
		len(want) != size || size < 16 || size > 64 {
		return false, errPBKDF2
	}
	got, err := pbkdf2.Key(h, secret, salt, rounds, size)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}
