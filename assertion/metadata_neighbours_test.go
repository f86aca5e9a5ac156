package assertion

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crewjam/saml"
	"github.com/stretchr/testify/require"
)

const (
	bindingPost = saml.HTTPPostBinding
	nsXSD       = "http://www.w3.org/2001/XMLSchema"
)

// federation wraps entities, of which the last is that of the test issuer.
func federation(attributes string, entities ...string) string {
	return `<md:EntitiesDescriptor xmlns:md="` + nsMetadata + `"` + attributes + `>` + strings.Join(entities, "") + `</md:EntitiesDescriptor>`
}

// neighbour returns an entity that the tests do not look for.
func neighbour(attributes, roles string) string {
	return strings.Replace(entity(attributes, roles), mdIdP, "https://neighbour.example", 1)
}

// oddKey returns a KeyDescriptor that cannot be decoded.
func oddKey(use string) string {
	return `<md:KeyDescriptor use="` + use + `"><ds:KeyInfo xmlns:ds="` + nsDSig + `"><X509Data xmlns="urn:x"/></ds:KeyInfo></md:KeyDescriptor>`
}

// A fault of another entity, or in a part of the entity that no assertion needs, does
// not stop an identity provider (SAML metadata section 2.3.1: the entities of a file
// are independent).
//
// Holds: house: issuers apart.
func TestParseMetadata_ReadsOnlyWhatIsUsed(t *testing.T) {
	t.Parallel()
	key := keyDescriptor(t, "signing", jwtTestKeys()["rsa"])
	good := entity("", idpRole("", key))
	in := func(role string) string { return entity("", idpRole("", key, role)) }
	beside := func(role string) string { return entity("", idpRole("", key)+role) }
	service := func(attributes string) string { return `<md:SingleSignOnService ` + attributes + `/>` }
	sp := func(attributes, inside string) string {
		return `<md:SPSSODescriptor protocolSupportEnumeration="` + samlProtocol + `"` + attributes + `>` + inside + `</md:SPSSODescriptor>`
	}
	acs := func(attributes string) string { return `<md:AssertionConsumerService ` + attributes + `/>` }

	for name, doc := range map[string]string{
		// Another entity.
		"neighbour: cacheDuration":          federation("", neighbour(` cacheDuration="P1DT"`, idpRole("", key)), good),
		"neighbour: validUntil":             federation("", neighbour(` validUntil="soon"`, idpRole("", key)), good),
		"neighbour: empty validUntil":       federation("", neighbour(` validUntil=""`, ""), good),
		"neighbour: no entityID":            federation("", strings.Replace(good, `entityID="`+mdIdP+`"`, "", 1), good),
		"neighbour: role validUntil":        federation("", neighbour("", idpRole(` validUntil="soon"`, key)), good),
		"neighbour: Location":               federation("", neighbour("", idpRole("", key, service(`Binding="`+bindingPost+`" Location="::"`))), good),
		"neighbour: certificate":            federation("", neighbour("", idpRole("", strings.Replace(key, "<ds:X509Certificate>", "<ds:X509Certificate>?", 1))), good),
		"neighbour: no KeyInfo":             federation("", neighbour("", idpRole("", `<md:KeyDescriptor/>`)), good),
		"neighbour: extension":              federation("", neighbour("", `<md:Extensions><x:y xmlns:x="urn:x" validUntil="x"/></md:Extensions>`), good),
		"neighbour: role of no metadata":    federation("", neighbour("", `<x:IDPSSODescriptor xmlns:x="urn:x"/>`), good),
		"neighbour: doubled":                federation("", neighbour("", ""), neighbour("", ""), good),
		"neighbour group: cacheDuration":    federation("", strings.ReplaceAll(federation(` cacheDuration="P1DT" validUntil="soon"`, neighbour("", "")), ` xmlns:md="`+nsMetadata+`"`, ""), good),
		"group: an element without meaning": federation("", `<x:y xmlns:x="urn:x" cacheDuration="?"/>`, good),
		"group: Name and ID":                federation(` Name="&lt;" ID="1"`, good),

		// The same entity.
		"empty Location":                 in(service(`Binding="` + bindingPost + `" Location=""`)),
		"odd Location":                   in(service(`Binding="` + bindingPost + `" Location="ht tp://x"`)),
		"no Location":                    in(service(`Binding="` + bindingPost + `"`)),
		"odd ResponseLocation":           in(service(`Binding="` + bindingPost + `" Location="https://x.example" ResponseLocation="x"`)),
		"unknown Binding":                in(service(`Binding="urn:x" Location="urn:y"`)),
		"SingleLogoutService":            in(`<md:SingleLogoutService Binding="` + bindingPost + `" Location="\"/>`),
		"ArtifactResolutionService":      in(`<md:ArtifactResolutionService Binding="` + bindingPost + `" Location="" index="x"/>`),
		"index twice":                    in(`<md:ArtifactResolutionService Binding="` + bindingPost + `" Location="https://x.example" index="1"/>` + `<md:ArtifactResolutionService Binding="` + bindingPost + `" Location="https://x.example" index="1"/>`),
		"attribute of the role":          entity("", idpRole(` WantAuthnRequestsSigned="maybe"`, key)),
		"cacheDuration of the role":      entity("", idpRole(` cacheDuration="P1DT"`, key)),
		"a right cacheDuration of it":    entity("", idpRole(` cacheDuration="PT1H"`, key)),
		"further protocols":              entity("", strings.Replace(idpRole("", key), samlProtocol, "urn:x\n  "+samlProtocol+"  urn:y", 1)),
		"service provider: Location":     beside(sp("", acs(`Binding="`+bindingPost+`" Location="" index="0"`))),
		"service provider: index":        beside(sp("", acs(`Binding="`+bindingPost+`" Location="https://x.example" index="first"`))),
		"service provider: validUntil":   beside(sp(` validUntil="soon"`, "")),
		"service provider: cache":        beside(sp(` cacheDuration="P1DT"`, "")),
		"service provider: attributes":   beside(sp(` WantAssertionsSigned="perhaps" AuthnRequestsSigned=""`, "")),
		"service provider: certificate":  beside(sp("", strings.Replace(key, "<ds:X509Certificate>", "<ds:X509Certificate>?", 1))),
		"attribute authority":            beside(`<md:AttributeAuthorityDescriptor cacheDuration="P1DT" validUntil="soon"/>`),
		"organization and contact":       beside(`<md:Organization/><md:Organization/><md:ContactPerson contactType="?"/>`),
		"affiliation":                    beside(`<md:AffiliationDescriptor validUntil="soon" affiliationOwnerID=""/>`),
		"extension":                      beside(`<md:Extensions><md:IDPSSODescriptor/></md:Extensions>`),
		"extension of the role":          in(`<md:Extensions><x:KeyDescriptor xmlns:x="urn:x"/></md:Extensions>`),
		"role of another namespace":      beside(`<x:IDPSSODescriptor xmlns:x="urn:x" validUntil="soon"/>`),
		"key of another namespace":       in(strings.NewReplacer("<md:", "<x:", "</md:", "</x:").Replace(strings.Replace(keyDescriptor(t, "", jwtTestKeys()["rsa2"]), "<md:KeyDescriptor", `<md:KeyDescriptor xmlns:x="urn:x"`, 1))),
		"service of another namespace":   in(`<x:RoleDescriptor xmlns:x="urn:x"/>`),
		"odd key for signing":            in(oddKey("signing")),
		"odd key for encryption":         in(oddKey("encryption")),
		"unknown use":                    in(strings.Replace(keyDescriptor(t, "signing", jwtTestKeys()["rsa2"]), "signing", "testing", 1)),
		"xsi:type on an unknown element": in(`<md:Unknown xmlns:xsi="` + nsXSI + `" xmlns:xs="` + nsXSD + `" xsi:type="xs:duration">P1DT</md:Unknown>`),
	} {
		ed, err := ParseMetadata(strings.NewReader(doc), mdIdP)
		require.NoError(t, err, name)
		issuer, err := IssuerFromMetadata(ed, jwtNow)
		require.NoError(t, err, name)
		require.Len(t, issuer.Keys, 1, name)
	}

	// What can be read is in the result.
	ed, err := ParseMetadata(strings.NewReader(entity(` ID="_e"`, idpRole(` errorURL="https://x.example/error" cacheDuration="?"`, key,
		service(`Binding="`+bindingPost+`" Location="https://x.example/sso"`), service(`Binding="`+bindingPost+`" Location=""`))+
		sp("", acs(`Binding="`+bindingPost+`" Location="https://x.example/acs" index="1"`)))), mdIdP)
	require.NoError(t, err)
	require.Equal(t, "_e", ed.ID)
	require.Len(t, ed.IDPSSODescriptors, 1)
	require.Equal(t, "https://x.example/error", ed.IDPSSODescriptors[0].ErrorURL)
	require.Len(t, ed.IDPSSODescriptors[0].SingleSignOnServices, 1)
	require.Equal(t, "https://x.example/sso", ed.IDPSSODescriptors[0].SingleSignOnServices[0].Location)
	require.Len(t, ed.SPSSODescriptors, 1)
	require.Equal(t, "https://x.example/acs", ed.SPSSODescriptors[0].AssertionConsumerServices[0].Location)
}

