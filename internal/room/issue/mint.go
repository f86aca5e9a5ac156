package issue

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// mint makes the tokens and the records that stand for them.
func (r *run) mint(ctx context.Context) error {
	strategy, recorded := r.Live.Forms.Strategy(r.in.Client)
	if strategy == nil {
		return fmt.Errorf("grantwell: client %q is registered for jwt access tokens, and the server has no Keys",
			r.in.Client.ID)
	}
	family := r.familyEnd()
	d := r.data()

	access, rec, err := r.mintAccess(ctx, strategy, d)
	if err != nil {
		return err
	}
	fresh := r.refresh && r.in.Grant.RefreshToken == ""
	n := 1
	if fresh {
		n = 2
	}
	recs := make([]storage.Record, 0, n)
	if recorded {
		recs = append(recs, rec)
	}

	res := &grants.Response{
		AccessToken:  access,
		TokenType:    r.Live.TokenType,
		ExpiresAt:    r.expires,
		Scope:        r.scope,
		RefreshToken: r.in.Grant.RefreshToken,
		Extra:        r.response,
	}
	if fresh {
		d.FamilyEnd = family.Unix()
		d.Claims = r.familyClaims()
		token, err := r.mintRefresh(ctx, &rec, &d, family)
		if err != nil {
			return err
		}
		recs = append(recs, rec)
		res.RefreshToken = token
	}
	if r.in.Grant.Spend != nil {
		r.keepFindable(r.in.Grant.Spend, family)
	}

	r.out.Response = res
	r.out.Records = recs
	if r.After != nil {
		r.out.Stored = r.stored
	}

	return nil
}

// familyEnd returns when the family ends, however often it is refreshed. It is the
// zero time for a family without a refresh token.
func (r *run) familyEnd() time.Time {
	g := r.in.Grant
	if !r.refresh || !g.FamilyEnd.IsZero() {
		return g.FamilyEnd
	}

	life := r.Lifetimes.Refresh
	if own := r.in.Client.RefreshTokenLifetime; own > 0 {
		life = own
	}
	end := r.in.Now.Add(life)
	if bound := g.FamilyNotAfter; !bound.IsZero() && bound.Before(end) {
		end = bound
	}

	return end
}

// data returns what both tokens' records keep.
func (r *run) data() record.Data {
	g := r.in.Grant
	// A plain token of a client for itself, which is common, keeps nothing.
	if r.in.GrantType == "client_credentials" && len(r.claims) == 0 && len(g.Confirmation) == 0 && len(g.Kept) == 0 {
		return record.Data{}
	}

	d := record.Data{
		GrantType:    r.in.GrantType,
		Claims:       r.claims,
		Confirmation: g.Confirmation,
		Consent:      int64(g.Consent),
		Kept:         g.Kept,
	}
	if !g.AuthTime.IsZero() {
		d.AuthTime = g.AuthTime.Unix()
	}

	return d
}

// familyClaims returns the claims of the refresh token. A request that narrows the
// scope of its access token takes no claim from the tokens that follow.
func (r *run) familyClaims() map[string]any {
	if len(r.scope) == len(r.full) {
		return r.claims
	}
	all := r.covered(r.full)
	maps.DeleteFunc(all, func(name string, _ any) bool { return Registered(name) })
	for name, value := range r.claims {
		all[name] = value
	}

	return all
}

// mintAccess makes the access token and its record.
func (r *run) mintAccess(ctx context.Context, strategy tokens.Strategy, d record.Data) (string, storage.Record, error) {
	g := r.in.Grant
	claims := tokens.Claims{
		Subject:      g.Subject,
		ClientID:     r.in.Client.ID,
		Audience:     r.audience,
		Scope:        r.scope,
		IssuedAt:     r.in.Now,
		ExpiresAt:    r.expires,
		AuthTime:     g.AuthTime,
		Confirmation: g.Confirmation,
		Extra:        r.claims,
	}
	if _, opaque := strategy.(tokens.Opaque); !opaque {
		claims.Issuer = r.Live.Issuer
		claims.ID = ids.New()
		d.ID = claims.ID
	}

	data, err := d.Encode()
	if err != nil {
		return "", storage.Record{}, err
	}
	token, err := strategy.Mint(ctx, claims)
	if err != nil {
		return "", storage.Record{}, fmt.Errorf("grantwell: access token: %w", err)
	}

	return token, storage.Record{
		Kind:      storage.Access,
		Key:       storage.Key(token),
		State:     storage.Active,
		GrantID:   g.ID,
		ClientID:  r.in.Client.ID,
		Subject:   g.Subject,
		Scope:     r.scope,
		Audience:  r.audience,
		IssuedAt:  r.in.Now,
		ExpiresAt: r.expires,
		Data:      data,
	}, nil
}

// mintRefresh makes the refresh token, and its record from that of the access token.
func (r *run) mintRefresh(ctx context.Context, rec *storage.Record, d *record.Data, family time.Time) (string, error) {
	token, err := r.Live.Forms.Refresh.Mint(ctx, tokens.Claims{})
	if err != nil {
		return "", fmt.Errorf("grantwell: refresh token: %w", err)
	}

	rec.Kind = storage.Refresh
	rec.Key = storage.Key(token)
	rec.Scope = r.full
	rec.ExpiresAt = r.idleEnd(family)
	rec.Data, err = d.Encode()

	return token, err
}

// idleEnd returns when a refresh token that is not used expires: never after its
// family.
func (r *run) idleEnd(family time.Time) time.Time {
	if r.Lifetimes.Idle > 0 {
		if t := r.in.Now.Add(r.Lifetimes.Idle); t.Before(family) {
			return t
		}
	}

	return family
}

// keepFindable lets a spent record outlive all that it bought, so that the server
// recognizes a second use. A refresh token that is kept lives on by its idle time.
func (r *run) keepFindable(spend *storage.Record, family time.Time) {
	end := family
	if end.Before(r.expires) {
		end = r.expires
	}
	if spend.State == storage.Active {
		end = r.idleEnd(family)
	}
	if spend.State == storage.Active || end.After(spend.ExpiresAt) {
		spend.ExpiresAt = end
	}
}

// store writes what is spent and what it buys: all of it or nothing.
func (r *Room) store(ctx context.Context, g *grants.Grant, recs []storage.Record) error {
	if g.EndAccess {
		if err := r.Live.Records.Revoke(ctx, g.ID, storage.Access); err != nil {
			return grants.Unavailable(err)
		}
	}

	var err error
	switch {
	case g.Spend != nil:
		err = r.Live.Records.Advance(ctx, storage.Active, *g.Spend, recs...)
	case len(recs) > 0:
		err = r.Live.Records.Insert(ctx, recs...)
	}
	if err != nil {
		return grants.Unavailable(err)
	}

	return nil
}
