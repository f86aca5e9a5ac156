package xmldsig

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// The names that XML itself reserves (Namespaces in XML 1.0, section 3).
const (
	nsXML   = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS = "http://www.w3.org/2000/xmlns/"
)

// Scan accepts the small part of XML that a signed document needs: UTF-8, one
// root, elements, attributes and text. It returns the document without its XML
// declaration, its byte order mark and the white space around the root, and with
// attribute values normalized (XML 1.0 section 3.3.3). It refuses everything that
// parsers, serializers and canonicalizers are known to disagree about. A
// document beyond the limits is a [LimitError].
func Scan(doc []byte, limits Limits) ([]byte, error) {
	return scan(doc, &scanner{limits: limits})
}

// ScanTree is [Scan], and also returns the root of the document's tree, which [Parse]
// would return too. It is built from the tokens that were accepted, so that a large
// document is read once.
func ScanTree(doc []byte, limits Limits) ([]byte, *etree.Element, error) {
	above := etree.NewElement("") // of the root
	octets, err := scan(doc, &scanner{limits: limits, inside: above})
	if err != nil {
		return nil, nil, err
	}
	root := above.ChildElements()[0]
	above.RemoveChild(root)
	return octets, root, nil
}

func scan(doc []byte, s *scanner) ([]byte, error) {
	doc, err := checkText(doc)
	if err != nil {
		return nil, err
	}
	doc = normalizeAttributes(bytes.Trim(doc, " \t\r\n"))

	// RawToken does not translate prefixes, so that the scanner sees them.
	decoder := xml.NewDecoder(bytes.NewReader(doc))
	for {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			// The decoder's text may have a name of any length.
			return nil, fmt.Errorf("xmldsig: not well-formed: %.200s", err.Error())
		}
		if err := s.token(token); err != nil {
			return nil, err
		}
	}
	// RawToken reports neither an empty document nor an element that does not end.
	if s.elements == 0 || len(s.open) > 0 {
		return nil, errors.New("xmldsig: no root element, or one that does not end")
	}
	return doc, nil
}

// scanner holds the state of one scan.
type scanner struct {
	limits     Limits
	elements   int
	attributes int
	open       []openElement
	bindings   []binding
	inside     *etree.Element // the element that the next token belongs to; nil: no tree is built
}

// openElement is an element that has begun and not ended.
type openElement struct {
	name     xml.Name // prefix and local name
	bindings int      // how many were in scope outside of it
}

// token takes one token of the document.
func (s *scanner) token(token xml.Token) error {
	switch token := token.(type) {
	case xml.StartElement:
		return s.start(token)
	case xml.EndElement:
		return s.end(token)
	case xml.CharData:
		if len(s.open) == 0 {
			return errors.New("xmldsig: text outside the root element")
		}
		if s.inside != nil {
			s.inside.CreateText(string(token))
		}
		return nil
	default:
		return fmt.Errorf("xmldsig: unexpected %T", token)
	}
}

// start enters an element.
func (s *scanner) start(t xml.StartElement) error {
	// After the root has ended, no other element may begin.
	if len(s.open) == 0 && s.elements > 0 {
		return errors.New("xmldsig: a second root element")
	}
	s.elements++
	s.attributes += len(t.Attr)
	if err := s.checkLimits(t); err != nil {
		return err
	}

	s.open = append(s.open, openElement{t.Name, len(s.bindings)})
	for _, a := range t.Attr {
		if err := s.declare(a); err != nil {
			return err
		}
	}
	if len(s.bindings) > s.limits.Namespaces {
		return LimitError(fmt.Sprintf("more than %d namespace declarations", s.limits.Namespaces))
	}
	if err := s.checkName(t.Name); err != nil {
		return err
	}
	if err := s.checkAttributes(t.Attr); err != nil {
		return err
	}
	s.grow(t)
	return nil
}

// grow adds an element to the tree. Its names were checked, so none has a second colon,
// and no attribute is there twice.
func (s *scanner) grow(t xml.StartElement) {
	if s.inside == nil {
		return
	}
	e := s.inside.CreateElement(qualified(t.Name.Space, t.Name.Local))
	e.Attr = make([]etree.Attr, 0, len(t.Attr))
	for _, a := range t.Attr {
		e.CreateAttr(qualified(a.Name.Space, a.Name.Local), a.Value)
	}
	s.inside = e
}

// checkLimits compares what was counted so far, the element included.
func (s *scanner) checkLimits(t xml.StartElement) error {
	switch {
	case s.elements > s.limits.Elements:
		return LimitError(fmt.Sprintf("more than %d elements", s.limits.Elements))
	case len(s.open) >= s.limits.Depth:
		return LimitError(fmt.Sprintf("nested deeper than %d", s.limits.Depth))
	case len(t.Attr) > s.limits.Attributes:
		return LimitError(fmt.Sprintf("more than %d attributes on one element", s.limits.Attributes))
	case s.attributes > 3*s.limits.Elements:
		return LimitError(fmt.Sprintf("more than %d attributes", 3*s.limits.Elements))
	}
	return nil
}

