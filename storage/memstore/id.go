package memstore

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"sync/atomic"

	"github.com/grantwell/grantwell/storage"
)

// id is a kind and a key in 36 bytes. A key that is base64url of 32 bytes, as
// [storage.Key] makes it, is decoded. Every other key is hashed, and the id is
// marked odd, so that the two cannot be equal. The shard keeps the text of an
// odd key.
type id struct {
	sum  [sha256.Size]byte
	kind uint16
	odd  bool
}

// strict refuses a second spelling of the same 32 bytes: the unused bits of the
// last character have to be zero.
var strict = base64.RawURLEncoding.Strict()

// newID returns the id of a key of the kind with this number.
func newID(kind uint16, key string) id {
	n := id{kind: kind}
	if len(key) == 43 {
		size, err := strict.Decode(n.sum[:], []byte(key))
		if err == nil && size == sha256.Size {
			return n
		}
	}
	n.sum = sha256.Sum256([]byte(key))
	n.odd = true
	return n
}

// shard returns the number of the record's shard. These are the first bits, so
// that ids in order are in the order of shards, which [Store.List] relies on.
func (n id) shard() int { return int(n.sum[0] >> 2) }

func (n id) shardSet() shardSet { return 1 << n.shard() }

// compare orders ids by the bytes of their keys first.
func (n id) compare(m id) int {
	if c := bytes.Compare(n.sum[:], m.sum[:]); c != 0 {
		return c
	}
	if n.odd != m.odd {
		if m.odd {
			return -1
		}
		return 1
	}
	return cmp.Compare(n.kind, m.kind)
}

// kindTable numbers kinds in the order in which they first occur. There are
// about a dozen, and a search through such a list is faster than a map. Readers
// take no lock.
type kindTable struct {
	mu   sync.Mutex // for writers
	list atomic.Pointer[[]storage.Kind]
}

// find returns the number of a kind, and reports whether it has one.
func (t *kindTable) find(k storage.Kind) (uint16, bool) {
	if l := t.list.Load(); l != nil {
		for i, have := range *l {
			if have == k {
				return uint16(i), true
			}
		}
	}
	return 0, false
}

// number returns the number of a kind, a new one if it has none. It returns
// false if all 65536 numbers are taken.
func (t *kindTable) number(k storage.Kind) (uint16, bool) {
	if n, ok := t.find(k); ok {
		return n, true
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	// Another writer may have added it while this one waited.
	if n, ok := t.find(k); ok {
		return n, true
	}

	var l []storage.Kind
	if p := t.list.Load(); p != nil {
		l = *p
	}
	if len(l) > 1<<16-1 {
		return 0, false
	}
	// The capacity is cut, so that append makes a new array: readers may hold
	// the old one.
	l = append(l[:len(l):len(l)], k)
	t.list.Store(&l)
	return uint16(len(l) - 1), true
}

// waitingKinds are the kinds of records that callers without credentials can make.
// They have the first numbers.
var waitingKinds = [...]storage.Kind{storage.Interaction, storage.Pushed}

// waits reports whether the record is of one of the [waitingKinds].
func (n id) waits() bool { return int(n.kind) < len(waitingKinds) }

// kind returns the kind with a number that find or number returned.
func (t *kindTable) kind(n uint16) storage.Kind { return (*t.list.Load())[n] }

// len returns how many kinds have a number.
func (t *kindTable) len() int {
	if l := t.list.Load(); l != nil {
		return len(*l)
	}
	return 0
}
