package grants_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strconv"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/grantstest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// ecKey generates a P-256 key.
func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// jwksOf returns a JWK Set of the public keys.
func jwksOf(t *testing.T, keys ...*ecdsa.PrivateKey) json.RawMessage {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), Use: "sig"})
	}
	text, err := json.Marshal(set)
	require.NoError(t, err)
	return text
}

// certificateOf returns a certificate of the key in PEM that ends at a time.
func certificateOf(t *testing.T, key *ecdsa.PrivateKey, end time.Time) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-48 * time.Hour),
		NotAfter:     end,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// signing is a server that both uses of a JWT are presented to, with one client.
type signing struct {
	verifier *assertion.JWTVerifier
	store    *memstore.Store
}

// newSigning registers a client that signs JWTs. issuers edits who is trusted.
func newSigning(t *testing.T, client storage.Client, issuers func(*grants.ClientIssuers)) *signing {
	t.Helper()
	store := memstore.New()
	client.ID = "signer"
	client.AuthMethod = storage.AuthPrivateKeyJWT
	client.GrantTypes = []string{assertion.GrantJWT}
	require.NoError(t, store.PutClient(t.Context(), client))
	trust := grants.ClientIssuers{Clients: store}
	if issuers != nil {
		issuers(&trust)
	}
	v, err := assertion.NewJWT(assertion.JWTConfig{
		Issuer:        grantstest.Issuer,
		TokenEndpoint: grantstest.Issuer + "/token",
		Issuers:       trust,
		Clients:       grants.RegisteredKeys{Clients: store},
		Replay:        grants.Replay{Records: store},
		MaxLifetime:   24 * time.Hour,
	})
	require.NoError(t, err)
	return &signing{v, store}
}

