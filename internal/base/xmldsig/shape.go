package xmldsig

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/beevik/etree"
)

// envelopedTransform removes the signature from the element that holds it (XML
// Signature section 6.6.4).
const envelopedTransform = Namespace + "enveloped-signature"

// exclusiveWithComments is Exclusive XML Canonicalization 1.0 with comments.
const exclusiveWithComments = ExclusiveC14N + "WithComments"

// Signature is a ds:Signature of the one shape that is accepted: SignedInfo
// with a single Reference, SignatureValue, and at most a KeyInfo, which [Signature.Verify]
// does not read.
type Signature struct {
	element    *etree.Element
	signedInfo *etree.Element
	value      []byte
	info       *SignedInfo    // of signedInfo, read once
	keyInfo    *etree.Element // or nil; for reports only
}

// method is an algorithm with the parameters that it may carry.
type method struct {
	algorithm string
	prefixes  []string // the PrefixList of a canonicalization
	pss       pssParameters
}

// SignedInfo is the content of a ds:SignedInfo.
type SignedInfo struct {
	// Algorithm is the URI of the signature algorithm.
	Algorithm string
	// Reference is the URI of the one reference, "#" and an ID.
	Reference string

	signature        method
	canonicalization method
	transforms       []method
	digest           string
	digestValue      []byte
}

// ReadSignature takes a ds:Signature apart. It judges the shape only.
func ReadSignature(e *etree.Element) (*Signature, error) {
	parts, err := Children(e)
	if err != nil {
		return nil, err
	}
	// KeyInfo names a key that the sender would like to be used. It is dropped.
	var keyInfo *etree.Element
	if len(parts) == 3 && Is(parts[2], Namespace, "KeyInfo") {
		keyInfo = parts[2]
		parts = parts[:2]
	}
	if !areNamed(parts, "SignedInfo", "SignatureValue") {
		return nil, errors.New("xmldsig: the Signature is not SignedInfo, SignatureValue and at most KeyInfo")
	}
	if err := OnlyAttributes(e, "Id"); err != nil {
		return nil, err
	}
	if err := OnlyAttributes(parts[1], "Id"); err != nil {
		return nil, err
	}
	// An empty value is an error too.
	value, err := base64Text(parts[1], maxSignatureValue)
	if err != nil {
		return nil, err
	}
	return &Signature{element: e, signedInfo: parts[0], value: value, keyInfo: keyInfo}, nil
}

// ClaimedCertificate returns the first X509Certificate of the KeyInfo, in DER, or nil. It
// is for reports that tell an administrator which certificate the signer believes in.
// Nothing in it may be believed, and [Signature.Verify] does not read it.
func (s *Signature) ClaimedCertificate() []byte {
	if s.keyInfo == nil {
		return nil
	}
	for _, data := range s.keyInfo.ChildElements() {
		for _, e := range data.ChildElements() {
			if !Is(e, Namespace, "X509Certificate") {
				continue
			}
			text, err := Text(e)
			if err != nil {
				return nil
			}
			der, err := base64.StdEncoding.DecodeString(WithoutSpace(text))
			if err != nil {
				return nil
			}
			return der
		}
	}
	return nil
}

// SignedInfo takes the signature's SignedInfo apart, as it was sent. It judges
// the shape only; see [SignedInfo.CheckAlgorithms].
func (s *Signature) SignedInfo() (*SignedInfo, error) {
	if s.info != nil {
		return s.info, nil
	}
	var err error
	s.info, err = readSignedInfo(s.signedInfo)
	return s.info, err
}

// readSignedInfo reads CanonicalizationMethod, SignatureMethod and one Reference. A
// second Reference could cover something that the caller does not read.
func readSignedInfo(e *etree.Element) (*SignedInfo, error) {
	parts, err := Children(e)
	if err != nil {
		return nil, err
	}
	if !areNamed(parts, "CanonicalizationMethod", "SignatureMethod", "Reference") {
		return nil, errors.New("xmldsig: the SignedInfo is not two methods and one Reference")
	}
	if err := OnlyAttributes(e, "Id"); err != nil {
		return nil, err
	}

	var info SignedInfo
	if info.canonicalization, err = readMethod(parts[0]); err != nil {
		return nil, err
	}
	if info.signature, err = readSignatureMethod(parts[1]); err != nil {
		return nil, err
	}
	info.Algorithm = info.signature.algorithm
	if err := info.readReference(parts[2]); err != nil {
		return nil, err
	}
	return &info, nil
}

// readReference reads the URI, the transforms and the digest.
func (info *SignedInfo) readReference(e *etree.Element) error {
	parts, err := Children(e)
	if err != nil {
		return err
	}
	if !areNamed(parts, "Transforms", "DigestMethod", "DigestValue") {
		return errors.New("xmldsig: the Reference is not Transforms, DigestMethod and DigestValue")
	}
	// Type is advice about what the URI identifies, and is not used (XML Signature
	// 1.1 section 4.4.3).
	if err := OnlyAttributes(e, "Id", "URI", "Type"); err != nil {
		return err
	}
	var found bool
	if info.Reference, found = Attribute(e, "URI"); !found {
		return errors.New("xmldsig: the Reference has no URI")
	}
	if info.transforms, err = readTransforms(parts[0]); err != nil {
		return err
	}
	if info.digest, err = readPlainMethod(parts[1]); err != nil {
		return err
	}
	if err := OnlyAttributes(parts[2]); err != nil {
		return err
	}
	info.digestValue, err = base64Text(parts[2], maxDigestValue)
	return err
}

