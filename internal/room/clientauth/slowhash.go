package clientauth

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/grantwell/grantwell/internal/base/secrethash"
)

// slowHash compares secrets with bcrypt, argon2id and PBKDF2 hashes, few at a time:
// these hashes are expensive on purpose, and callers are many. Once it has seen such a
// hash it makes every failed authentication cost the same: otherwise the time would
// show which clients exist.
//
// No caller can keep the others waiting. The senders at one address never have all
// places, and work for failures that had none has a place of its own, so that it keeps
// other failures waiting only. That wait is the one difference between a client that
// exists and one that does not; it shows to callers at many addresses alone, because
// each is limited.
type slowHash struct {
	seen atomic.Pointer[string]

	once   sync.Once
	places chan struct{} // one for each comparison under way
	decoy  chan struct{} // one for the comparison that a failure pays

	mu      sync.Mutex
	senders map[string]*sender
}

// sender is an address with comparisons.
type sender struct {
	places chan struct{}
	users  int // comparisons that have a place or wait for one
}

func (h *slowHash) prepare() {
	h.once.Do(func() {
		h.places = make(chan struct{}, max(runtime.GOMAXPROCS(0), 2))
		h.decoy = make(chan struct{}, 1)
		h.senders = make(map[string]*sender)
	})
}

func (h *slowHash) learn(hash string) { h.seen.CompareAndSwap(nil, &hash) }

// pay does the work of one comparison for a failure that had none.
func (h *slowHash) pay(ctx context.Context, secret string) error {
	secret = secret[:min(len(secret), maxSecret)]
	equalSHA256("", secret)
	hash := h.seen.Load()
	if hash == nil {
		return nil
	}
	h.prepare()
	if err := enter(ctx, h.decoy); err != nil {
		return err
	}
	defer leave(h.decoy)
	_, err := secrethash.Compare(*hash, secret)

	return err
}

// compare waits until a place is free, first among those of its sender.
func (h *slowHash) compare(ctx context.Context, from, hash, secret string) (bool, error) {
	h.prepare()
	s := h.sender(from)
	defer h.forget(from, s)
	if err := enter(ctx, s.places); err != nil {
		return false, err
	}
	defer leave(s.places)
	if err := enter(ctx, h.places); err != nil {
		return false, err
	}
	defer leave(h.places)

	return secrethash.Compare(hash, secret)
}

// sender returns the places of an address: one fewer than there are.
func (h *slowHash) sender(from string) *sender {
	h.mu.Lock()
	defer h.mu.Unlock()

	s := h.senders[from]
	if s == nil {
		s = &sender{places: make(chan struct{}, cap(h.places)-1)}
		h.senders[from] = s
	}
	s.users++

	return s
}

func (h *slowHash) forget(from string, s *sender) {
	h.mu.Lock()
	defer h.mu.Unlock()

	if s.users--; s.users == 0 {
		delete(h.senders, from)
	}
}

func enter(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func leave(places chan struct{}) { <-places }
