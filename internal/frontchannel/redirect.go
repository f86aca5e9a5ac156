package frontchannel

import (
	"slices"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// MatchRedirectURI tells whether a requested redirect URI is the registered one: byte for byte
// (RFC 9700 section 2.1), except that http to a literal loopback address, 127.0.0.1 or
// [::1], may name any port or none (RFC 8252 section 7.3). The port is cut out of the text, and what is left must
// be equal: nothing is parsed, decoded or normalised, so nothing can be read in two ways.
//
// A URI that must not be registered (see [storage.CheckRedirectURI]) never matches, registered or not.
func MatchRedirectURI(registered, requested string) bool {
	if registered != requested {
		regHost, regRest, ok := cutLoopbackPort(registered)
		if !ok {
			return false
		}
		reqHost, reqRest, ok := cutLoopbackPort(requested)
		if !ok || regHost != reqHost || regRest != reqRest {
			return false
		}
	}
	return storage.CheckRedirectURI(requested) == nil
}

// cutLoopbackPort splits http://127.0.0.1:8080/cb?x into http://127.0.0.1 and /cb?x.
// It reports false for everything that is not http to a literal loopback address.
func cutLoopbackPort(uri string) (host, rest string, ok bool) {
	for _, host = range [...]string{"http://127.0.0.1", "http://[::1]"} {
		if rest, ok = strings.CutPrefix(uri, host); ok {
			break
		}
	}
	if !ok {
		return "", "", false
	}
	if strings.HasPrefix(rest, ":") {
		digits := 1
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if !validPort(rest[1:digits]) {
			return "", "", false
		}
		rest = rest[digits:]
	}
	// Anything else here, for example @ or a dot, makes the loopback address part of something longer.
	if rest != "" && rest[0] != '/' && rest[0] != '?' {
		return "", "", false
	}
	return host, rest, true
}

// validPort takes 1 to 65535 without leading zeros.
func validPort(digits string) bool {
	if digits == "" || len(digits) > 5 || digits[0] == '0' {
		return false
	}
	n := 0
	for i := range len(digits) {
		n = n*10 + int(digits[i]-'0')
	}
	return n <= 65535
}

// resolveRedirect sets r.RedirectURI. All its errors are pages: there is nowhere to redirect to.
func resolveRedirect(r *Request) *Error {
	registered := r.Client.RedirectURIs
	given := r.Form["redirect_uri"]
	if len(given) > 1 {
		return refuse(codeInvalidRequest, "redirect_uri is sent more than once")
	}
	if len(given) == 1 && given[0] != "" {
		r.RedirectURI, r.RedirectURIGiven = given[0], true
	} else {
		if len(registered) != 1 {
			return refuse(codeInvalidRequest, "redirect_uri is missing").because("the client has %d registered", len(registered))
		}
		// OpenID Connect Core section 3.1.2.1 requires redirect_uri, even with one registered.
		if slices.Contains(words(r.Form.Get("scope")), scopeOpenID) {
			return refuse(codeInvalidRequest, "redirect_uri is missing, which OpenID Connect requires")
		}
		r.RedirectURI = registered[0]
	}
	if !matchesAny(registered, r.RedirectURI) {
		return refuse(codeInvalidRequest, "redirect_uri is not registered for this client")
	}
	r.matched = r.RedirectURI
	return nil
}

func matchesAny(registered []string, requested string) bool {
	for _, uri := range registered {
		if MatchRedirectURI(uri, requested) {
			return true
		}
	}
	return false
}
