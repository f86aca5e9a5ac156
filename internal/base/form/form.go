// Package form parses application/x-www-form-urlencoded text strictly and within bounds.
// net/url drops what it cannot read; an authorization server must refuse it.
package form

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// MaxParams is the number of parameters that one request may have.
const MaxParams = 100

// Errors of [Parse]. None of them quotes the input.
var (
	ErrTooMany   = errors.New("form: too many parameters")
	ErrMalformed = errors.New("form: a parameter is not percent-encoded UTF-8 without NUL")
	ErrRepeated  = errors.New("form: a parameter is repeated")
)

// Parse reads name=value pairs joined by '&' (RFC 6749 appendix B). A parameter without a value is treated as if it
// were absent (RFC 6749 section 3.1); a second one of the same name is [ErrRepeated], except for
// the names in multi, which may occur again.
func Parse(text string, multi ...string) (url.Values, error) {
	pairs := strings.Count(text, "&") + 1
	if pairs > MaxParams {
		return nil, ErrTooMany
	}
	values := make(url.Values, min(pairs, 8))
	single := make([]string, 0, pairs) // one allocation for all values
	var empty []string                 // names seen without a value: they count for repetition
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := unescape(rawName)
		if err != nil {
			return nil, err
		}
		value, err := unescape(rawValue)
		if err != nil {
			return nil, err
		}
		have, again := values[name]
		again = again || contains(empty, name)
		if again && !contains(multi, name) {
			return nil, ErrRepeated
		}
		switch {
		case value == "":
			empty = append(empty, name)
		case have == nil:
			single = append(single, value)
			values[name] = single[len(single)-1 : len(single) : len(single)] // whoever appends to one does not reach the next
		default:
			values[name] = append(have, value)
		}
	}
	return values, nil
}

// Unescape decodes one form-urlencoded value, as the parts of a Basic header are (RFC 6749 section 2.3.1).
func Unescape(s string) (string, error) { return unescape(s) }

func unescape(s string) (string, error) {
	i := 0
	for i < len(s) && s[i] != '%' && s[i] != '+' && s[i] != 0 && s[i] < utf8.RuneSelf {
		i++
	}
	if i == len(s) { // nothing to decode, and nothing that could be malformed
		return s, nil
	}
	s, err := url.QueryUnescape(s)
	if err != nil || strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return "", ErrMalformed
	}
	return s, nil
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
