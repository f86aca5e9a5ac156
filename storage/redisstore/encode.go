package redisstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// version is the first byte of every record. A record of another version is
// refused.
const version = '1'

// nonceSize is the number of random bytes in each write. Two calls never write
// the same bytes, so a script that runs a second time recognises its own work.
const nonceSize = 12

// never is the stored form of the zero ExpiresAt.
var never = time.Time{}.UnixMilli()

// errValue is the error for a value that this package did not write. It does not
// quote the value, which may hold a key.
var errValue = errors.New("redisstore: a stored value is of another version, or damaged")

// encode returns the value of a record. Kind and Key are in its name. A value is
//
//	version                            1 byte
//	state                              1 digit
//	grant NUL client NUL subject NUL
//	nonce                              12 bytes
//	issued, expires                    varints, milliseconds since 1970
//	scope, audience                    uvarint number, then uvarint length and bytes of each
//	data                               to the end
//
// The scripts read everything before the nonce. The record is valid, so none of
// the texts has a NUL.
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

// digit returns a state as the scripts read and write it.
func digit(s storage.State) byte { return '0' + byte(s) }

// expiry returns when the record expires, in milliseconds.
func expiry(r *storage.Record) int64 {
	ms := r.ExpiresAt.UnixMilli()
	if ms == never && !r.ExpiresAt.IsZero() {
		ms++ // a time in the first millisecond of year 1 is not never
	}
	return ms
}

// decode reads what encode wrote. The record shares no memory with value. Every
// length is checked, because the value may be damaged.
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
	// A state that is none, or text that could not have been stored.
	if r.Validate() != nil {
		return storage.Record{}, errValue
	}
	return r, nil
}

// decodeList reads a list. Every element takes at least one byte, which bounds
// their number before memory is allocated for them.
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
