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

	"github.com/grantwell/grantwell/internal/base/keycost"
)

// signatureAlgorithms are those that are accepted (RFC 6931, RFC 9231). SHA-1
// and MD5 are left out because they are broken, and every HMAC because a public
// key would be its secret.
var signatureAlgorithms = map[string]signatureAlgorithm{
	NamespaceMore + "rsa-sha256":   {crypto.SHA256, rsaPKCS1},
	NamespaceMore + "rsa-sha384":   {crypto.SHA384, rsaPKCS1},
	NamespaceMore + "rsa-sha512":   {crypto.SHA512, rsaPKCS1},
	NamespaceMore + "ecdsa-sha256": {crypto.SHA256, ellipticCurve},
	NamespaceMore + "ecdsa-sha384": {crypto.SHA384, ellipticCurve},
	NamespaceMore + "ecdsa-sha512": {crypto.SHA512, ellipticCurve},

	// RSASSA-PSS without parameters: MGF1 with the same hash, and a salt of the
	// hash's length (RFC 9231 section 2.3.10).
	namespacePSS + "sha256-rsa-MGF1": {crypto.SHA256, rsaProbabilistic},
	namespacePSS + "sha384-rsa-MGF1": {crypto.SHA384, rsaProbabilistic},
	namespacePSS + "sha512-rsa-MGF1": {crypto.SHA512, rsaProbabilistic},
	// The parameters of this one name the hash and the salt.
	rsaPSS: {0, rsaProbabilistic},
}

// signatureAlgorithm is a hash and a kind of signature.
type signatureAlgorithm struct {
	hash crypto.Hash
	kind signatureKind
}

type signatureKind int

// The kinds of signatures.
const (
	rsaPKCS1 signatureKind = iota
	rsaProbabilistic
	ellipticCurve
)

// digestAlgorithms are the digests that are accepted, by the same reasons.
var digestAlgorithms = map[string]crypto.Hash{
	"http://www.w3.org/2001/04/xmlenc#sha256": crypto.SHA256,
	NamespaceMore + "sha384":                  crypto.SHA384,
	"http://www.w3.org/2001/04/xmlenc#sha512": crypto.SHA512,
}

