package jws

import (
	"encoding/json"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// go-jose is the second opinion: it accepts every token that is accepted here,
// with the same payload. Each accepted token has one spelling.
func FuzzParse_AcceptsWhatGoJOSEAccepts(f *testing.F) {
	for _, alg := range []string{EdDSA, ES256, HS256} {
		f.Add(sign(alg, testKeys()[alg], `{"alg":"`+alg+`"}`, `{}`))
	}
	f.Add("..")
	f.Add("e30.e30.")
	f.Add(b64([]byte(`{"alg":"none"}`)) + ".e30.")
	f.Add(b64([]byte(`{"alg":"EdDSA","crit":["b64"],"b64":false}`)) + ".e30.AA")
	keys := []Key{verifier(EdDSA), verifier(ES256), verifier(HS256)}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Parse(text, Rules{Size: 4096})
		if err != nil {
			require.Nil(t, token)
			return
		}
		require.Equal(t, text, token.Signed+"."+b64(token.Signature))
		if key, ok := token.Verify(keys); ok {
			other, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(token.Header.Algorithm)})
			require.NoError(t, err)
			material := key.Key
			if secret, isSecret := material.(Secret); isSecret {
				material = []byte(secret)
			}
			payload, err := other.Verify(material)
			require.NoError(t, err)
			require.Equal(t, payload, token.Payload)
		}
	})
}

// The keys that ParseSet keeps are bounded and usable.
func FuzzParseSet_KeepsUsableKeysOnly(f *testing.F) {
	for _, alg := range []string{RS256, ES256, ES512, EdDSA} {
		key := jose.JSONWebKey{Key: verifier(alg).Key, KeyID: "k", Algorithm: alg}
		f.Add([]byte(`{"keys":[` + string(must(json.Marshal(key))) + `]}`))
	}
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","x5c":["AAAA"]},{"kty":"oct"},{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":"","x5t":"AA","x5u":"::"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := ParseSet(data, 8)
		if err != nil {
			require.Nil(t, keys)
			return
		}
		require.LessOrEqual(t, len(keys), 8)
		for _, k := range keys {
			require.NoError(t, CheckKey(k.Key))
			require.NotEmpty(t, k.Thumbprint)
			require.True(t, k.Algorithm == "" || k.Serves(k.Algorithm))
		}
	})
}
