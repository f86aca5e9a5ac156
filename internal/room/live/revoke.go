package live

import (
	"context"
	"errors"
	"fmt"

	"github.com/grantwell/grantwell/storage"
)

// RevokeSubject ends all grants and consents of a user: it lists the user's records and
// revokes their families. A family that ends has no gap, and a token that a concurrent
// request issues belongs to one; only what begins while this runs stays.
func (r *Room) RevokeSubject(ctx context.Context, subject string) error {
	lister, ok := r.Records.(storage.Lister)
	if !ok {
		return fmt.Errorf("grantwell: RevokeSubject: Config.Records (%T) is no storage.Lister: it cannot be looked through", r.Records)
	}
	if subject == "" {
		return errors.New("grantwell: RevokeSubject: the subject is empty")
	}

	done := make(map[string]bool)
	for q := (storage.Query{Subject: subject, Limit: 1000}); ; {
		recs, next, err := lister.List(ctx, q)
		if err != nil {
			return err
		}
		for _, rec := range recs {
			if rec.GrantID == "" || done[rec.GrantID] || rec.Subject != subject {
				continue
			}
			if err := r.Records.Revoke(ctx, rec.GrantID); err != nil {
				return err
			}
			done[rec.GrantID] = true
		}
		if next == "" {
			return nil
		}
		q.After = next
	}
}
