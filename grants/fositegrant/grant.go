package fositegrant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// Options say how a fosite handler runs as a grant. Zero values are the safe defaults.
type Options struct {
	// GrantType is the grant_type that the handler serves. Required.
	GrantType string
	// NewSession returns a session that the handler may fill, a fresh one at each call. nil: &fosite.DefaultSession{}.
	NewSession func() fosite.Session
	// HandleOnly never calls the handler's PopulateTokenEndpointResponse, so that the handler may keep strategies and storage
	// of its own there. Further members of the response and the wish for a refresh token are then not heard.
	HandleOnly bool
	// GrantRequested grants the scopes and audiences that are requested (or the client's default scopes), as far as the client
	// is registered for them, before PopulateTokenEndpointResponse, besides those that the handler grants. fosite's handlers
	// for client_credentials and password leave that to the code between NewAccessRequest and NewAccessResponse. By default
	// only what the handler grants is granted.
	GrantRequested bool
	// Refresh allows a refresh token also where the handler sets none.
	Refresh bool
	// Identify names the client of a request without client credentials, for a handler whose CanSkipClientAuth is true. What it
	// names is not proven: the handler must accept nothing that this client has not signed itself.
	Identify func(ctx context.Context, r *grants.Request) (clientID string, err error)
	// Decided, if not nil, sees the request as the handler left it and the grant that it becomes, which it may change: to
	// carry what a session type of the host's knows into Claims, AuthTime or Confirmation. An error refuses the request: a
	// *[grants.Error] as it is, any other with server_error.
	Decided func(ctx context.Context, r *grants.Request, ar fosite.AccessRequester, g *grants.Grant) error
}

// New returns a grant that lets a fosite handler decide. The server then issues as it does for every grant: its scope
// rules, lifetimes, hooks, events and token formats apply, and its records are the only ones that are written. See "A fosite
// handler as a grant" above for what is read where.
//
// The error has every reason why the handler cannot run as a grant, and what to do about it. The lazy defaults of each [fosite.Config] that
// the handler has in an exported field are filled in, as its getters otherwise race.
func New(h fosite.TokenEndpointHandler, o Options) (grants.Handler, error) {
	if o.NewSession == nil {
		o.NewSession = func() fosite.Session { return &fosite.DefaultSession{} }
	}
	g := &grant{handler: h, Options: o}
	if err := g.inspect(); err != nil {
		return nil, err
	}
	if o.Identify != nil {
		return identifying{g}, nil
	}
	return g, nil
}

type grant struct {
	handler fosite.TokenEndpointHandler
	Options
}

// identifying is a grant whose requests name the client. It is a type of its own, as the server asks by type.
type identifying struct{ *grant }

// Identify implements [grants.Identifier].
func (g identifying) Identify(ctx context.Context, r *grants.Request) (string, error) {
	return g.Options.Identify(ctx, r)
}

// inspect returns every reason why the handler cannot run as a grant.
func (g *grant) inspect() error {
	in := &inspection{decides: g.HandleOnly, seen: map[place]bool{}}
	if g.GrantType() == "" || strings.ContainsFunc(g.GrantType(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		in.bad("Options.GrantType", "needs the grant_type that the handler serves, in printable ASCII")
	} else if why := elsewhere[g.GrantType()]; why != "" {
		in.bad("Options.GrantType", "%s: %s", g.GrantType(), why)
	}
	if err := g.checkSession(); err != nil {
		in.errs = append(in.errs, err)
	}
	v := reflect.ValueOf(g.handler)
	if g.handler == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		in.bad("handler", "is nil")
		return errors.Join(in.errs...)
	}
	in.look("handler", v)
	if leavesScopes[of(v.Type())] && !g.GrantRequested {
		in.bad("Options.GrantRequested", "%T grants no scope itself: set it, or wrap the handler in one that calls GrantScope", g.handler)
	}
	if len(in.errs) == 0 { // what it holds makes sense, so that it can be asked
		if err := g.ask(); err != nil {
			in.errs = append(in.errs, err)
		}
	}
	return errors.Join(in.errs...)
}

// checkSession tells whether sessions are made, and fresh ones: one that requests share carries the subject of another.
func (g *grant) checkSession() error {
	a, b := reflect.ValueOf(g.NewSession()), reflect.ValueOf(g.NewSession())
	if !a.IsValid() || a.Kind() == reflect.Pointer && a.IsNil() {
		return errors.New("fositegrant: Options.NewSession: returns nil")
	}
	if a.Kind() == reflect.Pointer && b.Kind() == reflect.Pointer && a.Pointer() == b.Pointer() && a.Type().Elem().Size() > 0 {
		return errors.New("fositegrant: Options.NewSession: returns the same session twice, so that requests would share it")
	}
	return nil
}

