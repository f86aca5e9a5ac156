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
		id, secret, err := parseBasic(h)
		if err != nil {
			require.Empty(t, id+secret)
			return
		}
		require.NotEmpty(t, id)
		require.NotContains(t, id+secret, "\x00")

		pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
		id2, secret2, err := parseBasic("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
		require.NoError(t, err)
		require.Equal(t, []string{id, secret}, []string{id2, secret2})
	})
}