// declare enters a namespace declaration into the scope. Other attributes are
// passed over.
func (s *scanner) declare(a xml.Attr) error {
	b := binding{uri: a.Value}
	switch {
	case a.Name.Space == "xmlns":
		// XML 1.0 does not allow to undo the declaration of a prefix.
		b.prefix = a.Name.Local
		// The prefix xml may be declared with its own namespace, which changes
		// nothing (Namespaces in XML 1.0 section 3).
		if b.prefix == "xml" && b.uri == nsXML {
			return nil
		}
		if b.prefix == "xml" || b.prefix == "xmlns" || b.uri == "" {
			return fmt.Errorf("xmldsig: reserved or empty declaration of prefix %.60q", b.prefix)
		}
	case a.Name.Space == "" && a.Name.Local == "xmlns":
	default:
		return nil
	}
	if b.uri == nsXML || b.uri == nsXMLNS {
		return errors.New("xmldsig: declaration of a reserved namespace")
	}
	// Canonicalization of relative namespace names is undefined, and some
	// canonicalizers return nothing at all.
	if b.uri != "" && !hasScheme(b.uri) {
		return fmt.Errorf("xmldsig: relative namespace %.120q", b.uri)
	}
	s.bindings = append(s.bindings, b)
	return nil
}

// checkName holds an element or attribute to a declared prefix and a local name.
func (s *scanner) checkName(n xml.Name) error {
	if !isNCName(n.Local) || n.Space != "" && !isNCName(n.Space) {
		return fmt.Errorf("xmldsig: name %.60q with prefix %.60q is not a prefix and a local name", n.Local, n.Space)
	}
	if _, ok := s.resolve(n.Space); !ok {
		return fmt.Errorf("xmldsig: prefix %.60q is not declared: its declaration may have been lost "+
			"when the element was cut out of a larger document", n.Space)
	}
	return nil
}

// checkAttributes refuses undeclared prefixes, and two attributes with the same
// expanded name.
func (s *scanner) checkAttributes(attributes []xml.Attr) error {
	// Few elements have many attributes, so a list is faster than a map.
	seen := make([]xml.Name, 0, 4)
	for _, a := range attributes {
		name := a.Name
		switch {
		case name.Space == "xmlns":
			if !isNCName(name.Local) {
				return fmt.Errorf("xmldsig: prefix %.60q is not a name", name.Local)
			}
		case name.Space != "":
			if err := s.checkName(name); err != nil {
				return err
			}
			// Two prefixes can stand for one namespace.
			name.Space, _ = s.resolve(name.Space)
		case !isNCName(name.Local):
			return fmt.Errorf("xmldsig: attribute %.60q is not a name", name.Local)
		}
		for _, other := range seen {
			if other == name {
				return fmt.Errorf("xmldsig: two attributes %.60q on one element", a.Name.Local)
			}
		}
		seen = append(seen, name)
	}
	return nil
}

// end leaves an element. RawToken does not compare the tags, so this does.
func (s *scanner) end(t xml.EndElement) error {
	last := len(s.open) - 1
	if last < 0 || s.open[last].name != t.Name {
		return fmt.Errorf("xmldsig: end tag %.60q without its start", t.Name.Local)
	}
	if s.inside != nil {
		s.inside = s.inside.Parent()
	}
	s.bindings = s.bindings[:s.open[last].bindings]
	s.open = s.open[:last]
	return nil
}

// resolve returns the namespace of a prefix, and reports whether the prefix is
// declared. The empty one always is.
func (s *scanner) resolve(prefix string) (string, bool) {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == prefix {
			return s.bindings[i].uri, true
		}
	}
	if prefix == "xml" {
		return nsXML, true
	}
	return "", prefix == ""
}

// isNCName reports whether s is a name without a colon. It checks only what the
// decoder leaves open, which allows a colon and lets a local name begin with
// any name character.
func isNCName(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return s != "" && (first == '_' || unicode.IsLetter(first)) && !strings.ContainsRune(s, ':')
}

// hasScheme reports whether a URI is absolute (RFC 3986 section 3.1).
func hasScheme(uri string) bool {
	scheme, _, found := strings.Cut(uri, ":")
	return found && scheme != "" && isASCIILetter(rune(scheme[0])) && !strings.ContainsFunc(scheme, func(c rune) bool {
		return !isASCIILetter(c) && !('0' <= c && c <= '9') && c != '+' && c != '-' && c != '.'
	})
}

// isASCIILetter reports whether c is one of A-Z and a-z.
func isASCIILetter(c rune) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
