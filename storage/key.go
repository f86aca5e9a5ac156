package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"
)

// Key returns the key under which a secret (a token, a code) is stored: base64url(SHA-256(secret)), 43 characters.
func Key(secret string) string {
	var buf [128]byte // room for an opaque token: what is longer costs one allocation
	sum := sha256.Sum256(append(buf[:0], secret...))
	var key [43]byte
	base64.RawURLEncoding.Encode(key[:], sum[:])
	return string(key[:])
}

// ImportedKey returns the key of a token that another server issued, from the digest by which that server found it.
// It has another form than what [Key] returns: no secret of ours has the key of an imported token.
func ImportedKey(digest []byte) string { return "imported." + Key(string(digest)) }

// JoinKey returns a key for several strings together. No two different lists give the same key.
func JoinKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		n := len(p)
		h.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		h.Write([]byte(p))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// UseOnce tells whether this is the first use of id in the namespace (an issuer, a client). The mark stays until the
// given time; of any number of calls at the same moment, on any instance, exactly one gets true.
// An error means that the store failed: treat it as a refusal with 503, never as a first use.
func UseOnce(ctx context.Context, s Records, namespace, id string, until time.Time) (bool, error) {
	err := s.Insert(ctx, Record{
		Kind: Used, Key: JoinKey(namespace, id), State: Spent,
		IssuedAt: time.Now().UTC(), ExpiresAt: until.UTC(),
	})
	if errors.Is(err, ErrExists) {
		return false, nil
	}
	return err == nil, err
}
