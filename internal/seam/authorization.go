package seam

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
)

// Authorization is an authorization request: a valid one or, in a [Redirected], as
// much of one as an error response needs.
type Authorization struct {
	Client *storage.Client // to be read only

	ResponseType string   // "code", "token" or "code token", whatever order was sent
	Types        []string // the words of the response type, as they were sent
	ResponseMode string   // "query", "fragment", "form_post": never empty

	RedirectURI      string // where the response goes: verified, byte for byte
	RedirectURIGiven bool   // it was sent, so the token request must repeat it (RFC 6749 section 4.1.3)

	State      string // byte for byte as sent
	StateGiven bool   // false for an empty one, which counts as omitted (RFC 6749 section 3.1)

	Scope    []string // what may be granted
	Audience []string // resource (RFC 8707) and audience values, each once

	// Challenge binds the code (RFC 7636). Both are empty if the code is not bound.
	Challenge       string
	ChallengeMethod string

	Prompt    []string // prompt of OpenID Connect Core section 3.1.2.1
	LoginHint string   // text of the client, not verified
	MaxAge    time.Duration
	HasMaxAge bool

	// Params are the parameters that the server reads. They are to be read only.
	Params url.Values
	// Source names the specification that resolved the parameters. It is empty if
	// they stood in the request itself.
	Source string
	// Once, if not nil, may be used for one answer only.
	Once *Once
	// Kept is what specifications keep with the grant.
	Kept record.Kept

	StartedAt time.Time // when the request first came

	AcceptLanguage string // what the browser sent (RFC 9110 section 12.5.4)

	verified string // the redirect URI that Verify was called for
}

// Verify sets the redirect URI, which the caller has found among those that are
// registered for the client. Given says that the request named it.
func (a *Authorization) Verify(redirectURI string, given bool) {
	a.RedirectURI = redirectURI
	a.RedirectURIGiven = given
	a.verified = redirectURI
}

// Verified reports whether the redirect URI is the one that was verified. A response
// goes nowhere else.
func (a *Authorization) Verified() bool {
	return a.verified != "" && a.RedirectURI == a.verified
}

// Once is an identifier that is spent in the same write that answers the request.
type Once struct {
	Key   string    `json:"key"` // of a record of the kind storage.Used
	Until time.Time `json:"until"`
}

// Redirected is an error that goes back to the client, because the client and its
// redirect URI are verified.
type Redirected struct {
	Err error
	To  *Authorization
}

// Error returns the text of the error.
func (e *Redirected) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *Redirected) Unwrap() error { return e.Err }

// Parameters names the parameters of the authorization endpoint that a specification
// reads. The server keeps no others.
type Parameters interface {
	Parameters() []string
}

// Resolution is where the parameters of an authorization request come from.
type Resolution struct {
	Params url.Values // in place of those that were sent
	Source string     // the name of the specification
	Once   *Once      // nil: the parameters may be used again
}

// Resolver replaces the parameters of an authorization request, once, before they
// are judged. A request that waited for the user is judged again, but is not
// resolved again.
type Resolver interface {
	// Resolve returns nil if the request is none of the specification's. An error is
	// shown to the user as a page: nothing of the request is verified yet.
	Resolve(ctx context.Context, sent url.Values, now time.Time) (*Resolution, error)
}

// Checker judges an authorization request whose client and redirect URI are
// verified. It may keep something in a.Kept. It spends nothing, and gives the same
// verdict again for the same request.
type Checker interface {
	Check(ctx context.Context, a *Authorization) error
}

// Approved is an authorization request that the user approved.
type Approved struct {
	Request *Authorization
	Client  *storage.Client // as it is now; to be read only

	Subject  string
	Scope    []string // what the user allows
	Claims   map[string]any
	AuthTime time.Time
	Consent  int // generation of the consent that the answer rests on; 0: none
	Now      time.Time
}

// Answer is the answer to an authorization request, as far as it is made. Nothing of
// it is stored until all of it is made.
type Answer struct {
	Params  Params
	Records []storage.Record
	GrantID string // of the first record
	// Stored are called after the write and before the answer is sent.
	Stored []func(ctx context.Context) error
}

// Responder makes what one word of response_type asks for. The words are asked in
// the order code, token, so that each sees what the earlier ones made.
type Responder interface {
	// ResponseType is the word.
	ResponseType() string
	// Respond adds parameters and records to the answer.
	Respond(ctx context.Context, a *Approved, out *Answer) error
}

// Encoder sends the response of the authorization endpoint in one response mode,
// both for success and for errors.
type Encoder interface {
	// ResponseMode is the value of response_mode.
	ResponseMode() string
	// Accept returns why this mode cannot carry the answer to a request. Secret says
	// that the answer has a token, which must not be in a URL's query.
	Accept(a *Authorization, secret bool) error
	// Encode writes the answer and returns the HTTP status. All parameters are there,
	// state and iss among them.
	Encode(w http.ResponseWriter, a *Authorization, params Params) (status int)
}
