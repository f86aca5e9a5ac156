package assertion

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// samlContent is the content of a verified assertion, before it is judged.
type samlContent struct {
	id            string
	issuer        string
	issuedAt      time.Time
	subject       *Subject
	confirmations []confirmation
	conditions    *conditions
	attributes    []Attribute
	authn         []Authn
}

// contentError is an error of the content with a reason of its own.
type contentError struct {
	reason Reason
	text   string
}

func (e contentError) Error() string { return e.text }

// readContent reads the verified tree by the schema of SAML core: names with their
// namespaces, order, cardinality, and elements that have text only. RFC 7522 section
// 3, item 11, demands that an assertion keeps the rules of SAML core.
func (r *samlRun) readContent() (*samlContent, error) {
	root := r.verified
	if err := xmldsig.OnlyAttributes(root, "Version", "ID", "IssueInstant"); err != nil {
		return nil, err
	}
	if version, _ := xmldsig.Attribute(root, "Version"); version != "2.0" {
		return nil, fmt.Errorf("version %s", shown(version))
	}
	c := &samlContent{}
	c.id, _ = xmldsig.Attribute(root, "ID")
	var err error
	if c.issuedAt, err = readTime(root, "IssueInstant", true); err != nil {
		return nil, err
	}
	parts, err := xmldsig.Children(root)
	if err != nil {
		return nil, err
	}

	// The order is Issuer, Subject?, Conditions?, Advice?, statements. Each step
	// looks at the next element only.
	take := func(tag string) *etree.Element {
		if len(parts) == 0 || !xmldsig.Is(parts[0], nsSAML, tag) {
			return nil
		}
		e := parts[0]
		parts = parts[1:]
		return e
	}
	issuer := take("Issuer")
	if issuer == nil {
		return nil, contentError{ReasonIssuer, "no Issuer"}
	}
	if c.issuer, err = readIssuer(issuer); err != nil {
		return nil, err
	}
	if e := take("Subject"); e != nil {
		if err := r.readSubject(e, c); err != nil {
			return nil, err
		}
	}
	if e := take("Conditions"); e != nil {
		if c.conditions, err = readConditions(e); err != nil {
			return nil, err
		}
	}
	// SAML core section 2.6.1: Advice may be ignored.
	take("Advice")
	for _, e := range parts {
		if err := r.readStatement(e, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func readIssuer(e *etree.Element) (string, error) {
	if err := xmldsig.OnlyAttributes(e, "Format", "NameQualifier", "SPNameQualifier", "SPProvidedID"); err != nil {
		return "", err
	}
	const entity = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
	if format, ok := xmldsig.Attribute(e, "Format"); ok && format != entity {
		return "", contentError{ReasonIssuer, "the Issuer is not an entity but " + shown(format)}
	}
	return xmldsig.Text(e)
}

func (r *samlRun) readStatement(e *etree.Element, c *samlContent) error {
	switch {
	case xmldsig.Is(e, nsSAML, "AuthnStatement"):
		authn, err := readAuthn(e)
		if err != nil {
			return err
		}
		c.authn = append(c.authn, authn)
	case xmldsig.Is(e, nsSAML, "AttributeStatement"):
		attributes, err := r.readAttributes(e)
		if err != nil {
			return err
		}
		c.attributes = append(c.attributes, attributes...)
	case isForeignStatement(e):
		// RFC 7522 section 3, item 8, allows other statements. Nothing in them is
		// read.
	default:
		// This includes a second Subject or Conditions.
		return fmt.Errorf("%.60s is unknown or out of place", e.Tag)
	}
	return nil
}

// isForeignStatement reports whether an element is a statement that this package has
// no use for: an AuthzDecisionStatement, a Statement whose xsi:type names an
// extension, or a statement of another namespace such as that of XACML (SAML core
// sections 2.7.1 and 2.7.4).
func isForeignStatement(e *etree.Element) bool {
	if e.NamespaceURI() == nsSAML {
		return e.Tag == "AuthzDecisionStatement" || e.Tag == "Statement" && xsiType(e) != ""
	}
	return strings.HasSuffix(e.Tag, "Statement")
}

// xsiType returns the xsi:type of an element, or "".
func xsiType(e *etree.Element) string {
	for i := range e.Attr {
		a := &e.Attr[i]
		if a.Key == "type" && a.NamespaceURI() == nsXSI {
			return a.Value
		}
	}
	return ""
}

const nsXSI = "http://www.w3.org/2001/XMLSchema-instance"

// readAuthn reads an AuthnStatement (SAML core section 2.7.2).
func readAuthn(e *etree.Element) (Authn, error) {
	var a Authn
	if err := xmldsig.OnlyAttributes(e, "AuthnInstant", "SessionIndex", "SessionNotOnOrAfter"); err != nil {
		return a, err
	}
	var err error
	if a.Instant, err = readTime(e, "AuthnInstant", true); err != nil {
		return a, err
	}
	if a.SessionNotOnOrAfter, err = readTime(e, "SessionNotOnOrAfter", false); err != nil {
		return a, err
	}
	a.SessionIndex, _ = xmldsig.Attribute(e, "SessionIndex")
	parts, err := xmldsig.Children(e)
	if err != nil {
		return a, err
	}
	if len(parts) == 2 && xmldsig.Is(parts[0], nsSAML, "SubjectLocality") {
		parts = parts[1:]
	}
	if len(parts) != 1 || !xmldsig.Is(parts[0], nsSAML, "AuthnContext") {
		return a, errors.New("AuthnStatement without exactly one AuthnContext")
	}
	a.ClassRef, err = readClassRef(parts[0])
	return a, err
}

// contextElements are the other elements of an AuthnContext (SAML core section 2.7.2.2),
// which are passed over.
var contextElements = []string{"AuthnContextDecl", "AuthnContextDeclRef", "AuthenticatingAuthority"}

// readClassRef returns the AuthnContextClassRef of an AuthnContext, "" if there is
// none.
func readClassRef(e *etree.Element) (string, error) {
	if err := xmldsig.OnlyAttributes(e); err != nil {
		return "", err
	}
	parts, err := xmldsig.Children(e)
	if err != nil {
		return "", err
	}
	classRef := ""
	for i, part := range parts {
		switch {
		case xmldsig.Is(part, nsSAML, "AuthnContextClassRef") && i == 0:
			if err := xmldsig.OnlyAttributes(part); err != nil {
				return "", err
			}
			if classRef, err = xmldsig.Text(part); err != nil {
				return "", err
			}
		case part.NamespaceURI() == nsSAML && slices.Contains(contextElements, part.Tag):
		default:
			return "", fmt.Errorf("%.60s inside AuthnContext", part.Tag)
		}
	}
	return classRef, nil
}

// readAttributes reads an AttributeStatement (SAML core section 2.7.3).
func (r *samlRun) readAttributes(e *etree.Element) ([]Attribute, error) {
	if err := xmldsig.OnlyAttributes(e); err != nil {
		return nil, err
	}
	parts, err := xmldsig.Children(e)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, errors.New("AttributeStatement without attributes")
	}
	list := make([]Attribute, 0, len(parts))
	for _, part := range parts {
		if xmldsig.Is(part, nsSAML, "EncryptedAttribute") {
			if part, err = r.decryptInner(part); err != nil {
				return nil, err
			}
		}
		if !xmldsig.Is(part, nsSAML, "Attribute") {
			return nil, fmt.Errorf("%.60s inside AttributeStatement", part.Tag)
		}
		a, err := readAttribute(part)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

func readAttribute(e *etree.Element) (Attribute, error) {
	var a Attribute
	if err := xmldsig.OnlyAttributes(e, "Name", "NameFormat", "FriendlyName"); err != nil {
		return a, err
	}
	a.Name, _ = xmldsig.Attribute(e, "Name")
	a.NameFormat, _ = xmldsig.Attribute(e, "NameFormat")
	a.FriendlyName, _ = xmldsig.Attribute(e, "FriendlyName")
	if a.Name == "" {
		return a, errors.New("Attribute without Name")
	}
	values, err := xmldsig.Children(e)
	if err != nil {
		return a, err
	}
	for _, value := range values {
		if !xmldsig.Is(value, nsSAML, "AttributeValue") {
			return a, fmt.Errorf("%.60s inside Attribute", value.Tag)
		}
		if s, err := xmldsig.Text(value); err == nil && !isNil(value) {
			a.Values = append(a.Values, s)
		}
	}
	return a, nil
}

// isNil reports whether an element has xsi:nil, which means that there is no value.
func isNil(e *etree.Element) bool {
	for i := range e.Attr {
		a := &e.Attr[i]
		if a.Key == "nil" && a.NamespaceURI() == nsXSI {
			return a.Value == "true" || a.Value == "1"
		}
	}
	return false
}

// readTime reads an xs:dateTime in UTC (SAML core section 1.3.3: "Z", no offset).
func readTime(e *etree.Element, name string, required bool) (time.Time, error) {
	value, ok := xmldsig.Attribute(e, name)
	if !ok {
		if required {
			return time.Time{}, fmt.Errorf("%s without %s", e.Tag, name)
		}
		return time.Time{}, nil
	}
	const shape = "2006-01-02T15:04:05"
	rest, isUTC := strings.CutSuffix(value, "Z")
	fraction := ""
	if len(rest) > len(shape) {
		rest, fraction = rest[:len(shape)], rest[len(shape):]
	}
	plain := len(value) <= 40 && len(rest) == len(shape) &&
		(fraction == "" || len(fraction) > 1 && fraction[0] == '.' && strings.Trim(fraction[1:], "0123456789") == "")
	// Parse accepts a fraction although the layout has none.
	t, err := time.Parse(shape, rest+fraction)
	if !isUTC || !plain || err != nil {
		return time.Time{}, fmt.Errorf("%s %s is not a time in UTC", name, shown(value))
	}
	return t, nil
}
