package redisstore

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// A cursor is base64url of a code and the member that it follows. The code is the
// first macSize bytes of the HMAC-SHA-256 of the member, under a key that all
// instances read from Redis. So a cursor that the store did not make is an error.
const (
	macSize = 16

	// cursorKeySize is the number of bytes of the key.
	cursorKeySize = 32

	// maxCursor is above the length of the cursor of the longest member.
	maxCursor = 512
)

var (
	strict    = base64.RawURLEncoding.Strict()
	errCursor = errors.New("redisstore: not a cursor of this store")
)

// cursor returns the cursor of the page that follows a member. It asks Redis for
// the key, in one round trip, and stores a key if there is none: that is so for
// the first cursor, and after an operator emptied the server.
func (s *Store) cursor(ctx context.Context, member string) (string, error) {
	candidate := s.knownCursorKey()
	if candidate == nil {
		candidate = make([]byte, cursorKeySize)
		_, _ = rand.Read(candidate) // never fails
	}
	key, err := s.cursorKey(ctx, string(candidate))
	if err != nil {
		return "", err
	}
	return seal(key, member), nil
}

// parseCursor returns the member of a cursor that an instance of this store made.
// It asks Redis only if the instance does not know the key of the cursor yet.
func (s *Store) parseCursor(ctx context.Context, text string) (string, error) {
	if len(text) > maxCursor {
		return "", errCursor
	}
	b, err := strict.DecodeString(text)
	if err != nil || len(b) <= macSize {
		return "", errCursor
	}
	member := string(b[macSize:])

	if key := s.knownCursorKey(); key != nil && sameCursor(key, member, text) {
		return member, nil
	}
	key, err := s.cursorKey(ctx, "")
	if err != nil {
		return "", err
	}
	if key == nil || !sameCursor(key, member, text) {
		return "", errCursor
	}
	return member, nil
}

// seal returns the cursor of a member.
func seal(key []byte, member string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(member))
	return strict.EncodeToString(append(mac.Sum(nil)[:macSize:macSize], member...))
}

// sameCursor reports whether text is the cursor of a member, in constant time.
func sameCursor(key []byte, member, text string) bool {
	return hmac.Equal([]byte(seal(key, member)), []byte(text))
}

// knownCursorKey returns the key that the instance read last, or nil.
func (s *Store) knownCursorKey() []byte {
	if key := s.cursors.Load(); key != nil {
		return *key
	}
	return nil
}

// cursorKey reads the key, after it stored the candidate if there is none. An empty
// candidate is not stored; the key is nil then if there is none.
func (s *Store) cursorKey(ctx context.Context, candidate string) ([]byte, error) {
	answer, err := s.run(ctx, cursorKeyScript, candidate)
	if err != nil {
		return nil, err
	}
	key, err := text(answer)
	if err != nil {
		return nil, err
	}
	switch {
	case len(key) == cursorKeySize:
		s.cursors.Store(&key)
		return key, nil
	case len(key) == 0 && candidate == "":
		return nil, nil
	}
	// A key of another length was not written by this package.
	return nil, errAnswer
}
