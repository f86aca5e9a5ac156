// Package deadline is a context with a deadline that makes its timer on demand.
//
// Each request to the server has a deadline. Most requests never wait for
// anything: a store in memory and most checks only ask Err. For them
// [context.WithDeadline] makes a timer and several objects that no code uses.
package deadline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Context is a context that ends at a given time, or with its parent. It behaves
// as the context of [context.WithDeadline] does. It must not be copied after its
// first use; End must be called when the work is over.
type Context struct {
	Parent context.Context
	At     time.Time

	mu     sync.Mutex
	timed  context.Context // with a timer; nil until a caller waits or End is called
	cancel context.CancelFunc
	ended  bool

	settled atomic.Bool // timed or ended is set, so the fast path does not apply
}

var _ context.Context = (*Context)(nil)

// Deadline implements [context.Context].
func (d *Context) Deadline() (time.Time, bool) {
	if at, ok := d.Parent.Deadline(); ok && at.Before(d.At) {
		return at, true
	}

	return d.At, true
}

// Done implements [context.Context]. The first call makes the timer.
func (d *Context) Done() <-chan struct{} { return d.wait().Done() }

// Err implements [context.Context].
func (d *Context) Err() error {
	if !d.settled.Load() && d.Parent.Err() == nil && time.Until(d.At) > 0 {
		return nil
	}

	return d.wait().Err()
}

// Value implements [context.Context]. Once there is a timer, a context that is
// derived from this one finds the timer's context here.
func (d *Context) Value(key any) any {
	if d.settled.Load() {
		d.mu.Lock()
		timed := d.timed
		d.mu.Unlock()

		if timed != nil {
			return timed.Value(key)
		}
	}

	return d.Parent.Value(key)
}

// wait returns the context with the timer.
func (d *Context) wait() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()

	switch {
	case d.timed != nil:
	case d.ended:
		// No caller waited while there was time left. Only the end matters now.
		d.timed, d.cancel = context.WithCancel(d.Parent)
		d.cancel()
	default:
		d.timed, d.cancel = context.WithDeadline(d.Parent, d.At)
	}
	d.settled.Store(true)

	return d.timed
}

// End ends the context, as a [context.CancelFunc] does. It may be called again.
func (d *Context) End() {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.ended = true
	d.settled.Store(true)
	if d.cancel != nil {
		d.cancel()
	}
}
