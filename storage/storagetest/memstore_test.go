package storagetest_test

import (
	"testing"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// The store in memory, which every power of the contract is tried on, passes the whole kit.
//
// Holds S160, S164, S167, I1, I3, I5, I9, I11.
func TestKit_RightStorePasses(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(*testing.T) storage.Records { return memstore.New() })
}
