package introspect_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
)

func want(t *testing.T, j *introspect.LocalJWT, token string, reason introspect.Reason) *introspect.Token {
	t.Helper()
	got, err := j.Introspect(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, reason, got.Reason)
	require.Equal(t, reason == "", got.Active)
	return got
}

// A token of RFC 9068 is accepted with each type of key, and gives the same
// value as another Introspector.
//
// Holds: RFC 6750 section 3.1; RFC 9068 section 2; house: foreign tokens.
func TestJWT_AcceptsRFC9068(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_ = public
	keys := map[string]crypto.Signer{"rsa": rsaKey(), "p256": p256(), "p384": p384(), "ed": private}
	j := checker(func(j *introspect.LocalJWT) { j.Keys = keySet(keys) })
	for alg, kid := range map[jose.SignatureAlgorithm]string{"RS256": "rsa", "PS384": "rsa", "ES256": "p256", "ES384": "p384", "EdDSA": "ed"} {
		got := want(t, j, sign(t, alg, keys[kid], kid, good(claims{"cnf": claims{"jkt": "k"}})), "")
		require.Equal(t, "alice", got.Subject)
		require.Equal(t, "shop", got.ClientID)
		require.Equal(t, []string{"read", "write"}, got.Scope)
		require.Equal(t, []string{api}, got.Audience)
		require.Equal(t, "k", got.Confirmation["jkt"])
		require.Equal(t, claims{"department": "sales"}, got.Extra)
		want(t, j, sign(t, alg, keys[kid], "", good(nil)), "")
	}
	// RFC 9864 gave EdDSA on this curve a second name, which go-jose does not sign by.
	input := segment(`{"alg":"Ed25519","typ":"at+jwt","kid":"ed"}`) + "." + segment(string(must(json.Marshal(good(nil)))))
	want(t, j, input+"."+base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(input))), "")
	onlyOldName := checker(func(j *introspect.LocalJWT) { j.Keys, j.Algorithms = keySet(keys), []string{"EdDSA"} })
	want(t, onlyOldName, input+"."+base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(input))), "")
	token := sign(t, "ES256", p256(), "p256", good(claims{"aud": []string{"other", api}}), claims{"typ": "application/AT+JWT"})
	_, seen := serve(newGuard(func(g *introspect.Guard) { g.Introspector = j }), bearer("Bearer "+token), "read")
	require.NotNil(t, seen)
}

// The type and the value of every claim are checked.
//
// Holds: RFC 7523 section 3; house: audience is set; house: foreign tokens;
// house: numeric lifetimes.
func TestJWT_ChecksClaims(t *testing.T) {
	t.Parallel()
	now := time.Now().Unix()
	j := checker()
	for name, c := range map[string]struct {
		change claims
		want   introspect.Reason
	}{
		"another issuer":   {claims{"iss": "https://as.example.com/"}, introspect.ReasonIssuer},
		"no issuer":        {claims{"iss": nil}, introspect.ReasonIssuer},
		"issuer in a list": {claims{"iss": []string{"https://as.example.com"}}, introspect.ReasonMalformed},
		"another audience": {claims{"aud": "https://other.example.com"}, introspect.ReasonAudience},
		"audience prefix":  {claims{"aud": api + ".evil.example"}, introspect.ReasonAudience},
		"no audience":      {claims{"aud": nil}, introspect.ReasonAudience},
		"empty audience":   {claims{"aud": []string{}}, introspect.ReasonMalformed},
		"audience types":   {claims{"aud": []any{api, 1}}, introspect.ReasonMalformed},
		"expired":          {claims{"exp": now - 1}, introspect.ReasonExpired},
		"expires now":      {claims{"exp": now}, introspect.ReasonExpired},
		"no exp":           {claims{"exp": nil}, introspect.ReasonMalformed},
		"exp a string":     {claims{"exp": fmt.Sprint(now + 60)}, introspect.ReasonMalformed},
		"exp a float":      {claims{"exp": json.RawMessage("1e308")}, introspect.ReasonMalformed},
		"exp overflows":    {claims{"exp": json.RawMessage("9223372036854775807")}, introspect.ReasonMalformed},
		"exp negative":     {claims{"exp": -1}, introspect.ReasonMalformed},
		"no iat":           {claims{"iat": nil}, introspect.ReasonMalformed},
		"iat ahead":        {claims{"iat": now + 30}, introspect.ReasonNotYetValid},
		"iat within slack": {claims{"iat": now + 5}, ""},
		"nbf ahead":        {claims{"nbf": now + 30}, introspect.ReasonNotYetValid},
		"nbf passed":       {claims{"nbf": now - 30}, ""},
		"no sub":           {claims{"sub": nil}, introspect.ReasonMalformed},
		"sub a number":     {claims{"sub": 7}, introspect.ReasonMalformed},
		"no client_id":     {claims{"client_id": nil, "azp": "shop"}, introspect.ReasonMalformed},
		"cnf unreadable":   {claims{"cnf": claims{}}, introspect.ReasonMalformed},
		"scope a list":     {claims{"scope": []string{"read"}}, introspect.ReasonMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, j, sign(t, "ES256", p256(), "p256", good(c.change)), c.want)
		})
	}
	for _, payload := range []string{``, `null`, `[]`, `"x"`, `{"iss":"a","iss":"https://as.example.com"}`, strings.Repeat("[", 100)} {
		want(t, j, sign(t, "ES256", p256(), "p256", payload), introspect.ReasonMalformed)
	}
}

