// Package live judges whether a user is active, and whether an access or refresh token
// is live: the token itself, its client, its user and its consent.
package live

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/internal/room/consent"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// MaxToken bounds a token that is sent to the server, in bytes.
const MaxToken = 16 << 10

// Room looks tokens up and judges them.
type Room struct {
	Clients  seam.Clients
	Records  storage.Records
	Consents *consent.Room

	// SubjectActive reports whether a user may still have tokens; nil: all may.
	SubjectActive func(ctx context.Context, subject string) (bool, error)
	// Validate is the host's hook for every live token; nil: none.
	Validate func(ctx context.Context, t *introspect.Token) error

	// NotBefore ends everything that was issued before it; zero: nothing.
	NotBefore time.Time

	Forms Forms
	// TokenType and Issuer are members of every live token.
	TokenType string
	Issuer    string
	// Families makes the IDs of grants.
	Families ids.Families
}

// Found is a token and the record that it was found by. The record is the zero one
// for a token that is not recorded.
type Found struct {
	Token  *introspect.Token
	Record storage.Record
}

func dead(why introspect.Reason) *introspect.Token { return &introspect.Token{Reason: why} }

// Access looks an access token up and judges it. Asker is a client that was just
// looked up, or nil; it saves a look-up if the token is its own.
func (r *Room) Access(ctx context.Context, token string, asker *storage.Client) (Found, error) {
	ours := r.Forms.Ours(ctx, token)
	rec, err := record.Find(ctx, r.Records, storage.Access, token, ours, r.Forms.Imported)
	switch {
	case err == nil:
		t, err := r.judge(ctx, rec, asker)
		return Found{t, rec}, err
	case !errors.Is(err, storage.ErrNotFound):
		return Found{}, err
	case !ours || !r.Forms.Unrecorded:
		return Found{Token: dead(introspect.ReasonUnknown)}, nil
	}

	return r.unrecorded(ctx, token, asker)
}

// unrecorded judges a signed token of which the store knows nothing.
func (r *Room) unrecorded(ctx context.Context, token string, asker *storage.Client) (Found, error) {
	c, err := r.Forms.Signed().Verify(ctx, token)
	if errors.Is(err, tokens.ErrInvalid) {
		return Found{Token: dead(introspect.ReasonUnknown)}, nil
	} else if err != nil {
		return Found{}, err
	}

	t := &introspect.Token{
		Active:       true,
		Scope:        c.Scope,
		ClientID:     c.ClientID,
		TokenType:    r.TokenType,
		Subject:      c.Subject,
		Issuer:       r.Issuer,
		ID:           c.ID,
		Audience:     c.Audience,
		ExpiresAt:    c.ExpiresAt,
		IssuedAt:     c.IssuedAt,
		AuthTime:     c.AuthTime,
		NotBefore:    c.NotBefore,
		Confirmation: c.Confirmation,
		Extra:        c.Extra,
	}
	// A JWT's iat has whole seconds, rounded down. Of a token that was issued in the
	// second of its client's revocation, the server does not know whether it came
	// before, so it has ended too.
	t, err = r.alive(ctx, t, c.IssuedAt, 0, asker)

	return Found{Token: t}, err
}

// judge turns a record into an answer: state, time, client, user and consent, as
// they are now.
func (r *Room) judge(ctx context.Context, rec storage.Record, asker *storage.Client) (*introspect.Token, error) {
	switch {
	case rec.State != storage.Active:
		return dead(introspect.ReasonRevoked), nil
	case rec.Expired(time.Now()):
		return dead(introspect.ReasonExpired), nil
	}

	d, err := record.Decode(rec)
	if err != nil {
		return nil, err
	}
	t := &introspect.Token{
		Active:       true,
		Scope:        rec.Scope,
		ClientID:     rec.ClientID,
		TokenType:    r.TokenType,
		Subject:      rec.Subject,
		Issuer:       r.Issuer,
		ID:           d.ID,
		Audience:     rec.Audience,
		ExpiresAt:    rec.ExpiresAt,
		IssuedAt:     rec.IssuedAt,
		AuthTime:     record.Time(d.AuthTime),
		Confirmation: d.Confirmation,
		Extra:        d.Claims,
	}
	if rec.Kind == storage.Refresh {
		t.TokenType = "refresh_token"
	}

	return r.alive(ctx, t, rec.IssuedAt, int(d.Consent), asker)
}

