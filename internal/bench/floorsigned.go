package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// The grant types of RFC 7523 and RFC 7522.
const (
	grantJWT  = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	grantSAML = "urn:ietf:params:oauth:grant-type:saml2-bearer"
)

// floorClaims are the claims of an access token or of an assertion.
type floorClaims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	ClientID  string `json:"client_id"`
	ID        string `json:"jti"`
	Scope     string `json:"scope"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
}

// sign returns a JWT access token (RFC 9068).
func (f *floor) sign(t *floorToken) (string, error) {
	var id [16]byte
	_, _ = rand.Read(id[:])
	b64 := base64.RawURLEncoding
	claims, err := json.Marshal(floorClaims{
		Issuer:    issuer,
		Subject:   t.subject,
		Audience:  issuer,
		ClientID:  t.client.id,
		ID:        b64.EncodeToString(id[:]),
		Scope:     t.scope,
		IssuedAt:  t.issued,
		ExpiresAt: t.expires,
	})
	if err != nil {
		return "", err
	}
	input := b64.EncodeToString(
		[]byte(`{"typ":"at+jwt","alg":"`+f.alg+`","kid":"1"}`),
	) + "." + b64.EncodeToString(claims)

	// The signature of ES256 is r and s in 32 bytes each (RFC 7518 section 3.4).
	var sig []byte
	switch key := f.signer.(type) {
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			return "", err
		}
		sig = make([]byte, 64)
		r.FillBytes(sig[:32])
		s.FillBytes(sig[32:])
	case *rsa.PrivateKey:
		sum := sha256.Sum256([]byte(input))
		if sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]); err != nil {
			return "", err
		}
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, []byte(input))
	}
	return input + "." + b64.EncodeToString(sig), nil
}

// once reports whether an assertion is used for the first time.
func (f *floor) once(id string, until int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, used := f.used[id]; used {
		return false
	}
	f.used[id] = until
	return true
}

// jwtBearer redeems an assertion of the client about itself (RFC 7523).
func (f *floor) jwtBearer(w http.ResponseWriter, form url.Values, now time.Time) {
	c, err := f.checkJWT(form.Get("assertion"), now)
	if err != nil || !c.allows(form.Get("scope")) {
		fail(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	f.issue(w, now, c, c.id, form.Get("scope"), false)
}

var errAssertion = errors.New("bench: the assertion is not valid")

// checkJWT verifies an assertion and returns its client.
func (f *floor) checkJWT(token string, now time.Time) (*floorClient, error) {
	input, sig64, ok := cutLast(token, ".")
	head64, claims64, ok2 := strings.Cut(input, ".")
	if !ok || !ok2 {
		return nil, errAssertion
	}
	b64 := base64.RawURLEncoding
	head, err1 := b64.DecodeString(head64)
	raw, err2 := b64.DecodeString(claims64)
	sig, err3 := b64.DecodeString(sig64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	var h struct {
		Alg string `json:"alg"`
	}
	var claims floorClaims
	if json.Unmarshal(head, &h) != nil || json.Unmarshal(raw, &claims) != nil || h.Alg != es256 ||
		len(sig) != 64 {
		return nil, errAssertion
	}

	// The client is the issuer and the subject of its own assertion.
	f.mu.RLock()
	c := f.clients[claims.Issuer]
	f.mu.RUnlock()
	if c == nil || claims.Subject != c.id || claims.Audience != issuer ||
		now.Unix() >= claims.ExpiresAt ||
		claims.ID == "" {
		return nil, errAssertion
	}
	sum := sha256.Sum256([]byte(input))
	if !ecdsa.Verify(
		c.key,
		sum[:],
		new(big.Int).SetBytes(sig[:32]),
		new(big.Int).SetBytes(sig[32:]),
	) ||
		!f.once(claims.ID, claims.ExpiresAt) {
		return nil, errAssertion
	}
	return c, nil
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// samlBearer redeems an assertion of the identity provider about a user (RFC 7522).
func (f *floor) samlBearer(w http.ResponseWriter, c *floorClient, form url.Values, now time.Time) {
	subject, err := f.checkSAML(form.Get("assertion"), now)
	if err != nil || !c.allows(form.Get("scope")) {
		fail(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	f.issue(w, now, c, subject, form.Get("scope"), false)
}

// checkSAML verifies the XML signature with goxmldsig, and reads only the element that it
// returns.
func (f *floor) checkSAML(assertion string, now time.Time) (subject string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(assertion)
	if err != nil {
		return "", err
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(raw); err != nil {
		return "", err
	}
	if doc.Root() == nil {
		return "", errAssertion
	}
	ctx := dsig.NewDefaultValidationContext(
		&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{f.cert}},
	)
	el, err := ctx.Validate(doc.Root())
	if err != nil {
		return "", err
	}

	// Only what the signature covers is read from here on.
	text := func(path string) string {
		if e := el.FindElement(path); e != nil {
			return e.Text()
		}
		return ""
	}
	confirmation := el.FindElement("./Subject/SubjectConfirmation/SubjectConfirmationData")
	conditions := el.FindElement("./Conditions")
	if confirmation == nil || conditions == nil || text("./Issuer") != idp ||
		text("./Conditions/AudienceRestriction/Audience") != issuer ||
		confirmation.SelectAttrValue("Recipient", "") != issuer+"/token" {
		return "", errAssertion
	}

	// Both times bound the assertion. The last one read is close enough for its replay.
	var until time.Time
	for _, e := range []*etree.Element{confirmation, conditions} {
		if until, err = time.Parse(
			time.RFC3339Nano,
			e.SelectAttrValue("NotOnOrAfter", ""),
		); err != nil ||
			!now.Before(until) {
			return "", errAssertion
		}
	}
	if !f.once(el.SelectAttrValue("ID", ""), until.Unix()) {
		return "", errAssertion
	}
	return text("./Subject/NameID"), nil
}
