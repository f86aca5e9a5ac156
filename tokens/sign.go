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

// sign returns the compact JWS of the payload (RFC 7515 section 7.1). Nothing is kept between tokens: a cache that confuses two
// keys costs somebody's account. go-jose, which verifies, would spend as long on the envelope as Ed25519 takes to sign.
func sign(key Key, payload []byte) (string, error) {
	var header [256]byte
	o := jsonenc.Object{Text: header[:0]}
	o.String("alg", key.Algorithm)
	o.String("kid", key.ID)
	o.String("typ", typ)
	b64 := base64.RawURLEncoding
	token := make([]byte, 0, b64.EncodedLen(len(o.Text)+len(payload))+700) // room for the signature of the largest key
	token = append(b64.AppendEncode(token, o.End()), '.')
	token = b64.AppendEncode(token, payload)
	signature, err := signature(key, token)
	if err != nil {
		return "", fmt.Errorf("tokens: key %q did not sign: %w", key.ID, err)
	}
	return string(b64.AppendEncode(append(token, '.'), signature)), nil
}

func signature(key Key, payload []byte) ([]byte, error) {
	signer := key.Signer
	switch key.Algorithm {
	case RS256:
		return crypto.SignMessage(signer, rand.Reader, payload, crypto.SHA256)
	case PS256:
		return crypto.SignMessage(signer, rand.Reader, payload,
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case ES256:
		return signECDSA(signer, payload, crypto.SHA256, 32)
	case ES384:
		return signECDSA(signer, payload, crypto.SHA384, 48)
	case EdDSA, Ed25519:
		return crypto.SignMessage(signer, rand.Reader, payload, crypto.Hash(0))
	}
	return nil, errors.New("unknown algorithm")
}

// signECDSA turns the DER that a crypto.Signer returns into the two numbers side by side, each of size bytes, that
// RFC 7518 section 3.4 wants.
func signECDSA(signer crypto.Signer, payload []byte, hash crypto.Hash, size int) ([]byte, error) {
	der, err := crypto.SignMessage(signer, rand.Reader, payload, hash)
	if err != nil {
		return nil, err
	}
	in, sequence := cryptobyte.String(der), cryptobyte.String(nil)
	var r, s []byte // without leading zeros, never negative
	if !in.ReadASN1(&sequence, asn1.SEQUENCE) || !in.Empty() || !sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&s) || !sequence.Empty() ||
		!fits(r, size) || !fits(s, size) {
		return nil, errors.New("the signer returned no ASN.1 DER signature of its curve")
	}
	raw := make([]byte, 2*size)
	copy(raw[size-len(r):size], r)
	copy(raw[2*size-len(s):], s)
	return raw, nil
}

// fits tells whether a number is above zero and has at most size bytes.
func fits(number []byte, size int) bool {
	return len(number) > 0 && len(number) <= size && number[0] != 0
}
