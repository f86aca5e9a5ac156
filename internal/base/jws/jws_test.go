package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"sync"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/keycost"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// testKeys are made once, because RSA keys are slow to make. Each algorithm has
// the signing key of its kind.
var testKeys = sync.OnceValue(func() map[string]any {
	keys := map[string]any{}
	shared := must(rsa.GenerateKey(rand.Reader, 2048))
	for _, alg := range []string{RS256, RS384, RS512, PS256, PS384, PS512} {
		keys[alg] = shared
	}
	keys[ES256] = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	keys[ES384] = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	keys[ES512] = must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	keys[EdDSA] = private
	keys[Ed25519] = private
	for _, alg := range []string{HS256, HS384, HS512} {
		keys[alg] = []byte(strings.Repeat("secret", 12))
	}
	return keys
})

// verifier returns the key that verifies the signatures of testKeys()[alg].
func verifier(alg string) Key {
	switch k := testKeys()[alg].(type) {
	case crypto.Signer:
		return must(NewKey(k.Public()))
	case []byte:
		return NewSecret(k)
	default:
		panic(alg)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign makes a token by the primitives of the standard library alone, so that
// no code both makes and judges a token. alg is the algorithm of the signature,
// whatever the header says.
func sign(alg string, key any, header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	hash := algorithms[alg].hash
	var digest []byte
	if hash != 0 {
		h := hash.New()
		h.Write([]byte(input))
		digest = h.Sum(nil)
	}

	var signature []byte
	switch k := key.(type) {
	case []byte:
		m := hmac.New(hash.New, k)
		m.Write([]byte(input))
		signature = m.Sum(nil)
	case *rsa.PrivateKey:
		if strings.HasPrefix(alg, "PS") {
			signature = must(rsa.SignPSS(rand.Reader, k, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		} else {
			signature = must(rsa.SignPKCS1v15(rand.Reader, k, hash, digest))
		}
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, digest)
		if err != nil {
			panic(err)
		}
		size := (k.Params().N.BitLen() + 7) / 8
		signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case ed25519.PrivateKey:
		signature = ed25519.Sign(k, []byte(input))
	}
	return input + "." + b64(signature)
}

func TestVerify_EveryAlgorithmWithTheKeyOfItsKindOnly(t *testing.T) {
	t.Parallel()
	for alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			token, err := Parse(sign(alg, testKeys()[alg], `{"alg":"`+alg+`"}`, `{}`), Rules{})
			require.NoError(t, err)

			var others []Key
			for other := range algorithms {
				if key := verifier(other); !Fits(alg, key.Key) {
					others = append(others, key)
				}
			}
			_, ok := token.Verify(others)
			require.False(t, ok, "a key of another kind")

			key, ok := token.Verify(append(others, verifier(alg)))
			require.True(t, ok)
			require.Equal(t, verifier(alg), key)

			for i := range token.Signature {
				token.Signature[i] ^= 1
				_, ok := token.Verify([]Key{verifier(alg)})
				require.False(t, ok, "octet %d changed", i)
				token.Signature[i] ^= 1
			}
		})
	}
}

// go-jose is the second opinion, but for the name Ed25519.
func TestVerify_AgreesWithGoJOSE(t *testing.T) {
	t.Parallel()
	for alg := range algorithms {
		if alg == Ed25519 {
			continue
		}
		key := testKeys()[alg]
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, nil)
		require.NoError(t, err, alg)
		signed, err := signer.Sign([]byte("payload"))
		require.NoError(t, err, alg)
		text, err := signed.CompactSerialize()
		require.NoError(t, err, alg)

		token, err := Parse(text, Rules{})
		require.NoError(t, err, alg)
		_, ok := token.Verify([]Key{verifier(alg)})
		require.True(t, ok, alg)
		require.Equal(t, "payload", string(token.Payload))

		if public, isSigner := key.(crypto.Signer); isSigner {
			key = public.Public()
		}
		other, err := jose.ParseSignedCompact(sign(alg, testKeys()[alg], `{"alg":"`+alg+`"}`, `{}`), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		require.NoError(t, err, alg)
		_, err = other.Verify(key)
		require.NoError(t, err, alg)
	}
}

func TestVerify_AKeyServesItsAlgorithmOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, alg string
		serves   bool
	}{
		{"", RS256, true},
		{RS256, RS256, true},
		{PS256, RS256, false},
		{"RSA-OAEP", RS256, false},
		{EdDSA, Ed25519, true},
		{Ed25519, EdDSA, true},
		{ES256, "none", false},
		{"none", "none", false},
		{"", "", false},
		{"", "ES256K", false},
	} {
		for _, alg := range []string{RS256, ES256, EdDSA, HS256} {
			key := verifier(alg)
			key.Algorithm = c.key
			require.Equal(t, c.serves && Fits(c.alg, key.Key), key.Serves(c.alg), "%+v with a key of %s", c, alg)
		}
	}
	require.False(t, NewSecret(make([]byte, 31)).Serves(HS256))
	require.False(t, NewSecret(make([]byte, 47)).Serves(HS384))
	require.False(t, NewSecret(make([]byte, 63)).Serves(HS512))
}

