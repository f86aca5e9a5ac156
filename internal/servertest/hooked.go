package servertest

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/storage"
)

// StoreFault is the text of an error as a database gives it. No answer to a
// client may contain any of it.
const StoreFault = "pq: relation oauth_records of host 10.1.2.3"

// Call is one call of a store.
type Call struct {
	// Name is the method: Client, Insert, Get, Advance or Revoke.
	Name string

	// Kind is the kind of the record, of the first one for Insert. It is
	// empty for Client and Revoke.
	Kind storage.Kind

	// Key is the key of that record, the ID of the client, or the ID of the
	// grant that is revoked.
	Key string
}

// Hooked is a store that asks the test before each call. The call fails with
// the error that the test returns, and reaches the store if there is none. A
// test may also wait, panic, or change the store there.
type Hooked struct {
	storage.Records
	storage.Clients

	before atomic.Pointer[func(context.Context, Call) error]
}

// NewHooked builds a server like [New], over a store that asks the test before
// each call. change sees the hooked store in the configuration.
func NewHooked(t testing.TB, change func(*grantwell.Config)) (*Server, *Hooked) {
	t.Helper()
	var store *Hooked
	s := New(t, func(cfg *grantwell.Config) {
		store = Hook(cfg)
		if change != nil {
			change(cfg)
		}
	})
	return s, store
}

// Hook puts a [Hooked] before the records and the clients of a configuration.
func Hook(cfg *grantwell.Config) *Hooked {
	h := HookRecords(cfg)
	h.Clients = cfg.Clients
	cfg.Clients = h
	return h
}

// HookRecords puts a [Hooked] before the records of a configuration only. The
// clients keep the optional methods that the administration needs.
func HookRecords(cfg *grantwell.Config) *Hooked {
	h := HookedRecords(cfg.Records)
	cfg.Records = h
	return h
}

// HookedRecords puts a [Hooked] before the records of a store.
func HookedRecords(records storage.Records) *Hooked { return &Hooked{Records: records} }

// Before sets the function that is asked before each call. Nil lets every call
// pass. It may be called while requests run.
func (h *Hooked) Before(f func(ctx context.Context, call Call) error) {
	if f == nil {
		h.before.Store(nil)
		return
	}
	h.before.Store(&f)
}

// Around runs f, whose calls all reach the store. A function that is asked before a
// call makes requests in it.
func (h *Hooked) Around(f func()) {
	before := h.before.Swap(nil)
	defer h.before.Store(before)
	f()
}

// Fail lets the calls of these names fail with an error, or all calls if none
// is named.
func (h *Hooked) Fail(err error, names ...string) {
	h.Before(func(_ context.Context, call Call) error {
		if len(names) == 0 || slices.Contains(names, call.Name) {
			return err
		}
		return nil
	})
}

// Pass lets every call reach the store.
func (h *Hooked) Pass() { h.Before(nil) }

func (h *Hooked) ask(ctx context.Context, call Call) error {
	f := h.before.Load()
	if f == nil {
		return nil
	}
	return (*f)(ctx, call)
}

// Client implements [storage.Clients].
func (h *Hooked) Client(ctx context.Context, id string) (storage.Client, error) {
	if err := h.ask(ctx, Call{Name: "Client", Key: id}); err != nil {
		return storage.Client{}, err
	}
	return h.Clients.Client(ctx, id)
}

// Insert implements [storage.Records].
func (h *Hooked) Insert(ctx context.Context, recs ...storage.Record) error {
	call := Call{Name: "Insert"}
	if len(recs) > 0 {
		call.Kind = recs[0].Kind
		call.Key = recs[0].Key
	}
	if err := h.ask(ctx, call); err != nil {
		return err
	}
	return h.Records.Insert(ctx, recs...)
}

// Get implements [storage.Records].
func (h *Hooked) Get(
	ctx context.Context, kind storage.Kind, key string,
) (storage.Record, error) {
	if err := h.ask(ctx, Call{Name: "Get", Kind: kind, Key: key}); err != nil {
		return storage.Record{}, err
	}
	return h.Records.Get(ctx, kind, key)
}

// Advance implements [storage.Records].
func (h *Hooked) Advance(
	ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record,
) error {
	if err := h.ask(ctx, Call{Name: "Advance", Kind: next.Kind, Key: next.Key}); err != nil {
		return err
	}
	return h.Records.Advance(ctx, from, next, inserts...)
}

// Revoke implements [storage.Records].
func (h *Hooked) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if err := h.ask(ctx, Call{Name: "Revoke", Key: grantID}); err != nil {
		return err
	}
	return h.Records.Revoke(ctx, grantID, kinds...)
}
