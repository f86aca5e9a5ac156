package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	"github.com/stretchr/testify/require"
)

// crewjamAssertion has crewjam/saml write and sign an assertion, with
// everything that it adds by itself.
func crewjamAssertion(t testing.TB, key crypto.Signer) string {
	t.Helper()
	method := algRSA256
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		method = algECDSA256
	}
	cert := testCertificate(t, key, testNow.AddDate(-1, 0, 0), testNow.AddDate(1, 0, 0))
	expires := testNow.Add(5 * time.Minute)
	req := &saml.IdpAuthnRequest{
		IDP:             &saml.IdentityProvider{Signer: key, Certificate: cert, SignatureMethod: method},
		SPSSODescriptor: &saml.SPSSODescriptor{},
		Assertion: &saml.Assertion{
			ID: "id-1", Version: "2.0", IssueInstant: testNow,
			Issuer: saml.Issuer{Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:entity", Value: testIssuer},
			Subject: &saml.Subject{
				NameID: &saml.NameID{Format: string(saml.EmailAddressNameIDFormat), Value: testName},
				SubjectConfirmations: []saml.SubjectConfirmation{{
					Method: methodBearer,
					SubjectConfirmationData: &saml.SubjectConfirmationData{
						Recipient: testRecipient, NotOnOrAfter: expires, InResponseTo: "id-q", Address: "192.0.2.1",
					},
				}},
			},
			Conditions: &saml.Conditions{
				NotBefore: testNow, NotOnOrAfter: expires,
				AudienceRestrictions: []saml.AudienceRestriction{{Audience: saml.Audience{Value: testAudience}}},
			},
			AuthnStatements: []saml.AuthnStatement{{
				AuthnInstant: testNow, SessionIndex: "s",
				SubjectLocality: &saml.SubjectLocality{Address: "192.0.2.1"},
				AuthnContext:    saml.AuthnContext{AuthnContextClassRef: &saml.AuthnContextClassRef{Value: "urn:x"}},
			}},
			AttributeStatements: []saml.AttributeStatement{{Attributes: []saml.Attribute{{
				Name: "mail", FriendlyName: "mail", NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
				Values: []saml.AttributeValue{{Type: "xs:string", Value: testName}},
			}}}},
		},
	}
	require.NoError(t, req.MakeAssertionEl())
	doc := etree.NewDocument()
	doc.SetRoot(req.AssertionEl)
	s, err := doc.WriteToString()
	require.NoError(t, err)
	return s
}
