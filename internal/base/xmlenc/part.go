package xmlenc

import (
	"crypto/rsa"
	"encoding/base64"

	"github.com/beevik/etree"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// encryptedPart is an EncryptedData or EncryptedKey (XML Encryption 1.1 section 3.1).
// Both have a method, at most a KeyInfo, and a ciphertext.
type encryptedPart struct {
	method    *etree.Element
	algorithm string
	keys      []*etree.Element // the EncryptedKeys in its KeyInfo
	cipher    []byte
}

// behindCipher are the elements that may follow the CipherData of an EncryptedKey.
// They say for which ciphertext and recipient the key is, and are not used.
var behindCipher = map[string]bool{
	"ReferenceList":  true,
	"CarriedKeyName": true,
}

// readPart takes an EncryptedData or EncryptedKey apart. It refuses elements that
// the specification does not have, or that only an EncryptedKey may have.
func readPart(e *etree.Element) (*encryptedPart, error) {
	// The schema gives Recipient to an EncryptedKey only. None of these is used, but
	// for the Type, which Decrypt reads.
	known := []string{"Id", "Type", "MimeType", "Encoding"}
	if e.Tag == "EncryptedKey" {
		known = append(known, "Recipient")
	}
	parts, err := inside(e, known...)
	if err != nil {
		return nil, err
	}
	if len(parts) < 2 || !xmldsig.Is(parts[0], namespace, "EncryptionMethod") {
		return nil, unsupported("%s is not EncryptionMethod, at most KeyInfo, and CipherData", e.Tag)
	}

	if err := xmldsig.OnlyAttributes(parts[0], "Algorithm"); err != nil {
		return nil, unsupported("%v", err)
	}
	p := &encryptedPart{method: parts[0]}
	p.algorithm, _ = xmldsig.Attribute(parts[0], "Algorithm")

	parts = parts[1:]
	if xmldsig.Is(parts[0], xmldsig.Namespace, "KeyInfo") {
		hints, err := inside(parts[0], "Id")
		if err != nil {
			return nil, err
		}
		for _, key := range hints {
			// Names and certificates in there are hints that are not followed.
			if xmldsig.Is(key, namespace, "EncryptedKey") {
				p.keys = append(p.keys, key)
			}
		}
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return nil, unsupported("%s has no CipherData", e.Tag)
	}

	if err := checkBehindCipher(e, parts[1:]); err != nil {
		return nil, err
	}
	p.cipher, err = readCipherData(parts[0])
	return p, err
}

// checkBehindCipher judges what follows the CipherData.
func checkBehindCipher(e *etree.Element, parts []*etree.Element) error {
	seen := map[string]bool{}
	for _, part := range parts {
		allowed := e.Tag == "EncryptedKey" && part.NamespaceURI() == namespace && behindCipher[part.Tag]
		if !allowed || seen[part.Tag] {
			return unsupported("%.60s behind the CipherData of %s", part.Tag, e.Tag)
		}
		seen[part.Tag] = true
	}
	return nil
}

// inside returns the elements of an element that has no other attributes than the given
// ones, and no text.
func inside(e *etree.Element, attributes ...string) ([]*etree.Element, error) {
	if err := xmldsig.OnlyAttributes(e, attributes...); err != nil {
		return nil, unsupported("%v", err)
	}
	parts, err := xmldsig.Children(e)
	if err != nil {
		return nil, unsupported("%v", err)
	}
	return parts, nil
}

// readCipherData returns the octets of a CipherValue. A CipherReference, which names
// a place to fetch them from, is refused.
func readCipherData(e *etree.Element) ([]byte, error) {
	if !xmldsig.Is(e, namespace, "CipherData") {
		return nil, unsupported("%.60s where CipherData is expected", e.Tag)
	}
	values, err := xmldsig.Children(e)
	if err != nil || len(values) != 1 || !xmldsig.Is(values[0], namespace, "CipherValue") {
		return nil, unsupported("CipherData is not one CipherValue")
	}
	for _, bare := range []*etree.Element{e, values[0]} {
		if err := xmldsig.OnlyAttributes(bare); err != nil {
			return nil, unsupported("%v", err)
		}
	}
	value, err := xmldsig.Text(values[0])
	if err != nil {
		return nil, unsupported("%v", err)
	}
	octets, err := base64.StdEncoding.DecodeString(xmldsig.WithoutSpace(value))
	if err != nil {
		return nil, unsupported("CipherValue is not base64")
	}
	return octets, nil
}

// oaepOptions reads the parameters of RSA-OAEP. The algorithm rsa-oaep-mgf1p
// always has MGF1 with SHA-1. In rsa-oaep, digest and mask are named separately.
func oaepOptions(m *etree.Element) (*rsa.OAEPOptions, error) {
	algorithm, _ := xmldsig.Attribute(m, "Algorithm")
	if algorithm != oaepMGF1P && algorithm != oaep {
		return nil, unsupported("key transport %.120q, and RSA-OAEP is accepted (rsa-oaep-mgf1p or rsa-oaep)", algorithm)
	}
	digest, mask, err := oaepParameters(m, algorithm)
	if err != nil {
		return nil, err
	}

	// An unknown name is refused, and an absent one means the default.
	hash, knownHash := oaepDigests[digest]
	mgf, knownMask := oaepMasks[mask]
	if !knownHash || !knownMask {
		return nil, unsupported("RSA-OAEP with digest %.120q and mask %.120q", digest, mask)
	}
	return &rsa.OAEPOptions{Hash: hash, MGFHash: mgf}, nil
}

// oaepParameters returns the names of the digest and of the mask. Each may occur once.
func oaepParameters(m *etree.Element, algorithm string) (digest, mask string, err error) {
	parts, err := xmldsig.Children(m)
	if err != nil {
		return "", "", unsupported("%v", err)
	}
	for _, part := range parts {
		named, _ := xmldsig.Attribute(part, "Algorithm")
		if named == "" {
			// Also OAEPparams, a label that this package does not support.
			return "", "", unsupported("RSA-OAEP with parameter %.60s", part.Tag)
		}
		parameters, err := inside(part, "Algorithm")
		switch {
		case err != nil:
			return "", "", err
		case len(parameters) > 0:
			return "", "", unsupported("RSA-OAEP whose %.60s has parameters", part.Tag)
		case xmldsig.Is(part, xmldsig.Namespace, "DigestMethod") && digest == "":
			digest = named
		case xmldsig.Is(part, namespace11, "MGF") && mask == "" && algorithm == oaep:
			mask = named
		default:
			return "", "", unsupported("RSA-OAEP with an unknown or second parameter %.60s", part.Tag)
		}
	}
	return digest, mask, nil
}
