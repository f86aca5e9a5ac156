package assertion

import (
	"crypto"
	"crypto/x509"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// fuzzVerifier trusts fixed keys, because fuzzing runs in several processes.
func fuzzVerifier(t testing.TB) *SAMLVerifier {
	return newTestSAML(t, func(c *SAMLConfig) { vectorConfig(t)(c); c.AllowReuse = true })
}

// onlyTheSigned checks that an accepted assertion has the content that the
// issuer signed.
func onlyTheSigned(t testing.TB, got *Assertion, err error) {
	t.Helper()
	if err != nil {
		require.Nil(t, got)
		var refusal *Error
		require.ErrorAs(t, err, &refusal)
		require.NotEmpty(t, refusal.Description())
		return
	}
	require.Equal(t, testName, got.Subject.Value)
	require.Equal(t, testIssuer, got.Issuer)
	require.Equal(t, "_x1", got.ID)
	require.Equal(t, []string{testAudience}, got.Audiences)
	require.Len(t, got.Attributes, 1)
}

// FuzzSAMLBytes changes octets of signed documents. Nothing panics, and no
// subject but the signed one is accepted.
//
// Holds: RFC 7522 section 3; house: XML bounds; house: bounded parsers;
// house: hooks refuse.
func FuzzSAMLBytes(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "saml", "*.xml"))
	require.NoError(f, err)
	for _, file := range files {
		f.Add(readVector(f, filepath.Base(file)))
	}
	for _, a := range lexicalAttacks() {
		if a.stop == layerLexical {
			f.Add([]byte(a.doc(f)))
		}
	}
	s := fuzzVerifier(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := verifyDoc(s, string(doc))
		onlyTheSigned(t, got, err)
	})
}

// FuzzSAMLEdits rearranges signed documents element by element, which keeps far
// more signatures intact than changes of octets do. goxmldsig accepts each
// document that is accepted here.
//
// Holds: RFC 7522 section 2.1; RFC 7522 section 3.
func FuzzSAMLEdits(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 1, 3, 4, 5, 2, 9, 1, 3})
	for op := range byte(editOps) {
		for at := range byte(12) {
			f.Add([]byte{at % 3, op, at, at * 3, 0, op, at * 2, 1})
		}
	}
	s := fuzzVerifier(f)
	docs := []string{
		string(readVector(f, "rsa-sha256.xml")), string(readVector(f, "rsa-keyinfo.xml")), string(readVector(f, "rsa-sha512.xml")),
	}
	key, err := x509.ParsePKCS8PrivateKey(vectorBlock(f, "rsa.test-only.key.pem"))
	require.NoError(f, err)
	second := secondOpinion(f, key)
	f.Fuzz(func(t *testing.T, edits []byte) {
		if len(edits) < 1 || len(edits) > 64 {
			return
		}
		doc := docs[int(edits[0])%len(docs)]
		d := etree.NewDocument()
		require.NoError(t, d.ReadFromString(doc))
		for edits = edits[1:]; len(edits) >= 4; edits = edits[4:] {
			applyEdit(d, edits[0], binary.LittleEndian.Uint16(edits[1:]), edits[3])
		}
		edited, err := d.WriteToString()
		require.NoError(t, err)
		got, err := verifyDoc(s, edited)
		onlyTheSigned(t, got, err)
		// goxmldsig would have to trust the certificate in a KeyInfo.
		if err == nil && !strings.Contains(edited, "KeyInfo") {
			require.NoError(t, second(edited), edited)
		}
	})
}

// secondOpinion verifies with goxmldsig.
func secondOpinion(t testing.TB, key any) func(doc string) error {
	cert := testCertificate(t, key.(crypto.Signer), testNow.AddDate(-1, 0, 0), testNow.AddDate(1, 0, 0))
	return func(doc string) error {
		context := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
		context.IdAttribute = "ID"
		context.Clock = dsig.NewFakeClockAt(testNow)
		d := etree.NewDocument()
		if err := d.ReadFromString(doc); err != nil {
			return err
		}
		_, err := context.Validate(d.Root())
		return err
	}
}

const editOps = 14

// applyEdit makes one change to a tree: op is the kind of change, at the place,
// and with the argument.
func applyEdit(d *etree.Document, op byte, at uint16, with byte) {
	var all []*etree.Element
	if d.Root() == nil {
		return
	}
	_ = xmldsig.Walk(d.Root(), func(e *etree.Element) error { all = append(all, e); return nil })
	if len(all) > 500 {
		return
	}
	e, other := all[int(at)%len(all)], all[int(with)%len(all)]
	values := []string{"admin@example.com", "_x1", "_e", "urn:oasis:names:tc:SAML:2.0:assertion", "2.0", "", testIssuer, "#_x1", "bearer"}
	value := values[int(with)%len(values)]
	names := []string{"ID", "xmlns:saml2", "xmlns", "xml:id", "URI", "Algorithm", "x:ID", "Version", "xmlns:x", "Id"}
	name := names[int(at>>8)%len(names)]
	switch op % editOps {
	case 0: // copy an element into another
		other.AddChild(e.Copy())
	case 1: // copy it to the front
		other.InsertChildAt(0, e.Copy())
	case 2: // move it
		if e.Parent() != nil && !below(other, e) {
			e.Parent().RemoveChild(e)
			other.AddChild(e)
		}
	case 3: // remove it
		if e.Parent() != nil {
			e.Parent().RemoveChild(e)
		}
	case 4:
		e.SetText(value)
	case 5:
		e.CreateAttr(name, value)
	case 6:
		if len(e.Attr) > 0 {
			e.RemoveAttr(e.Attr[int(with)%len(e.Attr)].FullKey())
		}
	case 7:
		e.Tag = other.Tag
	case 8:
		e.Space = other.Space
	case 9:
		e.InsertChildAt(int(with)%(len(e.Child)+1), etree.NewComment("x"))
	case 10:
		e.InsertChildAt(int(with)%(len(e.Child)+1), etree.NewText("\n \t"))
	case 11: // wrap the root
		if root := d.Root(); len(all) < 200 {
			outer := other.Copy()
			d.SetRoot(outer)
			outer.AddChild(root)
		}
	case 12:
		e.CreateCData(value)
	case 13:
		e.InsertChildAt(int(with)%(len(e.Child)+1), etree.NewProcInst("x", "y"))
	}
}

func below(e, ancestor *etree.Element) bool {
	for ; e != nil; e = e.Parent() {
		if e == ancestor {
			return true
		}
	}
	return false
}
