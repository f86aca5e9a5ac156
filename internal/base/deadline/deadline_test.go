package deadline_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/deadline"
)

// A deadline behaves as the context package's own does, asked in any order, before and after it is over.
func TestDeadline_IsAContextWithDeadline(t *testing.T) {
	t.Parallel()
	type key struct{}
	for name, do := range map[string]func(t *testing.T, ctx context.Context, end, parent func()){
		"nothing happens": func(*testing.T, context.Context, func(), func()) {},
		"ends":            func(_ *testing.T, _ context.Context, end, _ func()) { end() },
		"ends twice":      func(_ *testing.T, _ context.Context, end, _ func()) { end(); end() },
		"parent ends":     func(_ *testing.T, _ context.Context, _, parent func()) { parent() },
		"runs out":        func(*testing.T, context.Context, func(), func()) { time.Sleep(2 * time.Second) },
		"runs out, ends": func(_ *testing.T, ctx context.Context, end, _ func()) {
			time.Sleep(2 * time.Second)
			require.Error(t, ctx.Err())
			end()
		},
		"ends, runs out": func(_ *testing.T, _ context.Context, end, _ func()) { end(); time.Sleep(2 * time.Second) },
		"is waited for":  func(_ *testing.T, ctx context.Context, _, _ func()) { <-ctx.Done() },
		"is waited for, by a child": func(t *testing.T, ctx context.Context, _, _ func()) {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			<-child.Done()
			require.ErrorIs(t, child.Err(), context.DeadlineExceeded)
		},
		"is asked first": func(t *testing.T, ctx context.Context, end, _ func()) { require.NoError(t, ctx.Err()); end() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				results := make([][]any, 2)
				for i := range results {
					parent, stop := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
					at := time.Now().Add(time.Second)
					var ctx context.Context
					var end func()
					if i == 0 {
						ctx, end = context.WithDeadline(parent, at)
					} else {
						d := &deadline.Context{Parent: parent, At: at}
						ctx, end = d, d.End
					}
					do(t, ctx, end, stop)
					synctest.Wait()
					got, ok := ctx.Deadline()
					closed := false
					err := ctx.Err()
					select {
					case <-ctx.Done():
						closed = true
					default:
					}
					results[i] = []any{got.Equal(at), ok, err, context.Cause(ctx), closed, ctx.Err(), ctx.Value(key{})}
					end()
					stop()
				}
				require.Equal(t, results[0], results[1])
			})
		})
	}
}

// A parent's earlier deadline is the one that counts.
func TestDeadline_NeverOutlivesItsParent(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d := &deadline.Context{Parent: parent, At: time.Now().Add(time.Hour)}
	got, ok := d.Deadline()
	want, _ := parent.Deadline()
	require.True(t, ok)
	require.Equal(t, want, got)
}

// It is asked, waited for and ended by many at once.
func TestDeadline_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	for range 200 {
		d := &deadline.Context{Parent: t.Context(), At: time.Now().Add(time.Hour)}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				switch i % 4 {
				case 0:
					<-d.Done()
				case 1:
					_ = d.Err()
				case 2:
					child, cancel := context.WithCancel(d)
					cancel()
					<-child.Done()
				default:
					d.End()
				}
			})
		}
		wg.Wait()
		require.ErrorIs(t, d.Err(), context.Canceled)
	}
}
