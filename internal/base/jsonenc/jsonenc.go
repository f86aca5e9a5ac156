// Package jsonenc writes JSON without reflection. A server writes a few forms of
// it for every request: claims, token responses, records. encoding/json took a
// large part of the time of such a request.
package jsonenc

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// String appends s as a JSON string, byte for byte as encoding/json writes it.
func String(b []byte, s string) []byte {
	for i := range len(s) {
		if !plain[s[i]] {
			// Few strings need an escape. A string always has a JSON form, so
			// there is no error. The copy keeps s from escaping to the heap in
			// the common case.
			j, _ := json.Marshal(strings.Clone(s))
			return append(b, j...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// plain holds for every byte whether encoding/json writes it without an escape.
var plain = func() (is [256]bool) {
	for c := byte(0x20); c < 0x7f; c++ {
		is[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return is
}()

// Strings appends a list of strings as an array.
func Strings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = String(b, s)
	}
	return append(b, ']')
}

// Joined appends a list of strings as one string with spaces between them, the
// form of a scope (RFC 6749 section 3.3).
func Joined(b []byte, list []string) []byte {
	if len(list) == 1 {
		return String(b, list[0])
	}
	b = append(b, '"')
	for i, s := range list {
		if i > 0 {
			b = append(b, ' ')
		}
		at := len(b)
		b = String(b, s)
		// Its own quotes are taken out again.
		b = append(b[:at], b[at+1:len(b)-1]...)
	}
	return append(b, '"')
}

// Object writes an object member by member. The zero value is an empty object.
// The caller must not write a name twice.
type Object struct {
	// Text is what was written so far. It begins with the first member, and
	// [Object.End] closes it.
	Text []byte
}

// Name appends the name of a member. The caller must append a value to Text next.
func (o *Object) Name(name string) {
	if len(o.Text) == 0 {
		o.Text = append(o.Text, '{')
	} else {
		o.Text = append(o.Text, ',')
	}
	o.Text = append(String(o.Text, name), ':')
}

// Value appends a member with any value that has a JSON form. It appends nothing
// if it returns an error.
func (o *Object) Value(name string, value any) error {
	j, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("jsonenc: member %q: %w", name, err)
	}
	o.Name(name)
	o.Text = append(o.Text, j...)
	return nil
}

// String appends a member with a string.
func (o *Object) String(name, value string) {
	o.Name(name)
	o.Text = String(o.Text, value)
}

// Bytes appends a member with bytes as encoding/json writes them: a string in
// base64 (RFC 4648 section 4).
func (o *Object) Bytes(name string, value []byte) {
	o.Name(name)
	o.Text = append(o.Text, '"')
	o.Text = base64.StdEncoding.AppendEncode(o.Text, value)
	o.Text = append(o.Text, '"')
}

// Int appends a member with a whole number.
func (o *Object) Int(name string, value int64) {
	o.Name(name)
	o.Text = strconv.AppendInt(o.Text, value, 10)
}

// Bool appends a member with true or false.
func (o *Object) Bool(name string, value bool) {
	o.Name(name)
	o.Text = strconv.AppendBool(o.Text, value)
}

// Joined appends a member with a list of strings as one string, as [Joined]
// does.
func (o *Object) Joined(name string, list []string) {
	o.Name(name)
	o.Text = Joined(o.Text, list)
}

// End closes the object and returns it. Nothing may be appended afterwards.
func (o *Object) End() []byte {
	if len(o.Text) == 0 {
		return append(o.Text, '{', '}')
	}
	return append(o.Text, '}')
}
