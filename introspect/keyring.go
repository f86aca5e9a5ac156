package introspect

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/grantwell/grantwell/internal/base/fetch"
	"github.com/grantwell/grantwell/internal/base/jws"
)

// The defaults of [LocalJWT], and lastGood, which is how long keys are used while
// they cannot be fetched anew.
const (
	defaultInterval = 10 * time.Second
	defaultMaxAge   = 15 * time.Minute
	lastGood        = 24 * time.Hour
)

// keyring has the keys of one issuer, fixed or fetched.
type keyring struct {
	fixed []jws.Key

	address  string // of a JWK Set; empty for fixed keys
	getter   *fetch.Getter
	policy   fetch.Policy
	document fetch.Document[[]jws.Key]
}

// newKeyring returns the keys of j, whose configuration was checked.
func newKeyring(j *LocalJWT) (*keyring, error) {
	if j.JWKSURI == "" {
		keys, err := jws.ParseSet(j.Keys, maxKeys)
		return &keyring{fixed: keys}, err
	}

	interval := cmp.Or(j.Interval, defaultInterval)
	maxAge := min(cmp.Or(j.MaxAge, defaultMaxAge), lastGood)
	return &keyring{
		address: j.JWKSURI,
		getter:  j.getter(),
		policy: fetch.Policy{
			MaxAge:     maxAge,
			Interval:   interval,
			Retry:      interval,
			MaxStale:   lastGood - maxAge,
			Background: true,
		},
	}, nil
}

// verify reports whether a key of the issuer verifies the token. The error says
// that the keys could not be had. If no known key fits, the keys are fetched
// again, unless that was done within the interval.
func (k *keyring) verify(ctx context.Context, signed *jws.Token) (bool, error) {
	if k.address == "" {
		_, ok := signed.Verify(candidates(k.fixed, signed.Header))
		return ok, nil
	}

	keys, err := k.document.Get(ctx, k.policy, anyKeys, k.load)
	if err != nil {
		return false, err
	}
	fitting := candidates(keys, signed.Header)
	if _, ok := signed.Verify(fitting); ok {
		return true, nil
	}
	if len(fitting) > 0 && signed.Header.KeyID != "" {
		return false, nil
	}

	if keys, err = k.document.Get(ctx, k.policy, noKeys, k.load); err != nil {
		return false, err
	}
	_, ok := signed.Verify(candidates(keys, signed.Header))
	return ok, nil
}

// anyKeys is satisfied by any keys. noKeys is satisfied by none, so that they are
// fetched if the interval allows it.
func anyKeys([]jws.Key) bool { return true }
func noKeys([]jws.Key) bool  { return false }

// candidates returns the keys that may have signed the token. A token that
// names a key is verified by keys of that name only.
func candidates(keys []jws.Key, h jws.Header) []jws.Key {
	if h.KeyID != "" {
		keys = slices.DeleteFunc(slices.Clone(keys), func(k jws.Key) bool { return k.ID != h.KeyID })
	}
	return jws.Candidates(keys, h)
}

// load fetches the keys.
func (k *keyring) load(ctx context.Context) ([]jws.Key, time.Duration, error) {
	data, err := k.getter.Get(ctx, k.address)
	if err != nil {
		return nil, 0, err
	}
	keys, err := jws.ParseSet(data, maxKeys)
	if err != nil {
		return nil, 0, err
	}
	// A set without keys is a mistake far more often than a decision.
	if len(keys) == 0 {
		return nil, 0, errors.New("no key that verifies signatures")
	}
	return keys, 0, nil
}
