package grants

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// verifyPKCE checks a code_verifier against the challenge that the code was bound to (RFC 7636 section 4.6).
// It returns nil when they match, or when there is neither.
func verifyPKCE(challenge, method, verifier string) error {
	if challenge == "" {
		if verifier != "" {
			// RFC 9700 section 4.8.2: a verifier without a challenge is the mark of a downgrade.
			return InvalidGrant("code_verifier sent, but the code is bound to no challenge")
		}
		return nil
	}
	if !validVerifier(verifier) {
		return InvalidGrant("code_verifier missing or not 43 to 128 unreserved characters")
	}
	var a, b [128]byte // the longest that there may be
	got := append(a[:0], verifier...)
	switch method {
	case "S256":
		sum := sha256.Sum256(got)
		got = base64.RawURLEncoding.AppendEncode(a[:0], sum[:])
	case "plain":
	default:
		return InvalidGrant("the code is bound by an unknown method")
	}
	if subtle.ConstantTimeCompare(got, append(b[:0], challenge...)) != 1 {
		return InvalidGrant("code_verifier does not match the challenge")
	}
	return nil
}

// validVerifier: 43*128unreserved (RFC 7636 section 4.1).
func validVerifier(v string) bool {
	if len(v) < 43 || len(v) > 128 {
		return false
	}
	for i := range len(v) {
		switch c := v[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}
