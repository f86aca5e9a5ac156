package fetch

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Policy says when a document is fetched again.
type Policy struct {
	// MaxAge is how long a document is used without a new fetch.
	MaxAge time.Duration
	// Interval is the least time between the beginnings of two fetches of
	// which the first succeeded, and Retry of two of which it failed.
	Interval time.Duration
	Retry    time.Duration
	// MaxStale is how long beyond its age the last good document is used while
	// fetches fail.
	MaxStale time.Duration
	// Background serves a document that has aged while the new one is fetched.
	// Otherwise callers wait for the new one.
	Background bool
}

// Load fetches and reads the document. The duration is the age that the
// document gives itself, or zero. The context is not cancelled when the caller
// of [Document.Get] gives up, so Load must bound itself.
type Load[T any] func(ctx context.Context) (T, time.Duration, error)

// Document is one document that is fetched when it is needed. Of all callers
// that need it at once, one fetches. A fetch that fails leaves the last good
// document in place. The zero value is ready.
type Document[T any] struct {
	flight Flight[struct{}]

	mu      sync.Mutex
	value   T
	fetched time.Time     // when value was fetched; zero: there is none
	tried   time.Time     // when the last fetch began
	ownAge  time.Duration // the age that value gives itself, or zero
	err     error         // of the last fetch
}

var errNone = errors.New("fetch: there is no document yet")

// Get returns the document. It is fetched first if it is absent or old, or if
// enough reports that it lacks what this caller needs, provided that the
// policy's intervals allow a fetch now.
//
// It returns an error if there is no document, or only one that is too old. It
// also does if the document lacks what the caller needs and the last fetch
// failed, since a new document might have had it.
func (d *Document[T]) Get(ctx context.Context, p Policy, enough func(T) bool, load Load[T]) (T, error) {
	d.mu.Lock()
	now := time.Now()
	value := d.value
	alive := d.alive(now, p)
	suits := alive && enough(value)
	fresh := suits && now.Sub(d.fetched) < d.age(p)
	due := d.due(now, p)
	d.mu.Unlock()

	if fresh {
		return value, nil
	}
	refresh := func(ctx context.Context) (struct{}, error) {
		d.refresh(ctx, p, load)
		return struct{}{}, nil
	}
	if suits && p.Background {
		if due {
			d.flight.begin(ctx, "", 0, refresh)
		}
		return value, nil
	}
	// A caller that may not fetch still waits for a fetch that is under way.
	if _, err := d.flight.Do(ctx, "", 0, refresh); err != nil {
		var none T
		return none, err
	}
	return d.latest(p, enough)
}

// latest returns the document after a fetch, or after none was allowed.
func (d *Document[T]) latest(p Policy, enough func(T) bool) (T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	alive := d.alive(time.Now(), p)
	switch {
	case alive && (d.err == nil || enough(d.value)):
		return d.value, nil
	case d.err != nil:
		var none T
		return none, d.err
	default:
		var none T
		return none, errNone
	}
}

// refresh fetches the document unless the intervals forbid it. It runs once at
// a time.
func (d *Document[T]) refresh(ctx context.Context, p Policy, load Load[T]) {
	d.mu.Lock()
	if !d.due(time.Now(), p) {
		d.mu.Unlock()
		return
	}
	d.tried = time.Now()
	d.mu.Unlock()

	value, ownAge, err := protect(ctx, load)

	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
	if err == nil {
		d.value = value
		d.ownAge = ownAge
		d.fetched = time.Now()
	}
}

// protect turns a panic of a parser into an error: a hostile document that
// finds a fault in one must not end the process.
func protect[T any](ctx context.Context, load Load[T]) (value T, ownAge time.Duration, err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return load(ctx)
}

// age returns how long the document may be used. Its own age shortens the
// policy's and never lengthens it, and cannot cause a fetch in every interval.
func (d *Document[T]) age(p Policy) time.Duration {
	if d.ownAge > 0 {
		return min(max(d.ownAge, p.Interval), p.MaxAge)
	}
	return p.MaxAge
}

// alive reports whether there is a document that is not too old to be used.
func (d *Document[T]) alive(now time.Time, p Policy) bool {
	return !d.fetched.IsZero() && now.Sub(d.fetched) < d.age(p)+p.MaxStale
}

// due reports whether the intervals allow a fetch now.
func (d *Document[T]) due(now time.Time, p Policy) bool {
	wait := p.Interval
	if d.err != nil {
		wait = p.Retry
	}
	return d.tried.IsZero() || now.Sub(d.tried) >= wait
}
