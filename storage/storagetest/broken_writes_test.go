package storagetest

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/grantwell/grantwell/storage"
)

// advance returns a hook that replaces Advance.
func advance(f func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error) func(*hooked) {
	return func(h *hooked) { h.advance = f }
}

// wrongWinners are stores in which not exactly one of several attempts succeeds.
func wrongWinners() []wrong {
	return []wrong{
		{"advance reads, then writes", []string{"OneWinner", "SingleUse"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			now, err := s.Get(ctx, next.Kind, next.Key)
			if err != nil {
				return err
			}
			if now.State != from {
				return storage.ErrConflict
			}
			runtime.Gosched()
			for {
				now, err := s.Get(ctx, next.Kind, next.Key)
				if err != nil {
					return err
				}
				if err := s.Advance(ctx, now.State, next, inserts...); !errors.Is(err, storage.ErrConflict) {
					return err
				}
			}
		})},
		{"under contention no call succeeds", []string{"OneWinner", "SingleUse"}, func(h *hooked) {
			var inFlight atomic.Int32
			h.advance = func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
				defer inFlight.Add(-1)
				mine := inFlight.Add(1)
				for range 20 {
					runtime.Gosched()
				}
				if mine > 1 || inFlight.Load() > 1 {
					return storage.ErrConflict
				}
				return s.Advance(ctx, from, next, inserts...)
			}
		}},
		{"losers get an error of the store", []string{"OneWinner", "SingleUse", "AdvanceWrongState"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			if err := s.Advance(ctx, from, next, inserts...); err != nil {
				return errors.New("40001")
			}
			return nil
		})},
	}
}

// wrongAdvances are stores whose Advance does too little, too much, or in two
// steps.
func wrongAdvances() []wrong {
	return []wrong{
		{"advance changes the state alone", []string{"AdvanceReplaces", "AdvanceInPlace"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			now, err := s.Get(ctx, next.Kind, next.Key)
			if err != nil {
				return err
			}
			return s.Advance(ctx, from, with(now, next.State), inserts...)
		})},
		{"no update in place", []string{"AdvanceInPlace"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			if from == next.State {
				return storage.ErrConflict
			}
			return s.Advance(ctx, from, next, inserts...)
		})},
		{"advance stores what is missing", []string{"AdvanceMissing", "KindsSeparate"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			if err := s.Advance(ctx, from, next, inserts...); !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			return s.Insert(ctx, append([]rec{next}, inserts...)...)
		})},
		{"missing is a conflict", []string{"AdvanceMissing", "ConflictBeforeExists"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			err := s.Advance(ctx, from, next, inserts...)
			if errors.Is(err, storage.ErrNotFound) {
				return storage.ErrConflict
			}
			return err
		})},
		{"advance ignores from", []string{"AdvanceWrongState", "Revoke"}, advance(func(s mem, ctx ctxt, _ storage.State, next rec, inserts []rec) error {
			now, err := s.Get(ctx, next.Kind, next.Key)
			if err != nil {
				return err
			}
			return s.Advance(ctx, now.State, next, inserts...)
		})},
		{"advance inserts in spite of a conflict", []string{"AdvanceWrongState", "OneWinner", "SingleUse"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			err := s.Advance(ctx, from, next, inserts...)
			if errors.Is(err, storage.ErrConflict) {
				_ = s.Insert(ctx, inserts...)
			}
			return err
		})},
		{"advance spends, then inserts", []string{"AdvanceTakenKey", "NeverHalf"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			if err := s.Advance(ctx, from, next); err != nil {
				return err
			}
			runtime.Gosched()
			return s.Insert(ctx, inserts...)
		})},
		{"advance inserts, then spends", []string{"AdvanceMissing", "NeverHalf"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			if err := s.Insert(ctx, inserts...); err != nil {
				return err
			}
			runtime.Gosched()
			return s.Advance(ctx, from, next)
		})},
		{"taken key before conflict", []string{"ConflictBeforeExists"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			for _, r := range inserts {
				if _, err := s.Get(ctx, r.Kind, r.Key); err == nil {
					return storage.ErrExists
				}
			}
			return s.Advance(ctx, from, next, inserts...)
		})},
		{"advance keeps the grant", []string{"AdvanceMovesGrant"}, advance(func(s mem, ctx ctxt, from storage.State, next rec, inserts []rec) error {
			now, err := s.Get(ctx, next.Kind, next.Key)
			if err != nil {
				return err
			}
			next.GrantID = now.GrantID
			return s.Advance(ctx, from, next, inserts...)
		})},
	}
}