func TestVerify_TriesFewKeys(t *testing.T) {
	t.Parallel()
	token, err := Parse(sign(ES256, testKeys()[ES256], `{"alg":"ES256"}`, `{}`), Rules{})
	require.NoError(t, err)
	keys := make([]Key, 0, keycost.MaxKeys+1)
	for range keycost.MaxKeys {
		keys = append(keys, must(NewKey(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public())))
	}
	_, ok := token.Verify(append(keys, verifier(ES256)))
	require.False(t, ok)
	_, ok = token.Verify(append(keys[1:], verifier(ES256)))
	require.True(t, ok)
	require.Len(t, Candidates(append(keys, keys...), token.Header), keycost.MaxKeys)
}

func TestParse_RefusesOtherFormsAndHeaders(t *testing.T) {
	t.Parallel()
	good := sign(ES256, testKeys()[ES256], `{"alg":"ES256","typ":"JWT","kid":"k"}`, `{}`)
	head, rest, _ := strings.Cut(good, ".")
	header := func(text string) string { return b64([]byte(text)) + "." + rest }
	for name, c := range map[string]struct {
		text string
		kind Kind
	}{
		"nothing":          {"", Encoding},
		"two segments":     {head + ".", Encoding},
		"four segments":    {good + ".", Encoding},
		"JSON":             {`{"payload":"","signatures":[]}`, Encoding},
		"line break":       {head + ".\n" + rest, Encoding},
		"padding":          {good + "==", Encoding},
		"plain base64":     {head + "+." + rest, Encoding},
		"spare bits":       {"eyJ9." + rest, Syntax},
		"non-canonical":    {"e31." + rest, Encoding},
		"too long":         {good + strings.Repeat("A", 8192), Encoding},
		"header too long":  {header(`{"x":"` + strings.Repeat("x", 2048) + `"}`), Encoding},
		"header no object": {header(`[]`), Syntax},
		"alg twice":        {header(`{"alg":"none","alg":"ES256"}`), Syntax},
		"header not UTF-8": {header("{\"a\":\"\xff\"}"), Syntax},
		"header deep":      {header(`{"x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`), Syntax},
		"crit":             {header(`{"alg":"ES256","crit":["x"],"x":1}`), Structure},
		"b64":              {header(`{"alg":"ES256","b64":true}`), Structure},
		"zip":              {header(`{"alg":"ES256","zip":"DEF"}`), Structure},
		"enc":              {header(`{"alg":"dir","enc":"A128GCM"}`), Structure},
		"nested":           {header(`{"alg":"ES256","cty":"application/jwt"}`), Structure},
		"cty not a string": {header(`{"alg":"ES256","cty":1}`), Structure},
		"alg not a string": {header(`{"alg":["ES256"]}`), Structure},
		"kid not a string": {header(`{"alg":"ES256","kid":1}`), Structure},
		"typ null":         {header(`{"alg":"ES256","typ":null}`), Structure},
		"jwk":              {header(`{"alg":"ES256","jwk":{}}`), Structure},
		"jku":              {header(`{"alg":"ES256","jku":"https://evil.example"}`), Structure},
		"x5c":              {header(`{"alg":"ES256","x5c":[]}`), Structure},
		"x5u":              {header(`{"alg":"ES256","x5u":"https://evil.example"}`), Structure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := Parse(c.text, Rules{Size: 4096, HeaderSize: 1024})
			require.Nil(t, token)
			var fault *Error
			require.ErrorAs(t, err, &fault)
			require.Equal(t, c.kind, fault.Kind, "%v", err)
			require.NotContains(t, err.Error(), "evil")
		})
	}
	token, err := Parse(good, Rules{Size: len(good), HeaderSize: len(head)})
	require.NoError(t, err)
	require.Equal(t, "k", token.Header.KeyID)
	require.Equal(t, "JWT", token.Header.Type)
	require.Len(t, token.Header.Members, 3)
	_, err = Parse(header(`{"alg":"ES256","x5c":[],"jwk":{},"jku":"x","x5u":"x","x5t":"x"}`), Rules{Keys: IgnoreKeys})
	require.NoError(t, err)
}

func TestParse_PaddingIsAnOption(t *testing.T) {
	t.Parallel()
	padded := base64.URLEncoding.EncodeToString
	text := padded([]byte(`{"alg":"EdDSA"}`)) + "." + padded([]byte(`{}`)) + "." + padded(make([]byte, 64))
	_, err := Parse(text, Rules{})
	require.Error(t, err)
	token, err := Parse(text, Rules{Padding: true})
	require.NoError(t, err)
	require.True(t, token.Padded)
	require.Equal(t, text[:strings.LastIndex(text, ".")], token.Signed)
	for _, bad := range []string{"e30===.e30.AA", "e30==.e30.AA", "e30=.====.AA", "e30=.e3=0.AA"} {
		_, err := Parse(bad, Rules{Padding: true})
		require.Error(t, err, bad)
	}
}

