// Package xmlenc decrypts the part of XML Encryption 1.1 that SAML 2.0 uses:
// one element, encrypted by AES-GCM with a key that is wrapped by RSA-OAEP.
//
// The other algorithms of the specification are refused. CBC has no
// authentication, and its padding answers questions about the plaintext. RSA
// PKCS #1 v1.5 does the same for the key (Bleichenbacher). Every failure is the
// same error, so that a forged ciphertext teaches nothing by how far it came.
package xmlenc

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // for MGF1 of rsa-oaep-mgf1p, where collisions do not matter
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/beevik/etree"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// The namespaces of XML Encryption 1.0 and 1.1, and the two names of RSA-OAEP.
const (
	namespace   = "http://www.w3.org/2001/04/xmlenc#"
	namespace11 = "http://www.w3.org/2009/xmlenc11#"

	oaepMGF1P = namespace + "rsa-oaep-mgf1p"
	oaep      = namespace11 + "rsa-oaep"
)

// contentKeySizes are the content encryptions that are accepted, with their key
// sizes in octets.
var contentKeySizes = map[string]int{
	namespace11 + "aes128-gcm": 16,
	namespace11 + "aes192-gcm": 24,
	namespace11 + "aes256-gcm": 32,
}

// oaepDigests and oaepMasks are the parameters of RSA-OAEP that are accepted.
// SHA-1 is the default of XML Encryption 1.1 section 5.5.2.
var (
	oaepDigests = map[string]crypto.Hash{
		"":                               crypto.SHA1,
		xmldsig.Namespace + "sha1":       crypto.SHA1,
		namespace + "sha256":             crypto.SHA256,
		xmldsig.NamespaceMore + "sha384": crypto.SHA384,
		namespace + "sha512":             crypto.SHA512,
	}
	oaepMasks = map[string]crypto.Hash{
		"":                         crypto.SHA1,
		namespace11 + "mgf1sha1":   crypto.SHA1,
		namespace11 + "mgf1sha256": crypto.SHA256,
		namespace11 + "mgf1sha384": crypto.SHA384,
		namespace11 + "mgf1sha512": crypto.SHA512,
	}
)

// errDecryption is the error for every failure.
var errDecryption = errors.New("xmlenc: cannot be decrypted")

// mostUnwraps bounds the private key operations that one document can cause.
const mostUnwraps = 4

// IsDecrypter reports whether the key is an RSA key of 2048 to 8192 bits.
// A key of another kind could not decrypt anything here.
func IsDecrypter(d crypto.Decrypter) bool {
	if d == nil {
		return false
	}
	public, ok := d.Public().(*rsa.PublicKey)
	return ok && xmldsig.CheckKey(public) == nil
}

// Decrypt decrypts an element that holds EncryptedData, with its EncryptedKey
// inside the KeyInfo or beside it (SAML core sections 2.2.4, 2.3.4 and 2.7.3.2).
// The plaintext is octets from an unknown sender, because everyone has the
// public key.
func Decrypt(e *etree.Element, keys []crypto.Decrypter) ([]byte, error) {
	parts, err := xmldsig.Children(e)
	if err != nil || len(parts) == 0 || !xmldsig.Is(parts[0], namespace, "EncryptedData") {
		return nil, errDecryption
	}
	// The other type, Content, would be a list of nodes and not one element.
	if kind, ok := xmldsig.Attribute(parts[0], "Type"); ok && kind != namespace+"Element" {
		return nil, errDecryption
	}
	data, err := readPart(parts[0])
	if err != nil {
		return nil, errDecryption
	}
	// An unknown algorithm is refused before any private key is used.
	size, ok := contentKeySizes[data.algorithm]
	if !ok {
		return nil, errDecryption
	}

	u := unwrapper{
		keys: keys,
		size: size,
		data: data.cipher,
	}
	// The sender may have wrapped the content key for several recipients.
	for _, candidate := range append(data.keys, parts[1:]...) {
		plain, err := u.try(candidate)
		if err != nil {
			return nil, errDecryption
		}
		if plain != nil {
			return plain, nil
		}
	}
	return nil, errDecryption
}

// unwrapper tries wrapped keys on one ciphertext.
type unwrapper struct {
	keys     []crypto.Decrypter
	size     int    // of the content key, in octets
	data     []byte // the ciphertext
	attempts int
}

