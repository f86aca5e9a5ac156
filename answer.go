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
)

// member is one name and value of an answer; members keep their order.
type member struct {
	name  string
	value any // string, int64, bool, or whatever has a JSON form
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
	c.event.Status = status
	h := c.w.Header()
	h["Content-Type"] = contentTypes[c.format]
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the caller is gone: nobody is left to tell
}

func (m members) encode(format string) ([]byte, error) {
	switch format {
	case "urlencoded":
		var b strings.Builder
		for i, f := range m {
			if i > 0 {
				b.WriteByte('&')
			}
			b.WriteString(url.QueryEscape(f.name) + "=" + url.QueryEscape(text(f.value)))
		}
		return []byte(b.String()), nil
	case "xml":
		return m.xml()
	}
	b := make([]byte, 0, 256)
	for i, f := range m {
		b = append(b, ',')
		if i == 0 {
			b[0] = '{'
		}
		b = append(appendString(b, f.name), ':')
		switch v := f.value.(type) {
		case string:
			b = appendString(b, v)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case bool:
			b = strconv.AppendBool(b, v)
		default:
			j, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("grantwell: member %q of an answer: %w", f.name, err)
			}
			b = append(b, j...)
		}
	}
	return append(b, '}'), nil
}

// appendString appends s as JSON. What needs no escape, which is nearly all, takes no detour.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			j, _ := json.Marshal(s) // a string always has a JSON form
			return append(b, j...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func (m members) xml() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<response>")
	for _, f := range m {
		name := xmlName(f.name)
		b.WriteString("<" + name + ">")
		if err := xml.EscapeText(&b, []byte(text(f.value))); err != nil {
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

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		return strconv.FormatBool(v)
	}
	j, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(j)
}

// reserved are the members of a token response that nothing overwrites.
var reserved = map[string]bool{"access_token": true, "token_type": true, "expires_in": true, "refresh_token": true, "scope": true,
	"error": true, "error_description": true, "error_uri": true, "id_token": true}

// tokenResponse is RFC 6749 section 5.1, with scope always, so that a client never guesses.
func (c *call) tokenResponse(res *grants.Response) members {
	left := max(int64(res.ExpiresAt.Sub(c.now)/time.Second), 0)
	var expires any = left
	if c.s.cfg.Compat.QuotedExpiresIn {
		expires = strconv.FormatInt(left, 10)
	}
	m := make(members, 0, 5+len(res.Extra))
	m = append(m, member{"access_token", res.AccessToken}, member{"token_type", res.TokenType}, member{"expires_in", expires})
	if res.RefreshToken != "" {
		m = append(m, member{"refresh_token", res.RefreshToken})
	}
	m = append(m, member{"scope", strings.Join(res.Scope, " ")})
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
			m = append(m, member{name, extra[name]})
		}
	}
	return m
}

// json writes a body that is JSON already.
func (c *call) json(status int, body []byte) {
	c.event.Status = status
	h := c.w.Header()
	h["Content-Type"] = contentTypes["json"]
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the caller is gone: nobody is left to tell
}
