package grants

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/grantwell/grantwell/internal/base/peer"
	"github.com/grantwell/grantwell/internal/base/visible"
	"github.com/grantwell/grantwell/storage"
)

// Limiter bounds guesses at secrets that people choose, and the work that callers
// without credentials can cause. Package grants/limit has two implementations.
type Limiter interface {
	// Attempt asks to make one guess that is counted by key. The part of the key
	// before the first colon is its kind: "user", "client" or "client/" with a class,
	// "addr", "assertion" or "waiting" (see grants/limit). A kind that an
	// implementation does not know is not limited.
	//
	// A wait above zero refuses the guess and says after how long another may be
	// made. Otherwise the caller makes its guess and then calls done once, with the
	// outcome. A guess counts from Attempt until done, so that any number of guesses
	// at the same moment does not pass the limit.
	Attempt(ctx context.Context, key string) (done func(success bool), wait time.Duration, err error)
}

// Guess runs one attempt at a user's password within the limits of l, for the user
// and for the address. The password grant uses it; a host's login page should use
// it too, so that both share one limit. It returns a *Error: invalid_grant for a
// wrong password, status 429 past a limit, status 503 if the user store failed.
func Guess(
	ctx context.Context,
	l Limiter,
	username string,
	remote netip.Addr,
	attempt func() (User, error),
) (User, error) {
	var dones []func(bool)
	finish := func(ok bool) {
		for _, done := range dones {
			done(ok)
		}
	}

	// The address comes first: past its limit, a caller must not be able to lock
	// users out by naming them. Requests without an address are not counted by it, or
	// one caller could lock out all of them.
	keys := []string{"addr:" + peer.Neighbourhood(remote), "user:" + storage.Key(visible.Fold(username))}
	if !remote.IsValid() {
		keys = keys[1:]
	}
	for _, key := range keys {
		done, wait, err := l.Attempt(ctx, key)
		if err != nil || wait > 0 {
			finish(true) // no guess was made, so none counts
			if err != nil {
				return User{}, Unavailable(err)
			}
			return User{}, TooManyTries(wait)
		}
		dones = append(dones, done)
	}

	ok := false
	defer func() { finish(ok) }() // also when attempt panics

	user, err := attempt()
	switch {
	case errors.Is(err, ErrWrongPassword):
		return User{}, InvalidGrant("%w", err).For(ReasonPassword)
	case err != nil:
		ok = true
		return User{}, Unavailable(fmt.Errorf("grants: authenticator: %w", err))
	}
	ok = true

	return user, nil
}
