package storagetest

import (
	"errors"
	"runtime"
	"sync"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// wrongCommits are stores whose own reads show every write, and whose other handles
// do not, or show too much.
func wrongCommits() []wrong {
	return []wrong{
		{"insert without commit", []string{"Committed"}, func(h *hooked) {
			open := memstore.New() // what the transaction of the handle has
			h.insert = func(_ mem, ctx ctxt, recs []rec) error { return open.Insert(ctx, recs...) }
			h.get = func(_ mem, ctx ctxt, k storage.Kind, key string) (rec, error) { return open.Get(ctx, k, key) }
			h.advance = func(_ mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
				return open.Advance(ctx, from, next, inserts...)
			}
			h.revoke = func(_ mem, ctx ctxt, grant string, kinds []storage.Kind) error {
				return open.Revoke(ctx, grant, kinds...)
			}
		}},
		{"advance without commit", []string{"Committed"}, advance(func(mem, ctxt, storage.State, rec, []rec) error { return nil })},
		{"revoke without commit", []string{"Committed"}, func(h *hooked) {
			h.revoke = func(mem, ctxt, string, []storage.Kind) error { return nil }
		}},
		{"put without commit", []string{"Committed"}, func(h *hooked) {
			h.put = func(mem, ctxt, storage.Client) error { return nil }
		}},
		{"a cache of records", []string{"Committed"}, func(h *hooked) {
			var cache sync.Map
			h.get = func(s mem, ctx ctxt, k storage.Kind, key string) (rec, error) {
				if r, ok := cache.Load(key); ok {
					return r.(rec), nil
				}
				r, err := s.Get(ctx, k, key)
				if err == nil {
					cache.Store(key, r)
				}
				return r, err
			}
		}},
		{"advance is seen before it fails", []string{"DirtyRead"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			err := s.Advance(ctx, from, next, inserts...)
			if !errors.Is(err, storage.ErrExists) {
				return err
			}
			before, failed := s.Get(ctx, next.Kind, next.Key)
			if failed != nil {
				return failed
			}
			force(ctx, s, next, next.State)
			for range 50 {
				runtime.Gosched()
			}
			force(ctx, s, before, before.State)
			return err
		})},
		{"insert is seen before it fails", []string{"DirtyRead"}, func(h *hooked) {
			var open sync.Map // what transactions have written
			h.insert = func(s mem, ctx ctxt, recs []rec) error {
				for _, r := range recs {
					open.Store(r.Key, r)
				}
				for range 50 {
					runtime.Gosched()
				}
				err := s.Insert(ctx, recs...)
				for _, r := range recs {
					open.Delete(r.Key)
				}
				return err
			}
			h.get = func(s mem, ctx ctxt, k storage.Kind, key string) (rec, error) {
				if r, ok := open.Load(key); ok {
					return r.(rec), nil
				}
				return s.Get(ctx, k, key)
			}
		}},
	}
}
