package storage

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// undoTime bounds the revocation that follows an Advance which failed between
// two stores.
const undoTime = 10 * time.Second

// Route returns a store that keeps the records of each kind in perKind in the
// store given there, and all other records in defaultStore. It is a [Sweeper]
// if one of the stores is, and a [Lister] if all of them are. It panics if a
// store is nil.
//
// # When it is atomic
//
// A call whose records all live in one store is as atomic as that store. An
// Advance spends its record there in any case: of any number of attempts exactly
// one succeeds.
//
// # What it gives up
//
// There is no transaction across stores:
//
//   - Advance first spends the record, together with the inserts that live in
//     the same store, and then inserts the others. If one of these inserts
//     fails, or the spent record was revoked meanwhile, the grants of all the
//     inserts are revoked in every store, and the call fails. So there is never
//     a token whose code is not spent, but a code may be spent without a token,
//     and the user has to start again. If that revocation fails too, the
//     inserted records live until they expire, and the error says so.
//   - A reader may see a code spent and its tokens not there yet, or only the
//     first of several tokens.
//   - An Advance or Insert that returns ErrExists may leave the code spent and
//     the grant revoked.
//   - A process that dies between two stores leaves a spent code and too few
//     tokens, never too many.
//   - Only a revocation can take back an insert, and it needs a grant. A write
//     across stores in which one of the inserted records has no GrantID is
//     refused before anything is written.
//
// # Which kinds to separate
//
// Keep codes, access tokens and refresh tokens in one store unless you have a
// reason not to. Grantwell writes every other kind alone or as the first record
// of a grant, so each of them can have a store of its own at no such cost.
func Route(defaultStore Records, perKind map[Kind]Records) Records {
	r := &router{perKind: map[Kind]int{}}
	r.add(defaultStore)

	// Cursors name a store by its number, so two instances with the same
	// configuration have to number the stores alike.
	kinds := make([]Kind, 0, len(perKind))
	for k := range perKind {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		r.perKind[k] = r.add(perKind[k])
	}

	lists, sweeps := true, false
	for _, s := range r.stores {
		_, isLister := s.(Lister)
		_, isSweeper := s.(Sweeper)
		lists = lists && isLister
		sweeps = sweeps || isSweeper
	}
	return withPowers(r, lists, sweeps, r, r)
}

// router is the store behind [Route]. It has Sweep and List whether or not its
// stores have them; withPowers hides what they do not have.
type router struct {
	stores  []Records // without duplicates; the first is the default
	perKind map[Kind]int
}

// add returns the number of the store, which is new or has been added before.
// One store that serves two kinds keeps its own atomicity across them.
func (r *router) add(s Records) int {
	if s == nil {
		panic("storage: Route: nil store")
	}
	for i, have := range r.stores {
		// A store of a type that cannot be compared is always a new one.
		t := reflect.TypeOf(s)
		if t.Comparable() && t == reflect.TypeOf(have) && s == have {
			return i
		}
	}
	r.stores = append(r.stores, s)
	return len(r.stores) - 1
}

// index returns the number of the store that keeps a kind.
func (r *router) index(k Kind) int { return r.perKind[k] }

// split returns the records of each store, in the order of the stores.
func (r *router) split(recs []Record) [][]Record {
	parts := make([][]Record, len(r.stores))
	for _, rec := range recs {
		i := r.index(rec.Kind)
		parts[i] = append(parts[i], rec)
	}
	return parts
}