// readTransforms reads the transforms in their order.
func readTransforms(e *etree.Element) ([]method, error) {
	if err := OnlyAttributes(e); err != nil {
		return nil, err
	}
	parts, err := Children(e)
	if err != nil {
		return nil, err
	}
	transforms := make([]method, 0, len(parts))
	for _, part := range parts {
		if !Is(part, Namespace, "Transform") {
			return nil, fmt.Errorf("xmldsig: %.60s among the transforms", part.Tag)
		}
		transform, err := readMethod(part)
		if err != nil {
			return nil, err
		}
		transforms = append(transforms, transform)
	}
	return transforms, nil
}

// readMethod reads a canonicalization or transform. The only parameter that it
// accepts is InclusiveNamespaces.
// In a canonicalization it holds the prefixes whose declarations are always written.
// The enveloped-signature transform has no use for it, but some signers write it into
// every transform.
func readMethod(e *etree.Element) (method, error) {
	m, parts, err := methodParts(e)
	if err != nil || len(parts) == 0 {
		return m, err
	}

	// XPath, XSLT and every other parameter is refused.
	if len(parts) != 1 || !isExclusive(m.algorithm) && m.algorithm != envelopedTransform ||
		!Is(parts[0], ExclusiveC14N, "InclusiveNamespaces") {
		return m, parameterError(e, m.algorithm, parts[0])
	}
	if inner, err := Children(parts[0]); err != nil || len(inner) > 0 {
		return m, errors.New("xmldsig: InclusiveNamespaces is not empty")
	}
	if err := OnlyAttributes(parts[0], "PrefixList"); err != nil {
		return m, err
	}
	list, _ := Attribute(parts[0], "PrefixList")
	m.prefixes, err = readPrefixes(list)
	return m, err
}

// readPrefixes reads a PrefixList. The number of prefixes is bounded, because each
// costs a look-up for each element that declares namespaces.
func readPrefixes(list string) ([]string, error) {
	var prefixes []string
	for prefix := range strings.FieldsSeq(list) {
		if len(prefixes) == MaxPrefixes {
			return nil, LimitError(fmt.Sprintf("a PrefixList of more than %d prefixes", MaxPrefixes))
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// readPlainMethod reads an algorithm that has no parameter.
func readPlainMethod(e *etree.Element) (algorithm string, err error) {
	m, parts, err := methodParts(e)
	if err != nil {
		return "", err
	}
	if len(parts) > 0 {
		return "", parameterError(e, m.algorithm, parts[0])
	}
	return m.algorithm, nil
}

// methodParts reads the name of an algorithm, and returns its parameters.
func methodParts(e *etree.Element) (m method, parts []*etree.Element, err error) {
	if err := OnlyAttributes(e, "Algorithm"); err != nil {
		return m, nil, err
	}
	m.algorithm, _ = Attribute(e, "Algorithm")
	parts, err = Children(e)
	return m, parts, err
}

// parameterError is the error for a parameter that the algorithm may not have.
func parameterError(e *etree.Element, algorithm string, parameter *etree.Element) error {
	return fmt.Errorf("xmldsig: %s has parameters: %.60s in %.120q", e.Tag, parameter.Tag, algorithm)
}

// isExclusive reports whether the algorithm is exclusive canonicalization. The
// documents that [Scan] accepts have no comments, so both forms are the same.
func isExclusive(algorithm string) bool {
	return algorithm == ExclusiveC14N || algorithm == exclusiveWithComments
}

// areNamed reports whether the elements are exactly those of XML Signature with
// these names, in order.
func areNamed(elements []*etree.Element, names ...string) bool {
	if len(elements) != len(names) {
		return false
	}
	for i, name := range names {
		if !Is(elements[i], Namespace, name) {
			return false
		}
	}
	return true
}

// base64Text reads base64 of at most the given number of characters, white space
// included, which may be broken into lines.
func base64Text(e *etree.Element, most int) ([]byte, error) {
	s, err := Text(e)
	if err != nil {
		return nil, err
	}
	if len(s) > most {
		return nil, LimitError(fmt.Sprintf("%s of more than %d characters", e.Tag, most))
	}
	// The decoder skips line ends. The other white space of XML is removed
	// here.
	value, err := base64.StdEncoding.Strict().DecodeString(WithoutSpace(s))
	if err != nil || len(value) == 0 {
		return nil, fmt.Errorf("xmldsig: %.60s is not base64", e.Tag)
	}
	return value, nil
}

// WithoutSpace returns a text without its white space. It allocates at most once.
func WithoutSpace(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return -1
		}
		return c
	}, s)
}
