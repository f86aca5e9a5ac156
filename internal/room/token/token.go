// Package token is the token endpoint (RFC 6749 section 3.2).
package token

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/faults"
	"github.com/grantwell/grantwell/internal/base/later"
	"github.com/grantwell/grantwell/internal/room/clientauth"
	"github.com/grantwell/grantwell/internal/room/issue"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// Room answers token requests.
type Room struct {
	Auth        *clientauth.Room
	Issuer      *issue.Room
	Environment grants.Environment
	// QuotedExpiresIn writes expires_in as a JSON string.
	QuotedExpiresIn bool

	served map[string]served
}

// served is a grant that the endpoint serves.
type served struct {
	grants.Handler
	// own is false for a grant of the host, which gets a copy of the client.
	own bool
}

// Serve adds the grants that the endpoint serves. It is called once, before the
// first request.
func (r *Room) Serve(handlers []grants.Handler) {
	r.served = make(map[string]served, len(handlers))
	for _, h := range handlers {
		// The implicit grant begins and ends at the authorization endpoint.
		if t := h.GrantType(); t != "implicit" {
			r.served[t] = served{Handler: h, own: seam.Own(h)}
		}
	}
}

// Check returns why grants cannot be served.
func Check(handlers []grants.Handler) error {
	if len(handlers) == 0 {
		return errors.New("Grants: is empty, so nothing could be issued")
	}

	var wrong faults.List
	types := map[string]bool{}
	responds := map[string]bool{}
	for i, h := range handlers {
		if v := reflect.ValueOf(h); h == nil || v.Kind() == reflect.Pointer && v.IsNil() {
			wrong.Add("Grants[%d]: is nil", i)
			continue
		}
		t := h.GrantType()
		if t == "" || types[t] {
			wrong.Add("Grants[%d]: the grant type %q is empty or listed twice", i, t)
		}
		types[t] = true
		if r, ok := seam.PowerOf[grants.Responder](h); ok {
			if responds[r.ResponseType()] {
				wrong.Add("Grants[%d]: another grant answers the response type %q", i, r.ResponseType())
			}
			responds[r.ResponseType()] = true
		}
		if c, ok := seam.PowerOf[interface{ Check() error }](h); ok {
			if err := c.Check(); err != nil {
				wrong.Add("Grants[%d]: %w", i, err)
			}
		}
	}

	return wrong.Err()
}

// Endpoint returns the endpoint at a path.
func (r *Room) Endpoint(path string) seam.Endpoint {
	return seam.Endpoint{
		Name:    "token",
		Path:    path,
		Member:  "token_endpoint",
		NoCache: true,
		Handle:  r.handle,
	}
}

// exchange is one token request on its way to its answer.
type exchange struct {
	*Room
	call *seam.Call
	req  grants.Request

	grantType string
	handler   served
	target    string // the resource that the request names; "" if none
	client    *storage.Client
	named     bool // by the grant's request, without proof
	minted    *seam.Minted

	reply seam.Reply
}

// step is one step on the way.
type step struct {
	name string
	do   func(x *exchange, ctx context.Context) error
}

// steps returns the steps in their order. The client is authenticated before the
// server says whether it serves the grant.
func steps() [5]step {
	return [...]step{
		{"parameters", (*exchange).readParameters},
		{"client", (*exchange).findClient},
		{"grant", (*exchange).checkGrant},
		{"decision", (*exchange).redeem},
		{"answer", (*exchange).answer},
	}
}

func (r *Room) handle(ctx context.Context, c *seam.Call) (seam.Reply, error) {
	x := &exchange{Room: r, call: c}
	for _, s := range steps() {
		if err := s.do(x, ctx); err != nil {
			return x.reply, err
		}
	}

	return x.reply, nil
}

// readParameters reads what grants see of the request before its client is known.
func (x *exchange) readParameters(context.Context) error {
	x.grantType = x.call.Form.Get("grant_type")
	x.handler = x.served[x.grantType]
	if x.handler.Handler != nil {
		x.reply.Event.GrantType = x.grantType
	}

	x.req = grants.Request{
		Form:        x.call.Form,
		Now:         x.call.Now,
		Remote:      x.Auth.Limit.Peers.Addr(x.call.Request),
		Environment: x.Environment,
	}
	var err error
	x.req.Scope, err = x.Issuer.Scopes.Parse(x.call.Form.Get("scope"))

	return err
}

// findClient authenticates the client or, for a grant that can do without, asks the
// grant which client the request names.
func (x *exchange) findClient(ctx context.Context) error {
	client, authenticated, err := x.Auth.Authenticate(ctx, x.call)
	if err != nil {
		x.reply.Client = client
		identifier, ok := seam.PowerOf[grants.Identifier](x.handler.Handler)
		if !ok || !errors.Is(err, clientauth.ErrNoCredentials) {
			return err
		}
		if client, err = x.identify(ctx, identifier); err != nil {
			return err
		}
		x.named = true
	}

	x.client = client
	x.reply.Client = client
	x.req.Client = client
	x.req.Authenticated = authenticated

	return nil
}

