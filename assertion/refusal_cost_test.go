package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// costlyRequest is a request that anyone can send, and the verifier that must refuse it.
type costlyRequest struct {
	verifier Verifier
	request  Request
}

// wrongKeys are keys that verify no document of the table, of each size that is slow.
var wrongKeys = sync.OnceValue(func() map[string][]crypto.PublicKey {
	keys := map[string][]crypto.PublicKey{}
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		for range 8 {
			keys[name] = append(keys[name], must(ecdsa.GenerateKey(curve, rand.Reader)).Public())
		}
	}
	// A modulus need not be a product of two primes to refuse a signature.
	for _, bits := range []int{2048, 3072, 4096, 8192} {
		for i := range 8 {
			n := new(big.Int).Lsh(big.NewInt(0xb7), uint(bits-8))
			n.Add(n, big.NewInt(int64(2*i+1)))
			name := fmt.Sprintf("RSA-%d", bits)
			keys[name] = append(keys[name], &rsa.PublicKey{N: n, E: 65537})
		}
	}
	return keys
})

// costlySAML returns documents that use up what a document of an unknown sender may
// have. Each is well-formed, and no trusted key has signed it.
func costlySAML(t testing.TB) map[string]string {
	fill := func(unit string, n int) string {
		doc := `<saml:Assertion xmlns:saml="` + nsSAML + `" ID="_a" Version="2.0">`
		return doc + strings.Repeat(unit, n) + `</saml:Assertion>`
	}
	numbered := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, strings.ReplaceAll(format, "#", "%[1]d"), i)
		}
		return b.String()
	}
	stranger := func(s signing, change func(*draft)) string {
		d := newDraft()
		if change != nil {
			change(&d)
		}
		s.key = samlKeys().stranger
		return s.sign(t, d)
	}
	forged := stranger(signing{}, nil)
	// before puts a text into the forged document, where the signature would cover it.
	before := func(text string) string { return strings.Replace(forged, "<saml:Subject>", text+"<saml:Subject>", 1) }
	// info replaces a part of the forged signature.
	info := func(old, new string) string {
		require.Contains(t, forged, old)
		return strings.Replace(forged, old, new, 1)
	}
	method := `<ds:CanonicalizationMethod Algorithm="` + exclusiveC14N + `"/>`
	prefixList := func(list string) string {
		inside := `><ec:InclusiveNamespaces xmlns:ec="` + exclusiveC14N + `" PrefixList="` + list + `"/>`
		return info(method, strings.TrimSuffix(method, "/>")+inside+`</ds:CanonicalizationMethod>`)
	}
	transform := func(list string) string {
		return info(transformExclusive, strings.TrimSuffix(transformExclusive, "/>")+`><ec:InclusiveNamespaces xmlns:ec="`+
			exclusiveC14N+`" PrefixList="`+list+`"/></ds:Transform>`)
	}
	value := between(t, forged, "<ds:SignatureValue>", "</ds:SignatureValue>")
	digest := between(t, forged, "<ds:DigestValue>", "</ds:DigestValue>")
	long := func(n int) string { return strings.Repeat("a", n) }

	declared := numbered(22, ` xmlns:p#="urn:example:#"`)
	wide := before(strings.Repeat(manyAttributes(3), 350))
	return map[string]string{
		// Refused by the lexical layer or the structure.
		"elements":               fill("<a>x</a>y", 390),
		"names that differ":      fill(numbered(390, `<e# a="" b="" c="">x</e#>y`), 1),
		"attributes":             fill(manyAttributes(20), 59),
		"declarations":           fill(`<a`+numbered(20, ` xmlns:p#="urn:#"`)+`/>`, 59),
		"names outside ASCII":    fill(`<é a="" b="" c="">x</é>`, 32),
		"text outside ASCII":     fill(manyAttributes(20)+"é", 59),
		"references in text":     fill("&#38;", 9000),
		"long text":              fill(long(48000), 1),
		"long attribute":         fill(`<a b="`+long(47900)+`"/>`, 1),
		"long name":              fill(`<`+long(23900)+`/>`, 1),
		"long prefix":            fill(`<`+long(47900)+`:a/>`, 1),
		"long namespace":         fill(`<a xmlns="`+long(47900)+`"/>`, 1),
		"long entity name":       fill(`&`+long(47900)+`;`, 1),
		"long root name":         `<` + long(24000) + `/>`,
		"line ends in a value":   fill(`<a b="`+strings.Repeat("\r\n", 23900)+`"/>`, 1),
		"blanks before the root": strings.Repeat(" ", 47900) + `<a/>`,
		"blanks in the XML declaration": `<?xml version="1.0"` + strings.Repeat(" ", 47900) +
			`?><a/>`,
		"deep":                   strings.Repeat("<a>", 24) + strings.Repeat("</a>", 24),
		"deep declarations":      fill(strings.Repeat(`<a`+numbered(20, ` xmlns:p#="urn:#"`)+`>`, 3)+strings.Repeat(`<p1:b p2:c="" p3:c=""/>`, 350)+strings.Repeat(`</a>`, 3), 1),
		"signatures":             before(strings.Repeat(between(t, forged, "<saml:Issuer>"+testIssuer+"</saml:Issuer>", "<saml:Subject>"), 25)),
		"references":             info("<ds:Reference ", strings.Repeat(`<ds:Reference URI="#_a1"/>`, 350)+"<ds:Reference "),
		"transforms":             info(transformEnveloped, strings.Repeat(transformEnveloped, 350)),
		"prefixes of C14N":       prefixList(strings.Repeat("a ", 23200)),
		"prefixes of transform":  transform(strings.Repeat("a ", 23200)),
		"a long prefix of C14N":  prefixList(long(46000)),
		"long SignatureValue":    info(value, strings.Repeat("A", 45000)),
		"SignatureValue in bits": info(value, strings.Repeat("A ", 22500)),
		"long DigestValue":       info(digest, strings.Repeat("A", 45000)),
		"DigestValue in bits":    info(digest, strings.Repeat("A ", 22500)),
		"long algorithm":         info(algRSA256, long(45000)),
		"long Reference":         info(`URI="#_a1"`, `URI="#`+long(45000)+`"`),

		// Refused by the signature, which costs a canonical form.
		"forged":                forged,
		"forged, wide":          wide,
		"forged, deep":          before(strings.Repeat("<a>", 22) + strings.Repeat("</a>", 22)),
		"forged, long text":     before("<a>" + long(44000) + "</a>"),
		"forged, escaped text":  before("<a>" + strings.Repeat("&lt;", 11000) + "</a>"),
		"forged, long names":    before(strings.Repeat("<"+long(60)+"/>", 370)),
		"forged, prefixes used": before(`<a` + declared + `>` + strings.Repeat(`<p1:b p2:c="" p3:c="" p4:c=""/>`, 340) + `</a>`),
		"forged, prefixes listed": strings.Replace(transform(strings.TrimSpace(numbered(22, "p# "))), "<saml:Subject>",
			`<a`+declared+`>`+strings.Repeat(`<b/>`, 370)+`</a><saml:Subject>`, 1),
		"forged, listed and declared again": strings.Replace(transform(strings.TrimSpace(numbered(22, "p# "))), "<saml:Subject>",
			strings.Repeat(`<a`+declared+`/>`, 44)+`<saml:Subject>`, 1),
		"forged, canonical form of megabytes": before(`<a xmlns:p="urn:` + long(38000) + `">` + strings.Repeat("<p:b/>", 370) + `</a>`),
		"forged, many long namespaces": before(`<a` + numbered(22, ` xmlns:p#="urn:`+long(1000)+`"`) + `>` +
			strings.Repeat(`<p0:a p1:a="" p2:a="" p3:a=""/>`, 330) + `</a>`),
		"forged, certificates": info("</ds:Signature>", "<ds:KeyInfo>"+strings.Repeat("<ds:X509Data><ds:X509Certificate>MIIB"+long(200)+
			"</ds:X509Certificate></ds:X509Data>", 150)+"</ds:KeyInfo></ds:Signature>"),
		"forged, long certificate": info("</ds:Signature>", "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>"+long(44000)+
			"</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"),
	}
}

