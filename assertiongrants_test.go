package grantwell_test

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
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
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
	"github.com/grantwell/grantwell/storage/memstore"
)

// parties are those who sign: a client for itself, an authorization server and an identity provider for their users.
type parties struct {
	client, as *ecdsa.PrivateKey
	idp        *rsa.PrivateKey
}

const (
	idpID = "https://idp.example/metadata"
	asID  = "https://other-as.example"
)

// assertionRig is a server with both assertion grants and client authentication by JWT.
func assertionRig(t *testing.T, change func(*grantwell.Config)) (*rig, parties) {
	t.Helper()
	p := newParties(t)
	r := newRig(t, func(c *grantwell.Config) {
		p.trust(t, c)
		if change != nil {
			change(c)
		}
	})
	p.register(t, r.store)
	return r, p
}

func newParties(t *testing.T) parties {
	idp, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return parties{client: ecKey(t), as: ecKey(t), idp: idp}
}

// trust lets a server accept what the parties sign.
func (p parties) trust(t *testing.T, c *grantwell.Config) {
	issuers := grants.ClientIssuers{Clients: c.Clients, Others: assertion.Issuers(
		assertion.Issuer{ID: asID, JWKS: jwks(t, &p.as.PublicKey), Scopes: func(_ context.Context, _ *assertion.Assertion, asked []string) ([]string, error) {
			return []string{"read"}, nil
		}},
		assertion.Issuer{ID: idpID, Keys: []crypto.PublicKey{&p.idp.PublicKey}, Subject: func(_ context.Context, a *assertion.Assertion) (string, error) {
			return "idp|" + a.Subject.Value, nil
		}})}
	replay := grants.Replay{Records: c.Records}
	bearer, err := assertion.NewJWT(assertion.JWTConfig{Issuer: c.Issuer, TokenEndpoint: c.Issuer + "/token", Issuers: issuers,
		Clients: grants.RegisteredKeys{Clients: c.Clients}, Replay: replay})
	require.NoError(t, err)
	saml, err := assertion.NewSAML(assertion.SAMLConfig{Issuers: issuers, Audiences: []string{c.Issuer, c.Issuer + "/token"},
		Recipients: []string{c.Issuer + "/token"}, Replay: replay})
	require.NoError(t, err)
	hook := func(_ context.Context, _ *grants.Request, a *assertion.Assertion, g *grants.Grant) error {
		if a.Subject.Value == "refused" {
			return errors.New("not this one")
		}
		g.Claims = map[string]any{"from": a.Issuer}
		return nil
	}
	c.Grants = append(c.Grants, grants.JWTBearer{Verifier: bearer, Bearer: grants.Bearer{Verified: hook}},
		grants.SAMLBearer{Verifier: saml, Bearer: grants.Bearer{Verified: hook}})
	c.ClientAuth = []grantwell.ClientAuthenticator{grantwell.AssertionAuth{Verifier: bearer}}
}

// register stores the clients that sign, or send what others signed.
func (p parties) register(t *testing.T, store *memstore.Store) {
	put := func(c storage.Client) { require.NoError(t, store.PutClient(t.Context(), c)) }
	signer := storage.Client{ID: "signer", AuthMethod: storage.AuthPrivateKeyJWT, JWKS: jwks(t, &p.client.PublicKey), Scope: []string{"read", "write"},
		DefaultScope: []string{"read"}, GrantTypes: []string{"client_credentials", assertion.GrantJWT, "refresh_token"}}
	put(signer)
	signer.ID, signer.AuthMethod, signer.JWKS, signer.SharedKey = "hmac", storage.AuthClientSecretJWT, nil, []byte(strings.Repeat("k", 32))
	put(signer)
	trusted := testClients()[0]
	trusted.ID, trusted.GrantTypes = "trusted", []string{assertion.GrantJWT, assertion.GrantSAML2, "refresh_token"}
	trusted.RedirectURIs, trusted.ResponseTypes = nil, nil
	put(trusted)
}

const trusted = "trusted:" + secret

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return k
}

func jwks(t *testing.T, keys ...any) json.RawMessage {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k, Use: "sig"})
	}
	b, err := json.Marshal(set)
	require.NoError(t, err)
	return b
}

