package assertion

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// costly returns unsigned documents that use up the limits.
func costly(t testing.TB) map[string]string {
	fill := func(unit string, n int) string {
		doc := `<saml:Assertion xmlns:saml="` + nsSAML + `" ID="_a" Version="2.0">`
		return doc + strings.Repeat(unit, n) + `</saml:Assertion>`
	}
	var declarations, distinct strings.Builder
	for i := range 20 {
		fmt.Fprintf(&declarations, ` xmlns:p%d="urn:%d"`, i, i)
	}
	for i := range 390 {
		fmt.Fprintf(&distinct, `<e%d a="" b="" c="">x</e%d>y`, i, i)
	}
	wrapped := signing{key: samlKeys().stranger}.sign(t, newDraft())
	return map[string]string{
		"elements":     fill("<a>x</a>y", 390),
		"distinct":     fill(distinct.String(), 1),
		"attributes":   fill(manyAttributes(20), 59),
		"declarations": fill(`<a`+declarations.String()+`/>`, 59),
		"unusual":      fill(`<é a="" b="" c="">x</é>`, 32),
		"not ASCII":    fill(manyAttributes(20)+"é", 59),
		"text":         fill("&#38;", 9000),
		"long text":    fill("a", 48000),
		"forged":       wrapped,
		"forged wide":  strings.Replace(wrapped, "<saml:Subject>", strings.Repeat(manyAttributes(3), 350)+"<saml:Subject>", 1),
		"decrypt":      sealing{key: &samlKeys().stranger.PublicKey, extraKeys: 3}.seal(t, "x"),
	}
}

// The memory that an unsigned request of the permitted size can allocate is
// bounded. The test is not parallel, because it counts allocations.
//
// Holds: RFC 7522 section 2.1; house: bounded parsers.
func TestSAML_UnsignedRequestsAreCheap(t *testing.T) {
	s := newTestSAML(t, decrypting)
	for name, doc := range costly(t) {
		r := Request{Assertion: encoded(doc)}
		require.LessOrEqual(t, len(r.Assertion), 65536, name)
		const runs = 16
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			_, err := s.Verify(t.Context(), r)
			require.Error(t, err)
		}
		runtime.ReadMemStats(&after)
		require.LessOrEqual(t, (after.TotalAlloc-before.TotalAlloc)/runs, uint64(1<<20), name)
	}
}

// BenchmarkSAML_Unsigned shows what each of those requests costs.
func BenchmarkSAML_Unsigned(b *testing.B) {
	s := newTestSAML(b, decrypting)
	for name, doc := range costly(b) {
		b.Run(name, func(b *testing.B) {
			r := Request{Assertion: encoded(doc)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(b.Context(), r); err == nil {
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
