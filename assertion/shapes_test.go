package assertion

import (
	"crypto"
	"crypto/rsa"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// fullAssertion is a signed assertion that has every element that is read.
func fullAssertion(t testing.TB) (*etree.Element, signing) {
	d := newDraft()
	d.subject = `<saml:Subject><saml:NameID Format="urn:f" NameQualifier="q" SPNameQualifier="s" SPProvidedID="p">` + testName + `</saml:NameID>` +
		`<saml:SubjectConfirmation Method="` + methodBearer + `"><saml:NameID>presenter</saml:NameID>` +
		`<saml:SubjectConfirmationData Recipient="` + testRecipient + `" NotBefore="2026-03-01T11:59:00Z" NotOnOrAfter="2026-03-01T12:05:00Z" ` +
		`InResponseTo="_r" Address="192.0.2.1"/></saml:SubjectConfirmation></saml:Subject>`
	d.conditions = `<saml:Conditions NotBefore="2026-03-01T11:59:00Z" NotOnOrAfter="2026-03-01T12:05:00Z">` + audience(testAudience, "urn:other") +
		`<saml:OneTimeUse/><saml:ProxyRestriction Count="1"><saml:Audience>urn:proxy</saml:Audience></saml:ProxyRestriction></saml:Conditions>`
	d.advice = `<saml:Advice><saml:AssertionIDRef>_other</saml:AssertionIDRef></saml:Advice>`
	d.statements = `<saml:AuthnStatement AuthnInstant="2026-03-01T11:58:00Z" SessionIndex="s1" SessionNotOnOrAfter="2026-03-01T13:00:00Z">` +
		`<saml:SubjectLocality Address="192.0.2.1"/><saml:AuthnContext><saml:AuthnContextClassRef>urn:class</saml:AuthnContextClassRef>` +
		`<saml:AuthenticatingAuthority>urn:a</saml:AuthenticatingAuthority></saml:AuthnContext></saml:AuthnStatement>` +
		`<saml:AttributeStatement><saml:Attribute Name="groups" NameFormat="urn:n" FriendlyName="g"><saml:AttributeValue>staff</saml:AttributeValue>` +
		`<saml:AttributeValue>admins</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`
	s := signing{prefixes: []string{"saml"}, keyInfo: "<ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo>"}
	// The declarations stand at the root, so that a moved element keeps its namespace.
	d.open = strings.Replace(d.open, "<saml:Assertion ", `<saml:Assertion xmlns:ds="`+nsDSig+`" xmlns:ec="`+exclusiveC14N+`" `, 1)
	return mustTree(t, s.sign(t, d)), signing{prefixes: s.prefixes, key: samlKeys().rsa, algorithm: algRSA256}
}

// allowance says why documents of some shapes are accepted. The pattern is a regular
// expression over their names.
type allowance struct {
	pattern string
	why     string
}

// requireShapes asserts that exactly the documents of the allowed shapes are accepted.
func requireShapes(t *testing.T, shapes []shape, accepts func(shape) bool, allowed []allowance) {
	t.Helper()
	used := map[string]bool{}
	for _, s := range shapes {
		because := ""
		for _, a := range allowed {
			if regexp.MustCompile(`^(` + a.pattern + `)$`).MatchString(s.String()) {
				because = a.why
				used[a.pattern] = true
			}
		}
		if accepts(s) != (because != "") {
			t.Errorf("%s: accepted %t, and the reason is %q", s, because == "", because)
		}
	}
	for _, a := range allowed {
		if !used[a.pattern] {
			t.Errorf("no document has the shape %s", a.pattern)
		}
	}
}

// Of all documents that differ in one element from a signed assertion, and are signed
// again, those are accepted for which there is a reason. Each other one is refused.
//
// Holds: RFC 7522 section 3; house: XML bounds.
func TestShapes_OfASignedAssertion(t *testing.T) {
	t.Parallel()
	root, s := fullAssertion(t)
	const (
		signature  = "Assertion/Signature"
		transform2 = signature + "/SignedInfo/Reference/Transforms/Transform2"
		confirmed  = "Assertion/Subject/SubjectConfirmation"
		conditions = "Assertion/Conditions"
		authn      = "Assertion/AuthnStatement"
		attribute  = "Assertion/AttributeStatement/Attribute"
	)
	prefixes := "the prefixes only add declarations to the canonical form, whose digest is made again"
	again := "the test fills it again"
	keyInfo := "KeyInfo is not read"
	optional := "it is optional (SAML core section 2)"
	value := "it is another value of the same type, which the caller judges"
	order := "Conditions have no order (SAML core section 2.5.1)"
	several := "there may be several (SAML core section 2)"
	proxy := "it restricts other servers (SAML core section 2.5.1.6)"
	advice := "Advice is not read (SAML core section 2.6.1)"
	foreign := "a statement of another namespace is not read (RFC 7522 section 3, item 8)"
	allowed := []allowance{
		{`given a foreign attribute .*`, "attributes of other namespaces are not read"},

		{`emptied ` + transform2, prefixes},
		{`dropped ` + transform2 + `/InclusiveNamespaces`, prefixes},
		{`(dropped|changed|emptied) ` + transform2 + `/InclusiveNamespaces/@PrefixList`, prefixes},
		{`emptied ` + signature + `/SignedInfo/Reference/DigestValue`, again},
		{`emptied ` + signature + `/SignatureValue`, again},
		{`(dropped|emptied|given .*) ` + signature + `/KeyInfo`, keyInfo},
		{`(renamed|other namespace|doubled|dropped|emptied|given .*) ` + signature + `/KeyInfo/KeyName`, keyInfo},

		{`given text Assertion/Subject/NameID`, value},
		{`(dropped|changed|emptied) Assertion/Subject/NameID/@.*`, optional},
		{`doubled ` + confirmed, several},
		{`emptied ` + confirmed, "without data the Conditions have the expiry (RFC 7522 section 3, item 5)"},
		{`dropped ` + confirmed + `/SubjectConfirmationData`, "as for an empty confirmation"},
		{`dropped ` + confirmed + `/NameID`, optional},
		{`given text ` + confirmed + `/NameID`, value},
		{`given (an element|text) ` + confirmed + `/SubjectConfirmationData`, "it may have any content, which is not read (SAML core section 2.4.1.2)"},
		{`dropped ` + confirmed + `/SubjectConfirmationData/@NotBefore`, optional},
		{`(dropped|changed|emptied) ` + confirmed + `/SubjectConfirmationData/@(InResponseTo|Address)`, "a setting compares it, which is off"},

		{`dropped ` + conditions + `/@(NotBefore|NotOnOrAfter)`, optional},
		{`doubled ` + conditions + `/AudienceRestriction`, several},
		{`moved (first|last) ` + conditions + `/(AudienceRestriction|OneTimeUse|ProxyRestriction)`, order},
		{`doubled ` + conditions + `/AudienceRestriction/Audience[12]`, several},
		{`moved (first|last) ` + conditions + `/AudienceRestriction/Audience[12]`, order},
		{`(dropped|emptied|given text) ` + conditions + `/AudienceRestriction/Audience2`, "the other audience is ours"},
		{`dropped ` + conditions + `/OneTimeUse`, optional},
		{`(dropped|emptied|given .*) ` + conditions + `/ProxyRestriction`, proxy},
		{`(dropped|renamed|changed|emptied) ` + conditions + `/ProxyRestriction/@Count`, proxy},
		{`(renamed|other namespace|doubled|dropped|emptied|given .*) ` + conditions + `/ProxyRestriction/Audience`, proxy},

		{`(dropped|emptied|given .*) Assertion/Advice`, advice},
		{`(renamed|other namespace|doubled|dropped|emptied|given .*) Assertion/Advice/AssertionIDRef`, advice},

		{`other namespace (` + authn + `|Assertion/AttributeStatement)`, foreign},
		{`(doubled|dropped) (` + authn + `|Assertion/AttributeStatement)`, several},
		{`moved last ` + authn, "statements have no order (SAML core section 2.3.3)"},
		{`(dropped|changed|emptied) ` + authn + `/@SessionIndex`, optional},
		{`dropped ` + authn + `/@SessionNotOnOrAfter`, optional},
		{`(dropped|given .*) ` + authn + `/SubjectLocality`, "SubjectLocality is not read"},
		{`(dropped|renamed|changed|emptied) ` + authn + `/SubjectLocality/@Address`, "SubjectLocality is not read"},
		{`emptied ` + authn + `/AuthnContext`, "there is no class then"},
		{`(dropped|emptied) ` + authn + `/AuthnContext/AuthnContextClassRef`, "there is no class then"},
		{`given text ` + authn + `/AuthnContext/AuthnContextClassRef`, value},
		{`(doubled|dropped|emptied|given .*) ` + authn + `/AuthnContext/AuthenticatingAuthority`, "it is not read"},

		{`doubled ` + attribute, several},
		{`emptied ` + attribute, "it has no value then"},
		{`changed ` + attribute + `/@Name`, value},
		{`(dropped|changed|emptied) ` + attribute + `/@(NameFormat|FriendlyName)`, optional},
		{`(doubled|dropped|moved (first|last)) ` + attribute + `/AttributeValue[12]`, several},
		{`(emptied|given .*) ` + attribute + `/AttributeValue[12]`, "a value may have any content, and one that is not text is left out"},
	}
	requireShapes(t, shapesOf(root), func(s2 shape) bool {
		_, err := verifyDoc(newTestSAML(t, nil), signAgain(t, s2.root, s))
		return err == nil
	}, allowed)
}

// The same for an encrypted assertion. Its outer elements are not signed, so that each of
// them could be an attacker's.
//
// Holds: RFC 7522 section 3; house: XML bounds.
func TestShapes_OfAnEncryptedAssertion(t *testing.T) {
	t.Parallel()
	root := mustTree(t, sealing{digestXML: digestMethod(nsDSig + "sha1")}.seal(t, honest(t)))
	root.CreateAttr("xmlns:ds", nsDSig)
	root.CreateAttr("xmlns:xenc", nsXMLEnc)
	const (
		data = "EncryptedAssertion/EncryptedData"
		key  = data + "/KeyInfo/EncryptedKey"
	)
	hint := "hints in KeyInfo are not followed"
	digest := "SHA-1 is the default digest of rsa-oaep-mgf1p (XML Encryption 1.1 section 5.5.2)"
	requireShapes(t, shapesOf(root), func(s shape) bool {
		_, err := verifyDoc(newTestSAML(t, decrypting), signAgain(t, s.root, signing{}))
		return err == nil
	}, []allowance{
		{`given a foreign attribute .*`, "attributes of other namespaces are not read"},
		{`dropped ` + data + `/@Type`, "it is optional (XML Encryption 1.1 section 3.1)"},
		{`given an element ` + data + `/KeyInfo`, hint},
		{`(renamed|other namespace|doubled|dropped|moved last|emptied|given .*) ` + data + `/KeyInfo/KeyName`, hint},
		{`moved first ` + key, "KeyInfo has no order"},
		{`doubled ` + key, "there may be one for each recipient"},
		{`emptied ` + key + `/EncryptionMethod`, digest},
		{`dropped ` + key + `/EncryptionMethod/DigestMethod`, digest},
	})

	// The same with the EncryptedKey beside the EncryptedData.
	beside := mustTree(t, sealing{beside: true}.seal(t, honest(t)))
	beside.CreateAttr("xmlns:xenc", nsXMLEnc)
	const outside = "EncryptedAssertion/EncryptedKey"
	requireShapes(t, shapesOf(beside), func(s shape) bool {
		_, err := verifyDoc(newTestSAML(t, decrypting), signAgain(t, s.root, signing{}))
		return err == nil
	}, []allowance{
		{`given a foreign attribute .*`, "attributes of other namespaces are not read"},
		{`dropped ` + data + `/@Type`, "it is optional (XML Encryption 1.1 section 3.1)"},
		{`doubled ` + outside, "there may be one for each recipient"},
	})
}

// fullMetadata is signed metadata of a federation.
func fullMetadata(t testing.TB) (*etree.Element, signing) {
	t.Helper()
	s := signing{key: jwtTestKeys()["rsa2"].(*rsa.PrivateKey), algorithm: algRSA256}
	role := idpRole(` WantAuthnRequestsSigned="false" validUntil="2027-01-01T00:00:00Z"`, keyDescriptor(t, "signing", jwtTestKeys()["rsa"]),
		keyDescriptor(t, "encryption", jwtTestKeys()["rsa2"]),
		`<md:SingleSignOnService Binding="`+bindingPost+`" Location="https://idp.example/sso"/>`)
	organization := `<md:Organization><md:OrganizationName xml:lang="en">IdP</md:OrganizationName></md:Organization>`
	doc := federation(` ID="_a1" validUntil="2027-01-01T00:00:00Z" cacheDuration="PT1H"`,
		`<ds:Signature xmlns:ds="`+nsDSig+`"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="`+exclusiveC14N+`"/>`+
			`<ds:SignatureMethod Algorithm="`+algRSA256+`"/><ds:Reference URI="#_a1"><ds:Transforms>`+transformEnveloped+transformExclusive+
			`</ds:Transforms><ds:DigestMethod Algorithm="`+digest256+`"/><ds:DigestValue>AA==</ds:DigestValue></ds:Reference></ds:SignedInfo>`+
			`<ds:SignatureValue>AA==</ds:SignatureValue></ds:Signature>`,
		entity(` validUntil="2026-12-01T00:00:00Z" cacheDuration="PT2H"`, role+organization),
		neighbour("", idpRole("", keyDescriptor(t, "signing", jwtTestKeys()["rsa2"]))))
	return mustTree(t, signAgain(t, mustTree(t, doc), s)), s
}

// The same for signed metadata. Accepted means that the issuer has the key that the
// original gives it.
//
// Holds: house: issuers apart; house: XML bounds.
func TestShapes_OfSignedMetadata(t *testing.T) {
	t.Parallel()
	root, s := fullMetadata(t)
	root.CreateAttr("xmlns:ds", nsDSig)
	const (
		all       = "EntitiesDescriptor"
		entity    = all + "/EntityDescriptor1"
		role      = entity + "/IDPSSODescriptor"
		key       = role + "/KeyDescriptor1"
		other     = role + "/KeyDescriptor2"
		neighbour = all + "/EntityDescriptor2"
	)
	again := "the test fills it again"
	unused := "no assertion needs it"
	wider := "metadata have extensions, and what is not known is not read"
	optional := "it is optional (SAML metadata section 2)"
	order := "the order says nothing"
	first := "the first certificate of a KeyDescriptor is used"
	apart := "another entity is not read"
	allowed := []allowance{
		{`given a foreign attribute .*`, "attributes of other namespaces are not read"},
		{`emptied ` + all + `/Signature/SignedInfo/Reference/DigestValue`, again},
		{`emptied ` + all + `/Signature/SignatureValue`, again},
		{`moved last ` + all + `/Signature`, "some signers put it there, and it covers everything wherever it stands"},

		{`given (an attribute|an element|text) (` + all + `|` + entity + `|` + role + `|` + key + `)`, wider},
		{`given (an attribute|an element|text) ` + key + `/KeyInfo(/X509Data)?`, wider},
		{`given (an attribute|an element) ` + key + `/KeyInfo/X509Data/X509Certificate`, wider},
		{`(dropped|renamed) (` + all + `|` + entity + `|` + role + `)/@validUntil`, optional},
		{`(dropped|renamed) (` + all + `|` + entity + `)/@cacheDuration`, optional},
		{`(dropped|renamed|changed|emptied) ` + role + `/@WantAuthnRequestsSigned`, unused},

		{`moved (first|last) ` + entity, order},
		{`doubled (` + role + `|` + key + `)`, "the same key twice is one key"},
		{`moved (first|last) (` + role + `|` + key + `)`, order},
		{`doubled ` + key + `/KeyInfo(/X509Data(/X509Certificate)?)?`, first},
		{`(dropped|renamed|emptied) ` + key + `/@use`, "a key without use is for signing too (SAML metadata section 2.4.1.1)"},

		{`(renamed|other namespace|doubled|dropped|emptied|moved .*|given .*) ` + other, "it is for encryption"},
		{`(dropped|renamed|changed|emptied) ` + other + `/@use`, "it is a further key"},
		{`(renamed|other namespace|doubled|dropped|emptied|moved .*|given .*) ` + other + `/.*`, "it is for encryption"},
		{`(renamed|other namespace|doubled|dropped|emptied|moved .*|given .*) ` + role + `/SingleSignOnService`, unused},
		{`(dropped|renamed|changed|emptied) ` + role + `/SingleSignOnService/@.*`, unused},
		{`(renamed|other namespace|doubled|dropped|emptied|moved .*|given .*|changed) ` + entity + `/Organization.*`, unused},

		{`(renamed|other namespace|doubled|dropped|emptied|moved .*|given .*) ` + neighbour, apart},
		{`(renamed|other namespace|doubled|dropped|emptied|moved .*|given .*|changed) ` + neighbour + `/.*`, apart},
	}
	want := xmldsig.Thumbprint(jwtTestKeys()["rsa"].Public())
	requireShapes(t, shapesOf(root), func(shape shape) bool {
		ed, err := ParseSignedMetadata(strings.NewReader(signAgain(t, shape.root, s)), mdIdP, s.key.Public())
		if err != nil {
			return false
		}
		issuer, err := IssuerFromMetadata(ed, jwtNow)
		return err == nil && slices.ContainsFunc(issuer.Keys, func(k crypto.PublicKey) bool { return xmldsig.Thumbprint(k) == want })
	}, allowed)
}
