package assertion

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// refresh says when a fetched document is fetched again.
type refresh struct {
	maxAge   time.Duration // how long a document is used without asking again
	interval time.Duration // least time between two fetches that succeed
	retry    time.Duration // least time after a fetch that failed
	maxStale time.Duration // how long the last good document survives failures
}

// cached is one fetched document. Of all callers that need it at once one fetches; a fetch that fails
// leaves the last good document in place until it is too old.
type cached[T any] struct {
	mu      sync.Mutex
	value   T
	fetched time.Time     // when value was good; zero: there is none
	tried   time.Time     // when the last fetch began
	maxAge  time.Duration // of value, when the document itself says
	err     error         // of the last fetch
	flight  chan struct{} // closed when the fetch under way ends; nil: none is
}

// fetchFunc gets the document anew. The duration is the age that the document gives itself, or zero.
type fetchFunc[T any] func(ctx context.Context) (T, time.Duration, error)

// get returns the document, and fetches it first when it is old, absent, or not enough for this caller,
// and when the intervals allow it. A caller that gives up does not stop a fetch that others wait for.
func (c *cached[T]) get(ctx context.Context, p refresh, enough func(T) bool, fetch fetchFunc[T]) (T, error) {
	c.mu.Lock()
	if c.flight == nil && c.due(time.Now(), p, enough) {
		c.flight, c.tried = make(chan struct{}), time.Now()
		go c.run(context.WithoutCancel(ctx), fetch)
	}
	// A caller that has what it needs does not wait for a fetch that somebody else needed.
	if c.flight != nil && !c.usable(time.Now(), p, enough) {
		flight := c.flight
		c.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			var none T
			return none, fmt.Errorf("assertion: fetch: %w", ctx.Err())
		}
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	if c.fetched.IsZero() || time.Since(c.fetched) >= c.age(p)+p.maxStale {
		var none T
		if c.err == nil {
			return none, errCoolDown
		}
		return none, c.err
	}
	return c.value, nil
}

func (c *cached[T]) age(p refresh) time.Duration {
	if c.maxAge > 0 {
		return min(max(c.maxAge, p.interval), p.maxAge)
	}
	return p.maxAge
}

func (c *cached[T]) usable(now time.Time, p refresh, enough func(T) bool) bool {
	return !c.fetched.IsZero() && now.Sub(c.fetched) < c.age(p) && enough(c.value)
}

// due tells whether to fetch now.
func (c *cached[T]) due(now time.Time, p refresh, enough func(T) bool) bool {
	if c.usable(now, p, enough) {
		return false
	}
	wait := p.interval
	if c.err != nil {
		wait = p.retry
	}
	return c.tried.IsZero() || now.Sub(c.tried) >= wait
}

func (c *cached[T]) run(ctx context.Context, fetch fetchFunc[T]) {
	var value T
	var maxAge time.Duration
	err := errors.New("assertion: fetch: reading the document panicked")
	defer func() {
		// Nobody else's code runs on this goroutine's stack, so an unrecovered panic would end the
		// process: one hostile document that finds a fault in a parser.
		_ = recover()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err = err; err == nil {
			c.value, c.maxAge, c.fetched = value, maxAge, time.Now()
		}
		close(c.flight)
		c.flight = nil
	}()
	value, maxAge, err = fetch(ctx)
}
