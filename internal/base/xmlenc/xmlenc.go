// Package xmlenc decrypts the part of XML Encryption 1.1 that SAML 2.0 uses:
// one element, encrypted by AES-GCM with a key that is wrapped by RSA-OAEP.
//
// The other algorithms of the specification are refused. CBC has no
// authentication, and its padding answers questions about the plaintext. RSA
// PKCS #1 v1.5 does the same for the key (Bleichenbacher). Such a document is refused
// with an [UnsupportedError] before a private key is used. Every failure after that
// is the same error, so that a forged ciphertext teaches nothing by how far it came.
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
	"errors"
	"fmt"

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

// errDecryption is the error for every failure after a private key was used.
var errDecryption = errors.New("xmlenc: cannot be decrypted: no configured key fits, or the ciphertext was changed")

// errRecipients is errDecryption with a hint. It follows as many failures as
// errDecryption does after four wrapped keys.
var errRecipients = fmt.Errorf("%w; only the first %d wrapped keys of a fitting size are tried, "+
	"so encrypt for fewer recipients", errDecryption, MaxUnwraps)

// MaxUnwraps bounds the private key operations that one document can cause: wrapped
// keys of a fitting size, multiplied by configured keys.
const MaxUnwraps = 4

// UnsupportedError is the error for a document whose shape or algorithms are not
// accepted. It depends on what everyone can read in the document, and on no key.
type UnsupportedError string

// Error says what was found and what is accepted.
func (e UnsupportedError) Error() string { return "xmlenc: " + string(e) }

// unsupported returns an [UnsupportedError].
func unsupported(format string, args ...any) error {
	return UnsupportedError(fmt.Sprintf(format, args...))
}

// IsDecrypter reports whether the key is an RSA key of 2048 to 8192 bits.
// A key of another kind could not decrypt anything here.
func IsDecrypter(d crypto.Decrypter) bool {
	if d == nil {
		return false
	}
	public, ok := d.Public().(*rsa.PublicKey)
	return ok && xmldsig.CheckKey(public) == nil
}

// Decrypt decrypts an element that holds exactly one EncryptedData, with its
// EncryptedKey inside the KeyInfo or beside it (SAML core sections 2.2.4, 2.3.4 and
// 2.7.3.2). The plaintext is octets from an unknown sender, because everyone has the
// public key.
func Decrypt(e *etree.Element, keys []crypto.Decrypter) ([]byte, error) {
	parts, err := checkShape(e)
	if err != nil {
		return nil, err
	}
	// The other type, Content, would be a list of nodes and not one element.
	if kind, ok := xmldsig.Attribute(parts[0], "Type"); ok && kind != namespace+"Element" {
		return nil, unsupported("EncryptedData of Type %.120q, and only an Element is accepted", kind)
	}
	data, err := readPart(parts[0])
	if err != nil {
		return nil, err
	}
	// An unknown algorithm is refused before any private key is used.
	size, ok := contentKeySizes[data.algorithm]
	if ok {
		err = checkContentMethod(data.method)
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, unsupported("content encryption %.120q, and AES-GCM is accepted (aes128-gcm, aes192-gcm or aes256-gcm)", data.algorithm)
	}
	wrapped, err := readKeys(append(data.keys, parts[1:]...))
	if err != nil {
		return nil, err
	}

	u := unwrapper{
		keys: keys,
		size: size,
		data: data.cipher,
	}
	// The sender may have wrapped the content key for several recipients.
	for _, candidate := range wrapped {
		plain, err := u.try(candidate)
		if err != nil || plain != nil {
			return plain, err
		}
	}
	return nil, errDecryption
}

// checkContentMethod refuses parameters of AES-GCM but the size of the key, which its
// name says too (XML Encryption 1.1 section 3.2).
func checkContentMethod(m *etree.Element) error {
	parts, err := xmldsig.Children(m)
	if err != nil {
		return unsupported("%v", err)
	}
	for _, part := range parts {
		if !xmldsig.Is(part, namespace, "KeySize") {
			return unsupported("content encryption with parameter %.60s", part.Tag)
		}
	}
	return nil
}

// checkShape returns the one EncryptedData of an element, and the EncryptedKeys
// beside it. Nothing else may stand there, and nothing inside may look like a part of
// the document that the plaintext replaces: a reader could take one for the other.
func checkShape(e *etree.Element) ([]*etree.Element, error) {
	if err := xmldsig.OnlyAttributes(e); err != nil {
		return nil, unsupported("%v", err)
	}
	parts, err := xmldsig.Children(e)
	if err != nil {
		return nil, unsupported("%v", err)
	}
	if len(parts) == 0 || !xmldsig.Is(parts[0], namespace, "EncryptedData") {
		return nil, unsupported("%s does not begin with EncryptedData", e.Tag)
	}
	for _, part := range parts[1:] {
		if !xmldsig.Is(part, namespace, "EncryptedKey") {
			return nil, unsupported("%.60s beside EncryptedData in %s, and only EncryptedKey may stand there", part.Tag, e.Tag)
		}
	}

	own := e.NamespaceURI()
	err = xmldsig.Walk(e, func(inner *etree.Element) error {
		foreign := inner != e && inner.NamespaceURI() == own
		if foreign || inner.Tag == "EncryptedData" && inner != parts[0] {
			return unsupported("%.60s in the clear inside %s", inner.Tag, e.Tag)
		}
		return nil
	})
	return parts, err
}

// wrappedKey is an EncryptedKey with the parameters of its algorithm.
type wrappedKey struct {
	cipher  []byte
	options *rsa.OAEPOptions
}

// readKeys takes every EncryptedKey apart. One that is malformed refuses the
// document, also if another one would fit: no private key was used yet, so the
// error may say why.
func readKeys(elements []*etree.Element) ([]wrappedKey, error) {
	if len(elements) == 0 {
		return nil, unsupported("no EncryptedKey, in the KeyInfo or beside EncryptedData")
	}
	keys := make([]wrappedKey, 0, len(elements))
	for _, e := range elements {
		part, err := readPart(e)
		if err != nil {
			return nil, err
		}
		options, err := oaepOptions(part.method)
		if err != nil {
			return nil, err
		}
		keys = append(keys, wrappedKey{cipher: part.cipher, options: options})
	}
	return keys, nil
}

// unwrapper tries wrapped keys on one ciphertext.
type unwrapper struct {
	keys     []crypto.Decrypter
	size     int    // of the content key, in octets
	data     []byte // the ciphertext
	attempts int
}

// try decrypts the ciphertext by one wrapped key. It returns nil and no error
// if that one is for another recipient. An error ends the search.
func (u *unwrapper) try(wrapped wrappedKey) ([]byte, error) {
	for _, key := range u.keys {
		// A key of another size cannot have wrapped it, and costs no attempt.
		if public, ok := key.Public().(*rsa.PublicKey); !ok || public.Size() != len(wrapped.cipher) {
			continue
		}
		// An unverified document must not cause many private key operations.
		if u.attempts++; u.attempts > MaxUnwraps {
			return nil, errRecipients
		}
		secret, err := key.Decrypt(rand.Reader, wrapped.cipher, wrapped.options)
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
