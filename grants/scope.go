package grants

import (
	"context"
	"errors"
	"fmt"

	"github.com/grantwell/grantwell/storage"
)

// ScopeMatch says what becomes of a request for scopes of which some are not allowed.
type ScopeMatch uint8

// The matches of [ScopeRules].
const (
	// MatchAll refuses the request if one scope is not allowed.
	MatchAll ScopeMatch = iota
	// MatchAny grants the scopes that are allowed and refuses the request if none is.
	MatchAny
)

// ScopeRules decide on the scope of every grant, the same for all.
type ScopeRules struct {
	Match ScopeMatch
	// AllowEmpty grants an empty scope to a request without scope whose client has no
	// scope that could be its default. Otherwise that is invalid_scope (RFC 6749
	// section 3.3).
	//
	// The default is the client's DefaultScope. Without one it is the client's Scope,
	// less those scopes that speak of a user: see OfUser.
	AllowEmpty bool
	// Delimiters are characters that separate scopes besides the space. Such a
	// character cannot then be part of a scope.
	Delimiters string
	// NoOpenID never grants the scope openid.
	NoOpenID bool
	// Known describes scopes, for consent pages and metadata. A scope need not be
	// known to be granted.
	Known []Scope
	// Claims says which claims about a user go with which scope, for example
	// {"staff": {"department", "employee_number"}}. The scopes profile, email, address
	// and phone have the claims of OpenID Connect Core section 5.4 besides.
	//
	// A claim of a session, an approval or a grant that goes with scopes reaches a
	// token, signed or introspected, only if one of these scopes was granted. A claim
	// that goes with no scope always does: list each claim that says something about
	// the user. What Hooks.BeforeIssue sets is the host's own word and is not judged.
	Claims map[string][]string
	// Decide, if not nil, decides last: the server grants what it returns, within
	// what an earlier step of the same grant allowed. A *[Error] is answered as it
	// is, every other error with server_error.
	Decide func(ctx context.Context, r ScopeRequest) ([]string, error)
}

// Scope describes a scope.
type Scope struct {
	Name string
	// Description is what it allows, for users.
	Description string
	// Public lists the scope in the metadata (scopes_supported). The server does not
	// know which scopes the registered clients have: set it for those that a new client
	// can be registered for.
	Public bool
}

// ScopeRequest is what [ScopeRules].Decide sees.
type ScopeRequest struct {
	GrantType string
	Client    storage.Client
	Subject   string // empty while no user has signed in
	Requested []string
	Allowed   []string // what the other rules would grant
}

// Check returns every reason why the rules cannot be used, or nil.
func (r ScopeRules) Check() error {
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
		if d >= '0' && d <= '9' || d >= 'A' && d <= 'Z' || d >= 'a' && d <= 'z' {
			errs = append(errs, errors.New("a delimiter is a letter or digit, which names of scopes have"))
		}
	}

	return errors.Join(errs...)
}

// Description returns the text for a scope: its description or, without one, its
// name.
func (r ScopeRules) Description(name string) string {
	for _, k := range r.Known {
		if k.Name == name && k.Description != "" {
			return k.Description
		}
	}

	return name
}
