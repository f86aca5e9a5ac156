package introspect_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
)

// Each header is answered by 200, 400 or 401, and by 200 only if it is the
// scheme, one space and the token.
//
// Holds: RFC 9110 section 11.1.
func FuzzAuthorizationHeader(f *testing.F) {
	for _, seed := range []string{"Bearer good", "bearer good", "Bearer\tgood", "Bearer good,good", "Bearer  good", "Basic eA==", "Bearer", "", "\x00", "Bearer é"} {
		f.Add(seed)
	}
	g := newGuard()
	f.Fuzz(func(t *testing.T, header string) {
		w, seen := serve(g, bearer(header))
		passes := len(header) == 11 && strings.EqualFold(header[:6], "Bearer") && header[6:] == " good"
		require.Equal(t, passes, seen != nil)
		if !passes {
			require.Contains(t, []int{http.StatusBadRequest, http.StatusUnauthorized}, w.Code)
			challenge := w.Header().Get("WWW-Authenticate")
			require.True(t, strings.HasPrefix(challenge, `Bearer realm="notes"`))
		}
	})
}

// A response that is accepted has a JSON form, which is read as the same token.
func FuzzParseResponse(f *testing.F) {
	for _, seed := range []string{
		`{"active":false}`, `{"active":true,"scope":"a b","aud":["x"],"exp":1,"cnf":{"jkt":"k"},"x":{"y":[1,null]}}`, `{"active":true,"aud":"x","active":false}`,
		`{"active":true,"cnf":{"jwk":{"a":1}}}`, `{}`, `[`, `{"active":true,"exp":1e9}`, "{\"active\":true,\"\xff\":1}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := introspect.ParseResponse(data)
		if err != nil {
			require.Nil(t, got)
			return
		}
		out, err := json.Marshal(got)
		require.NoError(t, err)
		if !got.Active {
			require.Equal(t, `{"active":false}`, string(out))
			return
		}
		again, err := introspect.ParseResponse(out)
		if len(out) > 64<<10 { // escapes may have made it too long to be read
			return
		}
		require.NoError(t, err)
		once, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(out), string(once))
	})
}

// No token but the signed one is active. None makes Introspect panic.
//
// Holds: house: hooks refuse.
func FuzzJWT(f *testing.F) {
	j := checker()
	whole := sign(f, "ES256", p256(), "p256", good(nil))
	parts := strings.Split(whole, ".")
	for _, seed := range []string{whole, parts[0] + "." + parts[1] + ".", "..", "a.b.c", segment(`{"alg":"none","typ":"at+jwt"}`) + "." + parts[1] + ".",
		segment(`{"alg":"HS256","typ":"at+jwt","kid":"rsa"}`) + "." + parts[1] + "." + parts[2], `{"payload":""}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		got, err := j.Introspect(t.Context(), token)
		require.NoError(t, err)
		require.True(t, !got.Active || token == whole)
	})
}
