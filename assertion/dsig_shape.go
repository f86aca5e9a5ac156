package assertion

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// The names of XML Signature that are read.
const (
	nsDSig         = "http://www.w3.org/2000/09/xmldsig#"
	exclusiveC14N  = "http://www.w3.org/2001/10/xml-exc-c14n#"
	envelopedTrans = nsDSig + "enveloped-signature"
)

// signature is a ds:Signature of the one shape that is accepted: SignedInfo with
// a single Reference, SignatureValue, and perhaps a KeyInfo, which is never read.
type signature struct {
	element    *etree.Element
	signedInfo *etree.Element
	value      []byte
}

// method is an algorithm with the PrefixList that a canonicalization may carry.
type method struct {
	algorithm string
	prefixes  []string
}

// signedInfo is what ds:SignedInfo says.
type signedInfo struct {
	canonicalization method
	signing          string
	uri              string
	transforms       []method
	digest           string
	digestValue      []byte
}

// readSignature takes a ds:Signature apart.
func readSignature(e *etree.Element) (*signature, error) {
	parts, err := children(e)
	if err != nil {
		return nil, err
	}
	if len(parts) == 3 && is(parts[2], nsDSig, "KeyInfo") {
		parts = parts[:2]
	}
	if len(parts) != 2 || !is(parts[0], nsDSig, "SignedInfo") || !is(parts[1], nsDSig, "SignatureValue") {
		return nil, errors.New("the Signature is not SignedInfo, SignatureValue and at most KeyInfo")
	}
	if err := onlyAttributes(e, "Id"); err != nil {
		return nil, err
	}
	value, err := base64Text(parts[1])
	if err != nil {
		return nil, err
	}
	return &signature{element: e, signedInfo: parts[0], value: value}, nil
}

// readSignedInfo takes a ds:SignedInfo apart. It judges the shape only, not the algorithms.
func readSignedInfo(e *etree.Element) (*signedInfo, error) {
	parts, err := children(e)
	if err != nil {
		return nil, err
	}
	if len(parts) != 3 || !is(parts[0], nsDSig, "CanonicalizationMethod") ||
		!is(parts[1], nsDSig, "SignatureMethod") || !is(parts[2], nsDSig, "Reference") {
		return nil, errors.New("the SignedInfo is not two methods and one Reference")
	}
	var info signedInfo
	if err := onlyAttributes(e, "Id"); err != nil {
		return nil, err
	}
	if info.canonicalization, err = readMethod(parts[0]); err != nil {
		return nil, err
	}
	signing, err := readMethod(parts[1])
	if err != nil {
		return nil, err
	}
	if signing.prefixes != nil {
		return nil, errors.New("SignatureMethod has parameters")
	}
	info.signing = signing.algorithm
	return &info, info.readReference(parts[2])
}

func (info *signedInfo) readReference(e *etree.Element) error {
	parts, err := children(e)
	if err != nil {
		return err
	}
	if len(parts) != 3 || !is(parts[0], nsDSig, "Transforms") ||
		!is(parts[1], nsDSig, "DigestMethod") || !is(parts[2], nsDSig, "DigestValue") {
		return errors.New("the Reference is not Transforms, DigestMethod and DigestValue")
	}
	if err := onlyAttributes(e, "Id", "URI"); err != nil {
		return err
	}
	var ok bool
	if info.uri, ok = attribute(e, "URI"); !ok {
		return errors.New("the Reference has no URI")
	}
	transforms, err := children(parts[0])
	if err != nil {
		return err
	}
	for _, t := range transforms {
		if !is(t, nsDSig, "Transform") {
			return fmt.Errorf("%s among the transforms", t.Tag)
		}
		transform, err := readMethod(t)
		if err != nil {
			return err
		}
		info.transforms = append(info.transforms, transform)
	}
	digest, err := readMethod(parts[1])
	if err != nil {
		return err
	}
	if digest.prefixes != nil {
		return errors.New("DigestMethod has parameters")
	}
	info.digest = digest.algorithm
	info.digestValue, err = base64Text(parts[2])
	return err
}

// readMethod reads an algorithm. The only parameter it knows is InclusiveNamespaces.
func readMethod(e *etree.Element) (method, error) {
	var m method
	if err := onlyAttributes(e, "Algorithm"); err != nil {
		return m, err
	}
	m.algorithm, _ = attribute(e, "Algorithm")
	parts, err := children(e)
	if err != nil || len(parts) == 0 {
		return m, err
	}
	if len(parts) != 1 || m.algorithm != exclusiveC14N || !is(parts[0], exclusiveC14N, "InclusiveNamespaces") {
		return m, fmt.Errorf("%s has parameters", e.Tag)
	}
	if inner, err := children(parts[0]); err != nil || len(inner) > 0 {
		return m, errors.New("InclusiveNamespaces is not empty")
	}
	list, _ := attribute(parts[0], "PrefixList")
	m.prefixes = strings.Fields(list)
	return m, nil
}

// base64Text reads base64 that may be broken into lines.
func base64Text(e *etree.Element) ([]byte, error) {
	s, err := text(e)
	if err != nil {
		return nil, err
	}
	// The decoder itself skips line ends; the other white space of XML goes here.
	value, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil || len(value) == 0 {
		return nil, fmt.Errorf("%s is not base64", e.Tag)
	}
	return value, nil
}