// verify presents a new JWT of the client "signer" that expires after a time.
func (s *signing) verify(
	t *testing.T, use assertion.Use, key any, alg jose.SignatureAlgorithm, life time.Duration, subject string, more ...any,
) (*assertion.Assertion, error) {
	t.Helper()
	now := time.Now()
	claims := map[string]any{
		"iss": "signer",
		"sub": subject,
		"aud": grantstest.Issuer,
		"iat": now.Unix(),
		"exp": now.Add(life).Unix(),
		"jti": rand.Text(),
	}
	if subject == "" {
		delete(claims, "sub")
	}
	for i := 0; i+1 < len(more); i += 2 {
		claims[more[i].(string)] = more[i+1]
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	require.NoError(t, err)
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return s.verifier.Verify(t.Context(), assertion.Request{Use: use, Assertion: text, ClientID: "signer"})
}

var uses = []assertion.Use{assertion.Grant, assertion.ClientAuth}

// A client may register its keys as a JWKS, as certificates, or both. Each of the keys
// verifies what it signs, as a grant and to authenticate, and no other key does. The
// key of a certificate that has ended does not.
//
// Holds: RFC 7523 section 3; RFC 7591 section 2; house: issuers apart.
func TestClientKeys_OfJWKSAndCertificates(t *testing.T) {
	t.Parallel()
	one, two, stranger := ecKey(t), ecKey(t), ecKey(t)
	valid, ended := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for name, tt := range map[string]struct {
		client   storage.Client
		one, two bool
	}{
		"JWKS":                 {storage.Client{JWKS: jwksOf(t, one)}, true, false},
		"JWKS of two":          {storage.Client{JWKS: jwksOf(t, one, two)}, true, true},
		"certificate":          {storage.Client{Certificates: certificateOf(t, one, valid)}, true, false},
		"two certificates":     {storage.Client{Certificates: certificateOf(t, one, valid) + certificateOf(t, two, valid)}, true, true},
		"both":                 {storage.Client{JWKS: jwksOf(t, one), Certificates: certificateOf(t, two, valid)}, true, true},
		"ended":                {storage.Client{Certificates: certificateOf(t, one, ended)}, false, false},
		"one of two ended":     {storage.Client{Certificates: certificateOf(t, one, ended) + certificateOf(t, two, valid)}, false, true},
		"JWKS, and it is over": {storage.Client{JWKS: jwksOf(t, one), Certificates: certificateOf(t, two, ended)}, true, false},
	} {
		s := newSigning(t, tt.client, nil)
		for _, use := range uses {
			for key, ok := range map[*ecdsa.PrivateKey]bool{one: tt.one, two: tt.two, stranger: false} {
				_, err := s.verify(t, use, key, jose.ES256, time.Minute, "signer")
				require.Equal(t, ok, err == nil, "%s as %s: %v", name, use, err)
			}
		}
	}
}

// The keys that a client registers verify its SAML assertions too.
//
// Holds: RFC 7522 section 3.
func TestClientIssuers_KeysVerifySAML(t *testing.T) {
	t.Parallel()
	one, two := ecKey(t), ecKey(t)
	store := memstore.New()
	require.NoError(t, store.PutClient(t.Context(), storage.Client{
		ID:           "signer",
		AuthMethod:   storage.AuthPrivateKeyJWT,
		GrantTypes:   []string{assertion.GrantSAML2},
		JWKS:         jwksOf(t, one),
		Certificates: certificateOf(t, two, time.Now().Add(time.Hour)),
	}))
	issuer, err := grants.ClientIssuers{Clients: store}.Issuer(t.Context(), "signer")
	require.NoError(t, err)
	require.Len(t, issuer.Keys, 2)
	for _, key := range []*ecdsa.PrivateKey{one, two} {
		require.True(t, containsKey(issuer.Keys, key.PublicKey))
	}
}

func containsKey(keys []crypto.PublicKey, want ecdsa.PublicKey) bool {
	for _, k := range keys {
		if have, ok := k.(*ecdsa.PublicKey); ok && have.Equal(&want) {
			return true
		}
	}
	return false
}

// staticClients is a client store with one client that was never validated.
type staticClients struct {
	client storage.Client
	err    error
}

// Client implements storage.Clients.
func (s staticClients) Client(context.Context, string) (storage.Client, error) {
	return s.client, s.err
}

// A client whose keys cannot be read looks to a caller like one that is unknown. The
// error has the cause, for the operator, and names the client.
//
// Holds: RFC 7521 section 4.1; house: errors never grant.
func TestClientKeys_ThatCannotBeRead(t *testing.T) {
	t.Parallel()
	whole := certificateOf(t, ecKey(t), time.Now().Add(time.Hour))
	var many string
	for range 65 {
		many += whole
	}
	for name, c := range map[string]storage.Client{
		"none":                           {},
		"JWKS":                           {JWKS: json.RawMessage(`{"keys":`)},
		"JWKS and certificates":          {JWKS: json.RawMessage(`[]`), Certificates: whole},
		"certificates":                   {Certificates: "x"},
		"certificates beside a JWKS":     {JWKS: jwksOf(t, ecKey(t)), Certificates: "x"},
		"too many certificates":          {Certificates: many},
		"a JWKSURI that nothing fetches": {JWKSURI: "https://app.example/jwks"},
	} {
		c.ID = "signer"
		c.AuthMethod = storage.AuthPrivateKeyJWT
		clients := staticClients{client: c}
		_, err := grants.ClientIssuers{Clients: clients}.Issuer(t.Context(), "signer")
		require.ErrorIs(t, err, assertion.ErrUnknownIssuer, name)
		require.ErrorContains(t, err, `"signer"`, name)
		if name == "none" {
			require.ErrorContains(t, err, "has no keys")
		}
		_, err = grants.RegisteredKeys{Clients: clients}.ClientKeys(t.Context(), "signer")
		require.ErrorIs(t, err, assertion.ErrUnknownClient, name)
		require.ErrorContains(t, err, `"signer"`, name)
	}
}

// A client that is unknown or disabled is no issuer and does not authenticate, nor does
// one of another method. A store that fails is a failure, and no unknown client.
//
// Holds: house: disabled client; house: store fails closed.
func TestClientKeys_OfClientsThatMayNot(t *testing.T) {
	t.Parallel()
	down := errors.New("the store is down")
	key := jwksOf(t, ecKey(t))
	for name, tt := range map[string]struct {
		clients        staticClients
		issuer, client error
	}{
		"unknown":  {staticClients{err: storage.ErrNotFound}, assertion.ErrUnknownIssuer, assertion.ErrUnknownClient},
		"disabled": {staticClients{client: storage.Client{AuthMethod: storage.AuthPrivateKeyJWT, JWKS: key, Disabled: true}}, assertion.ErrUnknownIssuer, assertion.ErrUnknownClient},
		"failing":  {staticClients{err: down}, down, down},
		"by secret": {staticClients{client: storage.Client{AuthMethod: storage.AuthClientSecretBasic, JWKS: key}},
			nil, assertion.ErrUnknownClient},
		"good": {staticClients{client: storage.Client{AuthMethod: storage.AuthPrivateKeyJWT, JWKS: key}}, nil, nil},
	} {
		_, err := grants.ClientIssuers{Clients: tt.clients}.Issuer(t.Context(), "signer")
		requireIs(t, tt.issuer, err, name)
		_, err = grants.RegisteredKeys{Clients: tt.clients}.ClientKeys(t.Context(), "signer")
		requireIs(t, tt.client, err, name)
	}
}

// requireIs asserts that an error is another one and of no other kind, or nil.
func requireIs(t *testing.T, want, err error, name string) {
	t.Helper()
	if want == nil {
		require.NoError(t, err, name)
		return
	}
	require.ErrorIs(t, err, want, name)
	for _, kind := range []error{assertion.ErrUnknownIssuer, assertion.ErrUnknownClient} {
		require.Equal(t, errors.Is(want, kind), errors.Is(err, kind), name)
	}
}

// clientWith returns a client with a key, edited.
func clientWith(t *testing.T, key *ecdsa.PrivateKey, edit func(*storage.Client)) storage.Client {
	t.Helper()
	c := storage.Client{JWKS: jwksOf(t, key)}
	edit(&c)
	return c
}

// An assertion that a client signs for a grant may live 5 minutes, or as long as the
// settings or the client say.
//
// Holds: house: client settings win; RFC 7523 section 3.
func TestClientIssuers_LifetimeOfAssertions(t *testing.T) {
	t.Parallel()
	key := ecKey(t)
	for name, tt := range map[string]struct {
		settings, client time.Duration
		most             time.Duration
	}{
		"default":      {0, 0, 5 * time.Minute},
		"of settings":  {15 * time.Minute, 0, 15 * time.Minute},
		"of a client":  {0, 10 * time.Minute, 10 * time.Minute},
		"client first": {15 * time.Minute, 10 * time.Minute, 10 * time.Minute},
	} {
		s := newSigning(t, clientWith(t, key, func(c *storage.Client) { c.AssertionLifetime = tt.client }),
			func(i *grants.ClientIssuers) { i.MaxLifetime = tt.settings })
		// A SAML assertion has no limit but this one.
		issuer, err := grants.ClientIssuers{Clients: s.store, MaxLifetime: tt.settings}.Issuer(t.Context(), "signer")
		require.NoError(t, err)
		require.Equal(t, tt.most, issuer.MaxLifetime, name)
		_, err = s.verify(t, assertion.Grant, key, jose.ES256, tt.most-5*time.Second, "signer")
		require.NoError(t, err, name)
		_, err = s.verify(t, assertion.Grant, key, jose.ES256, tt.most+5*time.Minute, "signer")
		require.Error(t, err, name)

		if tt.client > 0 {
			_, err = s.verify(t, assertion.ClientAuth, key, jose.ES256, tt.client-5*time.Second, "signer")
			require.NoError(t, err, name)
			_, err = s.verify(t, assertion.ClientAuth, key, jose.ES256, tt.client+5*time.Minute, "signer")
			require.Error(t, err, name)
		}
	}
}

// Client.LenientAssertions accepts what some gateways send, for both uses, and only
// of this client.
//
// Holds: house: client settings win.
func TestClientKeys_LenientAssertions(t *testing.T) {
	t.Parallel()
	key := ecKey(t)
	for _, lenient := range []bool{false, true} {
		s := newSigning(t, clientWith(t, key, func(c *storage.Client) { c.LenientAssertions = lenient }), nil)
		for _, use := range uses {
			end := time.Now().Add(time.Minute).Unix()
			_, err := s.verify(t, use, key, jose.ES256, time.Minute, "signer", "exp", jsonText(end))
			require.Equal(t, lenient, err == nil, "%s: %v", use, err)
		}
	}
}

// jsonText returns a number as text, as some gateways write times.
func jsonText(n int64) string { return strconv.FormatInt(n, 10) }

// A client that is registered for one signature algorithm authenticates by no other.
//
// Holds: RFC 7591 section 2; RFC 8725 section 3.1.
func TestRegisteredKeys_AlgorithmOfTheClient(t *testing.T) {
	t.Parallel()
	key := ecKey(t)
	for algorithm, ok := range map[string]bool{"": true, "ES256": true, "PS256": false, "ES384": false} {
		s := newSigning(t, clientWith(t, key, func(c *storage.Client) { c.AuthSigningAlg = algorithm }), nil)
		_, err := s.verify(t, assertion.ClientAuth, key, jose.ES256, time.Minute, "signer")
		require.Equal(t, ok, err == nil, "%s: %v", algorithm, err)
	}
}

// ClientIssuers.Subject decides for whom a client's assertion speaks. Without it a
// client speaks for itself alone.
//
// Holds: RFC 7523 section 3; house: issuers apart.
func TestClientIssuers_SubjectDecides(t *testing.T) {
	t.Parallel()
	key := ecKey(t)
	client := storage.Client{JWKS: jwksOf(t, key)}
	subject := func(s *signing, sub string) (string, error) {
		a, err := s.verify(t, assertion.Grant, key, jose.ES256, time.Minute, sub)
		require.NoError(t, err)
		return a.Trust.LocalSubject(t.Context(), a)
	}

	alone := newSigning(t, client, nil)
	for sub, ok := range map[string]bool{"signer": true, "": true, "ann": false} {
		got, err := subject(alone, sub)
		require.Equal(t, ok, err == nil, "%q: %v", sub, err)
		if ok {
			require.Equal(t, "signer", got)
		}
	}

	refused := errors.New("not this user")
	mapped := newSigning(t, client, func(i *grants.ClientIssuers) {
		i.Subject = func(_ context.Context, c storage.Client, a *assertion.Assertion) (string, error) {
			if a.Subject.Value == "eve" {
				return "", refused
			}
			return c.ID + "|" + a.Subject.Value, nil
		}
	})
	got, err := subject(mapped, "ann")
	require.NoError(t, err)
	require.Equal(t, "signer|ann", got)
	_, err = subject(mapped, "eve")
	require.ErrorIs(t, err, refused)
}

// Issuers that are no clients are asked of Others, and a client that is disabled is
// not.
//
// Holds: house: issuers apart.
func TestClientIssuers_OthersAreNoClients(t *testing.T) {
	t.Parallel()
	others := assertion.Issuers(assertion.Issuer{ID: "signer"}, assertion.Issuer{ID: "https://idp.example"})
	store := memstore.New()
	trust := grants.ClientIssuers{Clients: store, Others: others}
	issuer, err := trust.Issuer(t.Context(), "https://idp.example")
	require.NoError(t, err)
	require.Equal(t, "https://idp.example", issuer.ID)
	require.NoError(t, store.PutClient(t.Context(), storage.Client{
		ID: "signer", Disabled: true, AuthMethod: storage.AuthPrivateKeyJWT, JWKS: jwksOf(t, ecKey(t)), GrantTypes: []string{},
	}))
	_, err = trust.Issuer(t.Context(), "signer")
	require.ErrorIs(t, err, assertion.ErrUnknownIssuer)
	_, err = grants.ClientIssuers{Clients: store}.Issuer(t.Context(), "https://idp.example")
	require.ErrorIs(t, err, assertion.ErrUnknownIssuer)
}
