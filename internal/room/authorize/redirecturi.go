package authorize

import (
	"context"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// findRedirectURI finds the redirect URI among those that are registered for the
// client (RFC 6749 section 3.1.2).
func (j *judgement) findRedirectURI(context.Context) error {
	registered := j.Client.RedirectURIs
	sent := j.Params["redirect_uri"]
	if len(sent) > 1 {
		return badRedirectURI("The parameter redirect_uri is sent more than once.")
	}

	given := len(sent) == 1 && sent[0] != ""
	var uri string
	switch {
	case given:
		uri = sent[0]
	case len(registered) != 1:
		return badRedirectURI("The parameter redirect_uri is missing.").
			Because("grantwell: the client has %d registered", len(registered))
	case slices.Contains(words(j.Params.Get("scope")), "openid"):
		// OpenID Connect Core section 3.1.2.1 requires it, also with one registered.
		return badRedirectURI("The parameter redirect_uri is missing, which OpenID Connect requires.")
	default:
		uri = registered[0]
	}

	if !slices.ContainsFunc(registered, func(r string) bool { return matchRedirectURI(r, uri) }) {
		refusal := badRedirectURI("The redirect_uri is not registered for this client.")
		refusal.Details = map[string]string{"sent_redirect_uri": uri}

		return refusal
	}
	j.Verify(uri, given)

	return nil
}

func badRedirectURI(description string) *grants.Error {
	return grants.InvalidRequest(description).For(grants.ReasonRedirectURI)
}

// matchRedirectURI reports whether a requested redirect URI is the registered one,
// byte for byte (RFC 9700 section 2.1), except that http to a literal loopback
// address, 127.0.0.1 or [::1], may name any port or none (RFC 8252 section 7.3). The
// port is cut out of the text, and the rest must be equal: nothing is parsed, decoded
// or normalised, so nothing can be read in two ways.
//
// A URI that must not be registered never matches, registered or not.
func matchRedirectURI(registered, requested string) bool {
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

	// Anything else here, for example @ or a dot, makes the loopback address a part of
	// a longer name.
	if rest != "" && rest[0] != '/' && rest[0] != '?' {
		return "", "", false
	}

	return host, rest, true
}

// validPort accepts 1 to 65535 without leading zeros.
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
