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

// maxParsedKeys is the number of keys in all sets that are kept, those that were left
// out included. A set counts as one key more, so that sets without keys are bounded too.
//
// Large sets are kept as well as small ones: to read 64 keys for each token that names
// their owner would cost more than the signatures that the bound on tries allows.
const maxParsedKeys = 8192

type setCache struct {
	mu   sync.RWMutex
	sets map[[sha256.Size]byte]*KeySet
	keys int // of all sets, each counted as weight does
}

// weight returns what a set counts for.
func weight(set *KeySet) int { return 1 + len(set.keys) + len(set.dropped) }

func (c *setCache) find(digest [sha256.Size]byte) *KeySet {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.sets[digest]
}

func (c *setCache) keep(digest [sha256.Size]byte, set *KeySet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sets[digest] != nil {
		// Another caller has read the same text meanwhile.
		return
	}
	if c.sets == nil || c.keys+weight(set) > maxParsedKeys {
		// All sets are dropped at once. Those in use are soon parsed again.
		c.sets = make(map[[sha256.Size]byte]*KeySet)
		c.keys = 0
	}
	c.sets[digest] = set
	c.keys += weight(set)
}
