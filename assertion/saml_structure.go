package assertion

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// checkTreeNames counts assertions and signatures in the whole tree by local name, so
// in every namespace. It refuses an ID that occurs twice, and an element with
// several attributes that could be its ID.
func checkTreeNames(root *etree.Element) error {
	assertions, signatures := 0, 0
	nested := "" // Advice or Evidence with an assertion
	ids := make(map[string]bool)
	err := xmldsig.Walk(root, func(e *etree.Element) error {
		switch e.Tag {
		case "Assertion", "EncryptedAssertion":
			assertions++
			nested = cmp.Or(nested, holderOfAssertions(e))
		case "Signature":
			signatures++
		case "Object":
			if e.NamespaceURI() == xmldsig.Namespace {
				return errors.New("an Object, which could hide what was signed")
			}
		}
		own := 0
		for _, a := range e.Attr {
			if a.Space == "xmlns" || !strings.EqualFold(a.Key, "id") {
				continue
			}
			if own++; own > 1 || a.Space != "" && e == root {
				return fmt.Errorf("%.60s has several IDs", e.Tag)
			}
			if ids[a.Value] {
				return fmt.Errorf("ID %s occurs twice", shown(a.Value))
			}
			ids[a.Value] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return checkCounts(assertions, signatures, nested)
}

// checkCounts says what is wrong with the numbers of assertions and signatures, and
// what the administrator of the identity provider can do about it.
func checkCounts(assertions, signatures int, nested string) error {
	switch {
	case nested != "":
		return fmt.Errorf("an assertion inside %s, which this server does not take apart: "+
			"configure the issuer to leave it out", nested)
	case assertions != 1:
		return fmt.Errorf("%d assertions, and exactly one is accepted", assertions)
	case signatures == 0:
		return errors.New("the assertion is not signed: configure the issuer to sign assertions, " +
			"because a signature of the Response around them does not count")
	case signatures != 1:
		return fmt.Errorf("%d signatures, and only that of the assertion is accepted", signatures)
	}
	return nil
}

// rootAdvice returns a hint for documents that are often sent instead of an
// assertion.
func rootAdvice(root *etree.Element) string {
	switch root.Tag {
	case "Response":
		return ": send the Assertion inside the Response alone (RFC 7522 section 2.1)"
	case "Assertion":
		return ": another version of SAML"
	}
	return ""
}

// holderOfAssertions returns the name of the element around an inner assertion if
// SAML allows one there (SAML core sections 2.6.1 and 2.7.4.3), and "" otherwise.
func holderOfAssertions(e *etree.Element) string {
	parent := e.Parent()
	if parent != nil && (parent.Tag == "Advice" || parent.Tag == "Evidence") {
		return parent.Tag
	}
	return ""
}
