package servertest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

const (
	// IDP is the entity ID of the SAML identity provider of [Parties].
	IDP = "https://idp.example/metadata"

	// OtherAS is the issuer of the other authorization server of [Parties].
	OtherAS = "https://other-as.example"

	// Trusted is the client "trusted" with its secret, as [Server.Post] takes
	// it. It may send the assertions of others.
	Trusted = "trusted:" + Secret
)

// Parties are those who sign assertions, with their private keys.
type Parties struct {
	// Client is the key of the client "signer", which signs for itself.
	Client *ecdsa.PrivateKey

	// AS is the key of another authorization server, [OtherAS].
	AS *ecdsa.PrivateKey

	// IDP is the key of an identity provider, [IDP].
	IDP *rsa.PrivateKey
}

// NewAssertion builds a server with both assertion grants and with client
// authentication by JWT, which trusts new parties. change edits the
// configuration before the server is built; it may be nil.
func NewAssertion(t testing.TB, change func(*grantwell.Config)) (*Server, Parties) {
	t.Helper()
	p := NewParties(t)
	s := New(t, func(cfg *grantwell.Config) {
		p.Trust(t, cfg)
		if change != nil {
			change(cfg)
		}
	})
	p.Register(t, s.Store)
	return s, p
}

// NewParties generates the keys of the parties.
func NewParties(t testing.TB) Parties {
	t.Helper()
	return Parties{
		Client: ECKey(t),
		AS:     ECKey(t),
		IDP:    RSAKey(t),
	}
}

// Trust lets a server accept what the parties sign. The other authorization
// server may give the scope read only. An assertion for the subject "refused"
// is refused by the host's hook.
func (p Parties) Trust(t testing.TB, cfg *grantwell.Config) {
	t.Helper()
	issuers := grants.ClientIssuers{
		Clients: cfg.Clients,
		Others: assertion.Issuers(
			assertion.Issuer{
				ID:   OtherAS,
				JWKS: JWKS(t, &p.AS.PublicKey),
				Scopes: func(context.Context, *assertion.Assertion, []string) ([]string, error) {
					return []string{"read"}, nil
				},
			},
			assertion.Issuer{
				ID:   IDP,
				Keys: []crypto.PublicKey{&p.IDP.PublicKey},
				Subject: func(_ context.Context, a *assertion.Assertion) (string, error) {
					return "idp|" + a.Subject.Value, nil
				},
			},
		),
	}
	replay := grants.Replay{Records: cfg.Records}
	endpoint := cfg.Issuer + "/token"

	bearer, err := assertion.NewJWT(assertion.JWTConfig{
		Issuer:        cfg.Issuer,
		TokenEndpoint: endpoint,
		Issuers:       issuers,
		Clients:       grants.RegisteredKeys{Clients: cfg.Clients},
		Replay:        replay,
	})
	require.NoError(t, err)
	saml, err := assertion.NewSAML(assertion.SAMLConfig{
		Issuers:    issuers,
		Audiences:  []string{cfg.Issuer, endpoint},
		Recipients: []string{endpoint},
		Replay:     replay,
	})
	require.NoError(t, err)

	rules := grants.Bearer{Verified: verified}
	cfg.Grants = append(cfg.Grants,
		grants.JWTBearer{Verifier: bearer, Bearer: rules},
		grants.SAMLBearer{Verifier: saml, Bearer: rules},
	)
	cfg.ClientAuth = []grantwell.ClientAuthenticator{grantwell.AssertionAuth{Verifier: bearer}}
}

// verified is the host's hook after an assertion was verified. It puts the
// assertion's issuer into the claim "from".
func verified(_ context.Context, _ *grants.Request, a *assertion.Assertion, g *grants.Grant) error {
	if a.Subject.Value == "refused" {
		return errors.New("servertest: the subject is refused")
	}
	g.Claims = map[string]any{"from": a.Issuer}
	return nil
}

// HMACKey is the shared key of the client "hmac".
const HMACKey = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

