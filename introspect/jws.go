package introspect

import (
	"encoding/base64"
	"strings"
)

// jwsHeader is what is read of a JOSE header before the signature is verified.
type jwsHeader struct{ alg, typ, kid string }

// parseHeader checks the outer form of a compact JWS and returns what selects the key. It counts the dots before
// it splits anything, and takes only the one base64url spelling of each part, so that a token has one text.
func parseHeader(token string) (jwsHeader, Reason) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return jwsHeader{}, ReasonMalformed
	}
	first, rest, _ := strings.Cut(token, ".")
	second, third, _ := strings.Cut(rest, ".")
	strict := base64.RawURLEncoding.Strict()
	var raw []byte
	for i, part := range []string{first, second, third} {
		// The decoder skips line ends, which would give a token several texts.
		decoded, err := strict.DecodeString(part)
		if err != nil || part == "" || strings.ContainsAny(part, "\r\n") {
			return jwsHeader{}, ReasonMalformed
		}
		if i == 0 {
			raw = decoded
		}
	}
	members, err := parseObject(raw)
	if err != nil {
		return jwsHeader{}, ReasonMalformed
	}
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "crit", "zip", "b64", "enc"} {
		if _, ok := members[name]; ok {
			return jwsHeader{}, ReasonMalformed
		}
	}
	var h jwsHeader
	for name, into := range map[string]*string{"alg": &h.alg, "typ": &h.typ, "kid": &h.kid} {
		if *into, err = members.text(name); err != nil {
			return jwsHeader{}, ReasonMalformed
		}
	}
	if _, named := members["kid"]; named && h.kid == "" {
		return jwsHeader{}, ReasonMalformed
	}
	return h, ""
}
