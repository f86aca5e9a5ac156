package assertion

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// jwtClaims are the registered claims of RFC 7519 section 4.1, with their types checked.
type jwtClaims struct {
	iss, sub, jti string
	aud           []string
	exp, nbf, iat time.Time // zero when absent
}

const (
	maxJTI      = 1024         // octets
	maxAudience = 64           // values
	maxUnixTime = 253402300799 // the last second of the year 9999, the last that RFC 3339 can write
)

// readClaims types the registered claims. A claim that is present must have its type: null is not
// absence. lenient is [JWTRules.Lenient].
func readClaims(m map[string]any, lenient bool) (*jwtClaims, error) {
	var c jwtClaims
	var err error
	if c.iss, err = stringClaim(m, "iss"); err != nil {
		return nil, err
	}
	if c.sub, err = stringClaim(m, "sub"); err != nil {
		return nil, err
	}
	if c.jti, err = stringClaim(m, "jti"); err != nil {
		return nil, err
	}
	if len(c.jti) > maxJTI {
		return nil, fmt.Errorf("jti of more than %d octets", maxJTI)
	}
	if c.aud, err = audienceClaim(m["aud"]); err != nil {
		return nil, err
	}
	for _, t := range []struct {
		name string
		to   *time.Time
	}{{"exp", &c.exp}, {"nbf", &c.nbf}, {"iat", &c.iat}} {
		if v, ok := m[t.name]; ok {
			if *t.to, err = numericDate(v, lenient); err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	return &c, nil
}

// stringClaim returns "" for an absent claim and refuses an empty one, since no rule below may mistake
// the one for the other.
func stringClaim(m map[string]any, name string) (string, error) {
	v, ok := m[name]
	if !ok {
		return "", nil
	}
	s, ok := v.(string)
	if !ok || s == "" {
		return "", fmt.Errorf("%s is not a string, or empty", name)
	}
	// A replacement character stands for what could not be decoded, so two different names would
	// look like one.
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return "", fmt.Errorf("%s has characters that cannot be compared", name)
	}
	return s, nil
}

// audienceClaim reads a string or an array of strings (RFC 7519 section 4.1.3).
func audienceClaim(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil // absent, and so refused as no audience of ours
	case string:
		return []string{v}, nil
	case []any:
		if len(v) > maxAudience {
			return nil, fmt.Errorf("aud has more than %d values", maxAudience)
		}
		list := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, errors.New("aud has a value that is not a string")
			}
			list[i] = s
		}
		return list, nil
	}
	return nil, errors.New("aud is neither a string nor an array of strings")
}

// numericDate reads whole seconds since the epoch. The RFC allows fractions and any exponent; nobody who
// means a time writes them, and the digits alone cannot overflow, round or be negative.
func numericDate(v any, lenient bool) (time.Time, error) {
	var digits string
	switch v := v.(type) {
	case json.Number:
		digits = v.String()
	case string:
		if !lenient {
			return time.Time{}, errors.New("a string instead of a number")
		}
		digits = v
	default:
		return time.Time{}, errors.New("not a number")
	}
	if lenient {
		whole, fraction, found := strings.Cut(digits, ".")
		if found && (fraction == "" || strings.Trim(fraction, "0123456789") != "") {
			return time.Time{}, errors.New("not a time")
		}
		digits = whole
	}
	if len(digits) > 12 || strings.Trim(digits, "0123456789") != "" {
		return time.Time{}, errors.New("not whole seconds since 1970")
	}
	seconds, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || seconds > maxUnixTime {
		return time.Time{}, errors.New("not whole seconds since 1970")
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// claimStrings returns a claim as the list of its strings: one, or those of an array.
func claimStrings(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}
