package memstore

import (
	"context"
	"slices"
	"sync"

	"github.com/grantwell/grantwell/storage"
)

// registry keeps the clients. What it holds is cloned on the way in and out.
type registry struct {
	mu      sync.RWMutex
	clients map[string]storage.Client
	ids     []string // sorted
}

// Client implements [storage.Clients].
func (s *Store) Client(ctx context.Context, id string) (storage.Client, error) {
	if err := ctx.Err(); err != nil {
		return storage.Client{}, err
	}
	s.registry.mu.RLock()
	c, ok := s.registry.clients[id]
	s.registry.mu.RUnlock()
	if !ok {
		return storage.Client{}, storage.ErrNotFound
	}
	return c.Clone(), nil
}

// PutClient implements [storage.Registrar].
func (s *Store) PutClient(ctx context.Context, c storage.Client) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.registry.put(c, func(storage.Client, bool) bool { return true })
}

// SwapClient implements [storage.Swapper].
func (s *Store) SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.registry.put(next, func(stored storage.Client, found bool) bool {
		return found == (old != nil) && (old == nil || stored.Equal(*old))
	})
}

// put stores c if what is stored under its ID may be replaced.
func (r *registry) put(c storage.Client, may func(stored storage.Client, found bool) bool) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c = c.Clone()
	r.mu.Lock()
	defer r.mu.Unlock()
	if stored, found := r.clients[c.ID]; !may(stored, found) {
		return storage.ErrConflict
	}
	r.clients[c.ID] = c
	if i, found := slices.BinarySearch(r.ids, c.ID); !found {
		r.ids = slices.Insert(r.ids, i, c.ID)
	}
	return nil
}

// DeleteClient implements [storage.Registrar].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &s.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	i, found := slices.BinarySearch(r.ids, id)
	if !found {
		return storage.ErrNotFound
	}
	r.ids = slices.Delete(r.ids, i, i+1)
	delete(r.clients, id)
	return nil
}

// ListClients implements [storage.Registrar].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]storage.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if limit < 1 || limit > 1000 {
		limit = 100
	}
	r := &s.registry
	r.mu.RLock()
	defer r.mu.RUnlock()
	i, found := slices.BinarySearch(r.ids, after)
	if found {
		i++
	}
	page := r.ids[i:min(i+limit, len(r.ids))]
	list := make([]storage.Client, len(page))
	for j, id := range page {
		list[j] = r.clients[id].Clone()
	}
	return list, nil
}

// HasOrigin implements [storage.OriginFinder].
func (s *Store) HasOrigin(ctx context.Context, origin string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.registry.mu.RLock()
	defer s.registry.mu.RUnlock()
	for _, c := range s.registry.clients {
		if !c.Disabled && slices.Contains(c.Origins, origin) {
			return true, nil
		}
	}
	return false, nil
}
