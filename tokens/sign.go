package tokens

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/grantwell/grantwell/internal/base/jsonenc"
)

// maxSignature is room for the encoded signature of the largest RSA key.
const maxSignature = 700

// sign returns the compact JWS of the payload (RFC 7515 section 7.1).
//
// Headers are not cached: a cache that confused two keys would let one issuer's
// tokens be taken for another's. The header is written here because go-jose
// spends as long on it as Ed25519 takes to sign.
func sign(key Key, payload []byte) (string, error) {
	var header [256]byte
	o := jsonenc.Object{Text: header[:0]}
	o.String("alg", key.Algorithm)
	o.String("kid", key.ID)
	o.String("typ", typ)

	b64 := base64.RawURLEncoding
	token := make([]byte, 0, b64.EncodedLen(len(o.Text)+len(payload))+maxSignature)
	token = b64.AppendEncode(token, o.End())
	token = append(token, '.')
	token = b64.AppendEncode(token, payload)
	signature, err := signature(key, token)
	if err != nil {
		return "", fmt.Errorf("tokens: key %q did not sign: %w", key.ID, err)
	}
	token = append(token, '.')
	return string(b64.AppendEncode(token, signature)), nil
}

// signature signs the text by the key's algorithm.
func signature(key Key, text []byte) ([]byte, error) {
	signer := key.Signer
	switch key.Algorithm {
	case RS256:
		return crypto.SignMessage(signer, rand.Reader, text, crypto.SHA256)
	case PS256:
		return crypto.SignMessage(signer, rand.Reader, text, &rsa.PSSOptions{
			SaltLength: rsa.PSSSaltLengthEqualsHash,
			Hash:       crypto.SHA256,
		})
	case ES256:
		return signECDSA(signer, text, crypto.SHA256, 32)
	case ES384:
		return signECDSA(signer, text, crypto.SHA384, 48)
	case EdDSA, Ed25519:
		return crypto.SignMessage(signer, rand.Reader, text, crypto.Hash(0))
	}
	return nil, errors.New("unknown algorithm")
}

// signECDSA turns the DER that a [crypto.Signer] returns into the form of RFC
// 7518 section 3.4: the two numbers side by side, each of size bytes.
func signECDSA(signer crypto.Signer, text []byte, hash crypto.Hash, size int) ([]byte, error) {
	der, err := crypto.SignMessage(signer, rand.Reader, text, hash)
	if err != nil {
		return nil, err
	}

	in := cryptobyte.String(der)
	var sequence cryptobyte.String
	// ReadASN1Integer returns the numbers without leading zeros, and no
	// negative ones.
	var r, s []byte
	ok := in.ReadASN1(&sequence, asn1.SEQUENCE) &&
		in.Empty() &&
		sequence.ReadASN1Integer(&r) &&
		sequence.ReadASN1Integer(&s) &&
		sequence.Empty()
	if !ok || !fits(r, size) || !fits(s, size) {
		return nil, errors.New("the signer returned no ASN.1 DER signature of its curve")
	}

	raw := make([]byte, 2*size)
	copy(raw[size-len(r):size], r)
	copy(raw[2*size-len(s):], s)
	return raw, nil
}

// fits reports whether a number is above zero and has at most size bytes.
func fits(number []byte, size int) bool {
	return len(number) > 0 && len(number) <= size && number[0] != 0
}
