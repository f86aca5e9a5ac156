package memstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/grantwell/grantwell/storage"
)

// found is a record on its way into a page.
type found struct {
	id   id
	key  string // only of an odd one
	seen seen
}

// List implements [storage.Lister]. Records come in the order of their keys' bytes. With a GrantID a page takes time
// in proportion to the grant's records, otherwise to the records of the shards that it reads.
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
		n, err := s.parseCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		after = &n
	}
	var page []found
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
	recs := make([]storage.Record, len(page))
	for i := range page {
		f := &page[i]
		key := f.key
		if !f.id.odd {
			key = strict.EncodeToString(f.id.sum[:])
		}
		recs[i] = f.seen.unpack(s.kinds.kind(f.id.kind), key)
	}
	return recs, next, nil
}

// listAll collects the first limit matches behind after, shard by shard.
func (s *Store) listAll(ctx context.Context, q storage.Query, after *id, limit int) ([]found, error) {
	matches := s.matcher(q)
	first := 0
	if after != nil {
		first = after.shard()
	}
	var page []found
	for i := first; i < shardCount && len(page) < limit; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		page = append(page, s.listShard(i, matches, after, limit-len(page))...)
	}
	return page, nil
}

// listShard returns the first limit matches of a shard. It keeps a few times as many at most.
func (s *Store) listShard(number int, matches func(id, *value) bool, after *id, limit int) []found {
	sh := &s.shards[number]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	var page []found
	for n, r := range sh.records {
		e := s.at(r)
		if after != nil && n.compare(*after) <= 0 || !matches(n, &e.value) {
			continue
		}
		page = append(page, found{id: n, key: sh.odd[n], seen: s.see(&e.value)})
		if len(page) >= 4*limit {
			page = smallest(page, limit)
		}
	}
	return smallest(page, limit)
}

// listGrant collects from the grant's list.
func (s *Store) listGrant(q storage.Query, after *id, limit int) []found {
	matches := s.matcher(q)
	hash := s.hash(q.GrantID)
	home := &s.shards[home(hash)]
	var ids []id
	home.mu.RLock()
	if f := s.find(hash, q.GrantID); f != 0 {
		for r := s.family(f).head; r != 0; r = s.at(r).next {
			ids = append(ids, s.at(r).id)
		}
	}
	home.mu.RUnlock()
	var page []found
	for _, n := range ids {
		if after != nil && n.compare(*after) <= 0 {
			continue
		}
		sh := &s.shards[n.shard()]
		sh.mu.RLock()
		if r := sh.records[n]; r != 0 && matches(n, &s.at(r).value) {
			page = append(page, found{id: n, key: sh.odd[n], seen: s.see(&s.at(r).value)})
		}
		sh.mu.RUnlock()
	}
	return smallest(page, limit)
}

func smallest(page []found, limit int) []found {
	slices.SortFunc(page, func(a, b found) int { return a.id.compare(b.id) })
	return page[:min(len(page), limit)]
}

// matcher returns the query's filter.
func (s *Store) matcher(q storage.Query) func(id, *value) bool {
	kind, known := s.kinds.find(q.Kind)
	return func(n id, v *value) bool {
		return (q.Kind == "" || known && n.kind == kind) &&
			(q.ClientID == "" || v.shape.Value().client == q.ClientID) &&
			(q.Subject == "" || s.who(v) == q.Subject) &&
			(q.GrantID == "" || v.family != 0 && s.family(v.family).name() == q.GrantID)
	}
}

var errCursor = errors.New("memstore: not a cursor of this store")

// cursor writes an id, and a checksum by which parseCursor tells a cursor from other text.
func (s *Store) cursor(n id) string {
	b := append([]byte{}, n.sum[:]...)
	odd := byte(0)
	if n.odd {
		odd = 1
	}
	b = append(b, byte(n.kind>>8), byte(n.kind), odd)
	sum := sha256.Sum256(b)
	return strict.EncodeToString(append(b, sum[:4]...))
}

func (s *Store) parseCursor(text string) (id, error) {
	var n id
	if len(text) != 52 {
		return n, errCursor
	}
	b, err := strict.DecodeString(text)
	if err != nil || len(b) != 39 {
		return n, errCursor
	}
	copy(n.sum[:], b)
	n.kind = uint16(b[32])<<8 | uint16(b[33])
	n.odd = b[34] == 1
	if int(n.kind) >= s.kinds.len() || s.cursor(n) != text {
		return n, errCursor
	}
	return n, nil
}
