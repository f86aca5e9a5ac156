package consent_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/internal/room/consent"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// counting counts the calls of a store.
type counting struct {
	storage.Records
	calls int
}

func (c *counting) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	c.calls++
	return c.Records.Get(ctx, kind, key)
}

func (c *counting) Advance(
	ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record,
) error {
	c.calls++
	return c.Records.Advance(ctx, from, next, inserts...)
}

func (c *counting) Insert(ctx context.Context, recs ...storage.Record) error {
	c.calls++
	return c.Records.Insert(ctx, recs...)
}

var app = &storage.Client{ID: "app"}

// remember gives a consent and returns its generation.
func remember(t *testing.T, r *consent.Room, c *storage.Client, at time.Time) int {
	t.Helper()
	generation, err := r.Remember(t.Context(), c, "ann", []string{"read"}, nil, true, at)
	require.NoError(t, err)

	return generation
}

// A user may withdraw and renew a consent any number of times: each call costs the
// same number of calls of the store, and nothing that rests on an earlier consent
// is valid again.
func TestConsent_CostDoesNotGrowWithWithdrawals(t *testing.T) {
	t.Parallel()
	store := &counting{Records: memstore.New()}
	r := &consent.Room{Records: store, Families: ids.FamiliesOf("https://as.example")}
	now := time.Now()

	for n := 1; n <= 1100; n++ {
		store.calls = 0
		generation := remember(t, r, app, now)
		require.Equal(t, n, generation)
		require.NoError(t, r.Check(t.Context(), "app", "ann", generation))
		rec, found, err := r.Find(t.Context(), app, "ann")
		require.NoError(t, err)
		require.Equal(t, storage.Active, rec.State)
		require.Equal(t, generation, found)
		require.Equal(t, generation, remember(t, r, app, now), "an unchanged consent goes on")

		require.NoError(t, r.Revoke(t.Context(), "app", "ann"))
		require.Error(t, r.Check(t.Context(), "app", "ann", generation))
		require.Error(t, r.Check(t.Context(), "app", "ann", 1))
		rec, _, err = r.Find(t.Context(), app, "ann")
		require.NoError(t, err)
		require.Zero(t, rec.State)
		require.LessOrEqual(t, store.calls, 24, "calls of round %d", n)
	}
}

// Consents to an earlier holder of the client's ID are not valid for the later one,
// and a withdrawal ends them too.
func TestConsent_LaterHolderOfIDInheritsNothing(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	r := &consent.Room{Records: store, Families: ids.FamiliesOf("https://as.example")}
	now := time.Now()

	// Every holder registers a minute later, and its users consent at once.
	for n := 1; n <= 5; n++ {
		at := now.Add(time.Duration(n) * time.Minute)
		holder := &storage.Client{ID: "app", TokensNotBefore: at}
		rec, _, err := r.Find(t.Context(), holder, "ann")
		require.NoError(t, err)
		require.Zero(t, rec.State)
		require.Equal(t, n, remember(t, r, holder, at.Add(time.Second)))
	}

	require.NoError(t, r.Revoke(t.Context(), "app", "ann"))
	recs, _, err := store.List(t.Context(), storage.Query{Kind: storage.Consent})
	require.NoError(t, err)
	require.Len(t, recs, 5)
	for _, rec := range recs {
		require.Equal(t, storage.Revoked, rec.State)
	}
}

// A chain of consents that names no latest one, as an instance of an earlier
// version leaves it, is followed to its end.
func TestConsent_ChainWithoutNameIsFollowed(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	r := &consent.Room{Records: store, Families: ids.FamiliesOf("https://as.example")}
	remember(t, r, app, time.Now())
	require.NoError(t, r.Revoke(t.Context(), "app", "ann"))
	remember(t, r, app, time.Now())
	require.NoError(t, r.Revoke(t.Context(), "app", "ann"))

	first, err := store.Get(t.Context(), storage.Consent, storage.JoinKey("consent", "app", "ann", "1"))
	require.NoError(t, err)
	first.Data = nil
	require.NoError(t, store.Advance(t.Context(), storage.Revoked, first))
	require.Equal(t, 3, remember(t, r, app, time.Now()))

	// Data that is not understood is an error: no consent is taken for live.
	for _, data := range []string{"[]", `{"latest":-1}`} {
		first.Data = []byte(data)
		require.NoError(t, store.Advance(t.Context(), storage.Revoked, first))
		_, _, err = r.Find(t.Context(), app, "ann")
		require.ErrorContains(t, err, "grantwell: ", data)
	}
}

