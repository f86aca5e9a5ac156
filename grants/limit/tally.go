package limit

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

// tally holds the guesses of one key that count.
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

// since returns a copy with the guesses after a time.
func (t tally) since(after time.Time) tally {
	return t.filter(func(x try) bool { return x.At > after.UnixMicro() })
}

// without returns a copy without one guess.
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

// full returns for how long the failures leave no room for a guess. Zero means that
// there is room, or that guesses under way may still make room. With overdue,
// guesses that have been under way for too long are failures too.
func (t tally) full(now time.Time, limit Limit, overdue bool) time.Duration {
	var failed []int64
	for _, x := range t.Tries {
		if x.Failed || overdue && now.Sub(time.UnixMicro(x.At)) >= lease {
			failed = append(failed, x.At)
		}
	}
	if len(failed) < limit.Failures {
		return 0
	}
	slices.Sort(failed)

	return max(time.UnixMicro(failed[len(failed)-limit.Failures]).Add(limit.Window).Sub(now), 0)
}

// counter is one value in a store that all instances change one after another. An
// instance that knows version n inserts version n+1, and the store lets one of them
// win. A version is never changed or taken back.
//
// Versions of an era, which is two windows long, expire together, so that none is
// missing before a later one. An era ends with a closed version, after which no
// instance writes in it; the next era begins with the contents of that version. What
// is older than the era before the current one is older than the window.
type counter struct {
	records storage.Records
	key     string
	limit   Limit

	lock    chan struct{} // a mutex that can be waited for until a deadline
	era     int64
	version int // the newest known of the era; -1: none, and tally is that of the era before
	tally   tally
}

func (c *counter) acquire(ctx context.Context) error {
	select {
	case c.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *counter) release() { <-c.lock }

func (c *counter) eraOf(t time.Time) int64 {
	return t.UnixMicro() / (2 * c.limit.Window).Microseconds()
}

// recordKey is the key of a version of the era.
func (c *counter) recordKey(version int) string {
	return storage.JoinKey(c.key, strconv.FormatInt(c.era, 10), strconv.Itoa(version))
}

// put stores next as the version after the newest known one. The error is
// storage.ErrExists if there is such a version already.
func (c *counter) put(ctx context.Context, next tally) error {
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}

	end := time.UnixMicro((c.era + 2) * (2 * c.limit.Window).Microseconds())
	err = c.records.Insert(ctx, storage.Record{
		Kind:      Guesses,
		Key:       c.recordKey(c.version + 1),
		State:     storage.Spent,
		IssuedAt:  time.Now().UTC(),
		ExpiresAt: end.UTC(),
		Data:      data,
	})
	if err == nil {
		c.version++
		c.tally = next
	}

	return err
}

// at reads a version of the era.
func (c *counter) at(ctx context.Context, version int) (t tally, ok bool, err error) {
	rec, err := c.records.Get(ctx, Guesses, c.recordKey(version))
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

// settle brings the counter to its newest version, in the era of now or in a later
// one that another instance has begun.
func (c *counter) settle(ctx context.Context, now time.Time) error {
	era := c.eraOf(now)
	if c.era < era-1 {
		c.begins(era-1, tally{})
	}

	for {
		if err := c.catchUp(ctx); err != nil {
			return err
		}
		switch {
		case c.tally.Closed:
			last := c.tally
			last.Closed = false
			c.begins(c.era+1, last)
		case c.era >= era:
			return nil
		default:
			last := c.tally.since(now.Add(-c.limit.Window))
			last.Closed = true
			if err := c.put(ctx, last); err != nil && !errors.Is(err, storage.ErrExists) {
				return err
			}
		}
	}
}

// begins moves the counter to an era of which it knows no version.
func (c *counter) begins(era int64, first tally) {
	c.era = era
	c.version = -1
	c.tally = first
}

// catchUp finds the newest version of the era, first by strides that double and then
// by halves. Where there is a version there are all earlier ones.
func (c *counter) catchUp(ctx context.Context) error {
	missing, stride := -1, 1
	for !c.tally.Closed && missing != c.version+1 {
		probe := c.version + stride
		if missing >= 0 {
			probe = (c.version + missing) / 2
		}
		t, ok, err := c.at(ctx, probe)
		switch {
		case err != nil:
			return err
		case ok:
			c.version = probe
			c.tally = t
			stride *= 2
		default:
			missing = probe
		}
	}

	return nil
}
