package deadline

import (
	"net/http"
	"sync"
	"time"
)

// reader is a writer whose connection can end reads, as [http.ResponseController] does.
type reader interface {
	SetReadDeadline(at time.Time) error
}

// readerOf returns the writer that can end reads; nil: there is none. It does without
// the errors that the standard library makes.
func readerOf(w http.ResponseWriter) reader {
	for {
		switch t := w.(type) {
		case reader:
			return t
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return nil
		}
	}
}

// SetRead makes reads of a request's body fail after a time. Where the writer cannot do
// that it does nothing.
func SetRead(w http.ResponseWriter, at time.Time) {
	if to := readerOf(w); to != nil {
		_ = to.SetReadDeadline(at) // it fails on a connection that is gone
	}
}

// watchInterval is how often a [Watchdog] looks, and how late it may be.
const watchInterval = 100 * time.Millisecond

// Watchdog ends reads of bodies that take too long. Nearly all bodies are there when they
// are read. For these a deadline of the connection costs as much as all the rest of a
// simple request, because each one sets a timer and resets it. A Watchdog has one timer
// for all reads, and none while nothing is read.
type Watchdog struct {
	mu    sync.Mutex
	reads map[*Read]struct{}
	armed bool
}

// Read is a read that a [Watchdog] knows.
type Read struct {
	to reader
	at time.Time
}

// Begin makes a read fail if it takes until a time. The caller calls End after it. A
// writer that cannot end reads is left alone. A nil Watchdog sets a deadline at once.
func (d *Watchdog) Begin(w http.ResponseWriter, at time.Time) *Read {
	to := readerOf(w)
	if to == nil {
		return nil
	}
	if d == nil {
		_ = to.SetReadDeadline(at)
		return nil
	}
	r := &Read{to, at}

	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reads == nil {
		d.reads = make(map[*Read]struct{})
	}
	d.reads[r] = struct{}{}
	if !d.armed {
		d.armed = true
		time.AfterFunc(watchInterval, d.look)
	}

	return r
}

// End forgets a read, which may be nil.
func (d *Watchdog) End(r *Read) {
	if r == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()

	delete(d.reads, r)
}

// look ends the reads whose time is over.
func (d *Watchdog) look() {
	d.mu.Lock()
	defer d.mu.Unlock()

	now := time.Now()
	for r := range d.reads {
		if !now.Before(r.at) {
			_ = r.to.SetReadDeadline(r.at) // it fails on a connection that is gone
			delete(d.reads, r)
		}
	}
	if d.armed = len(d.reads) > 0; d.armed {
		time.AfterFunc(watchInterval, d.look)
	}
}
