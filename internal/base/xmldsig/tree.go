package xmldsig

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
	validator "github.com/mattermost/xml-roundtrip-validator"
)

// mostUnusual bounds the start tags that may have names outside ASCII.
const mostUnusual = 32

// RoundTrip returns an error if a start tag would not survive being written and
// read again by Go's encoder (CVE-2020-29509 and others of its kind). The
// document has passed [Scan].
//
// Only names are affected, and of those that pass Scan only names outside
// ASCII can be: the others are a letter or underscore and then letters, digits,
// dots and hyphens, with at most one colon. To check every tag would let a small
// request allocate megabytes.
func RoundTrip(doc []byte) error {
	if !hasUnusualName(doc) {
		return nil
	}

	decoder := xml.NewDecoder(bytes.NewReader(doc))
	for unusual := 0; ; {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("xmldsig: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || !isUnusual(start) {
			continue
		}
		if unusual++; unusual > mostUnusual {
			return LimitError(fmt.Sprintf("more than %d tags with names outside ASCII", mostUnusual))
		}
		if err := validator.CheckToken(start); err != nil {
			return fmt.Errorf("xmldsig: %w", err)
		}
	}
}

// hasUnusualName reports whether a tag has an octet outside ASCII that does not
// stand in a quoted value.
func hasUnusualName(doc []byte) bool {
	var inTag bool
	var quote byte // the quote that ends the current value, or 0
	for _, c := range doc {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case !inTag:
			inTag = c == '<'
		case c == '>':
			inTag = false
		case c == '"' || c == '\'':
			quote = c
		case c >= utf8.RuneSelf:
			return true
		}
	}
	return false
}

// isUnusual reports whether a start tag has a name outside ASCII.
func isUnusual(t xml.StartElement) bool {
	// The prefix counts as well as the local name.
	unusual := func(n xml.Name) bool {
		return strings.ContainsFunc(n.Space, outsideASCII) || strings.ContainsFunc(n.Local, outsideASCII)
	}
	return unusual(t.Name) || slices.ContainsFunc(t.Attr, func(a xml.Attr) bool { return unusual(a.Name) })
}

func outsideASCII(c rune) bool { return c >= utf8.RuneSelf }

// Parse builds the tree of a document and returns its root. The document has
// passed [Scan] and [RoundTrip], or was written by [Canonicalize].
func Parse(doc []byte, limits Limits) (*etree.Element, error) {
	d := etree.NewDocument()
	d.ReadSettings = etree.ReadSettings{
		// A repeated attribute must not vanish unseen.
		PreserveDuplicateAttrs: true,
		MaxDepth:               limits.Depth,
	}
	if err := d.ReadFromBytes(doc); err != nil {
		return nil, fmt.Errorf("xmldsig: %w", err)
	}
	// This is checked on the result, which costs less than a second pass.
	if len(d.Child) != 1 || d.Root() == nil {
		return nil, errors.New("xmldsig: not exactly one root element")
	}
	return d.Root(), nil
}

// Is reports whether an element has this expanded name.
func Is(e *etree.Element, space, tag string) bool {
	return e.Tag == tag && e.NamespaceURI() == space
}

// Attribute returns the value of the attribute of this name that is in no
// namespace, and reports whether there is one.
func Attribute(e *etree.Element, name string) (string, bool) {
	for i := range e.Attr {
		if e.Attr[i].Space == "" && e.Attr[i].Key == name {
			return e.Attr[i].Value, true
		}
	}
	return "", false
}

// OnlyAttributes returns an error if the element has an attribute in no
// namespace with another name. Attributes in a namespace are allowed, because
// they are not read.
func OnlyAttributes(e *etree.Element, names ...string) error {
	for _, a := range e.Attr {
		// Namespace declarations are not attributes in this sense.
		if a.Space != "" || a.Key == "xmlns" {
			continue
		}
		known := false
		for _, name := range names {
			known = known || a.Key == name
		}
		if !known {
			return fmt.Errorf("xmldsig: attribute %.60q on %.60s", a.Key, e.Tag)
		}
	}
	return nil
}

// Children returns the elements inside of an element. Anything else inside but
// white space is an error.
func Children(e *etree.Element) ([]*etree.Element, error) {
	var list []*etree.Element
	for _, token := range e.Child {
		switch token := token.(type) {
		case *etree.Element:
			list = append(list, token)
		case *etree.CharData:
			if strings.Trim(token.Data, " \t\r\n") != "" {
				return nil, fmt.Errorf("xmldsig: text inside %.60s", e.Tag)
			}
		default:
			return nil, fmt.Errorf("xmldsig: %T inside %.60s", token, e.Tag)
		}
	}
	return list, nil
}

// Text returns the text of an element. Anything else inside is an error, so the
// text is never a part of what is there.
func Text(e *etree.Element) (string, error) {
	var b strings.Builder
	for _, token := range e.Child {
		data, ok := token.(*etree.CharData)
		if !ok {
			return "", fmt.Errorf("xmldsig: %.60s has more than text", e.Tag)
		}
		b.WriteString(data.Data)
	}
	return b.String(), nil
}

// Walk calls visit for an element and each element below it, until visit returns
// an error.
func Walk(e *etree.Element, visit func(*etree.Element) error) error {
	if err := visit(e); err != nil {
		return err
	}
	for _, token := range e.Child {
		if child, ok := token.(*etree.Element); ok {
			if err := Walk(child, visit); err != nil {
				return err
			}
		}
	}
	return nil
}
