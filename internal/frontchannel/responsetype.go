package frontchannel

import (
	"slices"
	"strings"
)

const (
	typeCode  = "code"
	typeToken = "token"

	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"
)

// knownTypes are the values of response_type, in the order in which a combination of them is written.
var knownTypes = []string{typeCode, typeToken}

// words splits at spaces, of which there may be several (RFC 6749 sections 3.1.1 and 3.3 allow one).
// Other white space is part of a word.
func words(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return c == ' ' })
}

// setType sets r.ResponseType (RFC 6749 section 3.1.1). First what the server offers, then what the
// client is registered for, as response type and as the grant that is behind it.
func (f *FrontChannel) setType(r *Request, types []string) *Error {
	if len(types) == 0 {
		return refuse(codeInvalidRequest, "response_type is missing")
	}
	for i, t := range types {
		if !slices.Contains(f.types, t) {
			return refuse(codeUnsupportedType, "response_type is not supported")
		}
		if slices.Contains(types[:i], t) {
			return refuse(codeUnsupportedType, "response_type names a value twice")
		}
	}
	r.ResponseType = types[0]
	if len(types) > 1 { // all are known and none occurs twice: these are all there are
		r.ResponseType = strings.Join(knownTypes, " ")
	}
	if slices.Contains(types, typeCode) && !r.Client.AllowsGrant("authorization_code") ||
		slices.Contains(types, typeToken) && !r.Client.AllowsGrant("implicit") ||
		!r.Client.AllowsResponse(r.ResponseType) {
		return refuse(codeUnauthorized, "the client is not registered for this response_type")
	}
	return nil
}

// setMode sets r.ResponseMode. When what was asked for cannot be, it is the response type's default,
// by which the error returned goes back.
func (f *FrontChannel) setMode(r *Request, types []string) *Error {
	// A token must never be in a query, where servers and browsers log it; nor, to be found in one
	// place, the error that comes instead of it (RFC 6749 section 4.2.2.1), even if the type is disabled.
	front := slices.Contains(types, typeToken) || slices.Contains(types, "id_token")
	r.ResponseMode = modeQuery
	if front {
		r.ResponseMode = modeFragment
	}
	asked := r.Form.Get("response_mode")
	mode := asked
	if mode == "" {
		mode = r.ResponseMode
	}
	switch {
	case !slices.Contains(f.modes, mode):
		return refuse(codeInvalidRequest, "response_mode is not supported")
	case mode == modeQuery && front:
		return refuse(codeInvalidRequest, "response_mode query cannot carry a token")
	case mode == modeFormPost && !isWeb(r.RedirectURI):
		return refuse(codeInvalidRequest, "response_mode form_post needs an http or https redirect_uri")
	case mode == modeFormPost && strings.ContainsAny(r.State, "\r\n"):
		// HTML forms turn every line break into CRLF: it would not come back as it was.
		return refuse(codeInvalidRequest, "response_mode form_post cannot carry a line break in state")
	}
	r.ResponseMode = mode
	return nil
}

// isWeb tells whether a browser can post to the URI.
func isWeb(uri string) bool {
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
}
