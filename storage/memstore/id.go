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

// id is a (Kind, Key) in 36 bytes. A Key that is base64url of 32 bytes, as storage.Key makes it, is kept decoded;
// any other is hashed, marked odd so that the two never meet, and kept beside the records.
type id struct {
	sum  [sha256.Size]byte
	kind uint16
	odd  bool
}

var strict = base64.RawURLEncoding.Strict() // refuses a second spelling of the same 32 bytes

func newID(kind uint16, key string) id {
	n := id{kind: kind}
	if len(key) == 43 {
		if size, err := strict.Decode(n.sum[:], []byte(key)); err == nil && size == sha256.Size {
			return n
		}
	}
	n.sum, n.odd = sha256.Sum256([]byte(key)), true
	return n
}

// shard returns the number of the record's shard: the first bits, so that the order of ids is the order of shards.
func (n id) shard() int { return int(n.sum[0] >> 2) }

func (n id) shardSet() shardSet { return 1 << n.shard() }

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

// kindTable numbers kinds in the order in which they first occur. There are a dozen or so:
// looking through a list is quicker than a map. Readers take no lock.
type kindTable struct {
	mu   sync.Mutex
	list atomic.Pointer[[]storage.Kind]
}

// find returns the number of a kind that occurred before.
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

// number returns the kind's number, a new one if need be; false when there are 65536 already.
func (t *kindTable) number(k storage.Kind) (uint16, bool) {
	if n, ok := t.find(k); ok {
		return n, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
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
	l = append(l[:len(l):len(l)], k) // always a new array: readers hold the old one
	t.list.Store(&l)
	return uint16(len(l) - 1), true
}

func (t *kindTable) kind(n uint16) storage.Kind { return (*t.list.Load())[n] }

func (t *kindTable) len() int {
	if l := t.list.Load(); l != nil {
		return len(*l)
	}
	return 0
}
