package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/stretchr/testify/require"
)

var testLimits = Limits{
	Depth:      24,
	Elements:   400,
	Attributes: 24,
	Namespaces: 64,
	Canonical:  1 << 17,
}

// The vectors are signed by xmlsec1: see make.sh there.
const vectors = "../../../assertion/testdata/saml"

func vector(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(vectors, name))
	require.NoError(t, err)
	return data
}

// vectorKeys are the public keys of the vectors, the RSA key first.
func vectorKeys(t testing.TB) []crypto.PublicKey {
	t.Helper()
	var keys []crypto.PublicKey
	for _, name := range []string{"rsa", "p256", "p384", "p521"} {
		block, _ := pem.Decode(vector(t, name+".pub.pem"))
		require.NotNil(t, block)
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		require.NoError(t, err)
		keys = append(keys, key)
	}
	return keys
}

// mustTree parses without the strictness under test.
func mustTree(t testing.TB, doc string) *etree.Element {
	t.Helper()
	d := etree.NewDocument()
	require.NoError(t, d.ReadFromString(doc), doc)
	return d.Root()
}

// verify goes through all steps for a document whose root is signed, and
// returns the octets that the signature covers.
func verify(doc []byte, keys []crypto.PublicKey) ([]byte, error) {
	octets, err := Scan(doc, testLimits)
	if err != nil {
		return nil, err
	}
	if err := RoundTrip(octets); err != nil {
		return nil, err
	}
	root, err := Parse(octets, testLimits)
	if err != nil {
		return nil, err
	}
	id, _ := Attribute(root, "ID")
	for _, child := range root.ChildElements() {
		if !Is(child, Namespace, "Signature") {
			continue
		}
		signature, err := ReadSignature(child)
		if err != nil {
			return nil, err
		}
		info, err := signature.SignedInfo()
		if err != nil {
			return nil, err
		}
		if err := info.CheckAlgorithms(); err != nil {
			return nil, err
		}
		covered, _, err := signature.Verify(root, id, keys, testLimits)
		return covered, err
	}
	return nil, errors.New("no signature")
}

// signedVectors are the vectors whose root is signed by an accepted algorithm.
var signedVectors = []string{
	"attribute-order.xml", "ecdsa-p256-keyinfo.xml", "ecdsa-p256.xml", "ecdsa-p384.xml", "ecdsa-p521.xml", "inclusive-namespaces.xml",
	"rsa-keyinfo.xml", "rsa-sha256.xml", "rsa-sha384.xml", "rsa-sha512.xml",
}

func TestVerify_AcceptsWhatXMLSecSigned(t *testing.T) {
	t.Parallel()
	for _, name := range signedVectors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := vector(t, name)
			covered, err := verify(doc, vectorKeys(t))
			require.NoError(t, err)
			require.NotContains(t, string(covered), "Signature>")

			stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(t, err)
			_, err = verify(doc, []crypto.PublicKey{&stranger.PublicKey})
			require.ErrorContains(t, err, "none of 1 keys")

			for from, to := range map[string]string{
				"bearer":    "Bearer",
				`Version="`: `Extra="1" Version="`,
				"Assertion": "Assertiom",
			} {
				_, err = verify(bytes.ReplaceAll(doc, []byte(from), []byte(to)), vectorKeys(t))
				require.ErrorContains(t, err, "digest does not match", from)
			}
		})
	}
	_, err := verify(vector(t, "refused-sha1.xml"), vectorKeys(t))
	require.ErrorContains(t, err, "algorithm")
}

// The signature is judged by the SignedInfo that was signed, and not by the one
// that was sent.
func TestVerify_ReadsSignedInfoFromTheSignedOctets(t *testing.T) {
	t.Parallel()
	doc := string(vector(t, "rsa-sha256.xml"))
	for from, to := range map[string]string{
		"#_x1":                    "#_x2",
		"xmlenc#sha256":           "xmlenc#sha512",
		"enveloped-signature":     "base64",
		"xmldsig-more#rsa-sha256": "xmldsig-more#rsa-sha384",
	} {
		require.Contains(t, doc, from)
		_, err := verify([]byte(strings.ReplaceAll(doc, from, to)), vectorKeys(t))
		require.Error(t, err, from)
	}
}

// A digest of nothing matches nothing: some canonicalizers return an empty form for a
// document that they cannot write.
//
// Holds: house: empty canonical form.
func TestMatches_RefusesAnEmptyForm(t *testing.T) {
	t.Parallel()
	empty := crypto.SHA256.New().Sum(nil)
	info := &SignedInfo{digest: "http://www.w3.org/2001/04/xmlenc#sha256", digestValue: empty}
	require.False(t, info.matches(nil))
	require.False(t, info.matches([]byte{}))

	h := crypto.SHA256.New()
	h.Write([]byte("x"))
	info.digestValue = h.Sum(nil)
	require.True(t, info.matches([]byte("x")))
	info.digestValue = info.digestValue[:16]
	require.False(t, info.matches([]byte("x")))
	info.digestValue = nil
	require.False(t, info.matches([]byte("x")))
}
