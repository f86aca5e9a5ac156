package limit

import (
	"context"
	"sync"
	"time"

	"github.com/grantwell/grantwell/grants"
)

// Memory counts failed guesses in the memory of this process. Successes do not
// count. Near the limit, guesses wait for the outcome of those that are under way,
// so that no number of them at the same moment passes it.
type Memory struct {
	limits map[string]Limit // by kind

	mu   sync.Mutex
	keys map[string]*tries
}

// tries are the guesses of one key.
type tries struct {
	failed   []time.Time // in the window, oldest first
	underway int
	wake     chan struct{} // closed, and replaced, when a guess ends
}

var _ grants.Limiter = (*Memory)(nil)

// NewMemory returns a limiter with limits by kind of key: "user", "client", "addr",
// and "client/" with a class for the classes of Config.LimitClass. A class that has
// no limit has that of "client". A kind without a limit, or whose Failures is not
// above zero, is not limited. Nil limits are those of [Default].
func NewMemory(limits map[string]Limit) *Memory {
	if limits == nil {
		limits = Default()
	}

	return &Memory{limits: limits, keys: make(map[string]*tries)}
}

// Attempt implements [grants.Limiter].
func (l *Memory) Attempt(ctx context.Context, key string) (func(bool), time.Duration, error) {
	limit := of(l.limits, key)
	if limit.Failures <= 0 {
		return func(bool) {}, 0, nil
	}

	for {
		l.mu.Lock()
		t := l.tries(key, limit, time.Now())
		if len(t.failed) >= limit.Failures {
			wait := max(time.Until(t.failed[0].Add(limit.Window)), time.Millisecond)
			l.mu.Unlock()
			return nil, wait, nil
		}
		if len(t.failed)+t.underway < limit.Failures {
			t.underway++
			l.mu.Unlock()
			var once sync.Once
			return func(success bool) { once.Do(func() { l.done(key, t, success) }) }, 0, nil
		}
		wake := t.wake
		l.mu.Unlock()

		// The guesses under way decide whether there is room for this one.
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-wake:
		}
	}
}

// tries returns the key's guesses without failures that are older than the window.
// The caller holds the lock.
func (l *Memory) tries(key string, limit Limit, now time.Time) *tries {
	t := l.keys[key]
	if t == nil {
		if len(l.keys) >= maxKeys {
			l.makeRoom(now)
		}
		t = &tries{wake: make(chan struct{})}
		l.keys[key] = t
	}
	for len(t.failed) > 0 && now.Sub(t.failed[0]) >= limit.Window {
		t.failed = t.failed[1:]
	}

	return t
}

// makeRoom removes keys: first those whose failures no longer count and then, if all
// of them count, any key without a guess under way.
func (l *Memory) makeRoom(now time.Time) {
	for pass := range 2 {
		for key, t := range l.keys {
			stale := len(t.failed) == 0 ||
				now.Sub(t.failed[len(t.failed)-1]) >= of(l.limits, key).Window
			if t.underway == 0 && (stale || pass == 1) {
				delete(l.keys, key)
			}
			if len(l.keys) < maxKeys*9/10 {
				return
			}
		}
	}
}

// done records the outcome of a guess.
func (l *Memory) done(key string, t *tries, success bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	t.underway--
	if !success {
		t.failed = append(t.failed, time.Now())
	} else if t.underway == 0 && len(t.failed) == 0 && l.keys[key] == t {
		delete(l.keys, key)
	}
	close(t.wake)
	t.wake = make(chan struct{})
}
