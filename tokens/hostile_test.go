package tokens

import (
	"crypto"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// forge signs any header and payload with a real key. A hostile or faulty issuer
// that has the key could send the result.
func forge(t testing.TB, key Key, header, payload string) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	signature, err := signature(key, []byte(input))
	require.NoError(t, err)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func goodHeader(k Key) string {
	return `{"alg":"` + k.Algorithm + `","kid":"` + k.ID + `","typ":"at+jwt"}`
}

func goodPayload() string {
	now := time.Now().Unix()
	return fmt.Sprintf(`{"iss":%q,"sub":"u","aud":"a","client_id":"c","jti":"j","iat":%d,"exp":%d}`, issuer, now, now+3600)
}

// Verify accepts only the header that Mint writes. Each of these tokens has a
// valid signature.
//
// Holds: RFC 8725 section 3.
func TestJWT_RefusesHostileHeaders(t *testing.T) {
	t.Parallel()
	es, p384, rs := keyFor(t, ES256), keyFor(t, ES384), keyFor(t, RS256)
	j := strategy(t, es, p384, rs)
	jwk, err := json.Marshal(jose.JSONWebKey{Key: es.Signer.Public()})
	require.NoError(t, err)
	with := func(more string) string { return strings.Replace(goodHeader(es), "{", "{"+more+",", 1) }

	_, err = j.Verify(t.Context(), forge(t, es, goodHeader(es), goodPayload()))
	require.NoError(t, err, "the case without a fault")
	_, err = j.Verify(t.Context(), forge(t, es, strings.Replace(goodHeader(es), "at+jwt", "application/at+jwt", 1), goodPayload()))
	require.NoError(t, err, "the long media type")

	for name, header := range map[string]string{
		"embedded jwk":         with(`"jwk":` + string(jwk)),
		"jku":                  with(`"jku":"https://evil.example/jwks"`),
		"x5u":                  with(`"x5u":"https://evil.example/cert"`),
		"x5c":                  with(`"x5c":["MIIB"]`),
		"unknown crit":         with(`"crit":["x"],"x":1`),
		"b64 false":            with(`"crit":["b64"],"b64":false`),
		"zip":                  with(`"zip":"DEF"`),
		"p2c":                  with(`"p2c":2147483647`),
		"alg twice":            with(`"alg":"none"`),
		"kid twice":            with(`"kid":"other"`),
		"kid in capitals":      with(`"KID":"other"`),
		"typ JWT":              strings.Replace(goodHeader(es), "at+jwt", "JWT", 1),
		"typ of introspection": strings.Replace(goodHeader(es), "at+jwt", "token-introspection+jwt", 1),
		"no typ":               strings.Replace(goodHeader(es), `,"typ":"at+jwt"`, "", 1),
		"typ not text":         strings.Replace(goodHeader(es), `"at+jwt"`, "1", 1),
		"no kid":               `{"alg":"ES256","typ":"at+jwt"}`,
		"empty kid":            `{"alg":"ES256","kid":"","typ":"at+jwt"}`,
		"unknown kid":          `{"alg":"ES256","kid":"unknown","typ":"at+jwt"}`,
		"kid of another key":   `{"alg":"ES256","kid":"` + p384.ID + `","typ":"at+jwt"}`,
		"alg of another key":   `{"alg":"ES384","kid":"` + es.ID + `","typ":"at+jwt"}`,
		"ES256 with RSA kid":   `{"alg":"ES256","kid":"` + rs.ID + `","typ":"at+jwt"}`,
		"alg none":             strings.Replace(goodHeader(es), "ES256", "none", 1),
		"alg nOnE":             strings.Replace(goodHeader(es), "ES256", "nOnE", 1),
		"alg unknown":          strings.Replace(goodHeader(es), "ES256", "ES256K", 1),
		"not an object":        `["ES256"]`,
		"not JSON":             `{"alg":"ES256"`,
		"trailing":             goodHeader(es) + "{}",
		"too deep":             with(`"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)),
		"long":                 with(`"x":"` + strings.Repeat("x", maxHeader) + `"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireInvalid(t, j, forge(t, es, header, goodPayload()))
		})
	}
	t.Run("HS256 keyed with the public key", func(t *testing.T) {
		t.Parallel()
		der, err := x509.MarshalPKIXPublicKey(rs.Signer.Public())
		require.NoError(t, err)
		input := b64(`{"alg":"HS256","kid":"`+rs.ID+`","typ":"at+jwt"}`) + "." + b64(goodPayload())
		mac := hmac.New(sha256.New, der)
		mac.Write([]byte(input))
		requireInvalid(t, j, input+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
	})
	t.Run("the same RSA key with the padding that it is not for", func(t *testing.T) {
		t.Parallel()
		other := rs
		other.Algorithm = PS256
		requireInvalid(t, j, forge(t, other, goodHeader(other), goodPayload()))
	})
	t.Run("either name of Ed25519", func(t *testing.T) {
		t.Parallel()
		for _, key := range []Key{keyFor(t, EdDSA), keyFor(t, Ed25519)} {
			for _, alg := range []string{EdDSA, Ed25519} {
				header := strings.Replace(goodHeader(key), key.Algorithm, alg, 1)
				_, err := strategy(t, key).Verify(t.Context(), forge(t, key, header, goodPayload()))
				require.NoError(t, err, "key %s, header %s", key.Algorithm, alg)
			}
		}
	})
	t.Run("an algorithm that is not listed", func(t *testing.T) {
		t.Parallel()
		narrow := j
		narrow.Algorithms = []string{RS256}
		requireInvalid(t, narrow, forge(t, es, goodHeader(es), goodPayload()))
	})
}

// A signed payload is refused if a claim is missing, repeated, of another type, or
// out of time.
//
// Holds: RFC 9068 section 2.
func TestJWT_RefusesHostileClaims(t *testing.T) {
	t.Parallel()
	key := keyFor(t, EdDSA)
	j := strategy(t, key)
	now := time.Now().Unix()
	claims := func(name, value string) string {
		m := map[string]json.RawMessage{}
		require.NoError(t, json.Unmarshal([]byte(goodPayload()), &m))
		delete(m, name)
		if value != "" {
			m[name] = json.RawMessage(value)
		}
		out, err := json.Marshal(m)
		require.NoError(t, err)
		return string(out)
	}
	cases := map[string]string{
		"more than 16 KiB":     strings.Replace(goodPayload(), "{", `{"x":"`+strings.Repeat("x", maxJWT)+`",`, 1),
		"claim twice":          strings.Replace(goodPayload(), "{", `{"sub":"admin",`, 1),
		"claim twice, inside":  strings.Replace(goodPayload(), "{", `{"cnf":{"jkt":"a","jkt":"b"},`, 1),
		"claim in other case":  strings.Replace(goodPayload(), "{", `{"SUB":"admin",`, 1),
		"escaped duplicate":    strings.Replace(goodPayload(), "{", `{"s\u0075b":"admin",`, 1),
		"not an object":        `"claims"`,
		"not UTF-8":            strings.Replace(goodPayload(), `"u"`, "\"\xff\"", 1),
		"trailing":             goodPayload() + "1",
		"empty":                "",
		"too wide":             strings.Replace(goodPayload(), "{", `{"x":[`+strings.Repeat("1,", 300)+`1],`, 1),
		"too deep":             strings.Replace(goodPayload(), "{", `{"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`,`, 1),
		"iss array":            claims("iss", `["`+issuer+`"]`),
		"iss other":            claims("iss", `"https://evil.example"`),
		"iss with a slash":     claims("iss", `"`+issuer+`/"`),
		"aud empty array":      claims("aud", `[]`),
		"aud empty text":       claims("aud", `""`),
		"aud array of empty":   claims("aud", `[""]`),
		"aud number":           claims("aud", `[1]`),
		"aud null":             claims("aud", `null`),
		"aud object":           claims("aud", `{"a":"b"}`),
		"scope array":          claims("scope", `["read"]`),
		"scope empty":          claims("scope", `""`),
		"scope two spaces":     claims("scope", `"a  b"`),
		"cnf text":             claims("cnf", `"x"`),
		"cnf empty":            claims("cnf", `{}`),
		"cnf of objects":       claims("cnf", `{"jwk":{"kty":"EC"}}`),
		"nbf null":             claims("nbf", `null`),
		"nbf in the future":    claims("nbf", fmt.Sprint(now+100)),
		"iat in the future":    claims("iat", fmt.Sprint(now+100)),
		"exp reached":          strings.Replace(claims("exp", fmt.Sprint(now)), fmt.Sprintf(`"iat":%d`, now), fmt.Sprintf(`"iat":%d`, now-10), 1),
		"exp before iat":       claims("exp", fmt.Sprint(now-1)),
		"auth_time text":       claims("auth_time", `"1"`),
		"sub empty":            claims("sub", `""`),
		"sub number":           claims("sub", `1`),
		"jti object":           claims("jti", `{}`),
		"client_id empty":      claims("client_id", `""`),
		"exp of 20 digits":     claims("exp", `18446744073709551617`),
		"exp beyond year 9999": claims("exp", `253402300800`),
	}
	for _, name := range []string{"iss", "sub", "aud", "client_id", "jti", "iat", "exp"} {
		cases["without "+name] = claims(name, "")
	}
	for _, n := range []string{`1e308`, `1e999999999`, `-1`, `-0`, `0`, `1.5`, `4102444800.5`, `4.1e9`, `"4102444800"`, `true`, `null`} {
		cases["exp "+n], cases["iat "+n] = claims("exp", n), claims("iat", n)
	}
	for name, payload := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireInvalid(t, j, forge(t, key, goodHeader(key), payload))
		})
	}
}

// A token has one spelling, the compact one, and no other signature fits it.
//
// Holds: RFC 7515 section 5.2; RFC 8725 section 3.
func TestJWT_RefusesOtherSpellings(t *testing.T) {
	t.Parallel()
	key := keyFor(t, ES256)
	j := strategy(t, key)
	good := forge(t, key, goodHeader(key), goodPayload())
	part := strings.Split(good, ".")
	raw := func(n int) []byte { return make([]byte, n) }
	order := elliptic.P256().Params().N.Bytes()
	sig := func(s []byte) string { return part[0] + "." + part[1] + "." + base64.RawURLEncoding.EncodeToString(s) }
	expired := strings.Replace(goodPayload(), `"exp":`, `"exp":1,"x":`, 1)
	cases := map[string]string{
		"empty":                "",
		"dots":                 "..",
		"no signature":         part[0] + "." + part[1] + ".",
		"two parts":            part[0] + "." + part[1],
		"encrypted":            good + ".." + part[2],
		"JSON serialization":   `{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`,
		"padding":              good + "==",
		"line break":           good + "\n",
		"line break inside":    part[0] + ".\r\n" + part[1] + "." + part[2],
		"spare bits":           good[:len(good)-1] + nextSpelling(good[len(good)-1]),
		"truncated":            good[:len(good)-4],
		"extended":             good + "AAAA",
		"case changed":         part[0] + "." + part[1] + "." + swapCase(part[2]),
		"r and s zero":         sig(raw(64)),
		"s zero":               sig(append([]byte(strings.Repeat("\x01", 32)), raw(32)...)),
		"r of the order":       sig(append(append([]byte{}, order...), []byte(strings.Repeat("\x01", 32))...)),
		"short numbers":        sig([]byte{1, 1}),
		"long numbers":         sig(append(raw(64), raw(64)...)),
		"expired and unsigned": part[0] + "." + b64(expired) + "." + part[2],
		"foreign payload":      part[0] + "." + b64(goodPayload()+" ") + "." + part[2],
		"1 MiB of dots":        strings.Repeat(".", 1<<20),
		"1 MiB of letters":     strings.Repeat("A", 1<<20),
		"one too many":         good + strings.Repeat("A", maxJWT+1-len(good)),
	}
	for name, token := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireInvalid(t, j, token)
		})
	}
	for i := range len(good) {
		requireInvalid(t, j, good[:i]+nextSpelling(good[i])+good[i+1:])
	}
}

// A megabyte of dots is refused without a copy of it.
//
// Holds: house: bounded tokens.
func TestJWT_RefusesDotsWithoutAllocating(t *testing.T) {
	j := strategy(t, keyFor(t, ES256))
	for _, token := range []string{strings.Repeat(".", 1<<20), strings.Repeat(".", maxJWT)} {
		require.LessOrEqual(t, testing.AllocsPerRun(10, func() { _, _ = j.Verify(t.Context(), token) }), 2.0)
	}
}

// If the keys cannot be had, Verify does not return ErrInvalid.
func TestJWT_KeyFailureIsNotInvalid(t *testing.T) {
	t.Parallel()
	key := keyFor(t, ES256)
	token := forge(t, key, goodHeader(key), goodPayload())
	_, err := JWT{Keys: noKeys{}, Issuer: issuer}.Verify(t.Context(), token)
	require.ErrorIs(t, err, errNoKeys)
	require.NotErrorIs(t, err, ErrInvalid)
	_, err = JWT{Keys: noKeys{}, Issuer: issuer}.Mint(t.Context(), someClaims())
	require.ErrorIs(t, err, errNoKeys)
}

// If a signer returns something else than a signature, Mint returns an error.
func TestJWT_RefusesSignerOutputThatIsNoSignature(t *testing.T) {
	t.Parallel()
	key := keyFor(t, ES256)
	for name, der := range map[string]string{
		"empty": "", "zero": "\x30\x06\x02\x01\x00\x02\x01\x00", "negative": "\x30\x06\x02\x01\xff\x02\x01\x01", "trailing": "\x30\x06\x02\x01\x01\x02\x01\x01\x00",
		"oversized": "\x30\x26\x02\x21\x01" + strings.Repeat("\x01", 32) + "\x02\x01\x01",
	} {
		broken := key
		broken.Signer = constantSigner{key.Signer, []byte(der)}
		_, err := strategy(t, broken).Mint(t.Context(), someClaims())
		require.ErrorContains(t, err, "no ASN.1 DER signature", name)
	}
	small := key
	small.Signer = constantSigner{key.Signer, []byte("\x30\x06\x02\x01\x01\x02\x01\x02")} // short numbers are padded
	token, err := strategy(t, small).Mint(t.Context(), someClaims())
	require.NoError(t, err)
	raw, err := base64.RawURLEncoding.DecodeString(token[strings.LastIndexByte(token, '.')+1:])
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("\x00", 31)+"\x01"+strings.Repeat("\x00", 31)+"\x02", string(raw))
}

// requireInvalid also checks that the error contains no part of the token, and
// that no claims are returned.
func requireInvalid(t *testing.T, s Strategy, token string) {
	t.Helper()
	c, err := s.Verify(t.Context(), token)
	require.ErrorIs(t, err, ErrInvalid)
	require.Equal(t, Claims{}, c)
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 {
			require.NotContains(t, err.Error(), part)
		}
	}
}

// nextSpelling returns the character whose lowest bit differs. At the end of a
// segment a lax decoder reads the same bytes from it.
func nextSpelling(c byte) string {
	if c == '.' {
		return "A"
	}
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if up := strings.ToUpper(string(r)); up != string(r) {
			return rune(up[0])
		}
		return rune(strings.ToLower(string(r))[0])
	}, s)
}

type constantSigner struct {
	crypto.Signer
	signature []byte
}

func (s constantSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.signature, nil
}