func segment(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// A header cannot choose the key, the algorithm or a feature. A token has one
// spelling.
//
// Holds: RFC 7523 section 3; RFC 8725 section 3; RFC 9068 section 2.1;
// RFC 9701 section 5; house: bounded body; house: hash formats; house: strict JOSE.
func TestJWT_HostileCorpus(t *testing.T) {
	t.Parallel()
	j := checker()
	whole := sign(t, "ES256", p256(), "p256", good(nil))
	parts := strings.Split(whole, ".")
	der := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	jwk := jose.JSONWebKey{Key: otherRSA().Public(), KeyID: "rsa"}
	custom := func(header string) string { return segment(header) + "." + parts[1] + "." + parts[2] }
	inJSON := fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, parts[1], parts[0], parts[2])
	expired := sign(t, "ES256", p256(), "p256", good(claims{"exp": 1}))
	order := p256().Params().N.FillBytes(make([]byte, 32))
	rs := func(r, s []byte) string {
		return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(append(append([]byte{}, r...), s...))
	}
	zero, one := make([]byte, 32), big.NewInt(1).FillBytes(make([]byte, 32))
	for name, token := range map[string]string{
		"empty": "", "dots": "..", "one part": "abc", "two parts": parts[0] + "." + parts[1], "four parts": whole + ".x", "five parts": whole + ".a.b",
		"none":                   custom(`{"alg":"none","typ":"at+jwt"}`),
		"none, no signature":     segment(`{"alg":"none","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"None":                   custom(`{"alg":"nOnE","typ":"at+jwt"}`),
		"no alg":                 custom(`{"typ":"at+jwt","kid":"p256"}`),
		"alg a list":             custom(`{"alg":["ES256"],"typ":"at+jwt"}`),
		"unknown alg":            custom(`{"alg":"ES999","typ":"at+jwt"}`),
		"PBES2":                  custom(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"typ":"at+jwt"}`),
		"alg twice":              custom(`{"alg":"none","alg":"ES256","typ":"at+jwt"}`),
		"header not an object":   custom(`[]`),
		"header nested":          custom(`{"x":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`),
		"HS256, public key":      sign(t, "HS256", der, "rsa", good(nil)),
		"embedded jwk":           sign(t, "RS256", otherRSA(), "rsa", good(nil), claims{"jwk": jwk}),
		"jku":                    sign(t, "RS256", rsaKey(), "rsa", good(nil), claims{"jku": "https://evil.example"}),
		"x5u":                    sign(t, "RS256", rsaKey(), "rsa", good(nil), claims{"x5u": "https://evil.example"}),
		"x5c":                    custom(`{"alg":"ES256","typ":"at+jwt","x5c":[]}`),
		"crit":                   custom(`{"alg":"ES256","typ":"at+jwt","crit":["x"],"x":1}`),
		"zip":                    custom(`{"alg":"ES256","typ":"at+jwt","zip":"DEF"}`),
		"b64":                    custom(`{"alg":"ES256","typ":"at+jwt","b64":false,"crit":["b64"]}`),
		"another signer":         sign(t, "RS256", otherRSA(), "rsa", good(nil)),
		"unknown kid":            sign(t, "ES256", p256(), "nobody", good(nil)),
		"kid of another type":    sign(t, "ES256", p256(), "rsa", good(nil)),
		"kid of another curve":   sign(t, "ES256", p256(), "p384", good(nil)),
		"kid empty":              custom(`{"alg":"ES256","typ":"at+jwt","kid":""}`),
		"ES256 with P-384 key":   custom(`{"alg":"ES256","typ":"at+jwt","kid":"p384"}`),
		"no typ":                 custom(`{"alg":"ES256","kid":"p256"}`),
		"ID token":               sign(t, "ES256", p256(), "p256", good(nil), claims{"typ": "JWT"}),
		"introspection answer":   sign(t, "ES256", p256(), "p256", good(nil), claims{"typ": "token-introspection+jwt"}),
		"payload changed":        parts[0] + "." + segment(`{"sub":"root"}`) + "." + parts[2],
		"expired, then unsigned": strings.Join(strings.Split(expired, ".")[:2], ".") + "." + parts[2],
		"signature empty":        parts[0] + "." + parts[1] + ".",
		"signature padded":       whole + "=",
		"line end in a part":     parts[0] + "." + parts[1] + "\n." + parts[2],
		"standard base64":        parts[0] + "." + parts[1] + "." + strings.Repeat("+", 86),
		"JSON form":              inJSON,
		"r and s zero":           rs(zero, zero),
		"r one, s zero":          rs(one, zero),
		"r and s the order":      rs(order, order),
		"too large":              whole + strings.Repeat("A", 16<<10),
		"large dots":             strings.Repeat(".", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := j.Introspect(t.Context(), token)
			require.NoError(t, err)
			require.False(t, got.Active)
			require.NotEqual(t, introspect.ReasonExpired, got.Reason)
		})
	}
	last := whole[len(whole)-1:]
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if string(c) != last { // the last character has unused bits, which must be zero
			got, err := j.Introspect(t.Context(), whole[:len(whole)-1]+string(c))
			require.NoError(t, err)
			require.False(t, got.Active)
		}
	}
	want(t, j, whole, "")
}