// sign makes a JWT; change adjusts the claims.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	require.NoError(t, err)
	out, err := jwt.Signed(s).Claims(claims).Serialize()
	require.NoError(t, err)
	return out
}

func claims(iss, sub, aud string, more ...any) map[string]any {
	now := time.Now()
	m := map[string]any{"iss": iss, "aud": aud, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": fmt.Sprint(now.UnixNano(), serial.Add(1))}
	if sub != "" {
		m["sub"] = sub
	}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

var serial atomic.Int64

const issuer = "https://as.example"

// A client that signs for itself gets a token with no other authentication, for itself only.
// Holds S63, S64, S65, S66, S69, S70, S72, S73, R141, R142, R143, R145, R147, R148.
func TestJWTBearer_ClientSignsForItself(t *testing.T) {
	t.Parallel()
	r, p := assertionRig(t, nil)
	ask := func(a string, more ...string) reply {
		return r.post("/token", "", append([]string{"grant_type", assertion.GrantJWT, "assertion", a}, more...)...)
	}
	good := sign(t, jose.ES256, p.client, claims("signer", "", issuer))
	res := ask(good)
	require.Equal(t, 200, res.status, res.body)
	require.Equal(t, "read", res.str("scope"))
	require.Empty(t, res.str("refresh_token"))
	require.LessOrEqual(t, res.json["expires_in"].(float64), 120.0, "no longer than the assertion")
	tok, err := r.srv.Introspect(t.Context(), res.str("access_token"))
	require.NoError(t, err)
	require.Equal(t, "signer", tok.Subject)
	require.Equal(t, "signer", tok.Extra["from"])
	ask(good).fails(t, 400, "invalid_grant") // replayed

	res = ask(sign(t, jose.ES256, p.client, claims("signer", "signer", issuer+"/token", "scope", "write")))
	require.Equal(t, "write", res.str("scope"), res.body)
	ask(sign(t, jose.ES256, p.client, claims("signer", "", issuer)), "scope", "admin").fails(t, 400, "invalid_scope")
	ask("").fails(t, 400, "invalid_request")
	for name, a := range map[string]string{
		"another's key":     sign(t, jose.ES256, p.as, claims("signer", "", issuer)),
		"audience":          sign(t, jose.ES256, p.client, claims("signer", "", "https://elsewhere.example")),
		"expired":           sign(t, jose.ES256, p.client, claims("signer", "", issuer, "exp", time.Now().Add(-2*time.Minute).Unix())),
		"too long":          sign(t, jose.ES256, p.client, claims("signer", "", issuer, "exp", time.Now().Add(time.Hour).Unix())),
		"no exp":            sign(t, jose.ES256, p.client, claims("signer", "", issuer, "exp", nil)),
		"a user":            sign(t, jose.ES256, p.client, claims("signer", "alice", issuer)),
		"unknown client":    sign(t, jose.ES256, p.client, claims("nobody", "", issuer)),
		"third party alone": sign(t, jose.ES256, p.as, claims(asID, "alice", issuer)),
		"garbage":           "garbage",
	} {
		res := ask(a)
		require.Equal(t, 400, res.status, "%s: %s", name, res.body)
		require.Equal(t, "invalid_grant", res.str("error"), name)
	}
}

// A third party's assertion needs a client that authenticates, and is bounded by what the issuer may give.
// Holds S71, S81, S83, R146, RF10, RF11, RF12, RF13.
func TestJWTBearer_ThirdPartyNeedsAnAuthenticatedClient(t *testing.T) {
	t.Parallel()
	r, p := assertionRig(t, func(c *grantwell.Config) {
		c.SubjectActive = func(_ context.Context, subject string) (bool, error) { return subject != "gone", nil }
	})
	ask := func(as, sub string, more ...string) reply {
		a := sign(t, jose.ES256, p.as, claims(asID, sub, issuer))
		return r.post("/token", as, append([]string{"grant_type", assertion.GrantJWT, "assertion", a}, more...)...)
	}
	res := ask(trusted, "alice", "scope", "read")
	require.Equal(t, 200, res.status, res.body)
	tok, err := r.srv.Introspect(t.Context(), res.str("access_token"))
	require.NoError(t, err)
	require.Equal(t, "alice", tok.Subject)
	ask(trusted, "alice", "scope", "write").fails(t, 400, "invalid_scope") // the client may, the issuer may not
	ask("trusted:wrong-wrong-wrong", "alice").fails(t, 401, "invalid_client")
	ask(conf, "alice").fails(t, 400, "unauthorized_client")
	ask(trusted, "gone").fails(t, 400, "invalid_grant")
	ask(trusted, "refused").fails(t, 400, "invalid_grant")
}

// Clients authenticate by JWT: audience our issuer only, each assertion once, the registered method only.
// Holds S12, R99, R100, R101, R102, R103, RF3, RF4, RF7, RF8, RF9, RJ5, RB4.
func TestPrivateKeyJWT_AudienceIsTheIssuerAndOnce(t *testing.T) {
	t.Parallel()
	r, p := assertionRig(t, nil)
	ask := func(a string, more ...string) reply {
		return r.post("/token", "", append([]string{"grant_type", "client_credentials", "client_assertion_type", assertion.ClientJWT, "client_assertion", a}, more...)...)
	}
	good := sign(t, jose.ES256, p.client, claims("signer", "signer", issuer))
	res := ask(good)
	require.Equal(t, 200, res.status, res.body)
	ask(good).fails(t, 401, "invalid_client")
	require.Equal(t, 200, ask(sign(t, jose.HS256, []byte(strings.Repeat("k", 32)), claims("hmac", "hmac", issuer)), "client_id", "hmac").status)
	again := sign(t, jose.ES256, p.client, claims("signer", "signer", issuer))
	ask(again, "client_id", "conf").fails(t, 400, "invalid_request")
	require.Equal(t, 200, ask(again, "client_id", "signer").status, "a refusal burns nothing")
	for name, a := range map[string]string{
		"token endpoint": sign(t, jose.ES256, p.client, claims("signer", "signer", issuer+"/token")),
		"two audiences":  sign(t, jose.ES256, p.client, claims("signer", "signer", "", "aud", []string{issuer, "https://x.example"})),
		"no jti":         sign(t, jose.ES256, p.client, claims("signer", "signer", issuer, "jti", nil)),
		"no exp":         sign(t, jose.ES256, p.client, claims("signer", "signer", issuer, "exp", nil)),
		"other subject":  sign(t, jose.ES256, p.client, claims("signer", "hmac", issuer)),
		"other key":      sign(t, jose.ES256, p.as, claims("signer", "signer", issuer)),
		"other method":   sign(t, jose.HS256, []byte(strings.Repeat("k", 32)), claims("signer", "signer", issuer)),
		"unknown":        sign(t, jose.ES256, p.client, claims("nobody", "nobody", issuer)),
		"secret client":  sign(t, jose.ES256, p.client, claims("conf", "conf", issuer)),
		"garbage":        "a.b.c",
	} {
		res := ask(a)
		require.Equal(t, 401, res.status, "%s: %s", name, res.body)
		require.Equal(t, "invalid_client", res.str("error"), name)
	}
	r.post("/token", "", "grant_type", "client_credentials", "client_assertion", good).fails(t, 401, "invalid_client")
	r.post("/token", "", "grant_type", "client_credentials", "client_assertion", good, "client_assertion_type", "urn:x").fails(t, 401, "invalid_client")
	r.post("/token", conf, "grant_type", "client_credentials", "client_assertion_type", assertion.ClientJWT, "client_assertion", good).fails(t, 400, "invalid_request")
}

// samlAssertion makes a signed assertion for a user; edit changes the text before it is signed.
func samlAssertion(t *testing.T, key *rsa.PrivateKey, edit func(string) string) string {
	t.Helper()
	now := time.Now().UTC()
	stamp := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05Z") }
	xml := fmt.Sprintf(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_%d%d" IssueInstant="%s" Version="2.0"><saml:Issuer>%s</saml:Issuer>`+
		`<saml:Subject><saml:NameID>alice</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="%s" Recipient="%s/token"/></saml:SubjectConfirmation></saml:Subject>`+
		`<saml:Conditions NotBefore="%s" NotOnOrAfter="%s"><saml:AudienceRestriction><saml:Audience>%s</saml:Audience></saml:AudienceRestriction></saml:Conditions>`+
		`<saml:AuthnStatement AuthnInstant="%s"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement></saml:Assertion>`,
		now.UnixNano(), serial.Add(1), stamp(0), idpID, stamp(2*time.Minute), issuer, stamp(-time.Minute), stamp(2*time.Minute), issuer, stamp(-time.Minute))
	if edit != nil {
		xml = edit(xml)
	}
	doc := etree.NewDocument()
	require.NoError(t, doc.ReadFromString(xml))
	ctx, err := dsig.NewSigningContext(key, nil)
	require.NoError(t, err)
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	sig, err := ctx.ConstructSignature(doc.Root(), true)
	require.NoError(t, err)
	doc.Root().InsertChildAt(1, sig)
	b, err := doc.WriteToBytes()
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(b)
}

// An identity provider's assertion buys a token for its subject, once, and nothing that is not signed by it does.
// Holds S75, S76, S77, S78, S80, S82, S83, S84, R150, R151, R156, RF1, RF5.
func TestSAMLBearer_EndToEnd(t *testing.T) {
	t.Parallel()
	r, p := assertionRig(t, nil)
	ask := func(a string) reply {
		return r.post("/token", trusted, "grant_type", assertion.GrantSAML2, "assertion", a, "scope", "read")
	}
	good := samlAssertion(t, p.idp, nil)
	res := ask(good)
	require.Equal(t, 200, res.status, res.body)
	require.Empty(t, res.str("refresh_token"))
	tok, err := r.srv.Introspect(t.Context(), res.str("access_token"))
	require.NoError(t, err)
	require.Equal(t, "idp|alice", tok.Subject)
	require.Equal(t, idpID, tok.Extra["from"])
	ask(good).fails(t, 400, "invalid_grant")
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	replace := func(old, now string) func(string) string {
		return func(s string) string { require.Contains(t, s, old); return strings.ReplaceAll(s, old, now) }
	}
	for name, a := range map[string]string{
		"another key":   samlAssertion(t, other, nil),
		"audience":      samlAssertion(t, p.idp, replace("<saml:Audience>"+issuer, "<saml:Audience>https://x.example")),
		"recipient":     samlAssertion(t, p.idp, replace(issuer+"/token", "https://x.example/token")),
		"issuer":        samlAssertion(t, p.idp, replace(idpID, "https://evil.example")),
		"hook":          samlAssertion(t, p.idp, replace(">alice<", ">refused<")),
		"not base64url": "%%%",
		"not XML":       base64.RawURLEncoding.EncodeToString([]byte("hello")),
		"unsigned":      base64.RawURLEncoding.EncodeToString([]byte(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><saml:Issuer>` + idpID + `</saml:Issuer></saml:Assertion>`)),
		"expired":       samlAssertion(t, p.idp, func(s string) string { return strings.ReplaceAll(s, fmt.Sprint(time.Now().Year()), "2020") }),
	} {
		res := ask(a)
		require.Equal(t, 400, res.status, "%s: %s", name, res.body)
		require.Equal(t, "invalid_grant", res.str("error"), name)
	}
	ask("").fails(t, 400, "invalid_request")
	r.post("/token", "", "grant_type", assertion.GrantSAML2, "assertion", samlAssertion(t, p.idp, nil)).fails(t, 400, "invalid_grant")
}

// Of many presentations of one assertion at the same moment, one gets a token.
// Holds S69, S80, I1, I11.
func TestAssertion_RacedIsUsedOnce(t *testing.T) {
	t.Parallel()
	r, p := assertionRig(t, nil)
	for range 5 {
		for _, grant := range []struct{ typ, a string }{
			{assertion.GrantJWT, sign(t, jose.ES256, p.as, claims(asID, "alice", issuer))}, {assertion.GrantSAML2, samlAssertion(t, p.idp, nil)},
		} {
			var wins atomic.Int32
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					if r.post("/token", trusted, "grant_type", grant.typ, "assertion", grant.a, "scope", "read").status == 200 {
						wins.Add(1)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, wins.Load())
		}
	}
}
