package xmlenc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// The vectors are encrypted by xmlsec1: see make.sh there.
const vectors = "../../../assertion/testdata/saml"

func vector(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(vectors, name))
	require.NoError(t, err)
	return string(data)
}

func vectorKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode([]byte(vector(t, "enc.test-only.key.pem")))
	require.NotNil(t, block)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return key.(*rsa.PrivateKey)
}

func parse(doc string) (*etree.Element, error) {
	limits := xmldsig.Limits{Depth: 24, Elements: 400, Attributes: 24, Namespaces: 64, Canonical: 1 << 17}
	octets, err := xmldsig.Scan([]byte(doc), limits)
	if err != nil {
		return nil, err
	}
	return xmldsig.Parse(octets, limits)
}

// counted is a key that counts what it is asked to decrypt.
type counted struct {
	*rsa.PrivateKey
	calls int
}

func (c *counted) Decrypt(r io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	c.calls++
	return c.PrivateKey.Decrypt(r, msg, opts)
}

func TestDecrypt_ReadsWhatXMLSecEncrypted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"encrypted-aes128-gcm.xml", "encrypted-aes192-gcm.xml", "encrypted-aes256-gcm.xml"} {
		root, err := parse(vector(t, name))
		require.NoError(t, err, name)
		plain, err := Decrypt(root, []crypto.Decrypter{vectorKey(t)})
		require.NoError(t, err, name)
		require.Contains(t, string(plain), "<saml", name)
	}
}

// What is wrong with a ciphertext or a key is one error. What everyone can read in
// the document is named, and no private key is used (XML Encryption 1.1 section 6.1).
func TestDecrypt_FailuresOfAKeyAreTheSameError(t *testing.T) {
	t.Parallel()
	good := vector(t, "encrypted-aes256-gcm.xml")
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		doc string
		key crypto.Decrypter
	}{
		"another key":  {good, stranger},
		"another size": {strings.Replace(good, "aes256-gcm", "aes128-gcm", 1), vectorKey(t)},
	} {
		root, err := parse(c.doc)
		require.NoError(t, err, name)
		plain, err := Decrypt(root, []crypto.Decrypter{c.key})
		require.Nil(t, plain, name)
		require.Equal(t, errDecryption, err, name)
	}
}

// SAML core section 2.2.4 has one EncryptedData and EncryptedKeys in an
// EncryptedAssertion. A reader must not find anything else beside the plaintext.
func TestDecrypt_NamesWhatItDoesNotAcceptBeforeAKeyIsUsed(t *testing.T) {
	t.Parallel()
	good := vector(t, "encrypted-aes256-gcm.xml")
	begin := strings.Index(good, "<xenc:EncryptedData")
	end := strings.Index(good, "</xenc:EncryptedData>") + len("</xenc:EncryptedData>")
	data := good[begin:end]
	behind := func(more string) string { return good[:end] + more + good[end:] }
	lastCipher := strings.LastIndex(good, "</xenc:CipherData>") + len("</xenc:CipherData>")
	for name, c := range map[string]struct{ doc, says string }{
		"CBC":                        {vector(t, "refused-aes256-cbc.xml"), "aes256-cbc"},
		"RSA PKCS 1.5":               {vector(t, "refused-rsa-1_5.xml"), "rsa-1_5"},
		"another element":            {`<a><b/></a>`, "EncryptedData"},
		"nothing inside":             {`<a/>`, "EncryptedData"},
		"other content":              {strings.Replace(good, "xmlenc#Element", "xmlenc#Content", 1), "Content"},
		"no key":                     {strings.Replace(good, "EncryptedKey", "EncryptedKez", 2), "EncryptedKey"},
		"a second EncryptedData":     {behind(data), "EncryptedData beside"},
		"a plain Assertion beside":   {behind(`<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion"/>`), "Assertion beside"},
		"an unknown element":         {behind(`<x xmlns="urn:x"/>`), "x beside"},
		"text beside":                {behind(`x`), "text"},
		"properties behind a cipher": {good[:lastCipher] + `<xenc:EncryptionProperties/>` + good[lastCipher:], "behind the CipherData"},
		"an unknown one behind":      {good[:lastCipher] + `<x xmlns="urn:x"/>` + good[lastCipher:], "behind the CipherData"},
		"an Assertion in a KeyInfo": {strings.Replace(good, "<xenc:EncryptedKey", `<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion"/><xenc:EncryptedKey`, 1),
			"in the clear"},
	} {
		root, err := parse(c.doc)
		require.NoError(t, err, name)
		key := &counted{PrivateKey: vectorKey(t)}
		plain, err := Decrypt(root, []crypto.Decrypter{key})
		require.Nil(t, plain, name)
		var named UnsupportedError
		require.ErrorAs(t, err, &named, name)
		require.ErrorContains(t, err, c.says, name)
		require.Zero(t, key.calls, name)
	}
}

