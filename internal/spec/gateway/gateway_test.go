package gateway_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/internal/spec/gateway"
)

// encode answers with members in the format that a request asks for.
func encode(t *testing.T, format string, m seam.Members) (contentType, body string) {
	t.Helper()
	f, err := gateway.Formats{On: true}.Format(url.Values{"format": {format}})
	require.NoError(t, err)
	require.NotNil(t, f)
	text, err := f.Encode(m)
	require.NoError(t, err)

	return f.ContentType, string(text)
}

// The parameter chooses the format. It is ignored by a server that has none, and an
// unknown one is refused.
func TestFormat_IsChosenByTheParameter(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"", "json", "urlencoded", "query", "xml", "XML", "yaml"} {
		off, err := gateway.Formats{}.Format(url.Values{"format": {format}})
		require.NoError(t, err)
		require.Nil(t, off)

		on, err := gateway.Formats{On: true}.Format(url.Values{"format": {format}})
		switch format {
		case "", "json":
			require.NoError(t, err)
			require.Nil(t, on)
		case "XML", "yaml":
			require.Equal(t, "invalid_request", grants.ErrorOf(err).Code)
		default:
			require.NoError(t, err)
			require.NotNil(t, on)
		}
	}
}

var members = seam.Members{
	seam.Text("access_token", "a+b&c=d<é>"),
	seam.Number("expires_in", 3600),
	seam.Other("roles", []string{"x", "y"}),
}

// Form-encoded text reads back as the members, in their order.
func TestURLEncoded_ReadsBack(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"urlencoded", "query"} {
		contentType, body := encode(t, format, members)
		require.Equal(t, "application/x-www-form-urlencoded", contentType)
		require.True(t, strings.HasPrefix(body, "access_token="), body)
		got, err := url.ParseQuery(body)
		require.NoError(t, err)
		require.Equal(t, url.Values{"access_token": {"a+b&c=d<é>"}, "expires_in": {"3600"}, "roles": {`["x","y"]`}}, got)
	}
}

// Any member makes well-formed XML: its name becomes an element name, and its text is
// escaped.
func TestXML_IsWellFormed(t *testing.T) {
	t.Parallel()
	hostile := append(seam.Members{
		seam.Text("", "empty"), seam.Text("1st", "digit"), seam.Text("-x", "dash"),
		seam.Text("a><script", "</response>\x00\x01]]>"), seam.Text("ü:ns", "&amp;"),
	}, members...)
	contentType, body := encode(t, "xml", hostile)
	require.Equal(t, "application/xml", contentType)

	var names, texts []string
	for dec := xml.NewDecoder(strings.NewReader(body)); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, body)
		switch v := token.(type) {
		case xml.StartElement:
			names = append(names, v.Name.Local)
		case xml.CharData:
			texts = append(texts, string(v))
		}
	}
	require.Equal(t, []string{
		"response", "_", "_1st", "_-x", "a__script", "__ns", "access_token", "expires_in", "roles",
	}, names)
	require.Contains(t, texts, "a+b&c=d<é>")
	require.Contains(t, texts, "&amp;")
	require.Contains(t, texts, "</response>\uFFFD\uFFFD]]>")
}

// A value without a textual form is an error, so that no part of the answer is sent.
func TestEncode_WithoutATextIsAnError(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"urlencoded", "xml"} {
		f, err := gateway.Formats{On: true}.Format(url.Values{"format": {format}})
		require.NoError(t, err)
		_, err = f.Encode(seam.Members{seam.Text("a", "b"), seam.Other("f", func() {})})
		require.ErrorContains(t, err, `"f"`)
	}
}
