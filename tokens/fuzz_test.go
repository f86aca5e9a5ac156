package tokens

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A string that Verify accepts has exactly the form of a token. No string makes
// it panic.
func FuzzOpaqueVerify(f *testing.F) {
	o := Opaque{Prefix: "gw_at_"}
	good, err := o.Mint(f.Context(), Claims{})
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, token string) {
		c, err := o.Verify(t.Context(), token)
		require.Equal(t, Claims{}, c)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		require.Len(t, token, o.total())
		require.True(t, strings.HasPrefix(token, o.Prefix))
		sum := checksum([]byte(token[:len(token)-checksumChars]))
		require.True(t, strings.HasSuffix(token, string(sum[:])))
	})
}

// The target signs an arbitrary header and payload, and also tries an arbitrary
// string. A token that is accepted is complete, can be minted again, and has one
// spelling.
func FuzzJWTVerify(f *testing.F) {
	key := keyFor(f, EdDSA)
	key.ID = "k" // so that a seed corpus can name it
	j := strategy(f, key)
	f.Add(goodHeader(key), goodPayload(), "")
	f.Add(goodHeader(key), `{"iss":"https://as.example","sub":"u","aud":["a","b"],"client_id":"c","jti":"j","iat":1,"exp":9999999999,"cnf":{"jkt":"x"},"x":[1.5e3]}`, "")
	f.Add(`{"alg":"none"}`, goodPayload(), "a.b.c")
	f.Fuzz(func(t *testing.T, header, payload, token string) {
		for _, s := range []string{forge(t, key, header, payload), token} {
			c, err := j.Verify(t.Context(), s)
			if err != nil {
				require.True(t, errors.Is(err, ErrInvalid))
				require.Equal(t, Claims{}, c)
				continue
			}
			again, err := j.Mint(t.Context(), c)
			require.NoError(t, err)
			same, err := j.Verify(t.Context(), again)
			require.NoError(t, err)
			require.Equal(t, c, same)
			for part := range strings.SplitSeq(s, ".") {
				raw, err := base64.RawURLEncoding.DecodeString(part)
				require.NoError(t, err)
				require.Equal(t, part, base64.RawURLEncoding.EncodeToString(raw))
			}
		}
	})
}

// ParseKey neither panics nor accepts a key that it cannot name.
func FuzzParseKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"), "")
	f.Add([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), ES256)
	f.Fuzz(func(t *testing.T, data []byte, algorithm string) {
		if k, err := ParseKey(data, algorithm); err == nil {
			require.NoError(t, k.Check())
		}
	})
}
