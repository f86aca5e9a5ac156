package storage_test

import (
	"bytes"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

func sealed(t testing.TB, inner storage.Records, keys ...string) storage.Records {
	t.Helper()
	var raw [][]byte
	for _, k := range keys {
		raw = append(raw, bytes.Repeat([]byte(k), 32)[:32])
	}
	s, err := storage.Seal(inner, raw...)
	require.NoError(t, err)
	return s
}

func secret(kind storage.Kind, name string) storage.Record {
	return storage.Record{
		Kind: kind, Key: storage.Key(name), State: storage.Active, GrantID: "g-" + name, ClientID: "client", Subject: "alice",
		IssuedAt: time.Now().UTC(), ExpiresAt: time.Now().Add(time.Hour).UTC(), Data: []byte(`{"email":"alice@example.org"}`),
	}
}

// A sealed store keeps every promise of its store.
//
// Holds: house: encrypted records; house: one contract for stores.
func TestSeal_KeepsContract(t *testing.T) {
	t.Parallel()
	storagetest.RunWith(t, storagetest.Options{Rounds: 20, Objects: 100}, func(t *testing.T) storage.Records { return sealed(t, memstore.New(), "a") })
}

// While keys rotate, records that were written before stay readable. Without
// the key of a record, reading it is an error.
//
// Holds: house: encrypted records.
func TestSeal_KeysRotate(t *testing.T) {
	t.Parallel()
	ctx, inner := t.Context(), memstore.New()
	old, both, young := sealed(t, inner, "a"), sealed(t, inner, "b", "a"), sealed(t, inner, "b")
	was, is := secret(storage.Code, "was"), secret(storage.Code, "is")
	require.NoError(t, old.Insert(ctx, was))
	require.NoError(t, both.Insert(ctx, is))
	read := func(s storage.Records, r storage.Record) (string, error) {
		got, err := s.Get(ctx, r.Kind, r.Key)
		return string(got.Data), err
	}
	for _, r := range []storage.Record{was, is} {
		data, err := read(both, r)
		require.NoError(t, err)
		require.Equal(t, string(r.Data), data)
	}
	_, err := read(old, is)
	require.ErrorContains(t, err, "does not open")
	data, err := read(young, was)
	require.ErrorContains(t, err, "does not open")
	require.Empty(t, data)
	require.NotErrorIs(t, err, storage.ErrNotFound)
	require.NoError(t, both.Advance(ctx, storage.Active, was), "an update seals with the first key")
	_, err = read(young, was)
	require.NoError(t, err)
}

// The store has no part of Data in the clear. Data that was moved, changed,
// cut, or stored in the clear does not open.
//
// Holds: house: encrypted records.
func TestSeal_DataBelongsToItsRecord(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	inner := memstore.New()
	s := sealed(t, inner, "a")
	mine, empty := secret(storage.Code, "mine"), secret(storage.Code, "empty")
	empty.Data = nil
	mine.Scope, mine.Audience = []string{"read", "write"}, []string{"https://api.example"}
	require.NoError(t, s.Insert(ctx, mine, empty, secret(storage.Code, "twin")))
	stored, err := inner.Get(ctx, mine.Kind, mine.Key)
	require.NoError(t, err)
	require.NotContains(t, string(stored.Data), "alice")
	require.Len(t, stored.Data, len(mine.Data)+storage.SealOverhead)
	twin, err := inner.Get(ctx, mine.Kind, storage.Key("twin"))
	require.NoError(t, err)
	require.NotEqual(t, stored.Data, twin.Data, "the same data is sealed differently each time")
	got, err := s.Get(ctx, empty.Kind, empty.Key)
	require.NoError(t, err)
	require.Empty(t, got.Data)

	before := stored.State
	stored.State = storage.Revoked // what a store may change: Revoke does
	for name, change := range map[string]func(*storage.Record){
		"kind":       func(r *storage.Record) { r.Kind = storage.Refresh },
		"key":        func(r *storage.Record) { r.Key = storage.Key("other") },
		"grant":      func(r *storage.Record) { r.GrantID = "g" },
		"no grant":   func(r *storage.Record) { r.GrantID = "" },
		"client":     func(r *storage.Record) { r.ClientID = "evil" },
		"subject":    func(r *storage.Record) { r.Subject = "bob" },
		"boundary":   func(r *storage.Record) { r.ClientID, r.Subject = r.ClientID+"a", r.Subject[1:] },
		"state":      func(r *storage.Record) { r.State = storage.Spent },
		"denied":     func(r *storage.Record) { r.State = storage.Denied },
		"new state":  func(r *storage.Record) { r.State, r.Data[1] = storage.Spent, byte(storage.Spent) },
		"scope":      func(r *storage.Record) { r.Scope = append(slices.Clone(r.Scope), "admin") },
		"no scope":   func(r *storage.Record) { r.Scope = nil },
		"audience":   func(r *storage.Record) { r.Audience = append(slices.Clone(r.Audience), "https://bank.example") },
		"moved list": func(r *storage.Record) { r.Scope, r.Audience = nil, slices.Concat(r.Scope, r.Audience) },
		"issued":     func(r *storage.Record) { r.IssuedAt = r.IssuedAt.Add(time.Millisecond) },
		"expiry":     func(r *storage.Record) { r.ExpiresAt = r.ExpiresAt.Add(time.Hour) },
		"no expiry":  func(r *storage.Record) { r.ExpiresAt = time.Time{} },
		"version":    func(r *storage.Record) { r.Data[0]++ },
		"nonce":      func(r *storage.Record) { r.Data[1] ^= 1 },
		"text":       func(r *storage.Record) { r.Data[15] ^= 1 },
		"tag":        func(r *storage.Record) { r.Data[len(r.Data)-1] ^= 1 },
		"cut":        func(r *storage.Record) { r.Data = r.Data[:len(r.Data)-1] },
		"cut short":  func(r *storage.Record) { r.Data = r.Data[:5] },
		"taken away": func(r *storage.Record) { r.Data = nil },
		"clear":      func(r *storage.Record) { r.Data = []byte(`{"email":"mallory@example.org","more":"text"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			store := memstore.New()
			r := stored
			r.Data = bytes.Clone(stored.Data)
			change(&r)
			require.NoError(t, store.Insert(ctx, r))
			got, err := sealed(t, store, "a").Get(ctx, r.Kind, r.Key)
			require.ErrorContains(t, err, "does not open")
			require.Equal(t, storage.Record{}, got)
			_, _, err = sealed(t, store, "a").(storage.Lister).List(ctx, storage.Query{})
			require.ErrorContains(t, err, "does not open", "List hides no record")
		})
	}
	for _, state := range []storage.State{before, storage.Revoked} {
		store := memstore.New()
		stored.State = state
		require.NoError(t, store.Insert(ctx, stored))
		_, err = sealed(t, store, "a").Get(ctx, stored.Kind, stored.Key)
		require.NoError(t, err, "unchanged, or revoked")
	}
}

// A store that keeps whole milliseconds, by cutting or by rounding, returns
// sealed data that opens, and the expiry of a record never becomes none.
func TestSeal_OpensWhateverTheStoreDoesWithFinerTimes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for i, at := range []time.Time{
		time.Date(2031, 7, 1, 3, 4, 5, 678_999_999, time.UTC),
		time.Date(1931, 7, 1, 3, 4, 5, 678_000_001, time.UTC),
		time.Time{}.Add(1),
	} {
		inner := memstore.New()
		r := secret(storage.Code, strconv.Itoa(i))
		r.IssuedAt = at
		r.ExpiresAt = at
		require.NoError(t, sealed(t, inner, "a").Insert(ctx, r))

		stored, err := inner.Get(ctx, r.Kind, r.Key)
		require.NoError(t, err)
		for _, keep := range []func(time.Duration) time.Time{stored.ExpiresAt.Truncate, stored.ExpiresAt.Round} {
			stored.ExpiresAt = keep(time.Millisecond)
			store := memstore.New()
			require.NoError(t, store.Insert(ctx, stored))
			got, err := sealed(t, store, "a").Get(ctx, r.Kind, r.Key)
			require.NoError(t, err)
			require.False(t, got.ExpiresAt.IsZero())
		}
	}
}

// plain hides every further interface of a store.
type plain struct{ storage.Records }

type sweeping struct {
	storage.Records
	storage.Sweeper
}

type listing struct {
	storage.Records
	storage.Lister
}

func powers(s storage.Records) (sweeps, lists bool) {
	_, sweeps = s.(storage.Sweeper)
	_, lists = s.(storage.Lister)
	return sweeps, lists
}

// A wrapper implements the interfaces of its store that it can pass on, and no
// others.
func TestSealAndRoute_ImplementWhatTheirStoresDo(t *testing.T) {
	t.Parallel()
	m := memstore.New()
	for _, c := range []struct {
		inner         storage.Records
		sweeps, lists bool
	}{{m, true, true}, {plain{m}, false, false}, {sweeping{m, m}, true, false}, {listing{m, m}, false, true}} {
		sweeps, lists := powers(sealed(t, c.inner, "a"))
		require.Equal(t, c.sweeps, sweeps)
		require.Equal(t, c.lists, lists)
		sweeps, lists = powers(storage.Route(c.inner, nil))
		require.Equal(t, c.sweeps, sweeps)
		require.Equal(t, c.lists, lists)
		sweeps, lists = powers(storage.Route(m, map[storage.Kind]storage.Records{storage.Code: c.inner}))
		require.True(t, sweeps, "those that can be swept are")
		require.Equal(t, c.lists, lists, "a listing of some stores would not be whole")
	}
}

// Seal needs at least one key, and each has 32 bytes.
//
// Holds: house: encrypted records.
func TestSeal_RefusesBadKeys(t *testing.T) {
	t.Parallel()
	for _, keys := range [][][]byte{{}, {nil}, {make([]byte, 16)}, {make([]byte, 32), make([]byte, 31)}} {
		_, err := storage.Seal(memstore.New(), keys...)
		require.ErrorContains(t, err, "storage: Seal: ")
	}
	_, err := storage.Seal(nil, make([]byte, 32))
	require.Error(t, err)
	s := sealed(t, memstore.New(), "a")
	r := secret(storage.Code, "large")
	r.Data = make([]byte, storage.MaxData-storage.SealOverhead+1)
	require.ErrorContains(t, s.Insert(t.Context(), r), "too much to seal")
}
