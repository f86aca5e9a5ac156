package fositegrant_test

import (
	"slices"
	"sync"

	"github.com/stretchr/testify/require"
)

// gate holds one call of the store, so that a test decides in which order two concurrent
// requests reach it.
type gate struct {
	mu      sync.Mutex
	at      string
	skip    int
	entered chan struct{}
	leave   chan struct{}
}

// arm makes the gate hold the next call at a named place, after it has let skip calls
// pass. The gate closes entered when it holds the call, and the test closes leave.
func (g *gate) arm(at string, skip int) (entered, leave chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = at
	g.skip = skip
	g.entered = make(chan struct{})
	g.leave = make(chan struct{})
	return g.entered, g.leave
}

// pass is called by the store at each named place.
func (g *gate) pass(at string) {
	g.mu.Lock()
	if g.at != at {
		g.mu.Unlock()
		return
	}
	if g.skip > 0 {
		g.skip--
		g.mu.Unlock()
		return
	}

	// Only one call is held.
	g.at = ""
	entered, leave := g.entered, g.leave
	g.mu.Unlock()
	close(entered)
	<-leave
}

// overtake sends a request and holds it in the store at the named place. It sends a second
// request, waits for its answer, and lets the first go on. A race that a server has then
// shows every time.
func (c *contender) overtake(at string, skip int, request func() response) (held, second response) {
	entered, leave := c.gate.arm(at, skip)
	done := make(chan response, 1)
	go func() { done <- request() }()
	select {
	case <-entered:
	case res := <-done:
		require.Fail(c.t, "the gate held no call", "%s at %s: %s", c.name, at, res.body)
	}

	second = request()
	close(leave)
	return <-done, second
}

// concurrently sends the same request n times and counts the answers with a token.
func concurrently(n int, request func() response) (tokens int) {
	answers := make([]response, n)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = request() })
	}
	wg.Wait()
	return len(slices.DeleteFunc(answers, func(r response) bool { return r.status != 200 }))
}