// What is used must be right, and the error names the entity and the element.
//
// Holds: house: issuers apart.
func TestParseMetadata_NamesTheEntityAndTheElement(t *testing.T) {
	t.Parallel()
	key := keyDescriptor(t, "signing", jwtTestKeys()["rsa"])
	for name, c := range map[string]struct {
		doc  string
		says []string
	}{
		"validUntil":              {entity(` validUntil="soon"`, idpRole("", key)), []string{`validUntil "soon" of the EntityDescriptor`}},
		"empty validUntil":        {entity(` validUntil=""`, idpRole("", key)), []string{`validUntil "" of the EntityDescriptor`}},
		"cacheDuration":           {entity(` cacheDuration="P1DT"`, idpRole("", key)), []string{`cacheDuration "P1DT" of the EntityDescriptor`}},
		"validUntil around it":    {federation(` validUntil="soon"`, entity("", idpRole("", key))), []string{`validUntil "soon" of the EntitiesDescriptor`}},
		"cacheDuration around it": {federation(` cacheDuration="1h"`, entity("", idpRole("", key))), []string{`cacheDuration "1h" of the EntitiesDescriptor`}},
		"validUntil of the role":  {entity("", idpRole(` validUntil="soon"`, key)), []string{`validUntil "soon" of the IDPSSODescriptor`}},
	} {
		_, err := ParseMetadata(strings.NewReader(c.doc), mdIdP)
		require.Error(t, err, name)
		for _, says := range c.says {
			require.ErrorContains(t, err, says, name)
		}
		require.ErrorContains(t, err, `entity "`+mdIdP+`"`, name)
	}
}

