package fositegrant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/grants"
)

// New returns a grant that lets a fosite handler decide. The server issues the tokens as
// for every other grant: its scope rules, lifetimes, hooks, events and token formats apply,
// and it writes the only records. The package comment lists what the server reads from the
// handler's decision.
//
// The error joins every reason why the handler cannot run as a grant, and says for each
// what to change.
//
// New calls the getters of each [fosite.Config] that it finds in an exported field of the
// handler. They fill empty fields with defaults at the first call and without a lock, so
// requests would race otherwise.
func New(h fosite.TokenEndpointHandler, o Options) (grants.Handler, error) {
	if o.NewSession == nil {
		o.NewSession = func() fosite.Session { return &fosite.DefaultSession{} }
	}
	g := &grant{handler: h, Options: o}

	// A handler that cannot run safely must fail here, and not at its first request.
	if err := g.inspect(); err != nil {
		return nil, err
	}
	if o.Identify != nil {
		return identifying{g}, nil
	}
	return g, nil
}

// grant implements [grants.Handler] by a fosite handler.
type grant struct {
	handler fosite.TokenEndpointHandler
	Options
}

// identifying is a grant whose requests name the client. It is a separate type because
// the server looks for the method Identify.
type identifying struct{ *grant }

// Identify implements [grants.Identifier].
func (g identifying) Identify(ctx context.Context, r *grants.Request) (string, error) {
	return g.Options.Identify(ctx, r)
}

// GrantType implements [grants.Handler].
func (g *grant) GrantType() string {
	return g.Options.GrantType
}

// request returns the token request in fosite's form, without the client's credentials.
// The handler may change it, so that nothing in it is shared with r.
func (g *grant) request(r *grants.Request, session fosite.Session) *fosite.AccessRequest {
	form := maps.Clone(r.Form)
	for name, values := range form {
		form[name] = slices.Clone(values)
	}

	// The server has checked the credentials. A handler that logs the form must not see
	// them.
	delete(form, "client_secret")
	delete(form, "client_assertion")

	ar := fosite.NewAccessRequest(session)
	ar.GrantTypes = fosite.Arguments{g.GrantType()}
	ar.RequestedAt = r.Now
	ar.Client = grantClient{r.Client.Clone()}
	ar.Form = form
	ar.RequestedScope = slices.Clone(r.Scope)
	ar.RequestedAudience = fosite.GetAudiences(form)
	return ar
}

// Handle implements [grants.Handler]. The handler decides, and its decision is read.
func (g *grant) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	// Handlers that fosite's own library calls find the request in the context.
	ar := g.request(r, g.NewSession())
	ctx = context.WithValue(within(ctx), fosite.AccessRequestContextKey, ar)
	if err := g.decide(ctx, r, ar); err != nil {
		return nil, err
	}

	// A request without a scope asks for the default scope (RFC 6749 section 3.3).
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

	// The host comes last, so that it sees and may change all that was read.
	if g.Decided != nil {
		if err := g.Decided(ctx, r, ar, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decide calls HandleTokenEndpointRequest. A password is checked within the server's
// limits, as [grants.Password] does.
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

	// Guess counts a failure only if the error says that the password was wrong.
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

// populate calls PopulateTokenEndpointResponse. Its tokens must come from a Placeholder.
// Its other members become members of the server's response.
func (g *grant) populate(ctx context.Context, ar *fosite.AccessRequest, out *grants.Grant) error {
	res := fosite.NewAccessResponse()
	ctx = context.WithValue(ctx, fosite.AccessResponseContextKey, res)
	err := g.handler.PopulateTokenEndpointResponse(ctx, ar, res)

	// By ErrUnknownRequest a handler says that it has nothing to add.
	if err != nil && !errors.Is(err, fosite.ErrUnknownRequest) {
		return err
	}
	if res.TokenType != "" && !strings.EqualFold(res.TokenType, fosite.BearerAccessToken) {
		return fmt.Errorf(
			"%T sets the token type %q, which the server does not issue",
			g.handler,
			res.TokenType,
		)
	}

	members := maps.Clone(res.Extra)
	members["access_token"] = res.AccessToken
	if err := g.checkMembers(members); err != nil {
		return err
	}
	out.Refresh = out.Refresh || members["refresh_token"] == placeholderRefresh

	// The server sets these members itself.
	for _, name := range []string{"access_token", "refresh_token", "token_type", "expires_in", "scope"} {
		delete(members, name)
	}

	// A member that cannot be encoded must fail now, before the server stores tokens.
	if _, err := json.Marshal(members); err != nil {
		return fmt.Errorf("%T sets a member that has no JSON form: %w", g.handler, err)
	}
	out.Response = members
	return nil
}

// checkMembers refuses tokens that the handler made itself.
func (g *grant) checkMembers(members map[string]any) error {
	placeholders := map[string]string{
		"access_token":  placeholderAccess,
		"refresh_token": placeholderRefresh,
	}
	for name, placeholder := range placeholders {
		if v, ok := members[name]; ok && v != "" && v != placeholder {
			return fmt.Errorf(
				"%T sets its own %s: use fositegrant.Placeholder for its strategies, or Options.HandleOnly",
				g.handler,
				name,
			)
		}
	}
	if members["id_token"] != nil {
		return fmt.Errorf(
			"%T sets an id_token, which the server does not take from a grant",
			g.handler,
		)
	}
	return nil
}
