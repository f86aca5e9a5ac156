// Command samlbearer exchanges a SAML 2.0 assertion for a token (RFC 7522 section 2.1).
// It writes and signs the assertion with crewjam/saml, as an identity provider does,
// by the key whose certificate is registered for the application.
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

const (
	bearer      = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	unspecified = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
)

var user = flag.String("user", "johndoe", "the `user` that the assertion speaks for")

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	assertion, err := sign(f)
	if err != nil {
		return err
	}
	conf := oauth2.Config{
		Endpoint: oauth2.Endpoint{TokenURL: f.Token, AuthStyle: oauth2.AuthStyleInParams},
	}
	// x/oauth2 has no SAML grant, so its parameters replace those of a code.
	t, err := conf.Exchange(ctx, "",
		oauth2.SetAuthURLParam("grant_type", "urn:ietf:params:oauth:grant-type:saml2-bearer"),
		oauth2.SetAuthURLParam("assertion", assertion),
		oauth2.SetAuthURLParam("scope", "resource.READ"),
	)
	if err != nil {
		return err
	}
	demo.Print(t)

	return f.Call(ctx, t)
}

// sign returns the signed assertion in base64url.
func sign(f *demo.File) (string, error) {
	signer, err := key(f)
	if err != nil {
		return "", err
	}
	cert, err := certificate(f)
	if err != nil {
		return "", err
	}
	req := &saml.IdpAuthnRequest{
		IDP: &saml.IdentityProvider{
			Signer:          signer,
			Certificate:     cert,
			SignatureMethod: dsig.RSASHA256SignatureMethod,
		},
		SPSSODescriptor: &saml.SPSSODescriptor{},
		Assertion:       statement(f, time.Now().UTC()),
	}
	if err := req.MakeAssertionEl(); err != nil {
		return "", err
	}
	doc := etree.NewDocument()
	doc.SetRoot(req.AssertionEl)
	xml, err := doc.WriteToBytes()

	return base64.RawURLEncoding.EncodeToString(xml), err
}

// statement returns what the assertion says: it is from the application, about the user,
// for the token endpoint of this server, and good for two minutes.
func statement(f *demo.File, now time.Time) *saml.Assertion {
	end := now.Add(2 * time.Minute)
	confirmation := saml.SubjectConfirmation{
		Method: bearer,
		SubjectConfirmationData: &saml.SubjectConfirmationData{
			Recipient:    f.Token,
			NotOnOrAfter: end,
		},
	}
	authentication := saml.AuthnStatement{
		AuthnInstant:    now,
		SubjectLocality: &saml.SubjectLocality{},
		AuthnContext: saml.AuthnContext{
			AuthnContextClassRef: &saml.AuthnContextClassRef{Value: unspecified},
		},
	}

	return &saml.Assertion{
		ID:           "_" + rand.Text(),
		Version:      "2.0",
		IssueInstant: now,
		Issuer:       saml.Issuer{Value: demo.Confidential},
		Subject: &saml.Subject{
			NameID:               &saml.NameID{Value: *user},
			SubjectConfirmations: []saml.SubjectConfirmation{confirmation},
		},
		Conditions: &saml.Conditions{
			NotBefore:    now,
			NotOnOrAfter: end,
			AudienceRestrictions: []saml.AudienceRestriction{
				{Audience: saml.Audience{Value: f.Issuer}},
			},
		},
		AuthnStatements: []saml.AuthnStatement{authentication},
	}
}

func key(f *demo.File) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(f.AssertionKey))
	if block == nil {
		return nil, errors.New("the demo file has no key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("the demo file's key does not sign")
	}

	return signer, nil
}

func certificate(f *demo.File) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(f.AssertionCertificate))
	if block == nil {
		return nil, errors.New("the demo file has no certificate")
	}

	return x509.ParseCertificate(block.Bytes)
}
