package memstore

import (
	"context"
	"errors"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

var (
	errFull  = errors.New("memstore: full: the bound is reached and no record has expired (see Options.MaxRecords)")
	errWaits = errors.New("memstore: full: as many requests wait as the bound allows (see Options.MaxWaiting)")
	errKinds = errors.New("memstore: too many kinds")
)

// Get implements [storage.Records]. It locks one shard for as long as it takes
// to copy the record.
func (s *Store) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if err := ctx.Err(); err != nil {
		return storage.Record{}, err
	}
	number, ok := s.kinds.find(kind)
	if !ok {
		return storage.Record{}, storage.ErrNotFound // no record of the kind was ever written
	}

	n := newID(number, key)
	sh := &s.shards[n.shard()]
	sh.mu.RLock()
	at := sh.records[n]
	if at == 0 {
		sh.mu.RUnlock()
		return storage.Record{}, storage.ErrNotFound
	}
	v := s.snapshot(&s.at(at).value)
	sh.mu.RUnlock()
	return v.unpack(kind, key), nil
}

// Insert implements [storage.Records]. It fails if the store's bound is reached
// and no record has expired.
func (s *Store) Insert(ctx context.Context, recs ...storage.Record) error {
	return s.write(ctx, 0, nil, recs)
}

// Advance implements [storage.Records]. If there is something to insert, it
// fails as Insert does.
func (s *Store) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	return s.write(ctx, from, &next, inserts)
}

// write is Insert and, if next is not nil, Advance. It locks the shards that it
// knows to need, and repeats the attempt with more locks, or after a sweep, until
// the write is done or fails for good.
func (s *Store) write(ctx context.Context, from storage.State, next *storage.Record, recs []storage.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}

	// As much as possible is done before the locks are taken.
	var held shardSet
	var replacement entry
	if next != nil {
		if err := s.pack(&replacement, next); err != nil {
			return err
		}
		held |= replacement.id.shardSet() | s.homeSet(next.GrantID)
	}
	var array [2]entry // most writes add at most two, which stay on the stack
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
			held |= need // and try again
		case (errors.Is(err, errFull) || errors.Is(err, errWaits)) && s.makeRoom(len(added)):
		case err == nil:
			s.tidy(added)
			return nil
		default:
			return err
		}
	}
}

// tryWrite does the write if held, the set of locked shards, has all shards that
// it needs. Otherwise it changes nothing and returns the ones that are missing.
func (s *Store) tryWrite(held shardSet, from storage.State, next *storage.Record, replacement *entry,
	recs []storage.Record, added []entry) (need shardSet, err error) {
	// First the record that is spent: ErrConflict wins over ErrExists.
	var old ref
	if next != nil {
		if old = s.shards[replacement.id.shard()].records[replacement.id]; old == 0 {
			return 0, storage.ErrNotFound
		}
		switch have := s.at(old); {
		case have.state != from:
			return 0, storage.ErrConflict
		case !held.covers(have.family.shardSet()):
			// The record leaves its present family, whose home may be another
			// one than that of next.
			return have.family.shardSet(), nil
		}
	}

	// Then the inserts. Two of them may have the same key, so each is placed
	// before the next is looked up.
	var array [2]ref
	places := array[:0]
	for i := range added {
		e := &added[i]
		records := s.shards[e.id.shard()].records
		if records[e.id] != 0 {
			s.unplace(added[:i])
			return 0, storage.ErrExists
		}
		places = append(places, s.place(e))
		records[e.id] = places[i]
	}
	if err := s.reserve(added); err != nil {
		s.unplace(added)
		return 0, err
	}

	// Nothing fails from here on.
	for i := range added {
		s.settle(places[i], &added[i], &recs[i])
	}
	if old != 0 {
		s.replace(old, replacement, next)
	}
	return 0, nil
}

// reserve counts entries that are added, unless there are too many. It counts before it
// checks, because writers of other shards count too.
func (s *Store) reserve(added []entry) error {
	n, waiting := int64(len(added)), int64(0)
	for i := range added {
		if added[i].id.waits() {
			waiting++
		}
	}
	if waiting > 0 && s.waiting.Add(waiting) > s.maxWaiting {
		s.waiting.Add(-waiting)
		return errWaits
	}
	if n > 0 && s.count.Add(n) > s.max {
		s.count.Add(-n)
		s.waiting.Add(-waiting)
		return errFull
	}

	return nil
}

// place copies an entry into its shard, which is locked, and returns its ref.
func (s *Store) place(e *entry) ref {
	number := e.id.shard()
	r := s.shards[number].entries.take(number)
	*s.at(r) = *e
	return r
}

// unplace removes entries that this write has just placed.
func (s *Store) unplace(entries []entry) {
	for i := range entries {
		records := s.shards[entries[i].id.shard()].records
		r := records[entries[i].id]
		s.shards[r.shard()].entries.put(r)
		delete(records, entries[i].id)
	}
}

// settle adds a placed entry to its family and to the indexes of its shard.
func (s *Store) settle(r ref, e *entry, rec *storage.Record) {
	sh := &s.shards[e.id.shard()]
	s.join(r, rec.GrantID, rec.Subject)
	// What never expires is never swept, and is not in the heap.
	if e.expires != never {
		s.at(r).queued = true
		sh.expiry.add(e.expires, r)
	}
	// List needs the key, and an odd id does not have it.
	if e.id.odd {
		if sh.odd == nil {
			sh.odd = map[id]string{}
		}
		sh.odd[e.id] = strings.Clone(rec.Key)
	}
}

// replace gives the entry of r the value of e. The shards of the record and of
// both grants are locked.
func (s *Store) replace(r ref, e *entry, next *storage.Record) {
	old := s.at(r)
	e.fill(next, &old.value)
	was := old.expires

	if old.family == 0 || s.family(old.family).grantID() != next.GrantID {
		s.leave(r)
		old.value = e.value
		s.join(r, next.GrantID, next.Subject)
	} else {
		// The usual case: the record stays in its family, at its place.
		f := old.family
		old.value = e.value
		old.family = f
		s.setSubject(old, next.Subject)
	}

	expiry := &s.shards[old.id.shard()].expiry
	switch {
	case old.expires == was || old.expires == never:
		// An entry in the heap that never expires is removed when it is due.
	case !old.queued:
		// It did not expire so far.
		old.queued = true
		expiry.add(old.expires, r)
	case old.expires < was || was == never:
		// It is in the heap by a time that may be too late.
		expiry.moveEarlier(old.expires, r)
	}
}
