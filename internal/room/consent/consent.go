// Package consent remembers what users granted to clients.
//
// A consent is one record for a client and a user. It grows as the user allows more,
// and it ends for good when it is withdrawn, because the state of a record never goes
// back. What the user allows after that is the next generation, under a key of its
// own. Codes and tokens name the generation that they rest on, so one write ends a
// consent and everything that rests on it.
//
// The first generation is never removed. Once it has ended, its data names the
// latest generation: finding that takes three reads, however many have ended.
package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// maxBeyond bounds the search for the latest generation, if the first one does not
// name it. An instance of an earlier version did not write the name.
const maxBeyond = 1000

// data is the data of the record of a consent.
type data struct {
	// Latest is the latest generation. Only the first one has it, once there is another.
	Latest int `json:"latest,omitempty"`
	// Shown is what the user allowed, by audience.
	Shown shown `json:"shown,omitempty"`
}

func (d data) encode() ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("grantwell: encoding a consent: %w", err)
	}

	return b, nil
}

func key(clientID, subject string, generation int) string {
	return storage.JoinKey("consent", clientID, subject, strconv.Itoa(generation))
}

// Find returns the live consent of a user for a client, or a record without a state
// and the generation that a new consent would be. A consent that was given to an
// earlier holder of the client's ID is not live.
func (r *Room) Find(ctx context.Context, c *storage.Client, subject string) (storage.Record, int, error) {
	p, err := r.find(ctx, c, subject)
	if err != nil || p.live {
		return p.latest, p.generation, err
	}

	return storage.Record{}, p.next(), nil
}

// A place is what find learned about the consents of one user for one client.
type place struct {
	// first is the first generation. It has no state if there is none.
	first storage.Record

	// latest is the last generation. It has no state if there is none.
	latest     storage.Record
	generation int

	// live reports whether latest may be used.
	live bool
}

// next returns the generation that a new consent is.
func (p *place) next() int { return p.generation + 1 }

// find reads the first generation, the one that it names, and those that follow:
// in general none.
func (r *Room) find(ctx context.Context, c *storage.Client, subject string) (p place, err error) {
	generation := 1
	for range maxBeyond {
		rec, err := r.Records.Get(ctx, storage.Consent, key(c.ID, subject, generation))
		if errors.Is(err, storage.ErrNotFound) {
			return p, nil
		}
		if err != nil {
			return p, err
		}

		p.latest = rec
		p.generation = generation
		if rec.State == storage.Active && !c.Ended(rec.IssuedAt) {
			p.live = true
			return p, nil
		}

		generation++
		if p.generation > 1 {
			continue
		}
		p.first = rec
		d, err := readData(rec.Data)
		if err != nil {
			return p, err
		}
		generation = max(generation, d.Latest)
	}

	return p, errors.New("grantwell: the consent was renewed too often")
}

// readData decodes the data of a consent.
func readData(b []byte) (d data, err error) {
	if len(b) == 0 {
		return d, nil
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("grantwell: the data of a stored consent: %w", err)
	}
	if d.Latest < 0 {
		return d, errors.New("grantwell: the data of a stored consent names no generation")
	}

	return d, nil
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
	scope, audience []string,
	remember bool,
	now time.Time,
) (int, error) {
	for {
		p, err := r.find(ctx, c, subject)
		if err != nil {
			return 0, err
		}

		if !p.live && !remember {
			return 0, nil
		}
		generation := p.generation
		rec := p.latest
		if !p.live {
			rec = storage.Record{}
		}
		given := readShown(&rec)
		more := given.add(scope, audience)
		switch {
		case p.live && (!more || !remember):
			// What is allowed only this time rests on the consent too, so that its
			// withdrawal ends all that the client has.
			return generation, nil
		case p.live:
			err = r.extend(ctx, rec, scope, audience, given)
		default:
			generation = p.next()
			err = r.begin(ctx, p, given, storage.Record{
				Kind:     storage.Consent,
				Key:      key(c.ID, subject, generation),
				State:    storage.Active,
				GrantID:  r.Families.New(),
				ClientID: c.ID,
				Subject:  subject,
				Scope:    scope,
				Audience: audience,
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

// extend adds what the user allowed to a live consent.
func (r *Room) extend(ctx context.Context, rec storage.Record, scope, audience []string, given shown) error {
	d, err := readData(rec.Data)
	if err != nil {
		return err
	}
	d.Shown = given
	if rec.Data, err = d.encode(); err != nil {
		return err
	}
	rec.Scope = union(rec.Scope, scope)
	rec.Audience = union(rec.Audience, audience)

	return r.Records.Advance(ctx, storage.Active, rec)
}

// begin stores a new generation and, in the same write, names it in the first one.
// Of any number of calls at the same moment, one stores the generation.
func (r *Room) begin(ctx context.Context, p place, given shown, next storage.Record) (err error) {
	if next.Data, err = (data{Shown: given}).encode(); err != nil {
		return err
	}
	if p.generation == 0 {
		return r.Records.Insert(ctx, next)
	}

	// The consent of an earlier holder of the client's ID is not live, but it may
	// be active. It ends here, so that no generation but the latest is active and
	// Revoke finds all of them.
	if p.latest.State == storage.Active {
		p.latest.State = storage.Revoked
		if err := r.Records.Advance(ctx, storage.Active, p.latest); err != nil {
			return err
		}
		if p.generation == 1 {
			p.first.State = storage.Revoked
		}
	}

	if p.first.Data, err = (data{Latest: p.next()}).encode(); err != nil {
		return err
	}

	return r.Records.Advance(ctx, p.first.State, p.first, next)
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
