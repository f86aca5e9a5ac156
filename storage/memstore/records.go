package memstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/storage"
)

var (
	errFull  = errors.New("memstore: full: the bound is reached and no record has expired (see Options.MaxRecords)")
	errKinds = errors.New("memstore: too many kinds")
)

// Get implements [storage.Records].
func (s *Store) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if err := ctx.Err(); err != nil {
		return storage.Record{}, err
	}
	number, ok := s.kinds.find(kind)
	if !ok {
		return storage.Record{}, storage.ErrNotFound
	}
	n := newID(number, key)
	sh := &s.shards[n.shard()]
	sh.mu.RLock()
	at := sh.records[n]
	if at == 0 {
		sh.mu.RUnlock()
		return storage.Record{}, storage.ErrNotFound
	}
	v := s.see(&s.at(at).value)
	sh.mu.RUnlock()
	return v.unpack(kind, key), nil
}

// Insert implements [storage.Records]. It fails when the store's bound is reached and nothing in it has expired.
func (s *Store) Insert(ctx context.Context, recs ...storage.Record) error {
	return s.write(ctx, 0, nil, recs)
}

// Advance implements [storage.Records]. It fails like Insert when the store is full and there is something to insert.
func (s *Store) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	return s.write(ctx, from, &next, inserts)
}

// write is Insert and, with next, Advance.
func (s *Store) write(ctx context.Context, from storage.State, next *storage.Record, recs []storage.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var held shardSet
	var replacement entry
	if next != nil {
		if err := s.pack(&replacement, next); err != nil {
			return err
		}
		held |= replacement.id.shardSet() | s.homeSet(next.GrantID)
	}
	var array [2]entry
	added := array[:0]
	var like *value
	for i := range recs {
		added = append(added, entry{})
		e := &added[i]
		if err := s.pack(e, &recs[i]); err != nil {
			return err
		}
		e.fill(&recs[i], like)
		like = &e.value
		held |= e.id.shardSet() | s.homeSet(recs[i].GrantID)
	}
	for {
		s.lock(held)
		need, err := s.tryWrite(held, from, next, &replacement, recs, added)
		s.unlock(held)
		switch {
		case !held.covers(need):
			held |= need
		case errors.Is(err, errFull) && s.makeRoom(len(added)):
		case err == nil:
			s.tidy(added)
			return nil
		default:
			return err
		}
	}
}

// tryWrite does the write if held, the shards that are locked, are all that it needs; otherwise it
// changes nothing and returns what is missing.
func (s *Store) tryWrite(held shardSet, from storage.State, next *storage.Record, replacement *entry,
	recs []storage.Record, added []entry) (need shardSet, err error) {
	var old ref
	if next != nil {
		if old = s.shards[replacement.id.shard()].records[replacement.id]; old == 0 {
			return 0, storage.ErrNotFound
		}
		switch have := s.at(old); {
		case have.state != from:
			return 0, storage.ErrConflict
		case !held.covers(have.family.shardSet()):
			return have.family.shardSet(), nil
		}
	}
	var array [2]ref
	places := array[:0]
	for i := range added {
		e := &added[i]
		records := s.shards[e.id.shard()].records
		if records[e.id] != 0 {
			s.forget(added[:i])
			return 0, storage.ErrExists
		}
		places = append(places, s.place(e))
		records[e.id] = places[i]
	}
	if n := int64(len(added)); n > 0 && s.count.Add(n) > s.max {
		s.count.Add(-n)
		s.forget(added)
		return 0, errFull
	}
	// Nothing can fail from here on.
	for i := range added {
		e := &added[i]
		sh, r := &s.shards[e.id.shard()], places[i]
		s.join(r, recs[i].GrantID, recs[i].Subject)
		if e.expires != never {
			s.at(r).queued = true
			sh.expiry.add(e.expires, r)
		}
		if e.id.odd {
			if sh.odd == nil {
				sh.odd = map[id]string{}
			}
			sh.odd[e.id] = strings.Clone(recs[i].Key)
		}
	}
	if old != 0 {
		s.replace(old, replacement, next)
	}
	return 0, nil
}

// place keeps an entry in its shard, which is locked, and returns where.
func (s *Store) place(e *entry) ref {
	number := e.id.shard()
	r := s.shards[number].entries.take(number)
	*s.at(r) = *e
	return r
}

// forget takes entries out of their shards that were only put there a moment ago.
func (s *Store) forget(entries []entry) {
	for i := range entries {
		records := s.shards[entries[i].id.shard()].records
		r := records[entries[i].id]
		s.shards[r.shard()].entries.put(r)
		delete(records, entries[i].id)
	}
}

// replace gives old the value of e. The shards of the record and of both grants are locked.
func (s *Store) replace(r ref, e *entry, next *storage.Record) {
	old := s.at(r)
	e.fill(next, &old.value)
	was := old.expires
	if old.family == 0 || s.family(old.family).name() != next.GrantID {
		s.leave(r)
		old.value = e.value
		s.join(r, next.GrantID, next.Subject)
	} else {
		f := old.family
		old.value = e.value
		old.family = f
		s.is(old, next.Subject)
	}
	expiry := &s.shards[old.id.shard()].expiry
	switch {
	case old.expires == was || old.expires == never:
	case !old.queued:
		old.queued = true
		expiry.add(old.expires, r)
	case old.expires < was || was == never:
		expiry.hasten(old.expires, r)
	}
}

// Revoke implements [storage.Records]. It takes time in proportion to the records of the grant.
// A Denied record, which is final, stays Denied.
func (s *Store) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if grantID == "" {
		return nil
	}
	hash := s.hash(grantID)
	held := shardSet(1) << home(hash)
	for {
		s.lock(held)
		need := s.tryRevoke(held, s.find(hash, grantID), kinds)
		s.unlock(held)
		if held.covers(need) {
			return nil
		}
		held |= need
	}
}

// tryRevoke revokes the family if held covers the shards of all its records; otherwise it returns those.
func (s *Store) tryRevoke(held shardSet, list ref, kinds []storage.Kind) (need shardSet) {
	if list == 0 {
		return 0
	}
	f := s.family(list)
	for r := f.head; r != 0; r = s.at(r).next {
		need |= r.shardSet()
	}
	if !held.covers(need) {
		return need
	}
	for r := f.head; r != 0; r = s.at(r).next {
		if e := s.at(r); e.state != storage.Denied && (len(kinds) == 0 || slices.Contains(kinds, s.kinds.kind(e.id.kind))) {
			e.state = storage.Revoked
		}
	}
	return 0
}

// makeRoom removes expired records for n new ones, and tells whether there were any.
func (s *Store) makeRoom(n int) bool {
	removed, err := s.Sweep(context.Background(), time.Now(), n+roomBatch)
	return err == nil && removed > 0
}
