package grantwell

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// Guesses is the kind of the records of a [SharedLimiter]. With [storage.Route] they can live apart from the tokens.
const Guesses storage.Kind = "guess"

// SharedLimiter counts failed guesses in a store, for all instances of a server together: no number of guesses at once,
// on any number of instances, passes a limit. It refuses and waits as [MemoryLimiter] does. When the store
// fails, Attempt does too, and the request is answered with 503: nobody guesses unseen.
//
// # What it costs
//
// A guess that may be made writes two or three short records for each key that it is counted by, one that is refused writes
// none and seldom asks the store. A key is stored as its hash. Every record expires after four windows at most, and is
// then for the store's sweep to remove. Client secrets that were generated are compared without it while they are right.
//
// # What it needs
//
// A store that keeps the contract of [storage.Records], and clocks that differ by less than the shortest window. A process that
// dies during a guess leaves it counted as a failure.
type SharedLimiter struct {
	records storage.Records
	limits  map[string]Limit
	mu      sync.Mutex
	tallies map[string]*register // what is known here; only a cache
}

// maxFailures bounds how many failures a SharedLimiter counts for a key, because they are one record's data.
const maxFailures = 1000

// guessLease is how long a guess is waited for. One that lasts longer counts as failed until it is done.
const guessLease = 15 * time.Second

var _ grants.Limiter = (*SharedLimiter)(nil)

// NewSharedLimiter returns a limiter over records with limits by kind of key, as [NewLimiterWith] takes them; nil stands for
// those of [NewLimiter]. All instances must have the same limits. It is an error if records is nil, a limit has no window
// or allows more than 1000 failures.
func NewSharedLimiter(records storage.Records, limits map[string]Limit) (*SharedLimiter, error) {
	if records == nil {
		return nil, errors.New("grantwell: shared limiter: records are missing")
	}
	if limits == nil {
		limits = defaultLimits()
	}
	for kind, limit := range limits {
		if limit.Failures > maxFailures || limit.Failures > 0 && limit.Window < time.Second {
			return nil, fmt.Errorf("grantwell: shared limiter: the limit of %q allows above %d failures, or its window is below a second", kind, maxFailures)
		}
	}
	return &SharedLimiter{records: records, limits: limits, tallies: make(map[string]*register)}, nil
}

// Attempt implements [grants.Limiter].
func (l *SharedLimiter) Attempt(ctx context.Context, key string) (func(bool), time.Duration, error) {
	limit := limitOf(l.limits, key)
	if limit.Failures <= 0 {
		return func(bool) {}, 0, nil
	}
	r, id := l.register(key, limit), rand.Text()
	for {
		wait, busy, err := r.begin(ctx, id)
		switch {
		case err != nil:
			return nil, 0, fmt.Errorf("grantwell: shared limiter: %w", err)
		case wait > 0:
			return nil, wait, nil
		case !busy:
			var once sync.Once
			return func(success bool) { once.Do(func() { r.end(ctx, id, success) }) }, 0, nil
		}
		select { // another instance cannot wake us
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-time.After(10*time.Millisecond + mathrand.N(20*time.Millisecond)):
		}
	}
}

// register returns the key's. Which are forgotten to make room does not matter: the store has them.
func (l *SharedLimiter) register(key string, limit Limit) *register {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.tallies[key]
	if r == nil {
		for old := range l.tallies {
			if len(l.tallies) < maxLimiterKeys {
				break
			}
			delete(l.tallies, old)
		}
		r = &register{records: l.records, key: storage.Key(key), limit: limit, version: -1, held: make(chan struct{}, 1)}
		l.tallies[key] = r
	}
	return r
}

// begin enters a guess into the tally if there is room. A wait above zero refuses it; busy says that the guesses under way decide.
func (r *register) begin(ctx context.Context, id string) (wait time.Duration, busy bool, err error) {
	if err := r.hold(ctx); err != nil {
		return 0, false, err
	}
	defer r.release()
	for fresh := false; ; {
		now := time.Now()
		// A failure is not taken back, so that this needs no newer state.
		if wait := r.tally.full(now, r.limit, false); wait > 0 {
			return wait, false, nil
		}
		if !fresh && r.era < r.eraOf(now) {
			if err := r.settle(ctx, now); err != nil {
				return 0, false, err
			}
			fresh = true
		}
		next := r.tally.since(now.Add(-r.limit.Window))
		switch {
		case len(next.Tries) < r.limit.Failures:
			next.Tries = append(next.Tries, try{ID: id, At: now.UnixMicro()})
			err := r.put(ctx, next)
			if !errors.Is(err, storage.ErrExists) {
				return 0, false, err
			}
		case fresh:
			wait := next.full(now, r.limit, true)
			return wait, wait == 0, nil
		}
		if err := r.settle(ctx, now); err != nil { // somebody else was first, or what is known here is old
			return 0, false, err
		}
		fresh = true
	}
}

// end strikes a right guess out, and marks a wrong one. It works on when the request has ended; if the store fails now, the
// guess counts as wrong.
func (r *register) end(ctx context.Context, id string, success bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if r.hold(ctx) != nil {
		return
	}
	defer r.release()
	for {
		now := time.Now()
		if r.era < r.eraOf(now) && r.settle(ctx, now) != nil {
			return
		}
		next := r.tally.since(now.Add(-r.limit.Window)).without(id)
		if !success {
			next.Tries = append(next.Tries, try{ID: id, At: now.UnixMicro(), Failed: true})
		}
		if err := r.put(ctx, next); !errors.Is(err, storage.ErrExists) || r.settle(ctx, now) != nil {
			return
		}
	}
}