// try decrypts the ciphertext by one EncryptedKey. It returns nil and no error
// if that one is for another recipient. An error ends the search.
func (u *unwrapper) try(encryptedKey *etree.Element) ([]byte, error) {
	if !xmldsig.Is(encryptedKey, namespace, "EncryptedKey") {
		return nil, errDecryption
	}
	// A malformed key ends the search, also if another one would fit.
	wrapped, err := readPart(encryptedKey)
	if err != nil {
		return nil, err
	}
	options, err := oaepOptions(wrapped.method)
	if err != nil {
		return nil, err
	}

	for _, key := range u.keys {
		// A key of another size cannot have wrapped it, and costs no attempt.
		if public, ok := key.Public().(*rsa.PublicKey); !ok || public.Size() != len(wrapped.cipher) {
			continue
		}
		// An unverified document must not cause many private key operations.
		if u.attempts++; u.attempts > mostUnwraps {
			return nil, errDecryption
		}
		secret, err := key.Decrypt(rand.Reader, wrapped.cipher, options)
		if err != nil || len(secret) != u.size {
			continue
		}
		// A forged key of the right size fails here, because GCM authenticates.
		if plain, err := openGCM(secret, u.data); err == nil {
			return plain, nil
		}
	}
	return nil, nil
}

// openGCM decrypts nonce and ciphertext (XML Encryption 1.1 section 5.2.4). The
// plaintext is not nil even if it is empty.
func openGCM(secret, sealed []byte) ([]byte, error) {
	// The size of the key was compared with the algorithm before.
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
	// The nonce stands before the ciphertext, and the tag after it.
	nonce := sealed[:gcm.NonceSize()]
	return gcm.Open([]byte{}, nonce, sealed[gcm.NonceSize():], nil)
}

// encryptedPart is an EncryptedData or EncryptedKey (XML Encryption 1.1 section 3.1).
// Both have a method, at most a KeyInfo, and a ciphertext.
type encryptedPart struct {
	method    *etree.Element
	algorithm string
	keys      []*etree.Element // the EncryptedKeys in its KeyInfo
	cipher    []byte
}

// readPart takes an EncryptedData or EncryptedKey apart. Elements after CipherData are
// not read.
func readPart(e *etree.Element) (*encryptedPart, error) {
	parts, err := xmldsig.Children(e)
	if err != nil || len(parts) < 2 || !xmldsig.Is(parts[0], namespace, "EncryptionMethod") {
		return nil, errDecryption
	}

	p := &encryptedPart{method: parts[0]}
	p.algorithm, _ = xmldsig.Attribute(parts[0], "Algorithm")

	parts = parts[1:]
	if xmldsig.Is(parts[0], xmldsig.Namespace, "KeyInfo") {
		inside, err := xmldsig.Children(parts[0])
		if err != nil {
			return nil, err
		}
		for _, key := range inside {
			// Names and certificates in there are hints that are not followed.
			if xmldsig.Is(key, namespace, "EncryptedKey") {
				p.keys = append(p.keys, key)
			}
		}
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return nil, errDecryption
	}
	p.cipher, err = readCipherData(parts[0])
	return p, err
}

// readCipherData returns the octets of a CipherValue. A CipherReference, which names
// a place to fetch them from, is refused.
func readCipherData(e *etree.Element) ([]byte, error) {
	if !xmldsig.Is(e, namespace, "CipherData") {
		return nil, errDecryption
	}
	values, err := xmldsig.Children(e)
	if err != nil || len(values) != 1 || !xmldsig.Is(values[0], namespace, "CipherValue") {
		return nil, errDecryption
	}
	value, err := xmldsig.Text(values[0])
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
}

// oaepOptions reads the parameters of RSA-OAEP. The algorithm rsa-oaep-mgf1p
// always has MGF1 with SHA-1. In rsa-oaep, digest and mask are named separately.
func oaepOptions(m *etree.Element) (*rsa.OAEPOptions, error) {
	algorithm, _ := xmldsig.Attribute(m, "Algorithm")
	parts, err := xmldsig.Children(m)
	if err != nil || algorithm != oaepMGF1P && algorithm != oaep {
		return nil, errDecryption
	}

	// Each parameter may occur once.
	digest, mask := "", ""
	for _, part := range parts {
		named, _ := xmldsig.Attribute(part, "Algorithm")
		switch {
		case named == "":
			// Also OAEPparams, a label that this package does not support.
			return nil, errDecryption
		case xmldsig.Is(part, xmldsig.Namespace, "DigestMethod") && digest == "":
			digest = named
		case xmldsig.Is(part, namespace11, "MGF") && mask == "" && algorithm == oaep:
			mask = named
		default:
			return nil, errDecryption
		}
	}

	// An unknown name is refused, and an absent one means the default.
	hash, knownHash := oaepDigests[digest]
	mgf, knownMask := oaepMasks[mask]
	if !knownHash || !knownMask {
		return nil, errDecryption
	}
	return &rsa.OAEPOptions{Hash: hash, MGFHash: mgf}, nil
}
