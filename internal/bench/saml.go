package main

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

// signSAML returns a SAML assertion of the identity provider about the user, as crewjam/saml
// writes it.
func signSAML(k *keys, now time.Time) (string, error) {
	cert, err := x509.ParseCertificate(k.IDPCert)
	if err != nil {
		return "", err
	}
	now = now.UTC()
	end := now.Add(290 * time.Second)
	req := &saml.IdpAuthnRequest{
		IDP: &saml.IdentityProvider{
			Signer:          parseKey(k.IDP),
			Certificate:     cert,
			SignatureMethod: dsig.RSASHA256SignatureMethod,
		},
		SPSSODescriptor: &saml.SPSSODescriptor{},
		Assertion: &saml.Assertion{
			ID:           "_" + rand.Text(),
			Version:      "2.0",
			IssueInstant: now,
			Issuer:       saml.Issuer{Value: idp},
			Subject: &saml.Subject{
				NameID: &saml.NameID{Value: user},
				SubjectConfirmations: []saml.SubjectConfirmation{
					{
						Method: "urn:oasis:names:tc:SAML:2.0:cm:bearer",
						SubjectConfirmationData: &saml.SubjectConfirmationData{
							Recipient:    issuer + "/token",
							NotOnOrAfter: end,
						},
					},
				},
			},
			Conditions: &saml.Conditions{
				NotBefore:    now,
				NotOnOrAfter: end,
				AudienceRestrictions: []saml.AudienceRestriction{
					{Audience: saml.Audience{Value: issuer}},
				},
			},
			AuthnStatements: []saml.AuthnStatement{
				{
					AuthnInstant:    now,
					SubjectLocality: &saml.SubjectLocality{},
					AuthnContext: saml.AuthnContext{
						AuthnContextClassRef: &saml.AuthnContextClassRef{
							Value: "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
						},
					},
				},
			},
		},
	}

	// MakeAssertionEl signs the assertion.
	if err := req.MakeAssertionEl(); err != nil {
		return "", err
	}
	doc := etree.NewDocument()
	doc.SetRoot(req.AssertionEl)
	xml, err := doc.WriteToBytes()
	return base64.RawURLEncoding.EncodeToString(xml), err
}
