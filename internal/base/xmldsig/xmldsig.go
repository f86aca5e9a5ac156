// Package xmldsig verifies enveloped XML signatures (XML Signature 1.1) of the
// one shape that SAML 2.0 core section 5.4 describes, and reads the XML around
// them.
//
// XML signatures have been broken by documents that two parsers read
// differently, and by signatures that cover something else than what is read
// afterwards. The package therefore works in steps, and each is needed:
//
//   - [Scan] accepts the small part of XML that parsers agree about, within
//     [Limits]. No document type, comment, CDATA section or processing
//     instruction passes it.
//   - [RoundTrip] refuses names that Go's encoder does not write as they were
//     read.
//   - [Parse] builds the tree, of which [Children], [Text] and the others read
//     no more than what is demanded.
//   - [ReadSignature] accepts one shape of signature: one reference, to the
//     element that holds it. KeyInfo has no part in the verification.
//   - [SignedInfo.CheckAlgorithms] holds it to a list of algorithms.
//   - [Signature.Verify] returns the octets that the signature covers. What is
//     read in the end is parsed from them, and not from the document.
//
// An attacker who has one signed document can try to wrap it: to move the signed
// element to a place where it is ignored, and to put another one where it is read.
// That fails because the signature must be inside of the root, must refer to it,
// and covers everything else in the document.
//
// Not supported, and refused: detached and enveloping signatures, several references,
// other transforms than the two of SAML, documents with comments, inclusive
// canonicalization, SHA-1, MD5 and HMAC.
//
// The keys are the caller's. A key or certificate in the document is not
// trusted by being in it.
package xmldsig

// The namespaces and algorithm names that callers compare with.
const (
	// Namespace is that of XML Signature.
	Namespace = "http://www.w3.org/2000/09/xmldsig#"
	// NamespaceMore begins the names of further algorithms (RFC 9231).
	NamespaceMore = "http://www.w3.org/2001/04/xmldsig-more#"
	// ExclusiveC14N is Exclusive XML Canonicalization 1.0 without comments.
	ExclusiveC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
)

// Limits bound what is read of a document that is not verified. Every field is
// required.
type Limits struct {
	// Depth is the nesting of elements.
	Depth int
	// Elements is the number of elements in the document, which may have three
	// times as many attributes.
	Elements int
	// Attributes is the number of attributes of one element, namespace
	// declarations included.
	Attributes int
	// Namespaces is the number of namespace declarations in scope at one place.
	Namespaces int
	// Canonical is the size of a canonical form in octets. It may be larger than the
	// document, because each element repeats the declarations that it needs and that
	// no element around it has.
	Canonical int
}

// The bounds on the parts of a signature, which every signer keeps by far.
const (
	// MaxPrefixes is the number of prefixes in one PrefixList.
	MaxPrefixes = 32
	// maxSignatureValue and maxDigestValue are the sizes of these texts in
	// characters, with white space. RSA of 8192 bits needs 1368, and SHA-512 88.
	maxSignatureValue = 4096
	maxDigestValue    = 1024
)

// LimitError is the error for a document that goes beyond one of the [Limits].
type LimitError string

// Error says which limit it is.
func (e LimitError) Error() string { return "xmldsig: " + string(e) }
