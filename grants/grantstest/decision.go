package grantstest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// names are the grant types that have no URI (RFC 6749).
var names = []string{"authorization_code", "implicit", "password", "client_credentials", "refresh_token"}

// grantType holds that the grant type is valid and the same at each call.
func grantType(p *probe) {
	name := p.h.GrantType()
	require.Equal(p, name, p.h.GrantType(), "the grant type changes")
	require.Equal(p, name, p.New().GrantType(), "two handlers have two grant types")
	if slices.Contains(names, name) {
		return
	}

	u, err := url.Parse(name)
	require.NoError(p, err, "the grant type is neither a name of RFC 6749 nor a URI")
	require.True(p, u.IsAbs(), "the grant type %q is neither a name of RFC 6749 nor an absolute URI", name)
	require.False(p, strings.ContainsAny(name, " \t\r\n"), "the grant type %q has white space", name)
}

// check holds that the settings are valid: the server refuses to be built otherwise.
func check(p *probe) {
	if c, ok := p.h.(interface{ Check() error }); ok {
		require.NoError(p, c.Check())
	}
}

// registered are claims that the server sets. It drops those that a grant sets.
var registered = []string{
	"iss", "sub", "aud", "client_id", "jti", "scope", "iat", "nbf", "exp", "auth_time", "cnf",
	"active", "username", "token_type",
}

// standard are members of the token response that the server sets.
var standard = []string{
	"access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token",
	"error", "error_description", "error_uri",
}

// good holds that a good request is granted, and that the server can take over all of
// the decision.
func good(p *probe) {
	r := p.good()
	g := p.granted(r)
	require.NotEmpty(p, g.Subject, "the grant has no subject")

	for name := range g.Claims {
		assert.NotContains(p, registered, strings.ToLower(name), "a claim that the server sets")
	}
	for name := range g.Response {
		assert.NotContains(p, standard, strings.ToLower(name), "a member that the server sets")
	}
	_, err := json.Marshal(g.Claims)
	assert.NoError(p, err, "claims without a JSON form")
	_, err = json.Marshal(g.Response)
	assert.NoError(p, err, "response members without a JSON form")

	for _, list := range [][]string{g.Limit, g.Requested, g.Scope, g.Narrow} {
		for _, s := range list {
			assert.True(p, storage.ValidScope(s), "the scope %q is malformed", s)
		}
	}
	for _, s := range g.Narrow {
		assert.Contains(p, g.Scope, s, "the access token gets a scope that the grant has not")
	}
	assert.True(p, g.NotAfter.IsZero() || g.NotAfter.After(r.Now), "NotAfter has passed")
	assert.True(p, g.FamilyNotAfter.IsZero() || g.FamilyNotAfter.After(r.Now), "FamilyNotAfter has passed")
	assert.True(p, g.FamilyEnd.IsZero() || g.FamilyEnd.After(r.Now), "FamilyEnd has passed")
	if g.Spend != nil {
		spends(p, r, g.Spend)
	}
}

// spends holds that the record to be spent is one that the server can spend.
func spends(p *probe, r *grants.Request, rec *storage.Record) {
	stored, err := r.Records.Get(p.Context(), rec.Kind, rec.Key)
	require.NoError(p, err, "Spend is not in the store")
	assert.Equal(p, storage.Active, stored.State, "the record is spent already")
	assert.Equal(p, stored.GrantID, rec.GrantID, "Spend is of another grant")
	assert.Contains(p, []storage.State{storage.Spent, storage.Active}, rec.State, "the state that the record moves to")
}

// watched are records that count what is written.
type watched struct {
	storage.Records
	mu     sync.Mutex
	writes []string
}

func (w *watched) note(call string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, call)
}

// Insert implements [storage.Records].
func (w *watched) Insert(ctx context.Context, recs ...storage.Record) error {
	w.note("Insert")
	return w.Records.Insert(ctx, recs...)
}

// Advance implements [storage.Records].
func (w *watched) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	w.note("Advance")
	return w.Records.Advance(ctx, from, next, inserts...)
}

// Revoke implements [storage.Records].
func (w *watched) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	w.note("Revoke")
	return w.Records.Revoke(ctx, grantID, kinds...)
}

// storesNothing holds that Handle writes nothing into the server's store when it
// grants: the server stores the tokens and what they spend in one write.
func storesNothing(p *probe) {
	r := p.good()
	w := &watched{Records: r.Records}
	r.Records = w
	p.granted(r)
	require.Empty(p, w.writes, "Handle wrote into the server's store")
}

// unchanged holds that a handler changes neither the form nor the client, which may
// share its memory with the store.
func unchanged(p *probe) {
	for name, r := range map[string]*grants.Request{"good": p.good(), "bad": garbled(p.good(), garbageValues[0])} {
		form := url.Values{}
		for k, v := range r.Form {
			form[k] = slices.Clone(v)
		}
		client := r.Client
		before := client.Clone()
		_, _ = p.handle(r)
		assert.Equal(p, form, r.Form, "the form of a %s request was changed", name)
		assert.Equal(p, before, *client, "the client of a %s request was changed", name)
		assert.Same(p, client, r.Client, "the client of a %s request was replaced", name)
	}
}

// keepsNothing holds that a handler keeps no request: after one of another client,
// whose memory is used for something else by now, it decides as a new handler does.
func keepsNothing(p *probe) {
	other := func(r *grants.Request) {
		r.Client.ID = "another"
		r.Client.Name = "Another"
	}
	first := Request(p, nil, other)
	p.Good(p, p.h, first)
	_, _ = p.handle(first)
	for name := range first.Form {
		first.Form[name][0] = "overwritten"
	}
	*first.Client = storage.Client{ID: "overwritten"}

	got := p.granted(p.good())
	p.h = p.New()
	want := p.granted(p.good())
	assert.Equal(p, want.Subject, got.Subject, "the subject depends on an earlier request")
	assert.Equal(p, want.Scope, got.Scope, "the scope depends on an earlier request")
	assert.Equal(p, want.Limit, got.Limit, "the limit depends on an earlier request")
	assert.Equal(p, want.Audience, got.Audience, "the audience depends on an earlier request")
	assert.Equal(p, slices.Sorted(maps.Keys(want.Claims)), slices.Sorted(maps.Keys(got.Claims)),
		"the claims depend on an earlier request")
}

// concurrent holds that a handler serves requests at the same time. The race detector
// finds what the outcomes do not show.
func concurrent(p *probe) {
	const n = 16
	requests := make([]*grants.Request, n)
	for i := range requests {
		requests[i] = p.good()
	}

	errs := make([]error, n)
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() {
			g, err := p.h.Handle(p.Context(), r)
			if err == nil && (g == nil || g.Subject == "") {
				err = errors.New("the grant has no subject")
			}
			errs[i] = err
			p.h.GrantType()
			// The request is over: its memory may be used again.
			clear(r.Form)
			r.Client.Name = "over"
		})
	}
	wg.Wait()
	require.NoError(p, errors.Join(errs...), "a good request was refused beside others")
}
