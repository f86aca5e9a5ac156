package xmldsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"

	"github.com/beevik/etree"
)

// signatureAlgorithms are those that are accepted (RFC 6931, RFC 9231). SHA-1
// and MD5 are left out because they are broken, and every HMAC because a public
// key would be its secret.
var signatureAlgorithms = map[string]struct {
	hash crypto.Hash
	rsa  bool
}{
	NamespaceMore + "rsa-sha256":   {crypto.SHA256, true},
	NamespaceMore + "rsa-sha384":   {crypto.SHA384, true},
	NamespaceMore + "rsa-sha512":   {crypto.SHA512, true},
	NamespaceMore + "ecdsa-sha256": {crypto.SHA256, false},
	NamespaceMore + "ecdsa-sha384": {crypto.SHA384, false},
	NamespaceMore + "ecdsa-sha512": {crypto.SHA512, false},
}

// digestAlgorithms are the digests that are accepted, by the same reasons.
var digestAlgorithms = map[string]crypto.Hash{
	"http://www.w3.org/2001/04/xmlenc#sha256": crypto.SHA256,
	NamespaceMore + "sha384":                  crypto.SHA384,
	"http://www.w3.org/2001/04/xmlenc#sha512": crypto.SHA512,
}

// CheckAlgorithms holds the signature to the lists of algorithms, and its
// transforms to enveloped-signature followed by exclusive canonicalization.
func (info *SignedInfo) CheckAlgorithms() error {
	if info.canonicalization.algorithm != ExclusiveC14N {
		return fmt.Errorf("xmldsig: canonicalization %.120q", info.canonicalization.algorithm)
	}
	if _, ok := signatureAlgorithms[info.Algorithm]; !ok {
		return fmt.Errorf("xmldsig: signature algorithm %.120q", info.Algorithm)
	}
	if _, ok := digestAlgorithms[info.digest]; !ok {
		return fmt.Errorf("xmldsig: digest %.120q", info.digest)
	}
	if len(info.transforms) != 2 ||
		info.transforms[0].algorithm != envelopedTransform ||
		info.transforms[1].algorithm != ExclusiveC14N {
		return errors.New("xmldsig: the transforms are not enveloped-signature and then exclusive canonicalization")
	}
	return nil
}

// Verify checks the signature over root, the element with this ID that holds
// it. The first of the keys that verifies counts. Verify returns the octets
// that the signature covers and that key. Nothing else of the document may be
// believed.
func (s *Signature) Verify(root *etree.Element, id string, keys []crypto.PublicKey, limits Limits) ([]byte, crypto.PublicKey, error) {
	unverified, err := s.SignedInfo()
	if err != nil {
		return nil, nil, err
	}
	// The signature covers the canonical form of SignedInfo, which has the digest
	// of the document.
	octets, err := Canonicalize(s.signedInfo, unverified.canonicalization.prefixes, nil)
	if err != nil {
		return nil, nil, err
	}
	key, err := verifyOctets(octets, unverified.Algorithm, s.value, keys)
	if err != nil {
		return nil, nil, err
	}

	// From here on SignedInfo is read from what was signed, not from what was
	// sent.
	info, err := parseSigned(octets, limits)
	if err != nil {
		return nil, nil, err
	}
	if info.Algorithm != unverified.Algorithm || info.Reference != "#"+id {
		return nil, nil, errors.New("xmldsig: the signed SignedInfo differs from the one that was sent")
	}

	// The digest covers the root without its signature.
	covered, err := Canonicalize(root, info.transforms[1].prefixes, s.element)
	if err != nil {
		return nil, nil, err
	}
	h := digestAlgorithms[info.digest].New()
	h.Write(covered)
	if len(covered) == 0 || subtle.ConstantTimeCompare(h.Sum(nil), info.digestValue) != 1 {
		return nil, nil, errors.New("xmldsig: the digest does not match: the document was changed after it was signed")
	}
	return covered, key, nil
}

// parseSigned reads SignedInfo from the octets that were signed.
func parseSigned(octets []byte, limits Limits) (*SignedInfo, error) {
	tree, err := Parse(octets, limits)
	if err != nil {
		return nil, err
	}
	if !Is(tree, Namespace, "SignedInfo") {
		return nil, errors.New("xmldsig: the signed octets are not a SignedInfo")
	}
	info, err := readSignedInfo(tree)
	if err != nil {
		return nil, err
	}
	return info, info.CheckAlgorithms()
}

// verifyOctets tries each key that fits the algorithm.
func verifyOctets(octets []byte, algorithm string, value []byte, keys []crypto.PublicKey) (crypto.PublicKey, error) {
	// The algorithm is not signed yet. Verify compares it with the signed one.
	known, ok := signatureAlgorithms[algorithm]
	if !ok {
		return nil, fmt.Errorf("xmldsig: signature algorithm %.120q", algorithm)
	}

	// The octets are hashed once, however many keys are tried.
	h := known.hash.New()
	h.Write(octets)
	digest := h.Sum(nil)
	for _, key := range keys {
		// An RSA key is never used for ECDSA, or an ECDSA key for RSA.
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
	return nil, fmt.Errorf("xmldsig: none of %d keys verifies the signature", len(keys))
}

// verifyECDSA accepts r followed by s, each as long as the curve's order (XML
// Signature 1.1 section 6.4.3), and the DER form that Go's signers write.
func verifyECDSA(key *ecdsa.PublicKey, digest, value []byte) bool {
	size := (key.Curve.Params().N.BitLen() + 7) / 8
	if len(value) == 2*size {
		r := new(big.Int).SetBytes(value[:size])
		s := new(big.Int).SetBytes(value[size:])
		if ecdsa.Verify(key, digest, r, s) {
			return true
		}
	}
	return ecdsa.VerifyASN1(key, digest, value)
}
