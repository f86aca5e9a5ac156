package xmldsig

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Canonicalize writes an element by Exclusive XML Canonicalization 1.0 without
// comments. inclusive is the PrefixList of InclusiveNamespaces, in which
// "#default" stands for the default namespace. If omit is not nil, it is left
// out with all its content: that is the enveloped-signature transform.
//
// A fault in this function can only refuse an honest document: what is read
// afterwards is parsed from the octets that are returned, and the digest of the
// signature covers them.
func Canonicalize(e *etree.Element, inclusive []string, omit *etree.Element) ([]byte, error) {
	return canonicalize(e, inclusive, omit, math.MaxInt)
}

// canonicalize is [Canonicalize] with a bound on the size of the result in octets.
// Without one, a document of 60 KB could have a canonical form of many megabytes: a
// long namespace that the root declares and that each of its children uses.
func canonicalize(e *etree.Element, inclusive []string, omit *etree.Element, most int) ([]byte, error) {
	c := canonicalizer{omit: omit, most: most, inclusive: make([]string, 0, len(inclusive))}
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
	c.apex = e

	if err := c.element(e); err != nil {
		return nil, err
	}
	return []byte(c.out.String()), nil
}

// canonicalizer writes one subtree.
type canonicalizer struct {
	out       strings.Builder
	inclusive []string
	omit      *etree.Element
	apex      *etree.Element
	most      int
	scope     []binding // declarations in scope, the innermost last
	written   []binding // declarations in the output around here, the innermost last
}

// binding is a namespace declaration.
// The empty prefix is the default namespace, and the empty URI is no namespace.
type binding struct{ prefix, uri string }

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

// sortedAttribute is an attribute with its namespace, by which it is ordered
// (Canonical XML 1.0 section 2.2).
type sortedAttribute struct {
	uri  string
	attr *etree.Attr
}

// element writes one element with everything below it.
func (c *canonicalizer) element(e *etree.Element) error {
	// Both scopes end with the element.
	outerScope := len(c.scope)
	outerWritten := len(c.written)
	defer func() {
		c.scope = c.scope[:outerScope]
		c.written = c.written[:outerWritten]
	}()
	c.scope = declarations(c.scope, e)
	if c.out.Len() > c.most {
		return LimitError(fmt.Sprintf("a canonical form of more than %d octets", c.most))
	}

	// Namespace declarations stand before the attributes, each in its order.
	attributes, used, err := c.attributes(e)
	if err != nil {
		return err
	}
	name := qualified(e.Space, e.Tag)
	c.out.WriteString("<" + name)
	for _, prefix := range c.visible(e, used, c.scope[outerScope:]) {
		if err := c.namespace(prefix); err != nil {
			return err
		}
	}
	for _, a := range attributes {
		c.out.WriteString(" " + qualified(a.attr.Space, a.attr.Key) + `="`)
		_, _ = attributeEscapes.WriteString(&c.out, a.attr.Value)
		c.out.WriteByte('"')
	}
	c.out.WriteByte('>')

	if err := c.content(e); err != nil {
		return err
	}
	c.out.WriteString("</" + name + ">")
	return nil
}

// attributes returns the attributes in their canonical order, without
// namespace declarations, and the prefixes that they use.
func (c *canonicalizer) attributes(e *etree.Element) (sorted []sortedAttribute, used []string, err error) {
	sorted = make([]sortedAttribute, 0, len(e.Attr))
	for i := range e.Attr {
		a := &e.Attr[i]
		uri := ""
		switch {
		case a.Space == "xmlns", a.Space == "" && a.Key == "xmlns":
			continue
		case a.Space == "":
		case a.Space == "xml":
			uri = nsXML
		default:
			// An attribute without a prefix has no namespace, so only the others
			// need a declaration.
			var declared bool
			if uri, declared = lookup(c.scope, a.Space); !declared {
				return nil, nil, fmt.Errorf("xmldsig: prefix %.60q is not declared", a.Space)
			}
			used = append(used, a.Space)
		}
		sorted = append(sorted, sortedAttribute{uri, a})
	}

	// Attributes are ordered by namespace and then by local name. Those without
	// a namespace are first, because their namespace is empty.
	slices.SortFunc(sorted, func(a, b sortedAttribute) int {
		if order := strings.Compare(a.uri, b.uri); order != 0 {
			return order
		}
		return strings.Compare(a.attr.Key, b.attr.Key)
	})
	return sorted, used, nil
}

// visible returns the prefixes whose declarations an element needs, in order:
// those that it uses and those that the PrefixList demands. own are the element's own
// declarations.
func (c *canonicalizer) visible(e *etree.Element, used []string, own []binding) []string {
	prefixes := append(make([]string, 0, 8), e.Space)
	prefixes = append(prefixes, used...)
	// The apex writes every prefix of the list that is in scope, so that an element
	// below writes only what it declares anew.
	scope := own
	if e == c.apex {
		scope = c.scope
	}
	for _, prefix := range c.inclusive {
		if _, ok := lookup(scope, prefix); ok {
			prefixes = append(prefixes, prefix)
		}
	}
	slices.Sort(prefixes)
	return slices.Compact(prefixes)
}

// content writes what stands inside an element.
func (c *canonicalizer) content(e *etree.Element) error {
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
			_, _ = textEscapes.WriteString(&c.out, token.Data)
		default:
			// Scan refuses everything else. To leave it out here would make
			// the signed text differ from the one that was sent.
			return fmt.Errorf("xmldsig: %T inside %.60s", token, e.Tag)
		}
	}
	return nil
}

// namespace writes the declaration of a prefix unless the output has it already.
func (c *canonicalizer) namespace(prefix string) error {
	if prefix == "xml" {
		return nil
	}
	uri, declared := lookup(c.scope, prefix)
	if !declared && prefix != "" {
		return fmt.Errorf("xmldsig: prefix %.60q is not declared", prefix)
	}
	// An empty default namespace is declared only to undo another one.
	if written, ok := lookup(c.written, prefix); written == uri && (ok || uri == "") {
		return nil
	}

	c.written = append(c.written, binding{prefix, uri})
	c.out.WriteString(" xmlns")
	if prefix != "" {
		c.out.WriteString(":" + prefix)
	}
	c.out.WriteString(`="`)
	_, _ = attributeEscapes.WriteString(&c.out, uri)
	c.out.WriteByte('"')
	return nil
}

// qualified returns a name with its prefix.
func qualified(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}

// The escapes of Canonical XML 1.0 section 2.3.
var (
	attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
	textEscapes      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
)
