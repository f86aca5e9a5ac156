package grantwell

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/grantwell/grantwell/grants"
)

// Limit is how many failures are allowed in a window of time.
type Limit struct {
	Failures int
	Window   time.Duration
}

// MemoryLimiter counts failed guesses in this process's memory. Successes do not count, and guesses under way wait
// for each other near the limit, so that no number of them at once passes it. Instances that share a store need a
// [SharedLimiter], or each of them allows as much again.
type MemoryLimiter struct {
	limits map[string]Limit // by the part of the key before ':'
	mu     sync.Mutex
	keys   map[string]*tries
}

type tries struct {
	failed []time.Time
	flying int
	wake   chan struct{} // closed, and replaced, when a guess ends
}

// maxLimiterKeys bounds the memory that callers with many names or addresses can take.
const maxLimiterKeys = 100_000

// NewLimiter returns a limiter that allows 10 failures a minute for a user, 20 for a client at one address and
// 100 for an address.
func NewLimiter() *MemoryLimiter {
	return NewLimiterWith(defaultLimits())
}

func defaultLimits() map[string]Limit {
	return map[string]Limit{"user": {10, time.Minute}, "client": {20, time.Minute}, "addr": {100, time.Minute}}
}

// NewLimiterWith returns a limiter with limits by kind of key: "user", "client", "addr", and "client/class" for the
// classes of [Config].LimitClass; a class that is not named has the limit of "client". A kind that is not
// named, or whose Failures is not above zero, is not limited.
func NewLimiterWith(limits map[string]Limit) *MemoryLimiter {
	return &MemoryLimiter{limits: limits, keys: make(map[string]*tries)}
}

// limitOf is the limit of a key: that of its kind or, for a class that has none, of the kind before the slash.
func limitOf(limits map[string]Limit, key string) Limit {
	kind, _, _ := strings.Cut(key, ":")
	limit, ok := limits[kind]
	if !ok {
		kind, _, _ = strings.Cut(kind, "/")
		limit = limits[kind]
	}
	return limit
}

var _ grants.Limiter = (*MemoryLimiter)(nil)

// Attempt implements [grants.Limiter].
func (l *MemoryLimiter) Attempt(ctx context.Context, key string) (func(bool), time.Duration, error) {
	limit := limitOf(l.limits, key)
	if limit.Failures <= 0 {
		return func(bool) {}, 0, nil
	}
	for {
		l.mu.Lock()
		t := l.of(key, limit, time.Now())
		if len(t.failed) >= limit.Failures {
			wait := max(time.Until(t.failed[0].Add(limit.Window)), time.Millisecond)
			l.mu.Unlock()
			return nil, wait, nil
		}
		if len(t.failed)+t.flying < limit.Failures {
			t.flying++
			l.mu.Unlock()
			var once sync.Once
			return func(success bool) { once.Do(func() { l.done(key, t, success) }) }, 0, nil
		}
		wake := t.wake
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-wake:
		}
	}
}

// of returns the key's tries without those that the window has left behind. The caller holds the lock.
func (l *MemoryLimiter) of(key string, limit Limit, now time.Time) *tries {
	t := l.keys[key]
	if t == nil {
		if len(l.keys) >= maxLimiterKeys {
			l.forget(now)
		}
		t = &tries{wake: make(chan struct{})}
		l.keys[key] = t
	}
	for len(t.failed) > 0 && now.Sub(t.failed[0]) >= limit.Window {
		t.failed = t.failed[1:]
	}
	return t
}

// forget makes room: first what no longer counts, then, if all of it counts, anything that is not in flight.
func (l *MemoryLimiter) forget(now time.Time) {
	for pass := range 2 {
		for key, t := range l.keys {
			stale := len(t.failed) == 0 || now.Sub(t.failed[len(t.failed)-1]) >= limitOf(l.limits, key).Window
			if t.flying == 0 && (stale || pass == 1) {
				delete(l.keys, key)
			}
			if len(l.keys) < maxLimiterKeys*9/10 {
				return
			}
		}
	}
}

func (l *MemoryLimiter) done(key string, t *tries, success bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.flying--
	if !success {
		t.failed = append(t.failed, time.Now())
	} else if t.flying == 0 && len(t.failed) == 0 && l.keys[key] == t {
		delete(l.keys, key)
	}
	close(t.wake)
	t.wake = make(chan struct{})
}
