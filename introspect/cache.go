package introspect

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// cache keeps answers under the SHA-256 of the whole token, so that two tokens
// never share one. When it is full, the least recently used answer goes.
type cache struct {
	mu      sync.Mutex
	limit   int
	entries map[[sha256.Size]byte]*list.Element
	recent  *list.List // of *entry, the most recently used first
}

type entry struct {
	key   [sha256.Size]byte
	token *Token
	until time.Time
}

func newCache(limit int) *cache {
	return &cache{
		limit:   limit,
		entries: make(map[[sha256.Size]byte]*list.Element),
		recent:  list.New(),
	}
}

// find returns an answer that may still be used, or nil. The caller must not
// change it.
func (c *cache) find(key [sha256.Size]byte, now time.Time) *Token {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[key]
	if !ok {
		return nil
	}
	found := element.Value.(*entry)
	if !now.Before(found.until) {
		c.remove(element)
		return nil
	}
	c.recent.MoveToFront(element)
	return found.token
}

// put keeps an answer until the given time, in place of an earlier one. An answer
// whose time has passed is not kept.
func (c *cache) put(key [sha256.Size]byte, t *Token, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[key]; ok {
		c.remove(old)
	}
	if !time.Now().Before(until) {
		return
	}
	c.entries[key] = c.recent.PushFront(&entry{key, t, until})
	for len(c.entries) > c.limit {
		c.remove(c.recent.Back())
	}
}

func (c *cache) drop(key [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.entries[key]; ok {
		c.remove(element)
	}
}

func (c *cache) remove(element *list.Element) {
	delete(c.entries, element.Value.(*entry).key)
	c.recent.Remove(element)
}
