package storage

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// sealVersion is the first byte of sealed data: the state of the record, the nonce,
// and what AES-256-GCM returns. Data of another version does not open.
const sealVersion = 2

// SealOverhead is the number of bytes that sealing adds: a version, a state, a
// nonce of 12 bytes and a tag of 16.
const SealOverhead = 1 + 1 + 12 + 16

// sealHead is the number of bytes before the nonce.
const sealHead = 2

// Seal returns a store that encrypts Data with AES-256-GCM before inner stores
// it. No other field is encrypted, because a database needs them to find
// records. Sweep and List are passed on if inner has them.
//
// # Keys
//
// Each key has 32 random bytes. The first one encrypts, all of them decrypt. To
// rotate, put a new key in front, and drop the old one when the last record that
// it sealed has expired. Fewer than 2^32 records may be written under one key.
//
// # What is bound
//
// Data is bound to all other fields of its record: kind, key, state, grant,
// client, subject, scope, audience and both times, to the millisecond. It does not
// open in another record, or after one of these was changed in the database. Each
// Insert and Advance seals anew. Revoke changes the state without the data, so
// the data of a record opens if the record was revoked later.
//
// Data that does not open is an error, and never a record without data. The same
// holds for data that was stored in the clear. Empty Data is sealed too, so that
// removing sealed data is noticed.
//
// An attacker who can write to the database can still remove a record, or put
// back an earlier version of it, complete with its data.
//
// Times are stored in whole milliseconds: a finer part is cut off.
//
// # Size
//
// A record may have at most [MaxData] less [SealOverhead] bytes of Data.
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

// sealer is the store behind [Seal]. It has List whether or not inner has it;
// withPowers hides it.
type sealer struct {
	inner Records
	keys  []cipher.AEAD // the first one seals
}

// bound returns the fields that the data of r is bound to. [JoinKey] keeps them
// apart, so that no character can move from one field to the next. The number of
// scopes keeps those apart from the audience.
func bound(r *Record, state State) []byte {
	parts := make([]string, 0, 10+len(r.Scope)+len(r.Audience))
	parts = append(parts,
		"grantwell sealed data",
		string(r.Kind),
		r.Key,
		strconv.Itoa(int(state)),
		r.GrantID,
		r.ClientID,
		r.Subject,
		strconv.FormatInt(r.IssuedAt.UnixMilli(), 10),
		strconv.FormatInt(r.ExpiresAt.UnixMilli(), 10),
		strconv.Itoa(len(r.Scope)),
	)
	parts = append(parts, r.Scope...)
	parts = append(parts, r.Audience...)
	return []byte(JoinKey(parts...))
}

// seal returns the record with its data sealed: version, state, nonce, ciphertext
// and tag.
func (s *sealer) seal(r Record) (Record, error) {
	if len(r.Data) > MaxData-SealOverhead {
		return r, fmt.Errorf("storage: %s record: data is above %d bytes, too much to seal", r.Kind, MaxData-SealOverhead)
	}
	// A store may drop what is finer than a millisecond, by rounding too.
	r.IssuedAt = wholeMillis(r.IssuedAt)
	r.ExpiresAt = wholeMillis(r.ExpiresAt)

	aead := s.keys[0]
	out := make([]byte, sealHead+aead.NonceSize(), SealOverhead+len(r.Data))
	out[0] = sealVersion
	out[1] = byte(r.State)
	nonce := out[sealHead:]
	if _, err := rand.Read(nonce); err != nil {
		return r, fmt.Errorf("storage: sealing: %w", err)
	}
	r.Data = aead.Seal(out, nonce, r.Data, bound(&r, r.State))
	return r, nil
}

// wholeMillis cuts off what is finer than a millisecond. A time in the first
// millisecond of the year 1 is none that a store has to tell from the zero time,
// and an expiry there must not become none: it keeps one millisecond.
func wholeMillis(t time.Time) time.Time {
	cut := t.Truncate(time.Millisecond)
	if cut.IsZero() && !t.IsZero() {
		return cut.Add(time.Millisecond)
	}
	return cut
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

// open returns the record with the data that was sealed. Sealed data does not
// say which key sealed it, so each key is tried.
func (s *sealer) open(r Record) (Record, error) {
	if len(r.Data) < SealOverhead || r.Data[0] != sealVersion {
		return Record{}, errUnopened(r.Kind)
	}
	// A store changes one field by itself: Revoke sets the state.
	state := State(r.Data[1])
	if state != r.State && r.State != Revoked {
		return Record{}, errUnopened(r.Kind)
	}

	size := sealHead + s.keys[0].NonceSize()
	nonce, text := r.Data[sealHead:size], r.Data[size:]
	about := bound(&r, state)
	for _, aead := range s.keys {
		if plain, err := aead.Open(nil, nonce, text, about); err == nil {
			r.Data = plain
			return r, nil
		}
	}
	return Record{}, errUnopened(r.Kind)
}

func errUnopened(kind Kind) error {
	return fmt.Errorf("storage: the data of a %s record does not open: another key, or not what was stored", kind)
}

// Insert stores sealed records.
func (s *sealer) Insert(ctx context.Context, recs ...Record) error {
	sealed, err := s.sealAll(recs)
	if err != nil {
		return err
	}
	return s.inner.Insert(ctx, sealed...)
}

// Get opens the record that inner returns.
func (s *sealer) Get(ctx context.Context, kind Kind, key string) (Record, error) {
	r, err := s.inner.Get(ctx, kind, key)
	if err != nil {
		return Record{}, err
	}
	return s.open(r)
}

// Advance stores sealed records.
func (s *sealer) Advance(ctx context.Context, from State, next Record, inserts ...Record) error {
	sealed, err := s.sealAll(append([]Record{next}, inserts...))
	if err != nil {
		return err
	}
	return s.inner.Advance(ctx, from, sealed[0], sealed[1:]...)
}

// Revoke needs no data.
func (s *sealer) Revoke(ctx context.Context, grantID string, kinds ...Kind) error {
	return s.inner.Revoke(ctx, grantID, kinds...)
}

// List opens the records that inner lists. If one of them does not open, the
// page fails: a record that is left out would look as if it did not exist.
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
