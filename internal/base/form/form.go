// Package form parses application/x-www-form-urlencoded text strictly and within
// bounds. Package net/url drops what it cannot read; an authorization server must
// refuse it, because another reader of the same request may read it differently.
package form

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxParams is the number of parameters that one request may have.
const MaxParams = 100

// The errors of [Parse]. None of them quotes the input.
var (
	ErrTooMany   = errors.New("form: too many parameters")
	ErrMalformed = errors.New("form: a parameter is not percent-encoded UTF-8 without NUL")
	ErrRepeated  = errors.New("form: a parameter is repeated")
)

// Parse reads name=value pairs joined by '&' (RFC 6749 appendix B). A parameter
// without a value is treated as if it were absent (RFC 6749 section 3.1). A
// second parameter of the same name is [ErrRepeated], except for the names in
// multi.
func Parse(text string, multi ...string) (url.Values, error) {
	pairs := strings.Count(text, "&") + 1
	if pairs > MaxParams {
		return nil, ErrTooMany
	}

	values := make(url.Values, min(pairs, 8))
	// One allocation holds the values of all parameters that occur once.
	single := make([]string, 0, pairs)
	// Names without a value count when repetition is judged.
	var empty []string
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if pair == "" {
			continue
		}
		// A pair without '=' is a parameter without a value.
		name, value, err := parsePair(pair)
		if err != nil {
			return nil, err
		}

		have, again := values[name]
		again = again || slices.Contains(empty, name)
		if again && !slices.Contains(multi, name) {
			return nil, ErrRepeated
		}
		switch {
		case value == "":
			empty = append(empty, name)
		case have == nil:
			single = append(single, value)
			// The capacity is cut off, so that appending to one parameter does
			// not overwrite the next one.
			values[name] = single[len(single)-1 : len(single) : len(single)]
		default:
			values[name] = append(have, value)
		}
	}
	return values, nil
}

// ParseAll reads the same text, but lets every name occur several times: an
// authorization server must find out first where to report a repetition. All
// values of a repeated name are kept, empty ones too.
func ParseAll(text string) (url.Values, error) {
	pairs := strings.Count(text, "&") + 1
	if pairs > MaxParams {
		return nil, ErrTooMany
	}

	values := make(url.Values, min(pairs, 8))
	first := make([]string, 0, pairs) // the first value of each name, in one allocation
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, err := parsePair(pair)
		if err != nil {
			return nil, err
		}
		if have, again := values[name]; again {
			values[name] = append(have, value)
			continue
		}
		first = append(first, value)
		values[name] = first[len(first)-1 : len(first) : len(first)]
	}
	for name, all := range values {
		if len(all) == 1 && all[0] == "" {
			delete(values, name)
		}
	}

	return values, nil
}

// parsePair splits a pair at the first '=' and decodes both parts.
func parsePair(pair string) (name, value string, err error) {
	name, value, _ = strings.Cut(pair, "=")
	if name, err = Unescape(name); err != nil {
		return "", "", err
	}
	value, err = Unescape(value)
	return name, value, err
}

// Unescape decodes one form-urlencoded name or value. The two parts of a Basic
// header are encoded in the same way (RFC 6749 section 2.3.1).
func Unescape(s string) (string, error) {
	i := 0
	for i < len(s) && s[i] != '%' && s[i] != '+' && s[i] != 0 && s[i] < utf8.RuneSelf {
		i++
	}
	if i == len(s) {
		// There is nothing to decode, and nothing that could be malformed.
		return s, nil
	}

	s, err := url.QueryUnescape(s)
	if err != nil || strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return "", ErrMalformed
	}
	return s, nil
}
