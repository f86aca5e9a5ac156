package grantwell_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// A secret of one kind is refused in every place of another kind, and still
// works in its own place.
//
// Holds: RFC 7515 section 5.2; house: kinds apart.
func TestTokenKinds_NoneStandsForAnother(t *testing.T) {
	t.Parallel()
	for _, config := range []func(*grantwell.Config){func(*grantwell.Config) {},
		servertest.Signed(servertest.Keys(t))} {
		d := servertest.New(t, func(cfg *grantwell.Config) {
			config(cfg)
			cfg.Paths.TokenInfo = "/tokeninfo"
		})
		guarded := introspect.Guard{
			Introspector: d.AS,
			AnyAudience:  true,
		}.Require()(http.HandlerFunc(servertest.ShowToken))
		code := d.Code("conf")
		access, refresh := d.Family("conf")
		var consent string
		d.Authorize(grantwell.Approval{Subject: "alice", Remember: true}, "scope", "read")
		for _, r := range d.Records(storage.Query{Kind: storage.Consent}) {
			consent = r.Key
		}
		require.NotEmpty(t, consent)
		places := map[string]func(token string) bool{
			"code":    func(s string) bool { return d.Redeem("conf", s).Status == 200 },
			"refresh": func(s string) bool { return d.Refresh("conf", s).Status == 200 },
			"tokeninfo": func(s string) bool {
				return d.Post("/tokeninfo", servertest.Conf, "access_token", s).Status == 200
			},
			"bearer": func(s string) bool {
				return servertest.Bearer(guarded, s).Status == 200
			},
			"introspect": func(s string) bool { return d.Live(s) },
			"secret": func(s string) bool {
				return d.ClientCredentials("conf:"+s).Status == 200
			},
			"password": func(s string) bool {
				return d.Login("johndoe", s).Status == 200
			},
		}
		belongs := map[string][]string{
			"code":    {"code"},
			"access":  {"tokeninfo", "bearer", "introspect"},
			"refresh": {"refresh", "introspect"},
			"consent": nil,
			"grant":   nil,
		}
		for kind, s := range map[string]string{
			"code":    code,
			"access":  access,
			"refresh": refresh,
			"consent": consent,
			"grant":   d.Records(storage.Query{Kind: storage.Access})[0].GrantID,
		} {
			for place, accepts := range places {
				if !contains(belongs[kind], place) {
					require.False(t, accepts(s), "%s as %s", kind, place)
				}
			}
		}
		require.Equal(t, 200, d.Revoke("conf", code).Status)
		require.True(t, places["code"](code), "a code is not a token that can be revoked")
		for _, place := range []string{"tokeninfo", "bearer", "introspect"} {
			require.True(t, places[place](access), place)
		}
		require.True(t, places["refresh"](refresh))
	}
}

// contains reports whether a list has a text.
func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// A token that was cut, extended, changed in case or encoded again is no
// token.
//
// Holds: RFC 7515 section 5.2.
func TestTokenKinds_OnlyTheExactBytes(t *testing.T) {
	t.Parallel()
	for _, config := range []func(*grantwell.Config){func(*grantwell.Config) {},
		servertest.Signed(servertest.Keys(t)), servertest.Unrecorded(servertest.Keys(t)),
		func(cfg *grantwell.Config) {
			cfg.AccessTokens.Prefix = "gwa_"
			cfg.RefreshTokens.Prefix = "gwr_"
		}} {
		d := servertest.New(t, config)
		code := d.Code("conf")
		access, refresh := d.Family("conf")
		for _, s := range []string{access, refresh, code} {
			for _, changed := range mutations(s) {
				if changed == s {
					continue
				}
				require.False(t, d.Live(changed), "%q", changed)
				require.NotEqual(t, 200, d.Refresh("conf", changed).Status)
				require.NotEqual(t, 200, d.Redeem("conf", changed).Status)
			}
		}
		require.True(t, d.Live(access))
		require.Equal(t, 200, d.Redeem("conf", code).Status)
		require.Equal(t, 200, d.Refresh("conf", refresh).Status)
	}
}

// mutations returns changed copies of a token.
func mutations(s string) []string {
	flip := strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
	out := []string{s[:len(s)-1], s[1:], s[:len(s)/2], s + "A", s + "=", s + "==", s + ".", "A" + s,
		s + s, s + " ", " " + s, s + "\n", s + "\t", strings.ToLower(s), strings.ToUpper(s), flip,
		strings.NewReplacer("-", "+", "_", "/").Replace(s) + "+",
		base64.StdEncoding.EncodeToString([]byte(s)), strings.ReplaceAll(s, ".", ".."), s + "%00",
		s + "?", "Bearer " + s, s + ",", `"` + s + `"`}
	for i := range len(s) { // a lenient decoder ignores some bits of the last character
		b := []byte(s)
		b[i] ^= 1
		if c := b[i]; c > 0x20 && c < 0x7f {
			out = append(out, string(b))
		}
	}
	return out
}

// A token or code with one changed character is refused, and so is a token of
// another kind.
//
// Holds: RFC 7515 section 5.2; house: kinds apart.
func TestTokenKinds_ChangedCharacterIsRefused(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	code := l.Code("conf")
	got := l.Redeem("conf", l.Code("conf"))
	at, rt := got.String("access_token"), got.String("refresh_token")
	for _, wrong := range []string{code, at} {
		l.Refresh("conf", wrong).Fails(t, 400, "invalid_grant")
	}
	for _, wrong := range []string{at, rt} {
		l.Redeem("conf", wrong).Fails(t, 400, "invalid_grant")
	}
	for _, wrong := range []string{code, rt} {
		require.False(t, l.Valid(wrong))
	}
	change := func(s string) []string {
		swap := func(i int) string {
			c := byte('A')
			if s[i] == c {
				c = 'B'
			}
			return s[:i] + string(c) + s[i+1:]
		}
		return []string{s[:len(s)-1], s + "A", s + "=", s + "\n", " " + s, strings.ToLower(s),
			strings.ToUpper(s), swap(0), swap(20), swap(len(s) - 1),
			s[1:], strings.NewReplacer("-", "+", "_", "/").Replace(s) + "==", s + "." + s,
			strings.Repeat(s, 2)}
	}
	for _, c := range change(at) {
		require.False(t, l.Valid(c), c)
		require.Equal(t, false, l.Introspect("conf", c).JSON["active"], c)
	}
	for _, c := range change(rt) {
		l.Refresh("conf", c).Fails(t, 400, "invalid_grant")
	}
	for _, c := range change(code) {
		l.Redeem("conf", c).Fails(t, 400, "invalid_grant")
	}
	require.True(t, l.Valid(at))
	require.Equal(t, 200, l.Redeem("conf", code).Status)
}
