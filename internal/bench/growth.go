package main

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// growth has the figures of a server whose store fills.
type growth struct {
	// Access is the heap in bytes for a live access token, among 100,000.
	Access float64

	// Refresh is the heap in bytes for an access token and its refresh token.
	Refresh float64

	// Levels are the costs of an operation by the number of live tokens.
	Levels []level
}

// level is the CPU time of an operation at a number of live tokens. It includes garbage
// collection.
type level struct {
	// Tokens is the number of live tokens.
	Tokens int

	// Issue is the cost of client credentials, and Ask that of introspection.
	Issue time.Duration
	Ask   time.Duration
}

// heapAt is the number of live tokens at which the heap is measured.
const heapAt = 100_000

// levels are the numbers of live tokens at which operations are measured.
var levels = []int{1_000, 100_000, 1_000_000}

// grow fills a server's store in process up to limit tokens, and measures it at each level.
func grow(p peer, k *keys, limit int) (*growth, error) {
	both, err := pairs(p, k)
	if err != nil {
		return nil, err
	}

	// A new server, whose store is empty.
	g := &growth{Refresh: both}
	h, err := p.build(k, opaque)
	if err != nil {
		return nil, err
	}
	c := &caller{
		target: newLocal(h),
		peer:   p,
		keys:   k,
		next:   new(atomic.Int64),
	}

	// Introspection asks about these tokens at every level.
	if err := liveTokens(c, 0); err != nil {
		return nil, err
	}
	empty := heap()
	live := 0
	fill := func(to int) error {
		for ; live < to; live++ {
			if err := clientCredentials(c, 0); err != nil {
				return err
			}
		}
		return nil
	}
	for _, tokens := range levels {
		if tokens > limit {
			break
		}
		if err := fill(tokens); err != nil {
			return nil, err
		}
		if tokens == heapAt {
			g.Access = float64(heap()-empty) / heapAt
		}
		l := level{Tokens: tokens}
		if l.Ask, err = settled(func(i int) error { return introspectOne(c, i) }); err != nil {
			return nil, err
		}

		// These tokens stay in the store, so that they count for the next level.
		l.Issue, err = settled(func(int) error {
			live++
			return clientCredentials(c, 0)
		})
		if err != nil {
			return nil, err
		}
		g.Levels = append(g.Levels, l)
	}

	// Otherwise the collector could free the server before its heap is measured.
	runtime.KeepAlive(h)
	return g, nil
}

// pairs measures the heap for an access token with its refresh token.
func pairs(p peer, k *keys) (float64, error) {
	h, err := p.build(k, opaque)
	if err != nil {
		return 0, err
	}
	c := &caller{
		target: newLocal(h),
		peer:   p,
		keys:   k,
		next:   new(atomic.Int64),
	}
	if err := c.pair(); err != nil {
		return 0, err
	}
	const n = heapAt / 4
	empty := heap()
	for range n {
		if err := c.pair(); err != nil {
			return 0, err
		}
	}
	size := float64(heap()-empty) / n
	runtime.KeepAlive(h)
	return size, nil
}

// heap returns the bytes of live heap.
func heap() uint64 {
	collect()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// settled returns the CPU time of one operation. It repeats the operation until the garbage
// collector has run twice.
func settled(op func(i int) error) (time.Duration, error) {
	collect()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, err := cpuTime()
	if err != nil {
		return 0, err
	}
	n := 0
	for done := false; !done; {
		for range 500 {
			if err := op(n); err != nil {
				return 0, err
			}
			n++
		}
		runtime.ReadMemStats(&after)
		done = n >= 2000 && after.NumGC >= before.NumGC+2
		if n > 5_000_000 {
			return 0, errors.New("bench: the garbage collector does not run")
		}
	}
	end, err := cpuTime()
	return (end - start) / time.Duration(n), err
}
