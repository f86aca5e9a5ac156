package observe

import (
	"context"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// Records returns s with every call observed. The result is a [storage.Sweeper] and a
// [storage.Lister] if s is one. If o is nil, it returns s itself.
func Records(o Observer, s storage.Records) storage.Records {
	if o == nil || s == nil {
		return s
	}

	// The server finds a further interface by a type assertion, so the result must have
	// exactly those of s.
	r := records{o, s}
	sweeper, sweeps := s.(storage.Sweeper)
	lister, lists := s.(storage.Lister)
	switch {
	case sweeps && lists:
		return struct {
			records
			sweeping
			listing
		}{r, sweeping{o, sweeper}, listing{o, lister}}
	case sweeps:
		return struct {
			records
			sweeping
		}{r, sweeping{o, sweeper}}
	case lists:
		return struct {
			records
			listing
		}{r, listing{o, lister}}
	}
	return r
}

// records observes a [storage.Records].
type records struct {
	o Observer
	s storage.Records
}

// call observes one call about records of a kind.
func (r records) call(
	ctx context.Context,
	name string,
	kind storage.Kind,
	do func(context.Context) error,
) error {
	return r.o.do(ctx, Call{"records", name, string(kind)}, do)
}

// Insert implements [storage.Records].
func (r records) Insert(ctx context.Context, recs ...storage.Record) error {
	var kind storage.Kind
	if len(recs) > 0 {
		kind = recs[0].Kind
	}
	return r.call(ctx, "Insert", kind, func(ctx context.Context) error {
		return r.s.Insert(ctx, recs...)
	})
}

// Get implements [storage.Records].
func (r records) Get(ctx context.Context, kind storage.Kind, key string) (rec storage.Record, err error) {
	err = r.call(ctx, "Get", kind, func(ctx context.Context) error {
		rec, err = r.s.Get(ctx, kind, key)
		return err
	})
	return rec, err
}

// Advance implements [storage.Records].
func (r records) Advance(
	ctx context.Context,
	from storage.State,
	next storage.Record,
	inserts ...storage.Record,
) error {
	return r.call(ctx, "Advance", next.Kind, func(ctx context.Context) error {
		return r.s.Advance(ctx, from, next, inserts...)
	})
}

// Revoke implements [storage.Records]. Its call has no kind, because it may be about
// records of every kind.
func (r records) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	return r.call(ctx, "Revoke", "", func(ctx context.Context) error {
		return r.s.Revoke(ctx, grantID, kinds...)
	})
}

// sweeping observes a [storage.Sweeper].
type sweeping struct {
	o Observer
	s storage.Sweeper
}

// Sweep implements [storage.Sweeper].
func (s sweeping) Sweep(ctx context.Context, before time.Time, limit int) (n int, err error) {
	call := Call{Part: "records", Name: "Sweep"}
	err = s.o.do(ctx, call, func(ctx context.Context) error {
		n, err = s.s.Sweep(ctx, before, limit)
		return err
	})
	return n, err
}

// listing observes a [storage.Lister].
type listing struct {
	o Observer
	s storage.Lister
}

// List implements [storage.Lister].
func (l listing) List(ctx context.Context, q storage.Query) (recs []storage.Record, next string, err error) {
	call := Call{"records", "List", string(q.Kind)}
	err = l.o.do(ctx, call, func(ctx context.Context) error {
		recs, next, err = l.s.List(ctx, q)
		return err
	})
	return recs, next, err
}
