package assertion

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

const mdIdP = "https://idp.example/metadata"

func mdFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/metadata/" + name)
	require.NoError(t, err)
	return b
}

// federationKey is the key that testdata/metadata/federation.xml was signed with, by xmlsec1.
func federationKey(t testing.TB) crypto.PublicKey {
	t.Helper()
	certs, err := ParseCertificates(mdFile(t, "federation.crt.pem"))
	require.NoError(t, err)
	return certs[0].PublicKey
}

func keyDescriptor(t testing.TB, use string, key crypto.Signer) string {
	t.Helper()
	if use != "" {
		use = ` use="` + use + `"`
	}
	der := certificateFor(t, key, jwtNow.Add(-time.Minute)).Raw // expired: SAML trusts keys
	return `<md:KeyDescriptor` + use + `><ds:KeyInfo xmlns:ds="` + nsDSig + `"><ds:X509Data><ds:X509Certificate>` +
		base64.StdEncoding.EncodeToString(der) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
}

// entity is a document with one identity provider.
func entity(attributes string, roles string) string {
	return `<md:EntityDescriptor xmlns:md="` + nsMetadata + `" entityID="` + mdIdP + `"` + attributes + `>` + roles + `</md:EntityDescriptor>`
}

func idpRole(attributes string, keys ...string) string {
	return `<md:IDPSSODescriptor protocolSupportEnumeration="` + samlProtocol + `"` + attributes + `>` + strings.Join(keys, "") + `</md:IDPSSODescriptor>`
}

func TestParseMetadata_FindsTheEntityByItsID(t *testing.T) {
	t.Parallel()
	fed := mdFile(t, "federation.xml")
	for id, want := range map[string]struct {
		keys  int
		until int
		cache time.Duration
	}{
		mdIdP:                            {2, 2036, 6 * time.Hour},
		"https://other.example/metadata": {1, 2030, time.Hour},
	} {
		ed, err := ParseMetadata(bytes.NewReader(fed), id)
		require.NoError(t, err)
		require.Equal(t, id, ed.EntityID)
		require.Equal(t, want.until, ed.ValidUntil.Year(), "the nearest limit of all around it")
		require.Equal(t, want.cache, ed.CacheDuration)
		issuer, err := IssuerFromMetadata(ed, jwtNow)
		require.NoError(t, err)
		require.Equal(t, id, issuer.ID)
		require.Len(t, issuer.Keys, want.keys, "signing or no stated use; not encryption")
	}
	for _, id := range []string{"", "https://idp.example/", "HTTPS://idp.example/metadata", "federation.example"} {
		_, err := ParseMetadata(bytes.NewReader(fed), id)
		require.Error(t, err, id)
	}
	ed, err := ParseMetadata(bytes.NewReader(mdFile(t, "single.xml")), mdIdP)
	require.NoError(t, err)
	require.Equal(t, 2*time.Hour, ed.CacheDuration)
}

func TestParseMetadata_RefusesWhatParsersDisagreeAbout(t *testing.T) {
	t.Parallel()
	good := entity("", idpRole("", keyDescriptor(t, "signing", jwtTestKeys()["rsa"])))
	_, err := ParseMetadata(strings.NewReader("<!-- a --><!---->"+good), mdIdP)
	require.NoError(t, err)
	for name, doc := range map[string]string{
		"nothing":                "",
		"no XML":                 "hello",
		"another root":           strings.ReplaceAll(good, "EntityDescriptor", "Assertion"),
		"another namespace":      strings.ReplaceAll(good, nsMetadata, "urn:x"),
		"two roots":              good + good,
		"document type":          `<!DOCTYPE x [<!ENTITY e "x">]>` + good,
		"processing instruction": `<?xml-stylesheet href="x"?>` + good,
		"comment without end":    good + "<!--",
		"CDATA":                  strings.Replace(good, "<md:IDPSSODescriptor", "<![CDATA[<!-- ]]><md:IDPSSODescriptor", 1),
		"comment hiding a PI":    "<?x <!-- ?> --> ?>" + good,
		"attribute twice":        strings.Replace(good, "entityID", `entityID="x" entityID`, 1),
		"unbound prefix":         strings.Replace(good, "xmlns:md", "xmlns:mx", 1),
		"validUntil no time":     entity(` validUntil="soon"`, ""),
		"cacheDuration no time":  entity(` cacheDuration="soon"`, ""),
		"entity twice":           `<md:EntitiesDescriptor xmlns:md="` + nsMetadata + `">` + good + good + `</md:EntitiesDescriptor>`,
		"deep":                   strings.Repeat(`<md:EntitiesDescriptor xmlns:md="`+nsMetadata+`">`, 50) + good + strings.Repeat(`</md:EntitiesDescriptor>`, 50),
		"large":                  good + strings.Repeat(" ", 4<<20),
		"UTF-16":                 "\xff\xfe<\x00a\x00",
	} {
		_, err := ParseMetadata(strings.NewReader(doc), mdIdP)
		require.Error(t, err, name)
	}
}

