package assertion

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func readVector(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "saml", name))
	require.NoError(t, err)
	return data
}

func vectorBlock(t testing.TB, name string) []byte {
	t.Helper()
	block, _ := pem.Decode(readVector(t, name))
	require.NotNil(t, block)
	return block.Bytes
}

// vectorConfig trusts the keys of testdata/saml/make.sh.
func vectorConfig(t testing.TB) func(*SAMLConfig) {
	t.Helper()
	var keys []crypto.PublicKey
	for _, name := range []string{"rsa", "p256", "p384", "p521"} {
		key, err := x509.ParsePKIXPublicKey(vectorBlock(t, name+".pub.pem"))
		require.NoError(t, err)
		keys = append(keys, key)
	}
	private, err := x509.ParsePKCS8PrivateKey(vectorBlock(t, "enc.test-only.key.pem"))
	require.NoError(t, err)
	return func(c *SAMLConfig) {
		c.Issuers = Issuers(Issuer{ID: testIssuer, Keys: keys})
		c.Decrypters = []crypto.Decrypter{samlKeys().rsa, private.(crypto.Decrypter)}
	}
}

// Assertions that xmlsec1 has signed and encrypted are accepted, unless their
// algorithm is not.
//
// Holds: RFC 7522 section 3; house: issuers apart.
func TestSAML_VectorsOfXMLSec(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "saml", "*.xml"))
	require.NoError(t, err)
	require.Len(t, files, 17)
	stops := map[string]string{
		"refused-sha1.xml": layerAlgorithms, "refused-aes256-cbc.xml": layerDecryption, "refused-rsa-1_5.xml": layerDecryption,
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSAML(t, vectorConfig(t))
			r := Request{Assertion: encoded(string(readVector(t, name)))}
			stop, refusal := firstStop(s, r)
			require.Equal(t, stops[name], stop, refusal)
			if stop != "" {
				return
			}
			got, err := newTestSAML(t, vectorConfig(t)).Verify(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, testName, got.Subject.Value)
			require.Equal(t, []string{"Zoë <&> \"\r\" ‰"}, got.Attribute("a <&\" \tb"))
			require.NotEmpty(t, got.KeyID)
		})
	}
}

// Every signed octet counts: a vector is refused if one is changed.
//
// Holds: RFC 7522 section 3.
func TestSAML_NoSignedOctetCanChange(t *testing.T) {
	t.Parallel()
	s := newTestSAML(t, func(c *SAMLConfig) { vectorConfig(t)(c); c.AllowReuse = true })
	doc := readVector(t, "rsa-sha256.xml")
	want, err := verifyDoc(s, string(doc))
	require.NoError(t, err)
	for i := range doc {
		changed := append([]byte(nil), doc...)
		changed[i] ^= 1
		// White space inside of tags and the line ends of base64 are not signed.
		if got, err := verifyDoc(s, string(changed)); err == nil {
			got.Trust, want.Trust = nil, nil
			require.Equal(t, want, got, "octet %d", i)
		}
	}
}
