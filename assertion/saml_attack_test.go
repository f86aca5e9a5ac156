package assertion

import (
	"crypto"
	_ "crypto/md5" // a forger's digest
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// attack is one document and the layer that must be the first to refuse it. ""
// means that it must be accepted.
type attack struct {
	name   string
	stop   string
	doc    func(t testing.TB) string
	change func(*SAMLConfig)
}

// honest returns the signed assertion that the attacks start from.
func honest(t testing.TB) string { return signing{}.sign(t, newDraft()) }

// evil returns an unsigned assertion about another subject.
func evil(id string) string {
	d := newDraft()
	d.open = strings.Replace(d.open, "_a1", id, 1)
	d.subject = strings.Replace(d.subject, testName, "admin@example.com", 1)
	return d.with("")
}

// signatureOf cuts the Signature out of a document.
func signatureOf(doc string) (signature, rest string) {
	i, j := strings.Index(doc, "<ds:Signature "), strings.Index(doc, "</ds:Signature>")+len("</ds:Signature>")
	return doc[i:j], doc[:i] + doc[j:]
}

// inside inserts a text before the end of the root, or after its Issuer.
func inside(doc, more string) string {
	return strings.TrimSuffix(doc, "</saml:Assertion>") + more + "</saml:Assertion>"
}

func afterIssuer(doc, more string) string {
	return strings.Replace(doc, "</saml:Issuer>", "</saml:Issuer>"+more, 1)
}

func response(parts ...string) string {
	return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" Version="2.0">` + strings.Join(parts, "") + `</samlp:Response>`
}

func edit(old, new string) func(testing.TB) string {
	return func(t testing.TB) string {
		doc := honest(t)
		require.Contains(t, doc, old)
		return strings.Replace(doc, old, new, 1)
	}
}

func signed(s signing) func(testing.TB) string {
	return func(t testing.TB) string { return s.sign(t, newDraft()) }
}

// drafted signs an assertion in which the issuer itself made a mistake.
func drafted(change func(*draft)) func(testing.TB) string {
	return func(t testing.TB) string {
		d := newDraft()
		change(&d)
		return signing{}.sign(t, d)
	}
}

func wrappingAttacks() []attack {
	wrap := func(name string, build func(doc, sig, rest string) string) attack {
		return attack{name: name, stop: layerStructure, doc: func(t testing.TB) string {
			doc := honest(t)
			sig, rest := signatureOf(doc)
			return build(doc, sig, rest)
		}}
	}
	object := func(sig, content string) string {
		return strings.Replace(sig, "</ds:Signature>", "<ds:Object>"+content+"</ds:Object></ds:Signature>", 1)
	}
	advice := func(s string) string { return "<saml:Advice>" + s + "</saml:Advice>" }
	return []attack{
		wrap("XSW1 evil root, Signature, original", func(_, sig, rest string) string {
			return afterIssuer(evil("_e"), strings.Replace(sig, "</ds:Signature>", rest+"</ds:Signature>", 1))
		}),
		wrap("XSW2 evil root with original and Signature", func(_, sig, rest string) string { return inside(evil("_e"), rest+sig) }),
		wrap("XSW3 Response, evil, original", func(doc, _, _ string) string { return response(evil("_e"), doc) }),
		wrap("XSW3b evil root, Advice, original", func(doc, _, _ string) string { return inside(evil("_e"), advice(doc)) }),
		wrap("XSW4 Response, evil, original inside", func(doc, _, _ string) string { return response(inside(evil("_e"), doc)) }),
		wrap("XSW4b evil root, original inside", func(doc, _, _ string) string { return inside(evil("_e"), doc) }),
		wrap("XSW5 Response, evil with Signature, original", func(_, sig, rest string) string {
			return response(afterIssuer(evil("_e"), sig), rest)
		}),
		wrap("XSW5b evil root with Signature, Advice, original", func(_, sig, rest string) string {
			return inside(afterIssuer(evil("_e"), sig), advice(rest))
		}),
		wrap("XSW6 Response, evil, Signature, original", func(_, sig, rest string) string {
			return response(afterIssuer(evil("_e"), object(sig, rest)))
		}),
		wrap("XSW7 Response, Extensions, evil, original", func(doc, _, _ string) string {
			return response("<samlp:Extensions>"+evil("_e")+"</samlp:Extensions>", doc)
		}),
		wrap("XSW7b original with evil in Advice", func(doc, _, _ string) string { return inside(doc, advice(evil("_e"))) }),
		wrap("XSW8 evil, Signature, Object, original", func(_, sig, rest string) string {
			return afterIssuer(evil("_e"), object(sig, rest))
		}),
		wrap("XSW8b the same with the same ID", func(_, sig, rest string) string {
			return afterIssuer(evil("_a1"), object(sig, rest))
		}),
		wrap("XSW9 evil Subject in an Object", func(doc, sig, _ string) string {
			return strings.Replace(doc, sig, object(sig, "<saml:Subject><saml:NameID>admin</saml:NameID></saml:Subject>"), 1)
		}),
		wrap("Signature moved into Subject", func(_, sig, rest string) string {
			return strings.Replace(rest, "</saml:Subject>", sig+"</saml:Subject>", 1)
		}),
		wrap("Signature moved into NameID", func(_, sig, rest string) string {
			return strings.Replace(rest, "</saml:NameID>", sig+"</saml:NameID>", 1)
		}),
		wrap("Signature last", func(_, sig, rest string) string { return inside(rest, sig) }),
		wrap("two identical Signatures", func(doc, sig, _ string) string { return afterIssuer(doc, sig) }),
		wrap("a bad Signature first, a good one second", func(doc, sig, _ string) string {
			return afterIssuer(doc, strings.Replace(sig, "DigestValue>", "DigestValue>AAAA", 1))
		}),
		wrap("duplicate ID on a child", func(doc, _, _ string) string {
			return strings.Replace(doc, "<saml:Subject>", `<saml:Subject ID="_a1">`, 1)
		}),
		wrap("a prefixed second ID on the root", func(doc, _, _ string) string {
			return strings.Replace(doc, `ID="_a1"`, `ID="_a1" saml:ID="_e"`, 1)
		}),
		wrap("xml:id on the root", func(doc, _, _ string) string { return strings.Replace(doc, `ID="_a1"`, `ID="_a1" xml:id="_e"`, 1) }),
		wrap("unsigned", func(_, _, rest string) string { return rest }),
		wrap("a Signature of another namespace besides", func(doc, sig, _ string) string {
			return inside(doc, `<x:Signature xmlns:x="urn:x">`+"</x:Signature>")
		}),
		wrap("a whole Response", func(doc, _, _ string) string { return response(doc) }),
		wrap("SAML 1.1 namespace", func(doc, _, _ string) string {
			return strings.Replace(doc, "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:1.0:assertion", 1)
		}),
		wrap("Signature without SignatureValue", func(doc, _, _ string) string {
			i, j := strings.Index(doc, "<ds:SignatureValue>"), strings.Index(doc, "</ds:SignatureValue>")
			return doc[:i] + doc[j+len("</ds:SignatureValue>"):]
		}),
		wrap("an empty SignatureValue", func(doc, _, _ string) string {
			i, j := strings.Index(doc, "<ds:SignatureValue>")+len("<ds:SignatureValue>"), strings.Index(doc, "</ds:SignatureValue>")
			return doc[:i] + doc[j:]
		}),
	}
}

func lexicalAttacks() []attack {
	front := func(s string) func(testing.TB) string { return func(t testing.TB) string { return s + honest(t) } }
	return []attack{
		{name: "comment in NameID", stop: layerLexical, doc: edit("alice@", "alice<!---->@")},
		{name: "comment elsewhere", stop: layerLexical, doc: edit("<saml:Subject>", "<!-- x --><saml:Subject>")},
		{name: "comment in DigestValue", stop: layerLexical, doc: edit("<ds:DigestValue>", "<ds:DigestValue><!-- x -->")},
		{name: "processing instruction in NameID", stop: layerLexical, doc: edit("alice@", "alice<?x y?>@")},
		{name: "CDATA in NameID", stop: layerLexical, doc: edit(">"+testName+"<", "><![CDATA["+testName+"]]><")},
		{name: "ID twice on the root", stop: layerLexical, doc: edit(`ID="_a1"`, `ID="_a1" ID="_a1"`)},
		{name: "billion laughs", stop: layerLexical, doc: front(`<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>`)},
		{name: "a harmless document type", stop: layerLexical, doc: front(`<!DOCTYPE a>`)},
		{name: "external entity", stop: layerLexical, doc: front(`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>`)},
		{name: "unknown entity", stop: layerLexical, doc: edit("alice@", "alice&x;@")},
		{name: "5000 levels", stop: layerLexical, doc: func(testing.TB) string { return strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000) }},
		{name: "end tag missing", stop: layerLexical, doc: edit("</saml:Assertion>", "")},
		{name: "end tags crossed", stop: layerLexical, doc: edit("</saml:NameID>", "</saml:Subject>")},
		{name: "SignatureValue not closed", stop: layerLexical, doc: edit("</ds:SignatureValue>", "")},
		{name: "xmlns as a prefix", stop: layerLexical, doc: edit("<saml:NameID", "<xmlns:NameID")},
		{name: "empty prefix", stop: layerLexical, doc: edit("<saml:NameID", "<:NameID")},
		{name: "xml prefix redeclared", stop: layerLexical, doc: edit("<saml:Subject>", `<saml:Subject xmlns:xml="urn:x">`)},
		{name: "xmlns prefix redeclared", stop: layerLexical, doc: edit("<saml:Subject>", `<saml:Subject xmlns:xmlns="urn:x">`)},
		{name: "reserved namespace", stop: layerLexical, doc: edit("<saml:Subject>", `<saml:Subject xmlns:p="`+nsXMLNS+`">`)},
		{name: "prefix undeclared again", stop: layerLexical, doc: edit("<saml:Subject>", `<saml:Subject xmlns:p="">`)},
		{name: "undeclared prefix", stop: layerLexical, doc: edit("<saml:Subject>", `<saml:Subject p:x="1">`)},
		{name: "relative namespace", stop: layerLexical, doc: edit("<saml:Subject>", `<saml:Subject xmlns:p="../x">`)},
		{name: "one expanded name by two prefixes", stop: layerLexical, doc: edit("<saml:Subject>", `<saml:Subject xmlns:p="urn:x" xmlns:q="urn:x" p:y="1" q:y="2">`)},
		{name: "two roots, signed first", stop: layerLexical, doc: func(t testing.TB) string { return honest(t) + evil("_e") }},
		{name: "two roots, evil first", stop: layerLexical, doc: func(t testing.TB) string { return evil("_e") + honest(t) }},
		{name: "text after the root", stop: layerLexical, doc: func(t testing.TB) string { return honest(t) + "x" }},
		{name: "text before the root", stop: layerLexical, doc: front("x")},
		{name: "UTF-16", stop: layerLexical, doc: func(t testing.TB) string {
			return "\xff\xfe" + strings.Join(strings.Split(honest(t), ""), "\x00") + "\x00"
		}},
		{name: "declared UTF-7", stop: layerLexical, doc: front(`<?xml version="1.0" encoding="UTF-7"?>`)},
		{name: "XML 1.1", stop: layerLexical, doc: front(`<?xml version="1.1"?>`)},
		{name: "round trip CVE-2020-29509", stop: layerLexical, doc: edit("<saml:Subject>", `<saml:Subject x:xmlns="urn:x">`)},
		{name: "round trip, colons", stop: layerLexical, doc: edit("<saml:Subject>", `<saml:Subject saml:x:y="1">`)},
		{name: "control character", stop: layerLexical, doc: edit("alice@", "alice&#1;@")},
		{name: "nothing", stop: layerLexical, doc: func(testing.TB) string { return " " }},
		{name: "20 MB NameID", stop: layerParameter, doc: edit("alice@", strings.Repeat("a", 20<<20)+"@")},
		{name: "200000 elements", stop: layerParameter, doc: edit("<saml:Subject>", strings.Repeat("<a/>", 200_000)+"<saml:Subject>")},
		{name: "50000 attributes", stop: layerParameter, doc: func(testing.TB) string { return manyAttributes(50_000) }},
		{name: "401 elements", stop: layerLexical, doc: edit("<saml:Subject>", strings.Repeat("<a/>", 401)+"<saml:Subject>")},
		{name: "25 attributes", stop: layerLexical, doc: func(testing.TB) string { return manyAttributes(25) }},
		{name: "1220 attributes in all", stop: layerLexical, doc: func(testing.TB) string {
			return "<a>" + strings.Repeat(manyAttributes(20), 61) + "</a>"
		}},
		{name: "65 namespaces in scope", stop: layerLexical, doc: func(testing.TB) string { return manyNamespaces(65) }},
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return "<a" + b.String() + "/>"
}

func manyNamespaces(n int) string {
	var open, end strings.Builder
	for i := range n {
		if i%16 == 0 {
			open.WriteString("<a")
			end.WriteString("</a>")
		}
		fmt.Fprintf(&open, ` xmlns:p%d="urn:x"`, i)
		if i%16 == 15 || i == n-1 {
			open.WriteString(">")
		}
	}
	return open.String() + end.String()
}

func signatureAttacks() []attack {
	transform := func(algorithm, content string) string {
		return `<ds:Transform Algorithm="` + algorithm + `">` + content + `</ds:Transform>`
	}
	const (
		c14n10 = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
		c14n11 = "http://www.w3.org/2006/12/xml-c14n11"
		xslt   = "http://www.w3.org/TR/1999/REC-xslt-19991116"
		xpath  = "http://www.w3.org/TR/1999/REC-xpath-19991116"
	)
	keys := samlKeys()
	public, _ := x509.MarshalPKIXPublicKey(&keys.rsa.PublicKey)
	list := []attack{
		{name: "NameID changed", stop: layerSignature, doc: edit(testName, "admin@example.com")},
		{name: "prefix redeclared on NameID", stop: layerSignature, doc: edit("<saml:NameID", `<saml:NameID xmlns:saml="urn:x"`)},
		{name: "signature value of other octets", stop: layerSignature, doc: edit("<ds:SignatureValue>", "<ds:SignatureValue>AAAA")},
		{name: "unknown issuer", stop: layerSignature, doc: drafted(func(d *draft) { d.issuer = "<saml:Issuer>https://other.example</saml:Issuer>" })},
		{name: "issuer with white space", stop: layerSignature, doc: drafted(func(d *draft) { d.issuer = "<saml:Issuer> " + testIssuer + "</saml:Issuer>" })},
		{name: "stranger's key", stop: layerSignature, doc: signed(signing{key: keys.stranger})},
		{name: "stranger's key, certificate in KeyInfo", stop: layerSignature, doc: func(t testing.TB) string {
			cert := testCertificate(t, keys.stranger, testNow.AddDate(-1, 0, 0), testNow.AddDate(1, 0, 0))
			return signing{key: keys.stranger, keyInfo: keyInfo(cert)}.sign(t, newDraft())
		}},
		{name: "stranger's key, trusted certificate first in KeyInfo", stop: layerSignature, doc: func(t testing.TB) string {
			from, to := testNow.AddDate(-1, 0, 0), testNow.AddDate(1, 0, 0)
			info := keyInfo(testCertificate(t, keys.rsa, from, to), testCertificate(t, keys.stranger, from, to))
			return signing{key: keys.stranger, keyInfo: info}.sign(t, newDraft())
		}},
		{name: "ECDSA named, RSA key", stop: layerSignature, doc: signed(signing{algorithm: algECDSA256})},
		{name: "RSA named, ECDSA key", stop: layerSignature, doc: signed(signing{algorithm: algRSA256, key: keys.ec, der: true})},
		{name: "algorithm not configured for the issuer", stop: layerSignature, doc: honest, change: func(c *SAMLConfig) {
			c.Issuers = Issuers(Issuer{ID: testIssuer, Keys: []crypto.PublicKey{&keys.rsa.PublicKey}, Algorithms: []string{algECDSA256}})
		}},
		{name: "issuer without keys", stop: layerSignature, doc: honest, change: func(c *SAMLConfig) { c.Issuers = Issuers(Issuer{ID: testIssuer}) }},

		{name: "SHA-1 signature", stop: layerAlgorithms, doc: signed(signing{algorithm: nsDSig + "rsa-sha1"})},
		{name: "SHA-1 digest", stop: layerAlgorithms, doc: signed(signing{digest: nsDSig + "sha1"})},
		{name: "MD5 signature", stop: layerAlgorithms, doc: signed(signing{algorithm: nsDSigMore + "rsa-md5"})},
		{name: "MD5 digest", stop: layerAlgorithms, doc: signed(signing{digest: nsDSigMore + "md5"})},
		{name: "HMAC keyed with the public key", stop: layerAlgorithms, doc: signed(signing{algorithm: nsDSigMore + "hmac-sha256", hmacKey: public})},
		{name: "no algorithm", stop: layerAlgorithms, doc: signed(signing{algorithm: "none"})},
		{name: "XSLT transform", stop: layerAlgorithms, doc: signed(signing{transforms: transformEnveloped + transform(xslt, "") + transformExclusive})},
		{name: "base64 transform", stop: layerAlgorithms, doc: signed(signing{transforms: transformEnveloped + transform(nsDSig+"base64", "")})},
		{name: "only enveloped", stop: layerAlgorithms, doc: signed(signing{transforms: transformEnveloped})},
		{name: "not enveloped", stop: layerAlgorithms, doc: signed(signing{transforms: transformExclusive})},
		{name: "transforms in the other order", stop: layerAlgorithms, doc: signed(signing{transforms: transformExclusive + transformEnveloped})},
		{name: "three transforms", stop: layerAlgorithms, doc: signed(signing{transforms: transformEnveloped + transform(c14n11, "") + transformExclusive})},
		{name: "inclusive with comments", stop: layerAlgorithms, doc: signed(signing{transforms: transformEnveloped + transform(c14n10+"#WithComments", "")})},
		{name: "comments without a signature over them", stop: layerLexical, doc: func(t testing.TB) string {
			doc := signed(signing{transforms: transformEnveloped + transform(exclusiveC14N+"WithComments", "")})(t)
			return strings.Replace(doc, "alice", "alice<!---->", 1)
		}},
		{name: "inclusive 1.0", stop: layerAlgorithms, doc: signed(signing{transforms: transformEnveloped + transform(c14n10, "")})},
		{name: "unknown CanonicalizationMethod", stop: layerAlgorithms, doc: signed(signing{c14n: "urn:x"})},
		{name: "inclusive CanonicalizationMethod with comments", stop: layerAlgorithms, doc: signed(signing{c14n: c14n10 + "#WithComments"})},

		{name: "HMACOutputLength 0", stop: layerStructure, doc: signed(signing{algorithm: nsDSig + "hmac-sha1", methodXML: "<ds:HMACOutputLength>0</ds:HMACOutputLength>"})},
		{name: "XPath transform", stop: layerStructure, doc: signed(signing{transforms: transformEnveloped + transform(xpath, "<ds:XPath>true()</ds:XPath>") + transformExclusive})},
		{name: "no URI", stop: layerStructure, doc: signed(signing{noURI: true})},
		{name: "an Object in the Signature", stop: layerStructure, doc: signed(signing{object: "<ds:Object/>"})},
		{name: "two SignedInfo", stop: layerStructure, doc: signed(signing{doubled: true})},
		{name: "text in SignedInfo", stop: layerStructure, doc: signed(signing{extra: "x"})},
		{name: "empty DigestValue", stop: layerStructure, doc: signed(signing{reference: `<ds:Reference URI="#_a1"><ds:Transforms>` + transformEnveloped +
			transformExclusive + `</ds:Transforms><ds:DigestMethod Algorithm="` + digest256 + `"/><ds:DigestValue></ds:DigestValue></ds:Reference>`})},
		{name: "no DigestValue", stop: layerStructure, doc: signed(signing{reference: `<ds:Reference URI="#_a1"><ds:Transforms>` + transformEnveloped +
			transformExclusive + `</ds:Transforms><ds:DigestMethod Algorithm="` + digest256 + `"/></ds:Reference>`})},
		{name: "two References", stop: layerStructure, doc: func(t testing.TB) string {
			first := honest(t)
			i, j := strings.Index(first, "<ds:Reference"), strings.Index(first, "</ds:SignedInfo>")
			return signing{extra: first[i:j]}.sign(t, newDraft())
		}},
		{name: "Version 1.1", stop: layerStructure, doc: drafted(func(d *draft) { d.open = strings.Replace(d.open, "2.0\"", "1.1\"", 1) })},
	}
	for _, uri := range []string{"https://evil.example/x.xml", "file:///etc/passwd", "x_a1", "#xpointer(id('_a1'))", "#_a1x", "_a1", "#"} {
		list = append(list, attack{name: "URI " + uri, stop: layerStructure, doc: signed(signing{uri: uri})})
	}
	list = append(list, attack{name: "URI empty", stop: layerStructure, doc: func(t testing.TB) string {
		return strings.Replace(honest(t), `URI="#_a1"`, `URI=""`, 1)
	}})
	return list
}

func honestShapes() []attack {
	keys := samlKeys()
	from, to := testNow.AddDate(-1, 0, 0), testNow.AddDate(1, 0, 0)
	cert := func(t testing.TB, key crypto.Signer, years int) *x509.Certificate {
		return testCertificate(t, key, from.AddDate(years, 0, 0), to.AddDate(years, 0, 0))
	}
	return []attack{
		{name: "crewjam RSA", doc: func(t testing.TB) string { return crewjamAssertion(t, keys.rsa) }},
		{name: "crewjam ECDSA in DER", doc: func(t testing.TB) string { return crewjamAssertion(t, keys.ec) }},
		{name: "certificate in KeyInfo", doc: func(t testing.TB) string { return signing{keyInfo: keyInfo(cert(t, keys.rsa, 0))}.sign(t, newDraft()) }},
		{name: "no KeyInfo", doc: honest},
		{name: "second key, KeyInfo", doc: func(t testing.TB) string {
			return signing{key: keys.next, keyInfo: keyInfo(cert(t, keys.next, 0))}.sign(t, newDraft())
		}},
		{name: "second key, no KeyInfo", doc: signed(signing{key: keys.next})},
		{name: "KeyName only", doc: signed(signing{key: keys.next, keyInfo: "<ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo>"})},
		{name: "renewed certificate", doc: func(t testing.TB) string { return signing{keyInfo: keyInfo(cert(t, keys.rsa, 1))}.sign(t, newDraft()) }},
		{name: "expired certificate, key trusted", doc: func(t testing.TB) string { return signing{keyInfo: keyInfo(cert(t, keys.rsa, -9))}.sign(t, newDraft()) }},
		{name: "XML declaration and white space", doc: func(t testing.TB) string {
			return "<?xml version='1.0' encoding=\"utf-8\" standalone=\"yes\"?>\r\n" + honest(t) + "\n\n"
		}},
		{name: "character references in NameID", doc: edit("alice@", "&#97;lic&#x65;@")},
		{name: "unused declaration on the root", doc: edit(" Version=", ` xmlns:unused="urn:x" Version=`)},
		{name: "two audiences, ours first", doc: drafted(func(d *draft) {
			d.conditions = strings.Replace(d.conditions, audience(testAudience), audience(testAudience, "https://other.example"), 1)
		})},
		{name: "bearer without data", doc: drafted(func(d *draft) {
			d.subject = `<saml:Subject>` + nameID + `<saml:SubjectConfirmation Method="` + methodBearer + `"/></saml:Subject>`
		})},
		{name: "sender-vouches first, bearer second", doc: drafted(func(d *draft) {
			other := strings.Replace(bearer("https://wrong.example", ""), "cm:bearer", "cm:sender-vouches", 1)
			d.subject = strings.Replace(d.subject, "</saml:NameID>", "</saml:NameID>"+other, 1)
		})},
		{name: "ECDSA r and s", doc: signed(signing{key: keys.ec})},
		{name: "RSA SHA-512", doc: signed(signing{algorithm: nsDSigMore + "rsa-sha512", digest: nsXMLEnc + "sha512"})},
		{name: "PrefixList", doc: signed(signing{prefixes: []string{"saml", "#default"}})},
	}
}

func contentAttacks() []attack {
	change := func(name, old, new string) attack {
		return attack{name: name, stop: layerContent, doc: drafted(func(d *draft) {
			for _, part := range []*string{&d.subject, &d.conditions, &d.statements} {
				*part = strings.ReplaceAll(*part, old, new)
			}
		})}
	}
	const conditionsExpiry = `NotOnOrAfter="2026-03-01T12:05:00Z"`
	return []attack{
		change("no AudienceRestriction", audience(testAudience), ""),
		change("two AudienceRestrictions, one not ours", audience(testAudience), audience(testAudience)+audience("https://other.example")),
		change("another audience", ">"+testAudience+"<", ">https://other.example<"),
		change("holder-of-key only", "cm:bearer", "cm:holder-of-key"),
		change("wrong recipient", testRecipient, "https://other.example/token"),
		change("no recipient", ` Recipient="`+testRecipient+`"`, ""),
		change("no expiry anywhere", conditionsExpiry, ""),
		change("expired 2 minutes ago", "12:05:00Z", "11:58:00Z"),
		change("expired exactly skew ago", "12:05:00Z", "11:59:00Z"),
		change("expires in 2099", "2026-03-01T12:05:00Z", "2099-03-01T12:05:00Z"),
		change("not yet valid", "2026-03-01T11:59:00Z", "2026-03-01T12:02:00Z"),
		change("unknown condition", audience(testAudience), audience(testAudience)+`<saml:Condition/>`),
		change("foreign condition", audience(testAudience), audience(testAudience)+`<x:Delegate xmlns:x="urn:x"/>`),
		change("time without zone", "12:05:00Z", "12:05:00"),
		change("two NameIDs", nameID, nameID+nameID),
		{name: "no Conditions", stop: layerContent, doc: drafted(func(d *draft) { d.conditions = "" })},
		{name: "no Subject", stop: layerContent, doc: drafted(func(d *draft) { d.subject = "" })},
		{name: "no SubjectConfirmation", stop: layerContent, doc: drafted(func(d *draft) { d.subject = "<saml:Subject>" + nameID + "</saml:Subject>" })},
		{name: "InResponseTo, when it is refused", stop: layerContent, doc: drafted(func(d *draft) {
			d.subject = strings.Replace(d.subject, "NotOnOrAfter", `InResponseTo="_q" NotOnOrAfter`, 1)
		}), change: func(c *SAMLConfig) { c.RejectInResponseTo = true }},
	}
}

// Each attack is refused by the layer that is meant for it. Without that layer
// the test would see another layer, or an acceptance.
//
// Holds: RFC 7522 section 2.1; RFC 7522 section 3; SAML Core section 5.4;
// house: XML bounds; house: bounded parsers; house: empty canonical form;
// house: hooks refuse; house: read whole.
func TestSAML_EveryAttackIsStoppedByItsLayer(t *testing.T) {
	t.Parallel()
	groups := map[string][]attack{
		"wrapping": wrappingAttacks(), "lexical": lexicalAttacks(), "signature": signatureAttacks(),
		"honest": honestShapes(), "content": contentAttacks(),
	}
	for group, attacks := range groups {
		for _, a := range attacks {
			t.Run(group+"/"+a.name, func(t *testing.T) {
				t.Parallel()
				s := newTestSAML(t, a.change)
				r := Request{Assertion: encoded(a.doc(t)), Recipient: testRecipient}
				stop, refusal := firstStop(s, r)
				require.Equal(t, a.stop, stop, refusal)

				s = newTestSAML(t, a.change)
				got, err := s.Verify(t.Context(), r)
				if a.stop == "" {
					require.NoError(t, err)
					require.Equal(t, testName, got.Subject.Value)
					return
				}
				require.Nil(t, got)
				require.Equal(t, codeInvalidGrant, requireReason(t, refusal.Reason, err).Code)
				require.Zero(t, s.config.Replay.(*replayMemory).calls, "a refused assertion used an ID up")
			})
		}
	}
}
