package storagetest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// sweep calls Sweep and returns the number of removed records.
func (p *probe) sweep(before time.Time, limit int) int {
	p.Helper()
	n, err := p.store.(storage.Sweeper).Sweep(p.ctx, before, limit)
	require.NoError(p, err, "Sweep")
	return n
}

// left returns how many of the records are still stored.
func (p *probe) left(recs []storage.Record) int {
	p.Helper()
	n := 0
	for _, r := range recs {
		if _, err := p.store.Get(p.ctx, r.Kind, r.Key); err == nil {
			n++
		} else {
			require.ErrorIs(p, err, storage.ErrNotFound)
		}
	}
	return n
}

// expiredStay requires that a record stays after it has expired, until it is
// swept. The server can then tell a late replay of a token from random text.
func expiredStay(p *probe) {
	for i, age := range []time.Duration{time.Millisecond, time.Second, time.Hour, 400 * 24 * time.Hour, 55 * 365 * 24 * time.Hour} {
		r := p.record(storage.Refresh, fmt.Sprint(i), "g")
		r.ExpiresAt = r.IssuedAt.Add(-age)
		p.insert(r)
		p.stored(r)
		require.ErrorIs(p, p.store.Insert(p.ctx, r), storage.ErrExists, "Insert over an expired record")
		require.NoError(p, p.store.Advance(p.ctx, storage.Active, with(r, storage.Spent)))
		p.stored(with(r, storage.Spent))
		require.NoError(p, p.store.Revoke(p.ctx, r.GrantID))
		p.stored(with(r, storage.Revoked))
	}
	edge := p.record(storage.Refresh, "1970", "g")
	edge.ExpiresAt = time.Unix(0, 0).UTC() // a time long ago, which is not never
	p.insert(edge)
	p.stored(edge)
}

// sweepExpired requires that a sweep removes the records which expired before the
// given time, and no others.
func sweepExpired(p *probe) {
	now := time.Now().UTC().Truncate(time.Second)
	at := func(name string, s storage.State, expires time.Time) storage.Record {
		r := with(p.record(storage.Refresh, name, "g"), s)
		r.ExpiresAt = expires
		return r
	}
	var gone []storage.Record
	for _, s := range states {
		gone = append(gone, at(fmt.Sprint("gone", s), s, now.Add(-time.Hour)))
	}
	gone = append(gone, at("1970", storage.Active, time.Unix(0, 0)), at("just", storage.Active, now.Add(-time.Millisecond)))
	shortened := at("shortened", storage.Active, now.Add(time.Hour))
	never := at("never", storage.Spent, time.Time{})
	extended := at("extended", storage.Active, now.Add(-time.Hour))
	kept := []storage.Record{
		never, at("edge", storage.Active, now), at("soon", storage.Spent, now.Add(time.Millisecond)),
		at("later", storage.Revoked, now.Add(time.Hour)), at("9999", storage.Active, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)),
	}
	p.insert(append(append([]storage.Record{shortened, extended}, gone...), kept...)...)

	// The expiry of the last write counts.
	shortened.ExpiresAt, extended.ExpiresAt = now.Add(-time.Minute), now.Add(time.Minute)
	require.NoError(p, p.store.Advance(p.ctx, storage.Active, shortened))
	require.NoError(p, p.store.Advance(p.ctx, storage.Active, extended))
	gone, kept = append(gone, shortened), append(kept, extended)

	require.Zero(p, p.sweep(time.Unix(0, 0).Add(-time.Hour), 100), "nothing had expired by then")
	require.Equal(p, len(gone), p.left(gone))
	require.Equal(p, len(gone), p.sweep(now, 100))
	p.missing(gone...)
	for _, r := range kept {
		p.stored(r)
	}
	require.Zero(p, p.sweep(now, 100), "swept already")

	// The key of a removed record is free, and the indexes are consistent.
	p.insert(gone[0])
	require.NoError(p, p.store.Revoke(p.ctx, p.grant("g")))
	p.state(storage.Revoked, gone[0], never, extended)
}

// sweepLimit requires that a sweep removes at most limit records and returns their
// number.
func sweepLimit(p *probe) {
	var old []storage.Record
	add := func(n int) {
		var batch []storage.Record
		for range n {
			r := p.record(storage.Code, fmt.Sprint(len(old)+len(batch)), fmt.Sprint("g", len(batch)%7))
			r.ExpiresAt = r.IssuedAt.Add(-time.Hour)
			batch = append(batch, r)
		}
		p.insert(batch...)
		old = append(old, batch...)
	}
	add(25)
	now := time.Now()
	for _, want := range []int{10, 10, 5, 0} {
		before := p.left(old)
		require.Equal(p, want, p.sweep(now, 10))
		require.Equal(p, want, before-p.left(old), "records that are gone")
	}
	for range 11 {
		add(100)
	}
	require.Equal(p, 1000, p.sweep(now, 0), "a limit below 1 is 1000")
	require.Equal(p, 100, p.left(old))
	require.Equal(p, 100, p.sweep(now, -1))
}
