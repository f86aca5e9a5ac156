package xmldsig

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Signature has one shape. It is judged before any algorithm and any key, so that no
// later step has to read another one.
//
// Holds: RFC 7522 section 3; SAML Core section 5.4.
func TestReadSignature_AcceptsOneShape(t *testing.T) {
	t.Parallel()
	const (
		method    = `<CanonicalizationMethod Algorithm="c"/><SignatureMethod Algorithm="s"/>`
		reference = `<Reference URI="#_a"><Transforms><Transform Algorithm="t"/></Transforms><DigestMethod Algorithm="d"/><DigestValue>AA==</DigestValue></Reference>`
		info      = `<SignedInfo>` + method + reference + `</SignedInfo>`
		value     = `<SignatureValue>AA==</SignatureValue>`
		good      = `<Signature xmlns="` + Namespace + `">` + info + value + `</Signature>`
	)
	read := func(doc string) error {
		s, err := ReadSignature(mustTree(t, doc))
		if err != nil {
			return err
		}
		_, err = s.SignedInfo()
		return err
	}
	require.NoError(t, read(good))
	for _, c := range []struct{ old, new, says string }{
		{"SignedInfo>", "Info>", "not SignedInfo, SignatureValue"},
		{`<SignedInfo>`, `<SignedInfo xmlns="urn:x">`, "not SignedInfo, SignatureValue"},
		{info + value, value + info, "not SignedInfo, SignatureValue"},
		{info, info + info, "not SignedInfo, SignatureValue"},
		{value, value + value, "not SignedInfo, SignatureValue"},
		{value, "", "not SignedInfo, SignatureValue"},
		{value, value + "<Object/>", "not SignedInfo, SignatureValue"},
		{value, value + `<KeyInfo xmlns="urn:x"/>`, "not SignedInfo, SignatureValue"},
		{value, value + "<KeyInfo/><KeyInfo/>", "not SignedInfo, SignatureValue"},
		{value, value + "<KeyInfo/>", ""},
		{"<Signature ", `<Signature Id="1" `, ""},
		{"<Signature ", `<Signature odd="1" `, `attribute "odd" on Signature`},
		{"<SignatureValue>", `<SignatureValue Id="1">`, ""},
		{"<SignatureValue>", `<SignatureValue odd="1">`, `attribute "odd" on SignatureValue`},
		{"AA==</SignatureValue>", "</SignatureValue>", "SignatureValue is not base64"},
		{"AA==</SignatureValue>", "AA=</SignatureValue>", "SignatureValue is not base64"},
		{"AA==</SignatureValue>", "AB==</SignatureValue>", "SignatureValue is not base64"},
		{"<SignedInfo>", `<SignedInfo Id="1">`, ""},
		{"<SignedInfo>", `<SignedInfo odd="1">`, `attribute "odd" on SignedInfo`},
		{"CanonicalizationMethod", "Method", "not two methods and one Reference"},
		{`<SignatureMethod Algorithm="s"/>`, `<Method Algorithm="s"/>`, "not two methods and one Reference"},
		{`<SignatureMethod Algorithm="s"/>`, `<SignatureMethod xmlns="urn:x" Algorithm="s"/>`, "not two methods and one Reference"},
		{reference, reference + reference, "not two methods and one Reference"},
		{reference, "", "not two methods and one Reference"},
		{"<SignedInfo>", "<SignedInfo>text", "text inside SignedInfo"},
		{` URI="#_a"`, "", "the Reference has no URI"},
		{` URI="#_a"`, ` URI="#_a" Type="t" Id="i"`, ""},
		{` URI="#_a"`, ` URI="#_a" odd="1"`, `attribute "odd" on Reference`},
		{"<Transforms>", `<Transforms odd="1">`, `attribute "odd" on Transforms`},
		{`<Transform Algorithm="t"/>`, `<Other Algorithm="t"/>`, "Other among the transforms"},
		{`<Transform Algorithm="t"/>`, `<Transform xmlns="urn:x" Algorithm="t"/>`, "among the transforms"},
		{`<Transform Algorithm="t"/>`, `<Transform Algorithm="t"><XPath/></Transform>`, "Transform has parameters"},
		{`<Transform Algorithm="t"/>`, `<Transform Algorithm="t" odd="1"/>`, `attribute "odd" on Transform`},
		{`<DigestMethod Algorithm="d"/>`, `<DigestMethod Algorithm="d" odd="1"/>`, `attribute "odd" on DigestMethod`},
		{`<DigestMethod Algorithm="d"/>`, `<DigestMethod Algorithm="d"><x/></DigestMethod>`, "DigestMethod has parameters"},
		{`<DigestMethod Algorithm="d"/>`, "", "not Transforms, DigestMethod and DigestValue"},
		{"<DigestValue>", `<DigestValue odd="1">`, `attribute "odd" on DigestValue`},
		{"AA==</DigestValue>", "AA==<x/></DigestValue>", "DigestValue has more than text"},
		{`<CanonicalizationMethod Algorithm="c"/>`, `<CanonicalizationMethod Algorithm="c" odd="1"/>`, `attribute "odd"`},
	} {
		doc := strings.ReplaceAll(good, c.old, c.new)
		require.NotEqual(t, good, doc, c.old)
		err := read(doc)
		if c.says == "" {
			require.NoError(t, err, "%+v", c)
		} else {
			require.ErrorContains(t, err, c.says, "%+v", c)
		}
	}

	// Exclusive canonicalization may have one empty InclusiveNamespaces.
	exclusive := func(inside string) string {
		return strings.Replace(good, `<CanonicalizationMethod Algorithm="c"/>`,
			`<CanonicalizationMethod Algorithm="`+ExclusiveC14N+`">`+inside+`</CanonicalizationMethod>`, 1)
	}
	list := func(attributes, inside string) string {
		return `<InclusiveNamespaces xmlns="` + ExclusiveC14N + `"` + attributes + `>` + inside + `</InclusiveNamespaces>`
	}
	for algorithm, ok := range map[string]bool{ExclusiveC14N: true, exclusiveWithComments: true, envelopedTransform: true, "t": false, "": false} {
		doc := strings.Replace(good, `<Transform Algorithm="t"/>`, `<Transform Algorithm="`+algorithm+`">`+list(` PrefixList="a"`, "")+`</Transform>`, 1)
		require.Equal(t, ok, read(doc) == nil, algorithm)
	}
	for inside, says := range map[string]string{
		"":                                       "",
		list("", ""):                             "",
		list(` PrefixList="a b"`, ""):            "",
		list(` PrefixList="a" odd="1"`, ""):      `attribute "odd"`,
		list(` PrefixList="a"`, "<x/>"):          "InclusiveNamespaces is not empty",
		list(` PrefixList="a"`, "text"):          "InclusiveNamespaces is not empty",
		list("", "") + list("", ""):              "has parameters",
		`<InclusiveNamespaces PrefixList="a"/>`:  "has parameters",
		`<Other xmlns="` + ExclusiveC14N + `"/>`: "has parameters",
	} {
		err := read(exclusive(inside))
		if says == "" {
			require.NoError(t, err, inside)
		} else {
			require.ErrorContains(t, err, says, inside)
		}
	}
}
