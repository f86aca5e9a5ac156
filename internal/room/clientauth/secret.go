package clientauth

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
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// maxSecret bounds a client secret in bytes.
const maxSecret = 512

// generated marks the hash of a secret that the server generated. It has 256 random
// bits, so one SHA-256 is enough.
const generated = "sha256:"

// checkSecret compares a secret with the client's live ones. Secrets that people
// chose have slow hashes and are guessed within a limit: counted says that the
// limiter has counted this guess.
func (r *Room) checkSecret(ctx context.Context, c *seam.Call, client *storage.Client, secret string) (ok, counted bool, err error) {
	if secret == "" || len(secret) > maxSecret {
		return false, false, nil
	}

	var slow []string
	for _, s := range client.Secrets {
		switch {
		case !s.ExpiresAt.IsZero() && !c.Now.Before(s.ExpiresAt):
		case strings.HasPrefix(s.Hash, generated):
			ok = equalSHA256(s.Hash, secret) || ok
		default:
			slow = append(slow, s.Hash)
		}
	}
	if ok || len(slow) == 0 {
		return ok, false, nil
	}

	ok, err = r.guess(ctx, c, client.ID, slow, secret)

	return ok, true, err
}

// guess compares a secret with slow hashes, within the limit.
func (r *Room) guess(ctx context.Context, c *seam.Call, clientID string, hashes []string, secret string) (ok bool, err error) {
	r.slow.learn(hashes[0])
	done, wait, err := r.Limiter.Attempt(ctx, r.guessKey(c.Request, clientID))
	if err != nil {
		return false, grants.Unavailable(err)
	}
	if wait > 0 {
		return false, tooManyGuesses(wait)
	}

	// The failure is counted before the limiter's place is given up, so that the next
	// caller that waits for the place sees it.
	counts := true
	defer func() { done(ok || !counts) }()
	for _, h := range hashes {
		match, err := r.slow.compare(ctx, h, secret)
		if err != nil {
			counts = false
			return false, grants.Unavailable(err)
		}
		ok = match || ok
	}

	return ok, nil
}

// equalSHA256 compares in constant time.
func equalSHA256(hash, secret string) bool {
	var buf [maxSecret]byte
	sum := sha256.Sum256(append(buf[:0], secret...))

	var got, want [len(generated) + 43]byte
	copy(got[:], generated)
	base64.RawURLEncoding.Encode(got[len(generated):], sum[:])

	return subtle.ConstantTimeCompare(got[:], append(want[:0], hash...)) == 1
}

// slowHash compares secrets with bcrypt, argon2id and PBKDF2 hashes, few at a time.
// Once it has seen such a hash it makes every failed authentication cost the same:
// otherwise the time would show which clients exist.
type slowHash struct {
	seen atomic.Pointer[string]
	gate atomic.Pointer[chan struct{}]
}

func (h *slowHash) learn(hash string) { h.seen.CompareAndSwap(nil, &hash) }

// pay does the work of one comparison for a failure that had none.
func (h *slowHash) pay(ctx context.Context, secret string) {
	secret = secret[:min(len(secret), maxSecret)]
	equalSHA256("", secret)
	if hash := h.seen.Load(); hash != nil {
		_, _ = h.compare(ctx, *hash, secret)
	}
}

// compare waits until one of the few places is free: these hashes are expensive on
// purpose, and callers are many.
func (h *slowHash) compare(ctx context.Context, hash, secret string) (bool, error) {
	gate := h.gate.Load()
	if gate == nil {
		places := make(chan struct{}, max(runtime.GOMAXPROCS(0), 1))
		h.gate.CompareAndSwap(nil, &places)
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
