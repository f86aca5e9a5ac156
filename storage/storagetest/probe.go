package storagetest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// probe runs one case on one store.
type probe struct {
	tester
	ctx   context.Context
	store storage.Records
	opts  Options

	// second opens another handle of the store's records. It is nil without
	// Options.Second.
	second func() storage.Records

	// salt keeps the keys and grants of this case apart from those of others.
	salt string

	// now is when the case began, in whole milliseconds. It makes two records
	// of the same name equal.
	now time.Time
}

// newSalt returns random text.
func newSalt() string {
	b := make([]byte, 9)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// key returns the key of a name in this case.
func (p *probe) key(name string) string { return storage.JoinKey(p.salt, name) }

// grant returns the grant ID of a name in this case.
func (p *probe) grant(name string) string { return p.salt + "." + name }

// record returns an active record with every field set. Its times are whole
// milliseconds, which every store keeps.
func (p *probe) record(kind storage.Kind, name, grant string) storage.Record {
	return storage.Record{
		Kind:      kind,
		Key:       p.key(name),
		State:     storage.Active,
		GrantID:   p.grant(grant),
		ClientID:  "client",
		Subject:   "alice",
		Scope:     []string{"read", "write"},
		Audience:  []string{"https://api.example"},
		IssuedAt:  p.now,
		ExpiresAt: p.now.Add(time.Hour),
		Data:      []byte(`{"redirect_uri":"https://app.example/cb"}`),
	}
}

// insert stores records.
func (p *probe) insert(recs ...storage.Record) {
	p.Helper()
	require.NoError(p, p.store.Insert(p.ctx, recs...), "Insert")
}

// get returns the stored record with the kind and key of r.
func (p *probe) get(r storage.Record) storage.Record {
	p.Helper()
	got, err := p.store.Get(p.ctx, r.Kind, r.Key)
	require.NoError(p, err, "Get of a %s that was stored", r.Kind)
	return got
}

// stored requires that the stored record equals want.
func (p *probe) stored(want storage.Record) {
	p.Helper()
	p.same(want, p.get(want))
}

// missing requires that no records with these keys are stored.
func (p *probe) missing(recs ...storage.Record) {
	p.Helper()
	for _, r := range recs {
		_, err := p.store.Get(p.ctx, r.Kind, r.Key)
		require.ErrorIs(p, err, storage.ErrNotFound, "Get of a %s that was not stored", r.Kind)
	}
}

// unused requires that a failed write has left no usable record. In a store that
// spreads its writes they may be there, revoked.
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

// kept requires that a failed write has not changed the records. A store that
// spreads its writes may have revoked them.
func (p *probe) kept(recs ...storage.Record) {
	p.Helper()
	for _, r := range recs {
		if p.opts.Spread && p.get(r).State == storage.Revoked {
			r.State = storage.Revoked
		}
		p.stored(r)
	}
}

// state requires that the records are in the state.
func (p *probe) state(want storage.State, recs ...storage.Record) {
	p.Helper()
	for _, r := range recs {
		require.Equal(p, stateName(want), stateName(p.get(r).State), "State of a %s", r.Kind)
	}
}

// same requires that two records are equal. Lists and data are compared by
// content and times as instants, and the times that the store returned are in UTC.
func (p *probe) same(want, got storage.Record) {
	p.Helper()
	require.Equal(p, want.Kind, got.Kind, "Kind")
	require.Equal(p, want.Key, got.Key, "Key")
	require.Equal(p, stateName(want.State), stateName(got.State), "State")
	require.Equal(p, want.GrantID, got.GrantID, "GrantID")
	require.Equal(p, want.ClientID, got.ClientID, "ClientID")
	require.Equal(p, want.Subject, got.Subject, "Subject")
	// Nil and empty lists are the same.
	require.True(p, slices.Equal(want.Scope, got.Scope), "Scope: want %q, got %q", want.Scope, got.Scope)
	require.True(p, slices.Equal(want.Audience, got.Audience), "Audience: want %q, got %q", want.Audience, got.Audience)
	require.True(p, string(want.Data) == string(got.Data), "Data: %d bytes, want %d", len(got.Data), len(want.Data))
	p.sameTime("IssuedAt", want.IssuedAt, got.IssuedAt)
	p.sameTime("ExpiresAt", want.ExpiresAt, got.ExpiresAt)
	require.True(p, got.IssuedAt.Location() == time.UTC, "IssuedAt: want a time in UTC, got %s", rfc3339(got.IssuedAt))
	require.True(p, got.ExpiresAt.Location() == time.UTC, "ExpiresAt: want a time in UTC, got %s", rfc3339(got.ExpiresAt))
}

// sameTime requires that two times are the same instant. A store may drop the part
// that is finer than a millisecond.
func (p *probe) sameTime(field string, want, got time.Time) {
	p.Helper()
	require.Equal(p, want.IsZero(), got.IsZero(), "%s: zero", field)
	diff := want.Sub(got)
	require.True(p, diff > -time.Millisecond && diff < time.Millisecond, "%s: want %s, got %s", field, rfc3339(want.UTC()), rfc3339(got))
	if want.Nanosecond()%int(time.Millisecond) == 0 {
		require.True(p, diff == 0, "%s: want %s, got %s", field, rfc3339(want.UTC()), rfc3339(got))
	}
}

// rfc3339 returns a time as messages have it.
func rfc3339(t time.Time) string { return t.Format(time.RFC3339Nano) }

// stateName returns the name of a state's constant, for messages.
func stateName(s storage.State) string {
	names := [...]string{"none (0)", "Pending", "Active", "Spent", "Denied", "Revoked"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("none (%d)", s)
}

// with returns a copy of r in another state.
func with(r storage.Record, s storage.State) storage.Record {
	r.State = s
	return r
}