// A token of many dots is refused without allocating for it.
//
// Holds: house: bounded tokens.
func TestJWT_DotsCostNothing(t *testing.T) {
	j := checker()
	dots := strings.Repeat(".", 1<<20)
	want(t, j, dots, introspect.ReasonMalformed)
	require.Less(t, testing.AllocsPerRun(10, func() { _, _ = j.Introspect(context.Background(), dots) }), 10.0)
}

// A key verifies only what its JWK allows, and a weak key verifies nothing. A
// set with a symmetric or private key is refused.
//
// Holds: RFC 8725 section 3; RFC 9068 section 2.1.
func TestJWT_KeysForTheirPurpose(t *testing.T) {
	t.Parallel()
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	member := func(key any, change claims) json.RawMessage {
		var m claims
		require.NoError(t, json.Unmarshal(must(json.Marshal(jose.JSONWebKey{Key: key, KeyID: "k"})), &m))
		for name, value := range change {
			m[name] = value
		}
		return must(json.Marshal(m))
	}
	spare := member(p384().Public(), claims{"kid": "spare"})
	for name, c := range map[string]struct {
		alg  jose.SignatureAlgorithm
		key  any
		jwk  json.RawMessage
		want introspect.Reason
	}{
		"use sig":            {"RS256", rsaKey(), member(rsaKey().Public(), claims{"use": "sig", "alg": "RS256", "key_ops": []string{"verify"}}), ""},
		"use enc":            {"RS256", rsaKey(), member(rsaKey().Public(), claims{"use": "enc"}), introspect.ReasonSignature},
		"another alg":        {"RS256", rsaKey(), member(rsaKey().Public(), claims{"alg": "PS256"}), introspect.ReasonSignature},
		"alg of encryption":  {"RS256", rsaKey(), member(rsaKey().Public(), claims{"alg": "RSA-OAEP"}), introspect.ReasonSignature},
		"key_ops of signing": {"RS256", rsaKey(), member(rsaKey().Public(), claims{"key_ops": []string{"sign"}}), introspect.ReasonSignature},
		"weak RSA":           {"RS256", weak, member(weak.Public(), nil), introspect.ReasonSignature},
		"RSA exponent one":   {"RS256", rsaKey(), member(rsaKey().Public(), claims{"e": "AQ"}), introspect.ReasonSignature},
		"private":            {"RS256", rsaKey(), member(rsaKey(), nil), introspect.ReasonMalformed},
		"symmetric":          {"HS256", make([]byte, 32), member(make([]byte, 32), nil), introspect.ReasonMalformed},
		"empty secret":       {"HS256", make([]byte, 32), json.RawMessage(`{"kty":"oct","k":"","kid":"k"}`), introspect.ReasonMalformed},
		"unknown type":       {"RS256", rsaKey(), json.RawMessage(`{"kty":"QKD","kid":"k"}`), introspect.ReasonSignature},
		"member twice":       {"RS256", rsaKey(), json.RawMessage(`{"kty":"RSA","kty":"RSA"}`), introspect.ReasonMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := must(json.Marshal(claims{"keys": []json.RawMessage{c.jwk, spare}}))
			if c.want == introspect.ReasonMalformed {
				set = []byte(`{"keys":[` + string(c.jwk) + `,` + string(spare) + `]}`)
				require.Error(t, checker(func(j *introspect.LocalJWT) { j.Keys = set }).Check())
				return
			}
			want(t, checker(func(j *introspect.LocalJWT) { j.Keys = set }), sign(t, c.alg, c.key, "k", good(nil)), c.want)
		})
	}
	two := must(json.Marshal(claims{"keys": []json.RawMessage{member(otherRSA().Public(), nil), member(rsaKey().Public(), nil)}}))
	want(t, checker(func(j *introspect.LocalJWT) { j.Keys = two }), sign(t, "RS256", rsaKey(), "k", good(nil)), "") // every key with the kid is tried
}

