package assertion

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sealing says how a test encrypts. The zero value is rsa-oaep-mgf1p and aes256-gcm.
type sealing struct {
	key            *rsa.PublicKey
	algorithm      string // of the content
	size           int
	transport      string
	digest, mask   crypto.Hash
	digestXML, mgf string
	beside         bool // EncryptedKey next to EncryptedData
	spoil          func(wrapped, sealed []byte) ([]byte, []byte)
	extraKeys      int
	name           string
	secretLen      int
}

func (s sealing) seal(t testing.TB, plain string) string {
	t.Helper()
	if s.key == nil {
		s.key = &samlKeys().rsa.PublicKey
	}
	if s.algorithm == "" {
		s.algorithm, s.size = nsXMLEnc11+"aes256-gcm", 32
	}
	if s.secretLen == 0 {
		s.secretLen = s.size
	}
	if s.transport == "" {
		s.transport = oaepMGF1P
	}
	if s.digest == 0 {
		s.digest = crypto.SHA1
	}
	if s.mask == 0 {
		s.mask = crypto.SHA1
	}
	secret := make([]byte, s.secretLen)
	_, _ = rand.Read(secret)
	block, err := aes.NewCipher(secret)
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce)
	sealed := gcm.Seal(nonce, nonce, []byte(plain), nil)
	wrapped, err := rsa.EncryptOAEPWithOptions(rand.Reader, s.key, secret, &rsa.OAEPOptions{Hash: s.digest, MGFHash: s.mask})
	require.NoError(t, err)
	if s.spoil != nil {
		wrapped, sealed = s.spoil(wrapped, sealed)
	}
	b64 := base64.StdEncoding.EncodeToString
	encryptedKey := func(wrapped []byte) string {
		return fmt.Sprintf(`<xenc:EncryptedKey xmlns:xenc="%s"><xenc:EncryptionMethod Algorithm="%s">%s%s</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>`,
			nsXMLEnc, s.transport, s.digestXML, s.mgf, b64(wrapped))
	}
	keys := strings.Repeat(encryptedKey(make([]byte, len(wrapped))), s.extraKeys) + encryptedKey(wrapped)
	inside, beside := `<ds:KeyInfo xmlns:ds="`+nsDSig+`"><ds:KeyName>k</ds:KeyName>`+keys+`</ds:KeyInfo>`, ""
	if s.beside {
		inside, beside = "", keys
	}
	if s.name == "" {
		s.name = "EncryptedAssertion"
	}
	return fmt.Sprintf(`<saml:%s xmlns:saml="%s"><xenc:EncryptedData xmlns:xenc="%s" Type="%sElement"><xenc:EncryptionMethod Algorithm="%s"/>%s<xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>%s</saml:%s>`,
		s.name, nsSAML, nsXMLEnc, nsXMLEnc, s.algorithm, inside, b64(sealed), beside, s.name)
}

func digestMethod(uri string) string {
	return `<ds:DigestMethod xmlns:ds="` + nsDSig + `" Algorithm="` + uri + `"/>`
}

func maskMethod(uri string) string {
	return `<x:MGF xmlns:x="` + nsXMLEnc11 + `" Algorithm="` + uri + `"/>`
}

func decrypting(c *SAMLConfig) {
	c.Decrypters = []crypto.Decrypter{samlKeys().next, samlKeys().rsa}
}

// Holds: RFC 7522 section 3.
func TestSAML_EncryptedAssertionIsReadLikeAPlainOne(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]sealing{
		"default":                     {},
		"first key":                   {key: &samlKeys().next.PublicKey},
		"aes128":                      {algorithm: nsXMLEnc11 + "aes128-gcm", size: 16},
		"aes192":                      {algorithm: nsXMLEnc11 + "aes192-gcm", size: 24},
		"EncryptedKey beside":         {beside: true},
		"mgf1p with digest SHA-256":   {digest: crypto.SHA256, digestXML: digestMethod(nsXMLEnc + "sha256")},
		"oaep SHA-256, mask SHA-1":    {transport: oaep, digest: crypto.SHA256, digestXML: digestMethod(nsXMLEnc + "sha256")},
		"oaep SHA-512, mask SHA-256":  {transport: oaep, digest: crypto.SHA512, mask: crypto.SHA256, digestXML: digestMethod(nsXMLEnc + "sha512"), mgf: maskMethod(nsXMLEnc11 + "mgf1sha256")},
		"another recipient's key too": {extraKeys: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := verifyDoc(newTestSAML(t, decrypting), s.seal(t, honest(t)))
			require.NoError(t, err)
			require.Equal(t, testName, got.Subject.Value)
		})
	}
}

