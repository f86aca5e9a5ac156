package tokens

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

var errNoKeys = errors.New("kms: connection refused")

type noKeys struct{}

func (noKeys) Signing(context.Context) (Key, error)     { return Key{}, errNoKeys }
func (noKeys) Published(context.Context) ([]Key, error) { return nil, errNoKeys }

// A key is used only with the algorithm, size and curve that fit it.
//
// Holds: RFC 8725 section 3; RFC 9068 section 2.1.
func TestKey_AlgorithmFitsTheKey(t *testing.T) {
	t.Parallel()
	es, ed, rs := keyFor(t, ES256), keyFor(t, EdDSA), keyFor(t, RS256)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	n := rs.Signer.Public().(*rsa.PublicKey).N
	wide := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 9000), big.NewInt(1))
	short := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 1023), big.NewInt(1))
	point := *es.Signer.Public().(*ecdsa.PublicKey)
	//nolint:staticcheck // the deprecated fields are the only way to make a point off the curve
	off := &ecdsa.PublicKey{Curve: point.Curve, X: big.NewInt(1), Y: big.NewInt(1)}
	for name, k := range map[string]Key{
		"no id":             {Algorithm: ES256, Signer: es.Signer},
		"long id":           {ID: strings.Repeat("x", 129), Algorithm: ES256, Signer: es.Signer},
		"id with a break":   {ID: "a\n", Algorithm: ES256, Signer: es.Signer},
		"no key":            {ID: "k", Algorithm: ES256},
		"no algorithm":      {ID: "k", Signer: es.Signer},
		"none":              {ID: "k", Algorithm: "none", Signer: es.Signer},
		"HS256, RSA":        {ID: "k", Algorithm: "HS256", Signer: rs.Signer},
		"HS256, secret":     {ID: "k", Algorithm: "HS256", Public: []byte("secret")},
		"private as public": {ID: "k", Algorithm: ES256, Public: es.Signer},
		"ES384 on P-256":    {ID: "k", Algorithm: ES384, Signer: es.Signer},
		"ES256 on P-521":    {ID: "k", Algorithm: ES256, Signer: p521},
		"RS256 on EC":       {ID: "k", Algorithm: RS256, Signer: es.Signer},
		"ES256 on RSA":      {ID: "k", Algorithm: ES256, Signer: rs.Signer},
		"RS256 on Ed25519":  {ID: "k", Algorithm: RS256, Signer: ed.Signer},
		"short Ed25519":     {ID: "k", Algorithm: EdDSA, Public: ed25519.PublicKey("short")},
		"RSA of 1024 bits":  {ID: "k", Algorithm: RS256, Public: &rsa.PublicKey{N: short, E: 65537}},
		"RSA of 9001 bits":  {ID: "k", Algorithm: RS256, Public: &rsa.PublicKey{N: wide, E: 65537}},
		"RSA zero":          {ID: "k", Algorithm: RS256, Public: &rsa.PublicKey{N: new(big.Int), E: 65537}},
		"RSA nil":           {ID: "k", Algorithm: RS256, Public: &rsa.PublicKey{}},
		"RSA exponent 1":    {ID: "k", Algorithm: PS256, Public: &rsa.PublicKey{N: n, E: 1}},
		"RSA exponent 4":    {ID: "k", Algorithm: PS256, Public: &rsa.PublicKey{N: n, E: 4}},
		"EC zero":           {ID: "k", Algorithm: ES256, Public: &ecdsa.PublicKey{}},
		"EC off the curve":  {ID: "k", Algorithm: ES256, Public: off},
		"typed nil":         {ID: "k", Algorithm: ES256, Public: (*ecdsa.PublicKey)(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, k.Check(), "tokens: ")
			_, err := StaticKeys(k)
			require.Error(t, err)
			_, err = StaticKeys(es, k)
			require.Error(t, err)
		})
	}
	_, err = StaticKeys(es, es)
	require.ErrorContains(t, err, "two keys have the ID")
	_, err = StaticKeys(Key{ID: "k", Algorithm: ES256, Public: es.Signer.Public()})
	require.ErrorContains(t, err, "only verifies")
	_, err = GenerateKey("HS256")
	require.Error(t, err)
}

