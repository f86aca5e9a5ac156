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

var (
	records = []byte("records") // kind:key → the record
	index   = []byte("index")   // "g" grant NUL kind:key, for Revoke, and "t" expiry kind:key, for Sweep → nothing
	clients = []byte("clients") // client ID → the client
)

// Store keeps records and clients in a bbolt file. bbolt runs one writing transaction at a time and syncs the file before a
// commit returns. So each call is one transaction, and all that storage asks for comes of that.
type Store struct{ db *bbolt.DB }

// Open opens the file, or makes it. One process may have it open: a second one fails after a second.
func Open(path string) (Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return Store{}, err
	}
	return Store{db}, db.Update(func(tx *bbolt.Tx) (err error) {
		for _, name := range [][]byte{records, index, clients} {
			_, failed := tx.CreateBucketIfNotExists(name)
			err = errors.Join(err, failed)
		}
		return err
	})
}

// write runs f in the writing transaction. If f fails, in whatever of its steps, all that it wrote is undone.
// A caller who gave up while waiting for the turn writes nothing.
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

// load decodes a value, which shares no memory with the file or with another reader.
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

// recordKey is unlike that of any other record: a kind has no colon (see storage.Record.Validate), nor a grant ID a NUL.
func recordKey(kind storage.Kind, key string) []byte { return []byte(string(kind) + ":" + key) }

func byGrant(grantID string) []byte { return []byte("g" + grantID + "\x00") }

// byTime sorts as the times do, those before 1970 too.
func byTime(t time.Time) []byte {
	return binary.BigEndian.AppendUint64([]byte("t"), uint64(t.UnixMicro())^1<<63)
}

// entries returns where the index has the record.
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
		r.IssuedAt, r.ExpiresAt = r.IssuedAt.UTC(), r.ExpiresAt.UTC() // as readers expect them
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

// Advance implements storage.Records. It compares in the transaction that writes: of many, one finds the state it names.
func (s Store) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	return s.write(ctx, func(tx *bbolt.Tx) error {
		var now storage.Record
		if err := load(tx, records, recordKey(next.Kind, next.Key), &now); err != nil {
			return err
		}
		if now.State != from {
			return storage.ErrConflict
		}
		return errors.Join(remove(tx, now), insert(tx, append([]storage.Record{next}, inserts...)...))
	})
}

// Revoke implements storage.Records. An Advance is wholly before it, and what that inserted is in the index, or wholly
// after it, and finds another state.
func (s Store) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	return s.write(ctx, func(tx *bbolt.Tx) error {
		prefix, c := byGrant(grantID), tx.Bucket(index).Cursor()
		for at, _ := c.Seek(prefix); bytes.HasPrefix(at, prefix); at, _ = c.Next() {
			var r storage.Record
			if err := load(tx, records, at[len(prefix):], &r); err != nil {
				return err
			}
			if len(kinds) == 0 || slices.Contains(kinds, r.Kind) {
				r.State = storage.Revoked // the index has no states: the cursor stays good
				if err := save(tx, records, at[len(prefix):], r); err != nil {
					return err
				}
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
		var gone [][]byte // first all of them: a cursor does not survive a deletion
		c := tx.Bucket(index).Cursor()
		for at, _ := c.Seek([]byte("t")); at != nil && bytes.Compare(at, end) < 0 && len(gone) < limit; at, _ = c.Next() {
			gone = append(gone, at[len(end):])
		}
		for _, key := range gone {
			var r storage.Record
			err := load(tx, records, key, &r)
			if err = errors.Join(err, remove(tx, r)); err != nil {
				return err
			}
		}
		removed = len(gone)
		return nil
	})
	return removed, err
}

// Client implements storage.Clients.
func (s Store) Client(ctx context.Context, id string) (storage.Client, error) {
	return find[storage.Client](ctx, s, clients, []byte(id))
}
