package clientauth

import (
	"context"
	"net/http"

	"github.com/grantwell/grantwell/internal/base/peer"
	"github.com/grantwell/grantwell/storage"
)

// Proofs is the kind of the count of what takes work before it is known to be forged,
// like the signature of an assertion.
const Proofs = "assertion:"

// ByAddress asks for one try that is counted by the address of a request. If there is
// no error, the caller calls done once, with the outcome: failures count.
func (r *Room) ByAddress(ctx context.Context, kind string, req *http.Request) (done func(success bool), err error) {
	return r.Limit.Attempt(ctx, r.Limit.AddrKey(kind, req))
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

	return kind + storage.JoinKey(clientID, peer.Neighbourhood(r.Limit.Peers.Addr(req)))
}
