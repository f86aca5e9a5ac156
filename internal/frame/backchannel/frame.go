// Package backchannel is the frame of the endpoints that machines call: bounds,
// parsing, deadline, panics, errors, answers, CORS and the event.
package backchannel

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/deadline"
	"github.com/grantwell/grantwell/internal/base/later"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// Frame serves endpoints. It is safe for concurrent use.
type Frame struct {
	frame.Settings
	// Authenticate authenticates the client of a call. The client is returned as
	// soon as it is known, also if there is an error.
	Authenticate func(ctx context.Context, c *seam.Call) (client *storage.Client, authenticated bool, err error)
	// Origins are JavaScript origins from which a preflight is answered, besides those
	// that Clients find.
	Origins []string
	// Headers are request headers that a preflight allows besides those that are read.
	Headers []string
	// Clients are the host's. They are asked for origins if they can say.
	Clients storage.Clients
	// Formatters choose the form of answers.
	Formatters []seam.Formatter
}

// exchange is one request and what answers it.
type exchange struct {
	call   seam.Call
	ctx    deadline.Context
	w      http.ResponseWriter
	format *seam.Format // nil: JSON
}

// Handler returns the handler of an endpoint.
func (f *Frame) Handler(e seam.Endpoint) http.Handler {
	challenge := `Basic realm="` + quoted(f.Issuer) + `"`

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.serve(w, r, e.Name, e.NoCache, challenge, func(ctx context.Context, x *exchange) (seam.Reply, error) {
			return f.run(ctx, x, &e)
		})
	})
}

// Hosted returns a handler whose callers the host authenticates, in its own way. The
// function reads the method, the query and the body itself.
func (f *Frame) Hosted(
	name string,
	handle func(ctx context.Context, w http.ResponseWriter, c *seam.Call) (seam.Reply, error),
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.serve(w, r, name, false, "", func(ctx context.Context, x *exchange) (seam.Reply, error) {
			if err := f.CheckTLS(r); err != nil {
				return seam.Reply{}, err
			}
			return handle(ctx, w, &x.call)
		})
	})
}

var (
	noStore = []string{"no-store"}
	noCache = []string{"no-cache"}
	noSniff = []string{"nosniff"}
)

// serve does what every request needs: deadline, headers, panics, errors, the answer
// and the event. Challenge is WWW-Authenticate of status 401; "" sends none.
func (f *Frame) serve(
	w http.ResponseWriter,
	r *http.Request,
	name string,
	pragma bool,
	challenge string,
	run func(ctx context.Context, x *exchange) (seam.Reply, error),
) {
	now := time.Now().UTC()
	x := &exchange{w: w}
	x.call.Request = r
	x.call.Now = now
	x.ctx.Parent = r.Context()
	x.ctx.At = now.Add(f.Timeout)
	defer x.ctx.End()

	h := w.Header()
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	if pragma {
		h["Pragma"] = noCache
	}

	reply, err := guarded(&x.ctx, x, run)
	reply.Event.Time = now
	reply.Event.Endpoint = name
	if reply.Client != nil {
		reply.Event.ClientID = reply.Client.ID
	}

	f.shareWithOrigin(&x.ctx, h, r, reply.Client, err != nil)
	for name, values := range reply.Header {
		h[name] = values
	}
	if err != nil {
		f.refuse(x, &reply, err, challenge)
	}
	frame.BoundUnread(w, r, x.ctx.At)
	f.answer(x, &reply)
	f.Events.Emit(&x.ctx, r, &reply.Event)
}

// guarded turns a panic into an error.
func guarded(
	ctx context.Context,
	x *exchange,
	run func(context.Context, *exchange) (seam.Reply, error),
) (reply seam.Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = frame.Panicked(p)
		}
	}()

	return run(ctx, x)
}

