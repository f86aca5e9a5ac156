package memstore

import (
	"crypto/sha256"
	"errors"
)

// A cursor is base64url of an id (32 bytes of key, 2 of kind, 1 for odd) and 4
// bytes of its SHA-256, by which other text is recognised.
const (
	cursorBytes  = 39
	cursorLength = 52
)

var errCursor = errors.New("memstore: not a cursor of this store")

// cursor returns the cursor of the page that follows an id.
func (s *Store) cursor(n id) string {
	// A new array, because the id must not be written to.
	b := append([]byte{}, n.sum[:]...)
	odd := byte(0)
	if n.odd {
		odd = 1
	}
	b = append(b, byte(n.kind>>8), byte(n.kind), odd)
	sum := sha256.Sum256(b)
	return strict.EncodeToString(append(b, sum[:4]...))
}

// parseCursor returns the id of a cursor that the store made.
func (s *Store) parseCursor(text string) (id, error) {
	var n id
	if len(text) != cursorLength {
		return n, errCursor
	}
	b, err := strict.DecodeString(text)
	if err != nil || len(b) != cursorBytes {
		return n, errCursor
	}

	copy(n.sum[:], b)
	n.kind = uint16(b[32])<<8 | uint16(b[33])
	n.odd = b[34] == 1
	// The kind has to have a number, and the checksum has to be right.
	if int(n.kind) >= s.kinds.len() || s.cursor(n) != text {
		return n, errCursor
	}
	return n, nil
}
