package introspect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// lastGood is how long keys serve while they cannot be fetched anew.
const lastGood = 24 * time.Hour

// keyring has the keys of one issuer, fixed or fetched.
type keyring struct {
	address                   string // empty: fixed keys
	client                    *http.Client
	timeout, interval, maxAge time.Duration
	flights                   flights[struct{}, []jws.Key]

	mu    sync.Mutex
	keys  []jws.Key
	got   time.Time // when keys were fetched
	tried time.Time // when the last fetch began
	err   error     // of the last fetch
}

func newKeyring(j *JWT) *keyring {
	orElse := func(d, otherwise time.Duration) time.Duration {
		if d == 0 {
			return otherwise
		}
		return d
	}
	k := &keyring{
		address: j.JWKSURI, client: j.Client,
		timeout: orElse(j.Timeout, defaultTimeout), interval: orElse(j.Interval, 10*time.Second), maxAge: orElse(j.MaxAge, 15*time.Minute),
	}
	if k.address == "" {
		k.keys, k.err = jws.ParseSet(j.Keys, maxKeys)
	} else if k.client == nil {
		k.client = fetchClient(j.RootCAs, j.AllowPrivate)
	}
	return k
}

// verify reports whether a key verifies the token. The error says that the keys could not be had. A key that is not
// known is looked for once more, unless that was done within the interval.
func (k *keyring) verify(ctx context.Context, signed *jws.Token) (bool, error) {
	keys, err := k.current(ctx)
	if err != nil {
		return false, err
	}
	fitting := candidates(keys, signed.Header)
	if _, ok := signed.Verify(fitting); ok {
		return true, nil
	}
	if k.address == "" || len(fitting) > 0 && signed.Header.KeyID != "" {
		return false, nil
	}
	if keys, err = k.refetch(ctx); err != nil {
		return false, err
	}
	_, ok := signed.Verify(candidates(keys, signed.Header))
	return ok, nil
}

// candidates returns the keys that may have signed the token. A token that names a key is verified by keys of
// that name only.
func candidates(keys []jws.Key, h jws.Header) []jws.Key {
	if h.KeyID != "" {
		keys = slices.DeleteFunc(slices.Clone(keys), func(k jws.Key) bool { return k.ID != h.KeyID })
	}
	return jws.Candidates(keys, h)
}

// current returns the keys at hand, and begins to fetch them anew when they have aged.
func (k *keyring) current(ctx context.Context) ([]jws.Key, error) {
	if k.address == "" {
		return k.keys, nil
	}
	k.mu.Lock()
	keys, age, due := k.keys, time.Since(k.got), k.due()
	k.mu.Unlock()
	switch {
	case keys == nil || age >= lastGood:
		return k.refetch(ctx)
	case age >= k.maxAge && due:
		background, stop := context.WithCancel(context.WithoutCancel(ctx))
		stop() // begin, and do not wait
		_, _ = k.refetch(background)
	}
	return keys, nil
}

// due reports whether the interval has passed since the last fetch began. k.mu is held.
func (k *keyring) due() bool { return k.tried.IsZero() || time.Since(k.tried) >= k.interval }

// refetch returns new keys, or what the last fetch brought if that was within the interval.
func (k *keyring) refetch(ctx context.Context) ([]jws.Key, error) {
	return k.flights.do(ctx, struct{}{}, k.timeout+time.Second, func(ctx context.Context) ([]jws.Key, error) {
		k.mu.Lock()
		if !k.due() {
			defer k.mu.Unlock()
			return k.keys, k.err
		}
		k.tried = time.Now()
		k.mu.Unlock()
		keys, err := k.fetch(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.err = err; err != nil {
			return nil, err
		}
		k.keys, k.got = keys, time.Now()
		return keys, nil
	})
}

func (k *keyring) fetch(ctx context.Context) ([]jws.Key, error) {
	data, err := fetch(ctx, k.client, k.timeout, k.address, jws.MaxSetSize, "application/json", "application/jwk-set+json")
	if err != nil {
		return nil, fmt.Errorf("introspect: JWKSURI: %w", err)
	}
	keys, err := jws.ParseSet(data, maxKeys)
	if err != nil {
		return nil, fmt.Errorf("introspect: JWKSURI: %w", err)
	}
	if len(keys) == 0 { // an emptied set is a mistake far more often than a decision
		return nil, errors.New("introspect: JWKSURI: no key that verifies signatures")
	}
	return keys, nil
}