// identify returns the client that a grant's request names without proof.
func (x *exchange) identify(ctx context.Context, identifier grants.Identifier) (*storage.Client, error) {
	id, err := identifier.Identify(ctx, &x.req)
	if err != nil {
		return nil, err
	}

	client, err := x.Auth.Clients.Client(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && client.Disabled:
		refusal := grants.InvalidGrant("the client that the request names is unknown or disabled").
			For(grants.ReasonClientUnknown)
		refusal.Details = map[string]string{"sent_client_id": id}

		return nil, refusal
	case err != nil:
		return nil, grants.Unavailable(err)
	}

	return client, nil
}

// checkGrant refuses a grant that is not served, or not to this client.
func (x *exchange) checkGrant(context.Context) error {
	switch {
	case x.grantType == "":
		return grants.InvalidRequest("The parameter grant_type is missing.")
	case x.handler.Handler == nil:
		return grants.UnsupportedGrantType()
	case !x.client.AllowsGrant(x.grantType) && x.named:
		// Any caller can name a client in an assertion, and learns nothing about it
		// before the signature is verified (RFC 7521 section 4.1.1).
		return grants.InvalidGrant("the client that the request names has no such grant").
			For(grants.ReasonClientUnknown)
	case !x.client.AllowsGrant(x.grantType):
		return grants.UnauthorizedClient("The client is not registered for this grant type.")
	}

	if err := x.checkTarget(); err != nil {
		return err
	}

	if !x.handler.own {
		clone := x.client.Clone()
		x.req.Client = &clone
	}

	return nil
}

// redeem lets the grant decide and issues what it decided. Assertions that do not hold
// are counted, because it takes work to find out.
func (x *exchange) redeem(ctx context.Context) error {
	if x.call.Form.Get("assertion") == "" {
		return x.settle(ctx)
	}

	later.Of(ctx).Refuse(grants.InvalidGrant("the assertion was used by another request").For(grants.ReasonAssertion))
	done, err := x.Auth.ByAddress(ctx, clientauth.Proofs, x.call.Request)
	if err != nil {
		return err
	}
	held := true // also if a hook panics
	defer func() { done(held) }()
	err = x.settle(ctx)
	held = err == nil || grants.ErrorOf(err).Status >= http.StatusInternalServerError

	return err
}

// settle decides. If another request was first, a second look tells an honest retry
// from a second use.
func (x *exchange) settle(ctx context.Context) error {
	err := x.decide(ctx)
	if errors.Is(err, storage.ErrConflict) {
		err = x.decide(ctx)
	}
	if errors.Is(err, storage.ErrConflict) {
		return grants.InvalidGrant("lost to another request: %w", err).For(grants.ReasonRace)
	}

	return err
}

func (x *exchange) decide(ctx context.Context) error {
	g, err := x.handler.Handle(ctx, &x.req)
	if err != nil {
		return err
	}
	if g == nil {
		return errors.New("grantwell: the grant decided nothing")
	}
	if err := x.applyTarget(g); err != nil {
		return err
	}

	requested := x.req.Scope
	if g.Requested != nil {
		requested = g.Requested
	}
	x.reply.Event.Subject = g.Subject
	x.minted, err = x.Issuer.Issue(ctx, seam.Issuing{
		Client:    x.client,
		Grant:     g,
		GrantType: x.grantType,
		Requested: requested,
		Now:       x.call.Now,
	})
	x.reply.Event.GrantID = x.minted.GrantID

	return err
}

// reserved are the members of a token response that nothing replaces.
var reserved = map[string]bool{
	"access_token": true, "token_type": true, "expires_in": true, "refresh_token": true,
	"scope": true, "error": true, "error_description": true, "error_uri": true,
	"id_token": true,
}

// answer writes the token response (RFC 6749 section 5.1). It always has the scope,
// so that a client need not guess it.
func (x *exchange) answer(context.Context) error {
	res := x.minted.Response
	left := max(int64(res.ExpiresAt.Sub(x.call.Now)/time.Second), 0)
	expires := seam.Number("expires_in", left)
	if x.QuotedExpiresIn {
		expires = seam.Text("expires_in", strconv.FormatInt(left, 10))
	}

	m := make(seam.Members, 0, 5)
	m = append(m,
		seam.Text("access_token", res.AccessToken),
		seam.Text("token_type", res.TokenType),
		expires,
	)
	if res.RefreshToken != "" {
		m = append(m, seam.Text("refresh_token", res.RefreshToken))
	}
	m = append(m, seam.Text("scope", strings.Join(res.Scope, " ")))
	m = m.Append(res.Extra, func(name string) bool { return !reserved[strings.ToLower(name)] })

	x.reply.Members = m
	x.reply.Event.Scope = res.Scope

	return nil
}