// Requests that renew and withdraw a consent at the same moment leave one
// generation at most, and end.
func TestConsent_RenewalsAtTheSameMoment(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	r := &consent.Room{Records: store, Families: ids.FamiliesOf("https://as.example")}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				_, err := r.Remember(t.Context(), app, "ann", []string{"read"}, nil, true, time.Now())
				assert.NoError(t, err)
				assert.NoError(t, r.Revoke(t.Context(), "app", "ann"))
			}
		})
	}
	wg.Wait()

	recs, _, err := store.List(t.Context(), storage.Query{Kind: storage.Consent, Limit: 1000})
	require.NoError(t, err)
	for _, rec := range recs {
		require.Equal(t, storage.Revoked, rec.State)
	}
	require.Equal(t, len(recs)+1, remember(t, r, app, time.Now()))
}

// ended is a store in which every generation has ended.
type ended struct {
	storage.Records
	calls int
}

func (e *ended) Get(_ context.Context, kind storage.Kind, key string) (storage.Record, error) {
	e.calls++
	return storage.Record{Kind: kind, Key: key, State: storage.Revoked}, nil
}

// The search for the latest generation ends with an error, and not with a consent.
func TestConsent_SearchEnds(t *testing.T) {
	t.Parallel()
	store := &ended{}
	rec, _, err := (&consent.Room{Records: store}).Find(t.Context(), app, "ann")
	require.Error(t, err)
	require.NotEqual(t, storage.Active, rec.State)
	require.Less(t, store.calls, 2000)
}

// registry is a client store that knows "app", unless it is down.
type registry struct{ err error }

func (r registry) Client(_ context.Context, id string) (*storage.Client, error) {
	if r.err == nil && id != app.ID {
		return nil, storage.ErrNotFound
	}
	return app, r.err
}

// down is a store that does not answer.
type down struct{ storage.Records }

func (down) Get(context.Context, storage.Kind, string) (storage.Record, error) {
	return storage.Record{}, errors.New("store down")
}

// readOnly is a store whose writes fail.
type readOnly struct{ storage.Records }

func (readOnly) Insert(context.Context, ...storage.Record) error { return errors.New("store down") }

func (readOnly) Advance(context.Context, storage.State, storage.Record, ...storage.Record) error {
	return errors.New("store down")
}

// What cannot be read is an error and not an empty list; an unknown client has no consent.
//
// Holds: house: store fails closed.
func TestConsent_ListFailsClosed(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	r := &consent.Room{Clients: registry{}, Records: store, Families: ids.FamiliesOf("https://as.example")}
	remember(t, r, app, time.Now())
	scopes, err := r.Scopes(t.Context(), "app", "ann")
	require.NoError(t, err)
	require.Equal(t, []string{"read"}, scopes)
	scopes, err = r.Scopes(t.Context(), "other", "ann")
	require.NoError(t, err)
	require.Empty(t, scopes)

	for name, r := range map[string]*consent.Room{
		"clients": {Clients: registry{errors.New("store down")}, Records: store},
		"records": {Clients: registry{}, Records: down{store}},
	} {
		_, err := r.Scopes(t.Context(), "app", "ann")
		require.Error(t, err, name)
	}
	require.Error(t, (&consent.Room{Records: down{store}}).Revoke(t.Context(), "app", "ann"))
	require.Error(t, (&consent.Room{Records: down{store}}).Check(t.Context(), "app", "ann", 1))

	// A consent that could not be stored is no consent: the first, a wider and a later one.
	stuck := &consent.Room{Records: readOnly{store}, Families: ids.FamiliesOf("https://as.example")}
	allow := func(subject string) error {
		_, err := stuck.Remember(t.Context(), app, subject, []string{"write"}, nil, true, time.Now())
		return err
	}
	require.Error(t, allow("bob"))
	require.Error(t, allow("ann"))
	require.Error(t, stuck.Revoke(t.Context(), "app", "ann"))
	require.NoError(t, r.Revoke(t.Context(), "app", "ann"))
	require.Error(t, allow("ann"))

	// Nor is one that is not there: what rests on it has ended.
	e := grants.ErrorOf(r.Check(t.Context(), "app", "ann", 7))
	require.Equal(t, "invalid_grant", e.Code)
	require.Equal(t, grants.ReasonConsent, e.Reason)
}