// costlyEncrypted returns encrypted documents of a stranger. A verifier without a
// decryption key refuses them before it reads more than the root.
func costlyEncrypted(t testing.TB) map[string]string {
	own := sealing{key: &samlKeys().stranger.PublicKey}
	keys := own
	keys.extraKeys = 38
	sealed := own.seal(t, "x")
	value := between(t, sealed[strings.LastIndex(sealed, "<xenc:CipherValue>"):], "<xenc:CipherValue>", "</xenc:CipherValue>")
	again := sealing{}.seal(t, strings.ReplaceAll(costlySAML(t)["forged, wide"], "x", "y"))
	return map[string]string{
		"encrypted for others":         keys.seal(t, "x"),
		"encrypted, long":              own.seal(t, strings.Repeat("x", 34000)),
		"encrypted, in bits":           strings.Replace(sealed, value, strings.Repeat("A ", 22000), 1),
		"encrypted, and forged inside": again,
	}
}

// costlyJWT returns tokens of a stranger.
func costlyJWT(t testing.TB) map[string]string {
	key := jwtTestKeys()["p256b"]
	header := func(more string) string { return `{"alg":"ES256","kid":"k"` + more + `}` }
	claims := func(more string) string {
		text := toJSON(grantClaims())
		return text[:len(text)-1] + more + "}"
	}
	numbered := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	sign := func(header, claims string) string { return signRaw(t, "ES256", key, header, claims) }
	return map[string]string{
		"header members":    sign(header(numbered(1000, `,"%x":0`)), claims("")),
		"header list":       sign(header(`,"x":[0`+strings.Repeat(",0", 5600)+`]`), claims("")),
		"header objects":    sign(header(`,"x":[{}`+strings.Repeat(",{}", 3700)+`]`), claims("")),
		"header, nested":    sign(header(`,"x":`+strings.Repeat(`[`, 14)+strings.Repeat(`]`, 14)), claims("")),
		"claims":            sign(header(""), claims(numbered(1000, `,"%x":0`))),
		"claims list":       sign(header(""), claims(`,"x":[0`+strings.Repeat(",0", 5600)+`]`)),
		"claims objects":    sign(header(""), claims(`,"x":[{}`+strings.Repeat(",{}", 3700)+`]`)),
		"claims of objects": sign(header(""), claims(`,"x":[{"":0}`+strings.Repeat(`,{"":0}`, 1350)+`]`)),
		"claims, escapes":   sign(header(""), claims(`,"x":"`+strings.Repeat(`\u0041`, 1800)+`"`)),
		"claims, audiences": sign(header(""), claims(`,"x":["a"`+strings.Repeat(`,"a"`, 2800)+`]`)),
		"long kid":          sign(`{"alg":"ES256","kid":"`+strings.Repeat("k", 11000)+`"}`, claims("")),
		"long algorithm":    sign(`{"alg":"`+strings.Repeat("k", 11000)+`"}`, claims("")),
		"long issuer":       sign(header(""), toJSON(with(grantClaims(), "iss", strings.Repeat("k", 11000)))),
		"dots":              strings.Repeat(".", 16000),
		"five segments":     strings.Repeat("eyJhbGciOiJkaXIifQ.", 4) + "eyJhbGciOiJkaXIifQ",
		"long signature":    sign(header(""), claims("")) + strings.Repeat("AAAA", 3500),
		"forged":            sign(header(""), claims("")),
		"no kid":            sign(`{"alg":"ES256"}`, claims("")),
	}
}

