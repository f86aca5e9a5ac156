package grantwell_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// Every kind of secret at every place that takes another kind: refused, and it still works where it belongs.
// Holds R86, V7, V8, V90.
func TestKinds_NoneStandsForAnother(t *testing.T) {
	t.Parallel()
	for _, config := range []func(*grantwell.Config){func(*grantwell.Config) {}, signed(testKeys(t))} {
		d := newDirect(t, func(cfg *grantwell.Config) {
			config(cfg)
			cfg.Paths.TokenInfo = "/tokeninfo"
		})
		guarded := introspect.Guard{Introspector: d.srv, AnyAudience: true}.Require()(shown)
		code := d.code("conf")
		access, refresh := d.family("conf")
		var consent string
		d.authorize("conf", "read", grantwell.Approval{Subject: "alice", Remember: true})
		for _, r := range d.records(storage.Query{Kind: storage.Consent}) {
			consent = r.Key
		}
		require.NotEmpty(t, consent)
		places := map[string]func(token string) bool{
			"code":       func(s string) bool { return d.redeem("conf", s).status == 200 },
			"refresh":    func(s string) bool { return d.refresh("conf", s).status == 200 },
			"tokeninfo":  func(s string) bool { return d.post("/tokeninfo", conf, "access_token", s).status == 200 },
			"bearer":     func(s string) bool { return bearer(guarded, s).status == 200 },
			"introspect": func(s string) bool { return d.live(s) },
			"secret": func(s string) bool {
				return d.post("/token", "conf:"+s, "grant_type", "client_credentials").status == 200
			},
			"password": func(s string) bool {
				return d.post("/token", conf, "grant_type", "password", "username", "johndoe", "password", s).status == 200
			},
		}
		belongs := map[string][]string{"code": {"code"}, "access": {"tokeninfo", "bearer", "introspect"}, "refresh": {"refresh", "introspect"}, "consent": nil, "grant": nil}
		for kind, s := range map[string]string{"code": code, "access": access, "refresh": refresh, "consent": consent, "grant": d.records(storage.Query{Kind: storage.Access})[0].GrantID} {
			for place, accepts := range places {
				if !contains(belongs[kind], place) {
					require.False(t, accepts(s), "%s as %s", kind, place)
				}
			}
		}
		require.Equal(t, 200, d.revoke("conf", code).status)
		require.True(t, places["code"](code), "a code is no token to revoke")
		for _, place := range []string{"tokeninfo", "bearer", "introspect"} {
			require.True(t, places[place](access), place)
		}
		require.True(t, places["refresh"](refresh))
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// A token that was cut, extended, changed in case or encoded anew is no token.
// Holds R87, V91.
func TestKinds_OnlyTheExactBytes(t *testing.T) {
	t.Parallel()
	for _, config := range []func(*grantwell.Config){func(*grantwell.Config) {}, signed(testKeys(t)), unrecorded(testKeys(t)), func(cfg *grantwell.Config) { cfg.AccessTokens.Prefix, cfg.RefreshTokens.Prefix = "gwa_", "gwr_" }} {
		d := newDirect(t, config)
		code := d.code("conf")
		access, refresh := d.family("conf")
		for _, s := range []string{access, refresh, code} {
			for _, changed := range mutations(s) {
				if changed == s {
					continue
				}
				require.False(t, d.live(changed), "%q", changed)
				require.NotEqual(t, 200, d.refresh("conf", changed).status)
				require.NotEqual(t, 200, d.redeem("conf", changed).status)
			}
		}
		require.True(t, d.live(access))
		require.Equal(t, 200, d.redeem("conf", code).status)
		require.Equal(t, 200, d.refresh("conf", refresh).status)
	}
}

func mutations(s string) []string {
	flip := strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
	out := []string{s[:len(s)-1], s[1:], s[:len(s)/2], s + "A", s + "=", s + "==", s + ".", "A" + s, s + s, s + " ", " " + s, s + "\n", s + "\t", strings.ToLower(s), strings.ToUpper(s), flip,
		strings.NewReplacer("-", "+", "_", "/").Replace(s) + "+", base64.StdEncoding.EncodeToString([]byte(s)), strings.ReplaceAll(s, ".", ".."), s + "%00", s + "?", "Bearer " + s, s + ",", `"` + s + `"`}
	for i := range len(s) { // the last character of base64 has bits that a careless decoder ignores
		b := []byte(s)
		b[i] ^= 1
		if c := b[i]; c > 0x20 && c < 0x7f {
			out = append(out, string(b))
		}
	}
	return out
}