func TestIssuerFromMetadata_TakesTheSigningKeysThatAreValid(t *testing.T) {
	t.Parallel()
	keys := jwtTestKeys()
	a, b := keyDescriptor(t, "signing", keys["rsa"]), keyDescriptor(t, "", keys["p256"])
	weak := keyDescriptor(t, "signing", weakRSA())
	junk := strings.Replace(a, "<ds:X509Certificate>", "<ds:X509Certificate>AAAA", 1)
	var many []string
	for range 9 {
		many = append(many, keyDescriptor(t, "signing", must(newP256())))
	}
	for name, c := range map[string]struct {
		doc  string
		keys int // 0: refused
	}{
		"two":                       {entity("", idpRole("", a, b)), 2},
		"the same key twice":        {entity("", idpRole("", a, b, a)), 2},
		"two roles":                 {entity("", idpRole("", a)+idpRole("", b)), 2},
		"one role has ended":        {entity("", idpRole(` validUntil="2026-03-01T12:00:00Z"`, a)+idpRole("", b)), 1},
		"encryption only":           {entity("", idpRole("", keyDescriptor(t, "encryption", keys["rsa"]))), 0},
		"weak":                      {entity("", idpRole("", weak)), 0},
		"weak beside strong":        {entity("", idpRole("", weak, junk, a)), 1},
		"Ed25519, which SAML lacks": {entity("", idpRole("", keyDescriptor(t, "signing", keys["ed"]))), 0},
		"SAML 1.1":                  {entity("", strings.ReplaceAll(idpRole("", a), samlProtocol, "urn:oasis:names:tc:SAML:1.1:protocol")), 0},
		"service provider only":     {entity("", strings.ReplaceAll(idpRole("", a), "IDPSSO", "SPSSO")), 0},
		"token service":             {entity("", strings.ReplaceAll(idpRole("", a), "IDPSSODescriptor", "RoleDescriptor")), 1},
		"token service beside IdP":  {entity("", idpRole("", a)+strings.ReplaceAll(idpRole("", b), "IDPSSODescriptor", "RoleDescriptor")), 1},
		"no key":                    {entity("", idpRole("")), 0},
		"too many":                  {entity("", idpRole("", many...)), 0},
		"ended":                     {entity(` validUntil="2026-03-01T12:00:00Z"`, idpRole("", a)), 0},
		"about to end":              {entity(` validUntil="2026-03-01T12:00:01Z"`, idpRole("", a)), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ed, err := ParseMetadata(strings.NewReader(c.doc), mdIdP)
			require.NoError(t, err)
			issuer, err := IssuerFromMetadata(ed, jwtNow)
			if c.keys == 0 {
				require.Error(t, err)
				require.Nil(t, issuer)
				return
			}
			require.NoError(t, err)
			require.Len(t, issuer.Keys, c.keys)
		})
	}
	_, err := IssuerFromMetadata(nil, jwtNow)
	require.Error(t, err)
	_, err = IssuerFromMetadata(&saml.EntityDescriptor{}, jwtNow)
	require.Error(t, err)
}

