package memstore

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
)

// A cursor is base64url of an id (32 bytes of key, 2 of kind, 1 for odd) and 16
// bytes of its HMAC-SHA-256 under a key of the store, by which text that the store
// did not make is recognised.
const (
	cursorBytes  = 51
	cursorLength = 68
	macSize      = 16
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
	mac := hmac.New(sha256.New, s.cursorKey[:])
	mac.Write(b)
	return strict.EncodeToString(append(b, mac.Sum(nil)[:macSize]...))
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
	if int(n.kind) >= s.kinds.len() || !hmac.Equal([]byte(s.cursor(n)), []byte(text)) {
		return n, errCursor
	}
	return n, nil
}
