package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	defaultPublishAhead = 24 * time.Hour
	defaultKeep         = 24 * time.Hour
	maxScheduled        = 1024 // keys
)

// ScheduledKey is a key and the time from which it signs. It signs until the
// NotBefore of the next key.
type ScheduledKey struct {
	Key Key
	// NotBefore is when the key begins to sign. Zero: at any time.
	NotBefore time.Time
}

// KeySource holds the scheduled keys: a table, a secret store, a directory of
// files. All instances of a server read the same one. Add a key at least
// PublishAhead before it signs, and do not change its NotBefore after that.
type KeySource interface {
	// ScheduledKeys returns 1 to 1024 keys in any order, without repeated IDs.
	ScheduledKeys(ctx context.Context) ([]ScheduledKey, error)
}

// Schedule returns a KeySource that does not change.
func Schedule(keys ...ScheduledKey) KeySource { return fixedSchedule{slices.Clone(keys)} }

type fixedSchedule struct{ keys []ScheduledKey }

func (s fixedSchedule) ScheduledKeys(context.Context) ([]ScheduledKey, error) { return s.keys, nil }

// Format keeps package fmt from printing the private keys.
func (s fixedSchedule) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "tokens.Schedule") }

// Rotation is Keys that change by a schedule. The key that signs and the keys that
// are published depend on the schedule and the time alone, so all instances
// agree, even two that start at the same moment:
//
//   - The key with the latest NotBefore that is not in the future signs.
//   - A key is published from PublishAhead before its NotBefore. Every cached JWK
//     Set then has it when it first signs.
//   - It is published until Keep after the NotBefore of the next key. The last
//     token that it signed then verifies until it expires.
//
// Use it by pointer. It is safe for concurrent use. Set its fields before its
// first use.
type Rotation struct {
	// Source is the schedule. Required.
	Source KeySource
	// PublishAhead must be longer than the sum of three times: that for which
	// clients cache the JWK Set, Refresh, and the difference of the instances'
	// clocks. Zero means 24 hours.
	PublishAhead time.Duration
	// Keep must be at least the longest lifetime of a token. Zero means 24
	// hours.
	Keep time.Duration
	// Refresh is how long an answer of Source is used. If Source then fails,
	// its last answer stays in use. Zero: Source is asked every time, which
	// suits one that answers from memory. It must be shorter than
	// PublishAhead.
	Refresh time.Duration

	mu     sync.Mutex
	sorted []ScheduledKey // by NotBefore; the slice is replaced and not changed
	asked  time.Time      // when the source was last asked
}

var _ Keys = (*Rotation)(nil)

// Check returns an error for each field that is missing or wrong. It does not
// ask the source.
func (r *Rotation) Check() error {
	var errs []error
	if r.Source == nil {
		errs = append(errs, errors.New("tokens: Rotation.Source is required"))
	}
	if r.PublishAhead < 0 || r.Keep < 0 || r.Refresh < 0 {
		errs = append(errs, errors.New("tokens: Rotation.PublishAhead, Keep and Refresh must not be negative"))
	}
	if r.Refresh >= r.publishAhead() {
		errs = append(errs, errors.New("tokens: Rotation.Refresh must be shorter than PublishAhead"))
	}
	return errors.Join(errs...)
}

// Signing returns the key that signs now. It returns an error if the schedule
// begins in the future, or if that key only verifies.
func (r *Rotation) Signing(ctx context.Context) (Key, error) {
	keys, err := r.schedule(ctx)
	if err != nil {
		return Key{}, err
	}
	at := current(keys, time.Now())
	if at < 0 {
		return Key{}, errors.New("tokens: every scheduled key begins in the future")
	}
	if keys[at].Key.Signer == nil {
		return Key{}, fmt.Errorf("tokens: key %q is scheduled to sign, but only verifies", keys[at].Key.ID)
	}
	return keys[at].Key, nil
}

// Published returns the signing key, the keys that stopped to sign less than Keep
// ago, and those that will sign within PublishAhead, ordered by NotBefore.
func (r *Rotation) Published(ctx context.Context) ([]Key, error) {
	keys, err := r.schedule(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var out []Key
	for i, k := range keys {
		begins := !now.Before(k.NotBefore.Add(-r.publishAhead()))
		ended := i+1 < len(keys) && !now.Before(keys[i+1].NotBefore.Add(r.keep()))
		if begins && !ended {
			out = append(out, k.Key)
		}
	}
	return out, nil
}

// current returns the index of the key that signs at the time, or -1 if there is
// none.
func current(sorted []ScheduledKey, now time.Time) int {
	for i := len(sorted) - 1; i >= 0; i-- {
		if !now.Before(sorted[i].NotBefore) {
			return i
		}
	}
	return -1
}

// schedule returns the keys ordered by NotBefore, from the source or from its last
// answer.
func (r *Rotation) schedule(ctx context.Context) ([]ScheduledKey, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	if r.Refresh == 0 {
		return r.load(ctx)
	}

	r.mu.Lock()
	have := r.sorted
	fresh := time.Since(r.asked) < r.Refresh
	if have != nil && !fresh {
		// This call asks the source. The others use the last answer meanwhile.
		r.asked = time.Now()
	}
	r.mu.Unlock()
	if have != nil && fresh {
		return have, nil
	}

	loaded, err := r.load(ctx)
	if err != nil {
		if have != nil {
			return have, nil
		}
		return nil, err
	}
	r.mu.Lock()
	r.sorted = loaded
	r.asked = time.Now()
	r.mu.Unlock()
	return loaded, nil
}

// load asks the source and returns its keys, checked and ordered by NotBefore and
// ID. The order does not depend on that of the source.
func (r *Rotation) load(ctx context.Context) ([]ScheduledKey, error) {
	scheduled, err := r.Source.ScheduledKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("tokens: no key schedule: %w", err)
	}
	if len(scheduled) == 0 || len(scheduled) > maxScheduled {
		return nil, fmt.Errorf("tokens: the schedule has %d keys; 1 to %d are allowed", len(scheduled), maxScheduled)
	}
	sorted := slices.Clone(scheduled)
	slices.SortFunc(sorted, func(a, b ScheduledKey) int {
		return cmp.Or(a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.Key.ID, b.Key.ID))
	})
	keys := make([]Key, len(sorted))
	for i, k := range sorted {
		keys[i] = k.Key
	}
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	return sorted, nil
}

// Format keeps package fmt from printing the private keys.
func (r *Rotation) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "tokens.Rotation") }

func (r *Rotation) publishAhead() time.Duration { return cmp.Or(r.PublishAhead, defaultPublishAhead) }

// KeepFor returns how long a key stays published after it signed last: Keep, or what
// its zero value stands for.
func (r *Rotation) KeepFor() time.Duration {
	if r == nil {
		return defaultKeep
	}

	return r.keep()
}

func (r *Rotation) keep() time.Duration { return cmp.Or(r.Keep, defaultKeep) }
