package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// Key returns the key under which a secret (a token, a code) is stored: base64url(SHA-256(secret)), 43 characters.
func Key(secret string) string {
	var buf [128]byte // room for an opaque token: what is longer costs one allocation
	return encode(sha256.Sum256(append(buf[:0], secret...)))
}

// ImportedKey returns the key of a token that another server issued, from the digest by which that server found it.
// It has another form than what [Key] returns: no secret of ours has the key of an imported token.
func ImportedKey(digest []byte) string { return "imported." + Key(string(digest)) }

// JoinKey returns a key for several strings together. No two different lists give the same key.
func JoinKey(parts ...string) string {
	var buf [256]byte
	all := buf[:0]
	for _, p := range parts {
		all = append(binary.BigEndian.AppendUint32(all, uint32(len(p))), p...)
	}
	return encode(sha256.Sum256(all))
}

func encode(sum [sha256.Size]byte) string {
	var key [43]byte
	base64.RawURLEncoding.Encode(key[:], sum[:])
	return string(key[:])
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
