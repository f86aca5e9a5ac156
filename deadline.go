package grantwell

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadline is a context that ends at a time and with its request. Its timer is made for whoever waits for it, as database
// drivers do; a store in memory, and most checks, only ask Err.
type deadline struct {
	context.Context // the request's
	at              time.Time

	mu     sync.Mutex
	timed  context.Context // made when somebody waits, or when it is over; nil before
	cancel context.CancelFunc
	ended  bool

	told atomic.Bool // timed or ended is set: look there
}

// Deadline implements [context.Context].
func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// Done implements [context.Context].
func (d *deadline) Done() <-chan struct{} { return d.wait().Done() }

// Err implements [context.Context].
func (d *deadline) Err() error {
	if !d.told.Load() && d.Context.Err() == nil && time.Until(d.at) > 0 {
		return nil
	}
	return d.wait().Err()
}

// Value implements [context.Context]. With a timer, a context that derives from this one finds it here.
func (d *deadline) Value(key any) any {
	if d.told.Load() {
		d.mu.Lock()
		timed := d.timed
		d.mu.Unlock()
		if timed != nil {
			return timed.Value(key)
		}
	}
	return d.Context.Value(key)
}

func (d *deadline) wait() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.timed != nil:
	case d.ended: // nobody asked while there was time: that it ended is what counts
		d.timed, d.cancel = context.WithCancel(d.Context)
		d.cancel()
	default:
		d.timed, d.cancel = context.WithDeadline(d.Context, d.at)
	}
	d.told.Store(true)
	return d.timed
}

// end is what a cancel function is: whoever still holds the context after the answer is told that it is over.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	d.told.Store(true)
	if d.cancel != nil {
		d.cancel()
	}
}