// costly returns every costly request by its name.
func costly(t testing.TB) map[string]costlyRequest {
	all := map[string]costlyRequest{}
	plain := newTestSAML(t, nil)
	for name, doc := range costlySAML(t) {
		all["SAML/"+name] = costlyRequest{plain, Request{Assertion: encoded(doc)}}
	}
	decrypter := newTestSAML(t, decrypting)
	for name, doc := range costlyEncrypted(t) {
		all["SAML/"+name] = costlyRequest{plain, Request{Assertion: encoded(doc)}}
		all["decrypting/"+name] = costlyRequest{decrypter, Request{Assertion: encoded(doc)}}
	}

	forged := signing{key: samlKeys().stranger}.sign(t, newDraft())
	for name, keys := range wrongKeys() {
		change := func(c *SAMLConfig) {
			c.Issuers = issuerFunc(func(string) (*Issuer, error) { return &Issuer{ID: testIssuer, Keys: keys}, nil })
		}
		doc := strings.Replace(forged, algRSA256, nsDSigMore+"ecdsa-sha256", 1)
		size := 0
		switch k := keys[0].(type) {
		case *ecdsa.PublicKey:
			size = 2 * ((k.Params().N.BitLen() + 7) / 8)
		case *rsa.PublicKey:
			doc = forged
			size = k.Size()
		}
		value := make([]byte, size)
		for i := range value {
			value[i] = byte(1 + i%0x70)
		}
		// r and s must be below the order of the curve.
		value[0], value[size/2] = 0, 0
		old := between(t, doc, "<ds:SignatureValue>", "</ds:SignatureValue>")
		doc = strings.Replace(doc, old, base64.StdEncoding.EncodeToString(value), 1)
		all["SAML keys/"+name] = costlyRequest{newTestSAML(t, change), Request{Assertion: encoded(doc)}}
	}

	var jwks []jwtMap
	for i := range 64 {
		jwks = append(jwks, jwkOf(fmt.Sprint(i), must(newP256()).Public()))
	}
	jwt, _ := grantVerifier(t, nil, idp(nil))
	large, _ := grantVerifier(t, nil, Issuer{ID: jwtIdP, JWKS: jwksOf(jwks...)})
	for name, token := range costlyJWT(t) {
		all["JWT/"+name] = costlyRequest{jwt, grantOf(token)}
		all["JWT, 64 keys/"+name] = costlyRequest{large, grantOf(token)}
	}
	for alg, name := range map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "RS256": "RSA-2048", "RS384": "RSA-3072", "RS512": "RSA-4096", "PS512": "RSA-8192"} {
		all["JWT keys/"+name] = costlyRequest{jwtOf(t, wrongKeys()[name], ""), grantOf(forgedToken(t, alg, "", wrongKeys()[name][0]))}
		all["JWT one key/"+name] = costlyRequest{jwtOf(t, wrongKeys()[name], "0"), grantOf(forgedToken(t, alg, "0", wrongKeys()[name][0]))}
	}
	return all
}

