package assertion

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

const methodBearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

// confirmation is a SubjectConfirmation. The data of methods other than bearer is
// not read.
type confirmation struct {
	bearer    bool
	presenter Subject

	hasData         bool
	recipient       string
	inResponseTo    string
	hasInResponseTo bool
	address         string
	hasAddress      bool
	notBefore       time.Time
	notOnOrAfter    time.Time
}

// conditions are the Conditions. Each restriction is a list of audiences.
type conditions struct {
	notBefore    time.Time
	notOnOrAfter time.Time
	restrictions [][]string
	oneTimeUse   bool
}

// readSubject reads a Subject: at most one identifier, then confirmations.
func (r *samlRun) readSubject(e *etree.Element, c *samlContent) error {
	if err := xmldsig.OnlyAttributes(e); err != nil {
		return err
	}
	parts, err := xmldsig.Children(e)
	if err != nil {
		return err
	}
	name, parts, err := r.takeName(parts)
	if err != nil {
		return err
	}
	c.subject = name
	for _, part := range parts {
		if !xmldsig.Is(part, nsSAML, "SubjectConfirmation") {
			return contentError{ReasonSubject, shown(part.Tag) + " inside Subject, or out of place"}
		}
		confirmation, err := r.readConfirmation(part)
		if err != nil {
			return err
		}
		c.confirmations = append(c.confirmations, confirmation)
	}
	return nil
}

// takeName takes the identifier from the front of a list, if there is one, and
// returns it with the other elements.
func (r *samlRun) takeName(parts []*etree.Element) (*Subject, []*etree.Element, error) {
	if len(parts) == 0 {
		return nil, parts, nil
	}
	e := parts[0]
	if xmldsig.Is(e, nsSAML, "EncryptedID") {
		var err error
		if e, err = r.decryptInner(e); err != nil {
			return nil, nil, err
		}
		if !xmldsig.Is(e, nsSAML, "NameID") {
			return nil, nil, contentError{ReasonSubject, "the EncryptedID holds no NameID"}
		}
	}
	if !xmldsig.Is(e, nsSAML, "NameID") {
		return nil, parts, nil
	}
	name, err := readNameID(e)
	if err != nil {
		return nil, nil, err
	}
	return name, parts[1:], nil
}

// readNameID reads a NameID (SAML core section 2.2.3).
func readNameID(e *etree.Element) (*Subject, error) {
	if err := xmldsig.OnlyAttributes(e, "Format", "NameQualifier", "SPNameQualifier", "SPProvidedID"); err != nil {
		return nil, err
	}
	value, err := xmldsig.Text(e)
	if err != nil {
		return nil, contentError{ReasonSubject, err.Error()}
	}
	if strings.TrimSpace(value) == "" {
		return nil, contentError{ReasonSubject, "an empty NameID"}
	}

	name := &Subject{Value: value}
	name.Format, _ = xmldsig.Attribute(e, "Format")
	name.NameQualifier, _ = xmldsig.Attribute(e, "NameQualifier")
	name.SPNameQualifier, _ = xmldsig.Attribute(e, "SPNameQualifier")
	return name, nil
}

// readConfirmation reads a SubjectConfirmation (SAML core section 2.4.1.1).
func (r *samlRun) readConfirmation(e *etree.Element) (confirmation, error) {
	var c confirmation
	if err := xmldsig.OnlyAttributes(e, "Method"); err != nil {
		return c, err
	}
	kind, ok := xmldsig.Attribute(e, "Method")
	if !ok {
		return c, errors.New("SubjectConfirmation without Method")
	}
	if c.bearer = kind == methodBearer; !c.bearer {
		return c, nil
	}
	parts, err := xmldsig.Children(e)
	if err != nil {
		return c, err
	}
	presenter, parts, err := r.takeName(parts)
	if err != nil {
		return c, err
	}
	if presenter != nil {
		c.presenter = *presenter
	}
	if len(parts) == 0 {
		return c, nil
	}
	data := parts[0]
	if len(parts) > 1 || !xmldsig.Is(data, nsSAML, "SubjectConfirmationData") {
		return c, fmt.Errorf("%.60s inside SubjectConfirmation, or more than one", data.Tag)
	}
	if err := xmldsig.OnlyAttributes(data, "NotBefore", "NotOnOrAfter", "Recipient", "InResponseTo", "Address"); err != nil {
		return c, err
	}
	c.hasData = true
	c.recipient, _ = xmldsig.Attribute(data, "Recipient")
	c.inResponseTo, c.hasInResponseTo = xmldsig.Attribute(data, "InResponseTo")
	c.address, c.hasAddress = xmldsig.Attribute(data, "Address")
	if c.notBefore, err = readTime(data, "NotBefore", false); err != nil {
		return c, err
	}
	c.notOnOrAfter, err = readTime(data, "NotOnOrAfter", false)
	return c, err
}

// readConditions accepts three conditions and refuses every other one: a condition
// that is not understood cannot be satisfied (SAML core section 2.5.1.1).
func readConditions(e *etree.Element) (*conditions, error) {
	if err := xmldsig.OnlyAttributes(e, "NotBefore", "NotOnOrAfter"); err != nil {
		return nil, err
	}
	var c conditions
	var err error
	if c.notBefore, err = readTime(e, "NotBefore", false); err != nil {
		return nil, err
	}
	if c.notOnOrAfter, err = readTime(e, "NotOnOrAfter", false); err != nil {
		return nil, err
	}
	parts, err := xmldsig.Children(e)
	if err != nil {
		return nil, err
	}
	proxies := 0
	for _, part := range parts {
		switch {
		case xmldsig.Is(part, nsSAML, "AudienceRestriction"):
			audiences, err := readAudiences(part)
			if err != nil {
				return nil, err
			}
			c.restrictions = append(c.restrictions, audiences)
		case xmldsig.Is(part, nsSAML, "OneTimeUse") && !c.oneTimeUse && isBare(part):
			c.oneTimeUse = true
		case xmldsig.Is(part, nsSAML, "ProxyRestriction") && proxies == 0:
			// It restricts servers that issue SAML assertions from this one.
			proxies++
		default:
			return nil, contentError{ReasonCondition, describeCondition(part) + " is unknown or repeated"}
		}
	}
	return &c, nil
}

func readAudiences(e *etree.Element) ([]string, error) {
	if err := xmldsig.OnlyAttributes(e); err != nil {
		return nil, err
	}
	parts, err := xmldsig.Children(e)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, errors.New("AudienceRestriction without Audience")
	}
	audiences := make([]string, 0, len(parts))
	for _, part := range parts {
		if !xmldsig.Is(part, nsSAML, "Audience") {
			return nil, fmt.Errorf("%.60s inside AudienceRestriction", part.Tag)
		}
		if err := xmldsig.OnlyAttributes(part); err != nil {
			return nil, err
		}
		audience, err := xmldsig.Text(part)
		if err != nil {
			return nil, err
		}
		audiences = append(audiences, audience)
	}
	return audiences, nil
}

// isBare reports whether an element has neither content nor attributes.
func isBare(e *etree.Element) bool { return len(e.Child) == 0 && xmldsig.OnlyAttributes(e) == nil }

// describeCondition names a condition by its element, namespace and xsi:type, because
// most unknown ones are a Condition with a type of the sender's own.
func describeCondition(e *etree.Element) string {
	text := "condition " + shown(e.Tag) + " of namespace " + shown(e.NamespaceURI())
	if kind := xsiType(e); kind != "" {
		text += " with xsi:type " + shown(kind)
	}
	return text
}
