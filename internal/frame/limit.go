package frame

import (
	"context"
	"net/http"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/peer"
)

// Limit bounds what the callers at one address do. A request that names no address is
// not counted by it: one count of all such requests would let one caller lock out all
// others.
type Limit struct {
	Limiter grants.Limiter
	Peers   *peer.Proxies
}

// Attempt asks for one try that is counted by each of the keys; an empty key counts
// nothing. If there is no error, the caller calls done once, with the outcome: failures
// count.
func (l *Limit) Attempt(ctx context.Context, keys ...string) (done func(success bool), err error) {
	var dones []func(bool)
	done = func(success bool) {
		for _, done := range dones {
			done(success)
		}
	}
	for _, key := range keys {
		if key == "" {
			continue
		}
		one, wait, err := l.Limiter.Attempt(ctx, key)
		if err != nil || wait > 0 {
			done(true) // no try was made, so none counts
			if err != nil {
				return nil, grants.Unavailable(err)
			}
			return nil, grants.TooManyTries(wait)
		}
		dones = append(dones, one)
	}

	return done, nil
}

// AddrKey returns the key by which the address of a request is counted, "" if it names
// none. The kind is that of the limiter's key, with its colon.
func (l *Limit) AddrKey(kind string, r *http.Request) string {
	addr := l.Peers.Addr(r)
	if !addr.IsValid() {
		return ""
	}

	return kind + peer.Neighbourhood(addr)
}

// Spend counts a request by its address, whatever comes of it.
func (l *Limit) Spend(ctx context.Context, kind string, r *http.Request) error {
	done, err := l.Attempt(ctx, l.AddrKey(kind, r))
	if err == nil {
		done(false)
		return nil
	}
	if e := grants.ErrorOf(err); e.Status == http.StatusTooManyRequests {
		e.Description = "Too many requests came from this address. Wait before the next one."
		return e
	}

	return err
}
