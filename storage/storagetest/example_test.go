package storagetest_test

import (
	"testing"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// A store of the host holds the contract of package storage if its test passes. Each
// case gets an empty store.
func ExampleRun() {
	run := func(t *testing.T) {
		storagetest.Run(t, func(*testing.T) storage.Records { return memstore.New() })
	}
	_ = run // go test calls it
}

// A store that is slow to reach needs smaller races. A second handle shows what was
// acknowledged and not committed: a store on a database opens another pool here. The
// memory of a process has one handle.
func ExampleRunWith() {
	run := func(t *testing.T) {
		o := storagetest.Options{
			Rounds:  10,
			Objects: 50,
			Second:  func(_ *testing.T, first storage.Records) storage.Records { return first },
		}
		storagetest.RunWith(t, o, func(*testing.T) storage.Records { return memstore.New() })
	}
	_ = run // go test calls it
}
