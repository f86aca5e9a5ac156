package xmldsig

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// RoundTrip checks tags with names outside ASCII only, and a bounded number of
// them.
//
// Holds: house: XML bounds.
func TestRoundTrip_IsForUnusualNames(t *testing.T) {
	t.Parallel()
	require.NoError(t, RoundTrip([]byte(`<a b="é>'" c='é">'>é</a>`)))
	require.False(t, hasUnusualName([]byte(`<a b="é>'" c='é">'>é</a>`)))
	for _, doc := range []string{`<é/>`, `<a é="1"/>`, `<a><p:é xmlns:p="urn:p"/></a>`, `<a xmlns:é="urn:p"/>`} {
		require.True(t, hasUnusualName([]byte(doc)), doc)
		require.NoError(t, RoundTrip([]byte(doc)), doc)
	}
	var limit LimitError
	require.ErrorAs(t, RoundTrip([]byte("<a>"+strings.Repeat("<é/>", 33)+"</a>")), &limit)
	require.Error(t, RoundTrip([]byte(`<é :x="1"></é x>`)))
	require.True(t, isUnusual(xml.StartElement{Name: xml.Name{Space: "é", Local: "a"}}))
}

// What honest documents have is let through, without its declaration.
//
// Holds: house: XML bounds.
func TestScanXML_AcceptsHonestXML(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		"<a/>":                        "<a/>",
		" \n<a>\t</a>\r\n":            "<a>\t</a>",
		"<?xml version=\"1.0\"?><a/>": "<a/>",
		"<?xml version='1.0' encoding='UTF-8' ?>\n<a/>": "<a/>",
		`<a xmlns="urn:a"><b xmlns=""/></a>`:            `<a xmlns="urn:a"><b xmlns=""/></a>`,
		`<a xml:lang="en" lang="en"/>`:                  `<a xml:lang="en" lang="en"/>`,
		`<p:a xmlns:p="a-1.+:" p:x="" x=""/>`:           `<p:a xmlns:p="a-1.+:" p:x="" x=""/>`,
	} {
		got, err := Scan([]byte(doc), testLimits)
		require.NoError(t, err, doc)
		require.Equal(t, want, string(got))
	}
}

// Depth and namespaces at their limits, and one beyond.
//
// Holds: house: XML bounds.
func TestScanXML_LimitsAreExact(t *testing.T) {
	t.Parallel()
	limits := testLimits
	nested := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	siblings := func(n int) string { return "<a>" + strings.Repeat("<a/>", n-1) + "</a>" }
	for name, build := range map[string]struct {
		doc  func(int) string
		most int
	}{
		"depth":      {nested, limits.Depth},
		"elements":   {siblings, limits.Elements},
		"attributes": {manyAttributes, limits.Attributes},
		"namespaces": {manyNamespaces, limits.Namespaces},
	} {
		_, err := Scan([]byte(build.doc(build.most)), limits)
		require.NoError(t, err, name)
		var limit LimitError
		_, err = Scan([]byte(build.doc(build.most+1)), limits)
		require.ErrorAs(t, err, &limit, fmt.Sprint(name))
	}
}

// manyAttributes is an element with n attributes.
func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return "<a" + b.String() + "/>"
}

// manyNamespaces is a document with n declarations in scope at one place.
func manyNamespaces(n int) string {
	var open, end strings.Builder
	for i := range n {
		if i%16 == 0 {
			open.WriteString("<a")
			end.WriteString("</a>")
		}
		fmt.Fprintf(&open, ` xmlns:p%d="urn:x"`, i)
		if i%16 == 15 || i == n-1 {
			open.WriteString(">")
		}
	}
	return open.String() + end.String()
}

