package storage

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// undoTime bounds the revocation that follows an Advance which failed half way, in each store.
const undoTime = 10 * time.Second

// Route returns a store that keeps records of the kinds in perKind there, and all others in defaultStore.
// It has Sweep if any of the stores has, and List if all of them do.
// It panics when a store is nil.
//
// # What it gives up
//
// Calls whose records all live in one store are as atomic as that store, and Advance spends there in any case: of
// any number of attempts one wins. Across stores there is no common transaction, and so:
//
//   - Advance spends first, together with what lives in the same store, and inserts elsewhere after that.
//     If an insert fails, or the spent record turns out to be revoked meanwhile, the grants of all that was
//     to be inserted are revoked in every store and the call fails. A token never exists without its consumption,
//     but a code may be spent without a token: the user starts again. If that revocation fails as well,
//     what was inserted lives until it expires; the error says so.
//   - A reader may see the code spent and the tokens not there yet, or the first of several tokens alone.
//   - ErrExists of an Advance or Insert may leave the code spent and the grant revoked.
//   - A process that dies between the stores leaves a spent code and too few tokens, never too many.
//   - What only a revocation can take back needs a grant: a write that spans stores is refused, before anything is
//     written, when one of the records to be inserted has no GrantID.
//
// Keep codes, access and refresh tokens in one store unless there is a reason to do otherwise. Every other kind that
// Grantwell writes goes alone, or begins a grant, so that it can live anywhere at no such cost.
func Route(defaultStore Records, perKind map[Kind]Records) Records {
	r := &router{perKind: map[Kind]int{}}
	add := func(s Records) int {
		if s == nil {
			panic("storage: Route: nil store")
		}
		for i, have := range r.stores {
			if t := reflect.TypeOf(s); t.Comparable() && t == reflect.TypeOf(have) && s == have {
				return i
			}
		}
		r.stores = append(r.stores, s)
		return len(r.stores) - 1
	}
	add(defaultStore)
	kinds := make([]Kind, 0, len(perKind))
	for k := range perKind {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds) // cursors name stores by number: the same configuration must number them alike
	for _, k := range kinds {
		r.perKind[k] = add(perKind[k])
	}
	lists, sweeps := true, false
	for _, s := range r.stores {
		_, l := s.(Lister)
		_, w := s.(Sweeper)
		lists, sweeps = lists && l, sweeps || w
	}
	return withPowers(r, lists, sweeps, r, r)
}

// router is what Route returns, less the powers that its stores do not have.
type router struct {
	stores  []Records // without duplicates; the first is the default
	perKind map[Kind]int
}

func (r *router) index(k Kind) int { return r.perKind[k] }

// split returns the records of each store, in the stores' order.
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

// Insert is atomic when one store keeps all of recs; see [Route].
func (r *router) Insert(ctx context.Context, recs ...Record) error {
	if err := validateAll(recs); err != nil {
		return err
	}
	parts := r.split(recs)
	if err := revocable(recs, parts, -1); err != nil {
		return err
	}
	var done []Record
	for i, part := range parts {
		if len(part) == 0 {
			continue
		}
		if err := r.stores[i].Insert(ctx, part...); err != nil {
			if done == nil {
				return err // one store alone has seen the call
			}
			return r.undo(ctx, err, append(done, part...))
		}
		done = append(done, part...)
	}
	return nil
}

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
	if err := revocable(inserts, parts, home); err != nil {
		return err
	}
	if err := r.stores[home].Advance(ctx, from, next, parts[home]...); err != nil {
		return err // the store has done nothing, nor has any other
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
	// A Revoke that overlapped may have passed the other stores before the inserts. It marks every record of
	// the grant before it passes them, this one among them: see Revoke.
	now, err := r.stores[home].Get(ctx, next.Kind, next.Key)
	switch {
	case err != nil:
		return r.undo(ctx, fmt.Errorf("storage: cannot tell whether the grant was revoked: %w", err), inserts)
	case now.State == Revoked && next.State != Revoked:
		return r.undo(ctx, ErrConflict, inserts)
	}
	return nil
}

