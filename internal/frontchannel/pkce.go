package frontchannel

import "strings"

// setChallenge sets r.Challenge and r.ChallengeMethod (RFC 7636 section 4.3). What is sent must be
// well-formed even where it has no effect, as with a response type that returns no code.
func (f *FrontChannel) setChallenge(r *Request) *Error {
	challenge, method := r.Form.Get("code_challenge"), r.Form.Get("code_challenge_method")
	code := strings.Contains(r.ResponseType, typeCode)
	if challenge == "" {
		required := f.cfg.RequirePKCE || r.Client.RequirePKCE || r.Client.Public() && !f.cfg.PublicWithoutPKCE
		switch {
		case method != "":
			return refuse(codeInvalidRequest, "code_challenge_method without code_challenge")
		case code && required:
			return refuse(codeInvalidRequest, "code_challenge is missing (RFC 7636)")
		}
		return nil
	}
	if method == "" {
		method = "plain" // RFC 7636 section 4.3
	}
	if method != "S256" && (method != "plain" || !f.cfg.AllowPlainPKCE) {
		return refuse(codeInvalidRequest, "code_challenge_method must be S256")
	}
	if !validChallenge(challenge) {
		return refuse(codeInvalidRequest, "code_challenge must be 43 to 128 unreserved characters")
	}
	if code {
		r.Challenge, r.ChallengeMethod = challenge, method
	}
	return nil
}

// validChallenge holds the syntax of RFC 7636 section 4.2.
func validChallenge(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return true
}
