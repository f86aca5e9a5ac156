// Package admin has the interfaces by which administrators manage clients, grants and
// consents, and users see and end what they granted. The host authorizes every
// request to them.
package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/form"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/frame/backchannel"
	"github.com/grantwell/grantwell/internal/room/live"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// Room has what both interfaces need.
type Room struct {
	Frame *backchannel.Frame
	// Clients are the host's. They must be a [storage.Registrar].
	Clients storage.Clients
	Live    *live.Room
}

// MaxOverlap bounds the life of a secret that was replaced.
const MaxOverlap = 90 * 24 * time.Hour

// maxActor bounds the name of a caller in bytes. A subject may be long.
const maxActor = 1024

// api is one of the interfaces: a table of routes behind the host's authorization.
type api struct {
	*Room
	name      string // of the endpoint in events
	authorize func(r *http.Request) (string, error)
	own       bool // callers are users, who act on what is their own
	clients   storage.Registrar
	records   storage.Lister
	overlap   time.Duration
	mux       *http.ServeMux
	// writing is held by the request that changes clients: a change is a read and a
	// write.
	writing chan struct{}
}

// Admin returns the interface for administrators. The error says what is missing.
func (r *Room) Admin(authorize func(*http.Request) (actor string, err error), overlap time.Duration) (http.Handler, error) {
	var errs []error
	if authorize == nil {
		errs = append(errs, errors.New("grantwell: AdminConfig.Authorize: is missing; without it any caller could administer"))
	}
	if overlap < 0 || overlap > MaxOverlap {
		errs = append(errs, errors.New("grantwell: AdminConfig.Overlap: is not between 0 and 90 days"))
	}
	if overlap == 0 {
		overlap = 24 * time.Hour
	}
	a := &api{Room: r, name: "admin", authorize: authorize, overlap: overlap}
	var ok bool
	if a.clients, ok = r.Clients.(storage.Registrar); !ok {
		errs = append(errs, fmt.Errorf("grantwell: Admin: Config.Clients (%T) is no storage.Registrar: it cannot be administered", r.Clients))
	}
	errs = append(errs, a.needLister("Admin"))

	return a.handler(slices.Concat(clientRoutes(), secretRoutes(), recordRoutes(), adminRecordRoutes(), exportRoutes()), errs)
}

// Account returns the interface for users.
func (r *Room) Account(subject func(*http.Request) (subject string, err error)) (http.Handler, error) {
	var errs []error
	if subject == nil {
		errs = append(errs, errors.New("grantwell: AccountConfig.Subject: is missing; without it no user has an account"))
	}
	a := &api{Room: r, name: "account", authorize: subject, own: true}
	errs = append(errs, a.needLister("Account"))

	return a.handler(slices.Concat(recordRoutes(), accountRoutes()), errs)
}

func (a *api) needLister(method string) error {
	var ok bool
	if a.records, ok = a.Live.Records.(storage.Lister); !ok {
		return fmt.Errorf("grantwell: %s: Config.Records is no storage.Lister: it cannot be looked through", method)
	}

	return nil
}

func (a *api) handler(routes []route, errs []error) (http.Handler, error) {
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}

	a.writing = make(chan struct{}, 1)
	a.mux = http.NewServeMux()
	for i := range routes {
		a.mux.Handle(routes[i].pattern, &routes[i])
	}

	return a.Frame.Hosted(a.name, a.serve), nil
}

// route is one method at one path.
type route struct {
	pattern string // of http.ServeMux
	action  string // in events
	query   []string
	handle  func(ctx context.Context, c *act) error
}

// act is one request to an interface.
type act struct {
	*api
	*seam.Call
	w      http.ResponseWriter
	ctx    context.Context // of the request, with its deadline
	id     string          // the path's variable {id}
	secret string          // the path's variable {secret}
	actor  string
	reply  seam.Reply
	err    error
}

type actKey struct{}

// serve asks the host first, and only then looks at the request.
func (a *api) serve(ctx context.Context, w http.ResponseWriter, call *seam.Call) (seam.Reply, error) {
	c := &act{api: a, Call: call, w: w, ctx: ctx}
	var err error
	if c.actor, err = a.ask(call.Request.WithContext(ctx)); err != nil {
		return c.reply, err
	}
	c.reply.Event.Actor = c.actor

	r := withoutDots(call.Request.WithContext(context.WithValue(ctx, actKey{}, c)))
	if err := a.find(w, r); err != nil {
		return c.reply, err
	}
	a.mux.ServeHTTP(w, r)

	return c.reply, c.err
}

