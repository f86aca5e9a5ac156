// Package jsonenc writes the few JSON forms that a server writes for every request, without reflection.
package jsonenc

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// String appends s as a JSON string, as encoding/json writes it. What needs no escape, which is nearly all, takes no detour.
func String(b []byte, s string) []byte {
	for i := range len(s) {
		if !plain[s[i]] {
			j, _ := json.Marshal(s) // a string always has a JSON form
			return append(b, j...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// plain tells for every byte whether encoding/json writes it as it is.
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

// Joined appends a list of strings as one string with a space between them, as scopes are written (RFC 6749 section 3.3).
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
		b = append(b[:at], b[at+1:len(b)-1]...) // without its quotes
	}
	return append(b, '"')
}

// Object appends the members of an object one by one. The zero value begins one.
type Object struct {
	// Text is what was written so far: it begins with the first member and [Object.End] closes it.
	Text []byte
}

// Name appends a member's name. A value has to follow.
func (o *Object) Name(name string) {
	if len(o.Text) == 0 {
		o.Text = append(o.Text, '{')
	} else {
		o.Text = append(o.Text, ',')
	}
	o.Text = append(String(o.Text, name), ':')
}

// Value appends a member with whatever has a JSON form. On an error nothing was appended.
func (o *Object) Value(name string, value any) error {
	j, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("member %q: %w", name, err)
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

// Joined appends a member with a list as one string.
func (o *Object) Joined(name string, list []string) {
	o.Name(name)
	o.Text = Joined(o.Text, list)
}

// End returns the whole object.
func (o *Object) End() []byte {
	if len(o.Text) == 0 {
		return append(o.Text, '{', '}')
	}
	return append(o.Text, '}')
}
