package tokens

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/go-jose/go-jose/v4"
)

// sign returns the compact JWS of the payload. Nothing is kept between tokens: a signer built anew costs less than a
// microsecond, and a cache that confuses two keys costs somebody's account.
func sign(key Key, payload []byte) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: joseSigner{key}},
		(&jose.SignerOptions{}).WithType(typ))
	if err != nil {
		return "", fmt.Errorf("tokens: key %q: %w", key.ID, err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("tokens: key %q did not sign: %w", key.ID, err)
	}
	return jws.CompactSerialize()
}

// joseSigner lets go-jose sign with a crypto.Signer of any make.
type joseSigner struct{ key Key }

func (s joseSigner) Public() *jose.JSONWebKey { return &jose.JSONWebKey{KeyID: s.key.ID} } // go-jose takes only the kid

func (s joseSigner) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.key.Algorithm)}
}

func (s joseSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	signer := s.key.Signer
	switch s.key.Algorithm {
	case RS256:
		return crypto.SignMessage(signer, rand.Reader, payload, crypto.SHA256)
	case PS256:
		return crypto.SignMessage(signer, rand.Reader, payload,
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case ES256:
		return signECDSA(signer, payload, crypto.SHA256, 32)
	case ES384:
		return signECDSA(signer, payload, crypto.SHA384, 48)
	case EdDSA:
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
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) > 0 ||
		sig.R.Sign() <= 0 || sig.S.Sign() <= 0 || sig.R.BitLen() > size*8 || sig.S.BitLen() > size*8 {
		return nil, errors.New("the signer returned no ASN.1 DER signature of its curve")
	}
	raw := make([]byte, 2*size)
	sig.R.FillBytes(raw[:size])
	sig.S.FillBytes(raw[size:])
	return raw, nil
}
