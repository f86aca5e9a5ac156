package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt/errors"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/storagetest"
)

func open(t *testing.T, path string) Store {
	t.Helper()
	s, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.db.Close()) })
	return s
}

// A store that was written from the contract alone passes the kit that tests the
// stores of this repository.
//
// Holds: house: expiry at use; house: one contract for stores; house: one winner;
// house: one write; house: revocation has no gap; house: stores by kind;
// house: sweeping; house: used once.
func TestStore_KeepsContract(t *testing.T) {
	storagetest.RunWith(
		t,
		storagetest.Options{Rounds: 20, Objects: 200},
		func(t *testing.T) storage.Records {
			return open(t, filepath.Join(t.TempDir(), "records.db"))
		},
	)
}

// Two processes cannot open the same file.
func TestOpen_SecondFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	open(t, path)
	_, err := Open(path)
	require.ErrorIs(t, err, errors.ErrTimeout)
}
