package assertion

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // MGF1 of rsa-oaep-mgf1p; collisions do not matter there
	"encoding/base64"
	"errors"
	"strings"

	"github.com/beevik/etree"
)

const (
	nsXMLEnc   = "http://www.w3.org/2001/04/xmlenc#"
	nsXMLEnc11 = "http://www.w3.org/2009/xmlenc11#"
	nsDSigMore = "http://www.w3.org/2001/04/xmldsig-more#"

	oaepMGF1P = nsXMLEnc + "rsa-oaep-mgf1p"
	oaep      = nsXMLEnc11 + "rsa-oaep"
)

// contentKeySizes are the accepted content encryptions, all of them authenticated,
// with their key sizes in octets. CBC is not among them: without authentication
// its padding answers questions about the plaintext.
var contentKeySizes = map[string]int{
	nsXMLEnc11 + "aes128-gcm": 16,
	nsXMLEnc11 + "aes192-gcm": 24,
	nsXMLEnc11 + "aes256-gcm": 32,
}

var oaepDigests = map[string]crypto.Hash{
	"":                    crypto.SHA1, // the default of XML Encryption section 5.5.2
	nsDSig + "sha1":       crypto.SHA1,
	nsXMLEnc + "sha256":   crypto.SHA256,
	nsDSigMore + "sha384": crypto.SHA384,
	nsXMLEnc + "sha512":   crypto.SHA512,
}

var oaepMasks = map[string]crypto.Hash{
	"":                        crypto.SHA1,
	nsXMLEnc11 + "mgf1sha1":   crypto.SHA1,
	nsXMLEnc11 + "mgf1sha256": crypto.SHA256,
	nsXMLEnc11 + "mgf1sha384": crypto.SHA384,
	nsXMLEnc11 + "mgf1sha512": crypto.SHA512,
}

// errDecryption is the answer to every failure, so that there is nothing to learn
// from how far a forged ciphertext came.
var errDecryption = errors.New("cannot be decrypted")

// mostUnwraps bounds the private key operations that a request can cause.
const mostUnwraps = 4

// decryptElement decrypts an element that holds EncryptedData, with its EncryptedKey
// inside the KeyInfo or beside it (SAML core sections 2.2.4, 2.3.4 and 2.7.3.2).
func decryptElement(e *etree.Element, keys []crypto.Decrypter) ([]byte, error) {
	parts, err := children(e)
	if err != nil || len(parts) == 0 || !is(parts[0], nsXMLEnc, "EncryptedData") {
		return nil, errDecryption
	}
	if kind, ok := attribute(parts[0], "Type"); ok && kind != nsXMLEnc+"Element" {
		return nil, errDecryption
	}
	data, err := readEncrypted(parts[0])
	if err != nil {
		return nil, errDecryption
	}
	size, ok := contentKeySizes[data.algorithm]
	if !ok {
		return nil, errDecryption
	}
	unwraps := 0
	for _, candidate := range append(data.keys, parts[1:]...) {
		if !is(candidate, nsXMLEnc, "EncryptedKey") {
			return nil, errDecryption
		}
		wrapped, err := readEncrypted(candidate)
		if err != nil {
			return nil, errDecryption
		}
		options, err := oaepOptions(wrapped.method)
		if err != nil {
			return nil, errDecryption
		}
		for _, key := range keys {
			if public, ok := key.Public().(*rsa.PublicKey); !ok || public.Size() != len(wrapped.cipher) {
				continue
			}
			if unwraps++; unwraps > mostUnwraps {
				return nil, errDecryption
			}
			secret, err := key.Decrypt(rand.Reader, wrapped.cipher, options)
			if err != nil || len(secret) != size {
				continue
			}
			if plain, err := openGCM(secret, data.cipher); err == nil {
				return plain, nil
			}
		}
	}
	return nil, errDecryption
}

func openGCM(secret, sealed []byte) ([]byte, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(sealed) < gcm.NonceSize()+gcm.Overhead() {
		return nil, errDecryption
	}
	return gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
}

// encryptedPart is an EncryptedData or EncryptedKey.
type encryptedPart struct {
	method    *etree.Element
	algorithm string
	keys      []*etree.Element // the EncryptedKeys in its KeyInfo
	cipher    []byte
}

func readEncrypted(e *etree.Element) (*encryptedPart, error) {
	parts, err := children(e)
	if err != nil || len(parts) < 2 || !is(parts[0], nsXMLEnc, "EncryptionMethod") {
		return nil, errDecryption
	}
	p := &encryptedPart{method: parts[0]}
	p.algorithm, _ = attribute(parts[0], "Algorithm")
	parts = parts[1:]
	if is(parts[0], nsDSig, "KeyInfo") {
		inside, err := children(parts[0])
		if err != nil {
			return nil, err
		}
		for _, key := range inside {
			// Names and certificates in there are hints that are not followed.
			if is(key, nsXMLEnc, "EncryptedKey") {
				p.keys = append(p.keys, key)
			}
		}
		parts = parts[1:]
	}
	if len(parts) == 0 || !is(parts[0], nsXMLEnc, "CipherData") {
		return nil, errDecryption
	}
	values, err := children(parts[0])
	if err != nil || len(values) != 1 || !is(values[0], nsXMLEnc, "CipherValue") {
		return nil, errDecryption
	}
	value, err := text(values[0])
	if err != nil {
		return nil, err
	}
	p.cipher, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	return p, err
}

// oaepOptions reads the parameters of RSA-OAEP. rsa-oaep-mgf1p always has MGF1
// with SHA-1; in rsa-oaep digest and mask are named apart.
func oaepOptions(m *etree.Element) (*rsa.OAEPOptions, error) {
	algorithm, _ := attribute(m, "Algorithm")
	parts, err := children(m)
	if err != nil || algorithm != oaepMGF1P && algorithm != oaep {
		return nil, errDecryption
	}
	digest, mask := "", ""
	for _, part := range parts {
		named, _ := attribute(part, "Algorithm")
		switch {
		case named == "":
			return nil, errDecryption // also OAEPparams: a label that nobody here knows
		case is(part, nsDSig, "DigestMethod") && digest == "":
			digest = named
		case is(part, nsXMLEnc11, "MGF") && mask == "" && algorithm == oaep:
			mask = named
		default:
			return nil, errDecryption
		}
	}
	hash, knownHash := oaepDigests[digest]
	mgf, knownMask := oaepMasks[mask]
	if !knownHash || !knownMask {
		return nil, errDecryption
	}
	return &rsa.OAEPOptions{Hash: hash, MGFHash: mgf}, nil
}

func isRSADecrypter(d crypto.Decrypter) bool {
	if d == nil {
		return false
	}
	public, ok := d.Public().(*rsa.PublicKey)
	return ok && checkKey(public) == nil
}
