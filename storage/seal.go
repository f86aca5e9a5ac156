package storage

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// sealVersion is the first byte of sealed data: AES-256-GCM with the nonce in front.
const sealVersion = 1

// SealOverhead is how many bytes sealing adds: a version, a nonce of 12 bytes and a tag of 16.
const SealOverhead = 1 + 12 + 16

// Seal returns a store that encrypts Data with AES-256-GCM before inner sees it. Each key has 32 random bytes. The first
// one encrypts, all of them decrypt: to rotate, put the new key in front and drop the old one when the last record
// that it sealed has expired. No other field is encrypted; a database needs them to find records.
//
// Data is bound to its record's kind, key, grant, client and subject: moved to another record, or with one
// of these changed, it does not open. A record whose data does not open is an error, never a record without data;
// so is one that was stored in the clear. Empty Data is sealed too, so that none can be taken away unseen.
// What fits the store is [MaxData] less [SealOverhead]. Fewer than 2^32 records may be written under one key.
//
// Sweep and List are passed through when inner has them.
func Seal(inner Records, keys ...[]byte) (Records, error) {
	if inner == nil {
		return nil, errors.New("storage: Seal: nil store")
	}
	if len(keys) == 0 {
		return nil, errors.New("storage: Seal: no key")
	}
	s := &sealer{inner: inner}
	for i, key := range keys {
		if len(key) != 32 {
			return nil, fmt.Errorf("storage: Seal: key %d has %d bytes, not 32", i, len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("storage: Seal: key %d: %w", i, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("storage: Seal: key %d: %w", i, err)
		}
		s.keys = append(s.keys, aead)
	}
	_, lists := inner.(Lister)
	sweeper, sweeps := inner.(Sweeper)
	return withPowers(s, lists, sweeps, s, sweeper), nil
}

// sealer is what Seal returns, less the powers that inner does not have.
type sealer struct {
	inner Records
	keys  []cipher.AEAD // the first seals
}

// bound returns what the data of r belongs to: see [JoinKey], no part can lend bytes to the next.
func bound(r Record) []byte {
	return []byte(JoinKey("grantwell sealed data", string(r.Kind), r.Key, r.GrantID, r.ClientID, r.Subject))
}

func (s *sealer) seal(r Record) (Record, error) {
	if len(r.Data) > MaxData-SealOverhead {
		return r, fmt.Errorf("storage: %s record: data is above %d bytes, too much to seal", r.Kind, MaxData-SealOverhead)
	}
	aead := s.keys[0]
	out := make([]byte, 1+aead.NonceSize(), SealOverhead+len(r.Data))
	out[0] = sealVersion
	nonce := out[1:]
	if _, err := rand.Read(nonce); err != nil {
		return r, fmt.Errorf("storage: sealing: %w", err)
	}
	r.Data = aead.Seal(out, nonce, r.Data, bound(r))
	return r, nil
}

func (s *sealer) sealAll(recs []Record) ([]Record, error) {
	sealed := make([]Record, len(recs))
	for i, r := range recs {
		var err error
		if sealed[i], err = s.seal(r); err != nil {
			return nil, err
		}
	}
	return sealed, nil
}

func (s *sealer) open(r Record) (Record, error) {
	if size := 1 + s.keys[0].NonceSize(); len(r.Data) >= SealOverhead && r.Data[0] == sealVersion {
		nonce, text, about := r.Data[1:size], r.Data[size:], bound(r)
		for _, aead := range s.keys {
			if plain, err := aead.Open(nil, nonce, text, about); err == nil {
				r.Data = plain
				return r, nil
			}
		}
	}
	return Record{}, fmt.Errorf("storage: the data of a %s record does not open: another key, or not what was stored", r.Kind)
}

func (s *sealer) Insert(ctx context.Context, recs ...Record) error {
	sealed, err := s.sealAll(recs)
	if err != nil {
		return err
	}
	return s.inner.Insert(ctx, sealed...)
}

func (s *sealer) Get(ctx context.Context, kind Kind, key string) (Record, error) {
	r, err := s.inner.Get(ctx, kind, key)
	if err != nil {
		return Record{}, err
	}
	return s.open(r)
}

func (s *sealer) Advance(ctx context.Context, from State, next Record, inserts ...Record) error {
	sealed, err := s.sealAll(append([]Record{next}, inserts...))
	if err != nil {
		return err
	}
	return s.inner.Advance(ctx, from, sealed[0], sealed[1:]...)
}

func (s *sealer) Revoke(ctx context.Context, grantID string, kinds ...Kind) error {
	return s.inner.Revoke(ctx, grantID, kinds...)
}

// List opens what inner lists. One record that does not open fails the page.
func (s *sealer) List(ctx context.Context, q Query) ([]Record, string, error) {
	recs, next, err := s.inner.(Lister).List(ctx, q)
	if err != nil {
		return nil, "", err
	}
	for i := range recs {
		if recs[i], err = s.open(recs[i]); err != nil {
			return nil, "", err
		}
	}
	return recs, next, nil
}