// ask asks the handler whether it serves the grant type, and whom.
func (g *grant) ask() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("fositegrant: handler: %T panicked when it was asked whether it serves %q: %T", g.handler, g.GrantType(), p)
		}
	}()
	ctx := within(context.Background())
	ar := g.request(&grants.Request{Form: map[string][]string{"grant_type": {g.GrantType()}}, Client: &storage.Client{}}, g.NewSession())
	if !g.handler.CanHandleTokenEndpointRequest(ctx, ar) {
		return fmt.Errorf("fositegrant: handler: CanHandleTokenEndpointRequest of %T does not accept the grant type %q", g.handler, g.GrantType())
	}
	switch skip := g.handler.CanSkipClientAuth(ctx, ar); {
	case skip && g.Options.Identify == nil:
		return fmt.Errorf("fositegrant: handler: CanSkipClientAuth of %T is true, and there are no tokens without a client: "+
			"make it false, or set Options.Identify to name the client", g.handler)
	case !skip && g.Options.Identify != nil:
		return fmt.Errorf("fositegrant: Options.Identify: CanSkipClientAuth of %T is false: leave it out, and clients authenticate", g.handler)
	}
	return nil
}

// GrantType implements [grants.Handler].
func (g *grant) GrantType() string { return g.Options.GrantType }

// request makes of a request what fosite's handlers expect. What proves who the client is stays out of it.
func (g *grant) request(r *grants.Request, session fosite.Session) *fosite.AccessRequest {
	form := maps.Clone(r.Form)
	for name, values := range form {
		form[name] = slices.Clone(values)
	}
	delete(form, "client_secret")
	delete(form, "client_assertion")
	ar := fosite.NewAccessRequest(session)
	ar.GrantTypes = fosite.Arguments{g.GrantType()}
	ar.RequestedAt, ar.Client, ar.Form = r.Now, grantClient{r.Client.Clone()}, form
	ar.RequestedScope, ar.RequestedAudience = slices.Clone(r.Scope), fosite.GetAudiences(form)
	return ar
}

// Handle lets the handler decide and reads its decision.
func (g *grant) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	ar := g.request(r, g.NewSession())
	ctx = context.WithValue(within(ctx), fosite.AccessRequestContextKey, ar)
	if err := g.decide(ctx, r, ar); err != nil {
		return nil, err
	}
	asked := r.Scope
	if len(asked) == 0 {
		asked = r.Client.DefaultScope
	}
	if g.GrantRequested {
		grantRequested(ar, asked)
	}
	out := &grants.Grant{Refresh: g.Refresh, Confirmation: r.Confirmation}
	if !g.HandleOnly {
		if err := g.populate(ctx, ar, out); err != nil {
			return nil, refused(err, r.Form)
		}
	}
	if err := g.read(r, ar, out); err != nil {
		return nil, err
	}
	g.scope(r, asked, ar.GetGrantedScopes(), out)
	if g.Decided != nil {
		if err := g.Decided(ctx, r, ar, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decide runs HandleTokenEndpointRequest. Passwords are guessed within the server's limits, as by grants.Password.
func (g *grant) decide(ctx context.Context, r *grants.Request, ar *fosite.AccessRequest) error {
	handle := func() error {
		if !g.handler.CanHandleTokenEndpointRequest(ctx, ar) {
			return fosite.ErrUnknownRequest
		}
		return g.handler.HandleTokenEndpointRequest(ctx, ar)
	}
	if g.GrantType() != "password" {
		return refused(handle(), r.Form)
	}
	username := r.Form.Get("username")
	if username == "" || r.Form.Get("password") == "" {
		return grants.InvalidRequest("The parameters username and password are needed.")
	}
	_, err := grants.Guess(ctx, r.Limiter, username, r.Remote, func() (grants.User, error) {
		err := refused(handle(), r.Form)
		var e *grants.Error
		if errors.As(err, &e) && e.Code == "invalid_grant" {
			return grants.User{}, fmt.Errorf("%w: %w", grants.ErrWrongPassword, err)
		}
		return grants.User{}, err
	})
	return err
}

// populate runs PopulateTokenEndpointResponse. Its tokens must be a Placeholder's; its further members are the response's.
func (g *grant) populate(ctx context.Context, ar *fosite.AccessRequest, out *grants.Grant) error {
	res := fosite.NewAccessResponse()
	err := g.handler.PopulateTokenEndpointResponse(context.WithValue(ctx, fosite.AccessResponseContextKey, res), ar, res)
	if err != nil && !errors.Is(err, fosite.ErrUnknownRequest) { // which says that it has nothing to add
		return err
	}
	if res.TokenType != "" && !strings.EqualFold(res.TokenType, fosite.BearerAccessToken) {
		return fmt.Errorf("%T answers the token type %q, which the server does not issue", g.handler, res.TokenType)
	}
	members := maps.Clone(res.Extra)
	members["access_token"] = res.AccessToken
	for name, stand := range map[string]string{"access_token": placeholderAccess, "refresh_token": placeholderRefresh} {
		if v, ok := members[name]; ok && v != "" && v != stand {
			return fmt.Errorf("%T sets a %s of its own: it needs fositegrant.Placeholder for its strategies, or Options.HandleOnly", g.handler, name)
		}
	}
	if members["id_token"] != nil {
		return fmt.Errorf("%T sets an id_token, which the server does not answer", g.handler)
	}
	out.Refresh = out.Refresh || members["refresh_token"] == placeholderRefresh
	for _, name := range []string{"access_token", "refresh_token", "token_type", "expires_in", "scope"} {
		delete(members, name)
	}
	if _, err := json.Marshal(members); err != nil { // found out now, when nothing is stored yet
		return fmt.Errorf("%T answers members without a JSON form: %w", g.handler, err)
	}
	out.Response = members
	return nil
}
