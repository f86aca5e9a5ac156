package limit

import (
	"container/list"
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

	mu    sync.Mutex
	kinds map[string]*table
}

// table holds the guesses of one kind of keys. Callers with many invented keys of one
// kind can push out keys of that kind only, those first that were tried longest ago.
type table struct {
	keys   map[string]*tries
	oldest list.List // of *tries
}

// tries are the guesses of one key.
type tries struct {
	key      string
	place    *list.Element
	failed   []time.Time // in the window, oldest first
	underway int
	wake     chan struct{} // closed, and replaced, when a guess ends
}

var _ grants.Limiter = (*Memory)(nil)

// NewMemory returns a limiter with limits by kind of key: "user", "client", "addr",
// and "client/" with a class for the classes of Config.LimitClass. A class that has
// no limit has that of "client". A kind without a limit, or whose Failures is not
// above zero, is not limited; but "assertion" and "waiting" have the limits of
// [Default] unless they are named. Nil limits are those of [Default].
//
// It keeps at most 100,000 keys of a kind. Beyond that the keys that were tried
// longest ago are forgotten.
func NewMemory(limits map[string]Limit) *Memory {
	return &Memory{limits: complete(limits), kinds: make(map[string]*table)}
}

// Attempt implements [grants.Limiter].
func (l *Memory) Attempt(ctx context.Context, key string) (func(bool), time.Duration, error) {
	kind := kindOf(l.limits, key)
	limit := l.limits[kind]
	if limit.Failures <= 0 {
		return func(bool) {}, 0, nil
	}

	for {
		l.mu.Lock()
		t := l.kind(kind).tries(key, limit, time.Now())
		if len(t.failed) >= limit.Failures {
			wait := max(time.Until(t.failed[0].Add(limit.Window)), time.Millisecond)
			l.mu.Unlock()
			return nil, wait, nil
		}
		if len(t.failed)+t.underway < limit.Failures {
			t.underway++
			l.mu.Unlock()
			var once sync.Once
			return func(success bool) { once.Do(func() { l.done(kind, t, success) }) }, 0, nil
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
func (k *table) tries(key string, limit Limit, now time.Time) *tries {
	t := k.keys[key]
	if t == nil {
		k.makeRoom()
		t = &tries{key: key, wake: make(chan struct{})}
		t.place = k.oldest.PushBack(t)
		k.keys[key] = t
	} else {
		k.oldest.MoveToBack(t.place)
	}
	for len(t.failed) > 0 && now.Sub(t.failed[0]) >= limit.Window {
		t.failed = t.failed[1:]
	}

	return t
}

// kind returns the table of a kind. The caller holds the lock.
func (l *Memory) kind(name string) *table {
	if l.kinds[name] == nil {
		l.kinds[name] = &table{keys: make(map[string]*tries)}
	}

	return l.kinds[name]
}

// makeRoom removes the keys that were tried longest ago, as long as there are too
// many. A key with a guess under way stays.
func (k *table) makeRoom() {
	for e := k.oldest.Front(); e != nil && len(k.keys) >= maxKeys; {
		next := e.Next()
		if old, _ := e.Value.(*tries); old.underway == 0 {
			k.remove(old)
		}
		e = next
	}
}

func (k *table) remove(old *tries) {
	k.oldest.Remove(old.place)
	delete(k.keys, old.key)
}

// done records the outcome of a guess.
func (l *Memory) done(kind string, t *tries, success bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	t.underway--
	if !success {
		t.failed = append(t.failed, time.Now())
	} else if table := l.kind(kind); t.underway == 0 && len(t.failed) == 0 && table.keys[t.key] == t {
		table.remove(t)
	}
	close(t.wake)
	t.wake = make(chan struct{})
}
