package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// clientFields has the fields of [Client] and none of its methods, so that
// encoding/json reads and writes the fields by their tags. Structs that are
// embedded in Client have no exported methods for the same reason: a promoted
// MarshalJSON would replace the whole client.
type clientFields Client

// clientJSON is the one JSON form of a client. Its own fields stand in place of
// the fields of [Client] with the same name, whose types in Go and in RFC 7591
// section 2 differ.
type clientJSON struct {
	*clientFields

	Scope        wordList `json:"scope,omitempty"`
	DefaultScope wordList `json:"default_scope,omitempty"`

	AccessTokenLifetime  seconds `json:"access_token_lifetime,omitzero"`
	RefreshTokenLifetime seconds `json:"refresh_token_lifetime,omitzero"`
	CodeLifetime         seconds `json:"code_lifetime,omitzero"`
	RefreshRetryWindow   seconds `json:"refresh_retry_window,omitzero"`
	AssertionLifetime    seconds `json:"assertion_lifetime,omitzero"`
}

// MarshalJSON returns the client as one flat JSON object, in the names and
// types of RFC 7591 section 2 where it has the member: scope and default_scope
// are strings of scopes separated by spaces. Lifetimes are numbers of seconds.
// A member with its zero value is left out; grant_types is left out if it is
// nil, and not if it is empty.
//
// The object holds everything that a store must keep, hashes and SharedKey
// included.
//
// Unlike the other methods it has a value receiver: with a pointer receiver
// encoding/json would not call it for a Client that is not addressable.
func (c Client) MarshalJSON() ([]byte, error) {
	doc := clientJSON{
		clientFields:         (*clientFields)(&c),
		Scope:                c.Scope,
		DefaultScope:         c.DefaultScope,
		AccessTokenLifetime:  seconds(c.AccessTokenLifetime),
		RefreshTokenLifetime: seconds(c.RefreshTokenLifetime),
		CodeLifetime:         seconds(c.CodeLifetime),
		RefreshRetryWindow:   seconds(c.RefreshRetryWindow),
		AssertionLifetime:    seconds(c.AssertionLifetime),
	}

	// The escapes that json.Marshal makes for HTML would change the text of
	// jwks.
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(doc); err != nil {
		return nil, fmt.Errorf("storage: client: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// UnmarshalJSON replaces c by the client that MarshalJSON wrote. Names are
// compared byte for byte. A name that a client does not have, or that occurs
// twice in one object, is an error: either would be a setting that the author
// of the document believes to be in force and that is not.
//
// An error names the member as the errors of [Client.Validate] do, and never
// quotes a value. UnmarshalJSON does not judge the client itself.
func (c *Client) UnmarshalJSON(text []byte) error {
	var read Client
	doc := clientJSON{clientFields: (*clientFields)(&read)}
	if err := json.Unmarshal(text, &doc); err != nil {
		return memberError(err)
	}

	// encoding/json has accepted other spellings of the names by now, and has
	// passed over unknown ones. The text is valid JSON.
	if err := checkMemberNames(text); err != nil {
		return err
	}

	read.Scope = doc.Scope
	read.DefaultScope = doc.DefaultScope
	read.AccessTokenLifetime = time.Duration(doc.AccessTokenLifetime)
	read.RefreshTokenLifetime = time.Duration(doc.RefreshTokenLifetime)
	read.CodeLifetime = time.Duration(doc.CodeLifetime)
	read.RefreshRetryWindow = time.Duration(doc.RefreshRetryWindow)
	read.AssertionLifetime = time.Duration(doc.AssertionLifetime)
	*c = read
	return nil
}

var errNotObject = errors.New("storage: client: is not a JSON object")

// memberError returns an error that names the member whose value has the wrong
// type.
func memberError(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &wrong):
		return errors.New("storage: client: a member is malformed")
	case wrong.Field == "":
		return errNotObject
	}

	// The path begins with the embedded struct, which is no member.
	path := strings.TrimPrefix(wrong.Field, "clientFields.")
	return fmt.Errorf("storage: client %s: is %s in JSON, and needs to be %s",
		path, wrong.Value, jsonType(wrong.Type))
}

// jsonType names the JSON type of values of a Go type.
func jsonType(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[seconds]():
		return "a number of seconds in decimal digits"
	case reflect.TypeFor[wordList]():
		return "a string of words separated by spaces"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array"
	default:
		return "an object"
	}
}

// wordList is a list of words that is one string in JSON, as scope is (RFC 6749
// section 3.3).
type wordList []string

// MarshalJSON implements [json.Marshaler].
func (w wordList) MarshalJSON() ([]byte, error) {
	return json.Marshal(strings.Join(w, " "))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (w *wordList) UnmarshalJSON(text []byte) error {
	var joined string
	if err := json.Unmarshal(text, &joined); err != nil {
		return wrongType[wordList](text)
	}
	*w = nil
	if joined != "" {
		*w = strings.Fields(joined)
	}
	return nil
}

// seconds is a duration that is a number of seconds in JSON.
type seconds time.Duration

// MarshalJSON implements [json.Marshaler]. The number is exact: a part of a
// second follows as decimal digits.
func (s seconds) MarshalJSON() ([]byte, error) {
	// A negative duration is not valid, but it must not be written as another
	// one.
	sign := ""
	nanos := uint64(s)
	if s < 0 {
		sign = "-"
		nanos = -nanos
	}

	const second = uint64(time.Second)
	text := sign + strconv.FormatUint(nanos/second, 10)
	if part := nanos % second; part > 0 {
		digits := fmt.Sprintf("%09d", part)
		text += "." + strings.TrimRight(digits, "0")
	}
	return []byte(text), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *seconds) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*s = 0
		return nil
	}

	// ParseDuration reads decimal digits exactly, and refuses a number that
	// overflows.
	d, err := time.ParseDuration(string(text) + "s")
	if err != nil {
		return wrongType[seconds](text)
	}
	*s = seconds(d)
	return nil
}

// wrongType returns the error that encoding/json completes with the path of
// the member.
func wrongType[T any](text []byte) error {
	value := "a number of another form"
	switch text[0] {
	case '"':
		value = "string"
	case '{':
		value = "object"
	case '[':
		value = "array"
	case 't', 'f':
		value = "bool"
	}
	return &json.UnmarshalTypeError{Value: value, Type: reflect.TypeFor[T]()}
}
