package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keysFunc is a Keys whose signing key is that of a function.
type keysFunc func() (Key, error)

func (f keysFunc) Signing(context.Context) (Key, error)     { return f() }
func (f keysFunc) Published(context.Context) ([]Key, error) { return nil, nil }

// signClaims signs a payload of any content with the header that Mint writes.
func signClaims(t *testing.T, key Key, payload string) string {
	t.Helper()
	token, err := sign(key, []byte(payload))
	require.NoError(t, err)
	return token
}

// Each registered claim of a token of ours must be there, or have its type. A token that
// another program signed with our key is refused otherwise.
//
// Holds: RFC 9068 section 2; RFC 9068 section 2.2.
func TestJWT_ClaimsAreCompleteAndTyped(t *testing.T) {
	t.Parallel()
	key := keyFor(t, ES256)
	now := time.Now().Unix()
	members := map[string]any{
		"iss": issuer, "sub": "user-1", "client_id": "app", "jti": "id-1", "aud": "https://api.example",
		"iat": now, "exp": now + 3600,
	}
	for name, c := range map[string]struct {
		change map[string]any // nil removes
		says   string         // "": accepted
	}{
		"complete":            {nil, ""},
		"no iss":              {map[string]any{"iss": nil}, "iss"},
		"no sub":              {map[string]any{"sub": nil}, "sub"},
		"no client_id":        {map[string]any{"client_id": nil}, "client_id"},
		"no jti":              {map[string]any{"jti": nil}, "jti"},
		"no aud":              {map[string]any{"aud": nil}, "aud"},
		"no iat":              {map[string]any{"iat": nil}, "claim iat is missing"},
		"no exp":              {map[string]any{"exp": nil}, "claim exp is missing"},
		"exp zero":            {map[string]any{"exp": 0}, "claim exp"},
		"nbf":                 {map[string]any{"nbf": now}, ""},
		"nbf a string":        {map[string]any{"nbf": "0"}, "claim nbf"},
		"cnf":                 {map[string]any{"cnf": map[string]any{"jkt": "k"}}, ""},
		"cnf with a number":   {map[string]any{"cnf": map[string]any{"jkt": 7}}, "claim cnf is missing or of the wrong type"},
		"cnf with an object":  {map[string]any{"cnf": map[string]any{"jwk": map[string]any{}}}, "claim cnf is missing or of the wrong type"},
		"cnf with null":       {map[string]any{"cnf": map[string]any{"jkt": "k", "x": nil}}, "claim cnf is missing or of the wrong type"},
		"cnf a string":        {map[string]any{"cnf": "k"}, "claim cnf"},
		"cnf empty":           {map[string]any{"cnf": map[string]any{}}, "claim cnf is missing or of the wrong type"},
		"aud with a number":   {map[string]any{"aud": []any{"https://api.example", 7}}, "claim aud"},
		"scope with a number": {map[string]any{"scope": 7}, "claim scope"},
	} {
		changed := map[string]any{}
		for n, v := range members {
			changed[n] = v
		}
		for n, v := range c.change {
			if changed[n] = v; v == nil {
				delete(changed, n)
			}
		}
		text, err := json.Marshal(changed)
		require.NoError(t, err)
		_, err = strategy(t, key).Verify(t.Context(), signClaims(t, key, string(text)))
		if c.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.says, name)
	}
}

// Mint refuses a configuration that Check refuses, and a key that cannot sign.
//
// Holds: house: configuration errors.
func TestJWT_MintNeedsAConfigurationAndAKey(t *testing.T) {
	t.Parallel()
	key := keyFor(t, ES256)
	down := errors.New("no keys now")
	verifying := key
	verifying.Signer = nil
	for name, c := range map[string]struct {
		strategy JWT
		says     string
	}{
		"no keys":           {JWT{Issuer: issuer}, "Keys"},
		"no issuer":         {JWT{Keys: strategy(t, key).Keys}, "Issuer"},
		"an algorithm":      {JWT{Keys: strategy(t, key).Keys, Issuer: issuer, Algorithms: []string{ES256, "none"}}, "Algorithms"},
		"a large skew":      {JWT{Keys: strategy(t, key).Keys, Issuer: issuer, ClockSkew: time.Hour}, "ClockSkew"},
		"keys fail":         {JWT{Keys: keysFunc(func() (Key, error) { return key, down }), Issuer: issuer}, "no keys now"},
		"only verifies":     {JWT{Keys: keysFunc(func() (Key, error) { return verifying, nil }), Issuer: issuer}, "key"},
		"without algorithm": {JWT{Keys: keysFunc(func() (Key, error) { return Key{ID: "k", Signer: key.Signer}, nil }), Issuer: issuer}, "key"},
		"another algorithm": {JWT{Keys: strategy(t, key).Keys, Issuer: issuer, Algorithms: []string{RS256}}, "does not list"},
	} {
		claims := someClaims()
		claims.Issuer = ""
		token, err := c.strategy.Mint(t.Context(), claims)
		require.ErrorContains(t, err, c.says, name)
		require.Empty(t, token, name)
	}
}

// A token is three segments, and its header at most 1 KiB.
//
// Holds: RFC 9068 section 2.1; house: bounded tokens.
func TestJWT_TheFormIsBounded(t *testing.T) {
	t.Parallel()
	key := keyFor(t, ES256)
	s := strategy(t, key)
	token, err := s.Mint(t.Context(), someClaims())
	require.NoError(t, err)
	parts := strings.Split(token, ".")
	for name, text := range map[string]string{
		"two segments":  parts[0] + "." + parts[1],
		"four segments": token + "." + parts[2],
		"a dot more":    token + ".",
		"no dot":        parts[0],
	} {
		_, err := s.Verify(t.Context(), text)
		require.ErrorContains(t, err, "three segments", name)
	}

	for length, long := range map[int]bool{1024: false, 1025: true} {
		header := "e30" + strings.Repeat("A", length-3)
		_, err := s.Verify(t.Context(), header+"."+parts[1]+"."+parts[2])
		require.Error(t, err)
		require.Equal(t, long, strings.Contains(err.Error(), "too long"), length)
	}
}

// A negative time of a rotation is named as such.
//
// Holds: house: configuration errors.
func TestRotation_NegativeTimesAreNamed(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*Rotation{
		"PublishAhead": {PublishAhead: -1},
		"Keep":         {Keep: -1},
		"Refresh":      {Refresh: -1},
	} {
		require.ErrorContains(t, r.Check(), "must not be negative", name)
	}
}
