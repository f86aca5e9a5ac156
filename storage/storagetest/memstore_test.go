package storagetest_test

import (
	"testing"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// The store in memory, which every power of the contract is tried on, passes the whole kit.
//
// Holds: house: any instance; house: expiry at use; house: one contract for stores;
// house: one winner; house: one write; house: revocation has no gap;
// house: sweeping; house: used once.
func TestKit_RightStorePasses(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(*testing.T) storage.Records { return memstore.New() })
}
