package seam

import (
	"net/url"
	"strings"
)

// Param is one parameter of an authorization response.
type Param struct {
	Name  string
	Value string
}

// Params are the parameters of an authorization response, in the order in which they
// are sent.
type Params []Param

// Add appends a parameter.
func (p *Params) Add(name, value string) { *p = append(*p, Param{name, value}) }

// Value returns the value of a parameter, or "".
func (p Params) Value(name string) string {
	for i := range p {
		if p[i].Name == name {
			return p[i].Value
		}
	}

	return ""
}

// Has reports whether there is a parameter of this name.
func (p Params) Has(name string) bool {
	for i := range p {
		if p[i].Name == name {
			return true
		}
	}

	return false
}

// After returns the URI and, if there are any, the separator and the parameters.
func (p Params) After(uri, separator string) string {
	var b strings.Builder
	b.Grow(len(uri) + 256)
	b.WriteString(uri)
	for i := range p {
		if i == 0 {
			b.WriteString(separator)
		} else {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p[i].Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p[i].Value))
	}

	return b.String()
}
