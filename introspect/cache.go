package introspect

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// cache keeps answers under the SHA-256 of the whole token, so that two tokens never share one.
type cache struct {
	mu      sync.Mutex
	limit   int
	entries map[[sha256.Size]byte]*list.Element
	recent  *list.List // of *entry, the most recently used first
}

type entry struct {
	key   [sha256.Size]byte
	token *Token
	until time.Time
}

func newCache(limit int) *cache {
	return &cache{limit: limit, entries: make(map[[sha256.Size]byte]*list.Element), recent: list.New()}
}

// find returns an answer that may still be used. The caller must not change it.
func (c *cache) find(key [sha256.Size]byte, now time.Time) *Token {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[key]
	if !ok {
		return nil
	}
	found := element.Value.(*entry)
	if !now.Before(found.until) {
		c.remove(element)
		return nil
	}
	c.recent.MoveToFront(element)
	return found.token
}

// put files an answer until that moment; one that has passed already is not filed.
func (c *cache) put(key [sha256.Size]byte, t *Token, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[key]; ok {
		c.remove(old)
	}
	if !time.Now().Before(until) {
		return
	}
	c.entries[key] = c.recent.PushFront(&entry{key, t, until})
	for len(c.entries) > c.limit {
		c.remove(c.recent.Back())
	}
}

func (c *cache) drop(key [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.entries[key]; ok {
		c.remove(element)
	}
}

func (c *cache) remove(element *list.Element) {
	delete(c.entries, element.Value.(*entry).key)
	c.recent.Remove(element)
}

// flights makes one call serve all who ask for the same at the same time.
type flights[K comparable, V any] struct {
	mu      sync.Mutex
	running map[K]*flight[V]
}

type flight[V any] struct {
	begun time.Time
	done  chan struct{}
	value V
	err   error
}

// do joins a call for key that began less than maxAge ago, or begins one. The call outlives the caller who
// began it, since others wait for it; it must bound itself. A caller whose ctx ends stops waiting.
func (f *flights[K, V]) do(ctx context.Context, key K, maxAge time.Duration, call func(context.Context) (V, error)) (V, error) {
	f.mu.Lock()
	one, ok := f.running[key]
	if !ok || time.Since(one.begun) >= maxAge {
		one = &flight[V]{begun: time.Now(), done: make(chan struct{}), err: errors.New("introspect: the call broke off")}
		if f.running == nil {
			f.running = make(map[K]*flight[V])
		}
		f.running[key] = one
		go f.run(context.WithoutCancel(ctx), key, one, call)
	}
	f.mu.Unlock()
	select {
	case <-one.done:
		return one.value, one.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// run makes the call. A panic in it, from a function that the host brought, is an error to all who wait:
// left alone in this goroutine it would end the process.
func (f *flights[K, V]) run(ctx context.Context, key K, one *flight[V], call func(context.Context) (V, error)) {
	defer func() {
		if recover() != nil {
			one.err = errors.New("introspect: panic while asking")
		}
		f.mu.Lock()
		if f.running[key] == one {
			delete(f.running, key)
		}
		f.mu.Unlock()
		close(one.done)
	}()
	one.value, one.err = call(ctx)
}