// revocable refuses a write that spans stores, home among them if there is one, and that [router.undo] could not take back.
func revocable(recs []Record, parts [][]Record, home int) error {
	spans := 0
	for i, part := range parts {
		if i == home || len(part) > 0 {
			spans++
		}
	}
	if spans < 2 {
		return nil
	}
	for _, rec := range recs {
		if rec.GrantID == "" {
			return fmt.Errorf("storage: Route: a %s record without a grant cannot be written together with records of another store", rec.Kind)
		}
	}
	return nil
}

// undo revokes the grants of what may have been inserted and returns why, even if the caller is gone.
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

// Revoke passes over the stores as often as there are stores, so that nothing slips between them.
//
// An overlapping Advance spends, inserts elsewhere, then reads its record again. If it reads after a pass has marked
// that record, it sees the mark and revokes what it inserted. If it reads before, its inserts exist when
// the next pass begins, which marks them. So what is issued from a record that pass n marks is marked by pass n+1 at
// the latest, and in the same pass when it lives in the same store. Issuing goes from store to store without coming
// back to one (code, refresh token, access token): as many passes as stores reach the last of it.
func (r *router) Revoke(ctx context.Context, grantID string, kinds ...Kind) error {
	for range r.stores {
		if err := r.revokeAll(ctx, grantID, kinds); err != nil {
			return err
		}
	}
	return nil
}

// revokeAll goes on behind a store that fails: what can be revoked is.
func (r *router) revokeAll(ctx context.Context, grantID string, kinds []Kind) error {
	var errs []error
	for i, s := range r.stores {
		mine := kinds
		if len(kinds) > 0 {
			mine = nil
			for _, k := range kinds {
				if r.index(k) == i {
					mine = append(mine, k)
				}
			}
			if len(mine) == 0 {
				continue // no kind at all would mean every kind
			}
		}
		if err := s.Revoke(ctx, grantID, mine...); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Sweep sweeps the stores that can be swept, one after the other, up to limit records together.
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

// List pages through the stores in turn; its cursor is the number of the store and that store's own cursor.
// A page may hold fewer records than the limit at the end of each store.
func (r *router) List(ctx context.Context, q Query) ([]Record, string, error) {
	first, last := 0, len(r.stores)-1
	if q.Kind != "" {
		first = r.index(q.Kind)
		last = first
	}
	i := first
	if q.After != "" {
		number, inner, ok := strings.Cut(q.After, ".")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || strconv.Itoa(n) != number || n < first || n > last || n == first && inner == "" {
			return nil, "", errors.New("storage: not a cursor of this store")
		}
		i, q.After = n, inner
	}
	for {
		recs, next, err := r.stores[i].(Lister).List(ctx, q)
		switch {
		case err != nil:
			return nil, "", err
		case next != "":
			return r.mine(i, recs), strconv.Itoa(i) + "." + next, nil
		case i == last:
			return r.mine(i, recs), "", nil
		case len(recs) > 0:
			return r.mine(i, recs), strconv.Itoa(i+1) + ".", nil
		}
		i, q.After = i+1, ""
	}
}

// mine leaves out records of kinds that Get would look for elsewhere, left by another configuration.
func (r *router) mine(i int, recs []Record) []Record {
	return slices.DeleteFunc(recs, func(rec Record) bool { return r.index(rec.Kind) != i })
}

// withPowers returns s with those of the two powers that hold.
func withPowers(s Records, lists, sweeps bool, l Lister, w Sweeper) Records {
	type bare struct{ Records } // hides the methods that s has besides
	switch {
	case lists && sweeps:
		return struct {
			bare
			Lister
			Sweeper
		}{bare{s}, l, w}
	case lists:
		return struct {
			bare
			Lister
		}{bare{s}, l}
	case sweeps:
		return struct {
			bare
			Sweeper
		}{bare{s}, w}
	}
	return bare{s}
}
