package grantwell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// tally is what a register holds: the guesses of one key that count.
type tally struct {
	Tries  []try `json:"tries,omitempty"`
	Closed bool  `json:"closed,omitempty"` // the last version of its era
}

// try is one guess.
type try struct {
	ID     string `json:"id"`
	At     int64  `json:"at"` // when it began, or failed: microseconds since 1970
	Failed bool   `json:"failed,omitempty"`
}

// since returns a copy with the guesses after t.
func (t tally) since(after time.Time) tally {
	return t.filter(func(x try) bool { return x.At > after.UnixMicro() })
}

func (t tally) without(id string) tally {
	return t.filter(func(x try) bool { return x.ID != id })
}

func (t tally) filter(keep func(try) bool) tally {
	var out tally
	for _, x := range t.Tries {
		if keep(x) {
			out.Tries = append(out.Tries, x)
		}
	}
	return out
}

// full returns how long the failures leave no room for a guess; zero: there is room, or guesses under way may make it.
// With overdue, those that have been under way for too long are failures too.
func (t tally) full(now time.Time, limit Limit, overdue bool) time.Duration {
	var failed []int64
	for _, x := range t.Tries {
		if x.Failed || overdue && now.Sub(time.UnixMicro(x.At)) >= guessLease {
			failed = append(failed, x.At)
		}
	}
	if len(failed) < limit.Failures {
		return 0
	}
	slices.Sort(failed)
	return max(time.UnixMicro(failed[len(failed)-limit.Failures]).Add(limit.Window).Sub(now), 0)
}

// register is one value in a store, which all instances change one after another: version n+1 is inserted by who knows
// version n, and the store lets one win. No version is ever changed or taken back.
//
// Versions of an era, two windows long, expire together, so that none is missing before another. An era ends with a closed
// version, behind which nobody writes; the next era begins with what it says. What is older than
// the era before this one is older than the window.
type register struct {
	records storage.Records
	key     string
	limit   Limit

	held    chan struct{} // a lock that can be waited for until a deadline
	era     int64
	version int // the newest known of the era; -1: none, and tally is what the era before left
	tally   tally
}

func (r *register) hold(ctx context.Context) error {
	select {
	case r.held <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *register) release() { <-r.held }

func (r *register) eraOf(t time.Time) int64 {
	return t.UnixMicro() / (2 * r.limit.Window).Microseconds()
}

// recordKey is the key of a version of the era.
func (r *register) recordKey(version int) string {
	return storage.JoinKey(r.key, strconv.FormatInt(r.era, 10), strconv.Itoa(version))
}

// put makes next the version after the newest known; ErrExists if there is one already.
func (r *register) put(ctx context.Context, next tally) error {
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	end := time.UnixMicro((r.era + 2) * (2 * r.limit.Window).Microseconds())
	err = r.records.Insert(ctx, storage.Record{Kind: Guesses, Key: r.recordKey(r.version + 1), State: storage.Spent,
		IssuedAt: time.Now().UTC(), ExpiresAt: end.UTC(), Data: data})
	if err == nil {
		r.version, r.tally = r.version+1, next
	}
	return err
}

// at reads a version of the era.
func (r *register) at(ctx context.Context, version int) (t tally, ok bool, err error) {
	rec, err := r.records.Get(ctx, Guesses, r.recordKey(version))
	if errors.Is(err, storage.ErrNotFound) {
		return t, false, nil
	}
	if err == nil {
		if err = json.Unmarshal(rec.Data, &t); err != nil {
			err = fmt.Errorf("a tally of guesses is damaged: %w", err)
		}
	}
	return t, err == nil, err
}

// settle brings the register to its newest version, in the era of now or a later one that somebody has begun.
func (r *register) settle(ctx context.Context, now time.Time) error {
	era := r.eraOf(now)
	if r.era < era-1 {
		r.era, r.version, r.tally = era-1, -1, tally{}
	}
	for {
		if err := r.catchUp(ctx); err != nil {
			return err
		}
		switch {
		case r.tally.Closed:
			r.era, r.version, r.tally.Closed = r.era+1, -1, false
		case r.era >= era:
			return nil
		default:
			last := r.tally.since(now.Add(-r.limit.Window))
			last.Closed = true
			if err := r.put(ctx, last); err != nil && !errors.Is(err, storage.ErrExists) {
				return err
			}
		}
	}
}

// catchUp finds the newest version of the era: by strides that double, then by halves. Where there is a version
// there are all before it.
func (r *register) catchUp(ctx context.Context) error {
	missing, stride := -1, 1
	for !r.tally.Closed && missing != r.version+1 {
		probe := r.version + stride
		if missing >= 0 {
			probe = (r.version + missing) / 2
		}
		t, ok, err := r.at(ctx, probe)
		switch {
		case err != nil:
			return err
		case ok:
			r.version, r.tally, stride = probe, t, stride*2
		default:
			missing = probe
		}
	}
	return nil
}
