package redisstore

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

func sample() storage.Record {
	return storage.Record{
		Kind: storage.Code, Key: storage.Key("code"), State: storage.Active,
		GrantID: "grant", ClientID: "client", Subject: "żółć\n\r\x01", Scope: []string{"read", "write"}, Audience: []string{"https://api.example", ""},
		IssuedAt: time.Date(2031, 7, 1, 3, 4, 5, 678_000_000, time.UTC), ExpiresAt: time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC),
		Data: []byte("{\"a\":\"\x00\xff\"}"),
	}
}

// Every record survives encoding: with times long ago and far ahead, without
// times, with binary and large data.
//
// Holds: house: one contract for stores.
func TestEncode_RoundTrip(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*storage.Record){
		"full":         func(*storage.Record) {},
		"bare":         func(r *storage.Record) { *r = storage.Record{Kind: r.Kind, Key: r.Key, State: storage.Spent} },
		"never":        func(r *storage.Record) { r.ExpiresAt = time.Time{} },
		"1970":         func(r *storage.Record) { r.ExpiresAt = time.UnixMilli(0).UTC() },
		"before 1970":  func(r *storage.Record) { r.ExpiresAt = time.UnixMilli(-1).UTC() },
		"2106":         func(r *storage.Record) { r.ExpiresAt = time.Unix(1<<32, 1e6).UTC() },
		"10000":        func(r *storage.Record) { r.ExpiresAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"large":        func(r *storage.Record) { r.Data = bytes.Repeat([]byte{0, 1, 0xff, '\n'}, storage.MaxData/4) },
		"many scopes":  func(r *storage.Record) { r.Scope = strings.Split(strings.Repeat("scope,", 300), ",") },
		"long subject": func(r *storage.Record) { r.Subject = strings.Repeat("s", 70_000) },
		"revoked":      func(r *storage.Record) { r.State = storage.Revoked },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sample()
			change(&r)
			require.NoError(t, r.Validate())
			b := encode(&r, &[nonceSize]byte{1, 2, 0, 3})
			got, err := decode(r.Kind, r.Key, b)
			require.NoError(t, err)
			require.Equal(t, r, got)
			clear(b)
			require.Equal(t, r, got, "no memory is shared")
		})
	}
}

// The first moment of year 1 is the zero time, which never expires. A later time in
// the same millisecond has expired.
//
// Holds: house: sweeping.
func TestEncode_OnlyZeroIsNever(t *testing.T) {
	t.Parallel()
	r := sample()
	r.ExpiresAt = time.Time{}.Add(time.Microsecond)
	got, err := decode(r.Kind, r.Key, encode(&r, &[nonceSize]byte{}))
	require.NoError(t, err)
	require.False(t, got.ExpiresAt.IsZero())
	require.True(t, got.Expired(time.Now()))
}

// A value that is cut, of another version or without a valid state is an error.
func TestDecode_RefusesDamage(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Data = nil
	whole := encode(&r, &[nonceSize]byte{})
	for n := range whole {
		_, err := decode(r.Kind, r.Key, whole[:n])
		require.ErrorIs(t, err, errValue, "%d bytes", n)
	}
	for name, change := range map[string]func([]byte){
		"version":    func(b []byte) { b[0] = '2' },
		"no state":   func(b []byte) { b[1] = '0' },
		"odd state":  func(b []byte) { b[1] = '6' },
		"not a text": func(b []byte) { b[2] = 0xff },
	} {
		b := bytes.Clone(whole)
		change(b)
		_, err := decode(r.Kind, r.Key, b)
		require.ErrorIs(t, err, errValue, name)
	}
}

// Decode does not panic on any value and returns valid records only. What it
// accepts, it accepts again after encode.
func FuzzDecode(f *testing.F) {
	r := sample()
	f.Add(encode(&r, &[nonceSize]byte{}))
	r = storage.Record{Kind: storage.Code, Key: "k", State: storage.Spent}
	f.Add(encode(&r, &[nonceSize]byte{}))
	f.Add([]byte("11\x00\x00\x00nonce nonce \x00\x00\xff\xff\xff\xff\x0f"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		got, err := decode(storage.Code, "key", value)
		if err != nil {
			require.Equal(t, storage.Record{}, got)
			return
		}
		require.NoError(t, got.Validate())
		again, err := decode(got.Kind, got.Key, encode(&got, &[nonceSize]byte{}))
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}

// A cursor of this package is read, and every other text is refused.
func FuzzParseCursor(f *testing.F) {
	f.Add("")
	f.Add("AAAA")
	key := strings.Repeat("k", cursorKeySize)
	s, err := New(answering(key, nil, new(int)), "grantwell", safe)
	require.NoError(f, err)
	f.Add(seal([]byte(key), "access:"+storage.Key("x")))
	f.Add(seal([]byte(key), "a:\xff\x00"))
	f.Add(seal([]byte("another key"), "access:"+storage.Key("x")))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := s.parseCursor(t.Context(), text)
		if err != nil {
			require.ErrorIs(t, err, errCursor)
			require.Empty(t, m)
			return
		}
		require.Equal(t, text, seal([]byte(key), m))
	})
}
