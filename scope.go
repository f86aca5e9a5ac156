package grantwell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// maxScopes bounds the scope-tokens of one request.
const maxScopes = 100

// ScopeMatch says what becomes of a request for scopes of which some are not allowed.
type ScopeMatch uint8

// The matches of [ScopeRules].
const (
	MatchAll ScopeMatch = iota // one that is not allowed refuses the request
	MatchAny                   // those that are allowed are granted; none at all refuses it
)

// ScopeRules decide on the scope of every grant, the same for all.
type ScopeRules struct {
	Match ScopeMatch
	// AllowEmpty grants an empty scope to a request without scope whose client has no default. Otherwise that
	// is invalid_scope (RFC 6749 section 3.3).
	AllowEmpty bool
	// Delimiters are characters that separate scopes besides the space. Such a character cannot then be part of one.
	Delimiters string
	// NoOpenID never grants the scope openid.
	NoOpenID bool
	// Known describes scopes, for consent pages and metadata. A scope need not be known to be granted.
	Known []Scope
	// Decide, if not nil, has the last word: what it returns is granted, within what an earlier step of the same
	// grant allowed. A *[grants.Error] is answered as it is, another error with server_error.
	Decide func(ctx context.Context, r ScopeRequest) ([]string, error)
}

// Scope describes a scope.
type Scope struct {
	Name        string
	Description string // what it allows, for users
	Public      bool   // listed in the metadata
}

// ScopeRequest is what [ScopeRules].Decide sees.
type ScopeRequest struct {
	GrantType string
	Client    storage.Client
	Subject   string // empty while nobody has logged in
	Requested []string
	Allowed   []string // what the other rules would grant
}

func (r ScopeRules) check() error {
	var errs []error
	for _, k := range r.Known {
		if !storage.ValidScope(k.Name) {
			errs = append(errs, fmt.Errorf("the known scope %q is malformed", k.Name))
		}
	}
	for _, d := range r.Delimiters {
		if d > 0x7e || d < 0x21 {
			errs = append(errs, errors.New("a delimiter is not a printable ASCII character"))
		}
	}
	return errors.Join(errs...)
}

// Description returns the text for a scope: its description, or its name.
func (r ScopeRules) Description(name string) string {
	for _, k := range r.Known {
		if k.Name == name && k.Description != "" {
			return k.Description
		}
	}
	return name
}

// asked is a [ScopeRequest] on its way through the rules.
type asked struct {
	grantType string
	client    *storage.Client
	subject   string
	requested []string
}

// parse splits a scope parameter: each scope once, in the order of its first occurrence.
func (r ScopeRules) parse(param string) ([]string, error) {
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
		return nil, grants.InvalidRequest("The scope has too many values.")
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
			return nil, grants.InvalidRequest("The scope has too many values.")
		}
		out = append(out, s)
	}
	return out, nil
}

// decide applies the rules to a request for scopes. limit bounds what may be granted; nil: nothing more than the rules.
func (r ScopeRules) decide(ctx context.Context, req asked, limit []string) ([]string, error) {
	may := func(s string) bool {
		return slices.Contains(req.client.Scope, s) && (limit == nil || slices.Contains(limit, s)) && (s != "openid" || !r.NoOpenID)
	}
	allowed := req.requested
	if len(req.requested) == 0 {
		allowed = slices.Clone(req.client.DefaultScope)
	}
	if i := slices.IndexFunc(allowed, func(s string) bool { return !may(s) }); i >= 0 {
		if r.Match == MatchAll && len(req.requested) > 0 && r.Decide == nil {
			return nil, grants.InvalidScope("A requested scope is unknown or not allowed for this client.").Because("scope %q", allowed[i])
		}
		kept := slices.Clone(allowed[:i])
		for _, s := range allowed[i:] {
			if may(s) {
				kept = append(kept, s)
			}
		}
		allowed = kept
	}
	if r.Decide != nil {
		granted, err := r.Decide(ctx, ScopeRequest{GrantType: req.grantType, Client: req.client.Clone(), Subject: req.subject,
			Requested: slices.Clone(req.requested), Allowed: slices.Clone(allowed)})
		if err != nil {
			return nil, err
		}
		allowed = allowed[:0:0]
		for _, s := range granted {
			if !storage.ValidScope(s) {
				return nil, fmt.Errorf("grantwell: ScopeRules.Decide returned the malformed scope %q", s)
			}
			if (limit == nil || slices.Contains(limit, s)) && (s != "openid" || !r.NoOpenID) && !slices.Contains(allowed, s) {
				allowed = append(allowed, s)
			}
		}
	}
	if len(allowed) == 0 && (len(req.requested) > 0 || !r.AllowEmpty) {
		return nil, grants.InvalidScope("No scope was requested that could be granted, and the client has no default.")
	}
	return allowed, nil
}

// confirm checks scopes that were granted before against what the client may have now. Without a hook, a scope that was
// taken from the client since ends the grant; with one, the hook's word counts.
func (r ScopeRules) confirm(ctx context.Context, req asked) ([]string, error) {
	if len(req.requested) == 0 {
		return req.requested, nil
	}
	if r.Decide == nil {
		for _, s := range req.requested {
			if !slices.Contains(req.client.Scope, s) || s == "openid" && r.NoOpenID {
				return nil, grants.InvalidGrant("scope %q was taken from the client", s)
			}
		}
		return req.requested, nil
	}
	return r.decide(ctx, req, req.requested)
}
