package assertion

import (
	"crypto/sha256"
	"sync"
)

// parsedSets holds the key sets that were parsed last, by the digest of their text.
// The keys of a client are the same for all its assertions, and reading them takes
// longer than everything else but the signature. A set depends on its text alone,
// is public, and does not change, so all servers of a process can share it.
var parsedSets setCache

const (
	maxParsed = 1024 // sets
	// maxParsedKeys is the number of keys in a set that is kept. Larger sets
	// are rare, and would fill the memory.
	maxParsedKeys = 4
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
	if len(set.keys) > maxParsedKeys || len(set.dropped) > maxParsedKeys {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sets == nil || len(c.sets) >= maxParsed {
		// All sets are dropped at once. Those in use are soon parsed again.
		c.sets = make(map[[sha256.Size]byte]*KeySet)
	}
	c.sets[digest] = set
}