func validateAll(recs []Record) error {
	for _, rec := range recs {
		if err := rec.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Insert is atomic if one store keeps all of recs; see [Route].
func (r *router) Insert(ctx context.Context, recs ...Record) error {
	if err := validateAll(recs); err != nil {
		return err
	}
	parts := r.split(recs)
	if err := checkRevocable(recs, parts, -1); err != nil {
		return err
	}

	var done []Record
	for i, part := range parts {
		if len(part) == 0 {
			continue
		}
		err := r.stores[i].Insert(ctx, part...)
		if err == nil {
			done = append(done, part...)
			continue
		}
		if done == nil {
			return err // the first store, and it has stored nothing
		}
		// The store may have stored the part although it failed, for example
		// when only its answer was lost.
		return r.undo(ctx, err, append(done, part...))
	}
	return nil
}

// Get asks the store of the kind.
func (r *router) Get(ctx context.Context, kind Kind, key string) (Record, error) {
	return r.stores[r.index(kind)].Get(ctx, kind, key)
}

// Advance spends first; see [Route].
func (r *router) Advance(ctx context.Context, from State, next Record, inserts ...Record) error {
	if err := validateAll(append([]Record{next}, inserts...)); err != nil {
		return err
	}
	home := r.index(next.Kind)
	parts := r.split(inserts)
	if err := checkRevocable(inserts, parts, home); err != nil {
		return err
	}

	// If this fails, neither this store nor any other has changed.
	if err := r.stores[home].Advance(ctx, from, next, parts[home]...); err != nil {
		return err
	}

	elsewhere := false
	for i, part := range parts {
		if i == home || len(part) == 0 {
			continue
		}
		elsewhere = true
		if err := r.stores[i].Insert(ctx, part...); err != nil {
			return r.undo(ctx, err, inserts)
		}
	}
	if !elsewhere {
		return nil
	}
	return r.checkUnrevoked(ctx, next, inserts)
}

// checkUnrevoked reads the spent record again after the inserts in other
// stores. A Revoke that ran at the same moment may have passed those stores
// before the inserts. It marks the records of the grant before it passes the
// next store, the spent record included: see [router.Revoke].
func (r *router) checkUnrevoked(ctx context.Context, next Record, inserts []Record) error {
	now, err := r.stores[r.index(next.Kind)].Get(ctx, next.Kind, next.Key)
	switch {
	case err != nil:
		cause := fmt.Errorf("storage: cannot tell whether the grant was revoked: %w", err)
		return r.undo(ctx, cause, inserts)
	case now.State == Revoked && next.State != Revoked:
		return r.undo(ctx, ErrConflict, inserts)
	}
	return nil
}

// checkRevocable refuses a write across stores that [router.undo] could not take
// back. home is the number of the store of the spent record, or -1.
func checkRevocable(recs []Record, parts [][]Record, home int) error {
	stores := 0
	for i, part := range parts {
		if i == home || len(part) > 0 {
			stores++
		}
	}
	if stores < 2 {
		return nil
	}
	for _, rec := range recs {
		if rec.GrantID == "" {
			return fmt.Errorf("storage: Route: a %s record without a grant cannot be written together with records of another store", rec.Kind)
		}
	}
	return nil
}

// undo revokes the grants of the records that may have been inserted, and
// returns the cause. It does so even if the caller's context has ended, because
// tokens that no caller received would stay valid otherwise.
func (r *router) undo(ctx context.Context, cause error, inserted []Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()

	var failed error
	var grants []string
	for _, rec := range inserted {
		if rec.GrantID != "" && !slices.Contains(grants, rec.GrantID) {
			grants = append(grants, rec.GrantID)
		}
	}
	for _, grant := range grants {
		failed = errors.Join(failed, r.revokeAll(ctx, grant, nil))
	}
	if failed != nil {
		return fmt.Errorf("%w; and what was inserted could not be revoked: %w", cause, failed)
	}
	return cause
}

// Revoke passes over all stores as many times as there are stores, so that a
// concurrent Advance cannot leave an active record behind.
//
// Such an Advance spends a record, inserts in other stores, and then reads the
// spent record again. If it reads after a pass has marked that record, it sees
// the mark and revokes what it inserted. If it reads before, its inserts exist
// when the next pass begins, and that pass marks them. So whatever is issued
// from a record that pass n marks is marked by pass n+1 at the latest, and by
// pass n itself if it lives in the same store.
//
// Issuing moves from store to store and never returns to an earlier one (code,
// refresh token, access token). So as many passes as there are stores reach the
// last record.
func (r *router) Revoke(ctx context.Context, grantID string, kinds ...Kind) error {
	for range r.stores {
		if err := r.revokeAll(ctx, grantID, kinds); err != nil {
			return err
		}
	}
	return nil
}

// revokeAll is one pass. It continues after a store that fails, so that as much
// as possible is revoked.
func (r *router) revokeAll(ctx context.Context, grantID string, kinds []Kind) error {
	var errs []error
	for i, s := range r.stores {
		mine := kinds
		if len(kinds) > 0 {
			mine = slices.DeleteFunc(slices.Clone(kinds), func(k Kind) bool { return r.index(k) != i })
			if len(mine) == 0 {
				continue // a call without kinds would revoke every kind
			}
		}
		if err := s.Revoke(ctx, grantID, mine...); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Sweep sweeps the stores that are a [Sweeper], one after the other. The limit
// holds for all of them together.
func (r *router) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	if limit < 1 {
		limit = 1000
	}
	removed := 0
	for _, s := range r.stores {
		w, ok := s.(Sweeper)
		if !ok {
			continue
		}
		// A limit of zero would be the default of the store.
		if removed == limit {
			break
		}
		n, err := w.Sweep(ctx, before, limit-removed)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}