// The shortest positive cacheDuration applies, and one that is not positive is none.
//
// Holds: house: issuers apart.
func TestParseMetadata_TheShortestCacheDurationApplies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		around, own string
		want        time.Duration
	}{
		{"PT1H", "PT2H", time.Hour},
		{"PT2H", "PT1H", time.Hour},
		{"-PT1H", "PT2H", 2 * time.Hour},
		{"PT2H", "-PT1H", 2 * time.Hour},
		{"-PT1H", "PT0S", 0},
	} {
		doc := federation(` cacheDuration="`+c.around+`"`, entity(` cacheDuration="`+c.own+`"`, ""))
		ed, err := ParseMetadata(strings.NewReader(doc), mdIdP)
		require.NoError(t, err)
		require.Equal(t, c.want, ed.CacheDuration, "%+v", c)
	}
}

// Each reason why an identity provider has no usable key has a text of its own (SAML
// metadata section 2.4.1.1).
func TestIssuerFromMetadata_NamesWhyAKeyIsNotUsable(t *testing.T) {
	t.Parallel()
	key := keyDescriptor(t, "signing", jwtTestKeys()["rsa"])
	weak := keyDescriptor(t, "signing", weakRSA())
	for name, c := range map[string]struct {
		roles string
		says  string
	}{
		"none":              {"", "it has no IDPSSODescriptor, so it is no identity provider"},
		"service provider":  {strings.ReplaceAll(idpRole("", key), "IDPSSO", "SPSSO"), "it has no IDPSSODescriptor"},
		"no key":            {idpRole(""), "IDPSSODescriptor 1 has no KeyDescriptor for signing"},
		"encryption only":   {idpRole("", keyDescriptor(t, "encryption", jwtTestKeys()["rsa"])), "IDPSSODescriptor 1 has no KeyDescriptor for signing"},
		"too short":         {idpRole("", weak), "KeyDescriptor 1 of IDPSSODescriptor 1: xmldsig: an RSA key must have 2048 to 8192 bits"},
		"another type":      {idpRole("", keyDescriptor(t, "", jwtTestKeys()["ed"])), "KeyDescriptor 1 of IDPSSODescriptor 1: xmldsig: a ed25519.PublicKey verifies no XML signature"},
		"SAML 1.1":          {strings.Replace(idpRole("", key), samlProtocol, "urn:oasis:names:tc:SAML:1.1:protocol", 1), `IDPSSODescriptor 1 is not for SAML 2.0: its protocolSupportEnumeration is "urn:oasis:names:tc:SAML:1.1:protocol"`},
		"not base64":        {idpRole("", strings.Replace(key, "<ds:X509Certificate>", "<ds:X509Certificate>?", 1)), "X509Certificate is not base64"},
		"no certificate":    {idpRole("", strings.Replace(key, "<ds:X509Certificate>", "<ds:X509Certificate>AAAA", 1)), "X509Certificate cannot be read"},
		"another namespace": {idpRole("", oddKey("signing")), "KeyDescriptor 1 of IDPSSODescriptor 1: it has no X509Certificate"},
		"another form":      {idpRole("", strings.NewReplacer("X509Certificate", "X509SubjectName").Replace(key)), "no X509Certificate, and other forms"},
		"ended":             {idpRole(` validUntil="2026-03-01T12:00:00Z"`, key), "IDPSSODescriptor 1 was valid until 2026-03-01T12:00:00Z"},
		"the second of two": {idpRole("") + idpRole("", weak), "KeyDescriptor 1 of IDPSSODescriptor 2: xmldsig: an RSA key"},
		"foreign service": {`<x:RoleDescriptor xmlns:x="urn:x" protocolSupportEnumeration="` + samlProtocol + `">` + key + `</x:RoleDescriptor>`,
			"it has no IDPSSODescriptor"},
		"token service": {strings.ReplaceAll(idpRole("", weak), "IDPSSODescriptor", "RoleDescriptor"), "KeyDescriptor 1 of RoleDescriptor 1"},
		"many":          {idpRole("", weak, weak, weak, weak, weak, weak), "and 2 more"},
	} {
		ed, err := ParseMetadata(strings.NewReader(entity("", c.roles)), mdIdP)
		require.NoError(t, err, name)
		_, err = IssuerFromMetadata(ed, jwtNow)
		require.ErrorContains(t, err, "has no usable signing key: ", name)
		require.ErrorContains(t, err, c.says, name)
		require.NotEmpty(t, DroppedKeys(ed, jwtNow), name)
	}

	// Beside a good key the others are left out, and the list says so.
	both, err := ParseMetadata(strings.NewReader(entity("", idpRole("", weak, key, keyDescriptor(t, "encryption", weakRSA())))), mdIdP)
	require.NoError(t, err)
	issuer, err := IssuerFromMetadata(both, jwtNow)
	require.NoError(t, err)
	require.Len(t, issuer.Keys, 1)
	require.Equal(t, []string{"KeyDescriptor 1 of IDPSSODescriptor 1: xmldsig: an RSA key must have 2048 to 8192 bits"}, DroppedKeys(both, jwtNow))

	alone, err := ParseMetadata(strings.NewReader(entity("", idpRole("", key))), mdIdP)
	require.NoError(t, err)
	require.Empty(t, DroppedKeys(alone, jwtNow))
	require.Empty(t, DroppedKeys(nil, jwtNow))

	var many []string
	for range 3 {
		many = append(many, fmt.Sprintf(`<md:KeyDescriptor><ds:KeyInfo xmlns:ds="%s"><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`,
			nsDSig, base64.StdEncoding.EncodeToString(certificateFor(t, must(newP521()), jwtNow).Raw)))
	}
	large, err := ParseMetadata(strings.NewReader(entity("", idpRole("", many...))), mdIdP)
	require.NoError(t, err)
	_, err = IssuerFromMetadata(large, jwtNow)
	require.ErrorContains(t, err, "too many usable signing keys")
}

