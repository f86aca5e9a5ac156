package memstore

import (
	"context"
	"slices"

	"github.com/grantwell/grantwell/storage"
)

// Revoke implements [storage.Records]. Its time is proportional to the number of
// the grant's records. A Denied record, which is final, stays Denied.
func (s *Store) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if grantID == "" {
		return nil
	}

	// The home is enough to read the family. The shards of its records are
	// known after that.
	hash := s.hash(grantID)
	held := shardSet(1) << home(hash)
	for {
		s.lock(held)
		need := s.tryRevoke(held, s.findFamily(hash, grantID), kinds)
		s.unlock(held)
		if held.covers(need) {
			return nil
		}
		held |= need
	}
}

// tryRevoke revokes the records of a family if held covers their shards.
// Otherwise it changes nothing and returns these shards.
func (s *Store) tryRevoke(held shardSet, list ref, kinds []storage.Kind) (need shardSet) {
	if list == 0 {
		return 0
	}
	// The home is locked, so no record joins or leaves the family meanwhile.
	f := s.family(list)
	for r := f.head; r != 0; r = s.at(r).next {
		need |= r.shardSet()
	}
	if !held.covers(need) {
		return need
	}

	// Every record is locked now, so the family is revoked in one step.
	for r := f.head; r != 0; r = s.at(r).next {
		e := s.at(r)
		if e.state == storage.Denied {
			continue
		}
		if len(kinds) == 0 || slices.Contains(kinds, s.kinds.kind(e.id.kind)) {
			e.state = storage.Revoked
		}
	}
	return 0
}
