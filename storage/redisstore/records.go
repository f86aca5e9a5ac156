package redisstore

import (
	"context"
	"crypto/rand"
	"strconv"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// Insert implements [storage.Records]: one round trip.
func (s *Store) Insert(ctx context.Context, recs ...storage.Record) error {
	args, err := pack(nil, recs)
	if err != nil {
		return err
	}
	if len(recs) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, insertScript, args...)
}

// Get implements [storage.Records]: one round trip.
func (s *Store) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if (storage.Record{Kind: kind, Key: key, State: storage.Active}).Validate() != nil {
		// It cannot be stored, and its name might be the name of another key.
		if err := ctx.Err(); err != nil {
			return storage.Record{}, err
		}
		return storage.Record{}, storage.ErrNotFound
	}
	answer, err := s.runKey(ctx, getScript, s.base+"r:"+string(kind)+":"+key)
	if err != nil {
		return storage.Record{}, err
	}
	value, err := text(answer)
	if err != nil {
		return storage.Record{}, err
	}
	if len(value) == 0 {
		return storage.Record{}, storage.ErrNotFound
	}
	return decode(kind, key, value)
}

// Advance implements [storage.Records]: one round trip.
func (s *Store) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	// The scripts expect the replaced record first.
	all := make([]storage.Record, 0, 4)
	args, err := pack([]any{string(digit(from))}, append(append(all, next), inserts...))
	if err != nil {
		return err
	}
	return s.write(ctx, advanceScript, args...)
}

// Revoke implements [storage.Records]: one round trip. Its time is proportional to
// the number of the grant's records, and Redis serves no other client meanwhile.
func (s *Store) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if grantID == "" {
		return ctx.Err()
	}
	// The script compares and writes the states as digits.
	args := append(make([]any, 0, 3+len(kinds)), grantID, string(digit(storage.Revoked)), string(digit(storage.Denied)))
	for _, k := range kinds {
		args = append(args, string(k))
	}
	return s.write(ctx, revokeScript, args...)
}

// Sweep implements [storage.Sweeper]. One round trip removes 200 records.
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	if limit < 1 {
		limit = sweepLimit
	}
	swept := 0
	for swept < limit {
		piece := min(sweepPiece, limit-swept)
		answer, err := s.run(ctx, sweepScript, strconv.FormatInt(before.UnixMilli(), 10), strconv.Itoa(piece))
		if err != nil {
			return swept, err
		}
		n, err := number(answer)
		if err != nil {
			return swept, err
		}
		swept += int(n)
		// Fewer than the script would remove: no more have expired.
		if int(n) < piece {
			break
		}
	}
	return swept, nil
}

// pack appends member, value and expiry of each record to args. The expiry of a
// record that never expires is empty.
func pack(args []any, recs []storage.Record) ([]any, error) {
	// All records of one write have the same nonce.
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // never fails
	for i := range recs {
		r := &recs[i]
		if err := r.Validate(); err != nil {
			return nil, err
		}
		expires := ""
		if ms := expiry(r); ms != never {
			expires = strconv.FormatInt(ms, 10)
		}
		args = append(args, member(r.Kind, r.Key), string(encode(r, &nonce)), expires)
	}
	return args, nil
}

// member returns the name of a record in the indexes. A kind has no colon, so two
// records never have the same name.
func member(kind storage.Kind, key string) string { return string(kind) + ":" + key }