// Every failure of decryption after a private key was used has the same error text.
//
// Holds: RFC 7522 section 2.1; RFC 7522 section 3; house: bounded parsers.
func TestSAML_DecryptionFailuresAreIndistinct(t *testing.T) {
	t.Parallel()
	short := func(n int) func(_, _ []byte) ([]byte, []byte) {
		return func(w, s []byte) ([]byte, []byte) { return w, s[:n] }
	}
	cases := map[string]sealing{
		"stranger's key":      {key: &samlKeys().stranger.PublicKey},
		"wrapped key changed": {spoil: func(w, s []byte) ([]byte, []byte) { w[9] ^= 1; return w, s }},
		"wrapped key short":   {spoil: func(w, s []byte) ([]byte, []byte) { return w[1:], s }},
		"content changed":     {spoil: func(w, s []byte) ([]byte, []byte) { s[20] ^= 1; return w, s }},
		"nothing":             {spoil: short(0)},
		"4 octets":            {spoil: short(4)},
		"only a nonce":        {spoil: short(12)},
		"key of another size": {secretLen: 16},
	}
	texts := make(map[string]bool)
	for name, s := range cases {
		_, err := verifyDoc(newTestSAML(t, decrypting), s.seal(t, honest(t)))
		requireReason(t, ReasonDecryption, err)
		texts[err.Error()] = true
		require.NotContains(t, err.Error(), name)
	}
	require.Len(t, texts, 1)
}

// What an administrator of the identity provider must change is named: the shape and
// the algorithms of XML Encryption stand in the document for everyone to read. The
// client learns nothing of it (SAML core section 2.2.4).
func TestSAML_RefusedEncryptionIsNamedToTheOperator(t *testing.T) {
	t.Parallel()
	cases := map[string]sealing{
		"CBC":                {algorithm: nsXMLEnc + "aes256-cbc", size: 32},
		"3DES":               {algorithm: nsXMLEnc + "tripledes-cbc", size: 24},
		"RSA 1.5":            {transport: nsXMLEnc + "rsa-1_5"},
		"unknown digest":     {digestXML: digestMethod("urn:x")},
		"unknown mask":       {transport: oaep, mgf: maskMethod("urn:x")},
		"mask where none is": {mgf: maskMethod(nsXMLEnc11 + "mgf1sha1")},
		"a label":            {mgf: `<x:OAEPparams xmlns:x="` + nsXMLEnc + `">AAAA</x:OAEPparams>`},
	}
	says := map[string]string{
		"CBC":                "AES-GCM is accepted",
		"3DES":               "tripledes-cbc",
		"RSA 1.5":            "RSA-OAEP is accepted",
		"unknown digest":     "urn:x",
		"unknown mask":       "urn:x",
		"mask where none is": "MGF",
		"a label":            "OAEPparams",
	}
	for name, s := range cases {
		_, err := verifyDoc(newTestSAML(t, decrypting), s.seal(t, honest(t)))
		refusal := requireReason(t, ReasonDecryption, err)
		require.ErrorContains(t, err, says[name], name)
		require.Equal(t, "The assertion is not acceptable.", refusal.Description())
	}
	_, err := verifyDoc(newTestSAML(t, decrypting), sealing{extraKeys: 4}.seal(t, honest(t)))
	requireReason(t, ReasonDecryption, err)
	require.ErrorContains(t, err, "first 4 wrapped keys")

	sealed := sealing{}.seal(t, honest(t))
	for _, more := range []string{honest(t), `<x xmlns="urn:x"/>`, "x"} {
		_, err := verifyDoc(newTestSAML(t, decrypting), strings.Replace(sealed, "</saml:EncryptedAssertion>", more+"</saml:EncryptedAssertion>", 1))
		requireReason(t, ReasonDecryption, err)
	}
	for _, doc := range []string{"", "<a/>", `<xenc:EncryptedData xmlns:xenc="` + nsXMLEnc + `"/>`} {
		_, err := verifyDoc(newTestSAML(t, decrypting), `<saml:EncryptedAssertion xmlns:saml="`+nsSAML+`">`+doc+`</saml:EncryptedAssertion>`)
		requireReason(t, ReasonDecryption, err)
	}
}

// An assertion that was encrypted goes through every layer after it was
// decrypted.
//
// Holds: RFC 7522 section 3.
func TestSAML_EncryptionDoesNotReplaceTheSignature(t *testing.T) {
	t.Parallel()
	for plain, want := range map[string]string{
		evil("_e"): layerStructure,
		strings.Replace(honest(t), testName, "admin@example.com", 1): layerSignature,
		sealing{}.seal(t, honest(t)):                                 layerStructure,
		strings.Replace(honest(t), "alice", "alice<!---->", 1):       layerDecryption,
		"not XML": layerDecryption,
	} {
		stop, refusal := firstStop(newTestSAML(t, decrypting), Request{Assertion: encoded(sealing{}.seal(t, plain))})
		require.Equal(t, want, stop, refusal)
	}
	_, err := verifyDoc(newTestSAML(t, nil), sealing{}.seal(t, honest(t)))
	requireReason(t, ReasonDecryption, err)
}

