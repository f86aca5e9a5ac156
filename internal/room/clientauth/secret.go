package clientauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/peer"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// maxSecret bounds a client secret in bytes.
const maxSecret = 512

// digest begins a hash that is one SHA-256. For a secret that the server generated,
// with 256 random bits, it is enough.
const digest = "sha256:"

// checkSecret compares a secret with the client's live ones; the client is nil if it is
// unknown. A right secret that the server generated passes at once, because it cannot
// be guessed. Everything else is a guess, which is made within the limits. The error
// says that none was made.
func (r *Room) checkSecret(ctx context.Context, c *seam.Call, p *presented, client *storage.Client) (bool, error) {
	var chosen, slow []string
	if client != nil && max(len(p.secret), len(p.second)) <= maxSecret {
		for _, s := range client.Secrets {
			switch {
			case !s.ExpiresAt.IsZero() && !c.Now.Before(s.ExpiresAt):
			case !strings.HasPrefix(s.Hash, digest):
				slow = append(slow, s.Hash)
			case s.Chosen:
				chosen = append(chosen, s.Hash)
			case p.digestEquals(s.Hash):
				return true, nil
			}
		}
	}

	return r.guess(ctx, c, p, chosen, slow)
}

// guess compares a secret with those that people may have chosen, within the limits.
// A wrong one costs the time of a slow hash, also where there is none.
func (r *Room) guess(ctx context.Context, c *seam.Call, p *presented, chosen, slow []string) (ok bool, err error) {
	// The address comes first: past its limit, a caller must not be able to lock
	// clients out by naming them.
	done, err := r.Limit.Attempt(ctx, r.Limit.AddrKey("addr:", c.Request), r.guessKey(c.Request, p.clientID))
	if err != nil {
		return false, err
	}
	// The failure is counted before the limiter's place is given up, so that the next
	// caller that waits for the place sees it. A guess that could not be made does not
	// count.
	defer func() { done(ok || err != nil) }()

	for _, h := range chosen {
		ok = p.digestEquals(h) || ok
	}
	if ok {
		return true, nil
	}
	if len(slow) == 0 {
		err = r.slow.pay(ctx, p.secret)
	}
	for _, h := range slow {
		r.slow.learn(h)
		if ok, err = r.compare(ctx, c, p, h); ok || err != nil {
			break
		}
	}
	if err != nil {
		return false, grants.Unavailable(err)
	}

	return ok, nil
}

// digestEquals reports whether a digest is that of the secret, in either reading.
func (p *presented) digestEquals(hash string) bool {
	return equalSHA256(hash, p.secret) || p.second != "" && equalSHA256(hash, p.second)
}

// compare compares the secret, in either reading, with a slow hash.
func (r *Room) compare(ctx context.Context, c *seam.Call, p *presented, hash string) (bool, error) {
	from := peer.Neighbourhood(r.Limit.Peers.Addr(c.Request))
	ok, err := r.slow.compare(ctx, from, hash, p.secret)
	if err == nil && !ok && p.second != "" {
		return r.slow.compare(ctx, from, hash, p.second)
	}

	return ok, err
}

// equalSHA256 compares in constant time.
func equalSHA256(hash, secret string) bool {
	var buf [maxSecret]byte
	sum := sha256.Sum256(append(buf[:0], secret...))

	var got, want [len(digest) + 43]byte
	copy(got[:], digest)
	base64.RawURLEncoding.Encode(got[len(digest):], sum[:])

	return subtle.ConstantTimeCompare(got[:], append(want[:0], hash...)) == 1
}