// A namespace is an absolute URI, because canonicalizers disagree about relative ones. It
// is judged by its scheme alone (RFC 3986 section 3.1).
//
// Holds: house: XML bounds.
func TestScan_NamespacesAreAbsolute(t *testing.T) {
	t.Parallel()
	for uri, ok := range map[string]bool{
		"urn:x": true, "http://x.example": true, "A:": true, "a1+-.:x": true,
		":x": false, ":": false, "x": false, "../x": false, "//x": false, "1a:x": false, "a b:x": false, "a/b:x": false, "é:x": false, "#x": false,
	} {
		for _, doc := range []string{`<p:a xmlns:p="` + uri + `"/>`, `<a xmlns="` + uri + `"/>`, `<a xmlns:unused="` + uri + `"/>`} {
			_, err := Scan([]byte(doc), testLimits)
			require.Equal(t, ok, err == nil, "%s: %v", doc, err)
			if !ok {
				require.ErrorContains(t, err, "relative namespace", doc)
			}
		}
	}
	// The default namespace may be undone, and that of a prefix may not.
	_, err := Scan([]byte(`<a xmlns="urn:x"><b xmlns=""/></a>`), testLimits)
	require.NoError(t, err)
	_, err = Scan([]byte(`<a xmlns:p="urn:x"><b xmlns:p=""/></a>`), testLimits)
	require.ErrorContains(t, err, "empty declaration")
}

// White space in attribute values becomes blanks, in either kind of quotes, and nowhere
// else (XML 1.0 sections 2.11 and 3.3.3).
//
// Holds: house: read whole.
func TestScan_NormalizesAttributeValues(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		"<a b=\"x\ty\"/>":                    "<a b=\"x y\"/>",
		"<a b='x\ty'/>":                      "<a b='x y'/>",
		"<a b=\"x\r\ny\rz\nw\"/>":            "<a b=\"x y z w\"/>",
		"<a b='\r\n\r\n'/>":                  "<a b='  '/>",
		"<a b='\n\r'/>":                      "<a b='  '/>",
		"<a b='\n\n'/>":                      "<a b='  '/>",
		"<a b=\"'\t'\" c='\"\n\"'/>":         "<a b=\"' '\" c='\" \"'/>",
		"<a\tb\n=\r\n'1'\n/>":                "<a\tb\n=\r\n'1'\n/>",
		"<a>\t\"\t\"'\n'</a>":                "<a>\t\"\t\"'\n'</a>",
		"<a b='1'>\t'\t'</a>":                "<a b='1'>\t'\t'</a>",
		"<a b='>\t'>\t<c d='\t'/>\t'\t'</a>": "<a b='> '>\t<c d=' '/>\t'\t'</a>",
		"<a b='&#9;&#10;&#13;\t'/>":          "<a b='&#9;&#10;&#13; '/>",
		"<a b='x'><c/>\r\n</a>":              "<a b='x'><c/>\r\n</a>",
	} {
		got, err := Scan([]byte(doc), testLimits)
		require.NoError(t, err, doc)
		require.Equal(t, want, string(got), doc)
		again, tree, err := ScanTree([]byte(doc), testLimits)
		require.NoError(t, err, doc)
		require.Equal(t, want, string(again), doc)
		read, err := Parse(got, testLimits)
		require.NoError(t, err)
		one, err := Canonicalize(tree, nil, nil)
		require.NoError(t, err)
		other, err := Canonicalize(read, nil, nil)
		require.NoError(t, err)
		require.Equal(t, string(other), string(one), doc)
	}
}

// A name is a prefix and a local name, each of which begins with a letter or underscore
// (Namespaces in XML 1.0 section 4).
//
// Holds: house: XML bounds.
func TestScan_NamesHaveAPrefixAndALocalName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"a": true, "_a": true, "p:a": true, "p:_1": true, "é": true,
		"p:1b": false, "p:-b": false, "p:.b": false, "p:": false, ":a": false, ":": false, "p:a:b": false, "1:a": false, "q:a": false, "xmlns:a": false,
	} {
		for _, doc := range []string{`<` + name + ` xmlns:p="urn:p"/>`, `<a xmlns:p="urn:p"><` + name + `></` + name + `></a>`, `<a xmlns:p="urn:p" ` + name + `="1"/>`} {
			if name == "xmlns:a" && strings.HasPrefix(doc, "<a") && !strings.Contains(doc, "><") {
				continue // there it is a declaration
			}
			_, err := Scan([]byte(doc), testLimits)
			require.Equal(t, ok, err == nil, "%s: %v", doc, err)
		}
	}
}
