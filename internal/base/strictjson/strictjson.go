// Package strictjson reads JSON that another party wrote.
//
// encoding/json reads more than one text in the same way: it takes the last of
// two members with one name, takes "EXP" for "exp", replaces octets that are
// not UTF-8, and reads a value without looking at what follows it. Another
// reader of the same text may decide otherwise, and an attacker can use the
// difference. This package refuses every such text.
//
// A text is accepted if it is valid UTF-8, is exactly one JSON value (RFC
// 8259), has no member name twice in one object, and stays within the caller's
// [Limits]. Names compare byte for byte after their escapes are decoded.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// defaultDepth is the nesting that is read if the caller names no bound.
// Structured claims of real issuers stay far below it.
const defaultDepth = 32

// Limits bound a text. They are checked before anything is decoded.
type Limits struct {
	// Size is the length of the text in octets. Zero: the caller has bounded
	// the text already.
	Size int
	// Depth is how many objects and arrays may stand inside one another, the
	// outermost included. Zero means 32.
	Depth int
	// Members is how many members one object, or elements one array, may
	// have. Zero: as many as the size allows.
	Members int
}

// The reasons for a refusal. None of them quotes the text.
var (
	errSize     = errors.New("strictjson: the text is too long")
	errUTF8     = errors.New("strictjson: the text is not UTF-8")
	errSyntax   = errors.New("strictjson: the text is not one JSON value")
	errDepth    = errors.New("strictjson: the value is nested too deep")
	errMembers  = errors.New("strictjson: an object or array has too many members")
	errRepeated = errors.New("strictjson: an object has a member name twice")
	errObject   = errors.New("strictjson: the value is not an object")
)

// Check returns an error unless text is exactly one JSON value within the
// limits and without a repeated member name at any depth.
func Check(text []byte, limits Limits) error {
	if limits.Size > 0 && len(text) > limits.Size {
		return errSize
	}
	if !utf8.Valid(text) {
		return errUTF8
	}
	// json.Valid does not recurse, so the depth need not be known before it.
	if !json.Valid(text) {
		return errSyntax
	}
	return checkShape(text, limits)
}

// Members reads one object and returns its members, undecoded, under their
// exact names. The values were checked with the object and may be decoded by
// encoding/json.
func Members(text []byte, limits Limits) (map[string]json.RawMessage, error) {
	if err := Check(text, limits); err != nil {
		return nil, err
	}

	// The text null decodes into a nil map without an error.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, errObject
	}
	return members, nil
}

// Object reads one object and returns its members decoded: map[string]any,
// []any, string, [json.Number], bool and nil. Numbers keep their text, so that
// none is rounded.
func Object(text []byte, limits Limits) (map[string]any, error) {
	if err := Check(text, limits); err != nil {
		return nil, err
	}

	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var members map[string]any
	if err := decoder.Decode(&members); err != nil || members == nil {
		return nil, errObject
	}
	return members, nil
}

// Decode reads one value into a Go value, as [json.Unmarshal] does, but by
// exact names: a member whose name differs from that of a struct field in case
// only is an error. Other unknown members are passed over. A type with its own
// UnmarshalJSON decides about the names below it.
//
// The error wraps that of encoding/json, for example a
// [json.UnmarshalTypeError].
func Decode(text []byte, limits Limits, into any) error {
	return decode(text, limits, into, false)
}

// DecodeKnown is [Decode], but every unknown member is an error.
func DecodeKnown(text []byte, limits Limits, into any) error {
	return decode(text, limits, into, true)
}

func decode(text []byte, limits Limits, into any, known bool) error {
	if err := Check(text, limits); err != nil {
		return err
	}
	// The decoder ignores case, so names are compared before it runs.
	if err := checkNames(text, into); err != nil {
		return err
	}

	decoder := json.NewDecoder(bytes.NewReader(text))
	if known {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("strictjson: %w", err)
	}
	return nil
}
