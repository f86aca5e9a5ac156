package grantwell

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// Whatever the header is, nothing panics, and what is read is what a client can have written.
func FuzzBasic(f *testing.F) {
	for _, s := range []string{"conf:secret", "a%3Ab:c+d%25", ":", "a:", ":b", "%zz:x", "a\x00:b", "\xff:b", "a:b:c"} {
		f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte(s)))
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, h string) {
		id, secret, err := parseBasic(h)
		if err != nil {
			require.Empty(t, id+secret)
			return
		}
		require.NotEmpty(t, id)
		require.NotContains(t, id+secret, "\x00")
		back := "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
		id2, secret2, err := parseBasic(back)
		require.NoError(t, err)
		require.Equal(t, []string{id, secret}, []string{id2, secret2})
	})
}

// Whatever the scope parameter is, what is read are few, valid, different scopes, and reading them again changes nothing.
func FuzzScope(f *testing.F) {
	for _, s := range []string{"", "read", "read write read", "  a  b ", "a,b+c", "a\tb", "\"", "\\", "\u00e9", "\xff", strings.Repeat("a ", 500), strings.Repeat("a", 300)} {
		f.Add(s, "")
		f.Add(s, ",+")
	}
	f.Fuzz(func(t *testing.T, param, delimiters string) {
		r := ScopeRules{Delimiters: delimiters}
		if len(delimiters) > 8 || len(param) > 64<<10 || r.check() != nil {
			return
		}
		got, err := r.parse(param)
		if err != nil {
			require.Less(t, protocol(err).Status, 500)
			return
		}
		require.LessOrEqual(t, len(got), maxScopes)
		for i, s := range got {
			require.True(t, storage.ValidScope(s))
			require.NotContains(t, got[:i], s)
			require.False(t, strings.ContainsAny(s, " "+delimiters))
			require.Contains(t, param, s)
		}
		again, err := r.parse(strings.Join(got, " "))
		require.NoError(t, err)
		require.True(t, slices.Equal(got, again))
	})
}
