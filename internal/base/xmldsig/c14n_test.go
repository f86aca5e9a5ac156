package xmldsig

import (
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/stretchr/testify/require"
)

// The canonical form is that of goxmldsig, but for attributes of several
// namespaces, which goxmldsig orders wrongly.
func TestCanonicalize_AgreesWithGoxmldsig(t *testing.T) {
	t.Parallel()
	docs := map[string]string{
		"rsa-sha256":        string(vector(t, "rsa-sha256.xml")),
		"rsa-keyinfo":       string(vector(t, "rsa-keyinfo.xml")),
		"ecdsa":             string(vector(t, "ecdsa-p384.xml")),
		"inclusive":         string(vector(t, "inclusive-namespaces.xml")),
		"default namespace": `<a xmlns="urn:a"><b xmlns=""><c xmlns="urn:a"/></b><b xmlns="urn:a"/></a>`,
		"unused":            `<p:a xmlns:p="urn:a" xmlns:q="urn:q"><b q:x="1" y="&lt;&#xA;&quot;"/>&gt;</p:a>`,
		"redeclared":        `<p:a xmlns:p="urn:a"><p:b xmlns:p="urn:b"><p:c xmlns:p="urn:a"/></p:b><p:d xmlns:p="urn:a"/></p:a>`,
	}
	for name, doc := range docs {
		for _, prefixes := range []string{"", "q", "saml2 xs"} {
			t.Run(name+"/"+prefixes, func(t *testing.T) {
				t.Parallel()
				ours, err := Canonicalize(mustTree(t, doc), strings.Fields(prefixes), nil)
				require.NoError(t, err)
				d := etree.NewDocument()
				require.NoError(t, d.ReadFromString(doc))
				theirs, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes).Canonicalize(d.Root())
				require.NoError(t, err)
				require.Equal(t, string(theirs), string(ours))
			})
		}
	}
}

// A node that the canonicalizer does not support is an error, and is not left
// out.
//
// Holds: house: empty canonical form; house: read whole.
func TestCanonicalize_DropsNothing(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{`<a>x<!-- y -->z</a>`, `<a><?x y?></a>`} {
		_, err := Canonicalize(mustTree(t, doc), nil, nil)
		require.Error(t, err)
	}
	root := mustTree(t, `<a xmlns:p="urn:p" xmlns="urn:d"><b><p:c/></b></a>`)
	octets, err := Canonicalize(root.FindElement("//c"), []string{"#default"}, nil)
	require.NoError(t, err)
	require.Equal(t, `<p:c xmlns="urn:d" xmlns:p="urn:p"></p:c>`, string(octets))
}

// An inclusive prefix is written where it is in scope first, and again only where it is
// declared anew.
func TestCanonicalize_WritesListedPrefixesWhereTheyAreDeclared(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ doc, prefixes string }{
		"declared around":       {`<r xmlns:p="urn:p"><a><b><c/></b></a></r>`, "p"},
		"declared below":        {`<a><b xmlns:p="urn:p"><c/></b><d xmlns:p="urn:q"><e xmlns:p="urn:p"/></d></a>`, "p"},
		"declared alike":        {`<a xmlns:p="urn:p"><b xmlns:p="urn:p"><c/></b></a>`, "p"},
		"default":               {`<a xmlns="urn:a"><b xmlns=""><c xmlns="urn:a"/></b></a>`, "#default"},
		"default, other prefix": {`<p:a xmlns="urn:a" xmlns:p="urn:p"><p:b><p:c xmlns="urn:b"/></p:b></p:a>`, "#default q p"},
		"used and listed":       {`<p:a xmlns:p="urn:p" xmlns:q="urn:q"><q:b p:x="1"><q:c xmlns:q="urn:r"/></q:b></p:a>`, "p q q"},
	} {
		ours, err := Canonicalize(mustTree(t, c.doc), strings.Fields(c.prefixes), nil)
		require.NoError(t, err)
		d := etree.NewDocument()
		require.NoError(t, d.ReadFromString(c.doc))
		theirs, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(strings.ReplaceAll(c.prefixes, "#default", "")).Canonicalize(d.Root())
		require.NoError(t, err)
		if !strings.Contains(c.prefixes, "#default") {
			require.Equal(t, string(theirs), string(ours), name)
		}
	}
	root := mustTree(t, `<p:a xmlns="urn:a" xmlns:p="urn:p"><p:b><p:c xmlns="urn:b"/></p:b></p:a>`)
	octets, err := Canonicalize(root, []string{"#default"}, nil)
	require.NoError(t, err)
	require.Equal(t, `<p:a xmlns="urn:a" xmlns:p="urn:p"><p:b><p:c xmlns="urn:b"></p:c></p:b></p:a>`, string(octets))
}

// A canonical form is bounded: it may be a hundred times as large as the document.
//
// Holds: house: bounded parsers.
func TestCanonicalize_IsBounded(t *testing.T) {
	t.Parallel()
	root := mustTree(t, `<a xmlns:p="urn:`+strings.Repeat("p", 1000)+`">`+strings.Repeat("<p:b/>", 200)+`</a>`)
	octets, err := canonicalize(root, nil, nil, 300_000)
	require.NoError(t, err)
	require.Greater(t, len(octets), 200_000)
	_, err = canonicalize(root, nil, nil, 100_000)
	require.ErrorContains(t, err, "more than 100000 octets")
	require.ErrorAs(t, err, new(LimitError))
}

// The prefix xml is never declared in a canonical form, whether it is used, listed or
// declared in the document.
//
// Holds: RFC 7522 section 3.
func TestCanonicalize_NeverDeclaresThePrefixXML(t *testing.T) {
	t.Parallel()
	const declared = ` xmlns:xml="http://www.w3.org/XML/1998/namespace"`
	for doc, want := range map[string]string{
		`<xml:a/>`:                                  `<xml:a></xml:a>`,
		`<a xml:lang="en" b="1"/>`:                  `<a b="1" xml:lang="en"></a>`,
		`<a` + declared + `/>`:                      `<a></a>`,
		`<xml:a` + declared + ` xml:lang="en"/>`:    `<xml:a xml:lang="en"></xml:a>`,
		`<a><b` + declared + `><xml:c/></b></a>`:    `<a><b><xml:c></xml:c></b></a>`,
		`<a xmlns:p="urn:p" p:b="" xml:b="" b=""/>`: `<a xmlns:p="urn:p" b="" xml:b="" p:b=""></a>`,
	} {
		for _, inclusive := range [][]string{nil, {"xml"}} {
			_, root, err := ScanTree([]byte(doc), testLimits)
			require.NoError(t, err, doc)
			octets, err := Canonicalize(root, inclusive, nil)
			require.NoError(t, err, doc)
			require.Equal(t, want, string(octets), doc)
		}
	}
}