// OpenSAML writes a ReferenceList and a CarriedKeyName into an EncryptedKey (XML
// Encryption 1.1 section 3.5.1).
func TestDecrypt_AnEncryptedKeyMayNameWhatItIsFor(t *testing.T) {
	t.Parallel()
	good := vector(t, "encrypted-aes256-gcm.xml")
	more := `<xenc:ReferenceList><xenc:DataReference URI="#_1"/></xenc:ReferenceList><xenc:CarriedKeyName>k</xenc:CarriedKeyName>`
	root, err := parse(strings.Replace(good, "</xenc:EncryptedKey>", more+"</xenc:EncryptedKey>", 1))
	require.NoError(t, err)
	plain, err := Decrypt(root, []crypto.Decrypter{vectorKey(t)})
	require.NoError(t, err)
	require.NotEmpty(t, plain)
}

func TestDecrypt_PrivateKeyOperationsAreBounded(t *testing.T) {
	t.Parallel()
	doc := vector(t, "encrypted-aes256-gcm.xml")
	begin := strings.Index(doc, "<xenc:EncryptedKey")
	end := strings.Index(doc, "</xenc:EncryptedKey>") + len("</xenc:EncryptedKey>")
	require.Positive(t, begin)
	many := doc[:begin] + strings.Repeat(doc[begin:end], 20) + doc[end:]

	// A key of the same size that is not the right one fails each time.
	other, err := rsa.GenerateKey(rand.Reader, vectorKey(t).N.BitLen())
	require.NoError(t, err)
	key := &counted{PrivateKey: other}
	root, err := parse(many)
	require.NoError(t, err)
	_, err = Decrypt(root, []crypto.Decrypter{key, key})
	require.ErrorIs(t, err, errDecryption)
	require.ErrorContains(t, err, "first 4 wrapped keys")
	require.Equal(t, MaxUnwraps, key.calls)
}

func TestIsDecrypter_TakesStrongRSAKeysOnly(t *testing.T) {
	t.Parallel()
	require.True(t, IsDecrypter(vectorKey(t)))
	require.False(t, IsDecrypter(nil))
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	require.False(t, IsDecrypter(foreign{curve.Public()}))
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	require.False(t, IsDecrypter(foreign{edwards.Public()}))
}

// foreign is a decrypter with a public key of another kind.
type foreign struct{ public crypto.PublicKey }

func (f foreign) Public() crypto.PublicKey { return f.public }

func (f foreign) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) { return nil, nil }

// No document makes Decrypt panic, and a failure is one of two kinds.
func FuzzDecrypt_FailsInTwoWays(f *testing.F) {
	for _, name := range []string{"encrypted-aes128-gcm.xml", "encrypted-aes256-gcm.xml", "refused-aes256-cbc.xml", "refused-rsa-1_5.xml", "rsa-sha256.xml"} {
		f.Add(vector(f, name))
	}
	keys := []crypto.Decrypter{vectorKey(f)}
	f.Fuzz(func(t *testing.T, doc string) {
		root, err := parse(doc)
		if err != nil {
			return
		}
		plain, err := Decrypt(root, keys)
		if err != nil {
			require.Nil(t, plain)
			var named UnsupportedError
			require.True(t, errors.Is(err, errDecryption) || errors.As(err, &named), "%v", err)
			return
		}
		require.NotNil(t, plain)
	})
}
