package assertion

import (
	"encoding/xml"
	"errors"
	"fmt"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// findEntity returns the entity with this ID. Two of them are an error, because two
// readers could choose differently.
//
// Only what is used is read: a federation's file has thousands of entities, and a fault
// in another one, or in a part that this package has no use for, must not stop an
// identity provider.
func findEntity(root *etree.Element, entityID string) (*saml.EntityDescriptor, error) {
	if entityID == "" {
		return nil, errors.New("assertion: metadata: no entityID to look for")
	}
	if !xmldsig.Is(root, nsMetadata, "EntityDescriptor") && !xmldsig.Is(root, nsMetadata, "EntitiesDescriptor") {
		return nil, fmt.Errorf("assertion: metadata: the root element is %s", shown(root.Tag))
	}

	switch found := entities(root, entityID); len(found) {
	case 1:
		return readEntity(found[0])
	case 0:
		return nil, fmt.Errorf("assertion: metadata: no entity %s", shown(entityID))
	default:
		return nil, fmt.Errorf("assertion: metadata: entity %s is there %d times", shown(entityID), len(found))
	}
}

// entities returns the EntityDescriptors with this ID at or below an element, through
// EntitiesDescriptors only.
func entities(e *etree.Element, entityID string) []*etree.Element {
	if xmldsig.Is(e, nsMetadata, "EntityDescriptor") {
		if id, _ := xmldsig.Attribute(e, "entityID"); id == entityID {
			return []*etree.Element{e}
		}
		return nil
	}
	if !xmldsig.Is(e, nsMetadata, "EntitiesDescriptor") {
		return nil
	}

	var found []*etree.Element
	for _, child := range e.ChildElements() {
		found = append(found, entities(child, entityID)...)
	}
	return found
}

// readEntity reads an EntityDescriptor with the limits of the descriptors around it.
func readEntity(e *etree.Element) (*saml.EntityDescriptor, error) {
	id, _ := xmldsig.Attribute(e, "entityID")
	until, age, err := limitsAround(e)
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: entity %s: %w", shown(id), err)
	}

	ed, err := decodeEntity(e)
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: entity %s: %w", shown(id), err)
	}
	ed.ValidUntil = until
	ed.CacheDuration = age
	return ed, nil
}

// limitsAround returns the earliest validUntil and the shortest positive cacheDuration
// of an element and those around it (SAML metadata section 4.3).
func limitsAround(e *etree.Element) (until time.Time, age time.Duration, err error) {
	for ; e != nil && e.Tag != ""; e = e.Parent() {
		if text, ok := xmldsig.Attribute(e, "validUntil"); ok {
			var t saml.RelaxedTime
			if err := t.UnmarshalText([]byte(text)); err != nil || text == "" {
				return until, age, fmt.Errorf("validUntil %s of the %s is not a time", shown(text), e.Tag)
			}
			until = earliest(until, time.Time(t))
		}
		if text, ok := xmldsig.Attribute(e, "cacheDuration"); ok {
			var d saml.Duration
			if err := d.UnmarshalText([]byte(text)); err != nil {
				return until, age, fmt.Errorf("cacheDuration %s of the %s is not a duration", shown(text), e.Tag)
			}
			if d := time.Duration(d); d > 0 && (age == 0 || d < age) {
				age = d
			}
		}
	}
	return until, age, nil
}

// decodeEntity decodes an EntityDescriptor, without the limits of [limitsAround]. Parts
// that do not decode are left out, but for the validUntil of a role that signs assertions.
func decodeEntity(e *etree.Element) (*saml.EntityDescriptor, error) {
	whole := shell(e)
	for _, a := range e.Attr {
		if !isDeclaration(a) && a.Key != "validUntil" && a.Key != "cacheDuration" {
			setAttribute(whole, a)
		}
	}

	for _, part := range e.ChildElements() {
		kept, err := decodablePart(e, part)
		if err != nil {
			return nil, err
		}
		if kept != nil {
			whole.AddChild(kept)
		}
	}

	var ed saml.EntityDescriptor
	if err := decode(whole, &ed); err != nil {
		return nil, err
	}
	return &ed, nil
}

// decodablePart returns what can be decoded of an element in an EntityDescriptor, or nil.
func decodablePart(e, part *etree.Element) (*etree.Element, error) {
	own := part.NamespaceURI() == nsMetadata
	switch {
	case own && part.Tag == "IDPSSODescriptor":
		return decodableRole(part, func() any { return &saml.IDPSSODescriptor{} })
	case own && part.Tag == "RoleDescriptor":
		return decodableRole(part, func() any { return &saml.RoleDescriptor{} })
	case part.Tag == "RoleDescriptor":
		// The decoder does not look at the namespace.
		return nil, nil
	}

	alone := shell(e)
	alone.AddChild(part.Copy())
	if !decodes(alone, &saml.EntityDescriptor{}) {
		return nil, nil
	}
	return part.Copy(), nil
}

// decodableRole returns a copy of a role without the attributes and elements that do not
// decode. Its validUntil must. Of a KeyDescriptor that does not its place is kept, so that
// [DroppedKeys] can name it.
func decodableRole(e *etree.Element, target func() any) (*etree.Element, error) {
	role := shell(e)
	for _, a := range e.Attr {
		if isDeclaration(a) {
			continue
		}
		alone := shell(e)
		setAttribute(alone, a)
		switch {
		case decodes(alone, target()):
			setAttribute(role, a)
		case a.Key == "validUntil" && a.Space == "":
			return nil, fmt.Errorf("validUntil %s of the %s is not a time", shown(a.Value), e.Tag)
		}
	}

	for _, part := range e.ChildElements() {
		own := part.NamespaceURI() == nsMetadata
		if !own && part.Tag == "KeyDescriptor" {
			// The decoder does not look at the namespace.
			continue
		}
		alone := shell(e)
		alone.AddChild(part.Copy())
		switch {
		case decodes(alone, target()):
			role.AddChild(part.Copy())
		case own && part.Tag == "KeyDescriptor":
			place := shell(part)
			for _, a := range part.Attr {
				if !isDeclaration(a) {
					setAttribute(place, a)
				}
			}
			role.AddChild(place)
		}
	}
	return role, nil
}

// shell returns an element with the name of e and every namespace declaration in scope
// of e, without attributes and content.
func shell(e *etree.Element) *etree.Element {
	out := etree.NewElement(e.FullTag())
	seen := map[string]bool{}
	for p := e; p != nil; p = p.Parent() {
		for _, a := range p.Attr {
			if isDeclaration(a) && !seen[a.FullKey()] {
				seen[a.FullKey()] = true
				setAttribute(out, a)
			}
		}
	}
	return out
}

// setAttribute adds a copy of an attribute to an element.
func setAttribute(e *etree.Element, a etree.Attr) { e.CreateAttr(a.FullKey(), a.Value) }

// isDeclaration reports whether an attribute declares a namespace.
func isDeclaration(a etree.Attr) bool { return a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns" }

// decode decodes an element by encoding/xml.
func decode(e *etree.Element, into any) error {
	text, err := xmldsig.Canonicalize(e, nil, nil)
	if err != nil {
		return err
	}
	return xml.Unmarshal(text, into)
}

// decodes reports whether an element can be decoded.
func decodes(e *etree.Element, into any) bool { return decode(e, into) == nil }