// naiveRevoke is "update where grant": it changes the rows that were there when it began.
func naiveRevoke(s mem, ctx ctxt, grant string, kinds []storage.Kind, match func(rec) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if grant == "" {
		return nil
	}
	var rows []rec
	for _, r := range whole(ctx, s, storage.Query{}) {
		if r.GrantID == grant && (len(kinds) == 0 || slices.Contains(kinds, r.Kind)) && match(r) {
			rows = append(rows, r)
		}
	}
	runtime.Gosched()
	for _, r := range rows {
		force(ctx, s, r, storage.Revoked)
	}
	return nil
}

func wrongRevokes() []wrong {
	revoke := func(f func(s mem, ctx ctxt, grant string, kinds []storage.Kind) error) func(*hooked) {
		return func(h *hooked) { h.revoke = f }
	}
	naive := func(match func(rec) bool) func(*hooked) {
		return revoke(func(s mem, ctx ctxt, grant string, kinds []storage.Kind) error {
			return naiveRevoke(s, ctx, grant, kinds, match)
		})
	}
	byGrant := func(same func(stored, asked string) bool) func(*hooked) {
		return revoke(func(s mem, ctx ctxt, grant string, kinds []storage.Kind) error {
			for _, r := range whole(ctx, s, storage.Query{}) {
				if r.GrantID != "" && same(r.GrantID, grant) {
					if err := s.Revoke(ctx, r.GrantID, kinds...); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return []wrong{
		{"revoke misses what is inserted meanwhile", []string{"RevokeRacesAdvance", "RevokeRacesChain", "RevokeKindRacesChain"}, naive(func(rec) bool { return true })},
		{"revoke of what is active", []string{"Revoke", "RevokeByKind"}, naive(func(r rec) bool { return r.State == storage.Active })},
		{"revoke spares what is spent", []string{"Revoke", "RevokeByKind"}, naive(func(r rec) bool { return r.State != storage.Spent })},
		{"revoke spares what is pending", []string{"Revoke", "RevokeByKind"}, naive(func(r rec) bool { return r.State != storage.Pending })},
		{"revoke of tokens alone", []string{"Revoke"}, naive(func(r rec) bool { return r.Kind == storage.Access || r.Kind == storage.Refresh })},
		{"revoke ignores kinds", []string{"RevokeByKind"}, revoke(func(s mem, ctx ctxt, grant string, _ []storage.Kind) error { return s.Revoke(ctx, grant) })},
		{"revoke heeds one kind", []string{"RevokeByKind"}, revoke(func(s mem, ctx ctxt, grant string, kinds []storage.Kind) error {
			return s.Revoke(ctx, grant, kinds[:min(1, len(kinds))]...)
		})},
		{"revoke of no grant hits all that have none", []string{"RevokeNothing"}, revoke(func(s mem, ctx ctxt, grant string, kinds []storage.Kind) error {
			if grant != "" {
				return s.Revoke(ctx, grant, kinds...)
			}
			for _, r := range whole(ctx, s, storage.Query{}) {
				if r.GrantID == "" {
					force(ctx, s, r, storage.Revoked)
				}
			}
			return nil
		})},
		{"revoke of no grant hits everything", []string{"RevokeNothing"}, byGrant(func(stored, asked string) bool { return asked == "" || stored == asked })},
		{"revoke of an unknown grant is an error", []string{"RevokeNothing"}, revoke(func(s mem, ctx ctxt, grant string, kinds []storage.Kind) error {
			if len(whole(ctx, s, storage.Query{GrantID: grant})) == 0 {
				return storage.ErrNotFound
			}
			return s.Revoke(ctx, grant, kinds...)
		})},
		{"grants without case", []string{"RevokeExact"}, byGrant(strings.EqualFold)},
		{"grants trimmed", []string{"RevokeExact"}, byGrant(func(stored, asked string) bool { return strings.TrimSpace(stored) == strings.TrimSpace(asked) })},
		{"grants by prefix", []string{"RevokeExact"}, byGrant(strings.HasPrefix)},
		{"revoke of a thousand", []string{"RevokeLarge"}, revoke(func(s mem, ctx ctxt, grant string, kinds []storage.Kind) error {
			rows := whole(ctx, s, storage.Query{GrantID: grant})
			for _, r := range rows[:min(1000, len(rows))] {
				force(ctx, s, r, storage.Revoked)
			}
			return nil
		})},
	}
}
