package storage_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// The store is given the digest of a secret, never the secret.
//
// Holds: RFC 6749 section 10.10.
func TestKey_IsADigest(t *testing.T) {
	t.Parallel()
	require.Equal(t, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0", storage.Key("abc"), "SHA-256, base64url")
	require.Len(t, storage.Key(strings.Repeat("x", 10_000)), 43)
	hash := storage.HashSecret("s3cret")
	require.NotContains(t, hash.Hash, "s3cret")
	require.Equal(t, "sha256:"+storage.Key("s3cret"), hash.Hash)
}

// Two different lists of strings never have the same key.
//
// Holds: house: used once.
func TestJoinKey_ListsDoNotCollide(t *testing.T) {
	t.Parallel()
	seen := map[string][]string{}
	for _, parts := range [][]string{
		nil, {""}, {"", ""}, {"a", "b"}, {"ab"}, {"a", "", "b"}, {"", "ab"}, {"ab", ""}, {"a,b"}, {"b", "a"}, {"\x00\x00\x00\x01a"}, {"a\x00\x00\x00\x01b"},
	} {
		key := storage.JoinKey(parts...)
		require.Len(t, key, 43)
		require.NotContains(t, seen, key, "%q", parts)
		seen[key] = parts
	}
}

// Of several uses of an identifier exactly one is the first, and a store that
// fails returns an error, not an answer.
//
// Holds: house: used once.
func TestUseOnce_OneFirstUse(t *testing.T) {
	t.Parallel()
	ctx, s, until := t.Context(), memstore.New(), time.Now().Add(time.Minute)
	use := func(ctx context.Context, namespace, id string) bool {
		first, err := storage.UseOnce(ctx, s, namespace, id, until)
		require.NoError(t, err)
		return first
	}
	require.True(t, use(ctx, "issuer", "jti"))
	require.False(t, use(ctx, "issuer", "jti"))
	require.True(t, use(ctx, "another issuer", "jti"))
	require.True(t, use(ctx, "issuerj", "ti"))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	first, err := storage.UseOnce(gone, s, "issuer", "other", until)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, first)
	got, err := s.Get(ctx, storage.Used, storage.JoinKey("issuer", "jti"))
	require.NoError(t, err)
	require.WithinDuration(t, until, got.ExpiresAt, time.Millisecond)
	require.Empty(t, got.GrantID, "no revocation frees it")
}

// A record has expired from its ExpiresAt on. Without one it never expires.
//
// Holds: house: expiry at use.
func TestRecord_ExpiresAtItsTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	r := storage.Record{ExpiresAt: at}
	require.False(t, r.Expired(at.Add(-1)))
	require.True(t, r.Expired(at))
	require.True(t, r.Expired(at.In(time.FixedZone("", 3600)).Add(1)))
	require.False(t, storage.Record{}.Expired(at))
}

// An invalid record is refused before a store is called.
func TestRecord_Validate(t *testing.T) {
	t.Parallel()
	good := storage.Record{Kind: "a_kind", Key: "k", State: storage.Active, Data: make([]byte, storage.MaxData)}
	require.NoError(t, good.Validate())
	for name, spoil := range map[string]func(*storage.Record){
		"kind empty":  func(r *storage.Record) { r.Kind = "" },
		"kind long":   func(r *storage.Record) { r.Kind = storage.Kind(strings.Repeat("k", 33)) },
		"kind digits": func(r *storage.Record) { r.Kind = "code2" },
		"key empty":   func(r *storage.Record) { r.Key = "" },
		"key long":    func(r *storage.Record) { r.Key = strings.Repeat("k", 256) },
		"key NUL":     func(r *storage.Record) { r.Key = "a\x00" },
		"state none":  func(r *storage.Record) { r.State = 0 },
		"state odd":   func(r *storage.Record) { r.State = storage.Revoked + 1 },
		"grant long":  func(r *storage.Record) { r.GrantID = strings.Repeat("g", 256) },
		"grant bytes": func(r *storage.Record) { r.GrantID = "\xff" },
		"client NUL":  func(r *storage.Record) { r.ClientID = "\x00" },
		"subject":     func(r *storage.Record) { r.Subject = "\xc3\x28" },
		"scope":       func(r *storage.Record) { r.Scope = []string{"ok", "\x00"} },
		"audience":    func(r *storage.Record) { r.Audience = []string{"\xff"} },
		"data":        func(r *storage.Record) { r.Data = make([]byte, storage.MaxData+1) },
	} {
		r := good
		spoil(&r)
		err := r.Validate()
		require.Error(t, err, name)
		require.True(t, strings.HasPrefix(err.Error(), "storage: "), name)
		require.False(t, errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrExists) || errors.Is(err, storage.ErrConflict))
	}
}
