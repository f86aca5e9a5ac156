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

// jwtClaims are the registered claims of RFC 7519 section 4.1 with their types
// checked. A claim that is absent is empty or zero.
type jwtClaims struct {
	iss string
	sub string
	jti string
	aud []string
	exp time.Time
	nbf time.Time
	iat time.Time
}

const (
	maxJTI      = 1024         // octets
	maxAudience = 64           // values
	maxUnixTime = 253402300799 // the last second of 9999, the last that RFC 3339 can write
)

// readClaims checks the types of the registered claims. A claim that is null has the
// wrong type. lenient is [JWTRules.Lenient].
func readClaims(m map[string]any, lenient bool) (*jwtClaims, error) {
	var c jwtClaims
	var err error
	for _, s := range [...]struct {
		name string
		into *string
	}{
		{"iss", &c.iss},
		{"sub", &c.sub},
		{"jti", &c.jti},
	} {
		if *s.into, err = stringClaim(m, s.name); err != nil {
			return nil, err
		}
	}
	if len(c.jti) > maxJTI {
		return nil, fmt.Errorf("jti of more than %d octets", maxJTI)
	}
	if c.aud, err = audienceClaim(m["aud"]); err != nil {
		return nil, err
	}
	for _, t := range [...]struct {
		name string
		into *time.Time
	}{
		{"exp", &c.exp},
		{"nbf", &c.nbf},
		{"iat", &c.iat},
	} {
		v, ok := m[t.name]
		if !ok {
			continue
		}
		if *t.into, err = numericDate(v, lenient); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return &c, nil
}

// stringClaim returns "" for an absent claim. It refuses an empty one, so that no
// rule confuses the two.
func stringClaim(m map[string]any, name string) (string, error) {
	v, ok := m[name]
	if !ok {
		return "", nil
	}
	s, ok := v.(string)
	if !ok || s == "" {
		return "", fmt.Errorf("%s is not a string, or empty", name)
	}
	if strings.ContainsFunc(s, cannotCompare) {
		return "", fmt.Errorf("%s has characters that cannot be compared", name)
	}
	return s, nil
}

// cannotCompare reports whether a name must not have the character. The replacement
// character takes the place of every escape that could not be decoded, so two
// different names would be equal.
func cannotCompare(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }

// audienceClaim reads a string or an array of strings (RFC 7519 section 4.1.3).
func audienceClaim(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		// The claim is absent, and refused later because no audience fits.
		return nil, nil
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

// numericDate reads whole seconds since 1970 in plain digits, which can neither
// overflow nor be rounded or negative. RFC 7519 allows fractions and exponents too,
// but issuers do not write them.
func numericDate(v any, lenient bool) (time.Time, error) {
	digits, err := dateDigits(v, lenient)
	if err != nil {
		return time.Time{}, err
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

// dateDigits returns the text of a number. If lenient, it also accepts a string, and
// cuts a fraction off.
func dateDigits(v any, lenient bool) (string, error) {
	if number, ok := v.(json.Number); ok && !lenient {
		return number.String(), nil
	}
	if !lenient {
		return "", errors.New("not a number")
	}

	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		return "", errors.New("not a number")
	}
	whole, fraction, found := strings.Cut(text, ".")
	if found && (fraction == "" || strings.Trim(fraction, "0123456789") != "") {
		return "", errors.New("not a time")
	}
	return whole, nil
}

// claimStrings returns the strings of a claim: one string, or those of an array.
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
