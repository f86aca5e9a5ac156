// Package frontchannel validates authorization requests and writes authorization responses
// (RFC 6749 sections 3.1, 4.1.1, 4.1.2, 4.2.1 and 4.2.2, RFC 7636, RFC 8252, RFC 9207).
//
// # The order
//
// First who asks, then where the answer may go, then everything else. Until the client is found and
// its redirect URI matches a registered one, nothing is ever redirected: such an [Error] has no
// Request and is shown to the user as a page. After that every error goes back to the client.
//
// # What is compared
//
// Every value is compared with the registered one byte for byte: redirect URIs, response types,
// scopes, audiences and resources. There are no patterns and no prefixes, and letter case counts.
// The one exception is the port of a loopback redirect URI (RFC 8252 section 7.3).
//
// Parameters that carry another request or client metadata (request, request_uri, registration) are
// refused, never ignored: a client that sends one would otherwise believe that it was obeyed.
package frontchannel

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// Config says what the authorization endpoint offers. The zero value of an option is the safe one.
type Config struct {
	Clients storage.Clients // required

	// Issuer is sent as iss with every response (RFC 9207). Empty: no iss is added.
	Issuer string

	// ResponseTypes are the values of response_type that are enabled: "code", "token". At least one.
	// A combination ("code token") is enabled when each of its values is, and needs
	// a client that is registered for exactly that combination.
	ResponseTypes []string

	// AnyScope lets scopes pass that the client is not registered for, because a later rule narrows
	// or refuses them. Otherwise one such scope makes it invalid_scope.
	AnyScope bool

	AllowPlainPKCE    bool // also the challenge method plain, which protects less (RFC 7636 section 7.2)
	PublicWithoutPKCE bool // public clients may do without a challenge (against RFC 9700 section 2.1.1)
	RequirePKCE       bool // every client must send a challenge, not only public ones

	// AllowedResponseModes are those of "query", "fragment" and "form_post" that a request may use,
	// whether it names one or takes its response type's default. Empty: all three.
	AllowedResponseModes []string
}

// FrontChannel is the authorization endpoint without its pages. It is safe for concurrent use.
type FrontChannel struct {
	cfg   Config
	types []string // enabled values of response_type
	modes []string // enabled values of response_mode
}

// New returns a FrontChannel, or every reason why cfg is wrong, each naming its field.
func New(cfg Config) (*FrontChannel, error) {
	var errs []error
	if cfg.Clients == nil {
		errs = append(errs, errors.New("frontchannel: Clients is nil"))
	}
	f := &FrontChannel{cfg: cfg, modes: slices.Clone(cfg.AllowedResponseModes)}
	for _, t := range cfg.ResponseTypes {
		for _, v := range strings.Fields(t) {
			if !slices.Contains(knownTypes, v) {
				errs = append(errs, fmt.Errorf("frontchannel: ResponseTypes: %q is not known", v))
			}
			f.types = append(f.types, v)
		}
	}
	if len(f.types) == 0 {
		errs = append(errs, errors.New("frontchannel: ResponseTypes is empty"))
	}
	if len(f.modes) == 0 {
		f.modes = []string{modeQuery, modeFragment, modeFormPost}
	}
	for _, m := range f.modes {
		if m != modeQuery && m != modeFragment && m != modeFormPost {
			errs = append(errs, fmt.Errorf("frontchannel: AllowedResponseModes: %q is not known", m))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return f, nil
}

// Request is a valid authorization request or, in an [Error], as much of one as an error response needs:
// Client, RedirectURI, ResponseMode and State.
type Request struct {
	Client storage.Client

	ResponseType string // "code", "token" or "code token", whatever order was sent
	ResponseMode string // "query", "fragment" or "form_post": never empty

	RedirectURI      string // verified: where the response goes, byte for byte
	RedirectURIGiven bool   // it was sent, so the token request must repeat it (RFC 6749 section 4.1.3)

	State      string // byte for byte as sent
	StateGiven bool   // false for an empty one, which counts as omitted (RFC 6749 section 3.1)

	Scope      []string // in the order requested, each once
	ScopeGiven bool     // false when no scope was requested and the client's default applies

	Audience []string // resource (RFC 8707) and audience values, each once; all registered for the client

	// Challenge binds the code (RFC 7636). Both are empty when none was sent or no code is requested.
	Challenge       string
	ChallengeMethod string // "S256", or "plain" where allowed

	matched string // the redirect URI that Parse verified

	// Form is what was parsed, all parameters included. It is the caller's: read only.
	Form url.Values
}

// Parse resolves and validates an authorization request. form is trusted to be bounded in size and
// number and to hold no NUL and valid UTF-8; nothing else about it is trusted. Parameters
// without a value count as omitted (RFC 6749 section 3.1).
//
// The error is of type *Error, not error: nil means that the request is valid.
func (f *FrontChannel) Parse(ctx context.Context, form url.Values) (*Request, *Error) {
	r := &Request{Form: form}
	if e := f.findClient(ctx, r); e != nil {
		return nil, e
	}
	if e := resolveRedirect(r); e != nil {
		return nil, e
	}
	// Only from here on may an error be redirected.
	if e := f.check(r); e != nil {
		e.Request = r
		return nil, e
	}
	return r, nil
}

// check does everything that may be wrong in a request whose redirect URI is verified.
// Where the answer goes is settled first, so that every error finds its way.
func (f *FrontChannel) check(r *Request) *Error {
	if len(r.Form["state"]) == 1 { // of two, neither is the client's for certain
		r.State = r.Form.Get("state")
		r.StateGiven = r.State != ""
	}
	types := words(r.Form.Get("response_type"))
	badMode := f.setMode(r, types)
	if name := repeated(r.Form); name != "" {
		return refuse(codeInvalidRequest, "a parameter is sent more than once").because("%q", name)
	}
	if e := f.setType(r, types); e != nil {
		return e
	}
	if badMode != nil {
		return badMode
	}
	// Objects by value or reference are resolved before Parse or not at all:
	// what they say must not replace the parameters that were just verified.
	if r.Form.Get("request") != "" {
		return refuse("request_not_supported", "request objects are not accepted here")
	}
	if r.Form.Get("request_uri") != "" {
		return refuse("request_uri_not_supported", "request_uri is not accepted here")
	}
	// Metadata of a client that registers itself with its request (OpenID Connect Core section 7.2.1).
	if r.Form.Get("registration") != "" {
		return refuse("registration_not_supported", "the parameter registration is not accepted")
	}
	if e := f.setScope(r); e != nil {
		return e
	}
	if e := setAudience(r); e != nil {
		return e
	}
	return f.setChallenge(r)
}

// repeated names a parameter that occurs twice although RFC 6749 section 3.1 forbids it.
// resource (RFC 8707 section 2) and audience (RFC 8693 section 2.1) may.
func repeated(form url.Values) string {
	for name, values := range form {
		if len(values) > 1 && name != "resource" && name != "audience" {
			return name
		}
	}
	return ""
}
