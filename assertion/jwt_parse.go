package assertion

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/grantwell/grantwell/internal/base/strictjson"
)

// maxJSONDepth bounds how deep a header, a claims set or a key set may nest. Structured claims of real
// issuers (RFC 9396 details, act chains) stay far below.
const maxJSONDepth = 32

// jwtToken is a JWT taken apart and not yet believed: nothing in it has been verified.
type jwtToken struct {
	alg, typ, kid string
	claims        map[string]any // numbers are json.Number
	payload       []byte         // the JSON of claims
	signed        string         // the octets under the signature
	signature     []byte
	padded        bool // a segment carried base64 padding, which only leniency forgives
}

// parseJWT takes one compact JWS apart (RFC 7515 section 7.1). It is strict where parsers are known to
// disagree: canonical base64url, valid UTF-8, no member twice at any depth, and header members that change
// what is verified (crit, b64, zip, enc, a nested cty) refused. Keys and key references in the header
// (jwk, jku, x5c, x5u) are never looked at. The caller bounds the size of s.
func parseJWT(use Use, s string) (*jwtToken, *Error) {
	head, rest, ok := strings.Cut(s, ".")
	body, sig, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(sig, ".") {
		return nil, newError(use, ReasonEncoding, "not the three segments of a signed JWT")
	}
	t := &jwtToken{signed: s[:len(head)+1+len(body)]}
	var header []byte
	for _, segment := range []struct {
		name, text string
		to         *[]byte
	}{{"header", head, &header}, {"claims", body, &t.payload}, {"signature", sig, &t.signature}} {
		var err error
		if *segment.to, err = t.decode(segment.text); err != nil {
			return nil, newError(use, ReasonEncoding, "%s: %v", segment.name, err)
		}
	}
	h, err := strictObject(header)
	if err != nil {
		return nil, newError(use, ReasonSyntax, "header: %v", err)
	}
	if err := t.readHeader(h); err != nil {
		return nil, newError(use, ReasonStructure, "header: %v", err)
	}
	if t.claims, err = strictObject(t.payload); err != nil {
		return nil, newError(use, ReasonSyntax, "claims: %v", err)
	}
	return t, nil
}

func (t *jwtToken) readHeader(h map[string]any) error {
	for _, name := range []string{"crit", "b64", "zip", "enc"} {
		if _, ok := h[name]; ok {
			return fmt.Errorf("member %q is not supported", name)
		}
	}
	for name, to := range map[string]*string{"alg": &t.alg, "typ": &t.typ, "kid": &t.kid} {
		v, ok := h[name]
		if !ok {
			continue
		}
		if *to, ok = v.(string); !ok {
			return fmt.Errorf("member %q is not a string", name)
		}
	}
	if cty, ok := h["cty"]; ok {
		if s, isString := cty.(string); !isString || mediaType(s) == "jwt" {
			return errors.New("a nested JWT is not supported")
		}
	}
	return nil
}

// mediaType returns a typ or cty value in the short form that RFC 7515 section 4.1.9 recommends.
// Media types compare without regard to case.
func mediaType(s string) string {
	return strings.TrimPrefix(strings.ToLower(s), "application/")
}

// decode reads one segment. The standard decoder skips line breaks, which would give one token many
// spellings; they are refused with every other octet that is not of the alphabet.
func (t *jwtToken) decode(segment string) ([]byte, error) {
	if trimmed := strings.TrimRight(segment, "="); trimmed != segment {
		if len(segment)%4 != 0 || len(segment)-len(trimmed) > 2 {
			return nil, errors.New("not base64url")
		}
		t.padded, segment = true, trimmed
	}
	if strings.ContainsAny(segment, "\r\n") {
		return nil, errors.New("not base64url")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	return b, nil
}

// strictObject decodes one JSON object of a header, a claims set or a key set.
func strictObject(b []byte) (map[string]any, error) {
	return strictjson.Object(b, strictjson.Limits{Depth: maxJSONDepth})
}
