package storagetest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// advanceReplaces requires that an Advance replaces every field of the record and
// stores the inserts.
func advanceReplaces(p *probe) {
	code := p.record(storage.Code, "code", "g")
	access, refresh := p.record(storage.Access, "access", "g"), p.record(storage.Refresh, "refresh", "g")
	p.insert(code)
	next := code
	next.State = storage.Spent
	next.ClientID, next.Subject = "another", "bob"
	next.Scope, next.Audience = []string{"less"}, nil
	next.IssuedAt, next.ExpiresAt = code.IssuedAt.Add(time.Second), code.ExpiresAt.Add(24*time.Hour)
	next.Data = []byte(`{"second":true}`)
	require.NoError(p, p.store.Advance(p.ctx, storage.Active, next, access, refresh))
	p.stored(next)
	p.stored(access)
	p.stored(refresh)

	// An expiry can be removed and set again.
	next.ExpiresAt = time.Time{}
	require.NoError(p, p.store.Advance(p.ctx, storage.Spent, next))
	p.stored(next)
	require.NoError(p, p.store.Advance(p.ctx, storage.Spent, code))
	p.stored(code)
}

// advanceInPlace requires that a record can be changed without a new state.
func advanceInPlace(p *probe) {
	consent := p.record(storage.Consent, "consent", "g")
	p.insert(consent)
	for _, more := range []string{"b", "c"} {
		consent.Scope = append(consent.Scope[:len(consent.Scope):len(consent.Scope)], more)
		require.NoError(p, p.store.Advance(p.ctx, storage.Active, consent))
		p.stored(consent)
	}
	require.ErrorIs(p, p.store.Advance(p.ctx, storage.Pending, with(consent, storage.Pending)), storage.ErrConflict)
	p.stored(consent)
}

// advanceMissing requires ErrNotFound for a record that is not stored, and that
// nothing is inserted.
func advanceMissing(p *probe) {
	code, access := p.record(storage.Code, "code", "g"), p.record(storage.Access, "access", "g")
	for _, from := range states {
		require.ErrorIs(p, p.store.Advance(p.ctx, from, with(code, storage.Spent), access), storage.ErrNotFound)
		p.missing(code, access)
	}
}

// advanceWrongState requires ErrConflict for a record in another state, and that
// nothing is changed. The store compares with from, not with next.
func advanceWrongState(p *probe) {
	access := p.record(storage.Access, "access", "g")
	for _, have := range states {
		code := with(p.record(storage.Code, string(rune('0'+have)), "g"), have)
		p.insert(code)
		for _, from := range states {
			if from == have {
				continue
			}
			next := with(code, from)
			next.Subject = "another subject"
			require.ErrorIs(p, p.store.Advance(p.ctx, from, next, access), storage.ErrConflict, "stored %d, from %d", have, from)
			p.stored(code)
			p.missing(access)
		}
	}
}

// advanceTakenKey requires ErrExists if one of the inserts has a taken key, in any
// position, and that the record is then not spent.
func advanceTakenKey(p *probe) {
	taken := p.record(storage.Refresh, "taken", "other")
	p.insert(taken)
	round := func(name string) (code, spent, access, refresh storage.Record) {
		code = p.record(storage.Code, "code"+name, name)
		p.insert(code)
		return code, with(code, storage.Spent), p.record(storage.Access, "access"+name, name), p.record(storage.Refresh, "refresh"+name, name)
	}
	for i := range 5 {
		code, spent, access, refresh := round(fmt.Sprint(i))
		inserts := [][]storage.Record{{taken, access}, {access, refresh, taken}, {access, access}, {access, code}, {access, spent}}[i]
		require.ErrorIs(p, p.store.Advance(p.ctx, storage.Active, spent, inserts...), storage.ErrExists)
		p.kept(code, taken)
		p.unused(access, refresh)
		if p.opts.Spread {
			continue // the code may be spent and the grant revoked
		}
		// The failed attempt has left nothing behind.
		require.NoError(p, p.store.Advance(p.ctx, storage.Active, spent, access, refresh))
		p.stored(spent)
		p.stored(refresh)
	}
}

// conflictBeforeExists requires that a wrong state wins over a taken key. The
// server treats ErrConflict as a replay.
func conflictBeforeExists(p *probe) {
	code, taken := p.record(storage.Code, "code", "g"), p.record(storage.Refresh, "taken", "other")
	p.insert(with(code, storage.Spent), taken)
	err := p.store.Advance(p.ctx, storage.Active, with(code, storage.Spent), taken)
	require.ErrorIs(p, err, storage.ErrConflict)
	require.NotErrorIs(p, err, storage.ErrExists)
	err = p.store.Advance(p.ctx, storage.Active, p.record(storage.Code, "none", "g"), taken)
	require.ErrorIs(p, err, storage.ErrNotFound)
	require.NotErrorIs(p, err, storage.ErrExists)
	p.stored(taken)
}

// advanceMovesGrant requires that a record which an Advance moved to another grant
// is revoked with that grant only.
func advanceMovesGrant(p *probe) {
	for _, to := range []string{p.grant("new"), ""} {
		r := p.record(storage.Interaction, "moved to "+to, "old")
		p.insert(r)
		r.GrantID = to
		require.NoError(p, p.store.Advance(p.ctx, storage.Active, r))
		require.NoError(p, p.store.Revoke(p.ctx, p.grant("old")))
		p.stored(r)
		if to != "" {
			require.NoError(p, p.store.Revoke(p.ctx, to))
			p.state(storage.Revoked, r)
		}
	}
}
