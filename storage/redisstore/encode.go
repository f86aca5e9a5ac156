package redisstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// version is the first byte of every value. A reader refuses one that it does not know.
const version = '1'

// nonceSize is how many random bytes mark a write as this one. Two calls never write the same bytes,
// so that a script which runs a second time knows its own work.
const nonceSize = 12

// never is how the zero ExpiresAt is kept.
var never = time.Time{}.UnixMilli()

// errValue tells that a value is not one that this package wrote.
var errValue = errors.New("redisstore: a stored value is of another version, or damaged")

// encode writes all of a record but Kind and Key, which name it:
//
//	version, state as a digit, grant NUL client NUL subject NUL, nonce, varint issued, varint expires (milliseconds
//	since 1970), two lists (uvarint number, then uvarint length and bytes of each), data to the end
//
// The scripts read the first five. The record is valid: none of the texts has a NUL.
func encode(r *storage.Record, nonce *[nonceSize]byte) []byte {
	b := make([]byte, 0, 128+len(r.GrantID)+len(r.ClientID)+len(r.Subject)+len(r.Data))
	b = append(b, version, digit(r.State))
	for _, s := range [...]string{r.GrantID, r.ClientID, r.Subject} {
		b = append(append(b, s...), 0)
	}
	b = append(b, nonce[:]...)
	b = binary.AppendVarint(b, r.IssuedAt.UnixMilli())
	b = binary.AppendVarint(b, expiry(r))
	for _, list := range [...][]string{r.Scope, r.Audience} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	return append(b, r.Data...)
}

func digit(s storage.State) byte { return '0' + byte(s) }

// expiry returns when the record expires, in milliseconds.
func expiry(r *storage.Record) int64 {
	ms := r.ExpiresAt.UnixMilli()
	if ms == never && !r.ExpiresAt.IsZero() {
		ms++ // the first moment of year 1 is long ago, not never
	}
	return ms
}

// decode reads what encode wrote. The record shares no memory with value.
func decode(kind storage.Kind, key string, value []byte) (storage.Record, error) {
	r := storage.Record{Kind: kind, Key: key}
	if len(value) < 2 || value[0] != version {
		return storage.Record{}, errValue
	}
	r.State = storage.State(value[1] - '0')
	rest := value[2:]
	for _, s := range [...]*string{&r.GrantID, &r.ClientID, &r.Subject} {
		end := bytes.IndexByte(rest, 0)
		if end < 0 {
			return storage.Record{}, errValue
		}
		*s, rest = string(rest[:end]), rest[end+1:]
	}
	if len(rest) < nonceSize {
		return storage.Record{}, errValue
	}
	rest = rest[nonceSize:]
	for _, t := range [...]*time.Time{&r.IssuedAt, &r.ExpiresAt} {
		ms, n := binary.Varint(rest)
		if n <= 0 {
			return storage.Record{}, errValue
		}
		*t, rest = time.UnixMilli(ms).UTC(), rest[n:]
	}
	for _, list := range [...]*[]string{&r.Scope, &r.Audience} {
		var ok bool
		if *list, rest, ok = decodeList(rest); !ok {
			return storage.Record{}, errValue
		}
	}
	if len(rest) > 0 {
		r.Data = bytes.Clone(rest)
	}
	if r.Validate() != nil {
		return storage.Record{}, errValue
	}
	return r, nil
}

// decodeList reads a list. Every element takes a byte at least, which bounds their number before any is made.
func decodeList(b []byte) (list []string, rest []byte, ok bool) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	for range count {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, nil, false
		}
		list = append(list, string(b[n:n+int(size)]))
		b = b[n+int(size):]
	}
	return list, b, true
}