// jwtOf returns a verifier whose issuer has these keys. If kid is not empty, the keys
// have kids that differ.
func jwtOf(t testing.TB, keys []crypto.PublicKey, kid string) Verifier {
	t.Helper()
	var list []jwtMap
	for i, key := range keys {
		if kid == "" {
			list = append(list, jwkOf("", key))
		} else {
			list = append(list, jwkOf(fmt.Sprint(i), key))
		}
	}
	j, _ := grantVerifier(t, nil, Issuer{ID: jwtIdP, JWKS: json.RawMessage(jwksOf(list...))})
	return j
}

// forgedToken returns a token with a signature of the length that the key needs.
func forgedToken(t testing.TB, alg, kid string, key crypto.PublicKey) string {
	t.Helper()
	size := 0
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		size = 2 * ((k.Params().N.BitLen() + 7) / 8)
	case *rsa.PublicKey:
		size = k.Size()
	}
	value := []byte(strings.Repeat("\x17", size))
	value[0], value[size/2] = 0, 0
	header := jwtMap{"alg": alg}
	if kid != "" {
		header["kid"] = kid
	}
	return b64([]byte(toJSON(header))) + "." + b64([]byte(toJSON(grantClaims()))) + "." + b64(value)
}

// between returns the text between two others.
func between(t testing.TB, s, begin, end string) string {
	t.Helper()
	_, rest, found := strings.Cut(s, begin)
	inner, _, closed := strings.Cut(rest, end)
	require.True(t, found && closed, "%s", begin)
	return inner
}

// The memory that an unsigned or forged request of the permitted size can allocate is
// bounded. The test is not parallel, because it counts allocations.
//
// Holds: RFC 7522 section 2.1; house: bounded parsers.
func TestRefusal_ForgedRequestsAreCheap(t *testing.T) {
	for name, c := range costly(t) {
		require.LessOrEqual(t, len(c.request.Assertion), 65536, name)
		const runs = 16
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			_, err := c.verifier.Verify(t.Context(), c.request)
			require.Error(t, err, name)
			// The text goes into a log.
			require.LessOrEqual(t, len(err.Error()), 1200, name)
		}
		runtime.ReadMemStats(&after)
		require.LessOrEqual(t, (after.TotalAlloc-before.TotalAlloc)/runs, uint64(1<<20), name)
	}
}

// BenchmarkRefusal shows what each of those requests costs.
func BenchmarkRefusal(b *testing.B) {
	all := costly(b)
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c := all[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.verifier.Verify(b.Context(), c.request); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// BenchmarkSAML verifies one RSA-2048 assertion of about 3 kB, all layers.
func BenchmarkSAML(b *testing.B) {
	cert := testCertificate(b, samlKeys().rsa, testNow, testNow)
	doc := signing{keyInfo: keyInfo(cert)}.sign(b, newDraft())
	s := newTestSAML(b, func(c *SAMLConfig) { c.AllowReuse = true })
	r := Request{Assertion: encoded(doc)}
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Verify(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
