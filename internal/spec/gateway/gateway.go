// Package gateway answers in the formats of a widely used API gateway: the parameter
// format chooses JSON, form-urlencoded text or XML.
package gateway

import (
	"bytes"
	"encoding/xml"
	"net/url"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/seam"
)

// Formats lets a request choose the form of its answer by the parameter format.
type Formats struct {
	// On is false for a server that answers in JSON alone and ignores the parameter.
	On bool
}

var _ seam.Formatter = Formats{}

var (
	formURLEncoded = &seam.Format{ContentType: "application/x-www-form-urlencoded", Encode: encodeForm}
	asXML          = &seam.Format{ContentType: "application/xml", Encode: encodeXML}
)

// Format implements [seam.Formatter].
func (f Formats) Format(form url.Values) (*seam.Format, error) {
	if !f.On {
		return nil, nil
	}
	switch form.Get("format") {
	case "", "json":
		return nil, nil
	case "urlencoded", "query":
		return formURLEncoded, nil
	case "xml":
		return asXML, nil
	}

	return nil, grants.InvalidRequest("The format is json, urlencoded or xml.")
}

func encodeForm(m seam.Members) ([]byte, error) {
	var b strings.Builder
	for i := range m {
		text, err := m[i].Plain()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(m[i].Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(text))
	}

	return []byte(b.String()), nil
}

func encodeXML(m seam.Members) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<response>")
	for i := range m {
		text, err := m[i].Plain()
		if err != nil {
			return nil, err
		}
		name := elementName(m[i].Name)
		b.WriteString("<" + name + ">")
		if err := xml.EscapeText(&b, []byte(text)); err != nil {
			return nil, err
		}
		b.WriteString("</" + name + ">")
	}
	b.WriteString("</response>")

	return b.Bytes(), nil
}

// elementName makes an XML element name of a member name, which a hook may have
// chosen.
func elementName(s string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == '_', r == '-', r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
			return r
		}
		return '_'
	}, s)
	if name == "" || name[0] == '-' || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}

	return name
}
