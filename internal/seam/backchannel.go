package seam

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/internal/event"
	"github.com/grantwell/grantwell/storage"
)

// Endpoint is an endpoint for machines. It takes a form by POST.
type Endpoint struct {
	// Name names the endpoint in events.
	Name string
	// Path is below the issuer's path. Empty: the endpoint is not served.
	Path string
	// Member names the endpoint's URL in the metadata. Empty: it is not listed.
	Member string
	// Get accepts a GET request too, whose query is the form.
	Get bool
	// NoCache sends Pragma: no-cache as well (RFC 6749 section 5.1).
	NoCache bool
	// Authenticate lets the server authenticate the client first. Otherwise Handle
	// decides who may call.
	Authenticate bool
	// Handle answers. Its reply is used for the event also if there is an error.
	Handle func(ctx context.Context, c *Call) (Reply, error)
}

// Endpoints is a specification with endpoints of its own.
type Endpoints interface {
	Endpoints() []Endpoint
}

// Call is one request to an endpoint for machines: parsed and bounded.
type Call struct {
	Request *http.Request
	// Form holds the parameters: valid UTF-8 without NUL, none empty, none repeated
	// but resource and audience.
	Form url.Values
	// Now is the one instant by which everything in this request is decided, in UTC.
	Now time.Time
	// Client is the client that sent the request, if the endpoint lets the server
	// authenticate it. To be read only.
	Client *storage.Client
	// Authenticated is false for a public client, which only names itself.
	Authenticated bool
}

// Reply is what an endpoint returns: its answer, and what it learned on the way.
type Reply struct {
	// Client is the caller, as soon as it is known. Its origins may read the answer.
	Client *storage.Client
	// Event has what the endpoint learned: client, subject, grant, scope, reason.
	Event event.Event

	// Status is the HTTP status. 0: 200.
	Status int
	// Header has further headers.
	Header http.Header
	// Members is the answer, an object. JSON is the answer if it is JSON already.
	// Without both the body is empty.
	Members Members
	JSON    []byte
}

// Authenticator is a method of client authentication besides shared secrets.
type Authenticator interface {
	// Methods are the values of token_endpoint_auth_method that it verifies.
	Methods() []string
	// Presented reports whether the request carries credentials of this kind, and
	// the client that they name; "" if client_id names it. It verifies nothing.
	Presented(r *http.Request, form url.Values) (clientID string, ok bool)
	// Verify checks the credentials for the client that they name, which is
	// registered for one of Methods.
	Verify(ctx context.Context, r *http.Request, form url.Values, c *storage.Client) error
}

// Format is a form of answers besides JSON.
type Format struct {
	ContentType string
	Encode      func(m Members) ([]byte, error)
}

// Formatter lets a request choose the form of its answer.
type Formatter interface {
	// Format returns the format that the request asks for; nil: JSON.
	Format(form url.Values) (*Format, error)
}

// Describer completes the metadata of the server (RFC 8414). It runs last and sees
// the whole document.
type Describer interface {
	Describe(metadata map[string]any)
}
