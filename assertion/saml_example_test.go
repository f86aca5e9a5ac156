package assertion_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// noon is when the identity provider of these examples signed.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// signedSAML returns an assertion about alice, as a client sends it, and the key of the identity provider that signed it.
func signedSAML() (string, crypto.PublicKey, error) {
	doc, err := os.ReadFile("testdata/saml/rsa-sha256.xml")
	if err != nil {
		return "", nil, err
	}
	text, err := os.ReadFile("testdata/saml/rsa.pub.pem")
	if err != nil {
		return "", nil, err
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	return base64.RawURLEncoding.EncodeToString(doc), key, err
}

// An identity provider's SAML assertion is exchanged for a token (RFC 7522 section 2.1).
func ExampleNewSAML() {
	raw, key, err := signedSAML()
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := assertion.NewSAML(assertion.SAMLConfig{
		Issuers: assertion.Issuers(assertion.Issuer{
			ID:   "https://idp.example/metadata",
			Keys: []crypto.PublicKey{key},
			Subject: func(_ context.Context, a *assertion.Assertion) (string, error) {
				return "idp.example|" + a.Subject.Value, nil // no other issuer can name this user
			},
		}),
		Audiences:  []string{"https://as.example"},
		Recipients: []string{"https://as.example/token"},
		Replay:     &once{},
		Now:        func() time.Time { return noon }, // leave it out: the assertion of the example is old
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	request := assertion.Request{Use: assertion.Grant, Assertion: raw}
	a, err := verifier.Verify(ctx, request)
	if err != nil {
		fmt.Println(err)
		return
	}
	subject, err := a.Trust.LocalSubject(ctx, a)
	fmt.Println(subject, a.Expires.Format(time.TimeOnly), err)

	_, err = verifier.Verify(ctx, request)
	var refusal *assertion.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Code, refusal.Reason)
	}
	// Output:
	// idp.example|alice@example.com 12:05:00 <nil>
	// invalid_grant replay
}

// tenants is an IssuerSource over the customers of a host.
type tenants map[string][]crypto.PublicKey

func (t tenants) Issuer(_ context.Context, id string) (*assertion.Issuer, error) {
	keys, ok := t[id]
	if !ok {
		return nil, assertion.ErrUnknownIssuer
	}
	return &assertion.Issuer{ID: id, Keys: keys, Subject: func(_ context.Context, a *assertion.Assertion) (string, error) {
		return id + "|" + a.Subject.Value, nil
	}}, nil
}

// The source is asked for each assertion, so a customer that was removed is
// refused at once.
func ExampleIssuerSource() {
	raw, key, err := signedSAML()
	if err != nil {
		fmt.Println(err)
		return
	}
	customers := tenants{"https://idp.example/metadata": {key}}
	verifier, err := assertion.NewSAML(assertion.SAMLConfig{Issuers: customers, Audiences: []string{"https://as.example"},
		Recipients: []string{"https://as.example/token"}, AllowReuse: true, Now: func() time.Time { return noon }})
	if err != nil {
		fmt.Println(err)
		return
	}
	request := assertion.Request{Use: assertion.Grant, Assertion: raw}
	a, err := verifier.Verify(context.Background(), request)
	fmt.Println(a.Subject.Value, err)

	delete(customers, "https://idp.example/metadata")
	_, err = verifier.Verify(context.Background(), request)
	var refusal *assertion.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Code, refusal.Reason)
	}
	// Output:
	// alice@example.com <nil>
	// invalid_grant issuer
}

// seen is a ReplayStore over the store that all instances of a server share.
type seen struct{ storage.Records }

func (s seen) Use(ctx context.Context, issuer, id string, until time.Time) (bool, error) {
	return storage.UseOnce(ctx, s, issuer, id, until)
}

func ExampleReplayStore() {
	var replay assertion.ReplayStore = seen{memstore.New()}
	for range 2 {
		fmt.Println(replay.Use(context.Background(), "https://idp.example", "_x1", time.Now().Add(time.Hour)))
	}
	// Output:
	// true <nil>
	// false <nil>
}

// stamp is a Verifier of a format of the host's own. It sets Trust, which
// grants demand.
type stamp map[string]string

func (s stamp) Verify(_ context.Context, r assertion.Request) (*assertion.Assertion, error) {
	subject, ok := s[r.Assertion]
	if !ok || r.Use != assertion.Grant {
		return nil, &assertion.Error{Code: "invalid_grant", Reason: "stamp_unknown"}
	}
	return &assertion.Assertion{Issuer: "https://post.example", Subject: assertion.Subject{Value: subject}, Expires: time.Now().Add(time.Minute),
		Trust: &assertion.Issuer{ID: "https://post.example"}}, nil
}

func ExampleVerifier() {
	var verifier assertion.Verifier = stamp{"blue mauritius": "alice"}
	a, err := verifier.Verify(context.Background(), assertion.Request{Assertion: "blue mauritius"})
	fmt.Println(a.Subject.Value, err)
	_, err = verifier.Verify(context.Background(), assertion.Request{Assertion: "a copy"})
	var refusal *assertion.Error
	fmt.Println(errors.As(err, &refusal), refusal.Reason)
	// Output:
	// alice <nil>
	// true stamp_unknown
}
