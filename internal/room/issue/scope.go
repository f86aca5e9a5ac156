package issue

import (
	"context"
	"slices"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/room/scope"
)

// decideScope decides on the scope of the grant and on that of its access token.
func (r *run) decideScope(ctx context.Context) error {
	g := r.in.Grant
	req := scope.Request{
		GrantType: r.in.GrantType,
		Client:    r.in.Client,
		Subject:   g.Subject,
		Requested: r.in.Requested,
	}

	var err error
	if g.Scope == nil {
		r.full, err = r.Scopes.Decide(ctx, req, g.Limit)
		r.scope = r.full
		return err
	}

	// The scope was decided before. It is only confirmed, and may be narrowed.
	req.Requested = g.Scope
	if r.scope, err = r.Scopes.Confirm(ctx, req); err != nil {
		return err
	}
	if len(g.Narrow) > 0 {
		r.scope = slices.DeleteFunc(slices.Clone(r.scope), func(v string) bool { return !slices.Contains(g.Narrow, v) })
		if len(r.scope) == 0 {
			return grants.InvalidScope("None of the requested scopes may be granted now.")
		}
	}
	r.full = g.Scope

	return nil
}