// Algorithms, types, client IDs and the leeway follow the configuration. A
// wrong configuration is refused.
//
// Holds: house: audience is set; house: foreign tokens.
func TestJWT_Configuration(t *testing.T) {
	t.Parallel()
	onlyPS := checker(func(j *introspect.LocalJWT) { j.Algorithms = []string{"PS256"} })
	want(t, onlyPS, sign(t, "RS256", rsaKey(), "rsa", good(nil)), introspect.ReasonSignature)
	want(t, onlyPS, sign(t, "PS256", rsaKey(), "rsa", good(nil)), "")

	foreign := checker(func(j *introspect.LocalJWT) { j.Types = []string{"JWT"} })
	got := want(t, foreign, sign(t, "ES256", p256(), "p256", good(claims{"client_id": nil, "azp": "shop"}), claims{"typ": "JWT"}), "")
	require.Equal(t, "shop", got.ClientID)
	want(t, foreign, sign(t, "ES256", p256(), "p256", good(nil)), introspect.ReasonType)

	mapped := checker(func(j *introspect.LocalJWT) {
		j.ClientMap = func(_ context.Context, id string) (string, error) {
			if id == "down" {
				return "", errors.New("x")
			}
			return map[string]string{"shop": "local"}[id], nil
		}
	})
	require.Equal(t, "local", want(t, mapped, sign(t, "ES256", p256(), "p256", good(nil)), "").ClientID)
	want(t, mapped, sign(t, "ES256", p256(), "p256", good(claims{"client_id": "nobody"})), introspect.ReasonClient)
	_, err := mapped.Introspect(t.Context(), sign(t, "ES256", p256(), "p256", good(claims{"client_id": "down"})))
	require.Error(t, err)

	slack := checker(func(j *introspect.LocalJWT) { j.Leeway = time.Minute })
	want(t, slack, sign(t, "ES256", p256(), "p256", good(claims{"nbf": time.Now().Unix() + 30})), "")

	for field, change := range map[string]func(*introspect.LocalJWT){
		"Issuer":        func(j *introspect.LocalJWT) { j.Issuer = "" },
		"Audience":      func(j *introspect.LocalJWT) { j.Audience = nil },
		"JWKSURI, Keys": func(j *introspect.LocalJWT) { j.Keys = nil },
		"exactly one":   func(j *introspect.LocalJWT) { j.JWKSURI = "https://as.example.com/jwks" },
		"JWKSURI: ":     func(j *introspect.LocalJWT) { j.Keys, j.JWKSURI = nil, "http://127.0.0.1/jwks" },
		"Keys: ":        func(j *introspect.LocalJWT) { j.Keys = []byte(`{"keys":[]}`) },
		"Algorithms":    func(j *introspect.LocalJWT) { j.Algorithms = []string{"HS256"} },
		"Types":         func(j *introspect.LocalJWT) { j.Types = []string{""} },
		"Leeway":        func(j *introspect.LocalJWT) { j.Leeway = time.Hour },
		"Interval":      func(j *introspect.LocalJWT) { j.Interval = -1 },
	} {
		j := checker(change)
		require.ErrorContains(t, j.Check(), field)
		_, err := j.Introspect(t.Context(), "x")
		require.ErrorContains(t, err, field)
	}
}
