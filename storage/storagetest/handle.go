package storagetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// opensSecond reports whether the caller can open a second handle.
func opensSecond(_ storage.Records, o Options) bool { return o.Second != nil }

// atOnce reports whether a write is one transaction, so that a write which fails
// is seen by no reader.
func atOnce(_ storage.Records, o Options) bool { return !o.Spread }

// handles returns the store, and a second handle of the same records if the caller
// can open one.
func (p *probe) handles() []storage.Records {
	all := []storage.Records{p.store}
	if p.second != nil {
		all = append(all, p.second())
	}
	return all
}

// committed requires that each write which returned nil is seen through a second
// handle, and that a write through the second one is seen through the first. A
// write that waits for a COMMIT, or in a cache, is seen by its own handle only.
func committed(p *probe) {
	handles := p.handles()
	for i, store := range handles {
		other := handles[(i+1)%len(handles)]
		seen := func(call string, want storage.Record) {
			p.Helper()
			got, err := other.Get(p.ctx, want.Kind, want.Key)
			require.NoError(p, err, "%s returned nil, and another handle of the store does not see the %s", call, want.Kind)
			require.Equal(p, stateName(want.State), stateName(got.State),
				"%s returned nil, and another handle of the store sees the former state of the %s", call, want.Kind)
		}

		grant := fmt.Sprint("grant", i)
		code := p.record(storage.Code, fmt.Sprint("code", i), grant)
		access := p.record(storage.Access, fmt.Sprint("access", i), grant)
		require.NoError(p, store.Insert(p.ctx, code), "Insert")
		seen("Insert", code)

		require.NoError(p, store.Advance(p.ctx, storage.Active, with(code, storage.Spent), access), "Advance")
		seen("Advance", with(code, storage.Spent))
		seen("Advance", access)
		err := other.Advance(p.ctx, storage.Active, with(code, storage.Spent))
		require.ErrorIs(p, err, storage.ErrConflict, "Advance of a code that was spent through another handle")

		require.NoError(p, store.Revoke(p.ctx, p.grant(grant)), "Revoke")
		seen("Revoke", with(code, storage.Revoked))
		seen("Revoke", with(access, storage.Revoked))
		p.clientSeen(store, other)
	}
}

// clientSeen requires that a client which was stored through one handle is seen
// through another, if the store keeps clients.
func (p *probe) clientSeen(store, other storage.Records) {
	p.Helper()
	writer, ok := store.(storage.Registrar)
	if !ok {
		return
	}
	reader, ok := other.(storage.Registrar)
	require.True(p, ok, "the second handle stores no clients")

	c := machineClient("seen")
	require.NoError(p, writer.PutClient(p.ctx, c), "PutClient")
	_, err := reader.Client(p.ctx, c.ID)
	require.NoError(p, err, "PutClient returned nil, and another handle of the store does not see the client")
	require.NoError(p, writer.DeleteClient(p.ctx, c.ID), "DeleteClient")
	_, err = reader.Client(p.ctx, c.ID)
	require.ErrorIs(p, err, storage.ErrNotFound, "DeleteClient returned nil, and another handle of the store sees the client")
}

// dirtyRead requires that no reader, on any handle, sees what a write does before
// it fails.
func dirtyRead(p *probe) {
	handles := p.handles()
	taken := p.record(storage.Refresh, "taken", "taken")
	p.insert(taken)
	for round := range p.opts.Rounds {
		grant := fmt.Sprint("grant", round)
		code := p.record(storage.Code, fmt.Sprint("code", round), grant)
		access := p.record(storage.Access, fmt.Sprint("access", round), grant)
		p.insert(code)

		// The records that are taken come last, so that others are written before.
		var done atomic.Bool
		errs := parallel(1+len(handles), func(i int) error {
			if i == 0 {
				defer done.Store(true)
				return p.failingWrites(code, access, taken)
			}
			for last := false; !last; runtime.Gosched() {
				last = done.Load()
				if err := undisturbed(p.ctx, handles[i-1], code, access); err != nil {
					return err
				}
			}
			return nil
		})
		for _, err := range errs {
			require.NoError(p, err, "round %d", round)
		}
	}
}

// failingWrites makes two writes that fail at their last record.
func (p *probe) failingWrites(code, access, taken storage.Record) error {
	if err := p.store.Advance(p.ctx, storage.Active, with(code, storage.Spent), access, taken); !errors.Is(err, storage.ErrExists) {
		return fmt.Errorf("Advance with a taken key: %w", orNil(err))
	}
	if err := p.store.Insert(p.ctx, access, taken); !errors.Is(err, storage.ErrExists) {
		return fmt.Errorf("Insert of a taken key: %w", orNil(err))
	}
	return nil
}

// orNil returns an error that can be wrapped.
func orNil(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// undisturbed returns an error if a reader sees the code spent or the token stored.
func undisturbed(ctx context.Context, store storage.Records, code, access storage.Record) error {
	got, err := store.Get(ctx, code.Kind, code.Key)
	if err != nil {
		return err
	}
	if got.State != storage.Active {
		return fmt.Errorf("a reader saw the code as %s, by a write that failed", stateName(got.State))
	}
	if _, err := store.Get(ctx, access.Kind, access.Key); !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("a reader saw an access token of a write that failed: %w", orNil(err))
	}
	return nil
}