// CheckAlgorithms holds the signature to the lists of algorithms, and its
// transforms to enveloped-signature followed by exclusive canonicalization.
func (info *SignedInfo) CheckAlgorithms() error {
	if !isExclusive(info.canonicalization.algorithm) {
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
		!isExclusive(info.transforms[1].algorithm) {
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
	octets, err := canonicalize(s.signedInfo, unverified.canonicalization.prefixes, nil, limits.Canonical)
	if err != nil {
		return nil, nil, err
	}
	key, err := verifyOctets(octets, unverified.signature, s.value, keys)
	if errors.Is(err, errNoKeyVerifies) {
		return nil, nil, s.diagnose(root, unverified, len(keys), limits)
	}
	if err != nil {
		return nil, nil, err
	}

	// From here on SignedInfo is read from what was signed, not from what was
	// sent.
	info, err := parseSigned(octets, limits)
	if err != nil {
		return nil, nil, err
	}
	if info.Algorithm != unverified.Algorithm || info.signature.pss != unverified.signature.pss ||
		info.Reference != "#"+id {
		return nil, nil, errors.New("xmldsig: the signed SignedInfo differs from the one that was sent")
	}

	// The digest covers the root without its signature.
	covered, err := canonicalize(root, info.transforms[1].prefixes, s.element, limits.Canonical)
	if err != nil {
		return nil, nil, err
	}
	if !info.matches(covered) {
		return nil, nil, errors.New("xmldsig: the digest does not match: the document was changed after it was signed, " +
			"for example reformatted, or cut out of a larger document without the namespace declarations around it")
	}
	return covered, key, nil
}

// matches reports whether the digest is that of the octets.
func (info *SignedInfo) matches(covered []byte) bool {
	h := digestAlgorithms[info.digest].New()
	h.Write(covered)
	return len(covered) > 0 && subtle.ConstantTimeCompare(h.Sum(nil), info.digestValue) == 1
}

// diagnose returns the error for a signature that no key verifies. The digest of the
// document, though nothing vouches for it, shows which of two causes is likely.
// It costs no more than the verification of an honest document.
func (s *Signature) diagnose(root *etree.Element, info *SignedInfo, keys int, limits Limits) error {
	intact := false
	if info.CheckAlgorithms() == nil {
		covered, err := canonicalize(root, info.transforms[1].prefixes, s.element, limits.Canonical)
		if err != nil {
			return err
		}
		intact = info.matches(covered)
	}
	if intact {
		return fmt.Errorf("xmldsig: none of %d keys verifies the signature, but the document fits its digest: "+
			"it was signed with another key, for example after a key rollover", keys)
	}
	return fmt.Errorf("xmldsig: none of %d keys verifies the signature, and the document does not fit its digest: "+
		"it was changed or reformatted after it was signed", keys)
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

// errNoKeyVerifies is the error of verifyOctets if keys were tried in vain.
var errNoKeyVerifies = errors.New("xmldsig: no key verifies the signature")

// verifyOctets tries each key that fits the algorithm.
func verifyOctets(octets []byte, m method, value []byte, keys []crypto.PublicKey) (crypto.PublicKey, error) {
	// The algorithm is not signed yet. Verify compares it with the signed one.
	known, ok := signatureAlgorithms[m.algorithm]
	if !ok {
		return nil, fmt.Errorf("xmldsig: signature algorithm %.120q", m.algorithm)
	}
	salt := known.hash.Size
	if m.algorithm == rsaPSS {
		known.hash = m.pss.hash
		salt = func() int { return m.pss.salt }
	}

	// The octets are hashed once, however many keys are tried.
	h := known.hash.New()
	h.Write(octets)
	digest := h.Sum(nil)
	tried := 0
	var budget keycost.Budget
	for _, key := range keys {
		// An RSA key is never used for ECDSA, or an ECDSA key for RSA.
		switch key := key.(type) {
		case *rsa.PublicKey:
			if known.kind == ellipticCurve || !budget.Take(key) {
				continue
			}
			tried++
			if known.verifyRSA(key, digest, value, salt()) {
				return key, nil
			}
		case *ecdsa.PublicKey:
			if known.kind != ellipticCurve || !budget.Take(key) {
				continue
			}
			tried++
			if verifyECDSA(key, digest, value) {
				return key, nil
			}
		}
	}
	if tried == 0 {
		return nil, fmt.Errorf("xmldsig: none of %d keys is of the type that %.120q needs", len(keys), m.algorithm)
	}
	return nil, errNoKeyVerifies
}

// verifyRSA verifies a signature of one of the two kinds of RSA. The salt must have
// exactly the given length in octets.
func (a signatureAlgorithm) verifyRSA(key *rsa.PublicKey, digest, value []byte, salt int) bool {
	if a.kind == rsaPKCS1 {
		return rsa.VerifyPKCS1v15(key, a.hash, digest, value) == nil
	}
	options := &rsa.PSSOptions{SaltLength: salt, Hash: a.hash}
	return rsa.VerifyPSS(key, a.hash, digest, value, options) == nil
}

// verifyECDSA accepts r followed by s, each as long as the curve's order (XML
// Signature 1.1 section 6.4.3), and the DER form that Go's signers write. A value is
// read in one of the two ways only, because each costs an operation: a DER form that
// is as long as r and s without its own octets does not occur.
func verifyECDSA(key *ecdsa.PublicKey, digest, value []byte) bool {
	size := (key.Curve.Params().N.BitLen() + 7) / 8
	if len(value) == 2*size {
		r := new(big.Int).SetBytes(value[:size])
		s := new(big.Int).SetBytes(value[size:])
		return ecdsa.Verify(key, digest, r, s)
	}
	return ecdsa.VerifyASN1(key, digest, value)
}