func TestParse_DemandKeyReadsTheKeyOfTheHeader(t *testing.T) {
	t.Parallel()
	public := func(alg string) string {
		return string(must(json.Marshal(jose.JSONWebKey{Key: verifier(alg).Key})))
	}
	text := sign(ES256, testKeys()[ES256], `{"typ":"dpop+jwt","alg":"ES256","jwk":`+public(ES256)+`}`, `{}`)
	token, err := Parse(text, Rules{Keys: DemandKey})
	require.NoError(t, err)
	require.Equal(t, verifier(ES256).Thumbprint, token.Header.Key.Thumbprint)
	_, ok := token.Verify([]Key{*token.Header.Key})
	require.True(t, ok)
	require.True(t, SameType("application/DPoP+JWT", token.Header.Type))

	private := string(must(json.Marshal(jose.JSONWebKey{Key: testKeys()[ES256]})))
	for name, header := range map[string]string{
		"no key":               `{"alg":"ES256"}`,
		"null":                 `{"alg":"ES256","jwk":null}`,
		"a string":             `{"alg":"ES256","jwk":"x"}`,
		"a private key":        `{"alg":"ES256","jwk":` + private + `}`,
		"a secret":             `{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`,
		"of another algorithm": `{"alg":"ES256","jwk":` + public(ES384) + `}`,
		"of no algorithm":      `{"alg":"none","jwk":` + public(ES256) + `}`,
		"with a reference":     `{"alg":"ES256","jku":"https://evil.example","jwk":` + public(ES256) + `}`,
		"for encryption":       `{"alg":"ES256","jwk":{"use":"enc",` + public(ES256)[1:] + `}`,
		"with a member twice":  `{"alg":"ES256","jwk":{"kty":"EC",` + public(ES256)[1:] + `}`,
	} {
		_, err := Parse(sign(ES256, testKeys()[ES256], header, `{}`), Rules{Keys: DemandKey})
		require.Error(t, err, name)
	}
}

// A token of many dots is refused without a copy of it.
func TestParse_DotsCostNothing(t *testing.T) {
	dots := strings.Repeat(".", 1<<20)
	require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = Parse(dots, Rules{}) }))
}

func TestSpendTime_HasADecoyForEachAlgorithm(t *testing.T) {
	t.Parallel()
	for alg, a := range algorithms {
		fits := 0
		for _, key := range decoys() {
			if Fits(alg, key) {
				fits++
				require.False(t, a.verify(key, a.digest("x"), make([]byte, 64)))
			}
		}
		require.Equal(t, 1, fits, alg)
		(&Token{Header: Header{Algorithm: alg}}).SpendTime()
	}
	(&Token{Header: Header{Algorithm: "none"}}).SpendTime()
	// The RSA decoy must do the work and not fail on its form.
	require.NoError(t, CheckKey(decoys()[0]))
}

func TestCheckKey_RefusesWeakAndForeignKeys(t *testing.T) {
	t.Parallel()
	even := new(big.Int).Lsh(big.NewInt(1), 2047)
	odd := new(big.Int).Add(even, big.NewInt(1))
	for name, key := range map[string]any{
		"nil":              nil,
		"octets":           []byte("x"),
		"a secret":         Secret("x"),
		"a private key":    testKeys()[ES256],
		"RSA nil":          (*rsa.PublicKey)(nil),
		"RSA without N":    &rsa.PublicKey{E: 65537},
		"RSA 1024":         &rsa.PublicKey{N: new(big.Int).Rsh(odd, 1024), E: 65537},
		"RSA even":         &rsa.PublicKey{N: even, E: 65537},
		"RSA exponent 1":   &rsa.PublicKey{N: odd, E: 1},
		"RSA exponent 4":   &rsa.PublicKey{N: odd, E: 4},
		"RSA of 16384":     &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 16383), big.NewInt(1)), E: 65537},
		"ECDSA nil":        (*ecdsa.PublicKey)(nil),
		"ECDSA P-224":      &ecdsa.PublicKey{Curve: elliptic.P224()},
		"ECDSA no point":   &ecdsa.PublicKey{Curve: elliptic.P256()},
		"Ed25519 short":    ed25519.PublicKey{1},
		"Ed25519 of order": ed25519.PublicKey(make([]byte, 32)),
	} {
		_, err := NewKey(key)
		require.Error(t, err, name)
	}
}

func TestPublicKeyAlgorithms_AreAllButHMAC(t *testing.T) {
	t.Parallel()
	for _, alg := range PublicKeyAlgorithms() {
		require.True(t, PublicKey(alg), alg)
	}
	require.Len(t, PublicKeyAlgorithms(), len(algorithms)-3)
	for _, alg := range []string{HS256, HS384, HS512, "none", "", "RSA-OAEP"} {
		require.False(t, PublicKey(alg), alg)
	}
}
