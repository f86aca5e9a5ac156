package scope

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// Whatever the scope parameter is, what is read are few, valid, different scopes, and
// reading them again changes nothing.
func FuzzScope(f *testing.F) {
	for _, s := range []string{
		"", "read", "read write read", "  a  b ", "a,b+c", "a\tb", "\"", "\\", "\u00e9", "\xff",
		strings.Repeat("a ", 500), strings.Repeat("a", 300),
	} {
		f.Add(s, "")
		f.Add(s, ",+")
	}
	f.Fuzz(func(t *testing.T, param, delimiters string) {
		r := Rules{grants.ScopeRules{Delimiters: delimiters}}
		if len(delimiters) > 8 || len(param) > 64<<10 || r.Check() != nil {
			return
		}
		got, err := r.Parse(param)
		if err != nil {
			require.Less(t, grants.ErrorOf(err).Status, 500)
			return
		}
		require.LessOrEqual(t, len(got), maxScopes)
		for i, s := range got {
			require.True(t, storage.ValidScope(s))
			require.NotContains(t, got[:i], s)
			require.False(t, strings.ContainsAny(s, " "+delimiters))
			require.Contains(t, param, s)
		}
		again, err := r.Parse(strings.Join(got, " "))
		require.NoError(t, err)
		require.True(t, slices.Equal(got, again))
	})
}
