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
	maxScheduled        = 1024
)

// ScheduledKey is a key and the moment from which it signs, until the next one does.
type ScheduledKey struct {
	Key       Key
	NotBefore time.Time // zero: since ever
}

// KeySource is where the instances of a server learn of the scheduled keys: a table, a secret store, a directory of
// files. All instances read the same one. Add a key at least PublishAhead before it signs, and do not change its NotBefore after
// that.
type KeySource interface {
	// ScheduledKeys returns at least one and at most 1024 keys, in any order, each ID once.
	ScheduledKeys(ctx context.Context) ([]ScheduledKey, error)
}

// Schedule returns a KeySource that is fixed.
func Schedule(keys ...ScheduledKey) KeySource { return fixedSchedule{slices.Clone(keys)} }

type fixedSchedule struct{ keys []ScheduledKey }

func (s fixedSchedule) ScheduledKeys(context.Context) ([]ScheduledKey, error) { return s.keys, nil }

// Format keeps fmt from walking into the private keys.
func (s fixedSchedule) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "tokens.Schedule") }

// Rotation is Keys that change by themselves. What signs and what is published is a function of the schedule and the
// time and of nothing else, so all instances agree, also two that start at the same moment:
//
//   - the key with the latest NotBefore that is not in the future signs;
//   - a key is published from PublishAhead before its NotBefore on, so that nobody's cached JWK Set lacks it when it
//     first signs;
//   - and until Keep after the next key's NotBefore, so that the last token it signed verifies to its end.
//
// Use it by pointer; the zero value needs a Source. It is safe for concurrent use. Fields are not changed in use.
type Rotation struct {
	// Source of the schedule. Required.
	Source KeySource
	// PublishAhead must be longer than caches of the JWK Set live, Refresh, and the difference of the instances' clocks
	// together. Default 24 hours. It must be more than 0.
	PublishAhead time.Duration
	// Keep must be at least the longest life of a token. Default 24 hours. It must be more than 0.
	Keep time.Duration
	// Refresh is how long the answer of Source is used before it is asked again. When it fails, the last answer stays in
	// use. Default 0: it is asked every time, which suits a source that answers from memory. Shorter than PublishAhead.
	Refresh time.Duration

	mu     sync.Mutex
	sorted []ScheduledKey // by NotBefore; replaced whole, never written to
	asked  time.Time      // when the source was last asked
}

var _ Keys = (*Rotation)(nil)

// Validate returns an error for every field that is missing or wrong. It does not ask the source.
func (r *Rotation) Validate() error {
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

// Signing returns the key whose turn it is. It returns an error if the schedule begins in the future, and if the key
// only verifies.
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
		return Key{}, fmt.Errorf("tokens: key %q only verifies, and it is its turn to sign", keys[at].Key.ID)
	}
	return keys[at].Key, nil
}

// Published returns the signing key, those that it has succeeded less than Keep ago, and those that will sign
// within PublishAhead, oldest first.
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

// current returns the index of the key that signs at the time, or -1.
func current(sorted []ScheduledKey, now time.Time) int {
	for i := len(sorted) - 1; i >= 0; i-- {
		if !now.Before(sorted[i].NotBefore) {
			return i
		}
	}
	return -1
}

// schedule returns the keys in order, from the source or from its last answer.
func (r *Rotation) schedule(ctx context.Context) ([]ScheduledKey, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Refresh == 0 {
		return r.load(ctx)
	}
	r.mu.Lock()
	have, fresh := r.sorted, time.Since(r.asked) < r.Refresh
	if have != nil && !fresh {
		r.asked = time.Now() // this call asks; the others go on with what they have
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
	r.sorted, r.asked = loaded, time.Now()
	r.mu.Unlock()
	return loaded, nil
}

// load asks the source, and returns its keys checked and in an order that does not depend on the source's.
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

// Format keeps fmt from walking into the private keys.
func (r *Rotation) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "tokens.Rotation") }

func (r *Rotation) publishAhead() time.Duration { return cmp.Or(r.PublishAhead, defaultPublishAhead) }
func (r *Rotation) keep() time.Duration         { return cmp.Or(r.Keep, defaultKeep) }
