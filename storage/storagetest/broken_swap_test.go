package storagetest

import (
	"context"
	"errors"
	"runtime"

	"github.com/grantwell/grantwell/storage"
)

func wrongSwaps() []wrong {
	type client = storage.Client
	swap := func(f func(s mem, ctx ctxt, old *client, next client) error) func(*hooked) {
		return func(h *hooked) { h.swap = f }
	}
	return []wrong{
		{"swap that compares nothing", []string{"ClientSwap"}, swap(func(s mem, ctx ctxt, _ *client, next client) error {
			return s.PutClient(ctx, next)
		})},
		{"swap that looks first", []string{"ClientSwapRace"}, swap(func(s mem, ctx ctxt, old *client, next client) error {
			stored, err := s.Client(ctx, next.ID)
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			if (err == nil) != (old != nil) || old != nil && !stored.Equal(old) {
				return storage.ErrConflict
			}
			for range 100 {
				runtime.Gosched()
			}
			return s.PutClient(ctx, next)
		})},
		{"swap of what is gone makes it anew", []string{"ClientSwap"}, swap(func(s mem, ctx ctxt, old *client, next client) error {
			if _, err := s.Client(ctx, next.ID); errors.Is(err, storage.ErrNotFound) {
				old = nil
			}
			return s.SwapClient(ctx, old, next)
		})},
		{"swap that compares names only", []string{"ClientSwap"}, swap(func(s mem, ctx ctxt, old *client, next client) error {
			stored, err := s.Client(ctx, next.ID)
			if err == nil && old != nil && stored.CreatedBy == old.CreatedBy {
				old = &stored
			}
			return s.SwapClient(ctx, old, next)
		})},
		{"context ignored by SwapClient", []string{"ClientSwap"}, swap(func(s mem, ctx ctxt, old *client, next client) error {
			return s.SwapClient(context.WithoutCancel(ctx), old, next)
		})},
	}
}
