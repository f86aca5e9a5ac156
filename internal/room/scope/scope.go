// Package scope decides on the scope of every grant.
package scope

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// maxScopes bounds the scope-tokens of one request.
const maxScopes = 100

// Rules are the host's rules.
type Rules struct {
	grants.ScopeRules
}

// Request is a request for scopes.
type Request struct {
	GrantType string
	Client    *storage.Client
	Subject   string // empty while no user has signed in
	Requested []string
}

// Parse splits a scope parameter: each scope once, in the order of its first
// occurrence (RFC 6749 section 3.3).
func (r *Rules) Parse(param string) ([]string, error) {
	if param == "" {
		return nil, nil
	}
	if r.Delimiters != "" {
		param = strings.Map(func(c rune) rune {
			if strings.ContainsRune(r.Delimiters, c) {
				return ' '
			}
			return c
		}, param)
	}
	if strings.Count(param, " ") > 4*maxScopes {
		return nil, tooMany()
	}

	var out []string
	for s := range strings.SplitSeq(param, " ") {
		if s == "" || slices.Contains(out, s) {
			continue
		}
		if !storage.ValidScope(s) {
			return nil, grants.InvalidScope("The scope has characters that are not allowed.")
		}
		if len(out) == maxScopes {
			return nil, tooMany()
		}
		out = append(out, s)
	}

	return out, nil
}

func tooMany() error {
	return grants.InvalidRequest("The scope has too many values.").For(grants.ReasonScope)
}

// Decide applies the rules to a request. Limit bounds what may be granted; nil adds
// no bound.
func (r *Rules) Decide(ctx context.Context, req Request, limit []string) ([]string, error) {
	allowed, err := r.byRegistration(req, limit)
	if err != nil {
		return nil, err
	}
	if r.ScopeRules.Decide != nil {
		if allowed, err = r.byHost(ctx, req, allowed, limit); err != nil {
			return nil, err
		}
	}
	if len(allowed) == 0 && (len(req.Requested) > 0 || !r.AllowEmpty) {
		return nil, grants.InvalidScope("No scope was requested that could be granted, and the client has no default.")
	}

	return allowed, nil
}

// byRegistration returns what the client's registration, the limit and the host's
// settings allow of a request.
func (r *Rules) byRegistration(req Request, limit []string) ([]string, error) {
	requested := req.Requested
	if len(requested) == 0 {
		requested = r.byDefault(req, limit)
	}

	may := func(s string) bool {
		return slices.Contains(req.Client.Scope, s) && r.within(limit, s) && !(req.own() && r.OfUser(s))
	}
	first := slices.IndexFunc(requested, func(s string) bool { return !may(s) })
	if first < 0 {
		return requested, nil
	}
	if r.Match == grants.MatchAll && len(req.Requested) > 0 && r.ScopeRules.Decide == nil {
		return nil, grants.InvalidScope("A requested scope is unknown or not allowed for this client.").
			Because("scope %q", requested[first])
	}

	kept := slices.Clone(requested[:first])
	for _, s := range requested[first:] {
		if may(s) {
			kept = append(kept, s)
		}
	}

	return kept, nil
}

// byDefault returns the scope of a request that names none (RFC 6749 section 3.3):
// the client's default or, without one, all that it is registered with and that does
// not speak of a user.
func (r *Rules) byDefault(req Request, limit []string) []string {
	if len(req.Client.DefaultScope) > 0 {
		return slices.Clone(req.Client.DefaultScope)
	}

	var out []string
	for _, s := range req.Client.Scope {
		if !r.OfUser(s) && r.within(limit, s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}

	return out
}

// own reports whether the token is the client's own, so that it speaks of no user.
func (r *Request) own() bool {
	return r.GrantType == clientCredentials || r.Subject != "" && r.Subject == r.Client.ID
}

const clientCredentials = "client_credentials"

// byHost asks the host's function, within the limit.
func (r *Rules) byHost(ctx context.Context, req Request, allowed, limit []string) ([]string, error) {
	granted, err := r.ScopeRules.Decide(ctx, grants.ScopeRequest{
		GrantType: req.GrantType,
		Client:    req.Client.Clone(),
		Subject:   req.Subject,
		Requested: slices.Clone(req.Requested),
		Allowed:   slices.Clone(allowed),
	})
	if err != nil {
		return nil, err
	}

	var out []string
	for _, s := range granted {
		if !storage.ValidScope(s) {
			return nil, fmt.Errorf("grantwell: ScopeRules.Decide returned the malformed scope %q", s)
		}
		if r.within(limit, s) && !slices.Contains(out, s) && !(req.own() && r.OfUser(s)) {
			out = append(out, s)
		}
	}

	return out, nil
}

// within reports whether a scope is inside the limit and is granted at all.
func (r *Rules) within(limit []string, s string) bool {
	return (limit == nil || slices.Contains(limit, s)) && (s != "openid" || !r.NoOpenID)
}

// Listed returns the public scopes that may be granted at all, for the metadata
// (RFC 8414 section 2).
func (r *Rules) Listed() []string {
	var out []string
	for _, s := range r.Known {
		if s.Public && r.within(nil, s.Name) && !slices.Contains(out, s.Name) {
			out = append(out, s.Name)
		}
	}

	return out
}

// Confirm checks scopes that were granted before against what the client may have
// now. Without a function of the host, a scope that was taken from the client since
// ends the grant; with one, the function decides.
func (r *Rules) Confirm(ctx context.Context, req Request) ([]string, error) {
	if len(req.Requested) == 0 {
		return req.Requested, nil
	}
	if r.ScopeRules.Decide != nil {
		return r.Decide(ctx, req, req.Requested)
	}
	for _, s := range req.Requested {
		if !slices.Contains(req.Client.Scope, s) || s == "openid" && r.NoOpenID {
			return nil, grants.InvalidGrant("scope %q was taken from the client", s).For(grants.ReasonScope)
		}
	}

	return req.Requested, nil
}