// What a user allows only this time rests on the consent that there is, and does not become
// a part of it. What it covers already costs no write.
//
// Holds: house: remembered consent.
func TestConsent_OnlyThisTimeIsNotRemembered(t *testing.T) {
	t.Parallel()
	store := &counting{Records: memstore.New()}
	r := &consent.Room{Clients: registry{}, Records: store, Families: ids.FamiliesOf("https://as.example")}
	allow := func(remember bool, scope ...string) int {
		store.calls = 0
		generation, err := r.Remember(t.Context(), app, "ann", scope, nil, remember, time.Now())
		require.NoError(t, err)

		return generation
	}
	require.Zero(t, allow(false, "read"))
	require.Equal(t, 1, allow(true, "read"))
	for _, scope := range []string{"read", "write"} {
		require.Equal(t, 1, allow(false, scope))
		require.Equal(t, 1, store.calls, "a write")
	}
	require.Equal(t, 1, allow(true, "read"))
	require.Equal(t, 1, store.calls, "a write")
	scopes, err := r.Scopes(t.Context(), "app", "ann")
	require.NoError(t, err)
	require.Equal(t, []string{"read"}, scopes)

	require.Equal(t, 1, allow(true, "write"))
	scopes, err = r.Scopes(t.Context(), "app", "ann")
	require.NoError(t, err)
	require.Equal(t, []string{"read", "write"}, scopes)
}

// A consent covers what was allowed at each resource that was shown. One that does not say
// what was shown, as an earlier version stored it, covers its scopes where no resource is
// named. One that cannot be read covers nothing.
//
// Holds: house: remembered consent.
func TestCovers_WhatWasShown(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	r := &consent.Room{Records: store, Families: ids.FamiliesOf("https://as.example")}
	allow := func(scope, audience []string) {
		_, err := r.Remember(t.Context(), app, "ann", scope, audience, true, time.Now())
		require.NoError(t, err)
	}
	allow([]string{"read"}, []string{"a"})
	allow(nil, []string{"b"})
	rec, _, err := r.Find(t.Context(), app, "ann")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, rec.Audience)
	require.True(t, consent.Covers(&rec, "read", []string{"a"}))
	require.False(t, consent.Covers(&rec, "read", []string{"b"}))
	require.False(t, consent.Covers(&rec, "read", []string{"a", "b"}))
	require.False(t, consent.Covers(&rec, "read", nil))
	require.True(t, consent.Knows(&rec, []string{"a", "b"}), "also without a scope")
	require.False(t, consent.Knows(&rec, []string{"a", "c"}))
	require.False(t, consent.Knows(&rec, nil))

	old := storage.Record{State: storage.Active, Scope: []string{"read"}}
	require.True(t, consent.Covers(&old, "read", nil))
	require.True(t, consent.Knows(&old, nil))
	require.False(t, consent.Covers(&old, "write", nil))
	require.False(t, consent.Covers(&old, "read", []string{"a"}))
	old.Data = []byte("[]")
	require.False(t, consent.Covers(&old, "read", nil))
	require.False(t, consent.Knows(&old, nil))
	require.False(t, consent.Covers(&storage.Record{Scope: []string{"read"}}, "read", nil), "no consent")
}
