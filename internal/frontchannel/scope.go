package frontchannel

import (
	"net/url"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// maxNames bounds the scopes, and the audiences, of one request, repeated ones counted.
const maxNames = 100

// setScope sets r.Scope (RFC 6749 section 3.3): split at spaces, of which there may be too many,
// each scope once, in the order of their first occurrence.
func setScope(r *Request) *Error {
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
		if !slices.Contains(r.Scope, token) {
			r.Scope = append(r.Scope, token)
		}
	}
	r.ScopeGiven = n > 0
	return nil
}

// setAudience sets r.Audience from resource, an absolute URI each (RFC 8707 section 2), and audience.
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
		r.addAudience(uri)
	}
	for _, value := range audience {
		for name := range strings.SplitSeq(value, " ") {
			if name == "" {
				continue
			}
			if r.addAudience(name); len(r.Audience) > maxNames {
				return refuse(codeInvalidTarget, "too many resources are requested")
			}
		}
	}
	return nil
}

func (r *Request) addAudience(name string) {
	if !slices.Contains(r.Audience, name) {
		r.Audience = append(r.Audience, name)
	}
}
