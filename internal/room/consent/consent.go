// Package consent remembers what users granted to clients.
//
// A consent is one record for a client and a user. It grows as the user allows more,
// and it ends for good when it is withdrawn, because the state of a record never goes
// back. What the user allows after that is the next generation, under a key of its
// own. Codes and tokens name the generation that they rest on, so one write ends a
// consent and everything that rests on it.
package consent

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// Room keeps the consents.
type Room struct {
	Clients seam.Clients
	Records storage.Records
	// Families makes the IDs of grants.
	Families ids.Families
}

// maxGenerations bounds the search for the live generation.
const maxGenerations = 1000

func key(clientID, subject string, generation int) string {
	return storage.JoinKey("consent", clientID, subject, strconv.Itoa(generation))
}

// Find returns the live consent of a user for a client, or a record without a state
// and the generation that a new consent would be. A consent that was given to an
// earlier holder of the client's ID is not live.
func (r *Room) Find(ctx context.Context, c *storage.Client, subject string) (rec storage.Record, generation int, err error) {
	for generation = 1; generation <= maxGenerations; generation++ {
		rec, err = r.Records.Get(ctx, storage.Consent, key(c.ID, subject, generation))
		if errors.Is(err, storage.ErrNotFound) {
			return storage.Record{}, generation, nil
		}
		if err != nil || rec.State == storage.Active && !c.Ended(rec.IssuedAt) {
			return rec, generation, err
		}
	}

	return storage.Record{}, 0, errors.New("grantwell: the consent was renewed too often")
}

// Scopes returns the scopes that the user granted to the client and that are
// remembered; nil if there are none.
func (r *Room) Scopes(ctx context.Context, clientID, subject string) ([]string, error) {
	c, err := r.Clients.Client(ctx, clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	rec, _, err := r.Find(ctx, c, subject)

	return rec.Scope, err
}

// Revoke withdraws what the user granted to the client. No consent is no error.
func (r *Room) Revoke(ctx context.Context, clientID, subject string) error {
	anyHolder := &storage.Client{ID: clientID} // also a consent to an earlier holder of the ID
	for {
		rec, _, err := r.Find(ctx, anyHolder, subject)
		if err != nil || rec.State != storage.Active {
			return err
		}
		rec.State = storage.Revoked
		err = r.Records.Advance(ctx, storage.Active, rec)
		if err != nil && !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}

// Remember stores what the user allowed, if it is to be remembered, and returns the
// generation that tokens rest on; 0 if there is none.
func (r *Room) Remember(
	ctx context.Context,
	c *storage.Client,
	subject string,
	scope []string,
	remember bool,
	now time.Time,
) (int, error) {
	for {
		rec, generation, err := r.Find(ctx, c, subject)
		if err != nil {
			return 0, err
		}

		more := slices.ContainsFunc(scope, func(v string) bool { return !slices.Contains(rec.Scope, v) })
		switch {
		case rec.State == storage.Active && (!more || !remember):
			// What is allowed only this time rests on the consent too, so that its
			// withdrawal ends all that the client has.
			return generation, nil
		case !remember:
			return 0, nil
		case rec.State == storage.Active:
			rec.Scope = union(rec.Scope, scope)
			err = r.Records.Advance(ctx, storage.Active, rec)
		default:
			err = r.Records.Insert(ctx, storage.Record{
				Kind:     storage.Consent,
				Key:      key(c.ID, subject, generation),
				State:    storage.Active,
				GrantID:  r.Families.New(),
				ClientID: c.ID,
				Subject:  subject,
				Scope:    scope,
				IssuedAt: now,
			})
		}
		if err == nil {
			return generation, nil
		}
		// Another request changed the consent at the same moment: look again.
		if !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrExists) {
			return 0, err
		}
	}
}

func union(have, more []string) []string {
	out := slices.Clone(have)
	for _, v := range more {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}

	return out
}

// Check refuses what rests on a consent that was withdrawn.
func (r *Room) Check(ctx context.Context, clientID, subject string, generation int) error {
	if generation == 0 {
		return nil
	}

	rec, err := r.Records.Get(ctx, storage.Consent, key(clientID, subject, generation))
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return grants.Unavailable(err)
	}
	if err != nil || rec.State != storage.Active {
		return grants.InvalidGrant("the user's consent was withdrawn").For(grants.ReasonConsent)
	}

	return nil
}
