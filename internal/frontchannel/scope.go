package frontchannel

import (
	"net/url"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// maxNames bounds the scopes, and the audiences, of one request, repeated ones counted.
const maxNames = 100

// scopeOpenID makes a request an OpenID Connect request (OpenID Connect Core section 3.1.2.1).
const scopeOpenID = "openid"

// setScope sets r.Scope (RFC 6749 section 3.3): split at spaces, of which there may be too many,
// each scope once, in the order of their first occurrence. Unless Config.AnyScope is set, each must
// be registered for the client, byte for byte.
func (f *FrontChannel) setScope(r *Request) *Error {
	n := 0
	for token := range strings.SplitSeq(r.Form.Get("scope"), " ") {
		if token == "" {
			continue
		}
		if n++; n > maxNames {
			return refuse(codeInvalidScope, "too many scopes are requested")
		}
		if !storage.ValidScope(token) {
			return refuse(codeInvalidScope, "scope has a character that is not allowed, or is too long")
		}
		if !f.cfg.AnyScope && !slices.Contains(r.Client.Scope, token) {
			return refuse(codeInvalidScope, "a requested scope is not registered for this client")
		}
		if !slices.Contains(r.Scope, token) {
			r.Scope = append(r.Scope, token)
		}
	}
	r.ScopeGiven = n > 0
	return nil
}

// setAudience sets r.Audience from resource, an absolute URI each (RFC 8707 section 2), and audience.
// Each value must be registered for the client: otherwise a client could choose any resource server
// as the one that believes its token.
func setAudience(r *Request) *Error {
	resource, audience := r.Form["resource"], r.Form["audience"]
	if len(resource)+len(audience) > maxNames {
		return refuse(codeInvalidTarget, "too many resources are requested")
	}
	for _, uri := range resource {
		if uri == "" {
			continue
		}
		u, err := url.Parse(uri)
		if err != nil || !u.IsAbs() || strings.ContainsAny(uri, "# ") {
			return refuse(codeInvalidTarget, "resource is not an absolute URI without fragment")
		}
		if e := r.addAudience(uri); e != nil {
			return e
		}
	}
	for _, value := range audience {
		for name := range strings.SplitSeq(value, " ") {
			if name == "" {
				continue
			}
			if e := r.addAudience(name); e != nil {
				return e
			}
		}
	}
	return nil
}

// addAudience adds a value that is registered for the client, each once. It is the last step of both
// parameters, so that neither can name what the other may not.
func (r *Request) addAudience(name string) *Error {
	if !slices.Contains(r.Client.Audience, name) {
		return refuse(codeInvalidTarget, "a requested resource is not registered for this client")
	}
	if slices.Contains(r.Audience, name) {
		return nil
	}
	if len(r.Audience) == maxNames {
		return refuse(codeInvalidTarget, "too many resources are requested")
	}
	r.Audience = append(r.Audience, name)
	return nil
}
