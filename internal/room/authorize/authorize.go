// Package authorize is the authorization endpoint (RFC 6749 section 3.1): it judges
// authorization requests, keeps them while the user signs in and decides, and answers
// them.
//
// The order of a judgement is fixed: first the client, then where the answer goes,
// then everything else. Until the client is found and its redirect URI matches a
// registered one, nothing is redirected: the error is a page for the user. After
// that, every error goes back to the client.
package authorize

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/event"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/frame/browser"
	"github.com/grantwell/grantwell/internal/room/live"
	"github.com/grantwell/grantwell/internal/room/scope"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// Room is the authorization endpoint.
type Room struct {
	Frame  *browser.Frame
	Live   *live.Room
	Scopes *scope.Rules

	// Types are the words of response_type that are served, in the order in which a
	// combination of them is written. Without any, no request is served.
	Types []Type
	// PKCE judges challenges; nil: no served grant has codes.
	PKCE grants.PKCE
	// Parameters are those that specifications read.
	Parameters []string
	// Own are further ones, which the host reads.
	Own       []string
	Resolvers []seam.Resolver
	Checkers  []seam.Checker

	// Before and After are the host's hooks around an approval; nil: none.
	Before func(ctx context.Context, req *Request, a *Approval) error
	After  func(ctx context.Context, req *Request, a Approval) error

	// Limit bounds how many requests of one address wait.
	Limit frame.Limit
	// InteractionLifetime is how long a request waits for the user.
	InteractionLifetime time.Duration
	// Login and Consent are the paths of the host's login page and of the consent
	// page.
	Login   string
	Consent string
}

// Type is a word of response_type.
type Type struct {
	seam.Responder
	// GrantType is the grant for which a client that uses the word is registered.
	GrantType string
}

// Serve finds what the grants begin here and how they bind codes. Responders make the
// words of a response type, in their order. It is called once, before the first
// request.
func (r *Room) Serve(handlers []grants.Handler, responders []seam.Responder) {
	for _, responder := range responders {
		for _, h := range handlers {
			word, ok := seam.PowerOf[grants.Responder](h)
			if ok && word.ResponseType() == responder.ResponseType() {
				r.Types = append(r.Types, Type{Responder: responder, GrantType: h.GrantType()})
				break
			}
		}
	}
	for _, h := range handlers {
		if p, ok := seam.PowerOf[grants.PKCE](h); ok {
			r.PKCE = p
		}
	}
}

// Request is a valid authorization request.
type Request struct {
	*seam.Authorization
	// Face is the request as the host sees it. The face sets it.
	Face any
	// Own are the parameters that the host named as its own.
	Own map[string]string

	waiting  *storage.Record // the interaction that it waited in; nil: it did not wait
	wait     waiting         // the data of that record, of a request that was resumed
	resumed  bool
	handle   string // of that interaction
	browser  string // the cookie that it belongs to, of a request that was resumed
	form     []byte // digest of the form that was posted when it was resumed
	loggedIn int64  // see waiting
	answered atomic.Bool
	event    event.Event
}

// Approval is the user's approval. The face has the same type and documents its
// fields.
type Approval struct {
	Subject  string
	Scope    []string
	Claims   map[string]any
	AuthTime time.Time
	Remember bool
}

// Parse reads and judges an authorization request. If it returns nil, the answer has
// been written.
func (r *Room) Parse(w http.ResponseWriter, req *http.Request) *Request {
	e := browser.Event("authorize")
	var out *Request
	r.Frame.Page(w, req, &e, func(ctx context.Context) error {
		values, err := r.Frame.FormAll(w, req)
		if err != nil {
			return malformed(err)
		}
		if r.Frame.Foreign(req) {
			r.Frame.Reopen(w, req, r.kept(values))
			return nil
		}
		out, err = r.begin(ctx, &e, values)
		if out != nil {
			out.AcceptLanguage = req.Header.Get("Accept-Language")
			pages.BeforeForm(w.Header())
		}
		return err
	})

	return out
}

func malformed(err error) error {
	var e *grants.Error
	if errors.As(err, &e) {
		return err
	}

	return frame.Malformed(err)
}

// begin resolves the parameters of a new request and judges them.
func (r *Room) begin(ctx context.Context, e *event.Event, sent url.Values) (*Request, error) {
	resolved, err := r.resolve(ctx, sent, e.Time)
	if err != nil {
		return nil, err
	}

	return r.request(ctx, e, seam.Authorization{
		Params:    resolved.Params,
		Source:    resolved.Source,
		Once:      resolved.Once,
		StartedAt: e.Time,
	})
}

// resolve asks the specifications for the parameters that a request stands for.
//
// A repetition is refused later, when it is known where the answer goes. A repeated
// reference names no request, so it is not resolved. The other repeated parameters
// stay visible beside what was resolved.
func (r *Room) resolve(ctx context.Context, sent url.Values, now time.Time) (seam.Resolution, error) {
	as := seam.Resolution{Params: sent}
	for _, name := range []string{"client_id", "request", "request_uri"} {
		if len(sent[name]) > 1 {
			return as, nil
		}
	}

	for _, resolver := range r.Resolvers {
		found, err := resolver.Resolve(ctx, sent, now)
		if err != nil {
			return as, err
		}
		if found == nil {
			continue
		}
		found.Params = withRepeated(found.Params, sent)

		return *found, nil
	}

	return as, nil
}

// withRepeated adds the parameters that were sent several times and may not be.
func withRepeated(resolved, sent url.Values) url.Values {
	out := maps.Clone(resolved)
	for name, values := range sent {
		if len(values) > 1 && !mayRepeat(name) {
			out[name] = values
		}
	}

	return out
}

// request judges a request whose parameters are resolved.
func (r *Room) request(ctx context.Context, e *event.Event, begun seam.Authorization) (*Request, error) {
	// One allocation holds both.
	both := &struct {
		to Request
		a  seam.Authorization
	}{a: begun}
	a := &both.a
	err := r.judge(ctx, a)
	if a.Client != nil {
		e.ClientID = a.Client.ID
		e.GrantType = r.grantType(a.Types)
	}
	if err != nil {
		return nil, err
	}

	both.to.Authorization = a
	both.to.Own = r.own(a)
	both.to.event = *e

	return &both.to, nil
}

// grantType returns the grant that a response type begins; "" if it is not known.
func (r *Room) grantType(types []string) string {
	for _, t := range r.Types {
		if slices.Contains(types, t.ResponseType()) {
			return t.GrantType
		}
	}

	return ""
}

// own returns the parameters of a request that the host named as its own.
func (r *Room) own(a *seam.Authorization) map[string]string {
	var out map[string]string
	for _, name := range r.Own {
		value := a.Params.Get(name)
		if value == "" {
			continue
		}
		if out == nil {
			out = make(map[string]string, len(r.Own))
		}
		out[name] = value
	}

	return out
}

// Validate judges the parameters of an authorization request and answers nothing. It
// serves specifications that take a request elsewhere than at this endpoint.
func (r *Room) Validate(ctx context.Context, params url.Values, source string, now time.Time) (*seam.Authorization, error) {
	// Only what is read is kept: a form may have credentials of the client too.
	a := &seam.Authorization{Params: withRepeated(r.kept(params), params), Source: source, StartedAt: now}

	return a, r.judge(ctx, a)
}
