package assertion

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"strings"
)

// ErrUnreadable is the error of [ClaimedIssuer]. It contains no part of the input.
var ErrUnreadable = errors.New("assertion: no issuer can be read")

const (
	maxClaimed       = 64 << 10 // characters that ClaimedIssuer reads
	maxClaimedTokens = 64       // XML tokens: the Issuer is the first child of the root
)

// ClaimedIssuer returns the issuer that an assertion of this format (FormatJWT,
// FormatSAML2) names. Nothing of the assertion is verified. Use the result as a key
// to look a client up, and for nothing else before a [Verifier] has accepted the
// assertion.
func ClaimedIssuer(format, assertion string) (string, error) {
	if len(assertion) > maxClaimed {
		return "", ErrUnreadable
	}
	if format == FormatJWT {
		return claimedJWT(assertion)
	}
	return claimedSAML(assertion)
}

func claimedJWT(compact string) (string, error) {
	_, rest, ok := strings.Cut(compact, ".")
	payload, _, more := strings.Cut(rest, ".")
	if !ok || !more {
		return "", ErrUnreadable
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(payload, "="))
	if err != nil {
		return "", ErrUnreadable
	}

	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(raw, &claims) != nil || claims.Issuer == "" {
		return "", ErrUnreadable
	}
	return claims.Issuer, nil
}

func claimedSAML(encoded string) (string, error) {
	encoded = lenientBase64.Replace(strings.TrimRight(encoded, "=\r\n"))
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return "", ErrUnreadable
	}

	d := xml.NewDecoder(strings.NewReader(string(raw)))
	for range maxClaimedTokens {
		token, err := d.Token()
		if err != nil {
			return "", ErrUnreadable
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "Issuer" {
			continue
		}
		text, err := d.Token()
		if chars, ok := text.(xml.CharData); err == nil && ok && len(chars) > 0 {
			return string(chars), nil
		}
		return "", ErrUnreadable
	}
	return "", ErrUnreadable
}
