package grantwell

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// A consent is one record for a client and a user. It grows as the user allows more, and ends for good when it is
// withdrawn, because a record's state never goes back: what the user allows after that is the next generation,
// under a key of its own. Codes and tokens name the generation that they rest on, so that ending a consent is
// one write and takes all of them with it.

func consentKey(clientID, subject string, generation int) string {
	return storage.JoinKey("consent", clientID, subject, strconv.Itoa(generation))
}

// maxGenerations bounds the search; nobody withdraws and renews a consent that often.
const maxGenerations = 1000

// consentOf finds the live consent, or the generation that a new one would be. One that was given to an earlier
// holder of the client's ID is not live.
func (s *Server) consentOf(ctx context.Context, c *storage.Client, subject string) (rec storage.Record, generation int, err error) {
	for generation = 1; generation <= maxGenerations; generation++ {
		rec, err = s.cfg.Records.Get(ctx, storage.Consent, consentKey(c.ID, subject, generation))
		if errors.Is(err, storage.ErrNotFound) {
			return storage.Record{}, generation, nil
		}
		if err != nil || rec.State == storage.Active && !c.Ended(rec.IssuedAt) {
			return rec, generation, err
		}
	}
	return storage.Record{}, 0, errors.New("grantwell: the consent was renewed too often")
}

// Consented returns the scopes that the user granted to the client for good; nil if none.
func (s *Server) Consented(ctx context.Context, clientID, subject string) ([]string, error) {
	c, err := s.known.Client(ctx, clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	rec, _, err := s.consentOf(ctx, &c, subject)
	return rec.Scope, err
}

// RevokeConsent withdraws what the user granted to the client. From then on, on every instance, the
// codes and tokens that rest on it are refused, and the user is asked again. No consent is no error.
func (s *Server) RevokeConsent(ctx context.Context, clientID, subject string) error {
	for {
		rec, _, err := s.consentOf(ctx, &storage.Client{ID: clientID}, subject) // whoever had the ID
		if err != nil || rec.State != storage.Active {
			return err
		}
		rec.State = storage.Revoked
		if err = s.cfg.Records.Advance(ctx, storage.Active, rec); err != nil && !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}

// RevokeGrant ends a family: its code, its refresh tokens and its access tokens.
func (s *Server) RevokeGrant(ctx context.Context, grantID string) error {
	return s.cfg.Records.Revoke(ctx, grantID)
}

// rememberConsent stores what the user allowed, if it is to be remembered, and returns the generation that
// tokens rest on: 0 when there is none.
func (s *Server) rememberConsent(ctx context.Context, c *storage.Client, a *Approval) (int, error) {
	for {
		rec, generation, err := s.consentOf(ctx, c, a.Subject)
		if err != nil {
			return 0, err
		}
		more := slices.ContainsFunc(a.Scope, func(v string) bool { return !slices.Contains(rec.Scope, v) })
		switch {
		case rec.State == storage.Active && (!more || !a.Remember):
			return generation, nil // what was allowed only once rests on it too, so that withdrawing it ends all
		case !a.Remember:
			return 0, nil
		case rec.State == storage.Active:
			for _, v := range a.Scope {
				if !slices.Contains(rec.Scope, v) {
					rec.Scope = append(slices.Clone(rec.Scope), v)
				}
			}
			err = s.cfg.Records.Advance(ctx, storage.Active, rec)
		default:
			err = s.cfg.Records.Insert(ctx, storage.Record{Kind: storage.Consent, Key: consentKey(c.ID, a.Subject, generation), State: storage.Active,
				GrantID: newID(), ClientID: c.ID, Subject: a.Subject, Scope: a.Scope, IssuedAt: nowUTC()})
		}
		if err == nil {
			return generation, nil
		}
		if !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrExists) {
			return 0, err
		}
	}
}

// checkConsent refuses what rests on a consent that was withdrawn.
func (s *Server) checkConsent(ctx context.Context, clientID, subject string, generation int) error {
	if generation == 0 {
		return nil
	}
	rec, err := s.cfg.Records.Get(ctx, storage.Consent, consentKey(clientID, subject, generation))
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return grants.Unavailable(err)
	}
	if err != nil || rec.State != storage.Active {
		return grants.InvalidGrant("the user's consent was withdrawn")
	}
	return nil
}
