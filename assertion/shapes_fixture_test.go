package assertion

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// shape is a document that differs from an accepted one in one element.
type shape struct {
	change  string // what was done to the element
	element string // the path of the element, or of the attribute
	root    *etree.Element
}

func (s shape) String() string { return s.change + " " + s.element }

// shapesOf returns every document in which one element of the original is renamed, put
// into another namespace, doubled, dropped, moved within its parent or out of it, or
// given an attribute, an element or text, and in which one attribute is dropped, renamed
// or changed.
func shapesOf(original *etree.Element) []shape {
	var all []shape
	for i, e := range elementsOf(original) {
		path := pathOf(e)
		// add makes a copy of the document and changes the copy of the element.
		add := func(change, element string, apply func(e, parent *etree.Element) bool) {
			root := original.Copy()
			copied := elementsOf(root)[i]
			if apply(copied, copied.Parent()) {
				all = append(all, shape{change, element, root})
			}
		}
		add("renamed", path, func(e, _ *etree.Element) bool { e.Tag += "X"; return true })
		add("other namespace", path, func(e, _ *etree.Element) bool {
			e.CreateAttr("xmlns:other", "urn:other")
			e.Space = "other"
			return true
		})
		add("doubled", path, func(e, parent *etree.Element) bool {
			if parent != nil {
				parent.InsertChildAt(e.Index(), e.Copy())
			}
			return parent != nil
		})
		add("dropped", path, func(e, parent *etree.Element) bool { return parent != nil && parent.RemoveChild(e) != nil })
		add("moved first", path, func(e, parent *etree.Element) bool {
			return move(e, parent, func() { parent.InsertChildAt(0, e) })
		})
		add("moved last", path, func(e, parent *etree.Element) bool { return move(e, parent, func() { parent.AddChild(e) }) })
		add("moved out", path, func(e, parent *etree.Element) bool {
			if parent == nil || parent.Parent() == nil {
				return false
			}
			above, at := parent.Parent(), parent.Index()
			parent.RemoveChild(e)
			above.InsertChildAt(at+1, e)
			return true
		})
		add("given an attribute", path, func(e, _ *etree.Element) bool { e.CreateAttr("odd", "1"); return true })
		add("given a foreign attribute", path, func(e, _ *etree.Element) bool {
			e.CreateAttr("xmlns:other", "urn:other")
			e.CreateAttr("other:odd", "1")
			return true
		})
		add("given an element", path, func(e, _ *etree.Element) bool {
			e.CreateElement("odd").CreateAttr("xmlns", "urn:other")
			return true
		})
		add("given text", path, func(e, _ *etree.Element) bool { e.CreateText("odd"); return true })
		add("emptied", path, func(e, _ *etree.Element) bool {
			full := len(e.Child) > 0
			e.Child = nil
			return full
		})
		for _, a := range e.Attr {
			if a.Space == "xmlns" || a.Key == "xmlns" {
				continue
			}
			name := a.FullKey()
			at := path + "/@" + name
			add("dropped", at, func(e, _ *etree.Element) bool { return e.RemoveAttr(name) != nil })
			add("renamed", at, func(e, _ *etree.Element) bool {
				e.RemoveAttr(name)
				e.CreateAttr(name+"X", a.Value)
				return true
			})
			add("changed", at, func(e, _ *etree.Element) bool { e.CreateAttr(name, "odd"); return true })
			add("emptied", at, func(e, _ *etree.Element) bool { e.CreateAttr(name, ""); return true })
		}
	}
	return all
}

// move reports whether an element has another place than before.
func move(e, parent *etree.Element, place func()) bool {
	if parent == nil || len(parent.ChildElements()) < 2 {
		return false
	}
	before := slices.Index(parent.ChildElements(), e)
	parent.RemoveChild(e)
	place()
	return slices.Index(parent.ChildElements(), e) != before
}

// elementsOf returns an element and all below it, in the order of the document.
func elementsOf(e *etree.Element) []*etree.Element {
	all := []*etree.Element{e}
	for _, child := range e.ChildElements() {
		all = append(all, elementsOf(child)...)
	}
	return all
}

// pathOf names an element by its tags from the root, with its number among those of the
// same tag if there are several.
func pathOf(e *etree.Element) string {
	name := e.Tag
	parent := e.Parent()
	if parent == nil || parent.Tag == "" {
		return name
	}
	number, several := 0, 0
	for _, other := range parent.ChildElements() {
		if other.Tag == e.Tag {
			several++
		}
		if other == e {
			number = several
		}
	}
	if several > 1 {
		name += fmt.Sprint(number)
	}
	return pathOf(parent) + "/" + name
}

// signAgain computes the digest and the signature of a document anew, as far as it has
// the elements for them.
func signAgain(t testing.TB, root *etree.Element, s signing) string {
	t.Helper()
	find := func(tag string) *etree.Element {
		for _, e := range elementsOf(root) {
			if e.Tag == tag {
				return e
			}
		}
		return nil
	}
	if signature, digest := find("Signature"), find("DigestValue"); signature != nil && digest != nil {
		covered, err := xmldsig.Canonicalize(root, s.prefixes, signature)
		require.NoError(t, err)
		h := hashOf(digest256).New()
		h.Write(covered)
		setText(digest, base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	if info, value := find("SignedInfo"), find("SignatureValue"); info != nil && value != nil {
		octets, err := xmldsig.Canonicalize(info, nil, nil)
		require.NoError(t, err)
		setText(value, base64.StdEncoding.EncodeToString(s.value(t, octets)))
	}
	d := etree.NewDocument()
	d.SetRoot(root)
	text, err := d.WriteToString()
	require.NoError(t, err)
	return text
}

// setText replaces the text of an element and keeps its elements.
func setText(e *etree.Element, text string) {
	odd := strings.HasSuffix(e.Text(), "odd")
	inner := e.ChildElements()
	e.Child = nil
	if odd {
		text += "odd"
	}
	e.CreateText(text)
	for _, child := range inner {
		e.AddChild(child)
	}
}