// A key that is left out of fetched metadata or of a fetched key set is said once, and
// again when the set changes (RFC 7517 section 5 lets a reader leave keys out).
func TestDropped_IsSaidOncePerChange(t *testing.T) {
	t.Parallel()
	key, weak := keyDescriptor(t, "signing", jwtTestKeys()["rsa"]), keyDescriptor(t, "signing", weakRSA())
	jwk, odd := jwkOf("good", jwtTestKeys()["p256"].Public()), with(jwkOf("odd", jwtTestKeys()["p256b"].Public()), "use", "enc")

	var body atomic.Pointer[string]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, *body.Load()) }))
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		clean, faulty string
		source        func(said *[][]string) func(context.Context) error
	}{
		"metadata": {entity("", idpRole("", key)), entity("", idpRole("", weak, key)), func(said *[][]string) func(context.Context) error {
			source := &MetadataSource{
				URL: server.URL, EntityID: mdIdP, Fetcher: &Fetcher{AllowPrivate: true}, MaxAge: time.Minute, Interval: time.Second,
				Dropped: func(id string, reasons []string) {
					require.Equal(t, mdIdP, id)
					*said = append(*said, reasons)
				},
			}
			return func(ctx context.Context) error {
				_, err := source.Issuer(ctx, mdIdP)
				return err
			}
		}},
		"key set": {string(jwksOf(jwk)), string(jwksOf(jwk, odd)), func(said *[][]string) func(context.Context) error {
			remote := &RemoteKeys{
				Fetcher: &Fetcher{AllowPrivate: true}, MaxAge: time.Minute, Interval: time.Second,
				Dropped: func(url string, reasons []string) {
					require.Equal(t, server.URL, url)
					*said = append(*said, reasons)
				},
			}
			return func(ctx context.Context) error {
				_, err := remote.Keys(ctx, server.URL, "")
				return err
			}
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var said [][]string
			get := c.source(&said)
			for _, step := range []struct {
				text string
				want int
			}{{c.clean, 0}, {c.faulty, 1}, {c.faulty, 1}, {c.clean, 2}, {c.clean, 2}, {"<html>", 2}, {c.faulty, 3}} {
				body.Store(&step.text)
				require.NoError(t, get(t.Context()), name)
				require.Len(t, said, step.want, name)
				time.Sleep(2 * time.Minute)
			}
			require.Len(t, said[0], 1, name)
			require.Empty(t, said[1], "no key is left out any more")
			require.Equal(t, said[0], said[2], name)
		})
	}
}
