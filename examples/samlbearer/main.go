// Command samlbearer exchanges a SAML 2.0 assertion for a token (RFC 7522 section 2.1). The assertion is written and signed as
// an identity provider does, by crewjam/saml, with the key whose certificate is registered for the application.
//
//	go run ./examples/samlbearer
package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
	"golang.org/x/oauth2"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

var user = flag.String("user", "johndoe", "the `user` that the assertion speaks for")

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	assertion, err := sign(f)
	if err != nil {
		return err
	}
	conf := oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: f.Token, AuthStyle: oauth2.AuthStyleInParams}}
	t, err := conf.Exchange(ctx, "", // x/oauth2 has no SAML grant: its parameters replace those of a code
		oauth2.SetAuthURLParam("grant_type", "urn:ietf:params:oauth:grant-type:saml2-bearer"),
		oauth2.SetAuthURLParam("assertion", assertion), oauth2.SetAuthURLParam("scope", "resource.READ"))
	if err != nil {
		return err
	}
	demo.Print(t)
	return f.Call(ctx, t)
}

// sign makes the assertion: from the application, about the user, for this server's token endpoint, for two minutes.
func sign(f *demo.File) (string, error) {
	block, _ := pem.Decode([]byte(f.AssertionKey))
	if block == nil {
		return "", errors.New("the demo file has no key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return "", errors.New("the demo file's key does not sign")
	}
	cert, err := certificate(f)
	if err != nil {
		return "", err
	}
	now := time.Now().UTC()
	end := now.Add(2 * time.Minute)
	req := &saml.IdpAuthnRequest{
		IDP:             &saml.IdentityProvider{Signer: signer, Certificate: cert, SignatureMethod: dsig.RSASHA256SignatureMethod},
		SPSSODescriptor: &saml.SPSSODescriptor{},
		Assertion: &saml.Assertion{
			ID: "_" + rand.Text(), Version: "2.0", IssueInstant: now,
			Issuer: saml.Issuer{Value: demo.Confidential},
			Subject: &saml.Subject{NameID: &saml.NameID{Value: *user}, SubjectConfirmations: []saml.SubjectConfirmation{{
				Method:                  "urn:oasis:names:tc:SAML:2.0:cm:bearer",
				SubjectConfirmationData: &saml.SubjectConfirmationData{Recipient: f.Token, NotOnOrAfter: end}}}},
			Conditions: &saml.Conditions{NotBefore: now, NotOnOrAfter: end,
				AudienceRestrictions: []saml.AudienceRestriction{{Audience: saml.Audience{Value: f.Issuer}}}},
			AuthnStatements: []saml.AuthnStatement{{AuthnInstant: now, SubjectLocality: &saml.SubjectLocality{},
				AuthnContext: saml.AuthnContext{AuthnContextClassRef: &saml.AuthnContextClassRef{Value: "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"}}}},
		},
	}
	if err := req.MakeAssertionEl(); err != nil {
		return "", err
	}
	doc := etree.NewDocument()
	doc.SetRoot(req.AssertionEl)
	xml, err := doc.WriteToBytes()
	return base64.RawURLEncoding.EncodeToString(xml), err
}

func certificate(f *demo.File) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(f.AssertionCertificate))
	if block == nil {
		return nil, errors.New("the demo file has no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
