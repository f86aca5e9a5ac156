// Package par is pushed authorization requests (RFC 9126): a client sends the
// parameters of its authorization request to the server first, authenticated, and the
// browser carries only a reference to them.
package par

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/faults"
	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/internal/base/later"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// name is the source of the parameters of a pushed request.
const name = "par"

// prefix begins the reference to a pushed request (RFC 9126 section 2.2).
const prefix = "urn:ietf:params:oauth:request_uri:"

// PAR is the specification.
type PAR struct {
	// Path is the path of the endpoint; "" turns pushed requests off. What a client's
	// registration demands of them holds also then.
	Path string
	// Required refuses requests that were not pushed, from every client.
	Required bool
	// Lifetime is how long a pushed request may be used, in whole seconds.
	Lifetime time.Duration
	// Waiting is how long a request may wait for the user after that.
	Waiting time.Duration
	// Limit bounds how many requests the public clients at one address push (RFC 9126
	// section 2.3). They do not authenticate, and each request is stored.
	Limit frame.Limit

	kernel seam.Kernel
}

var (
	_ seam.Preparer  = (*PAR)(nil)
	_ seam.Binder    = (*PAR)(nil)
	_ seam.Endpoints = (*PAR)(nil)
	_ seam.Resolver  = (*PAR)(nil)
	_ seam.Checker   = (*PAR)(nil)
	_ seam.Describer = (*PAR)(nil)
)

// The bounds of a pushed request's lifetime.
const (
	defaultLifetime = time.Minute
	minLifetime     = 5 * time.Second
	maxLifetime     = 10 * time.Minute
)

// Prepare implements [seam.Preparer].
func (p *PAR) Prepare() error {
	if p.Lifetime == 0 {
		p.Lifetime = defaultLifetime
	}

	var wrong faults.List
	if p.Lifetime < minLifetime || p.Lifetime > maxLifetime {
		wrong.Add("PAR.Lifetime: must be between %v and %v", minLifetime, maxLifetime)
	}
	if p.Required && p.Path == "" {
		wrong.Add("PAR.Required: needs PAR.Path")
	}

	return wrong.Err()
}

// Bind implements [seam.Binder].
func (p *PAR) Bind(k seam.Kernel) { p.kernel = k }

// Endpoints returns the endpoint of RFC 9126 section 2.
func (p *PAR) Endpoints() []seam.Endpoint {
	return []seam.Endpoint{{
		Name:         name,
		Path:         p.Path,
		Member:       "pushed_authorization_request_endpoint",
		Authenticate: true,
		Handle:       p.push,
	}}
}

// Describe implements [seam.Describer] (RFC 9126 section 5).
func (p *PAR) Describe(metadata map[string]any) {
	if p.Path != "" {
		metadata["require_pushed_authorization_requests"] = p.Required
	}
}

// push judges a request as the authorization endpoint would, stores it and answers
// with a reference to it (RFC 9126 sections 2.1 to 2.3).
func (p *PAR) push(ctx context.Context, c *seam.Call) (seam.Reply, error) {
	var reply seam.Reply
	if c.Form.Get("request_uri") != "" {
		return reply, grants.InvalidRequest("A pushed request has no request_uri.").For(grants.ReasonRequestObject)
	}
	if !c.Authenticated {
		if err := p.Limit.Spend(ctx, "addr:par ", c.Request); err != nil {
			return reply, err
		}
	}

	// The client authenticated as the one that it may name besides.
	c.Form.Set("client_id", c.Client.ID)
	a, err := p.kernel.Validate(ctx, c.Form, name, c.Now)
	if err != nil {
		return reply, err
	}
	data, err := json.Marshal(a.Params)
	if err != nil {
		return reply, err
	}

	if err := later.Of(ctx).Run(ctx); err != nil {
		return reply, err
	}

	uri := prefix + ids.Secret()
	lifetime := p.Lifetime.Truncate(time.Second)
	err = p.kernel.Records().Insert(ctx, storage.Record{
		Kind:      storage.Pushed,
		Key:       storage.Key(uri),
		State:     storage.Active,
		ClientID:  c.Client.ID,
		IssuedAt:  c.Now,
		ExpiresAt: c.Now.Add(lifetime),
		Data:      data,
	})
	if err != nil {
		return reply, grants.Unavailable(err)
	}

	reply.Status = http.StatusCreated
	reply.Header = http.Header{"Cache-Control": {"no-cache, no-store"}}
	reply.Event.Scope = a.Scope
	reply.Members = seam.Members{
		seam.Text("request_uri", uri),
		seam.Number("expires_in", int64(lifetime/time.Second)),
	}

	return reply, nil
}

// Resolve finds a pushed request. All parameters of the request itself but client_id
// and request_uri are ignored (RFC 9126 section 4).
func (p *PAR) Resolve(ctx context.Context, sent url.Values, now time.Time) (*seam.Resolution, error) {
	uri := sent.Get("request_uri")
	if p.Path == "" || !strings.HasPrefix(uri, prefix) {
		return nil, nil
	}

	rec, err := p.kernel.Records().Get(ctx, storage.Pushed, storage.Key(uri))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, unusable("the pushed request is unknown")
	case err != nil:
		return nil, grants.Unavailable(err)
	case rec.ClientID != sent.Get("client_id"):
		return nil, unusable("the pushed request is another client's")
	case rec.State != storage.Active || rec.Expired(now):
		return nil, unusable("the pushed request has expired")
	}

	once := &seam.Once{
		Key:   storage.JoinKey("pushed request", rec.Key),
		Until: rec.ExpiresAt.Add(p.Waiting),
	}
	_, err = p.kernel.Records().Get(ctx, storage.Used, once.Key)
	switch {
	case err == nil:
		return nil, unusable("the pushed request was answered")
	case !errors.Is(err, storage.ErrNotFound):
		return nil, grants.Unavailable(err)
	}

	var params url.Values
	if err := json.Unmarshal(rec.Data, &params); err != nil {
		return nil, err
	}

	return &seam.Resolution{Params: params, Source: name, Once: once}, nil
}

// unusable returns the error for a reference that cannot be used. Its public text is
// one for all causes.
func unusable(cause string) error {
	return &grants.Error{
		Code:        "invalid_request_uri",
		Description: "This request is over or was made for another application. Go back to the application and begin again.",
		Reason:      grants.ReasonRequestObject,
		Err:         errors.New("grantwell: " + cause),
	}
}

// Check refuses a request that was not pushed where the server or the client demands
// it (RFC 9126 sections 5 and 6).
func (p *PAR) Check(_ context.Context, a *seam.Authorization) error {
	if a.Source == name || !p.Required && !a.Client.RequirePushed {
		return nil
	}

	return grants.InvalidRequest("This client must push its authorization requests (RFC 9126).").
		For(grants.ReasonNotPushed)
}
