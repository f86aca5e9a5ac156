package memstore

import (
	"context"
	"slices"

	"github.com/grantwell/grantwell/storage"
)

// match is a record that a query matches.
type match struct {
	id    id
	key   string // only if the id is odd
	value snapshot
}

// List implements [storage.Lister]. Records are in the order of the bytes of
// their keys. With a GrantID the time is proportional to the number of the
// grant's records, otherwise to that of the records in the shards that the page
// reads.
func (s *Store) List(ctx context.Context, q storage.Query) ([]storage.Record, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	limit := q.Limit
	if limit < 1 || limit > 1000 {
		limit = 100
	}
	var after *id
	if q.After != "" {
		// An error and not an empty page: the caller would believe that it has
		// seen everything.
		n, err := s.parseCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		after = &n
	}

	// One record more than the page has shows whether there is a next page.
	var page []match
	var err error
	if q.GrantID != "" {
		page = s.listGrant(q, after, limit+1)
	} else if page, err = s.listAll(ctx, q, after, limit+1); err != nil {
		return nil, "", err
	}
	next := ""
	if len(page) > limit {
		page = page[:limit]
		next = s.cursor(page[limit-1].id)
	}

	// The records are made after all locks are released.
	recs := make([]storage.Record, len(page))
	for i := range page {
		m := &page[i]
		key := m.key
		if !m.id.odd {
			key = strict.EncodeToString(m.id.sum[:])
		}
		recs[i] = m.value.unpack(s.kinds.kind(m.id.kind), key)
	}
	return recs, next, nil
}

// listAll returns the first matches that follow after, at most limit. Shards are
// in the order of ids, so it reads one after the other.
func (s *Store) listAll(ctx context.Context, q storage.Query, after *id, limit int) ([]match, error) {
	matches := s.filter(q)
	first := 0
	if after != nil {
		first = after.shard()
	}
	var page []match
	// A cursor in the middle of a shard skips the earlier shards.
	for i := first; i < shardCount && len(page) < limit; i++ {
		// A full scan of a large store takes seconds.
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		page = append(page, s.listShard(i, matches, after, limit-len(page))...)
	}
	return page, nil
}

// listShard returns the first matches in a shard, at most limit. The map of
// records has no order, so it reads all of them. It keeps at most four times
// limit, to bound the memory.
func (s *Store) listShard(number int, matches func(id, *value) bool, after *id, limit int) []match {
	sh := &s.shards[number]
	sh.mu.RLock()
	defer sh.mu.RUnlock()

	var page []match
	for n, r := range sh.records {
		e := s.at(r)
		if after != nil && n.compare(*after) <= 0 || !matches(n, &e.value) {
			continue
		}
		page = append(page, match{
			id:    n,
			key:   sh.odd[n],
			value: s.snapshot(&e.value),
		})
		// Sorting at four times the limit costs less than at each record.
		if len(page) >= 4*limit {
			page = smallest(page, limit)
		}
	}
	return smallest(page, limit)
}

// listGrant returns the first matches in a family, at most limit.
func (s *Store) listGrant(q storage.Query, after *id, limit int) []match {
	matches := s.filter(q)

	// The home guards the list, and each shard guards its records. A record
	// that leaves the family in between no longer matches.
	hash := s.hash(q.GrantID)
	home := &s.shards[home(hash)]
	var ids []id
	home.mu.RLock()
	if f := s.findFamily(hash, q.GrantID); f != 0 {
		for r := s.family(f).head; r != 0; r = s.at(r).next {
			ids = append(ids, s.at(r).id)
		}
	}
	home.mu.RUnlock()

	var page []match
	for _, n := range ids {
		if after != nil && n.compare(*after) <= 0 {
			continue
		}
		sh := &s.shards[n.shard()]
		sh.mu.RLock()
		if r := sh.records[n]; r != 0 && matches(n, &s.at(r).value) {
			page = append(page, match{
				id:    n,
				key:   sh.odd[n],
				value: s.snapshot(&s.at(r).value),
			})
		}
		sh.mu.RUnlock()
	}
	return smallest(page, limit)
}

// smallest returns the first matches in order, at most limit.
func smallest(page []match, limit int) []match {
	slices.SortFunc(page, func(a, b match) int { return a.id.compare(b.id) })
	return page[:min(len(page), limit)]
}

// filter returns a function that reports whether a query matches a record. The
// record's shard is locked when it is called.
func (s *Store) filter(q storage.Query) func(id, *value) bool {
	// A kind without a number matches nothing, and the empty one everything.
	kind, known := s.kinds.find(q.Kind)
	return func(n id, v *value) bool {
		return (q.Kind == "" || known && n.kind == kind) &&
			(q.ClientID == "" || v.shape.Value().client == q.ClientID) &&
			(q.Subject == "" || s.subjectOf(v) == q.Subject) &&
			(q.GrantID == "" || v.family != 0 && s.family(v.family).grantID() == q.GrantID)
	}
}
