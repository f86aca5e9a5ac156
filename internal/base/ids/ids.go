// Package ids makes random identifiers.
package ids

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
)

// New returns 128 random bits as 22 characters of base64url. It names grants,
// tokens and clients.
func New() string {
	var b [16]byte
	var id [22]byte
	// An identifier that begins with a hyphen is an option to most command lines.
	for id[0] == 0 || id[0] == '-' {
		_, _ = rand.Read(b[:]) // crypto/rand never fails
		base64.RawURLEncoding.Encode(id[:], b[:])
	}

	return string(id[:])
}

// Secret returns 256 random bits as 43 characters of base64url. It is long enough
// for a value that a caller must not be able to guess.
func Secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails

	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Short returns 64 random bits as 16 hexadecimal digits. It names a request in a
// log and is not secret.
func Short() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails

	return hex.EncodeToString(b[:])
}