// Metadata that xmlsec1 has signed verifies. Metadata that was changed, or that
// another key has signed, does not.
func TestParseSignedMetadata_BelievesOnlyWhatThePinnedKeySigned(t *testing.T) {
	t.Parallel()
	fed, pinned := mdFile(t, "federation.xml"), federationKey(t)
	ed, err := ParseSignedMetadata(bytes.NewReader(fed), mdIdP, pinned)
	require.NoError(t, err)
	require.Equal(t, mdIdP, ed.EntityID)
	require.Equal(t, 2036, ed.ValidUntil.Year())

	pem := keyDescriptor(t, "signing", must(newP256()))
	unsigned := entity(` ID="_x"`, idpRole("", pem))
	for name, doc := range map[string]string{
		"a changed date":         strings.Replace(string(fed), "2036", "2056", 1),
		"another entityID":       strings.Replace(string(fed), "other.example", "evil.example", 1),
		"a key more":             strings.Replace(string(fed), "<md:SingleSignOnService", pem+"<md:SingleSignOnService", 1),
		"an entity more":         strings.Replace(string(fed), "</md:EntitiesDescriptor>\n</md:", unsigned+"</md:EntitiesDescriptor>\n</md:", 1),
		"no signature":           unsigned,
		"two signatures":         doubleSignature(string(fed)),
		"the ID of another":      strings.Replace(string(fed), `ID="_fed"`, `ID="_other"`, 1),
		"wrapped":                `<md:EntitiesDescriptor xmlns:md="` + nsMetadata + `" ID="_root">` + strings.TrimPrefix(string(fed), `<?xml version="1.0" encoding="UTF-8"?>`) + unsigned + `</md:EntitiesDescriptor>`,
		"signature of an inner":  `<md:EntitiesDescriptor xmlns:md="` + nsMetadata + `">` + strings.TrimPrefix(string(fed), `<?xml version="1.0" encoding="UTF-8"?>`) + `</md:EntitiesDescriptor>`,
		"signed by someone else": signMetadata(t, unsigned),
	} {
		require.NotEqual(t, string(fed), doc, name)
		_, err := ParseSignedMetadata(strings.NewReader(doc), mdIdP, pinned)
		require.Error(t, err, name)
	}
	_, err = ParseSignedMetadata(bytes.NewReader(fed), mdIdP)
	require.ErrorContains(t, err, "no usable key")
	_, err = ParseSignedMetadata(bytes.NewReader(fed), mdIdP, &weakRSA().PublicKey)
	require.ErrorContains(t, err, "no usable key")

	// goxmldsig puts the signature last.
	own := signMetadata(t, unsigned)
	_, err = ParseSignedMetadata(strings.NewReader(own), mdIdP, jwtTestKeys()["rsa2"].Public(), jwtTestKeys()["rsa"].Public())
	require.NoError(t, err)
	_, err = ParseSignedMetadata(strings.NewReader(strings.Replace(own, samlProtocol, "urn:x", 1)), mdIdP, jwtTestKeys()["rsa"].Public())
	require.Error(t, err)
}

func doubleSignature(doc string) string {
	start, end := strings.Index(doc, "<ds:Signature "), strings.Index(doc, "</ds:Signature>")+len("</ds:Signature>")
	return doc[:end] + doc[start:end] + doc[end:]
}

// signMetadata signs with the test key "rsa", by goxmldsig.
func signMetadata(t testing.TB, doc string) string {
	t.Helper()
	key := jwtTestKeys()["rsa"]
	cert := certificateFor(t, key, jwtNow)
	c := dsig.NewDefaultSigningContext(dsig.TLSCertKeyStore(tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}))
	c.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	tree := etree.NewDocument()
	require.NoError(t, tree.ReadFromString(doc))
	signed, err := c.SignEnveloped(tree.Root())
	require.NoError(t, err)
	tree.SetRoot(signed)
	return must(tree.WriteToString())
}

