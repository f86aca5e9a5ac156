package assertion

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// The SAML tests have one server, one trusted issuer and one time.
const (
	testIssuer    = "https://idp.example/metadata"
	testAudience  = "https://as.example"
	testRecipient = "https://as.example/token"
	testName      = "alice@example.com"

	algRSA256   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	algECDSA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	digest256   = "http://www.w3.org/2001/04/xmlenc#sha256"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type samlTestKeys struct {
	rsa, next, stranger *rsa.PrivateKey
	ec                  *ecdsa.PrivateKey
}

var samlKeys = sync.OnceValue(func() samlTestKeys {
	newRSA := func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return samlTestKeys{newRSA(), newRSA(), newRSA(), ec}
})

// draft is an unsigned assertion in pieces, so that a test can change one.
type draft struct {
	open, issuer, subject, conditions, advice, statements string
}

func newDraft() draft {
	return draft{
		open:    `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" IssueInstant="2026-03-01T11:59:50Z">`,
		issuer:  `<saml:Issuer>` + testIssuer + `</saml:Issuer>`,
		subject: `<saml:Subject>` + nameID + bearer(testRecipient, `NotOnOrAfter="2026-03-01T12:05:00Z"`) + `</saml:Subject>`,
		conditions: `<saml:Conditions NotBefore="2026-03-01T11:59:00Z" NotOnOrAfter="2026-03-01T12:05:00Z">` +
			audience(testAudience) + `</saml:Conditions>`,
		statements: `<saml:AuthnStatement AuthnInstant="2026-03-01T11:58:00Z" SessionIndex="s1"><saml:AuthnContext>` +
			`<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>` +
			`<saml:AttributeStatement><saml:Attribute Name="groups"><saml:AttributeValue>staff</saml:AttributeValue>` +
			`<saml:AttributeValue>admins</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`,
	}
}

const nameID = `<saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">` + testName + `</saml:NameID>`

func bearer(recipient, more string) string {
	return `<saml:SubjectConfirmation Method="` + methodBearer + `"><saml:SubjectConfirmationData Recipient="` +
		recipient + `" ` + more + `/></saml:SubjectConfirmation>`
}

func audience(names ...string) string {
	return `<saml:AudienceRestriction><saml:Audience>` + strings.Join(names, `</saml:Audience><saml:Audience>`) +
		`</saml:Audience></saml:AudienceRestriction>`
}

// with returns the document with a text, for example a signature, after the
// Issuer.
func (d draft) with(signature string) string {
	return d.open + d.issuer + signature + d.subject + d.conditions + d.advice + d.statements + `</saml:Assertion>`
}

// signing says how a test signs. The zero value makes a valid signature by RSA.
type signing struct {
	key        crypto.Signer
	algorithm  string
	digest     string
	c14n       string // CanonicalizationMethod
	transforms string // the elements inside Transforms
	reference  string // the whole Reference, instead of the one made
	uri        string
	noURI      bool
	keyInfo    string
	prefixes   []string
	methodXML  string // inside SignatureMethod
	extra      string // after the Reference
	object     string // after SignatureValue
	der        bool
	hmacKey    []byte
	doubled    bool // SignedInfo twice
	pss        *rsa.PSSOptions
}

// The names that tests write into documents.
const (
	nsDSig         = xmldsig.Namespace
	nsDSigMore     = xmldsig.NamespaceMore
	exclusiveC14N  = xmldsig.ExclusiveC14N
	envelopedTrans = nsDSig + "enveloped-signature"
	nsXMLEnc       = "http://www.w3.org/2001/04/xmlenc#"
	nsXMLEnc11     = "http://www.w3.org/2009/xmlenc11#"
	oaepMGF1P      = nsXMLEnc + "rsa-oaep-mgf1p"
	oaep           = nsXMLEnc11 + "rsa-oaep"
	nsXMLNS        = "http://www.w3.org/2000/xmlns/"
)

// hashOf returns the hash that an algorithm's name ends with.
func hashOf(algorithm string) crypto.Hash {
	for suffix, hash := range map[string]crypto.Hash{"sha1": crypto.SHA1, "md5": crypto.MD5, "sha384": crypto.SHA384, "sha512": crypto.SHA512} {
		if strings.HasSuffix(algorithm, suffix) {
			return hash
		}
	}
	return crypto.SHA256
}

const (
	transformEnveloped = `<ds:Transform Algorithm="` + envelopedTrans + `"/>`
	transformExclusive = `<ds:Transform Algorithm="` + exclusiveC14N + `"/>`
)

// sign signs a draft.
func (s signing) sign(t testing.TB, d draft) string {
	t.Helper()
	or := func(v *string, def string) {
		if *v == "" {
			*v = def
		}
	}
	if s.key == nil {
		s.key = samlKeys().rsa
	}
	if _, ok := s.key.(*ecdsa.PrivateKey); ok {
		or(&s.algorithm, algECDSA256)
	}
	or(&s.algorithm, algRSA256)
	or(&s.digest, digest256)
	or(&s.c14n, exclusiveC14N)
	exclusive := transformExclusive
	if s.prefixes != nil {
		exclusive = `<ds:Transform Algorithm="` + exclusiveC14N + `"><ec:InclusiveNamespaces xmlns:ec="` + exclusiveC14N +
			`" PrefixList="` + strings.Join(s.prefixes, " ") + `"/></ds:Transform>`
	}
	or(&s.transforms, transformEnveloped+exclusive)
	or(&s.uri, "#_a1")

	covered, err := xmldsig.Canonicalize(mustTree(t, d.with("")), s.prefixes, nil)
	require.NoError(t, err)
	hash := hashOf(s.digest)
	h := hash.New()
	h.Write(covered)
	uri := ` URI="` + s.uri + `"`
	if s.noURI {
		uri = ""
	}
	or(&s.reference, `<ds:Reference`+uri+`><ds:Transforms>`+s.transforms+`</ds:Transforms><ds:DigestMethod Algorithm="`+
		s.digest+`"/><ds:DigestValue>`+base64.StdEncoding.EncodeToString(h.Sum(nil))+`</ds:DigestValue></ds:Reference>`)
	info := `<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="` + s.c14n + `"/><ds:SignatureMethod Algorithm="` +
		s.algorithm + `">` + s.methodXML + `</ds:SignatureMethod>` + s.reference + s.extra + `</ds:SignedInfo>`
	if s.doubled {
		info += info
	}
	whole := func(value string) string {
		return d.with(`<ds:Signature xmlns:ds="` + nsDSig + `">` + info + `<ds:SignatureValue>` + value +
			`</ds:SignatureValue>` + s.keyInfo + s.object + `</ds:Signature>`)
	}
	tree := mustTree(t, whole(""))
	octets, err := xmldsig.Canonicalize(tree.FindElement("//ds:SignedInfo"), nil, nil)
	require.NoError(t, err)
	return whole(base64.StdEncoding.EncodeToString(s.value(t, octets)))
}

func (s signing) value(t testing.TB, octets []byte) []byte {
	t.Helper()
	if s.hmacKey != nil {
		mac := hmac.New(sha256.New, s.hmacKey)
		mac.Write(octets)
		return mac.Sum(nil)
	}
	hash := hashOf(s.algorithm)
	if s.pss != nil {
		hash = s.pss.Hash
	}
	h := hash.New()
	h.Write(octets)
	if s.pss != nil {
		value, err := s.key.Sign(rand.Reader, h.Sum(nil), s.pss)
		require.NoError(t, err)
		return value
	}
	if key, ok := s.key.(*ecdsa.PrivateKey); ok && !s.der {
		r, v, err := ecdsa.Sign(rand.Reader, key, h.Sum(nil))
		require.NoError(t, err)
		size := (key.Curve.Params().N.BitLen() + 7) / 8
		return append(r.FillBytes(make([]byte, size)), v.FillBytes(make([]byte, size))...)
	}
	value, err := s.key.Sign(rand.Reader, h.Sum(nil), hash)
	require.NoError(t, err)
	return value
}

// mustTree parses without any of the strictness under test.
func mustTree(t testing.TB, doc string) *etree.Element {
	t.Helper()
	d := etree.NewDocument()
	require.NoError(t, d.ReadFromString(doc), doc)
	return d.Root()
}

// replayMemory is a ReplayStore for tests.
type replayMemory struct {
	mu    sync.Mutex
	used  map[string]time.Time
	calls int
	err   error
}

func (m *replayMemory) Use(_ context.Context, issuer, id string, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.err != nil {
		return false, m.err
	}
	if m.used == nil {
		m.used = make(map[string]time.Time)
	}
	key := issuer + "\x00" + id
	if _, ok := m.used[key]; ok {
		return false, nil
	}
	m.used[key] = until
	return true, nil
}

func testSAMLConfig() SAMLConfig {
	keys := samlKeys()
	return SAMLConfig{
		Issuers:    Issuers(Issuer{ID: testIssuer, Keys: []crypto.PublicKey{&keys.rsa.PublicKey, &keys.next.PublicKey, &keys.ec.PublicKey}}),
		Audiences:  []string{testAudience, "https://as.example/token", "https://as.example/saml"},
		Recipients: []string{testRecipient},
		Replay:     &replayMemory{},
		Now:        func() time.Time { return testNow },
	}
}

func newTestSAML(t testing.TB, change func(*SAMLConfig)) *SAMLVerifier {
	t.Helper()
	c := testSAMLConfig()
	if change != nil {
		change(&c)
	}
	s, err := NewSAML(c)
	require.NoError(t, err)
	return s
}

func encoded(doc string) string { return base64.RawURLEncoding.EncodeToString([]byte(doc)) }

// verifyDoc presents a document as a grant.
func verifyDoc(s *SAMLVerifier, doc string) (*Assertion, error) {
	return s.Verify(context.Background(), Request{Assertion: encoded(doc), Recipient: testRecipient})
}

// firstStop returns the layer that refuses a document, "" if none does.
func firstStop(s *SAMLVerifier, r Request) (string, *Error) {
	run := s.newRun(context.Background(), r)
	for _, layer := range s.layers {
		if refusal := layer.run(run); refusal != nil {
			return layer.name, refusal
		}
	}
	return "", nil
}

// requireReason asserts the reason of a refusal.
func requireReason(t testing.TB, want Reason, err error) *Error {
	t.Helper()
	var refusal *Error
	require.Truef(t, errors.As(err, &refusal), "want %s, got %v", want, err)
	require.Equal(t, want, refusal.Reason, refusal.Error())
	return refusal
}

// testCertificate makes a self-signed certificate for a key.
func testCertificate(t testing.TB, key crypto.Signer, from, to time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(from.Unix()), NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func keyInfo(certs ...*x509.Certificate) string {
	var b strings.Builder
	for _, cert := range certs {
		fmt.Fprintf(&b, "<ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data>", base64.StdEncoding.EncodeToString(cert.Raw))
	}
	return "<ds:KeyInfo>" + b.String() + "</ds:KeyInfo>"
}
