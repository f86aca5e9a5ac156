package assertion

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// canonicalize writes an element by Exclusive XML Canonicalization 1.0 without
// comments. inclusive is the PrefixList of InclusiveNamespaces, in which
// "#default" stands for the default namespace. omit, if not nil, is left out with
// all its content: that is the enveloped-signature transform.
//
// A fault here can only refuse an honest assertion: what is read afterwards is
// parsed from the very octets that are returned, and the digest covers them.
func canonicalize(e *etree.Element, inclusive []string, omit *etree.Element) ([]byte, error) {
	c := canonicalizer{omit: omit, inclusive: make([]string, 0, len(inclusive))}
	for _, prefix := range inclusive {
		if prefix == "#default" {
			prefix = ""
		}
		c.inclusive = append(c.inclusive, prefix)
	}
	// The declarations around the element are in scope but not yet written.
	var ancestors []*etree.Element
	for p := e.Parent(); p != nil; p = p.Parent() {
		ancestors = append(ancestors, p)
	}
	for _, p := range slices.Backward(ancestors) {
		c.scope = declarations(c.scope, p)
	}
	if err := c.element(e); err != nil {
		return nil, err
	}
	return []byte(c.out.String()), nil
}

type canonicalizer struct {
	out       strings.Builder
	inclusive []string
	omit      *etree.Element
	scope     []binding // declarations in scope, the innermost last
	written   []binding // declarations in the output around here, the innermost last
}

// declarations appends those of one element to a scope.
func declarations(scope []binding, e *etree.Element) []binding {
	for _, a := range e.Attr {
		switch {
		case a.Space == "xmlns":
			scope = append(scope, binding{a.Key, a.Value})
		case a.Space == "" && a.Key == "xmlns":
			scope = append(scope, binding{"", a.Value})
		}
	}
	return scope
}

// lookup returns the innermost binding of a prefix.
func lookup(bindings []binding, prefix string) (string, bool) {
	for _, b := range slices.Backward(bindings) {
		if b.prefix == prefix {
			return b.uri, true
		}
	}
	return "", false
}

// sortedAttribute is an attribute with its namespace, which is what orders it.
type sortedAttribute struct {
	uri  string
	attr *etree.Attr
}

func (c *canonicalizer) element(e *etree.Element) error {
	outerScope, outerWritten := len(c.scope), len(c.written)
	defer func() { c.scope, c.written = c.scope[:outerScope], c.written[:outerWritten] }()
	c.scope = declarations(c.scope, e)

	// A prefix is written where it is used or where the PrefixList demands it.
	prefixes := append(make([]string, 0, 8), e.Space)
	attributes := make([]sortedAttribute, 0, len(e.Attr))
	for i := range e.Attr {
		a := &e.Attr[i]
		if a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns" {
			continue
		}
		uri := ""
		switch a.Space {
		case "":
		case "xml":
			uri = nsXML
		default:
			var ok bool
			if uri, ok = lookup(c.scope, a.Space); !ok {
				return fmt.Errorf("prefix %q is not declared", a.Space)
			}
			prefixes = append(prefixes, a.Space)
		}
		attributes = append(attributes, sortedAttribute{uri, a})
	}
	for _, prefix := range c.inclusive {
		if _, ok := lookup(c.scope, prefix); ok {
			prefixes = append(prefixes, prefix)
		}
	}
	slices.Sort(prefixes)
	slices.SortFunc(attributes, func(a, b sortedAttribute) int {
		if order := strings.Compare(a.uri, b.uri); order != 0 {
			return order
		}
		return strings.Compare(a.attr.Key, b.attr.Key)
	})

	name := qualified(e.Space, e.Tag)
	c.out.WriteString("<" + name)
	for _, prefix := range slices.Compact(prefixes) {
		if err := c.namespace(prefix); err != nil {
			return err
		}
	}
	for _, a := range attributes {
		c.out.WriteString(" " + qualified(a.attr.Space, a.attr.Key) + `="`)
		attributeEscapes.WriteString(&c.out, a.attr.Value)
		c.out.WriteByte('"')
	}
	c.out.WriteByte('>')
	for _, token := range e.Child {
		switch token := token.(type) {
		case *etree.Element:
			if token == c.omit {
				continue
			}
			if err := c.element(token); err != nil {
				return err
			}
		case *etree.CharData:
			textEscapes.WriteString(&c.out, token.Data)
		default:
			// scanXML lets nothing else through; to drop it here would part what is
			// signed from what was sent.
			return fmt.Errorf("%T inside %s", token, e.Tag)
		}
	}
	c.out.WriteString("</" + name + ">")
	return nil
}

// namespace writes the declaration of a prefix unless the output has it already.
func (c *canonicalizer) namespace(prefix string) error {
	if prefix == "xml" {
		return nil
	}
	uri, declared := lookup(c.scope, prefix)
	if !declared && prefix != "" {
		return fmt.Errorf("prefix %q is not declared", prefix)
	}
	if written, ok := lookup(c.written, prefix); written == uri && (ok || uri == "") {
		return nil
	}
	c.written = append(c.written, binding{prefix, uri})
	c.out.WriteString(" xmlns")
	if prefix != "" {
		c.out.WriteString(":" + prefix)
	}
	c.out.WriteString(`="`)
	attributeEscapes.WriteString(&c.out, uri)
	c.out.WriteByte('"')
	return nil
}

func qualified(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}

// Canonical XML 1.0 section 2.3.
var (
	attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
	textEscapes      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
)