// run reads a request to an endpoint and lets it answer.
func (f *Frame) run(ctx context.Context, x *exchange, e *seam.Endpoint) (seam.Reply, error) {
	r := x.call.Request
	switch {
	case r.Method == http.MethodOptions:
		return f.preflight(ctx, x)
	case r.Method == http.MethodPost, r.Method == http.MethodGet && e.Get:
	case e.Get:
		return seam.Reply{}, frame.MethodNotAllowed(x.w, "GET, POST")
	default:
		return seam.Reply{}, frame.MethodNotAllowed(x.w, "POST")
	}

	if err := f.CheckTLS(r); err != nil {
		return seam.Reply{}, err
	}
	if err := f.parse(x); err != nil {
		return seam.Reply{}, err
	}
	if x.call.Form.Get("client_assertion") == "" && x.call.Form.Get("assertion") == "" {
		return f.handle(ctx, x, e)
	}

	ctx, uses := later.With(ctx, grants.InvalidClient("grantwell: the client assertion was used by another request").
		For(grants.ReasonClientProof))
	reply, err := f.handle(ctx, x, e)
	if err == nil {
		err = uses.Run(ctx)
	}

	return reply, err
}

// handle authenticates the client, if the endpoint wants that, and lets the endpoint
// answer.
func (f *Frame) handle(ctx context.Context, x *exchange, e *seam.Endpoint) (seam.Reply, error) {
	if !e.Authenticate {
		return e.Handle(ctx, &x.call)
	}

	client, authenticated, err := f.Authenticate(ctx, &x.call)
	if err != nil {
		return seam.Reply{Client: client}, err
	}
	x.call.Client = client
	x.call.Authenticated = authenticated
	reply, err := e.Handle(ctx, &x.call)
	reply.Client = client

	return reply, err
}

// refuse turns an error into the reply (RFC 6749 section 5.2).
func (f *Frame) refuse(x *exchange, reply *seam.Reply, err error, challenge string) {
	e := grants.ErrorOf(err)
	if e.Status == http.StatusInternalServerError && x.ctx.Err() != nil {
		e = grants.ErrorOf(grants.Unavailable(fmt.Errorf("grantwell: deadline: %w", err)))
		e.Reason = grants.ReasonTimeout
	}
	reply.Event.Fail(e)

	h := x.w.Header()
	for name, values := range e.Header {
		h[name] = values
	}
	if e.Status == http.StatusUnauthorized && challenge != "" && len(h["Www-Authenticate"]) == 0 {
		h.Set("WWW-Authenticate", challenge)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	} else if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}

	description, uri := f.Text(e)
	m := seam.Members{seam.Text("error", frame.Printable(e.Code, frame.MaxDescription))}
	if description = frame.Printable(description, frame.MaxDescription); description != "" {
		m = append(m, seam.Text("error_description", description))
	}
	if uri = strings.ReplaceAll(frame.Printable(uri, frame.MaxURI), " ", ""); uri != "" {
		m = append(m, seam.Text("error_uri", uri))
	}
	reply.Status = e.Status
	reply.Members = m
	reply.JSON = nil
}

var jsonType = []string{"application/json"}

// answer writes the reply. One that cannot be encoded is a fault of the server, and
// no part of it is sent.
func (f *Frame) answer(x *exchange, reply *seam.Reply) {
	if reply.Status == 0 {
		reply.Status = http.StatusOK
	}

	body := reply.JSON
	contentType := jsonType
	if body == nil && reply.Members != nil {
		var err error
		if x.format != nil {
			body, err = x.format.Encode(reply.Members)
			contentType = []string{x.format.ContentType}
		} else {
			body, err = reply.Members.JSON()
		}
		if err != nil {
			reply.Event.Fail(grants.ErrorOf(err))
			reply.Status = http.StatusInternalServerError
			body = []byte(`{"error":"server_error"}`)
			contentType = jsonType
		}
	}
	if reply.Event.Status == 0 {
		reply.Event.Status = reply.Status
	}

	h := x.w.Header()
	if len(body) > 0 {
		h["Content-Type"] = contentType
	} else {
		h["Content-Type"] = nil // or net/http would add one
	}
	if len(body) > 1<<10 { // net/http itself adds the length of a shorter body
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.w.WriteHeader(reply.Status)
	_, _ = x.w.Write(body) // it fails if the caller is gone
}

// quoted escapes a quoted-string of a header (RFC 9110 section 5.6.4).
func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}
