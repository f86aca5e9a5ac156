package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// Key returns the key under which a secret (a token or a code) is stored:
// base64url(SHA-256(secret)), 43 characters.
func Key(secret string) string {
	// An opaque token fits in the buffer. A longer secret costs one allocation.
	var buf [128]byte
	return encode(sha256.Sum256(append(buf[:0], secret...)))
}

// ImportedKey returns the key of a token that another server issued, from the
// digest by which that server found it. It differs in form from what [Key]
// returns, so that no token of this server can have the key of an imported one.
func ImportedKey(digest []byte) string { return "imported." + Key(string(digest)) }

// JoinKey returns one key for several strings. No two different lists have the
// same key.
func JoinKey(parts ...string) string {
	var buf [256]byte
	all := buf[:0]
	for _, p := range parts {
		// The length before each part keeps "a", "bc" apart from "ab", "c".
		all = binary.BigEndian.AppendUint32(all, uint32(len(p)))
		all = append(all, p...)
	}
	return encode(sha256.Sum256(all))
}

func encode(sum [sha256.Size]byte) string {
	var key [43]byte
	base64.RawURLEncoding.Encode(key[:], sum[:])
	return string(key[:])
}

// UsedBefore reports whether [UseOnce] has marked the id in the namespace. It marks
// nothing.
func UsedBefore(ctx context.Context, s Records, namespace, id string) (bool, error) {
	_, err := s.Get(ctx, Used, JoinKey(namespace, id))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}

	return err == nil, err
}

// UseOnce reports whether this is the first use of id in the namespace, for
// example an issuer or a client. The mark is kept until the given time. Of any
// number of calls at the same moment, on any instance, exactly one returns true.
// A time after the year 294246 is cut to the end of that year.
//
// An error means that the store failed. The caller refuses the request with 503
// then, and never treats it as a first use.
func UseOnce(ctx context.Context, s Records, namespace, id string, until time.Time) (bool, error) {
	// An issuer may give an assertion any expiry.
	if until.Unix() > lastSecond {
		until = time.Unix(lastSecond, 0)
	}

	err := s.Insert(ctx, Record{
		Kind:      Used,
		Key:       JoinKey(namespace, id),
		State:     Spent,
		IssuedAt:  time.Now().UTC(),
		ExpiresAt: until.UTC(),
	})
	if errors.Is(err, ErrExists) {
		return false, nil
	}
	return err == nil, err
}