// withoutDots returns the request with the path segments . and .. in their encoded
// form. They can be IDs here, and the mux would clean them out of the path.
func withoutDots(r *http.Request) *http.Request {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	changed := false
	for i, s := range segments {
		if s == "." || s == ".." {
			segments[i] = strings.ReplaceAll(s, ".", "%2E")
			changed = true
		}
	}
	if !changed {
		return r
	}

	u := *r.URL
	u.RawPath = strings.Join(segments, "/")
	r.URL = &u

	return r
}

// ask returns the caller's name, by the host's own authorization.
func (a *api) ask(r *http.Request) (string, error) {
	actor, err := a.authorize(r)
	var refusal *grants.Error
	switch {
	case err != nil && errors.As(err, &refusal):
		return "", err
	case err != nil:
		return "", notAllowed().Because("%w", err)
	case actor == "":
		return "", notAllowed().Because("grantwell: the authorization returned no name")
	case len(actor) > maxActor:
		return "", errors.New("grantwell: the authorization returned a name of more than 1024 bytes")
	}

	return actor, nil
}

func notAllowed() *grants.Error { return grants.AccessDenied("This is not allowed.") }

// find returns an error if no route serves the request. It answers what the mux would
// answer by itself, in the form of the other errors.
func (a *api) find(w http.ResponseWriter, r *http.Request) error {
	h, _ := a.mux.Handler(r)
	if _, ok := h.(*route); ok {
		return nil
	}

	probe := probe{header: w.Header()}
	h.ServeHTTP(&probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		return frame.MethodNotAllowed(w, w.Header().Get("Allow"))
	}

	return notFound("There is nothing at this path.")
}

// probe keeps the status of an answer and drops its body.
type probe struct {
	header http.Header
	status int
}

// Header returns the headers of the real answer, for Allow.
func (p *probe) Header() http.Header { return p.header }

// Write drops the body.
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader keeps the status.
func (p *probe) WriteHeader(status int) { p.status = status }

// maxVariable bounds a variable of a path, in bytes.
const maxVariable = 512

// maxQuery bounds the query, in bytes.
const maxQuery = 8 << 10

// ServeHTTP runs the route. The mux has read the path.
func (t *route) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(actKey{}).(*act)
	if !ok {
		return // only serve calls the mux
	}
	c.id = r.PathValue("id")
	c.secret = r.PathValue("secret")
	c.reply.Event.Action = t.action
	if err := t.check(c); err != nil {
		c.err = err
		return
	}
	c.err = t.handle(c.ctx, c)
}

// check reads the query and refuses what the route does not take.
func (t *route) check(c *act) error {
	if len(c.id) > maxVariable || len(c.secret) > maxVariable {
		return notFound("There is nothing at this path.")
	}
	if err := sameSite(c.Request); err != nil {
		return err
	}

	query := c.Request.URL.RawQuery
	values, err := form.Parse(query)
	if err != nil || len(query) > maxQuery {
		return grants.InvalidRequest("The query is malformed, too long, or a parameter is repeated.").
			For(grants.ReasonMalformed)
	}
	for name := range values {
		if !slices.Contains(t.query, name) {
			return grants.InvalidRequest("The parameter " + frame.Printable(name, 64) + " is not known here.")
		}
	}
	c.Form = values

	return nil
}

// sameSite refuses what a page of another site can make a browser send with the
// host's cookies. A form cannot send JSON, and a script cannot without a preflight,
// which is never granted.
func sameSite(r *http.Request) error {
	var origins http.CrossOriginProtection
	if err := origins.Check(r); err != nil {
		return grants.AccessDenied("The request comes from another site.").
			For(grants.ReasonCrossSite).Because("%w", err)
	}
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return &grants.Error{
			Code:        "invalid_request",
			Description: "The body must be application/json.",
			Status:      http.StatusUnsupportedMediaType,
			Reason:      grants.ReasonMalformed,
		}
	}

	return nil
}

func notFound(description string) *grants.Error {
	return &grants.Error{
		Code:        "not_found",
		Description: description,
		Status:      http.StatusNotFound,
		Reason:      grants.ReasonNotFound,
	}
}

func conflict(description string) *grants.Error {
	return &grants.Error{
		Code:        "conflict",
		Description: description,
		Status:      http.StatusConflict,
		Reason:      grants.ReasonConflict,
	}
}

// badClient returns the error of RFC 7591 section 3.2.2. The text of err is about
// what the administrator sent.
func badClient(err error) error {
	return &grants.Error{
		Code:        "invalid_client_metadata",
		Description: err.Error(),
		Reason:      grants.ReasonParameter,
		Err:         err,
	}
}
