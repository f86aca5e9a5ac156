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
		name  string
		into  *time.Time
		round rounding
	}{
		{"exp", &c.exp, roundDown},
		{"nbf", &c.nbf, roundUp},
		{"iat", &c.iat, roundUp},
	} {
		v, ok := m[t.name]
		if !ok {
			continue
		}
		if *t.into, err = numericDate(v, lenient, t.round); err != nil {
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

// rounding is the direction in which a part of a second is dropped.
type rounding int

// An expiry is rounded down, and a time before which a token is not valid up, so that
// no token is valid for longer than it says.
const (
	roundDown rounding = iota
	roundUp
)

// maxDateLength bounds the text of a NumericDate, in characters.
const maxDateLength = 40

// numericDate reads a NumericDate (RFC 7519 section 2): a JSON number of seconds
// since 1970, which may have a fraction and an exponent. It is computed in decimal
// digits, and is neither negative nor later than the year 9999.
func numericDate(v any, lenient bool, round rounding) (time.Time, error) {
	text, err := dateText(v, lenient)
	if err != nil {
		return time.Time{}, err
	}
	digits, fraction, ok := splitDecimal(text)
	// ParseInt refuses what does not fit, so the number of digits needs no bound here.
	seconds, err := strconv.ParseInt("0"+digits, 10, 64)
	if !ok || err != nil {
		return time.Time{}, fmt.Errorf("%s is not a number of seconds from 1970 to 9999", shown(text))
	}
	if round == roundUp && strings.Trim(fraction, "0") != "" {
		seconds++
	}
	if seconds > maxUnixTime {
		return time.Time{}, fmt.Errorf("%s is not a number of seconds from 1970 to 9999", shown(text))
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// splitDecimal returns the digits before and after the decimal point of a JSON number
// after its exponent was applied. It reports false for a negative number and for one
// whose exponent is far from that of any date.
func splitDecimal(text string) (whole, fraction string, ok bool) {
	const maxExponent = 20
	if len(text) > maxDateLength {
		return "", "", false
	}
	number, power, scientific := strings.Cut(strings.ToLower(text), "e")
	exponent := 0
	if scientific {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || exponent > maxExponent || exponent < -maxExponent {
			return "", "", false
		}
	}
	whole, fraction, pointed := strings.Cut(number, ".")
	if whole == "" || pointed && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return "", "", false
	}

	// The point moves by the exponent, over zeros where there are no digits.
	for ; exponent > 0; exponent-- {
		if fraction == "" {
			fraction = "0"
		}
		whole, fraction = whole+fraction[:1], fraction[1:]
	}
	for ; exponent < 0; exponent++ {
		if whole == "" {
			whole = "0"
		}
		whole, fraction = whole[:len(whole)-1], whole[len(whole)-1:]+fraction
	}
	return strings.TrimLeft(whole, "0"), fraction, true
}

// dateText returns the text of a number. If lenient, it also accepts a string of
// digits with a fraction, and no exponent.
func dateText(v any, lenient bool) (string, error) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), nil
	case string:
		if lenient && !strings.ContainsAny(v, "eE") {
			return v, nil
		}
		return "", errors.New("a string, not a number")
	case nil:
		return "", errors.New("null, not a number")
	case bool:
		return "", errors.New("a boolean, not a number")
	case []any:
		return "", errors.New("an array, not a number")
	default:
		return "", errors.New("an object, not a number")
	}
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
