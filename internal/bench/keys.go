package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"time"
)

// The values that all servers share.
const (
	issuer      = "https://as.example"
	clientID    = "app"
	secret      = "mZ0pX1fGv3q8nYtK5cJrW7uLhB2dEsQ9aN4oT6iRkVx"
	redirectURI = "https://app.example/cb"
	user        = "alice"
	password    = "wonderland"
	verifier    = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge   = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	state       = "af0ifjsldkj-0123456789"
	lifetime    = time.Hour
	idp         = "https://idp.example/metadata"
)

// The forms of access tokens.
const (
	opaque = "opaque"
	es256  = "ES256"
	rs256  = "RS256"
	edDSA  = "EdDSA"
)

var forms = []string{opaque, es256, rs256, edDSA}

// keys are the keys of a run: one for each algorithm, one of the client and one of the
// identity provider. Each server's process gets the same, because the time of an RSA
// signature depends on the key.
type keys struct {
	// The private keys in PKCS #8.
	ES     []byte
	RS     []byte
	Ed     []byte
	Client []byte
	IDP    []byte

	// IDPCert is the certificate of the identity provider in DER.
	IDPCert []byte

	// The assertions, which are signed before a round, because the servers do not sign
	// them.
	JWTs  []string
	SAMLs []string
}

// newKeys makes the keys, and the given numbers of assertions.
func newKeys(jwts, samls int) (*keys, error) {
	k := &keys{}
	// PKCS #8 goes through JSON to the servers' processes.
	for _, at := range []*[]byte{&k.ES, &k.Client} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		if *at, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			return nil, err
		}
	}
	for _, at := range []*[]byte{&k.RS, &k.IDP} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		if *at, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			return nil, err
		}
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if k.Ed, err = x509.MarshalPKCS8PrivateKey(ed); err != nil {
		return nil, err
	}

	// crewjam/saml and goxmldsig know the identity provider by a certificate.
	signer := parseKey(k.IDP)
	now := time.Now()
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "idp"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(time.Hour),
	}
	if k.IDPCert, err = x509.CreateCertificate(
		rand.Reader,
		cert,
		cert,
		signer.Public(),
		signer,
	); err != nil {
		return nil, err
	}
	return k.withAssertions(jwts, samls)
}

// parseKey returns a key that newKeys has made.
func parseKey(der []byte) crypto.Signer {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		panic(err)
	}
	return key.(crypto.Signer)
}

// signing returns the key for a form of access tokens, or nil for opaque tokens.
func (k *keys) signing(form string) crypto.Signer {
	switch form {
	case es256:
		return parseKey(k.ES)
	case rs256:
		return parseKey(k.RS)
	case edDSA:
		return parseKey(k.Ed)
	}
	return nil
}

// pem returns the key for a form of access tokens as PEM.
func (k *keys) pem(form string) []byte {
	der := map[string][]byte{es256: k.ES, rs256: k.RS, edDSA: k.Ed}[form]
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// signAssertion returns a JWT assertion of the client about itself.
func signAssertion(key *ecdsa.PrivateKey, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": clientID,
		"sub": clientID,
		"aud": issuer,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(290 * time.Second).Unix(),
	})
	if err != nil {
		return "", err
	}
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString(
		[]byte(`{"alg":"ES256","typ":"JWT","kid":"client"}`),
	) + "." + b64.EncodeToString(claims)
	sum := sha256.Sum256([]byte(input))

	// The signature is r and s in 32 bytes each (RFC 7518 section 3.4).
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return "", err
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + b64.EncodeToString(sig[:]), nil
}

// withAssertions returns the same keys with new assertions.
func (k keys) withAssertions(jwts, samls int) (*keys, error) {
	k.JWTs, k.SAMLs = nil, nil

	// All assertions of a round expire at the same time.
	now := time.Now()
	for range jwts {
		token, err := signAssertion(parseKey(k.Client).(*ecdsa.PrivateKey), now)
		if err != nil {
			return nil, err
		}
		k.JWTs = append(k.JWTs, token)
	}
	for range samls {
		a, err := signSAML(&k, now)
		if err != nil {
			return nil, err
		}
		k.SAMLs = append(k.SAMLs, a)
	}
	return &k, nil
}
