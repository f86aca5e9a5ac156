package assertion

import (
	"crypto/sha256"
	"sync"
)

// The key sets that were parsed last, by the digest of their text: a client's keys are the same for every assertion of its, and reading
// them takes longer than all else but the signature. What is remembered follows from the text alone, is public, and is
// never changed.
var parsedSets setCache

const (
	maxParsed     = 1024 // sets
	maxParsedKeys = 4    // in one that is remembered: larger ones are few, and would fill the memory
)

type setCache struct {
	mu   sync.RWMutex
	sets map[[sha256.Size]byte]*KeySet
}

func (c *setCache) find(digest [sha256.Size]byte) *KeySet {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.sets[digest]
}

func (c *setCache) keep(digest [sha256.Size]byte, set *KeySet) {
	if len(set.keys) > maxParsedKeys {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sets == nil || len(c.sets) >= maxParsed {
		c.sets = make(map[[sha256.Size]byte]*KeySet) // those in use come back at once
	}
	c.sets[digest] = set
}
