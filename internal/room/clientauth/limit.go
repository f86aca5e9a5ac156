package clientauth

import (
	"context"
	"net/http"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/peer"
	"github.com/grantwell/grantwell/storage"
)

// attempt asks the limiter for one try that is counted by each of the keys; an empty
// key counts nothing. If there is no error, the caller calls done once, with the
// outcome.
func (r *Room) attempt(ctx context.Context, keys ...string) (done func(success bool), err error) {
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
		one, wait, err := r.Limiter.Attempt(ctx, key)
		if err != nil || wait > 0 {
			done(true) // no try was made, so none counts
			if err != nil {
				return nil, grants.Unavailable(err)
			}
			return nil, tooManyTries(wait)
		}
		dones = append(dones, one)
	}

	return done, nil
}

func tooManyTries(wait time.Duration) error {
	return &grants.Error{
		// A client that reads invalid_client throws its registration away.
		Code:        "temporarily_unavailable",
		Description: "Too many failed tries. Wait before the next one.",
		Status:      http.StatusTooManyRequests,
		RetryAfter:  wait,
		Reason:      grants.ReasonLimit,
	}
}

// ByAddress asks for one try that is counted by the address of a request. If there is
// no error, the caller calls done once, with the outcome: failures count. The kind is
// that of the limiter's key, with its colon.
func (r *Room) ByAddress(ctx context.Context, kind string, req *http.Request) (done func(success bool), err error) {
	return r.attempt(ctx, r.addrKey(kind, req))
}

// Proofs is the kind of the count of what takes work before it is known to be forged,
// like the signature of an assertion.
const Proofs = "assertion:"

// addrKey is empty if the request names no address: one count of all such requests
// would let one caller lock out all others.
func (r *Room) addrKey(kind string, req *http.Request) string {
	addr := r.Peers.Addr(req)
	if !addr.IsValid() {
		return ""
	}

	return kind + peer.Neighbourhood(addr)
}

// guessKey counts by client and address, so that a caller cannot lock a client out
// from elsewhere.
func (r *Room) guessKey(req *http.Request, clientID string) string {
	kind := "client:"
	if r.LimitClass != nil {
		if class := r.LimitClass(clientID); class != "" {
			kind = "client/" + class + ":"
		}
	}

	return kind + storage.JoinKey(clientID, peer.Neighbourhood(r.Peers.Addr(req)))
}
