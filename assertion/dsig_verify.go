package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/beevik/etree"
)

// signatureAlgorithms are the ones accepted (RFC 6931, RFC 9231). SHA-1, MD5 and
// every HMAC are left out on purpose: with an HMAC the public key would be the secret.
var signatureAlgorithms = map[string]struct {
	hash crypto.Hash
	rsa  bool
}{
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256":   {crypto.SHA256, true},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384":   {crypto.SHA384, true},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512":   {crypto.SHA512, true},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256": {crypto.SHA256, false},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384": {crypto.SHA384, false},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512": {crypto.SHA512, false},
}

var digestAlgorithms = map[string]crypto.Hash{
	"http://www.w3.org/2001/04/xmlenc#sha256":       crypto.SHA256,
	"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384,
	"http://www.w3.org/2001/04/xmlenc#sha512":       crypto.SHA512,
}

// mostKeys bounds the public key operations that an unverified request can cause.
const mostKeys = 8

// checkAlgorithms holds a SignedInfo to the lists.
func (info *signedInfo) checkAlgorithms() error {
	if info.canonicalization.algorithm != exclusiveC14N {
		return fmt.Errorf("canonicalization %s", shown(info.canonicalization.algorithm))
	}
	if _, ok := signatureAlgorithms[info.signing]; !ok {
		return fmt.Errorf("signature algorithm %s", shown(info.signing))
	}
	if _, ok := digestAlgorithms[info.digest]; !ok {
		return fmt.Errorf("digest %s", shown(info.digest))
	}
	if len(info.transforms) != 2 || info.transforms[0].algorithm != envelopedTrans ||
		info.transforms[1].algorithm != exclusiveC14N {
		return errors.New("transforms are not enveloped-signature and then exclusive canonicalization")
	}
	return nil
}

// verify checks the signature over root, which holds it, with the first of the keys
// that fits. It returns the octets that the signature covers and that key. Nothing
// else of the document may be believed.
func (s *signature) verify(root *etree.Element, id string, keys []crypto.PublicKey, limits Limits) ([]byte, crypto.PublicKey, error) {
	unverified, err := readSignedInfo(s.signedInfo)
	if err != nil {
		return nil, nil, err
	}
	octets, err := canonicalize(s.signedInfo, unverified.canonicalization.prefixes, nil)
	if err != nil {
		return nil, nil, err
	}
	key, err := verifyOctets(octets, unverified.signing, s.value, keys)
	if err != nil {
		return nil, nil, err
	}

	// From here on SignedInfo is read from what was signed, not from what was sent.
	tree, err := parseTree(octets, limits)
	if err != nil {
		return nil, nil, err
	}
	info, err := readSignedInfo(tree)
	if err != nil {
		return nil, nil, err
	}
	if err := info.checkAlgorithms(); err != nil {
		return nil, nil, err
	}
	if !is(tree, nsDSig, "SignedInfo") || info.signing != unverified.signing || info.uri != "#"+id {
		return nil, nil, errors.New("the signed SignedInfo differs from the one sent")
	}
	covered, err := canonicalize(root, info.transforms[1].prefixes, s.element)
	if err != nil {
		return nil, nil, err
	}
	h := digestAlgorithms[info.digest].New()
	h.Write(covered)
	if len(covered) == 0 || subtle.ConstantTimeCompare(h.Sum(nil), info.digestValue) != 1 {
		return nil, nil, errors.New("the digest does not match: the assertion was changed after signing")
	}
	return covered, key, nil
}

// verifyOctets tries each key that fits the algorithm.
func verifyOctets(octets []byte, algorithm string, value []byte, keys []crypto.PublicKey) (crypto.PublicKey, error) {
	known, ok := signatureAlgorithms[algorithm]
	if !ok {
		return nil, fmt.Errorf("signature algorithm %s", shown(algorithm))
	}
	h := known.hash.New()
	h.Write(octets)
	digest := h.Sum(nil)
	for _, key := range keys {
		switch key := key.(type) {
		case *rsa.PublicKey:
			if known.rsa && rsa.VerifyPKCS1v15(key, known.hash, digest, value) == nil {
				return key, nil
			}
		case *ecdsa.PublicKey:
			if !known.rsa && verifyECDSA(key, digest, value) {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("none of %d keys verifies it", len(keys))
}

// verifyECDSA takes r followed by s, each as long as the curve's order (XML
// Signature 1.1 section 6.4.3), and the DER form that Go's own signers write.
func verifyECDSA(key *ecdsa.PublicKey, digest, value []byte) bool {
	size := (key.Curve.Params().N.BitLen() + 7) / 8
	if len(value) == 2*size {
		r, s := new(big.Int).SetBytes(value[:size]), new(big.Int).SetBytes(value[size:])
		if ecdsa.Verify(key, digest, r, s) {
			return true
		}
	}
	return ecdsa.VerifyASN1(key, digest, value)
}

// usableKeys returns the issuer's keys that are strong enough, at most mostKeys.
func usableKeys(keys []crypto.PublicKey) []crypto.PublicKey {
	var usable []crypto.PublicKey
	for _, key := range keys {
		if len(usable) < mostKeys && checkKey(key) == nil {
			usable = append(usable, key)
		}
	}
	return usable
}

// checkKey says what is wrong with a SAML verification key.
func checkKey(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key == nil || key.N == nil || key.N.BitLen() < 2048 || key.N.BitLen() > 8192 {
			return errors.New("an RSA key must have 2048 to 8192 bits")
		}
	case *ecdsa.PublicKey:
		curves := []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}
		if key == nil || !slices.Contains(curves, key.Curve) {
			return errors.New("an ECDSA key must be on P-256, P-384 or P-521")
		}
	default:
		return fmt.Errorf("a %T verifies no XML signature", key)
	}
	return nil
}

// keyThumbprint is the base64url SHA-256 of the SubjectPublicKeyInfo.
func keyThumbprint(key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	h := crypto.SHA256.New()
	h.Write(der)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
