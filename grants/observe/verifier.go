package observe

import (
	"context"

	"github.com/grantwell/grantwell/assertion"
)

// Verifier returns v with every assertion observed. The reason of a refusal is in the
// verifier's own events, and not here. If o is nil, Verifier returns v itself.
func Verifier(o Observer, v assertion.Verifier) assertion.Verifier {
	if o == nil || v == nil {
		return v
	}
	return verifier{o, v}
}

// verifier observes an [assertion.Verifier].
type verifier struct {
	o Observer
	v assertion.Verifier
}

// Verify implements [assertion.Verifier].
func (v verifier) Verify(ctx context.Context, r assertion.Request) (a *assertion.Assertion, err error) {
	call := Call{"assertion", "Verify", use(r.Use)}
	err = v.o.do(ctx, call, func(ctx context.Context) error {
		a, err = v.v.Verify(ctx, r)
		return err
	})
	return a, err
}

// use returns the word for the use of an assertion.
func use(u assertion.Use) string {
	if u == assertion.ClientAuth {
		return "client"
	}
	return "grant"
}
