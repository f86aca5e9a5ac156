package assertion

import (
	"crypto"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The parts of a signature have bounds that every signer keeps, and the refusal names
// the bound.
//
// Holds: RFC 7522 section 2.1; house: bounded parsers.
func TestSAML_PartsOfASignatureAreBounded(t *testing.T) {
	t.Parallel()
	prefixes := func(n int) []string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("p%d", i))
		}
		return list
	}
	doc := honest(t)
	value := between(t, doc, "<ds:SignatureValue>", "</ds:SignatureValue>")
	digest := between(t, doc, "<ds:DigestValue>", "</ds:DigestValue>")
	spaced := func(text string, n int) string { return strings.Repeat(" ", n-len(text)) + text }
	for name, c := range map[string]struct {
		doc  string
		want Reason
		says string
	}{
		"32 prefixes":       {signing{prefixes: prefixes(32)}.sign(t, newDraft()), "", ""},
		"33 prefixes":       {signing{prefixes: prefixes(33)}.sign(t, newDraft()), ReasonSize, "more than 32 prefixes"},
		"33 times a prefix": {signing{prefixes: strings.Fields(strings.Repeat("p ", 33))}.sign(t, newDraft()), ReasonSize, "more than 32 prefixes"},
		"SignatureValue":    {strings.Replace(doc, value, spaced(value, 4096), 1), "", ""},
		"a longer one":      {strings.Replace(doc, value, spaced(value, 4097), 1), ReasonSize, "SignatureValue of more than 4096"},
		"a longer digest":   {strings.Replace(doc, digest, spaced(digest, 1025), 1), ReasonSize, "DigestValue of more than 1024"},
		// The digest is signed, so that another spelling of it is another SignedInfo.
		"a long digest": {strings.Replace(doc, digest, spaced(digest, 1024), 1), ReasonSignature, "no key"},
		"a declaration": {`<?xml version="1.0"` + strings.Repeat(" ", 400) + `?>` + doc, "", ""},
		"a longer declaration": {`<?xml version="1.0"` + strings.Repeat(" ", 500) + `?>` + doc, ReasonSyntax,
			"an XML declaration other than"},
	} {
		_, err := verifyDoc(newTestSAML(t, nil), c.doc)
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		requireReason(t, c.want, err)
		if c.want == ReasonSize || c.want == ReasonSyntax {
			require.ErrorContains(t, err, c.says, name)
		}
	}
}

// An honest assertion whose canonical form is larger than itself is accepted up to the
// bound, and refused by name beyond it. A forged one costs no more.
//
// Holds: house: bounded parsers.
func TestSAML_TheCanonicalFormIsBounded(t *testing.T) {
	t.Parallel()
	grown := func(n int) draft {
		d := newDraft()
		d.open = strings.Replace(d.open, "<saml:Assertion ", `<saml:Assertion xmlns:xsi="`+nsXSI+`" xmlns:xs="http://www.w3.org/2001/XMLSchema" `, 1)
		d.statements = `<saml:AttributeStatement><saml:Attribute Name="g">` +
			strings.Repeat(`<saml:AttributeValue xsi:type="xs:string">v</saml:AttributeValue>`, n) + `</saml:Attribute></saml:AttributeStatement>`
		return d
	}
	got, err := verifyDoc(newTestSAML(t, nil), signing{}.sign(t, grown(360)))
	require.NoError(t, err)
	require.Len(t, got.Attribute("g"), 360)

	small := func(c *SAMLConfig) { c.Limits.Size = 34_000 }
	for _, key := range []crypto.Signer{samlKeys().rsa, samlKeys().stranger} {
		d := grown(300)
		d.open = strings.Replace(d.open, nsXSI, nsXSI+`" xmlns:y="urn:`+strings.Repeat("y", 500), 1)
		d.statements = strings.ReplaceAll(d.statements, "xsi:type=", "y:type=")
		doc := signing{key: key}.sign(t, d)
		_, err = verifyDoc(newTestSAML(t, small), doc)
		requireReason(t, ReasonSize, err)
		require.ErrorContains(t, err, "canonical form of more than 51000 octets")
	}
}

// The keys that are tried on one document are bounded by what they cost, and NewSAML
// refuses an issuer whose further keys could not be tried.
//
// Holds: house: bounded parsers; house: configuration errors.
func TestSAML_LargeKeysOfAnIssuerAreBounded(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int{"P-256": 8, "P-384": 3, "P-521": 2, "RSA-2048": 8, "RSA-4096": 6, "RSA-8192": 2} {
		for n := range 9 {
			c := testSAMLConfig()
			// Keys of the other type have a bound of their own.
			other := "RSA-2048"
			if strings.HasPrefix(name, "RSA") {
				other = "P-256"
			}
			keys := append([]crypto.PublicKey{}, wrongKeys()[name][:min(n, 8)]...)
			if n < 8 {
				keys = append(keys, wrongKeys()[other][0])
			}
			c.Issuers = Issuers(Issuer{ID: testIssuer, Keys: keys})
			_, err := NewSAML(c)
			if n <= most {
				require.NoError(t, err, "%s %d", name, n)
			} else {
				require.ErrorContains(t, err, "at most", "%s %d", name, n)
			}
		}
	}

	// Nine keys are too many, also where those of each type are few.
	mixed := testSAMLConfig()
	nine := append(append([]crypto.PublicKey{}, wrongKeys()["RSA-2048"][:5]...), wrongKeys()["P-256"][:4]...)
	mixed.Issuers = Issuers(Issuer{ID: testIssuer, Keys: nine})
	_, err := NewSAML(mixed)
	require.ErrorContains(t, err, "9 keys, and at most 8 are tried")
	mixed.Issuers = Issuers(Issuer{ID: testIssuer, Keys: nine[1:]})
	_, err = NewSAML(mixed)
	require.NoError(t, err)

	// The second of two large keys verifies, as a change of keys needs.
	keys := append([]crypto.PublicKey{wrongKeys()["RSA-8192"][0]}, &samlKeys().rsa.PublicKey)
	s := newTestSAML(t, func(c *SAMLConfig) { c.Issuers = Issuers(Issuer{ID: testIssuer, Keys: keys}) })
	_, err = verifyDoc(s, honest(t))
	require.NoError(t, err)
}

// NewSAML cannot look at the keys of a source that answers at each request. The keys that
// are tried are bounded there too.
//
// Holds: house: bounded parsers.
func TestSAML_KeysOfASourceAreBounded(t *testing.T) {
	t.Parallel()
	doc := honest(t)
	for before, ok := range map[int]bool{0: true, 1: true, 2: true, 3: false, 6: false} {
		keys := append([]crypto.PublicKey{}, wrongKeys()["RSA-8192"][:before]...)
		// Keys of the other type cost this signature nothing.
		keys = append(keys, &samlKeys().ec.PublicKey, &samlKeys().rsa.PublicKey)
		s := newTestSAML(t, func(c *SAMLConfig) {
			c.Issuers = issuerFunc(func(string) (*Issuer, error) { return &Issuer{ID: testIssuer, Keys: keys}, nil })
		})
		_, err := verifyDoc(s, doc)
		require.Equal(t, ok, err == nil, "%d: %v", before, err)
	}
}
