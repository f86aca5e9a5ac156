package storagetest

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// parallel runs f n times at the same moment and returns the errors.
func parallel(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// winners returns how many of the errors are nil. Every other one has to be loser.
func (p *probe) winners(errs []error, loser error) int {
	p.Helper()
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
			continue
		}
		require.ErrorIs(p, err, loser, "the error of a call that came too late")
	}
	return n
}

// oneWinner requires that of eight calls which spend a code and store tokens
// exactly one succeeds, and that only its tokens are stored.
func oneWinner(p *probe) {
	const attempts = 8
	for round := range p.opts.Rounds {
		grant := fmt.Sprint("grant", round)
		code := p.record(storage.Code, fmt.Sprint("code", round), grant)
		p.insert(code)
		token := func(i int) storage.Record {
			return p.record(storage.Access, fmt.Sprint("access", round, ".", i), grant)
		}
		errs := parallel(attempts, func(i int) error {
			next := with(code, storage.Spent)
			next.Subject = fmt.Sprint("winner ", i)
			return p.store.Advance(p.ctx, storage.Active, next, token(i))
		})
		require.Equal(p, 1, p.winners(errs, storage.ErrConflict), "winners of round %d", round)
		for i, err := range errs {
			if err != nil {
				p.missing(token(i))
				continue
			}
			p.stored(token(i))
			require.Equal(p, fmt.Sprint("winner ", i), p.get(code).Subject)
		}
	}
}

// insertOneWinner requires the same of calls that insert one key. Each of them
// inserts a record of its own too.
func insertOneWinner(p *probe) {
	const attempts = 8
	for round := range p.opts.Rounds {
		grant := fmt.Sprint("grant", round)
		mark := p.record(storage.Refresh, fmt.Sprint("taken", round), grant)
		beside := func(i int) storage.Record {
			return p.record(storage.Access, fmt.Sprint("beside", round, ".", i), grant)
		}
		errs := parallel(attempts, func(i int) error {
			if i%2 == 0 { // in either order
				return p.store.Insert(p.ctx, mark, beside(i))
			}
			return p.store.Insert(p.ctx, beside(i), mark)
		})
		// In a store that spreads its writes, a loser may revoke the records of
		// the winner.
		if n := p.winners(errs, storage.ErrExists); !p.opts.Spread || n > 1 {
			require.Equal(p, 1, n, "winners of round %d", round)
		}
		for i, err := range errs {
			if err != nil {
				p.unused(beside(i))
			} else {
				p.kept(beside(i))
			}
		}
	}
}

