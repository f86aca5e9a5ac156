package limit

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

// Guesses is the kind of the records of a [Shared]. With storage.Route they can live
// in another store than the tokens.
const Guesses storage.Kind = "guess"

// Shared counts failed guesses in a store, for all instances of a server together:
// no number of guesses at the same moment, on any number of instances, passes a
// limit. It refuses and waits as [Memory] does. If the store fails, Attempt fails
// too, and the request is answered with status 503. What bounds work ("assertion" and
// "waiting") is counted in this process alone, without the store.
//
// # Cost
//
// A guess that is allowed writes two or three short records for each key that it is
// counted by. A guess that is refused writes none and seldom reads. A key is stored
// as its hash. Every record expires after four windows at most; the store's sweep
// removes it. Client secrets that were generated are compared without the limiter
// while they are right.
//
// # Requirements
//
// The store keeps the contract of storage.Records, and the instances' clocks differ
// by less than the shortest window. Issuers that share a store count apart if each
// wraps it by storage.ForIssuer. If a process dies during a guess, that guess
// counts as a failure.
type Shared struct {
	records storage.Records
	limits  map[string]Limit
	work    *Memory // counts what bounds the work of this process

	mu    sync.Mutex
	known map[string]*counter // a cache: the store has all of it
}

// maxFailures bounds the failures that are counted for a key, because they are the
// data of one record.
const maxFailures = 1000

// lease is how long a guess is waited for. One that takes longer counts as failed
// until its outcome is known.
const lease = 15 * time.Second

var _ grants.Limiter = (*Shared)(nil)

// NewShared returns a limiter over records with limits by kind of key, as
// [NewMemory] takes them; nil stands for those of [Default]. All instances must have
// the same limits. It is an error if records is nil, or if a limit has a window
// below a second or allows more than 1000 failures.
func NewShared(records storage.Records, limits map[string]Limit) (*Shared, error) {
	if records == nil {
		return nil, errors.New("limit: records are missing")
	}
	limits = complete(limits)
	for kind, limit := range limits {
		if limit.Failures > maxFailures || limit.Failures > 0 && limit.Window < time.Second {
			return nil, fmt.Errorf("limit: the limit of %q allows above %d failures, or its window is below a second",
				kind, maxFailures)
		}
	}

	return &Shared{
		records: records,
		limits:  limits,
		work:    NewMemory(limits),
		known:   make(map[string]*counter),
	}, nil
}

// Attempt implements [grants.Limiter].
func (l *Shared) Attempt(ctx context.Context, key string) (func(bool), time.Duration, error) {
	limit := l.limits[kindOf(l.limits, key)]
	if limit.Failures <= 0 {
		return func(bool) {}, 0, nil
	}
	if isWork(key) {
		return l.work.Attempt(ctx, key)
	}

	c := l.counter(key, limit)
	id := rand.Text()
	for {
		wait, busy, err := c.begin(ctx, id)
		switch {
		case err != nil:
			return nil, 0, fmt.Errorf("limit: %w", err)
		case wait > 0:
			return nil, wait, nil
		case !busy:
			var once sync.Once
			return func(success bool) { once.Do(func() { c.end(ctx, id, success) }) }, 0, nil
		}

		// Another instance cannot wake this one, so it looks again.
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-time.After(10*time.Millisecond + mathrand.N(20*time.Millisecond)):
		}
	}
}

// counter returns the key's counter. To make room it removes any others: the store
// has what they counted.
func (l *Shared) counter(key string, limit Limit) *counter {
	l.mu.Lock()
	defer l.mu.Unlock()

	c := l.known[key]
	if c == nil {
		for old := range l.known {
			if len(l.known) < maxKeys {
				break
			}
			delete(l.known, old)
		}
		c = &counter{
			records: l.records,
			key:     storage.Key(key),
			limit:   limit,
			version: -1,
			lock:    make(chan struct{}, 1),
		}
		l.known[key] = c
	}

	return c
}

// begin enters a guess into the tally if there is room for it. A wait above zero
// refuses it; busy says that its place depends on the guesses under way.
func (c *counter) begin(ctx context.Context, id string) (wait time.Duration, busy bool, err error) {
	if err := c.acquire(ctx); err != nil {
		return 0, false, err
	}
	defer c.release()

	for fresh := false; ; {
		now := time.Now()
		// Failures are never taken back, so a full tally needs no newer state.
		if wait := c.tally.full(now, c.limit, false); wait > 0 {
			return wait, false, nil
		}
		if !fresh && c.era < c.eraOf(now) {
			if err := c.settle(ctx, now); err != nil {
				return 0, false, err
			}
			fresh = true
		}

		next := c.tally.since(now.Add(-c.limit.Window))
		switch {
		case len(next.Tries) < c.limit.Failures:
			next.Tries = append(next.Tries, try{ID: id, At: now.UnixMicro()})
			err := c.put(ctx, next)
			if !errors.Is(err, storage.ErrExists) {
				return 0, false, err
			}
		case fresh:
			wait := next.full(now, c.limit, true)
			return wait, wait == 0, nil
		}

		// Another instance was first, or the state that is known here is old.
		if err := c.settle(ctx, now); err != nil {
			return 0, false, err
		}
		fresh = true
	}
}

// end removes a right guess from the tally and marks a wrong one. It goes on when
// the request has ended. If the store fails now, the guess counts as wrong.
func (c *counter) end(ctx context.Context, id string, success bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if c.acquire(ctx) != nil {
		return
	}
	defer c.release()

	for {
		now := time.Now()
		if c.era < c.eraOf(now) && c.settle(ctx, now) != nil {
			return
		}
		next := c.tally.since(now.Add(-c.limit.Window)).without(id)
		if !success {
			next.Tries = append(next.Tries, try{ID: id, At: now.UnixMicro(), Failed: true})
		}
		if err := c.put(ctx, next); !errors.Is(err, storage.ErrExists) || c.settle(ctx, now) != nil {
			return
		}
	}
}
