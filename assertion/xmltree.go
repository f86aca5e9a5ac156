package assertion

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

// roundTrip holds that start tags survive being written and read again by Go's
// encoder. Only names are known not to (CVE-2020-29509 and its like), and after
// scanXML only those outside ASCII could be: the others are a letter or underscore
// and then letters, digits, dots and hyphens, with at most one colon. To put every
// tag through it would let a small request allocate megabytes.
func roundTrip(doc []byte) error {
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
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok || !isUnusual(start) {
			continue
		}
		if unusual++; unusual > mostUnusual {
			return limitError(fmt.Sprintf("more than %d tags with names outside ASCII", mostUnusual))
		}
		if err := validator.CheckToken(start); err != nil {
			return err
		}
	}
}

// hasUnusualName reports whether there is anything outside ASCII inside a tag but
// outside its quoted values.
func hasUnusualName(doc []byte) bool {
	var inTag bool
	var quote byte
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

// isUnusual reports a start tag with a name outside ASCII.
func isUnusual(t xml.StartElement) bool {
	unusual := func(n xml.Name) bool {
		return strings.ContainsFunc(n.Space, outsideASCII) || strings.ContainsFunc(n.Local, outsideASCII)
	}
	return unusual(t.Name) || slices.ContainsFunc(t.Attr, func(a xml.Attr) bool { return unusual(a.Name) })
}

func outsideASCII(c rune) bool { return c >= utf8.RuneSelf }

// parseTree builds the tree of a document and returns its root. That there is one
// root and nothing else is checked on the result, which costs less than a second pass.
func parseTree(doc []byte, limits Limits) (*etree.Element, error) {
	d := etree.NewDocument()
	d.ReadSettings = etree.ReadSettings{
		PreserveDuplicateAttrs: true, // a doubled attribute must not vanish unseen
		MaxDepth:               limits.Depth,
	}
	if err := d.ReadFromBytes(doc); err != nil {
		return nil, err
	}
	if len(d.Child) != 1 || d.Root() == nil {
		return nil, errors.New("not exactly one root element")
	}
	return d.Root(), nil
}

// is reports whether an element has this expanded name.
func is(e *etree.Element, space, tag string) bool {
	return e.Tag == tag && e.NamespaceURI() == space
}

// attribute returns the attribute of this name that is in no namespace.
func attribute(e *etree.Element, name string) (string, bool) {
	for i := range e.Attr {
		if e.Attr[i].Space == "" && e.Attr[i].Key == name {
			return e.Attr[i].Value, true
		}
	}
	return "", false
}

// onlyAttributes refuses attributes without a namespace besides those named.
// Attributes of foreign namespaces are never read and so may stay.
func onlyAttributes(e *etree.Element, names ...string) error {
	for _, a := range e.Attr {
		if a.Space != "" || a.Key == "xmlns" {
			continue
		}
		known := false
		for _, name := range names {
			known = known || a.Key == name
		}
		if !known {
			return fmt.Errorf("attribute %q on %s", a.Key, e.Tag)
		}
	}
	return nil
}

// children returns the elements inside an element that has nothing else inside
// but white space.
func children(e *etree.Element) ([]*etree.Element, error) {
	var list []*etree.Element
	for _, token := range e.Child {
		switch token := token.(type) {
		case *etree.Element:
			list = append(list, token)
		case *etree.CharData:
			if strings.Trim(token.Data, " \t\r\n") != "" {
				return nil, fmt.Errorf("text inside %s", e.Tag)
			}
		default:
			return nil, fmt.Errorf("%T inside %s", token, e.Tag)
		}
	}
	return list, nil
}

// text returns the whole text of an element that has nothing else inside. It is
// never a part of it: whatever splits a text is an error.
func text(e *etree.Element) (string, error) {
	var b strings.Builder
	for _, token := range e.Child {
		data, ok := token.(*etree.CharData)
		if !ok {
			return "", fmt.Errorf("%s has more than text", e.Tag)
		}
		b.WriteString(data.Data)
	}
	return b.String(), nil
}

// walk calls visit for an element and everything below it until an error.
func walk(e *etree.Element, visit func(*etree.Element) error) error {
	if err := visit(e); err != nil {
		return err
	}
	for _, token := range e.Child {
		if child, ok := token.(*etree.Element); ok {
			if err := walk(child, visit); err != nil {
				return err
			}
		}
	}
	return nil
}
