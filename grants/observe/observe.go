package observe

import (
	"context"
	"errors"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/storage"
)

// Call is what is being called. All its values come from the program, none from a request.
type Call struct {
	Part string // "records", "clients", "signer" or "assertion"
	Name string // the method: "Get", "Insert", "Advance", "Revoke", "Sweep", "List", "Client", …, "Signing", "Sign", "Verify"
	Kind string // a record's kind (the first one's), a signature's algorithm, an assertion's use; may be empty
}

// Outcome is how a call ended.
type Outcome string

// The outcomes. NotFound, Exists, Conflict and Refused are answers, and no fault.
const (
	OK       Outcome = "ok"
	NotFound Outcome = "not_found" // [storage.ErrNotFound]
	Exists   Outcome = "exists"    // [storage.ErrExists]
	Conflict Outcome = "conflict"  // [storage.ErrConflict]
	Refused  Outcome = "refused"   // an assertion that is not good
	Canceled Outcome = "canceled"  // the caller went away
	Timeout  Outcome = "timeout"   // the request's deadline passed
	Failed   Outcome = "failed"    // any other error
	Panicked Outcome = "panicked"
)

// Fault tells whether the outcome is one that an operator should look at.
func (o Outcome) Fault() bool { return o == Timeout || o == Failed || o == Panicked }

// Observer is told that a call begins. It returns the context in which the call is made, which carries a span for example,
// and a function that is called once when the call has ended, from the same goroutine. Either may be nil: the context stays as it is, or
// nobody asks how it ended. Observers are called from many goroutines at once.
type Observer func(ctx context.Context, c Call) (context.Context, func(Outcome))

// do runs one call.
func (o Observer) do(ctx context.Context, c Call, call func(context.Context) error) error {
	within, ended := o.begin(ctx, c)
	out := Panicked
	defer func() { end(ended, out) }()
	err := call(within)
	out = outcome(err)
	return err
}

func (o Observer) begin(ctx context.Context, c Call) (within context.Context, ended func(Outcome)) {
	defer func() {
		if recover() != nil {
			within, ended = ctx, nil
		}
	}()
	if within, ended = o(ctx, c); within == nil {
		within = ctx
	}
	return within, ended
}

func end(ended func(Outcome), out Outcome) {
	defer func() { _ = recover() }()
	if ended != nil {
		ended(out)
	}
}

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
	case errors.As(err, &refusal) && refusal.Reason != assertion.ReasonUnavailable:
		return Refused
	}
	return Failed
}
