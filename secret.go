package grantwell

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/secrethash"
	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

// GenerateSecret returns a new client secret of 256 random bits, to be shown once, and what to store of it.
func GenerateSecret() (secret string, stored storage.Secret) { return clientmeta.NewSecret() }

// maxSecret bounds a client secret in bytes; bcrypt reads 72.
const maxSecret = 512

// secretHolds compares a secret with the client's live ones. Secrets that people chose are guessed within a limit.
func (c *call) secretHolds(ctx context.Context, client *storage.Client, secret string) (bool, error) {
	if secret == "" || len(secret) > maxSecret {
		return false, nil
	}
	var slow []string
	ok := false
	for _, s := range client.Secrets {
		switch {
		case !s.ExpiresAt.IsZero() && !c.req.Now.Before(s.ExpiresAt):
		case strings.HasPrefix(s.Hash, "sha256:"):
			ok = equalSHA256(s.Hash, secret) || ok
		default:
			slow = append(slow, s.Hash)
		}
	}
	if ok || len(slow) == 0 {
		return ok, nil
	}
	c.s.slow.learn(slow[0])
	c.compared = true
	done, wait, err := c.s.cfg.Limiter.Attempt(ctx, c.guessKey(client.ID))
	if err != nil {
		return false, grants.Unavailable(err)
	}
	if wait > 0 {
		return false, tooManyGuesses(wait)
	}
	// Counted before the place in the limiter is given up: who waits for it must find the failure.
	counts := true
	defer func() { done(ok || !counts) }()
	for _, h := range slow {
		match, err := c.s.slow.compare(ctx, h, secret)
		if err != nil {
			counts = false
			return false, grants.Unavailable(err)
		}
		ok = match || ok
	}
	return ok, nil
}

func equalSHA256(hash, secret string) bool {
	var buf [maxSecret]byte
	sum := sha256.Sum256(append(buf[:0], secret...))
	var got, want [len("sha256:") + 43]byte
	copy(got[:], "sha256:")
	base64.RawURLEncoding.Encode(got[len("sha256:"):], sum[:])
	return subtle.ConstantTimeCompare(got[:], append(want[:0], hash...)) == 1
}

// slowHash verifies bcrypt, argon2id and PBKDF2 hashes, few at a time, and makes every failed authentication cost the same
// once it has seen one: otherwise the time would tell which clients exist.
type slowHash struct {
	seen atomic.Pointer[string]
	gate atomic.Pointer[chan struct{}]
}

func (h *slowHash) learn(hash string) { h.seen.CompareAndSwap(nil, &hash) }

// pay does the work of one comparison for a failure that had none.
func (h *slowHash) pay(ctx context.Context, secret string) {
	equalSHA256("", secret)
	if hash := h.seen.Load(); hash != nil {
		_, _ = h.compare(ctx, *hash, secret[:min(len(secret), maxSecret)])
	}
}

// compare waits for its turn: these hashes are made to be expensive, and callers are many.
func (h *slowHash) compare(ctx context.Context, hash, secret string) (bool, error) {
	gate := h.gate.Load()
	if gate == nil {
		ch := make(chan struct{}, max(runtime.GOMAXPROCS(0), 1))
		h.gate.CompareAndSwap(nil, &ch)
		gate = h.gate.Load()
	}
	select {
	case *gate <- struct{}{}:
		defer func() { <-*gate }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return secrethash.Compare(hash, secret)
}