// Holds: RFC 7522 section 3.
func TestSAML_EncryptedIDAndAttributeAreReadAfterVerification(t *testing.T) {
	t.Parallel()
	const declared = ` xmlns:saml="` + nsSAML + `"`
	id := func(plain string) string { return sealing{name: "EncryptedID"}.seal(t, plain) }
	name := strings.Replace(nameID, "<saml:NameID", "<saml:NameID"+declared, 1)
	attribute := `<saml:AttributeStatement>` + sealing{name: "EncryptedAttribute"}.seal(t,
		`<saml:Attribute`+declared+` Name="secret"><saml:AttributeValue>s</saml:AttributeValue></saml:Attribute>`) + `</saml:AttributeStatement>`
	doc := drafted(func(d *draft) { replace(inSubject, nameID, id(name))(d); d.statements += attribute })(t)
	got, err := verifyDoc(newTestSAML(t, decrypting), doc)
	require.NoError(t, err)
	require.Equal(t, testName, got.Subject.Value)
	require.Equal(t, []string{"s"}, got.Attribute("secret"))

	for _, plain := range []string{"", "x", name + name, strings.Replace(name, "alice", "alice<!---->", 1), `<!DOCTYPE a>` + name} {
		doc := drafted(replace(inSubject, nameID, id(plain)))(t)
		_, err := verifyDoc(newTestSAML(t, decrypting), doc)
		requireReason(t, ReasonDecryption, err)
	}
	for _, subject := range []string{id(name) + nameID, nameID + id(name), id(`<saml:Issuer` + declared + `>x</saml:Issuer>`), id(id(name))} {
		doc := drafted(replace(inSubject, nameID, subject))(t)
		_, err := verifyDoc(newTestSAML(t, decrypting), doc)
		requireReason(t, ReasonSubject, err)
	}
}

// What stands behind the CipherData belongs to an EncryptedKey, once, and in its own
// namespace. A further EncryptedData is refused in every namespace and at every depth.
//
// Holds: RFC 7522 section 3.
func TestSAML_NothingBesideTheCiphertext(t *testing.T) {
	t.Parallel()
	doc := sealing{}.seal(t, honest(t))
	const list, name = `<xenc:ReferenceList/>`, `<xenc:CarriedKeyName>k</xenc:CarriedKeyName>`
	inKey := func(more string) string {
		return strings.Replace(doc, "</xenc:CipherData></xenc:EncryptedKey>", "</xenc:CipherData>"+more+"</xenc:EncryptedKey>", 1)
	}
	inData := func(more string) string {
		return strings.Replace(doc, "</xenc:CipherData></xenc:EncryptedData>", "</xenc:CipherData>"+more+"</xenc:EncryptedData>", 1)
	}
	inInfo := func(more string) string { return strings.Replace(doc, "<ds:KeyName>", more+"<ds:KeyName>", 1) }
	for change, ok := range map[string]bool{
		inKey(list + name):                                          true,
		inKey(list + list):                                          false,
		inKey(name + name):                                          false,
		inKey(`<ReferenceList xmlns="urn:x"/>`):                     false,
		inKey(`<xenc:EncryptionProperties/>`):                       false,
		inData(list):                                                false,
		inData(name):                                                false,
		inData(`<xenc:EncryptionProperties/>`):                      false,
		inInfo(`<x xmlns="urn:x"/>`):                                true,
		inInfo(`<EncryptedData xmlns="urn:x"/>`):                    false,
		inInfo(`<x xmlns="urn:x"><EncryptedData/></x>`):             false,
		inInfo(`<x xmlns="urn:x"><xenc:EncryptedData/></x>`):        false,
		inInfo(`<x xmlns="urn:x"><saml:NameID>a</saml:NameID></x>`): false,
	} {
		require.NotEqual(t, doc, change)
		_, err := verifyDoc(newTestSAML(t, decrypting), change)
		require.Equal(t, ok, err == nil, "%v", err)
		if !ok {
			requireReason(t, ReasonDecryption, err)
		}
	}
}

// A wrapped key of another size than the decryption keys is for another recipient, and
// costs no private key operation. More than four of the size are refused by name.
//
// Holds: RFC 7522 section 3; house: bounded parsers.
func TestSAML_KeysOfOtherSizesCostNothing(t *testing.T) {
	t.Parallel()
	doc := sealing{extraKeys: 1}.seal(t, honest(t))
	other := base64.StdEncoding.EncodeToString(make([]byte, 256))
	require.Contains(t, doc, other)
	begin := strings.Index(doc, "<xenc:EncryptedKey ")
	end := strings.Index(doc, "</xenc:EncryptedKey>") + len("</xenc:EncryptedKey>")
	foreign := doc[begin:end]
	smaller := strings.Replace(foreign, other, base64.StdEncoding.EncodeToString(make([]byte, 128)), 1)

	_, err := verifyDoc(newTestSAML(t, decrypting), doc[:begin]+strings.Repeat(smaller, 9)+doc[end:])
	require.NoError(t, err)
	_, err = verifyDoc(newTestSAML(t, decrypting), doc[:begin]+strings.Repeat(foreign, 9)+doc[end:])
	requireReason(t, ReasonDecryption, err)
	require.ErrorContains(t, err, "only the first 4 wrapped keys")
}
