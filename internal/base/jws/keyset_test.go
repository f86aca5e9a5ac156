package jws

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// member returns the JWK of an algorithm's key with further members.
func member(alg, more string) string {
	text := string(must(json.Marshal(jose.JSONWebKey{Key: verifier(alg).Key})))
	return "{" + more + text[1:]
}

func TestParseSet_LeavesOutWhatDoesNotVerify(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys string
		want int // -1: the set is refused
	}{
		"none":                 {``, 0},
		"every kind":           {strings.Join([]string{member(RS256, ""), member(ES256, ""), member(ES384, ""), member(ES512, ""), member(EdDSA, "")}, ","), 5},
		"use sig":              {member(ES256, `"use":"sig",`), 1},
		"use enc":              {member(ES256, `"use":"enc",`), 0},
		"use a number":         {member(ES256, `"use":1,`), 0},
		"key_ops verify":       {member(ES256, `"key_ops":["verify"],`), 1},
		"key_ops sign":         {member(ES256, `"key_ops":["sign"],`), 0},
		"key_ops a string":     {member(ES256, `"key_ops":"verify",`), 0},
		"alg of its kind":      {member(RS256, `"alg":"PS512",`), 1},
		"alg Ed25519":          {member(EdDSA, `"alg":"Ed25519",`), 1},
		"alg of another kind":  {member(RS256, `"alg":"ES256",`), 0},
		"alg of another curve": {member(ES256, `"alg":"ES384",`), 0},
		"alg of encryption":    {member(RS256, `"alg":"RSA-OAEP",`), 0},
		"unknown kty":          {`{"kty":"QKD"},` + member(ES256, ""), 1},
		"no kty":               {`{},` + member(ES256, ""), 1},
		"private":              {`{"kty":"EC","d":"AAAA"}`, -1},
		"symmetric":            {member(ES256, "") + `,{"kty":"oct","k":""}`, -1},
		"other prime info":     {member(RS256, `"oth":[],`), -1},
		"a name twice":         {`{"kty":"EC","kid":"a","kid":"b"}`, -1},
		"null":                 {`null`, -1},
		"a string":             {`"x"`, -1},
		"too many":             {strings.Repeat(`{},`, 8) + `{}`, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, err := ParseSet([]byte(`{"keys":[`+c.keys+`]}`), 8)
			if c.want < 0 {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Len(t, keys, c.want)
		})
	}
	for _, text := range []string{``, `[]`, `{}`, `{"keys":null}`, `{"keys":{}}`, `{"keys":[],"keys":[]}`, `{"KEYS":[]}`, `{"keys":[]}{}`,
		`{"keys":[],"x":"` + strings.Repeat("x", MaxSetSize) + `"}`, `{"keys":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`} {
		_, err := ParseSet([]byte(text), 8)
		require.Error(t, err)
	}
}

func TestCandidates_AKidSelects(t *testing.T) {
	t.Parallel()
	set := fmt.Sprintf(`{"keys":[%s,%s,%s]}`, member(ES256, `"kid":"a",`), member(RS256, `"kid":"a",`), member(EdDSA, ""))
	keys, err := ParseSet([]byte(set), 8)
	require.NoError(t, err)
	for _, c := range []struct {
		alg, kid string
		want     int
	}{
		{ES256, "a", 1},
		{ES256, "", 1},
		{ES256, "b", 0},
		{RS256, "a", 1},
		{ES384, "a", 0},
		{Ed25519, "whatever", 1}, // a key without kid is always a candidate
		{"none", "", 0},
	} {
		require.Len(t, Candidates(keys, Header{Algorithm: c.alg, KeyID: c.kid}), c.want, "%+v", c)
	}
}

// The certificate members of a JWK are no part of the key (RFC 7517 sections 4.6 to
// 4.9), and the reason for each key that is left out is said.
func TestReadSet_AFaultInACertificateDropsNoKey(t *testing.T) {
	t.Parallel()
	for _, more := range []string{
		`"x5c":["AAAA"],`, `"x5c":[],`, `"x5c":"AAAA",`, `"x5c":[1],`, `"x5t":"AA",`, `"x5t":1,`, `"x5t#S256":"AA",`, `"x5u":"::",`, `"x5u":5,`,
	} {
		keys, dropped, err := ReadSet([]byte(`{"keys":[`+member(ES256, more+`"kid":"a",`)+`]}`), 8)
		require.NoError(t, err, more)
		require.Empty(t, dropped, more)
		require.Len(t, keys, 1, more)
		require.Equal(t, "a", keys[0].ID, more)
	}
	for more, says := range map[string]string{
		`"use":"enc",`:        `its use is "enc"`,
		`"key_ops":["sign"],`: "key_ops",
		`"alg":"RS256",`:      `its alg "RS256"`,
	} {
		keys, dropped, err := ReadSet([]byte(`{"keys":[`+member(ES256, more+`"kid":"a",`)+`]}`), 8)
		require.NoError(t, err)
		require.Empty(t, keys)
		require.Len(t, dropped, 1)
		require.Contains(t, dropped[0], says)
		require.Contains(t, dropped[0], `kid "a"`)
	}
}
