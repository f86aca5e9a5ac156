package storagetest

import (
	"context"
	"fmt"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// swapper returns the store as a swapper.
func (p *probe) swapper() storage.Swapper { return p.store.(storage.Swapper) }

// clientSwapped requires that a client is replaced only if the caller names the
// stored one.
func clientSwapped(p *probe) {
	full, other := fullClients()[0], machineClient("other")
	require.NoError(p, p.registrar().PutClient(p.ctx, other))
	require.ErrorIs(p, p.swapper().SwapClient(p.ctx, &full, full), storage.ErrConflict, "there is none")
	require.NoError(p, p.swapper().SwapClient(p.ctx, nil, full))
	p.clientStored(full)
	again := full.Clone()
	again.Name = "another of the same ID"
	require.ErrorIs(p, p.swapper().SwapClient(p.ctx, nil, again), storage.ErrConflict, "there is one")
	p.clientStored(full)

	read, err := p.registrar().Client(p.ctx, full.ID)
	require.NoError(p, err)

	// A swap, a second one after it, and one that changes nothing.
	for n := range 3 {
		next := read.Clone()
		next.Disabled, next.Name = n == 0, fmt.Sprint("name ", min(n, 1))
		require.NoError(p, p.swapper().SwapClient(p.ctx, &read, next), "swap %d", n)
		p.clientStored(next)
		if n == 0 {
			require.ErrorIs(p, p.swapper().SwapClient(p.ctx, &read, again), storage.ErrConflict, "the client was read before the swap")
			p.clientStored(next)
		}
		read, err = p.registrar().Client(p.ctx, full.ID)
		require.NoError(p, err)
	}

	bad := read.Clone()
	bad.RedirectURIs = []string{"javascript:alert(1)"}
	require.ErrorContains(p, p.swapper().SwapClient(p.ctx, &read, bad), "redirect_uris")
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	require.Error(p, p.swapper().SwapClient(ctx, &read, again), "SwapClient with a cancelled context")
	p.clientStored(read)

	require.NoError(p, p.registrar().DeleteClient(p.ctx, full.ID))
	require.ErrorIs(p, p.swapper().SwapClient(p.ctx, &read, again), storage.ErrConflict, "it is gone")
	_, err = p.registrar().Client(p.ctx, full.ID)
	require.ErrorIs(p, err, storage.ErrNotFound)
	p.clientStored(other)
}

// clientSwapRace requires that of several concurrent changes of a client exactly
// one succeeds, and that its change is stored.
func clientSwapRace(p *probe) {
	const rivals = 8
	for round := range 5 {
		// In every second round there is no client yet.
		var old *storage.Client
		before := machineClient(fmt.Sprint("raced", round/2))
		if read, err := p.registrar().Client(p.ctx, before.ID); err == nil {
			old, before = &read, read.Clone()
		}
		errs := make([]error, rivals)
		var wg sync.WaitGroup
		for i := range rivals {
			wg.Go(func() {
				next := before.Clone()
				next.Name = fmt.Sprint("round ", round, " rival ", i)
				errs[i] = p.swapper().SwapClient(p.ctx, old, next)
			})
		}
		wg.Wait()
		winner := -1
		for i, err := range errs {
			if err == nil {
				require.Negative(p, winner, "two changes of one client won")
				winner = i
				continue
			}
			require.ErrorIs(p, err, storage.ErrConflict)
		}
		require.GreaterOrEqual(p, winner, 0, "no change of a client won")
		before.Name = fmt.Sprint("round ", round, " rival ", winner)
		p.clientStored(before)
	}
}
