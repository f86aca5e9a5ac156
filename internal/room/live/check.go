package live

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// CheckKeys refuses keys that are not complete, and those that leave the published set
// before the tokens that they signed have expired, because resources would then refuse
// live tokens.
func CheckKeys(keys tokens.Keys, lifetime time.Duration) error {
	if v, ok := keys.(interface{ Check() error }); ok {
		if err := v.Check(); err != nil {
			return fmt.Errorf("Keys: %w", err)
		}
	}
	if kept := KeptFor(keys); kept > 0 && kept < lifetime {
		return fmt.Errorf("Keys: are kept for %v after they signed, and access tokens live for %v", kept, lifetime)
	}

	return nil
}

// KeptFor returns how long keys stay published after they signed last; 0: for ever, or
// it is not known.
func KeptFor(keys tokens.Keys) time.Duration {
	if r, ok := keys.(interface{ KeepFor() time.Duration }); ok {
		return r.KeepFor()
	}

	return 0
}

// Check reports whether the records, the clients and, if tokens are signed, the keys
// answer now. Clients are the host's. Stores are the values that may have a check of
// their own.
func (r *Room) Check(ctx context.Context, clients storage.Clients) error {
	var errs []error
	failed := func(part string, err error) {
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			errs = append(errs, fmt.Errorf("grantwell: Config.%s: %w", part, err))
		}
	}

	_, err := r.Records.Get(ctx, storage.Used, storage.Key(rand.Text()))
	failed("Records", err)
	_, err = clients.Client(ctx, rand.Text())
	failed("Clients", err)
	type checker interface {
		Check(ctx context.Context) error
	}
	if c, ok := r.Records.(checker); ok {
		failed("Records", c.Check(ctx))
	}
	if c, ok := clients.(checker); ok {
		failed("Clients", c.Check(ctx))
	}
	if r.Forms.JWT != nil {
		_, err = r.Forms.JWT.Mint(ctx, tokens.Claims{
			Issuer:    r.Issuer,
			Subject:   "check",
			ClientID:  "check",
			Audience:  []string{"check"},
			ID:        rand.Text(),
			IssuedAt:  time.Unix(1, 0),
			ExpiresAt: time.Unix(2, 0), // long over, so the token is good for nothing
		})
		failed("Keys", err)
	}

	return errors.Join(errs...)
}
