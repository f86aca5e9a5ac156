package storagetest

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// revoke requires that every record of a grant is revoked, in every state and of
// every kind, and that no record of another grant is changed.
func revoke(p *probe) {
	var recs []storage.Record
	for _, s := range states {
		for _, kind := range []storage.Kind{storage.Code, storage.Access, storage.Refresh, "hosts_own"} {
			recs = append(recs, with(p.record(kind, fmt.Sprint(s), "g"), s))
		}
	}
	p.insert(recs...)
	bystander := p.record(storage.Access, "bystander", "other")
	loner := p.record(storage.Access, "loner", "")
	loner.GrantID = ""
	p.insert(bystander, loner)

	for range 2 { // the second time is no error and changes nothing
		require.NoError(p, p.store.Revoke(p.ctx, p.grant("g")))
		for _, r := range recs {
			// Denied is final, so the store may leave it.
			if got := p.get(r); r.State == storage.Denied && got.State == storage.Denied {
				p.same(r, got)
			} else {
				p.same(with(r, storage.Revoked), got)
			}
		}
		p.stored(bystander)
		p.stored(loner)
	}

	// Revoked is final: no Advance leaves it.
	for _, r := range recs {
		for _, from := range []storage.State{storage.Pending, storage.Active, storage.Spent} {
			require.ErrorIs(p, p.store.Advance(p.ctx, from, with(r, storage.Spent), p.record(storage.Access, "after", "g")), storage.ErrConflict)
		}
	}
	p.missing(p.record(storage.Access, "after", "g"))
}

// revokeByKind requires that only the records of the named kinds are revoked.
func revokeByKind(p *probe) {
	code := with(p.record(storage.Code, "code", "g"), storage.Spent)
	access, refresh := p.record(storage.Access, "access", "g"), p.record(storage.Refresh, "refresh", "g")
	device := with(p.record(storage.DeviceCode, "device", "g"), storage.Pending)
	p.insert(code, access, refresh, device)

	// The grant has no record of this kind.
	require.NoError(p, p.store.Revoke(p.ctx, p.grant("g"), storage.Pushed))
	for _, r := range []storage.Record{code, access, refresh, device} {
		p.stored(r)
	}

	require.NoError(p, p.store.Revoke(p.ctx, p.grant("g"), storage.Access))
	p.stored(with(access, storage.Revoked))
	for _, r := range []storage.Record{code, refresh, device} {
		p.stored(r)
	}
	require.NoError(p, p.store.Revoke(p.ctx, p.grant("g"), storage.Code, storage.DeviceCode, storage.Pushed))
	p.state(storage.Revoked, access, code, device)
	p.stored(refresh)
}

// revokeNothing requires that a grant ID without records is no error and changes
// nothing. Above all, the empty one does not revoke the records without a grant.
func revokeNothing(p *probe) {
	r := p.record(storage.Access, "r", "g")
	loner := p.record(storage.Access, "loner", "")
	loner.GrantID = ""
	p.insert(r, loner)
	for _, grant := range []string{"", p.grant("unknown"), "%", "*", strings.Repeat("g", 300)} {
		require.NoError(p, p.store.Revoke(p.ctx, grant))
		require.NoError(p, p.store.Revoke(p.ctx, grant, storage.Access))
		p.stored(r)
		p.stored(loner)
	}
}

// revokeExact requires that grant IDs are compared byte for byte.
func revokeExact(p *probe) {
	var recs []storage.Record
	for i, grant := range []string{"grant", "Grant", "grant ", " grant", "gr_nt", "gr%", "gr*nt", "gr\u00e4nt", "gra\u0308nt", "grant:x"} {
		recs = append(recs, p.record(storage.Refresh, fmt.Sprint(i), grant))
	}
	p.insert(recs...)
	for i, r := range recs {
		require.NoError(p, p.store.Revoke(p.ctx, r.GrantID))
		p.state(storage.Revoked, recs[:i+1]...)
		p.state(storage.Active, recs[i+1:]...)
	}
}

// revokeLarge requires that every record of a grant with many records is revoked.
// A store that works in batches has to do all of them.
func revokeLarge(p *probe) {
	const batches, size = 12, 100
	var all []storage.Record
	for b := range batches {
		var batch []storage.Record
		for i := range size {
			batch = append(batch, p.record(storage.Access, fmt.Sprint(b, "-", i), "g"))
		}
		p.insert(batch...)
		all = append(all, batch...)
	}
	require.NoError(p, p.store.Revoke(p.ctx, p.grant("g"), storage.Access))
	p.state(storage.Revoked, all...)
}
