package storagetest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// recorder replaces *testing.T and records the failures of a case.
type recorder struct {
	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) FailNow()            { runtime.Goexit() }
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// try runs a case on a hooked store and returns its failures. The second handle is the
// memory store, without the hooks.
func try(ctx context.Context, c testCase, store storage.Records, spread bool) []string {
	var r recorder
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := newProbe(&r, ctx, store, Options{Rounds: 60, Objects: 400, Attempts: 4, Spread: spread})
		p.second = func() storage.Records { return store.(*hooked).Store }
		c.run(p)
	}()
	<-done
	return r.failures
}

// hooked is a memory store of which some methods are replaced by wrong ones.
type hooked struct {
	*memstore.Store
	insert      func(s *memstore.Store, ctx context.Context, recs []storage.Record) error
	get         func(s *memstore.Store, ctx context.Context, k storage.Kind, key string) (storage.Record, error)
	advance     func(s *memstore.Store, ctx context.Context, from storage.State, next storage.Record, inserts []storage.Record) error
	revoke      func(s *memstore.Store, ctx context.Context, grant string, kinds []storage.Kind) error
	sweep       func(s *memstore.Store, ctx context.Context, before time.Time, limit int) (int, error)
	list        func(s *memstore.Store, ctx context.Context, q storage.Query) ([]storage.Record, string, error)
	client      func(s *memstore.Store, ctx context.Context, id string) (storage.Client, error)
	put         func(s *memstore.Store, ctx context.Context, c storage.Client) error
	remove      func(s *memstore.Store, ctx context.Context, id string) error
	listClients func(s *memstore.Store, ctx context.Context, after string, limit int) ([]storage.Client, error)
	hasOrigin   func(s *memstore.Store, ctx context.Context, origin string) (bool, error)
	swap        func(s *memstore.Store, ctx context.Context, old *storage.Client, next storage.Client) error
}

func (h *hooked) Insert(ctx context.Context, recs ...storage.Record) error {
	if h.insert != nil {
		return h.insert(h.Store, ctx, recs)
	}
	return h.Store.Insert(ctx, recs...)
}

func (h *hooked) Get(ctx context.Context, k storage.Kind, key string) (storage.Record, error) {
	if h.get != nil {
		return h.get(h.Store, ctx, k, key)
	}
	return h.Store.Get(ctx, k, key)
}

func (h *hooked) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	if h.advance != nil {
		return h.advance(h.Store, ctx, from, next, inserts)
	}
	return h.Store.Advance(ctx, from, next, inserts...)
}

func (h *hooked) Revoke(ctx context.Context, grant string, kinds ...storage.Kind) error {
	if h.revoke != nil {
		return h.revoke(h.Store, ctx, grant, kinds)
	}
	return h.Store.Revoke(ctx, grant, kinds...)
}

func (h *hooked) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	if h.sweep != nil {
		return h.sweep(h.Store, ctx, before, limit)
	}
	return h.Store.Sweep(ctx, before, limit)
}

func (h *hooked) List(ctx context.Context, q storage.Query) ([]storage.Record, string, error) {
	if h.list != nil {
		return h.list(h.Store, ctx, q)
	}
	return h.Store.List(ctx, q)
}

func (h *hooked) Client(ctx context.Context, id string) (storage.Client, error) {
	if h.client != nil {
		return h.client(h.Store, ctx, id)
	}
	return h.Store.Client(ctx, id)
}

func (h *hooked) PutClient(ctx context.Context, c storage.Client) error {
	if h.put != nil {
		return h.put(h.Store, ctx, c)
	}
	return h.Store.PutClient(ctx, c)
}

func (h *hooked) DeleteClient(ctx context.Context, id string) error {
	if h.remove != nil {
		return h.remove(h.Store, ctx, id)
	}
	return h.Store.DeleteClient(ctx, id)
}

func (h *hooked) ListClients(ctx context.Context, after string, limit int) ([]storage.Client, error) {
	if h.listClients != nil {
		return h.listClients(h.Store, ctx, after, limit)
	}
	return h.Store.ListClients(ctx, after, limit)
}

func (h *hooked) SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error {
	if h.swap != nil {
		return h.swap(h.Store, ctx, old, next)
	}
	return h.Store.SwapClient(ctx, old, next)
}

func (h *hooked) HasOrigin(ctx context.Context, origin string) (bool, error) {
	if h.hasOrigin != nil {
		return h.hasOrigin(h.Store, ctx, origin)
	}
	return h.Store.HasOrigin(ctx, origin)
}

// onGet returns a hook that changes what Get returns.
func onGet(change func(*storage.Record)) func(*hooked) {
	return func(h *hooked) {
		h.get = func(s *memstore.Store, ctx context.Context, k storage.Kind, key string) (storage.Record, error) {
			r, err := s.Get(ctx, k, key)
			if err == nil {
				change(&r)
			}
			return r, err
		}
	}
}

// onWrite returns a hook that changes what is written.
func onWrite(change func(*storage.Record)) func(*hooked) {
	all := func(recs []storage.Record) []storage.Record {
		recs = append([]storage.Record{}, recs...)
		for i := range recs {
			change(&recs[i])
		}
		return recs
	}
	return func(h *hooked) {
		h.insert = func(s *memstore.Store, ctx context.Context, recs []storage.Record) error {
			return s.Insert(ctx, all(recs)...)
		}
		h.advance = func(s *memstore.Store, ctx context.Context, from storage.State, next storage.Record, inserts []storage.Record) error {
			change(&next)
			return s.Advance(ctx, from, next, all(inserts)...)
		}
	}
}

// onKey returns a hook that stores records under another kind and key, and returns
// them with their own.
func onKey(change func(k storage.Kind, key string) (storage.Kind, string)) func(*hooked) {
	write := onWrite(func(r *storage.Record) { r.Kind, r.Key = change(r.Kind, r.Key) })
	return func(h *hooked) {
		write(h)
		h.get = func(s *memstore.Store, ctx context.Context, k storage.Kind, key string) (storage.Record, error) {
			k2, key2 := change(k, key)
			r, err := s.Get(ctx, k2, key2)
			if err == nil {
				r.Kind, r.Key = k, key
			}
			return r, err
		}
	}
}

// whole returns every record that the query matches.
func whole(ctx context.Context, s *memstore.Store, q storage.Query) (all []storage.Record) {
	q.Limit, q.After = 1000, ""
	for {
		page, next, err := s.List(ctx, q)
		if err != nil {
			return all
		}
		if all = append(all, page...); next == "" {
			return all
		}
		q.After = next
	}
}

// force sets the state of a record that is in any state.
func force(ctx context.Context, s *memstore.Store, r storage.Record, to storage.State) {
	for {
		now, err := s.Get(ctx, r.Kind, r.Key)
		if err != nil || s.Advance(ctx, now.State, with(now, to)) == nil {
			return
		}
	}
}
