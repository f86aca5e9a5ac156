package grants

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/grantwell/grantwell/storage"
)

// PKCE is implemented by a grant whose codes may be bound to a challenge (RFC 7636).
// The authorization endpoint asks it about every request for a code, and the
// metadata list its methods. [AuthorizationCode] implements it; a grant that embeds
// it, or that names it by [Wrapper], has the same rules.
type PKCE interface {
	// ChallengeMethods are the values of code_challenge_method that are accepted.
	ChallengeMethods() []string
	// CheckChallenge judges the challenge of an authorization request. Both strings
	// are empty if the parameters were not sent; code says whether the request asks
	// for a code. It returns the method that applies.
	CheckChallenge(c *storage.Client, challenge, method string, code bool) (string, error)
}

// The values of code_challenge_method (RFC 7636 section 4.2).
const (
	methodS256  = "S256"
	methodPlain = "plain"
)

var _ PKCE = AuthorizationCode{}

// ChallengeMethods implements [PKCE].
func (g AuthorizationCode) ChallengeMethods() []string {
	if g.AllowPlainPKCE {
		return []string{methodS256, methodPlain}
	}

	return []string{methodS256}
}

// CheckChallenge implements [PKCE] (RFC 7636 sections 4.3 and 4.4.1). A challenge
// that is sent must be well-formed also where it has no effect, as with a response
// type that returns no code.
func (g AuthorizationCode) CheckChallenge(c *storage.Client, challenge, method string, code bool) (string, error) {
	if challenge == "" {
		switch {
		case method != "":
			return "", badChallenge("The parameter code_challenge_method was sent without code_challenge.")
		case code && g.required(c):
			return "", badChallenge("The parameter code_challenge is missing (RFC 7636).")
		}
		return "", nil
	}

	if method == "" {
		method = methodPlain // RFC 7636 section 4.3
	}
	if method != methodS256 && (method != methodPlain || !g.AllowPlainPKCE) {
		return "", badChallenge("The code_challenge_method must be S256.")
	}
	if !unreserved(challenge) {
		return "", badChallenge("The code_challenge must be 43 to 128 unreserved characters.")
	}

	return method, nil
}

func badChallenge(description string) error {
	return InvalidRequest(description).For(ReasonChallenge)
}

// required reports whether a code of this client must be bound to a challenge.
func (g AuthorizationCode) required(c *storage.Client) bool {
	return g.RequirePKCE || c.RequirePKCE || c.Public() && !g.PublicWithoutPKCE
}

// verifyPKCE checks a code_verifier against the challenge that the code was bound to
// (RFC 7636 section 4.6). It returns nil if they match, or if there is neither.
func verifyPKCE(challenge, method, verifier string) error {
	if challenge == "" {
		if verifier != "" {
			// RFC 9700 section 4.8.2: a verifier without a challenge is the sign of a
			// downgrade attack.
			return badVerifier("code_verifier sent, but the code is bound to no challenge")
		}
		return nil
	}
	if !unreserved(verifier) {
		return badVerifier("code_verifier missing or not 43 to 128 unreserved characters")
	}

	var a, b [128]byte // a verifier and a challenge have at most 128 bytes
	got := append(a[:0], verifier...)
	switch method {
	case methodS256:
		sum := sha256.Sum256(got)
		got = base64.RawURLEncoding.AppendEncode(a[:0], sum[:])
	case methodPlain:
	default:
		return badVerifier("the code is bound by an unknown method")
	}
	if subtle.ConstantTimeCompare(got, append(b[:0], challenge...)) != 1 {
		return badVerifier("code_verifier does not match the challenge")
	}

	return nil
}

func badVerifier(cause string) error {
	return InvalidGrant("%s", cause).For(ReasonCodeVerifier)
}

// unreserved reports whether s is a code verifier or a code challenge: 43 to 128
// unreserved characters (RFC 7636 sections 4.1 and 4.2).
func unreserved(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}

	return true
}
