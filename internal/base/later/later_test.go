package later_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/later"
)

var (
	errFirst  = errors.New("used by another request")
	errSecond = errors.New("used by another request, second kind")
	errStore  = errors.New("store down")
)

// What a request uses up is used up when the list runs, each once. The refusal is the one
// that was set when it was added.
//
// Holds: house: used once.
func TestList_UsesUpOnce(t *testing.T) {
	t.Parallel()
	ctx, l := later.With(t.Context(), errFirst)
	require.Same(t, l, later.Of(ctx))
	used := map[string]int{}
	use := func(key string, first bool, err error) func(context.Context) (bool, error) {
		return func(context.Context) (bool, error) { used[key]++; return first, err }
	}
	require.True(t, l.Add("a", use("a", true, nil)))
	require.True(t, l.Add("b", use("b", true, nil)))
	require.False(t, l.Add("a", use("again", true, nil)), "the request has it already")
	require.Empty(t, used, "nothing is used up before the list runs")
	require.NoError(t, l.Run(ctx))
	require.NoError(t, l.Run(ctx))
	require.Equal(t, map[string]int{"a": 1, "b": 1}, used)
	require.False(t, l.Add("a", use("a", true, nil)), "it was used up by this request")

	require.True(t, l.Add("c", use("c", false, nil)))
	l.Refuse(errSecond)
	require.True(t, l.Add("d", use("d", false, nil)))
	require.ErrorIs(t, l.Run(ctx), errFirst)
	require.ErrorIs(t, l.Run(ctx), errFirst, "it stays refused")
	require.Zero(t, used["d"], "nothing after a refusal is used up")

	_, l = later.With(t.Context(), errFirst)
	l.Refuse(errSecond)
	require.True(t, l.Add("d", use("d", false, nil)))
	require.ErrorIs(t, l.Run(ctx), errSecond)

	_, l = later.With(t.Context(), errFirst)
	require.True(t, l.Add("e", use("e", true, errStore)))
	require.ErrorIs(t, l.Run(ctx), errStore)
}

// Without a list nothing is kept, and what is called on none does nothing.
func TestList_None(t *testing.T) {
	t.Parallel()
	l := later.Of(t.Context())
	require.Nil(t, l)
	l.Refuse(errFirst)
	require.NoError(t, l.Run(t.Context()))
}
