package assertion

import (
	"crypto"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// foreignStatements are statements of other specifications, in the shapes that
// entitlement services and XACML profiles write.
var foreignStatements = map[string]string{
	"AuthzDecisionStatement": `<saml:AuthzDecisionStatement Resource="https://r.example" Decision="Permit">` +
		`<saml:Action Namespace="urn:oasis:names:tc:SAML:1.0:action:rwedc">Read</saml:Action>` +
		`<saml:Evidence><saml:AssertionIDRef>_other</saml:AssertionIDRef></saml:Evidence></saml:AuthzDecisionStatement>`,
	"XACML as an extension type": `<saml:Statement xmlns:xsi="` + nsXSI + `" xmlns:x="urn:oasis:names:tc:xacml:2.0:saml:assertion:schema:os" ` +
		`xsi:type="x:XACMLAuthzDecisionStatementType"><r xmlns="urn:r">Permit</r></saml:Statement>`,
	"XACML as an element": `<x:XACMLAuthzDecisionStatement xmlns:x="urn:oasis:names:tc:xacml:2.0:saml:assertion:schema:os"/>`,
	"an AttributeStatement of another namespace": `<x:AttributeStatement xmlns:x="urn:x"><saml:Attribute Name="groups">` +
		`<saml:AttributeValue>root</saml:AttributeValue></saml:Attribute></x:AttributeStatement>`,
}

// RFC 7522 section 3, item 8, allows statements besides those that a server reads.
// Their content is not read.
func TestSAML_ForeignStatementsAreSkipped(t *testing.T) {
	t.Parallel()
	for name, statement := range foreignStatements {
		d := newDraft()
		d.statements += statement
		got, err := verifyDoc(newTestSAML(t, nil), signing{}.sign(t, d))
		require.NoError(t, err, name)
		require.Equal(t, []string{"staff", "admins"}, got.Attribute("groups"), name)
	}
}

// A Statement without the xsi:type of an extension is no statement of SAML, and neither
// is another element (SAML core section 2.7.1).
//
// Holds: RFC 7522 section 3.
func TestSAML_WhatIsNoStatementIsRefused(t *testing.T) {
	t.Parallel()
	for _, element := range []string{
		`<saml:Statement/>`,
		`<saml:Statement type="x:T"/>`,
		`<saml:Statement xmlns:o="urn:o" o:type="x:T"/>`,
		`<saml:Statement xmlns:xsi="` + nsXSI + `" xsi:type=""/>`,
		`<saml:OtherStatement/>`,
		`<x:Other xmlns:x="urn:x"/>`,
		`<x:StatementOther xmlns:x="urn:x"/>`,
	} {
		d := newDraft()
		d.statements += element
		_, err := verifyDoc(newTestSAML(t, nil), signing{}.sign(t, d))
		requireReason(t, ReasonContent, err)
	}
}

// An assertion inside of Advice or Evidence stays refused, and the text says so
// (SAML core sections 2.6.1 and 2.7.4.3).
func TestSAML_AnInnerAssertionIsRefusedByName(t *testing.T) {
	t.Parallel()
	inner := `<saml:Assertion ID="_inner" Version="2.0"/>`
	advice := newDraft()
	advice.advice = `<saml:Advice>` + inner + `</saml:Advice>`
	evidence := newDraft()
	evidence.statements += `<saml:AuthzDecisionStatement><saml:Evidence>` + inner + `</saml:Evidence></saml:AuthzDecisionStatement>`
	for says, d := range map[string]draft{"inside Advice": advice, "inside Evidence": evidence} {
		_, err := verifyDoc(newTestSAML(t, nil), signing{}.sign(t, d))
		requireReason(t, ReasonStructure, err)
		require.ErrorContains(t, err, says)
	}
}

// A byte order mark is not a part of the document (XML 1.0 section 4.3.3).
func TestSAML_AByteOrderMarkIsPassedOver(t *testing.T) {
	t.Parallel()
	const mark = "\ufeff"
	for _, begin := range []string{mark, mark + `<?xml version="1.0" encoding="utf-8"?>`, mark + "\r\n"} {
		_, err := verifyDoc(newTestSAML(t, nil), begin+honest(t))
		require.NoError(t, err)
		_, err = verifyDoc(newTestSAML(t, decrypting), sealing{}.seal(t, begin+honest(t)))
		require.NoError(t, err)
	}
	for begin, says := range map[string]string{
		mark + mark:                    "two byte order marks",
		" " + mark:                     "text outside the root element",
		`<?xml version="1.0"?>` + mark: "text outside the root element",
	} {
		_, err := verifyDoc(newTestSAML(t, nil), begin+honest(t))
		requireReason(t, ReasonSyntax, err)
		require.ErrorContains(t, err, says)
	}
}

// The prefix xml may be declared with its own namespace and no other (Namespaces in
// XML 1.0 section 3).
func TestSAML_ThePrefixXMLMayBeDeclared(t *testing.T) {
	t.Parallel()
	doc := honest(t)
	declared := strings.Replace(doc, "<saml:Subject>", `<saml:Subject xmlns:xml="http://www.w3.org/XML/1998/namespace">`, 1)
	_, err := verifyDoc(newTestSAML(t, nil), declared)
	require.NoError(t, err)
	for _, wrong := range []string{`xmlns:xml="urn:x"`, `xmlns:xml=""`, `xmlns:y="http://www.w3.org/XML/1998/namespace"`, `xmlns="http://www.w3.org/XML/1998/namespace"`} {
		_, err := verifyDoc(newTestSAML(t, nil), strings.Replace(doc, "<saml:Subject>", `<saml:Subject `+wrong+`>`, 1))
		requireReason(t, ReasonSyntax, err)
	}
}

// A literal tab or line end in an attribute value is a blank, and a character
// reference is itself (XML 1.0 section 3.3.3).
func TestSAML_AttributeValuesAreNormalized(t *testing.T) {
	t.Parallel()
	d := newDraft()
	d.statements = `<saml:AttributeStatement><saml:Attribute Name="a b c d&#10;e"><saml:AttributeValue>x</saml:AttributeValue>` +
		`</saml:Attribute></saml:AttributeStatement>`
	doc := signing{}.sign(t, d)
	sent := strings.Replace(doc, `"a b c d&#10;e"`, "\"a\tb\r\nc\nd&#10;e\"", 1)
	require.NotEqual(t, doc, sent)
	for _, text := range []string{doc, sent, strings.Replace(sent, "\r\n", "\r", 1)} {
		got, err := verifyDoc(newTestSAML(t, nil), text)
		require.NoError(t, err)
		require.Equal(t, []string{"x"}, got.Attribute("a b c d\ne"))
	}

	// Text is not normalized, and other white space is a change.
	for _, changed := range []string{strings.Replace(doc, ">x<", ">x\n<", 1), strings.Replace(sent, "\t", "\t\t", 1)} {
		_, err := verifyDoc(newTestSAML(t, nil), changed)
		requireReason(t, ReasonSignature, err)
	}
}

// SAML core sections 5.4.3 and 5.4.4 name exclusive canonicalization with comments
// too. Documents with comments are refused before, so no comment changes a value.
func TestSAML_CanonicalizationWithCommentsIsAccepted(t *testing.T) {
	t.Parallel()
	const withComments = exclusiveC14N + "WithComments"
	doc := signing{
		c14n:       withComments,
		transforms: transformEnveloped + `<ds:Transform Algorithm="` + withComments + `"/>`,
	}.sign(t, newDraft())
	_, err := verifyDoc(newTestSAML(t, nil), doc)
	require.NoError(t, err)
	_, err = verifyDoc(newTestSAML(t, nil), strings.Replace(doc, "alice@", "alice@<!-- -->", 1))
	requireReason(t, ReasonSyntax, err)
	require.ErrorContains(t, err, "comment")
}

// XML Signature 1.1 section 4.4.3 calls Type advice. A PrefixList has no meaning for
// the enveloped-signature transform, and other parameters stay refused.
func TestSAML_AdviceInTheReferenceIsNotUsed(t *testing.T) {
	t.Parallel()
	list := `<ec:InclusiveNamespaces xmlns:ec="` + exclusiveC14N + `" PrefixList="xs saml"/>`
	enveloped := `<ds:Transform Algorithm="` + envelopedTrans + `">` + list + `</ds:Transform>`
	_, err := verifyDoc(newTestSAML(t, nil), signing{transforms: enveloped + transformExclusive}.sign(t, newDraft()))
	require.NoError(t, err)
	_, err = verifyDoc(newTestSAML(t, nil), signing{uri: `#_a1" Type="http://www.w3.org/2000/09/xmldsig#Object`}.sign(t, newDraft()))
	require.NoError(t, err)

	two := strings.Replace(enveloped, list, list+list, 1)
	_, err = verifyDoc(newTestSAML(t, nil), signing{transforms: two + transformExclusive}.sign(t, newDraft()))
	requireReason(t, ReasonStructure, err)
	_, err = verifyDoc(newTestSAML(t, nil), signing{methodXML: list}.sign(t, newDraft()))
	requireReason(t, ReasonStructure, err)
}

const nsPSS = "http://www.w3.org/2007/05/xmldsig-more#"

// pssParams returns RSAPSSParams with these children.
func pssParams(children string) string {
	return `<pss:RSAPSSParams xmlns:pss="` + nsPSS + `">` + children + `</pss:RSAPSSParams>`
}

func pssDigest(uri string) string { return `<ds:DigestMethod Algorithm="` + uri + `"/>` }

// RFC 9231 section 2.3.10 fixes hash, mask and salt. The parameters of section 2.3.9
// name them, and a signature with others is refused.
func TestSAML_RSAPSSIsAccepted(t *testing.T) {
	t.Parallel()
	const sha512 = nsXMLEnc + "sha512"
	mask := func(uri string) string {
		return `<pss:MaskGenerationFunction Algorithm="` + nsPSS + `MGF1">` + pssDigest(uri) + `</pss:MaskGenerationFunction>`
	}
	salt := func(n string) string { return `<pss:SaltLength>` + n + `</pss:SaltLength>` }
	made := func(hash crypto.Hash, salt int) *rsa.PSSOptions { return &rsa.PSSOptions{Hash: hash, SaltLength: salt} }
	trailer := `<pss:TrailerField>1</pss:TrailerField>`
	for name, c := range map[string]struct {
		algorithm string
		params    string
		made      *rsa.PSSOptions
		want      Reason
	}{
		"SHA-256":              {"sha256-rsa-MGF1", "", made(crypto.SHA256, 32), ""},
		"SHA-384":              {"sha384-rsa-MGF1", "", made(crypto.SHA384, 48), ""},
		"SHA-512":              {"sha512-rsa-MGF1", "", made(crypto.SHA512, 64), ""},
		"no parameters":        {"rsa-pss", "", made(crypto.SHA256, 32), ""},
		"empty parameters":     {"rsa-pss", pssParams(""), made(crypto.SHA256, 32), ""},
		"all parameters":       {"rsa-pss", pssParams(pssDigest(sha512) + mask(sha512) + salt("64") + trailer), made(crypto.SHA512, 64), ""},
		"a shorter salt":       {"rsa-pss", pssParams(pssDigest(digest256) + salt("20")), made(crypto.SHA256, 20), ""},
		"another salt":         {"rsa-pss", pssParams(pssDigest(digest256) + salt("20")), made(crypto.SHA256, 32), ReasonSignature},
		"a salt that is fixed": {"sha256-rsa-MGF1", "", made(crypto.SHA256, 20), ReasonSignature},
		"another hash":         {"sha256-rsa-MGF1", "", made(crypto.SHA512, 32), ReasonSignature},
		"SHA-1":                {"rsa-pss", pssParams(pssDigest(nsDSig + "sha1")), made(crypto.SHA256, 32), ReasonStructure},
		"another mask":         {"rsa-pss", pssParams(pssDigest(digest256) + mask(sha512)), made(crypto.SHA256, 32), ReasonStructure},
		"a mask with SHA-1":    {"rsa-pss", pssParams(mask(nsDSig + "sha1")), made(crypto.SHA256, 32), ReasonStructure},
		"no salt":              {"rsa-pss", pssParams(salt("0")), made(crypto.SHA256, 32), ReasonStructure},
		"a long salt":          {"rsa-pss", pssParams(salt("65")), made(crypto.SHA256, 65), ReasonStructure},
		"a salt of 19":         {"rsa-pss", pssParams(salt("19")), made(crypto.SHA256, 19), ReasonStructure},
		"a trailer, no number": {"rsa-pss", pssParams(`<pss:TrailerField>x</pss:TrailerField>`), made(crypto.SHA256, 32), ReasonStructure},
		"another mask, by name": {"rsa-pss", pssParams(`<pss:MaskGenerationFunction Algorithm="urn:x">` + pssDigest(digest256) + `</pss:MaskGenerationFunction>`),
			made(crypto.SHA256, 32), ReasonStructure},
		"a mask without a digest": {"rsa-pss", pssParams(`<pss:MaskGenerationFunction Algorithm="` + nsPSS + `MGF1"/>`), made(crypto.SHA256, 32), ""},
		"a mask with two digests": {"rsa-pss", pssParams(`<pss:MaskGenerationFunction Algorithm="` + nsPSS + `MGF1">` + pssDigest(digest256) + pssDigest(digest256) +
			`</pss:MaskGenerationFunction>`), made(crypto.SHA256, 32), ReasonStructure},
		"a mask with another element": {"rsa-pss", pssParams(`<pss:MaskGenerationFunction Algorithm="` + nsPSS + `MGF1"><ds:Digest Algorithm="` + digest256 +
			`"/></pss:MaskGenerationFunction>`), made(crypto.SHA256, 32), ReasonStructure},
		"a salt of another namespace": {"rsa-pss", pssParams(`<ds:SaltLength>32</ds:SaltLength>`), made(crypto.SHA256, 32), ReasonStructure},
		"an attribute":                {"rsa-pss", strings.Replace(pssParams(""), ">", ` odd="1">`, 1), made(crypto.SHA256, 32), ReasonStructure},
		"parameters twice":            {"rsa-pss", pssParams("") + pssParams(""), made(crypto.SHA256, 32), ReasonStructure},
		"parameters of another name":  {"rsa-pss", strings.ReplaceAll(pssParams(""), "RSAPSSParams", "Params"), made(crypto.SHA256, 32), ReasonStructure},
		"a salt below zero":           {"rsa-pss", pssParams(salt("-1")), made(crypto.SHA256, 32), ReasonStructure},
		"another trailer":             {"rsa-pss", pssParams(`<pss:TrailerField>2</pss:TrailerField>`), made(crypto.SHA256, 32), ReasonStructure},
		"a parameter twice":           {"rsa-pss", pssParams(salt("32") + salt("32")), made(crypto.SHA256, 32), ReasonStructure},
		"an unknown parameter":        {"rsa-pss", pssParams(`<pss:X/>`), made(crypto.SHA256, 32), ReasonStructure},
		"parameters elsewhere":        {"sha256-rsa-MGF1", pssParams(""), made(crypto.SHA256, 32), ReasonStructure},
		"SHA-1 by its name":           {"sha1-rsa-MGF1", "", made(crypto.SHA256, 32), ReasonAlgorithm},
		"PKCS 1 under PSS":            {"sha256-rsa-MGF1", "", nil, ReasonSignature},
	} {
		doc := signing{algorithm: nsPSS + c.algorithm, methodXML: c.params, pss: c.made}.sign(t, newDraft())
		_, err := verifyDoc(newTestSAML(t, nil), doc)
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		requireReason(t, c.want, err)
	}
}

// A text names one cause: the key, the type of the key, or a change after signing.
func TestSAML_ARefusedSignatureNamesItsCause(t *testing.T) {
	t.Parallel()
	stranger := signing{key: samlKeys().stranger}.sign(t, newDraft())
	onlyEC := func(c *SAMLConfig) {
		c.Issuers = Issuers(Issuer{ID: testIssuer, Keys: []crypto.PublicKey{&samlKeys().ec.PublicKey}})
	}
	unsigned := newDraft().with("")
	for name, c := range map[string]struct {
		doc    string
		change func(*SAMLConfig)
		want   Reason
		says   string
	}{
		"another key":         {stranger, nil, ReasonSignature, "signed with another key"},
		"another type of key": {honest(t), onlyEC, ReasonSignature, "none of 1 keys is of the type"},
		"another key, reformatted": {strings.Replace(stranger, "<saml:Subject>", "<saml:Subject> ", 1), nil,
			ReasonSignature, "reformatted after it was signed"},
		"reformatted": {strings.Replace(honest(t), "<saml:Subject>", "<saml:Subject> ", 1), nil, ReasonSignature, "reformatted"},
		"not signed":  {unsigned, nil, ReasonStructure, "the assertion is not signed"},
		"a Response":  {`<p:Response xmlns:p="` + samlProtocol + `">` + honest(t) + `</p:Response>`, nil, ReasonStructure, "send the Assertion"},
		"cut out": {strings.Replace(honest(t), ` xmlns:saml="`+nsSAML+`"`, "", 1), nil,
			ReasonSyntax, "cut out of a larger document"},
	} {
		_, err := verifyDoc(newTestSAML(t, c.change), c.doc)
		requireReason(t, c.want, err)
		require.ErrorContains(t, err, c.says, name)
	}
}

// One construct that is refused has one text.
func TestSAML_RefusedMarkupIsNamed(t *testing.T) {
	t.Parallel()
	doc := honest(t)
	for says, text := range map[string]string{
		"a comment":              strings.Replace(doc, "alice", "<!-- -->alice", 1),
		"CDATA section":          strings.Replace(doc, "alice", "<![CDATA[alice]]>", 1),
		"document type":          `<!DOCTYPE a>` + doc,
		"style sheet":            `<?xml version="1.0"?><?xml-stylesheet href="a"?>` + doc,
		"other than version 1.0": `<?xml version="1.0" encoding="iso-8859-1"?>` + doc,
		"not at the beginning":   " " + `<?xml version="1.0"?>` + doc,
		"UTF-16":                 "\xff\xfe<\x00a\x00",
		"not UTF-8":              strings.Replace(doc, "alice", "\xe9", 1),
	} {
		_, err := verifyDoc(newTestSAML(t, nil), text)
		requireReason(t, ReasonSyntax, err)
		require.ErrorContains(t, err, says)
	}
}
