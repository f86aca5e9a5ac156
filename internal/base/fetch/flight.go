package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"
)

// errPanic takes the place of a panic in a call. Unrecovered, it would end the
// process, because no caller's code is below it on the stack.
var errPanic = errors.New("fetch: the call panicked")

// Flight makes one call serve all callers that ask for the same key at the same
// time. The zero value is ready.
type Flight[V any] struct {
	group singleflight.Group
}

// Do joins the call for key that is under way, or begins one. A call that began
// joinFor ago or earlier is not joined; zero means that every call is.
//
// The call runs on when the caller that began it gives up, because others may
// wait for it: its context is never cancelled, so it must bound itself. A
// caller whose ctx ends stops waiting. All callers of one call get the same
// value, which they must not change.
func (f *Flight[V]) Do(ctx context.Context, key string, joinFor time.Duration, call func(context.Context) (V, error)) (V, error) {
	var none V
	select {
	case result := <-f.begin(ctx, key, joinFor, call):
		if result.Err != nil {
			return none, result.Err
		}
		return result.Val.(V), nil
	case <-ctx.Done():
		return none, fmt.Errorf("fetch: %w", ctx.Err())
	}
}

// begin joins or begins a call and does not wait for it.
func (f *Flight[V]) begin(ctx context.Context, key string, joinFor time.Duration, call func(context.Context) (V, error)) <-chan singleflight.Result {
	return f.group.DoChan(key, func() (value any, err error) {
		defer func() {
			if recover() != nil {
				err = errPanic
			}
		}()
		if joinFor > 0 {
			forget := time.AfterFunc(joinFor, func() { f.group.Forget(key) })
			defer forget.Stop()
		}
		return call(context.WithoutCancel(ctx))
	})
}
