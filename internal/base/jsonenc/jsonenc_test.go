package jsonenc

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The output is byte for byte that of encoding/json.
func FuzzObject_IsWhatEncodingJSONWrites(f *testing.F) {
	for _, s := range []string{"", "plain", `quote " and \`, "<script>&", "é\u2028\x00\x7f", "\xff\xfe", "a b"} {
		f.Add(s, "read", int64(-1))
	}
	f.Fuzz(func(t *testing.T, s, other string, n int64) {
		list := []string{s, other}
		want, err := json.Marshal(struct {
			A string   `json:"a"`
			N int64    `json:"n"`
			J string   `json:"j"`
			L []string `json:"l"`
		}{s, n, strings.ToValidUTF8(s, "\ufffd") + " " + strings.ToValidUTF8(other, "\ufffd"), list})
		require.NoError(t, err)
		var o Object
		o.String("a", s)
		o.Int("n", n)
		o.Joined("j", list)
		o.Name("l")
		o.Text = Strings(o.Text, list)
		if !strings.Contains(s+other, "\xff") && s == strings.ToValidUTF8(s, "\ufffd") && other == strings.ToValidUTF8(other, "\ufffd") {
			require.Equal(t, string(want), string(o.End()))
		}
		require.True(t, json.Valid(o.Text) || json.Valid(append(o.Text, '}')))
	})
}

func TestObject_OfNothing(t *testing.T) {
	t.Parallel()
	require.Equal(t, "{}", string(new(Object).End()))
	require.Equal(t, "[]", string(Strings(nil, nil)))
	require.Equal(t, `""`, string(Joined(nil, nil)))
	require.Equal(t, `"a"`, string(Joined(nil, []string{"a"})))
}
