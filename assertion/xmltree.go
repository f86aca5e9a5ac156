package assertion

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/beevik/etree"
	validator "github.com/mattermost/xml-roundtrip-validator"
)

// roundTrip holds that every start tag survives being written and read again.
// End tags equal their start tags and text has no other form than the escaped
// one, both by scanXML, so they need no trip of their own.
func roundTrip(doc []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(doc))
	for {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); ok {
			if err := validator.CheckToken(start); err != nil {
				return err
			}
		}
	}
}

// parseTree builds the tree of a document and returns its root.
func parseTree(doc []byte, limits Limits) (*etree.Element, error) {
	d := etree.NewDocument()
	d.ReadSettings = etree.ReadSettings{
		ValidateInput:          true,
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
