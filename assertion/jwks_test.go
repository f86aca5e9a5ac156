package assertion

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// Holds: RFC 8725 section 3; RFC 8725 section 3.1; RFC 8725 section 3.10.
func TestParseJWKS_TakesWhatVerifiesAndPassesOverTheRest(t *testing.T) {
	t.Parallel()
	keys := jwtTestKeys()
	ec := jwkOf("ec", keys["p256"].Public())
	for name, c := range map[string]struct {
		set  string
		keys int // -1: refused
	}{
		"all kinds":          {string(jwksOf(ec, jwkOf("", keys["rsa"].Public()), jwkOf("x", keys["p384"].Public()), jwkOf("x", keys["p521"].Public()), jwkOf("", keys["ed"].Public()))), 5},
		"empty":              {`{"keys":[]}`, 0},
		"use sig":            {string(jwksOf(with(ec, "use", "sig"))), 1},
		"use enc":            {string(jwksOf(with(ec, "use", "enc"))), 0},
		"key_ops verify":     {string(jwksOf(with(ec, "key_ops", []string{"verify"}))), 1},
		"key_ops encrypt":    {string(jwksOf(with(ec, "key_ops", []string{"encrypt"}))), 0},
		"key_ops not a list": {string(jwksOf(with(ec, "key_ops", "verify"))), 0},
		"unknown kty":        {string(jwksOf(with(ec, "kty", "XX"), ec)), 1},
		"no kty":             {string(jwksOf(with(ec, "kty", nil), ec)), 1},
		"unknown curve":      {string(jwksOf(with(ec, "crv", "secp256k1"))), 0},
		"curve mismatch":     {string(jwksOf(with(ec, "crv", "P-384"))), 0},
		"not on the curve":   {string(jwksOf(with(ec, "x", b64(make([]byte, 32))))), 0},
		"no y":               {string(jwksOf(with(ec, "y", nil))), 0},
		"RSA of 1024 bits":   {string(jwksOf(jwkOf("", &weakRSA().PublicKey))), 0},
		"RSA zero":           {`{"keys":[{"kty":"RSA","n":"","e":"AQAB"}]}`, 0},
		"RSA even":           {string(jwksOf(jwkOf("", &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}))), 0},
		"RSA exponent 1":     {string(jwksOf(with(jwkOf("", keys["rsa"].Public()), "e", "AQ"))), 0},
		"RSA exponent 2":     {string(jwksOf(with(jwkOf("", keys["rsa"].Public()), "e", "Ag"))), 0},
		"RSA enormous":       {string(jwksOf(jwkOf("", &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 65536), big.NewInt(1)), E: 65537}))), 0},
		"Ed25519 short":      {`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]}`, 0},
		"X25519":             {string(jwksOf(with(jwkOf("", keys["ed"].Public()), "crv", "X25519"))), 0},
		"a private key":      {string(jwksOf(with(ec, "d", b64(make([]byte, 32))))), -1},
		"a symmetric key":    {`{"keys":[{"kty":"oct","k":"AAAA"}]}`, -1},
		"kid twice":          {`{"keys":[{"kty":"EC","kid":"a","kid":"b"}]}`, -1},
		"keys twice":         {`{"keys":[],"keys":[]}`, -1},
		"a bare key":         {toJSON(ec), -1},
		"keys an object":     {`{"keys":{}}`, -1},
		"keys null":          {`{"keys":null}`, -1},
		"a key null":         {`{"keys":[null]}`, -1},
		"a key a string":     {`{"keys":["x"]}`, -1},
		"no JSON":            {`<html>`, -1},
		"nothing":            {``, -1},
		"two values":         {`{"keys":[]}{"keys":[]}`, -1},
		"too many":           {`{"keys":[` + strings.Repeat(`{},`, 64) + `{}]}`, -1},
		"too large":          {`{"keys":[],"x":"` + strings.Repeat("x", 512<<10) + `"}`, -1},
		"too deep":           {`{"keys":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := ParseJWKS([]byte(c.set))
			if c.keys < 0 {
				require.Error(t, err)
				require.Nil(t, set)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.keys, set.Len())
		})
	}
}

// Every key with the right kid is tried, and every fitting key if the token
// names none.
//
// Holds: RFC 8725 section 3; RFC 8725 section 3.10.
func TestKeySet_KidSelectsAndMayBeShared(t *testing.T) {
	t.Parallel()
	keys := jwtTestKeys()
	set := jwksOf(
		jwkOf("same", keys["p256"].Public()), jwkOf("same", keys["p256b"].Public()), jwkOf("same", keys["rsa"].Public()),
		jwkOf("other", keys["ed"].Public()), jwkOf("", keys["p384"].Public()))
	for _, c := range []struct {
		alg, kid, key string
		reason        Reason
	}{
		{"ES256", "same", "p256", ""},
		{"ES256", "same", "p256b", ""},
		{"RS256", "same", "rsa", ""},
		{"ES256", "", "p256b", ""},
		{"EdDSA", "other", "ed", ""},
		{"ES384", "", "p384", ""},
		{"ES384", "whatever", "p384", ""}, // a key without kid fits any
		{"EdDSA", "same", "ed", ReasonKey},
		{"ES256", "other", "p256", ReasonKey},
		{"ES256", "SAME", "p256", ReasonKey},
		{"EdDSA", "", "ed2", ReasonSignature},
	} {
		j, _ := grantVerifier(t, nil, Issuer{ID: jwtIdP, JWKS: set})
		a, err := j.Verify(t.Context(), grantOf(signJWT(t, c.alg, c.kid, keys[c.key], grantClaims())))
		if c.reason == "" {
			require.NoError(t, err, "%+v", c)
		} else {
			requireRefused(t, "invalid_grant", c.reason, a, err)
		}
	}
}

// Algorithms of an issuer restricts its keys further.
//
// Holds: RFC 8725 section 3.
func TestJWTGrant_AlgorithmsOfTheIssuerNarrow(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["rsa"]
	for alg, good := range map[string]bool{"PS256": true, "RS256": false} {
		j, _ := grantVerifier(t, nil, Issuer{ID: jwtIdP, JWKS: jwksOf(jwkOf("", key.Public())), Algorithms: []string{"PS256", "HS256"}})
		a, err := j.Verify(t.Context(), grantOf(signJWT(t, alg, "", key, grantClaims())))
		if good {
			require.NoError(t, err)
		} else {
			requireRefused(t, "invalid_grant", ReasonAlgorithm, a, err)
		}
	}
}

// The thumbprint of RFC 7638 section 3.1, from the RFC's own example.
func TestKeySet_KeyIDIsTheThumbprintOfRFC7638(t *testing.T) {
	t.Parallel()
	set, err := ParseJWKS([]byte(`{"keys":[{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}`))
	require.NoError(t, err)
	require.Equal(t, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", set.keys[0].Thumbprint)
}

func TestNewKeySet_RefusesWhatDoesNotVerify(t *testing.T) {
	t.Parallel()
	keys := jwtTestKeys()
	for _, k := range []any{nil, "x", []byte("x"), keys["rsa"], (*rsa.PublicKey)(nil), (*ecdsa.PublicKey)(nil), &weakRSA().PublicKey, ed25519.PublicKey{1},
		&ecdsa.PublicKey{Curve: elliptic.P224()}, &ecdsa.PublicKey{Curve: elliptic.P256()}, ed25519.PublicKey(make([]byte, 32)), jws.Secret(jwtSecret)} {
		_, err := NewKeySet(k)
		require.Error(t, err, "%T", k)
	}
	_, err := NewKeySet()
	require.Error(t, err)
}

// Holds: RFC 7523 section 3.
func TestParseCertificates_ReadsCertificatesOnly(t *testing.T) {
	t.Parallel()
	cert := certificateFor(t, jwtTestKeys()["p256"], jwtNow)
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	certs, err := ParseCertificates(append(block, block...))
	require.NoError(t, err)
	require.Len(t, certs, 2)
	for name, bad := range map[string][]byte{
		"nothing":     nil,
		"text":        []byte("hello"),
		"text after":  append(append([]byte{}, block...), "hello"...),
		"private key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}),
		"rubbish":     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
		"too large":   make([]byte, maxJWKSSize+1),
	} {
		_, err := ParseCertificates(bad)
		require.Error(t, err, name)
	}
}
