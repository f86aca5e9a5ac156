package assertion_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/grantwell/grantwell/assertion"
)

// once is a ReplayStore in memory. A server of several instances shares a store instead.
type once struct {
	mu   sync.Mutex
	used map[string]bool
}

func (o *once) Use(_ context.Context, issuer, id string, _ time.Time) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.used == nil {
		o.used = map[string]bool{}
	}
	key := issuer + " " + id
	first := !o.used[key]
	o.used[key] = true
	return first, nil
}

// sign takes the place of the party that makes the assertion.
func sign(key ed25519.PrivateKey, claims map[string]any) string {
	body, _ := json.Marshal(claims)
	enc := base64.RawURLEncoding.EncodeToString
	text := enc([]byte(`{"alg":"EdDSA","kid":"2026"}`)) + "." + enc(body)
	return text + "." + enc(ed25519.Sign(key, []byte(text)))
}

// An identity provider's assertion is exchanged for a token (RFC 7523 section 2.1).
func ExampleNewJWT() {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	keys, err := assertion.NewKeySet(public)
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := assertion.NewJWT(assertion.JWTConfig{
		Issuer:        "https://as.example",
		TokenEndpoint: "https://as.example/token",
		Replay:        &once{},
		Issuers: assertion.Issuers(assertion.Issuer{
			ID:  "https://idp.example",
			JWT: assertion.JWTRules{Keys: keys},
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	request := assertion.Request{Use: assertion.Grant, Assertion: sign(private, map[string]any{
		"iss": "https://idp.example", "sub": "alice", "aud": "https://as.example",
		"exp": time.Now().Add(time.Minute).Unix(), "jti": "f81d4fae",
	})}
	a, err := verifier.Verify(context.Background(), request)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Subject.Value, "of", a.Issuer)

	_, err = verifier.Verify(context.Background(), request)
	var refusal *assertion.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Code, refusal.Reason)
	}
	// Output:
	// alice of https://idp.example
	// invalid_grant replay
}

// registered is a ClientKeys over the registered clients of a server.
type registered map[string]assertion.ClientCredentials

func (r registered) ClientKeys(_ context.Context, id string) (assertion.ClientCredentials, error) {
	if c, ok := r[id]; ok {
		return c, nil
	}
	return assertion.ClientCredentials{}, assertion.ErrUnknownClient
}

// A client authenticates with a key instead of a secret (RFC 7523 section 2.2).
func ExampleClientKeys() {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	jwks := `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}]}`
	verifier, err := assertion.NewJWT(assertion.JWTConfig{
		Issuer: "https://as.example",
		Replay: &once{},
		Clients: registered{"billing": {
			Method: "private_key_jwt",
			JWKS:   json.RawMessage(jwks),
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, audience := range []string{"https://as.example", "https://as.example/token"} {
		a, err := verifier.Verify(context.Background(), assertion.Request{Use: assertion.ClientAuth, Assertion: sign(private, map[string]any{
			"iss": "billing", "sub": "billing", "aud": audience,
			"exp": time.Now().Add(time.Minute).Unix(), "jti": "for " + audience,
		})})
		var refusal *assertion.Error
		if errors.As(err, &refusal) {
			fmt.Println(refusal.Code, refusal.Reason)
			continue
		}
		fmt.Println(a.Subject.Value)
	}
	// Output:
	// billing
	// invalid_client audience
}

// The keys of clients with a jwks_uri are fetched, within bounds, by one RemoteKeys.
func ExampleRemoteKeys() {
	remote := &assertion.RemoteKeys{}
	credentials := assertion.ClientCredentials{
		Method: "private_key_jwt",
		Keys:   remote.URL("https://127.0.0.1/keys"), // as a hostile client might register it
	}
	_, err := credentials.Keys.Keys(context.Background(), "2026")
	fmt.Println(err != nil && strings.Contains(err.Error(), "not public"))
	// Output: true
}

// A client that is registered with a key or a certificate signs assertions about itself.
func ExampleNewKeySet() {
	var registered crypto.PublicKey // or the *x509.Certificate that assertion.ParseCertificates reads
	registered, _, _ = ed25519.GenerateKey(rand.Reader)
	set, err := assertion.NewKeySet(registered)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := assertion.Issuer{ID: "billing", JWT: assertion.JWTRules{Keys: set, SelfIssued: true, CertificateDates: true}}
	fmt.Println(client.ID, set.Len())
	// Output: billing 1
}

func ExampleParseMetadata() {
	document := `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example"/>`
	entity, err := assertion.ParseMetadata(strings.NewReader(document), "https://idp.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = assertion.IssuerFromMetadata(entity, time.Now())
	fmt.Println(entity.EntityID)
	fmt.Println(err)
	// Output:
	// https://idp.example
	// assertion: metadata: "https://idp.example" has no usable signing key: it has no IDPSSODescriptor, so it is no identity provider
}
