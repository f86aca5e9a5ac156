package xmldsig

import (
	"crypto"
	"errors"
	"fmt"
	"strconv"

	"github.com/beevik/etree"
)

// namespacePSS is that of the parameters of RSASSA-PSS (RFC 9231 section 2.3.9).
const namespacePSS = "http://www.w3.org/2007/05/xmldsig-more#"

// rsaPSS is RSASSA-PSS whose parameters stand in the SignatureMethod.
const rsaPSS = namespacePSS + "rsa-pss"

// The salt lengths that are accepted, in octets. RFC 8017 section 9.1 names the
// length of the hash as typical. No salt at all would make the signature
// deterministic, which no signer chooses.
const (
	minSalt = 20
	maxSalt = 64
)

// pssParameters are the hash and the salt of RSASSA-PSS. MGF1 has the same hash.
type pssParameters struct {
	hash crypto.Hash
	salt int // octets
}

// readSignatureMethod reads a signature algorithm. Only [rsaPSS] has parameters.
func readSignatureMethod(e *etree.Element) (method, error) {
	m, parts, err := methodParts(e)
	if err != nil {
		return m, err
	}
	if m.algorithm != rsaPSS {
		if len(parts) > 0 {
			return m, parameterError(e, m.algorithm, parts[0])
		}
		return m, nil
	}

	switch {
	case len(parts) == 0:
		// Every parameter is optional, and so is the element around them.
		m.pss = pssParameters{hash: crypto.SHA256, salt: crypto.SHA256.Size()}
	case len(parts) > 1 || !Is(parts[0], namespacePSS, "RSAPSSParams"):
		return m, parameterError(e, m.algorithm, parts[len(parts)-1])
	default:
		m.pss, err = readPSS(parts[0])
	}
	return m, err
}

// readPSS reads RSAPSSParams. A parameter that is absent has its default: SHA-256,
// MGF1 with the same hash, and a salt as long as the hash.
func readPSS(e *etree.Element) (pssParameters, error) {
	var p pssParameters
	if err := OnlyAttributes(e); err != nil {
		return p, err
	}
	byName, err := readPSSParts(e)
	if err != nil {
		return p, err
	}

	p.hash = crypto.SHA256
	if digest := byName["DigestMethod"]; digest != nil {
		if p.hash, err = readPSSHash(digest); err != nil {
			return p, err
		}
	}
	if mask := byName["MaskGenerationFunction"]; mask != nil {
		if err := checkMask(mask, p.hash); err != nil {
			return p, err
		}
	}
	p.salt = p.hash.Size()
	if salt := byName["SaltLength"]; salt != nil {
		if p.salt, err = readNumber(salt); err != nil {
			return p, err
		}
	}
	if p.salt < minSalt || p.salt > maxSalt {
		return p, fmt.Errorf("xmldsig: RSA-PSS with a salt of %d octets, and %d to %d are accepted", p.salt, minSalt, maxSalt)
	}
	// 1 means the octet 0xBC, which is the only trailer of RFC 8017.
	if trailer := byName["TrailerField"]; trailer != nil {
		if n, err := readNumber(trailer); err != nil || n != 1 {
			return p, errors.New("xmldsig: RSA-PSS with another TrailerField than 1")
		}
	}
	return p, nil
}

// readPSSParts returns the parameters by their names. Each may occur once.
func readPSSParts(e *etree.Element) (map[string]*etree.Element, error) {
	parts, err := Children(e)
	if err != nil {
		return nil, err
	}
	spaces := map[string]string{
		"DigestMethod":           Namespace,
		"MaskGenerationFunction": namespacePSS,
		"SaltLength":             namespacePSS,
		"TrailerField":           namespacePSS,
	}
	byName := make(map[string]*etree.Element, len(spaces))
	for _, part := range parts {
		space, known := spaces[part.Tag]
		if !known || part.NamespaceURI() != space || byName[part.Tag] != nil {
			return nil, fmt.Errorf("xmldsig: RSAPSSParams has an unknown or second %.60s", part.Tag)
		}
		byName[part.Tag] = part
	}
	return byName, nil
}

// readPSSHash reads a DigestMethod of the accepted digests.
func readPSSHash(e *etree.Element) (crypto.Hash, error) {
	name, err := readPlainMethod(e)
	if err != nil {
		return 0, err
	}
	hash, ok := digestAlgorithms[name]
	if !ok {
		return 0, fmt.Errorf("xmldsig: RSA-PSS with digest %.120q", name)
	}
	return hash, nil
}

// checkMask accepts MGF1 with the hash of the signature, which RFC 8017 section 8.1
// recommends. Without a DigestMethod it has the same hash.
func checkMask(e *etree.Element, hash crypto.Hash) error {
	m, parts, err := methodParts(e)
	if err != nil {
		return err
	}
	if m.algorithm != namespacePSS+"MGF1" {
		return fmt.Errorf("xmldsig: RSA-PSS with mask generation function %.120q", m.algorithm)
	}
	if len(parts) == 0 {
		return nil
	}
	if len(parts) != 1 || !Is(parts[0], Namespace, "DigestMethod") {
		return parameterError(e, m.algorithm, parts[len(parts)-1])
	}
	masked, err := readPSSHash(parts[0])
	if err != nil {
		return err
	}
	if masked != hash {
		return fmt.Errorf("xmldsig: RSA-PSS with %s, and MGF1 with %s: both must have the same hash", hash, masked)
	}
	return nil
}

// readNumber reads a small number in decimal digits.
func readNumber(e *etree.Element) (int, error) {
	text, err := Text(e)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("xmldsig: %s is not a number", e.Tag)
	}
	return int(n), nil
}