// Register stores the clients that sign, or that send what others signed:
// signer (private_key_jwt), hmac (client_secret_jwt) and trusted (a secret).
func (p Parties) Register(t testing.TB, store storage.Registrar) {
	t.Helper()
	signer := storage.Client{
		ID:           "signer",
		AuthMethod:   storage.AuthPrivateKeyJWT,
		JWKS:         JWKS(t, &p.Client.PublicKey),
		Scope:        []string{"read", "write"},
		DefaultScope: []string{"read"},
		GrantTypes:   []string{"client_credentials", assertion.GrantJWT, "refresh_token"},
	}

	hmac := signer.Clone()
	hmac.ID = "hmac"
	hmac.AuthMethod = storage.AuthClientSecretJWT
	hmac.JWKS = nil
	hmac.SharedKey = []byte(HMACKey)

	trusted := Clients()[0]
	trusted.ID = "trusted"
	trusted.GrantTypes = []string{assertion.GrantJWT, assertion.GrantSAML2, "refresh_token"}
	trusted.RedirectURIs = nil
	trusted.ResponseTypes = nil

	Register(t, store, signer, hmac, trusted)
}

// ECKey generates a P-256 key.
func ECKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// RSAKey generates a key of 2048 bits.
func RSAKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return key
}

// JWKS returns a JWK Set of public keys for signatures.
func JWKS(t testing.TB, keys ...any) json.RawMessage {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, Use: "sig"})
	}
	b, err := json.Marshal(set)
	require.NoError(t, err)
	return b
}

// AssertionClaims returns the claims of a JWT assertion that is valid for two
// minutes and has a new jti. An empty sub leaves the claim out. more are names
// and values in turn that replace claims.
func AssertionClaims(iss, sub, aud string, more ...any) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": iss,
		"aud": aud,
		"iat": now.Unix(),
		"exp": now.Add(2 * time.Minute).Unix(),
		"jti": rand.Text(),
	}
	if sub != "" {
		claims["sub"] = sub
	}
	for i := 0; i+1 < len(more); i += 2 {
		claims[more[i].(string)] = more[i+1]
	}
	return claims
}

// SignJWT returns a compact JWT.
func SignJWT(
	t testing.TB, alg jose.SignatureAlgorithm, key any, claims map[string]any,
) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return token
}

// A SAML assertion for the user alice, with places for what changes.
const samlTemplate = `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"` +
	` ID="_{id}" IssueInstant="{now}" Version="2.0">` +
	`<saml:Issuer>{idp}</saml:Issuer>` +
	`<saml:Subject><saml:NameID>alice</saml:NameID>` +
	`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">` +
	`<saml:SubjectConfirmationData NotOnOrAfter="{end}" Recipient="{issuer}/token"/>` +
	`</saml:SubjectConfirmation></saml:Subject>` +
	`<saml:Conditions NotBefore="{begin}" NotOnOrAfter="{end}">` +
	`<saml:AudienceRestriction><saml:Audience>{issuer}</saml:Audience></saml:AudienceRestriction>` +
	`</saml:Conditions>` +
	`<saml:AuthnStatement AuthnInstant="{begin}"><saml:AuthnContext>` +
	`<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>` +
	`</saml:AuthnContext></saml:AuthnStatement></saml:Assertion>`

// SAMLAssertion returns a signed SAML assertion of [IDP] for the user alice,
// as the assertion parameter takes it (RFC 7522 section 2.1). It is valid for
// two minutes and has a new ID. edit changes the text before it is signed; it
// may be nil.
func SAMLAssertion(t testing.TB, key *rsa.PrivateKey, edit func(string) string) string {
	t.Helper()
	now := time.Now().UTC()
	stamp := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05Z") }
	xml := strings.NewReplacer(
		"{id}", rand.Text(),
		"{idp}", IDP,
		"{issuer}", Issuer,
		"{now}", stamp(0),
		"{begin}", stamp(-time.Minute),
		"{end}", stamp(2*time.Minute),
	).Replace(samlTemplate)
	if edit != nil {
		xml = edit(xml)
	}

	doc := etree.NewDocument()
	require.NoError(t, doc.ReadFromString(xml))
	signing, err := dsig.NewSigningContext(key, nil)
	require.NoError(t, err)
	signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signature, err := signing.ConstructSignature(doc.Root(), true)
	require.NoError(t, err)

	// The signature stands behind the issuer (SAML core section 2.3.3).
	doc.Root().InsertChildAt(1, signature)
	b, err := doc.WriteToBytes()
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(b)
}
