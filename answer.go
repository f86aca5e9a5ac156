package grantwell

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/jsonenc"
)

// member is one name and value of an answer; members keep their order. Strings and numbers, which nearly all are, need no
// interface around them.
type member struct {
	name   string
	text   string
	number int64
	value  any // whatever has a JSON form, if kind is other
	kind   kind
}

type kind uint8

const (
	isText kind = iota
	isNumber
	isOther
)

func str(name, value string) member { return member{name: name, text: value} }

func num(name string, value int64) member { return member{name: name, number: value, kind: isNumber} }

func other(name string, value any) member {
	if s, ok := value.(string); ok {
		return str(name, s)
	}
	return member{name: name, value: value, kind: isOther}
}

type members []member

var contentTypes = map[string][]string{
	"json":       {"application/json"},
	"urlencoded": {"application/x-www-form-urlencoded"},
	"xml":        {"application/xml"},
}

// answer writes the members in the call's format. An answer that cannot be written is a fault of ours, and is never half an answer.
func (c *call) answer(status int, m members) {
	body, err := m.encode(c.format)
	if err != nil {
		c.event.fail(protocol(err))
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
		c.format = "json"
	}
	c.write(status, body)
}

func (m members) encode(format string) ([]byte, error) {
	switch format {
	case "urlencoded":
		var b strings.Builder
		for i, f := range m {
			if i > 0 {
				b.WriteByte('&')
			}
			b.WriteString(url.QueryEscape(f.name) + "=" + url.QueryEscape(f.plain()))
		}
		return []byte(b.String()), nil
	case "xml":
		return m.xml()
	}
	o := jsonenc.Object{Text: make([]byte, 0, 256)}
	for _, f := range m {
		switch f.kind {
		case isText:
			o.String(f.name, f.text)
		case isNumber:
			o.Int(f.name, f.number)
		default:
			if err := o.Value(f.name, f.value); err != nil {
				return nil, fmt.Errorf("grantwell: an answer's %w", err)
			}
		}
	}
	return o.End(), nil
}

func (m members) xml() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<response>")
	for _, f := range m {
		name := xmlName(f.name)
		b.WriteString("<" + name + ">")
		if err := xml.EscapeText(&b, []byte(f.plain())); err != nil {
			return nil, fmt.Errorf("grantwell: member %q of an answer: %w", f.name, err)
		}
		b.WriteString("</" + name + ">")
	}
	b.WriteString("</response>")
	return b.Bytes(), nil
}

// xmlName makes an element name of a member name, which a hook may have chosen.
func xmlName(s string) string {
	out := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
	if out == "" || out[0] == '-' || out[0] >= '0' && out[0] <= '9' {
		out = "_" + out
	}
	return out
}

// plain is the value outside JSON.
func (f member) plain() string {
	switch f.kind {
	case isText:
		return f.text
	case isNumber:
		return strconv.FormatInt(f.number, 10)
	}
	j, err := json.Marshal(f.value)
	if err != nil {
		return ""
	}
	return string(j)
}

// reserved are the members of a token response that nothing overwrites.
var reserved = map[string]bool{"access_token": true, "token_type": true, "expires_in": true, "refresh_token": true, "scope": true,
	"error": true, "error_description": true, "error_uri": true, "id_token": true}

// tokenResponse appends RFC 6749 section 5.1 to m, with scope always, so that a client never guesses.
func (c *call) tokenResponse(m members, res *grants.Response) members {
	left := max(int64(res.ExpiresAt.Sub(c.req.Now)/time.Second), 0)
	expires := num("expires_in", left)
	if c.s.cfg.Compat.QuotedExpiresIn {
		expires = str("expires_in", strconv.FormatInt(left, 10))
	}
	m = append(m, str("access_token", res.AccessToken), str("token_type", res.TokenType), expires)
	if res.RefreshToken != "" {
		m = append(m, str("refresh_token", res.RefreshToken))
	}
	m = append(m, str("scope", strings.Join(res.Scope, " ")))
	return append(m, extras(res.Extra, func(name string) bool { return !reserved[strings.ToLower(name)] })...)
}

// extras are a map's members that are allowed, in the order of their names.
func extras(extra map[string]any, allowed func(name string) bool) members {
	if len(extra) == 0 {
		return nil
	}
	var m members
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if extra[name] != nil && allowed(name) {
			m = append(m, other(name, extra[name]))
		}
	}
	return m
}

// json writes a body that is JSON already.
func (c *call) json(status int, body []byte) {
	c.format = "json"
	c.write(status, body)
}

func (c *call) write(status int, body []byte) {
	c.event.Status = status
	h := c.w.Header()
	h["Content-Type"] = contentTypes[c.format]
	if len(body) > 1<<10 { // net/http counts what is short by itself
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the caller is gone: nobody is left to tell
}
