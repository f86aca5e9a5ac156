package observe

import (
	"context"
	"errors"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/storage"
)

// Call names one call of the server. All its values come from short lists.
type Call struct {
	// Part is "records", "clients", "signer" or "assertion".
	Part string

	// Name is the method, for example "Get", "Advance", "Client", "Sign" or "Verify".
	Name string

	// Kind is the kind of the record, or of the first of several; the algorithm of a
	// signature; or the use of an assertion. It may be empty.
	Kind string
}

// Outcome is how a call ended.
type Outcome string

// The outcomes. NotFound, Exists, Conflict and Refused are answers and no faults.
const (
	OK       Outcome = "ok"
	NotFound Outcome = "not_found" // [storage.ErrNotFound]
	Exists   Outcome = "exists"    // [storage.ErrExists]
	Conflict Outcome = "conflict"  // [storage.ErrConflict]
	Refused  Outcome = "refused"   // an assertion that is not valid
	Canceled Outcome = "canceled"  // the caller has gone away
	Timeout  Outcome = "timeout"   // the deadline of the request has passed
	Failed   Outcome = "failed"    // any other error
	Panicked Outcome = "panicked"
)

// Fault reports whether an operator should look at the outcome.
func (o Outcome) Fault() bool {
	return o == Timeout || o == Failed || o == Panicked
}

// Observer is called at the start of each call. It returns the context for the call, for
// example with a span, and a function that is called once when the call has ended, in the
// same goroutine. Both may be nil: a nil context stands for ctx, and without a function the
// outcome is not reported.
//
// An observer must be safe for concurrent use.
type Observer func(ctx context.Context, c Call) (context.Context, func(Outcome))

// do makes one call. If the call panics, the outcome is Panicked and the panic goes on.
func (o Observer) do(ctx context.Context, c Call, call func(context.Context) error) error {
	within, ended := o.begin(ctx, c)
	out := Panicked
	defer func() { end(ended, out) }()

	err := call(within)
	out = outcome(err)
	return err
}

// begin calls the observer. After a panic of the observer the call is made in ctx.
func (o Observer) begin(ctx context.Context, c Call) (within context.Context, ended func(Outcome)) {
	defer func() {
		if recover() != nil {
			within = ctx
			ended = nil
		}
	}()
	within, ended = o(ctx, c)
	if within == nil {
		within = ctx
	}
	return within, ended
}

// end reports the outcome. A panic of the observer must not reach the server.
func end(ended func(Outcome), out Outcome) {
	defer func() { _ = recover() }()
	if ended != nil {
		ended(out)
	}
}

// outcome returns the outcome of a call that returned err.
func outcome(err error) Outcome {
	var refusal *assertion.Error
	switch {
	case err == nil:
		return OK
	case errors.Is(err, storage.ErrNotFound):
		return NotFound
	case errors.Is(err, storage.ErrExists):
		return Exists
	case errors.Is(err, storage.ErrConflict):
		return Conflict
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout

	// A verifier that cannot load keys fails. Every other reason is a refusal.
	case errors.As(err, &refusal) && refusal.Reason != assertion.ReasonUnavailable:
		return Refused
	}
	return Failed
}