// alive checks what may have ended since the token was issued, and asks the host.
func (r *Room) alive(
	ctx context.Context,
	t *introspect.Token,
	issuedAt time.Time,
	generation int,
	asker *storage.Client,
) (*introspect.Token, error) {
	client := asker
	if client == nil || client.ID != t.ClientID {
		var err error
		client, err = r.Clients.Client(ctx, t.ClientID)
		if errors.Is(err, storage.ErrNotFound) {
			return dead(introspect.ReasonClient), nil
		} else if err != nil {
			return nil, err
		}
	}
	if client.Disabled || client.Ended(issuedAt) || issuedAt.Before(r.NotBefore) {
		return dead(introspect.ReasonClient), nil
	}

	err := r.CheckSubject(ctx, t.ClientID, t.Subject)
	if err == nil {
		err = r.Consents.Check(ctx, t.ClientID, t.Subject, generation)
	}
	if err == nil && r.Validate != nil {
		t.Extra = maps.Clone(t.Extra)
		if t.Extra == nil {
			t.Extra = make(map[string]any)
		}
		err = r.Validate(ctx, t)
	}
	if err == nil {
		return t, nil
	}
	if e := grants.ErrorOf(err); e.Status >= 500 {
		return nil, err
	}

	return dead(introspect.ReasonRevoked), nil
}

// Lookup finds an access or a refresh token and judges it. The hint of RFC 7662
// section 2.1 says where to look first.
func (r *Room) Lookup(ctx context.Context, token, hint string, asker *storage.Client) (Found, error) {
	if hint != "refresh_token" {
		found, err := r.Access(ctx, token, asker)
		if err != nil || found.Token.Active || found.Record.Kind != "" {
			return found, err
		}
	}

	rec, err := r.Refresh(ctx, token)
	if err == nil {
		t, err := r.judge(ctx, rec, asker)
		return Found{t, rec}, err
	} else if !errors.Is(err, storage.ErrNotFound) {
		return Found{}, err
	}
	if hint == "refresh_token" {
		return r.Access(ctx, token, asker)
	}

	return Found{Token: dead(introspect.ReasonUnknown)}, nil
}

// Record returns the record of an access or refresh token, or [storage.ErrNotFound].
func (r *Room) Record(ctx context.Context, token string) (storage.Record, error) {
	ours := r.Forms.Ours(ctx, token)
	rec, err := record.Find(ctx, r.Records, storage.Access, token, ours, r.Forms.Imported)
	if errors.Is(err, storage.ErrNotFound) {
		return r.Refresh(ctx, token)
	}

	return rec, err
}

// Refresh returns the record of a refresh token, or [storage.ErrNotFound].
func (r *Room) Refresh(ctx context.Context, token string) (storage.Record, error) {
	_, err := r.Forms.Refresh.Verify(ctx, token)

	return record.Find(ctx, r.Records, storage.Refresh, token, err == nil, r.Forms.Imported)
}

// CheckUser refuses a user whose subject is a client's ID: a resource could not tell
// a token of that user from one that the client got for itself (RFC 9700 section
// 4.15).
func (r *Room) CheckUser(ctx context.Context, subject string) error {
	_, err := r.Clients.Client(ctx, subject)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil
	case err != nil:
		return grants.Unavailable(err)
	}

	return grants.InvalidGrant("the user's subject %q is the ID of a client", subject).For(grants.ReasonSubjectIsClient)
}

// CheckSubject refuses a user that the host has disabled. A client that acts for
// itself is checked as a client.
func (r *Room) CheckSubject(ctx context.Context, clientID, subject string) error {
	if r.SubjectActive == nil || subject == clientID {
		return nil
	}

	active, err := r.SubjectActive(ctx, subject)
	if err != nil {
		return grants.Unavailable(err)
	}
	if !active {
		return grants.InvalidGrant("the user is disabled").For(grants.ReasonSubjectDisabled)
	}

	return nil
}