func TestMetadataSource_KeepsUpWithTheIssuerAndItsLastGoodCopy(t *testing.T) {
	t.Parallel()
	var body atomic.Pointer[string]
	var hits atomic.Int32
	serve := func(s string) { body.Store(&s) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		fmt.Fprint(w, *body.Load())
	}))
	t.Cleanup(server.Close)
	a, b := keyDescriptor(t, "signing", jwtTestKeys()["rsa"]), keyDescriptor(t, "signing", jwtTestKeys()["rsa2"])
	serve(entity(` cacheDuration="PT10M"`, idpRole("", a)))
	synctest.Test(t, func(t *testing.T) {
		source := &MetadataSource{
			URL: server.URL, EntityID: mdIdP, Fetcher: &Fetcher{AllowPrivate: true},
			Configure: func(i *Issuer) { i.Clients = []string{jwtClient} },
		}
		keys := func() int {
			issuer, err := source.Issuer(t.Context(), mdIdP)
			require.NoError(t, err)
			require.Equal(t, []string{jwtClient}, issuer.Clients)
			return len(issuer.Keys)
		}
		for range 100 {
			_, err := source.Issuer(t.Context(), "https://other.example")
			require.ErrorIs(t, err, ErrUnknownIssuer)
		}
		require.Zero(t, hits.Load(), "an unknown issuer causes no traffic")
		require.Equal(t, 1, keys())
		serve(entity("", idpRole("", a, b)))
		time.Sleep(9 * time.Minute)
		require.Equal(t, 1, keys())
		time.Sleep(2 * time.Minute) // past cacheDuration
		require.Equal(t, 2, keys())
		require.EqualValues(t, 2, hits.Load())

		serve("<html>")
		time.Sleep(61 * time.Minute)
		for range 20 {
			require.Equal(t, 2, keys(), "the last good copy")
		}
		require.EqualValues(t, 3, hits.Load())

		until := time.Now().Add(30 * time.Minute).UTC().Format(time.RFC3339)
		serve(entity(` validUntil="`+until+`"`, idpRole("", a)))
		time.Sleep(time.Minute)
		require.Equal(t, 1, keys())
		serve("<html>")
		time.Sleep(time.Hour)
		_, err := source.Issuer(t.Context(), mdIdP)
		require.Error(t, err, "a copy past its validUntil is not used, whatever MaxStale says")
		require.NotErrorIs(t, err, ErrUnknownIssuer)
	})
}

func TestMetadataSource_ThePinnedKeyDecides(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		doc := mdFile(t, "federation.xml")
		if r.URL.Path == "/forged" {
			doc = bytes.Replace(doc, []byte("2036"), []byte("2056"), 1)
		}
		_, _ = w.Write(doc)
	}))
	t.Cleanup(server.Close)
	for path, good := range map[string]bool{"/": true, "/forged": false} {
		source := &MetadataSource{URL: server.URL + path, EntityID: mdIdP, Fetcher: &Fetcher{AllowPrivate: true}, Pinned: []crypto.PublicKey{federationKey(t)}}
		_, err := source.Issuer(t.Context(), mdIdP)
		require.Equal(t, good, err == nil, "%s: %v", path, err)
	}
	renamed := &MetadataSource{URL: server.URL, EntityID: mdIdP, Fetcher: &Fetcher{AllowPrivate: true}, Configure: func(i *Issuer) { i.ID = "x" }}
	_, err := renamed.Issuer(t.Context(), mdIdP)
	require.ErrorContains(t, err, "ID")
}

// No document makes ParseMetadata panic. An issuer that it returns is the one
// that was asked for, with keys that verify signatures.
func FuzzMetadata(f *testing.F) {
	f.Add(mdFile(f, "federation.xml"))
	f.Add(mdFile(f, "single.xml"))
	f.Add([]byte(signMetadata(f, entity(` ID="_x"`, idpRole("", keyDescriptor(f, "", jwtTestKeys()["p256"]))))))
	f.Add([]byte(entity(` cacheDuration="-P1Y" validUntil="2026-03-01T12:00:00Z"`, `<md:Organization/><Signature><Child/><Attr/></Signature>`)))
	pinned := federationKey(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		if signed, err := ParseSignedMetadata(bytes.NewReader(doc), mdIdP, pinned); err == nil {
			require.Equal(t, 2036, signed.ValidUntil.Year(), "only what was signed is read")
		}
		ed, err := ParseMetadata(bytes.NewReader(doc), mdIdP)
		if err != nil {
			require.Nil(t, ed)
			return
		}
		issuer, err := IssuerFromMetadata(ed, jwtNow)
		if err != nil {
			return
		}
		require.Equal(t, mdIdP, issuer.ID)
		require.NotEmpty(t, issuer.Keys)
		for _, k := range issuer.Keys {
			require.NoError(t, xmldsig.CheckKey(k))
		}
	})
}
