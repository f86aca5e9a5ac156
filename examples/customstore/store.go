package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantwell/grantwell/storage"
)

// The buckets of the file.
var (
	// records maps kind:key to the record.
	records = []byte("records")
	// index has "g" grant NUL kind:key for Revoke, and "t" expiry kind:key for Sweep.
	// Its values are empty.
	index = []byte("index")
	// clients maps the ID to the client.
	clients = []byte("clients")
)

// Store keeps records and clients in a bbolt file. bbolt runs one writing transaction
// at a time and syncs the file before a commit returns. Each method is one transaction,
// and that is enough for everything that package storage asks for.
type Store struct{ db *bbolt.DB }

// Open opens the file, and makes it if it does not exist. Only one process may have the
// file open: a second one fails after a second.
func Open(path string) (Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return Store{}, err
	}
	err = db.Update(func(tx *bbolt.Tx) (err error) {
		for _, name := range [][]byte{records, index, clients} {
			_, failed := tx.CreateBucketIfNotExists(name)
			err = errors.Join(err, failed)
		}
		return err
	})

	return Store{db}, err
}

// write runs f in the writing transaction. If f fails, everything that it wrote is
// undone. If the caller has given up while it waited for the transaction, nothing is
// written.
func (s Store) write(ctx context.Context, f func(*bbolt.Tx) error) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return f(tx)
	})
}

func find[T any](ctx context.Context, s Store, bucket, key []byte) (v T, err error) {
	if err := ctx.Err(); err != nil {
		return v, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error { return load(tx, bucket, key, &v) })

	return v, err
}

// load decodes a value. The result shares no memory with the file or with what another
// reader gets.
func load(tx *bbolt.Tx, bucket, key []byte, v any) error {
	value := tx.Bucket(bucket).Get(key)
	if value == nil {
		return storage.ErrNotFound
	}

	return json.Unmarshal(value, v)
}

func save(tx *bbolt.Tx, bucket, key []byte, v any) error {
	value, err := json.Marshal(v)

	return errors.Join(err, tx.Bucket(bucket).Put(key, value))
}

// recordKey returns the key of a record, which no other record has: a kind has no colon
// (see storage.Record.Validate), and a grant ID has no NUL.
func recordKey(kind storage.Kind, key string) []byte { return []byte(string(kind) + ":" + key) }

func byGrant(grantID string) []byte { return []byte("g" + grantID + "\x00") }

// byTime returns a key that sorts as the time does, before 1970 too.
func byTime(t time.Time) []byte {
	return binary.BigEndian.AppendUint64([]byte("t"), uint64(t.UnixMicro())^1<<63)
}

// entries returns the keys under which the index has a record.
func entries(r storage.Record) (at [][]byte) {
	key := recordKey(r.Kind, r.Key)
	if r.GrantID != "" {
		at = append(at, append(byGrant(r.GrantID), key...))
	}
	if !r.ExpiresAt.IsZero() {
		at = append(at, append(byTime(r.ExpiresAt), key...))
	}

	return at
}

func insert(tx *bbolt.Tx, recs ...storage.Record) error {
	for _, r := range recs {
		if err := r.Validate(); err != nil {
			return err
		}
		key := recordKey(r.Kind, r.Key)
		if tx.Bucket(records).Get(key) != nil {
			return storage.ErrExists
		}
		// Readers expect UTC.
		r.IssuedAt = r.IssuedAt.UTC()
		r.ExpiresAt = r.ExpiresAt.UTC()
		err := save(tx, records, key, r)
		for _, at := range entries(r) {
			err = errors.Join(err, tx.Bucket(index).Put(at, nil))
		}
		if err != nil {
			return err
		}
	}

	return nil
}

func remove(tx *bbolt.Tx, r storage.Record) error {
	err := tx.Bucket(records).Delete(recordKey(r.Kind, r.Key))
	for _, at := range entries(r) {
		err = errors.Join(err, tx.Bucket(index).Delete(at))
	}

	return err
}

// Insert implements storage.Records.
func (s Store) Insert(ctx context.Context, recs ...storage.Record) error {
	return s.write(ctx, func(tx *bbolt.Tx) error { return insert(tx, recs...) })
}

// Get implements storage.Records.
func (s Store) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	return find[storage.Record](ctx, s, records, recordKey(kind, key))
}

// Advance implements storage.Records. It compares in the transaction that writes, so
// only one of many callers finds the state that all of them name.
func (s Store) Advance(
	ctx context.Context,
	from storage.State,
	next storage.Record,
	inserts ...storage.Record,
) error {
	return s.write(ctx, func(tx *bbolt.Tx) error {
		var now storage.Record
		if err := load(tx, records, recordKey(next.Kind, next.Key), &now); err != nil {
			return err
		}
		if now.State != from {
			return storage.ErrConflict
		}
		if err := remove(tx, now); err != nil {
			return err
		}
		return insert(tx, append([]storage.Record{next}, inserts...)...)
	})
}

// Revoke implements storage.Records. Only one transaction writes at a time. An Advance
// is therefore either wholly before it, and its records are in the index, or wholly
// after it, and finds another state.
func (s Store) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	return s.write(ctx, func(tx *bbolt.Tx) error {
		prefix := byGrant(grantID)
		c := tx.Bucket(index).Cursor()
		for at, _ := c.Seek(prefix); bytes.HasPrefix(at, prefix); at, _ = c.Next() {
			key := at[len(prefix):]
			var r storage.Record
			if err := load(tx, records, key, &r); err != nil {
				return err
			}
			if len(kinds) > 0 && !slices.Contains(kinds, r.Kind) {
				continue
			}
			// The index does not have the state, so this write leaves the cursor valid.
			r.State = storage.Revoked
			if err := save(tx, records, key, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// Sweep implements storage.Sweeper.
func (s Store) Sweep(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	if limit < 1 {
		limit = 1000
	}
	end := byTime(before)
	err = s.write(ctx, func(tx *bbolt.Tx) error {
		// A deletion makes the cursor invalid, so all keys are collected first.
		var expired [][]byte
		c := tx.Bucket(index).Cursor()
		at, _ := c.Seek([]byte("t"))
		for at != nil && bytes.Compare(at, end) < 0 && len(expired) < limit {
			expired = append(expired, at[len(end):])
			at, _ = c.Next()
		}

		for _, key := range expired {
			var r storage.Record
			if err := load(tx, records, key, &r); err != nil {
				return err
			}
			if err := remove(tx, r); err != nil {
				return err
			}
		}
		removed = len(expired)
		return nil
	})

	return removed, err
}

// Client implements storage.Clients.
func (s Store) Client(ctx context.Context, id string) (storage.Client, error) {
	return find[storage.Client](ctx, s, clients, []byte(id))
}