// neverHalf requires that a reader who sees one part of an Advance sees the others.
func neverHalf(p *probe) {
	for round := range p.opts.Rounds {
		grant := fmt.Sprint("grant", round)
		code := p.record(storage.Code, fmt.Sprint("code", round), grant)
		access := p.record(storage.Access, fmt.Sprint("access", round), grant)
		refresh := p.record(storage.Refresh, fmt.Sprint("refresh", round), grant)
		p.insert(code)

		// Two readers in opposite orders run beside the writer, and once after it.
		var done atomic.Bool
		errs := parallel(3, func(i int) error {
			if i == 0 {
				defer done.Store(true)
				return p.store.Advance(p.ctx, storage.Active, with(code, storage.Spent), access, refresh)
			}
			for last := false; !last; runtime.Gosched() {
				last = done.Load()
				if err := p.wholeOrNothing(i == 1, code, access, refresh); err != nil {
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

// wholeOrNothing reads the records in one of two orders. If one read shows that the
// Advance happened, so must all later ones. In a store that spreads its writes,
// only a token shows it: the code is spent first.
func (p *probe) wholeOrNothing(codeFirst bool, code, access, refresh storage.Record) error {
	order := []storage.Record{access, refresh, code}
	switch {
	case p.opts.Spread && codeFirst:
		order = []storage.Record{refresh, code}
	case p.opts.Spread:
		order = []storage.Record{access, code}
	case codeFirst:
		order = []storage.Record{code, refresh, access}
	}
	happened := false
	for i, r := range order {
		got, err := p.store.Get(p.ctx, r.Kind, r.Key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		now := err == nil && (r.Kind != storage.Code || got.State == storage.Spent)
		if happened && !now {
			return fmt.Errorf("a reader saw half of an Advance: %s after, %s not", order[i-1].Kind, r.Kind)
		}
		happened = now
	}
	return nil
}

// revokeRacesAdvance requires of an Advance that overlaps a Revoke: its tokens are
// revoked, or it fails.
func revokeRacesAdvance(p *probe) {
	for round := range p.opts.Rounds {
		grant := fmt.Sprint("grant", round)
		var codes, tokens []storage.Record
		for i := range 4 {
			codes = append(codes, p.record(storage.Code, fmt.Sprint("code", round, ".", i), grant))
			tokens = append(tokens, p.record(storage.Access, fmt.Sprint("access", round, ".", i), grant))
		}
		p.insert(codes...)
		errs := parallel(len(codes)+1, func(i int) error {
			if i == len(codes)/2 { // started in the middle, not after the others
				return p.store.Revoke(p.ctx, p.grant(grant))
			}
			if i > len(codes)/2 {
				i--
			}
			return p.store.Advance(p.ctx, storage.Active, with(codes[i], storage.Spent), tokens[i])
		})
		// Any number of the codes may have been spent before the revocation.
		p.winners(errs, storage.ErrConflict)
		require.NoError(p, errs[len(codes)/2], "Revoke")
		p.state(storage.Revoked, codes...)
		for i, token := range tokens {
			if i >= len(codes)/2 {
				i++
			}
			if errs[i] != nil {
				p.unused(token)
			} else {
				p.state(storage.Revoked, token)
			}
		}
	}
}

// revokeRacesChain requires that a revocation ends chains of refresh tokens that
// are rotated meanwhile.
func revokeRacesChain(p *probe) { p.raceChain() }

// revokeKindRacesChain requires the same of a revocation of kinds.
func revokeKindRacesChain(p *probe) { p.raceChain(storage.Refresh, storage.Access) }

// raceChain rotates refresh tokens without a pause while the grant is revoked, so
// that the Revoke always overlaps an Advance. A plain UPDATE with a condition on
// the grant would miss what that Advance inserts.
func (p *probe) raceChain(kinds ...storage.Kind) {
	const chains, most = 3, 2000
	for round := range p.opts.Rounds {
		grant := fmt.Sprint("grant", round)
		var issued [chains][]storage.Record
		for c := range chains {
			first := p.record(storage.Refresh, fmt.Sprint("refresh", round, ".", c, ".0"), grant)
			p.insert(first)
			issued[c] = append(issued[c], first)
		}
		var running atomic.Int32
		var revoked atomic.Bool
		errs := parallel(chains+1, func(c int) error {
			if c == chains {
				// Every chain has rotated once before the revocation begins.
				for running.Load() < chains {
					runtime.Gosched()
				}
				defer revoked.Store(true)
				return p.store.Revoke(p.ctx, p.grant(grant), kinds...)
			}
			current := issued[c][0]
			for n := 1; n < most; n++ {
				next := p.record(storage.Refresh, fmt.Sprint("refresh", round, ".", c, ".", n), grant)
				access := p.record(storage.Access, fmt.Sprint("access", round, ".", c, ".", n), grant)
				late := revoked.Load() // before the call: Revoke has returned then
				err := p.store.Advance(p.ctx, storage.Active, with(current, storage.Spent), next, access)
				if n == 2 || err != nil && n < 2 {
					running.Add(1)
				}
				if errors.Is(err, storage.ErrConflict) {
					return nil
				}
				if err != nil {
					return err
				}
				issued[c] = append(issued[c], next, access)
				if late {
					return errors.New("an Advance that began after Revoke had returned has succeeded")
				}
				current = next
			}
			return nil
		})
		for _, err := range errs {
			require.NoError(p, err, "round %d", round)
		}
		for _, recs := range issued {
			p.state(storage.Revoked, recs...)
		}
	}
}

// singleUse redeems many records with several attempts at each, and counts double
// successes and records without a winner.
func singleUse(p *probe) {
	objects, attempts := p.opts.Objects, p.opts.Attempts
	// Each lane redeems one record after the other.
	lanes := min(objects, 2*runtime.GOMAXPROCS(0))
	var taken, double, none, failed atomic.Int64
	errs := parallel(lanes, func(int) error {
		for {
			n := taken.Add(1)
			if n > int64(objects) {
				return nil
			}
			name := fmt.Sprint("object", n)
			code := p.record(storage.Code, name, name)
			if err := p.store.Insert(p.ctx, code); err != nil {
				return err
			}
			wins := 0
			for _, err := range parallel(attempts, func(i int) error {
				return p.store.Advance(p.ctx, storage.Active, with(code, storage.Spent), p.record(storage.Access, fmt.Sprint(name, ".", i), name))
			}) {
				if err == nil {
					wins++
				} else if !errors.Is(err, storage.ErrConflict) {
					failed.Add(1)
				}
			}
			// The tokens that are stored have to agree with the answers.
			found := 0
			for i := range attempts {
				if _, err := p.store.Get(p.ctx, storage.Access, p.key(fmt.Sprint(name, ".", i))); err == nil {
					found++
				}
			}
			if wins > 1 || found > 1 {
				double.Add(1)
			} else if wins == 0 || found == 0 {
				none.Add(1)
			}
		}
	})
	for _, err := range errs {
		require.NoError(p, err)
	}
	p.Logf("%d single-use redemptions, %d attempts at each: %d double successes, %d without a winner, %d failures",
		objects, attempts, double.Load(), none.Load(), failed.Load())
	require.Zero(p, double.Load(), "double successes")
	require.Zero(p, none.Load(), "redemptions without a winner")
	require.Zero(p, failed.Load(), "attempts that failed otherwise")
}
