package storagetest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// probe is one case at work on one store.
type probe struct {
	tester
	ctx   context.Context
	store storage.Records
	opts  Options
	salt  string    // makes keys and grants of this case its own
	now   time.Time // when the case began, in whole milliseconds: two records of one name are equal
}

func newSalt() string {
	b := make([]byte, 9)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func (p *probe) key(name string) string   { return storage.JoinKey(p.salt, name) }
func (p *probe) grant(name string) string { return p.salt + "." + name }

// record returns an active record with every field set, whose times are whole milliseconds.
func (p *probe) record(kind storage.Kind, name, grant string) storage.Record {
	return storage.Record{
		Kind: kind, Key: p.key(name), State: storage.Active,
		GrantID: p.grant(grant), ClientID: "client", Subject: "alice",
		Scope: []string{"read", "write"}, Audience: []string{"https://api.example"},
		IssuedAt: p.now, ExpiresAt: p.now.Add(time.Hour),
		Data: []byte(`{"redirect_uri":"https://app.example/cb"}`),
	}
}

func (p *probe) insert(recs ...storage.Record) {
	p.Helper()
	require.NoError(p, p.store.Insert(p.ctx, recs...), "Insert")
}

func (p *probe) get(r storage.Record) storage.Record {
	p.Helper()
	got, err := p.store.Get(p.ctx, r.Kind, r.Key)
	require.NoError(p, err, "Get of a %s that was stored", r.Kind)
	return got
}

// stored asks that the store holds exactly want.
func (p *probe) stored(want storage.Record) {
	p.Helper()
	p.same(want, p.get(want))
}

// missing asks that no record has these keys.
func (p *probe) missing(recs ...storage.Record) {
	p.Helper()
	for _, r := range recs {
		_, err := p.store.Get(p.ctx, r.Kind, r.Key)
		require.ErrorIs(p, err, storage.ErrNotFound, "Get of a %s that was not stored", r.Kind)
	}
}

// unused asks that a write which failed has left these as if it had never been: they are missing, or may be revoked.
func (p *probe) unused(recs ...storage.Record) {
	p.Helper()
	if !p.opts.Spread {
		p.missing(recs...)
		return
	}
	for _, r := range recs {
		if _, err := p.store.Get(p.ctx, r.Kind, r.Key); err == nil {
			p.state(storage.Revoked, r)
		} else {
			require.ErrorIs(p, err, storage.ErrNotFound)
		}
	}
}

// kept asks that a write which failed has left these as they are, or may have revoked them.
func (p *probe) kept(recs ...storage.Record) {
	p.Helper()
	for _, r := range recs {
		if p.opts.Spread && p.get(r).State == storage.Revoked {
			r.State = storage.Revoked
		}
		p.stored(r)
	}
}

// state asks that the records are in this state.
func (p *probe) state(want storage.State, recs ...storage.Record) {
	p.Helper()
	for _, r := range recs {
		require.Equal(p, want, p.get(r).State, "State of a %s", r.Kind)
	}
}

// same asks that two records are equal: lists and data by content, times as instants, those that the store returned in UTC.
func (p *probe) same(want, got storage.Record) {
	p.Helper()
	require.Equal(p, want.Kind, got.Kind, "Kind")
	require.Equal(p, want.Key, got.Key, "Key")
	require.Equal(p, want.State, got.State, "State")
	require.Equal(p, want.GrantID, got.GrantID, "GrantID")
	require.Equal(p, want.ClientID, got.ClientID, "ClientID")
	require.Equal(p, want.Subject, got.Subject, "Subject")
	require.True(p, slices.Equal(want.Scope, got.Scope), "Scope: want %q, got %q", want.Scope, got.Scope)
	require.True(p, slices.Equal(want.Audience, got.Audience), "Audience: want %q, got %q", want.Audience, got.Audience)
	require.True(p, string(want.Data) == string(got.Data), "Data: %d bytes, want %d", len(got.Data), len(want.Data))
	p.sameTime("IssuedAt", want.IssuedAt, got.IssuedAt)
	p.sameTime("ExpiresAt", want.ExpiresAt, got.ExpiresAt)
	require.Equal(p, time.UTC, got.IssuedAt.Location(), "IssuedAt: location")
	require.Equal(p, time.UTC, got.ExpiresAt.Location(), "ExpiresAt: location")
}

// sameTime compares instants. It allows what the contract does: a store may drop what is finer than a millisecond.
func (p *probe) sameTime(field string, want, got time.Time) {
	p.Helper()
	require.Equal(p, want.IsZero(), got.IsZero(), "%s: zero", field)
	diff := want.Sub(got)
	require.True(p, diff > -time.Millisecond && diff < time.Millisecond, "%s: want %v, got %v", field, want.UTC(), got)
	if want.Nanosecond()%int(time.Millisecond) == 0 {
		require.True(p, diff == 0, "%s: want %v, got %v", field, want.UTC(), got)
	}
}

// with returns a copy of r in another state.
func with(r storage.Record, s storage.State) storage.Record {
	r.State = s
	return r
}
