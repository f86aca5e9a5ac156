package clientauth

import (
	"encoding/base64"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// No header makes the reader panic, and a client can have written what is read.
func FuzzBasic(f *testing.F) {
	for _, s := range []string{"conf:secret", "a%3Ab:c+d%25", ":", "a:", ":b", "%zz:x", "a\x00:b", "\xff:b", "a:b:c"} {
		f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte(s)))
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, h string) {
		decoded, plain, err := parseBasic(h)
		if err != nil {
			require.Empty(t, decoded)
			require.Empty(t, plain)
			return
		}
		require.NotEmpty(t, plain.id)
		require.NotContains(t, plain.id+plain.secret+decoded.id+decoded.secret, "\x00")
		if decoded.id == "" {
			require.Empty(t, decoded.secret)
			return
		}

		pair := url.QueryEscape(decoded.id) + ":" + url.QueryEscape(decoded.secret)
		again, _, err := parseBasic("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
		require.NoError(t, err)
		require.Equal(t, decoded, again)
	})
}
