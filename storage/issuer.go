package storage

import (
	"context"
	"errors"

	"github.com/grantwell/grantwell/internal/base/ids"
)

// ForIssuer returns the part of inner that belongs to an issuer. Issuers that share
// one database, such as tenants, then never see each other's records: what one of them
// issued, asked or remembered is [ErrNotFound] for the others. It is a [Lister] and a
// [Sweeper] if inner is.
//
// The server wraps its own records so. A host needs it only where it hands the store
// of several issuers to something else, for example to an import of tokens or to
// package grants/limit. Wrapping twice for one issuer is wrapping once.
//
// # How records are kept apart
//
//   - A record with a grant, such as a code, a token or a consent, has the issuer's
//     mark at the end of its GrantID. A record whose GrantID has the mark of another
//     issuer is not found. The keys of codes and tokens stay what [Key] returns, so
//     that a host finds them in inner too.
//   - Keys of the kinds [DeviceCode], [UserCode], [Pushed], [Interaction], [Consent],
//     [Used] and of guesses that are counted are joined with the issuer, so that two
//     issuers may use the same identifier. In inner, such a record has another key
//     than the one that its owner asks for.
//   - Insert puts the mark behind a GrantID that has none, and Revoke finds the grant
//     under both names.
//
// # What is shared
//
// A record of a host's own kind is found by every issuer, unless its GrantID has a
// mark: the host's key says whose it is. The same holds for codes and tokens that were
// written into inner itself without a mark. Sweep removes the expired records of all
// issuers.
//
// # Listing
//
// List leaves out the records of other issuers, and those that have neither a grant
// nor a mark. A page may therefore be short, or empty while there is a next one.
func ForIssuer(inner Records, issuer string) Records {
	if inner == nil || issuer == "" {
		return inner
	}
	if have, ok := inner.(interface{ issuedBy() string }); ok && have.issuedBy() == issuer {
		return inner
	}

	p := &part{inner: inner, issuer: issuer, families: ids.FamiliesOf(issuer)}
	_, lists := inner.(Lister)
	sweeper, sweeps := inner.(Sweeper)
	switch {
	case lists && sweeps:
		return struct {
			*part
			lister
			Sweeper
		}{p, lister{p}, sweeper}
	case lists:
		return struct {
			*part
			lister
		}{p, lister{p}}
	case sweeps:
		return struct {
			*part
			Sweeper
		}{p, sweeper}
	}

	return p
}

// part is the store behind [ForIssuer].
type part struct {
	inner    Records
	issuer   string
	families ids.Families
}

func (p *part) issuedBy() string { return p.issuer }

// keyed reports whether keys of a kind are joined with the issuer. Records of these
// kinds may have no grant, or a key that is made of names instead of a random secret.
// Codes and tokens have neither: the mark of their grant decides.
func keyed(k Kind) bool {
	switch k {
	case DeviceCode, UserCode, Pushed, Interaction, Consent, Used, guess:
		return true
	}

	return false
}

// guess is the kind of the records in which package grants/limit counts.
const guess Kind = "guess"

// key returns the key of a record in inner.
func (p *part) key(kind Kind, key string) string {
	if !keyed(kind) {
		return key
	}

	return JoinKey("issuer", p.issuer, key)
}

// in returns a record as inner keeps it. The grant stays as it is if its ID is kept.
func (p *part) in(r Record, kept string) Record {
	r.Key = p.key(r.Kind, r.Key)
	if r.GrantID != "" && r.GrantID != kept && !ids.Marked(r.GrantID) {
		r.GrantID = p.families.Mark(r.GrantID)
	}

	return r
}

// changes reports whether a record is kept in inner in another form.
func (p *part) changes(r *Record, kept string) bool {
	return keyed(r.Kind) || r.GrantID != "" && r.GrantID != kept && !ids.Marked(r.GrantID)
}

// allIn returns records as inner keeps them. Most need no change, and cost no copy.
func (p *part) allIn(recs []Record, kept string) []Record {
	for i := range recs {
		if !p.changes(&recs[i], kept) {
			continue
		}
		out := make([]Record, len(recs))
		for k := range recs {
			out[k] = p.in(recs[k], kept)
		}
		return out
	}

	return recs
}

// check refuses a record that the caller cannot have read here, and one that inner
// would refuse if its key were not changed.
func (p *part) check(recs ...Record) error {
	for i := range recs {
		if keyed(recs[i].Kind) {
			if err := recs[i].Validate(); err != nil {
				return err
			}
		}
		if p.families.Foreign(recs[i].GrantID) {
			return errors.New("storage: ForIssuer: the grant of a record belongs to another issuer")
		}
	}

	return nil
}

// Insert implements [Records].
func (p *part) Insert(ctx context.Context, recs ...Record) error {
	if err := p.check(recs...); err != nil {
		return err
	}

	return p.inner.Insert(ctx, p.allIn(recs, "")...)
}

// Get implements [Records].
func (p *part) Get(ctx context.Context, kind Kind, key string) (Record, error) {
	rec, err := p.inner.Get(ctx, kind, p.key(kind, key))
	switch {
	case err != nil:
		return Record{}, err
	case p.families.Foreign(rec.GrantID):
		return Record{}, ErrNotFound
	}
	rec.Key = key

	return rec, nil
}

// Advance implements [Records]. A grant without a mark, which was written into inner
// itself, keeps its name: its other records have the same.
func (p *part) Advance(ctx context.Context, from State, next Record, inserts ...Record) error {
	if err := p.check(next); err != nil {
		return err
	}
	if err := p.check(inserts...); err != nil {
		return err
	}

	return p.inner.Advance(ctx, from, p.in(next, next.GrantID), p.allIn(inserts, next.GrantID)...)
}

// Check asks inner, if it has such a method, whether it answers now.
func (p *part) Check(ctx context.Context) error {
	if c, ok := p.inner.(interface{ Check(context.Context) error }); ok {
		return c.Check(ctx)
	}

	return nil
}

// Revoke implements [Records].
func (p *part) Revoke(ctx context.Context, grantID string, kinds ...Kind) error {
	if p.families.Foreign(grantID) {
		return nil // here is no such grant
	}
	err := p.inner.Revoke(ctx, grantID, kinds...)
	if err != nil || grantID == "" || ids.Marked(grantID) {
		return err
	}

	return p.inner.Revoke(ctx, p.families.Mark(grantID), kinds...)
}

// lister adds List to a part whose store has it.
type lister struct{ of *part }

// List implements [Lister].
func (l lister) List(ctx context.Context, q Query) ([]Record, string, error) {
	if l.of.families.Foreign(q.GrantID) {
		return nil, "", nil
	}
	recs, next, err := l.of.inner.(Lister).List(ctx, q)
	if err != nil {
		return nil, "", err
	}

	// A store returns copies, so that the page may be changed in place.
	own := recs[:0]
	for _, r := range recs {
		if l.of.families.Foreign(r.GrantID) || r.GrantID == "" && keyed(r.Kind) {
			continue
		}
		own = append(own, r)
	}

	return own, next, nil
}
