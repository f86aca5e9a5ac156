package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	validator "github.com/mattermost/xml-roundtrip-validator"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/stretchr/testify/require"
)

// A document that is accepted survives a round trip by another validator, and
// its canonical form is stable.
func FuzzScan_AcceptsStableDocumentsOnly(f *testing.F) {
	for _, name := range signedVectors {
		f.Add(vector(f, name))
	}
	for _, doc := range []string{"<a/>", `<a xmlns:p="urn:p" p:x="1" x="2"><p:b/>&amp;&#13;</a>`, `<é x="é"/>`, "<a><!-- --></a>", `<a xmlns="x"/>`} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		octets, err := Scan(doc, testLimits)
		if err != nil || RoundTrip(octets) != nil {
			return
		}
		require.NoError(t, validator.Validate(bytes.NewReader(octets)))
		root, err := Parse(octets, testLimits)
		require.NoError(t, err)
		canonical, err := Canonicalize(root, nil, nil)
		require.NoError(t, err)

		// The tree of the accepted tokens is that of a second reading.
		same, tree, err := ScanTree(doc, testLimits)
		require.NoError(t, err)
		require.Equal(t, string(octets), string(same))
		require.Nil(t, tree.Parent())
		direct, err := Canonicalize(tree, nil, nil)
		require.NoError(t, err)
		require.Equal(t, string(canonical), string(direct))
		again, err := Canonicalize(mustTree(t, string(canonical)), nil, nil)
		require.NoError(t, err)
		require.Equal(t, string(canonical), string(again), "the canonical form is not stable")
	})
}

// goxmldsig is the second opinion: it accepts each document that is accepted
// here, and both cover the same element.
func FuzzVerify_AgreesWithGoxmldsig(f *testing.F) {
	for _, name := range []string{"rsa-sha256.xml", "rsa-sha384.xml", "rsa-sha512.xml"} {
		f.Add(vector(f, name))
	}
	keys := vectorKeys(f)
	second := secondOpinion(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		covered, err := verify(doc, keys)
		if err != nil {
			return
		}
		require.Contains(t, string(covered), `ID="_x1"`)
		// It would have to trust the certificate in a KeyInfo.
		if !strings.Contains(string(doc), "KeyInfo") {
			require.NoError(t, second(string(doc)))
		}
	})
}

func secondOpinion(t testing.TB) func(doc string) error {
	block, _ := pem.Decode(vector(t, "rsa.test-only.key.pem"))
	require.NotNil(t, block)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	key := parsed.(crypto.Signer)

	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    now.AddDate(-1, 0, 0),
		NotAfter:     now.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)

	return func(doc string) error {
		context := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
		context.IdAttribute = "ID"
		context.Clock = dsig.NewFakeClockAt(now)
		d := etree.NewDocument()
		if err := d.ReadFromString(doc); err != nil {
			return err
		}
		_, err := context.Validate(d.Root())
		return err
	}
}