// ParseKey reads the keys that openssl writes. It refuses other input without
// quoting it.
func TestParseKey_ReadsOneKey(t *testing.T) {
	t.Parallel()
	for _, algorithm := range allAlgorithms {
		key := keyFor(t, algorithm)
		der, err := x509.MarshalPKCS8PrivateKey(key.Signer)
		require.NoError(t, err)
		private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		got, err := ParseKey(private, algorithm)
		require.NoError(t, err)
		require.Equal(t, key.ID, got.ID)
		require.NotNil(t, got.Signer)
		derived, err := ParseKey(private, "")
		require.NoError(t, err)
		require.Equal(t, strings.NewReplacer(PS256, RS256, Ed25519, EdDSA).Replace(algorithm), derived.Algorithm)

		der, err = x509.MarshalPKIXPublicKey(key.Signer.Public())
		require.NoError(t, err)
		public, err := ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), algorithm)
		require.NoError(t, err)
		require.Equal(t, key.ID, public.ID)
		require.Nil(t, public.Signer)

		_, err = ParseKey(append(private, private...), "")
		require.ErrorContains(t, err, "more than one")
		_, err = ParseKey(private[:len(private)/2], "")
		require.Error(t, err)
		_, err = ParseKey(private, "HS256")
		require.Error(t, err)
	}
	rs := keyFor(t, RS256).Signer.(*rsa.PrivateKey)
	old, err := ParseKey(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rs)}), "")
	require.NoError(t, err)
	require.Equal(t, keyFor(t, RS256).ID, old.ID)
	der, err := x509.MarshalECPrivateKey(keyFor(t, ES256).Signer.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	old, err = ParseKey(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), "")
	require.NoError(t, err)
	require.Equal(t, keyFor(t, ES256).ID, old.ID)
	for _, bad := range []string{"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", strings.Repeat("x", maxPEM+1)} {
		_, err := ParseKey([]byte(bad), "")
		require.ErrorContains(t, err, "tokens: ")
	}
}

// The thumbprint is that of RFC 7638 section 3.1, and of RFC 8037 appendix A.3.
func TestThumbprint_MatchesTheRFCs(t *testing.T) {
	t.Parallel()
	n, err := base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")
	require.NoError(t, err)
	got, err := Thumbprint(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537})
	require.NoError(t, err)
	require.Equal(t, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", got)
	x, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	require.NoError(t, err)
	got, err = Thumbprint(ed25519.PublicKey(x))
	require.NoError(t, err)
	require.Equal(t, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", got)
	for _, bad := range []crypto.PublicKey{nil, []byte("secret"), keyFor(t, ES256).Signer, keyFor(t, EdDSA).Signer, ed25519.PublicKey("x"), &ecdsa.PublicKey{}, (*rsa.PublicKey)(nil)} {
		_, err := Thumbprint(bad)
		require.Error(t, err, "%T", bad)
	}
}

// A printed key does not show its private part, with any verb.
//
// Holds: RFC 9068 section 4.
func TestKey_PrintsNoPrivatePart(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{EdDSA, ES256} {
		key := keyFor(t, algorithm)
		keys, err := StaticKeys(key)
		require.NoError(t, err)
		source := Schedule(ScheduledKey{Key: key})
		rotation := &Rotation{Source: source}
		_, err = rotation.Published(t.Context())
		require.NoError(t, err)
		var log bytes.Buffer
		for _, v := range []any{key, &key, []Key{key}, ScheduledKey{Key: key}, keys, source, rotation, JWT{Keys: keys}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
				fmt.Fprintf(&log, verb+"\n", v)
			}
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		}
		secret := privateBytes(key)
		require.NotContains(t, log.String(), fmt.Sprintf("%x", secret[:8]))
		require.NotContains(t, log.String(), strings.Trim(fmt.Sprint(secret[:8]), "[]")) //nolint:staticcheck // the bytes as numbers, not as text
		require.NotContains(t, log.String(), base64.StdEncoding.EncodeToString(secret[:9]))
		require.NotContains(t, log.String(), new(big.Int).SetBytes(secret).String())
		require.NotContains(t, log.String(), strings.Trim(fmt.Sprintf("%#v", secret[:4]), "[]byte{}"))
	}
}

func privateBytes(k Key) []byte {
	if ed, ok := k.Signer.(ed25519.PrivateKey); ok {
		return ed.Seed()
	}
	raw, _ := k.Signer.(*ecdsa.PrivateKey).Bytes()
	return raw
}

// The set has public members only, each key with its own kid.
//
// Holds: RFC 9068 section 4.
func TestPublicJWKS_HasPublicMembersOnly(t *testing.T) {
	t.Parallel()
	rs := keyFor(t, PS256)
	keys, err := StaticKeys(keyFor(t, ES256), keyFor(t, ES384), keyFor(t, EdDSA), keyFor(t, RS256), rs)
	require.NoError(t, err)
	body, err := PublicJWKS(t.Context(), keys)
	require.NoError(t, err)
	var set struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal(body, &set))
	require.Len(t, set.Keys, 5)
	kids := map[any]bool{}
	for _, k := range set.Keys {
		for name := range k {
			require.Contains(t, []string{"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}, name)
		}
		require.Equal(t, "sig", k["use"])
		require.False(t, kids[k["kid"]])
		kids[k["kid"]] = true
	}
	var parsed jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal(body, &parsed))
	for _, k := range parsed.Keys {
		require.True(t, k.Valid() && k.IsPublic())
	}
	for name, bad := range map[string]Keys{
		"twice": &staticKeys{all: []Key{rs, rs}}, "none": &staticKeys{}, "secret": &staticKeys{all: []Key{{ID: "k", Algorithm: "HS256", Public: []byte("secret")}}}, "failing": noKeys{},
	} {
		_, err := PublicJWKS(t.Context(), bad)
		require.Error(t, err, name)
	}
}
