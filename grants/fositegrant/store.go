package fositegrant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"

	"github.com/grantwell/grantwell/storage"
)

// Storage stores among Grantwell's records what fosite's own handlers store. Make one with
// [Store].
//
// It guarantees what fosite's interfaces leave to the store:
//
//   - Every call returns new objects.
//   - Exactly one caller spends a code or a refresh token. Every other caller ends the
//     family.
//   - No token joins a family that has ended, although fosite stores the tokens of a code
//     one after another.
//   - The PKCE challenge is part of the code's record and cannot be removed from it.
//   - A spent refresh token is still recognized.
//   - Keys are digests, so that no code or token is stored.
//
// It cannot guarantee two things. fosite spends a code before it stores the tokens, so
// that a crash between the two costs the user another login. fosite does not say whose
// client assertion a jti is from, so that all clients share one set of used ones.
//
// fosite's handler for pushed authorization requests takes the client from the form after
// another client may have authenticated. Mount that endpoint only behind a check that the
// parameter client_id, if present, names the authenticated client.
//
// Not supported are private_key_jwt and the storage of fosite's handlers for the JWT
// bearer grant and for verifiable credentials. Use grants.JWTBearer and the client
// authentication of Grantwell.
type Storage struct {
	records storage.Records
	clients storage.Clients
}

var (
	_ fosite.Storage                     = (*Storage)(nil)
	_ oauth2.CoreStorage                 = (*Storage)(nil)
	_ oauth2.TokenRevocationStorage      = (*Storage)(nil)
	_ pkce.PKCERequestStorage            = (*Storage)(nil)
	_ fosite.PARStorage                  = (*Storage)(nil)
	_ openid.OpenIDConnectRequestStorage = (*Storage)(nil)
)

// Store returns a storage for fosite's handlers over Grantwell's records and clients. Call
// [Configure] with the configuration, and wrap the provider with [Provider]. Records are
// the store itself and not a part of it that storage.ForIssuer returns: fosite names
// grants by IDs of its own, which have no issuer's mark.
func Store(records storage.Records, clients storage.Clients) *Storage {
	return &Storage{records: records, clients: clients}
}

// spentLifetime is the least time for which a spent code is recognized. A spent refresh
// token is recognized until it would have expired, if that is later.
const spentLifetime = 24 * time.Hour

// errLost is the error of a caller that was not the one to spend a code or a refresh token.
// fosite answers it with server_error, and Provider with invalid_grant.
var errLost = errors.New("fositegrant: another request used it first; the family has ended")

// tokenType returns what fosite calls records of a kind; "" for those that are no token.
func tokenType(kind storage.Kind) fosite.TokenType {
	switch kind {
	case storage.Code, kindOpenID:
		return fosite.AuthorizeCode
	case storage.Access:
		return fosite.AccessToken
	case storage.Refresh:
		return fosite.RefreshToken
	}
	return ""
}

// find returns the record of a signature, its content and the fosite request that it
// stands for. into may be nil; if not, it is filled in place as the request's session.
func (s *Storage) find(
	ctx context.Context,
	kind storage.Kind,
	signature string,
	into fosite.Session,
) (rec storage.Record, d data, r *fosite.Request, err error) {
	if signature == "" {
		return rec, d, nil, fosite.ErrNotFound
	}
	rec, err = s.records.Get(ctx, kind, key(kind, signature))
	if err != nil {
		return rec, d, nil, notFound(err)
	}
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return rec, d, nil, fmt.Errorf("fositegrant: %s record data: %w", kind, err)
	}

	// fosite keeps a client with each request. Here the client is read anew, so that a
	// change of its registration counts at once.
	c, err := s.clients.Client(ctx, rec.ClientID)
	switch {
	case err != nil:
		return rec, d, nil, notFound(err)
	case c.Disabled:
		return rec, d, nil, fosite.ErrNotFound.WithWrap(
			errors.New("fositegrant: the client is disabled"),
		)
	case c.Ended(rec.IssuedAt):
		return rec, d, nil, fosite.ErrNotFound.WithWrap(
			errors.New("fositegrant: the client's tokens of that time have ended"),
		)
	}

	r, err = d.request(rec, client{grantClient{c}}, tokenType(kind), into)
	return rec, d, r, err
}

// join stores a record of a family, unless the family has ended. The first record of a
// family also stores the family's own record.
func (s *Storage) join(ctx context.Context, rec storage.Record) error {
	family := storage.Record{
		Kind:      kindFamily,
		Key:       storage.JoinKey("fosite family", rec.GrantID),
		State:     storage.Active,
		GrantID:   rec.GrantID,
		ClientID:  rec.ClientID,
		Subject:   rec.Subject,
		IssuedAt:  rec.IssuedAt,
		ExpiresAt: rec.ExpiresAt,
	}

	for {
		have, err := s.records.Get(ctx, kindFamily, family.Key)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			if err = s.records.Insert(ctx, family, rec); !errors.Is(err, storage.ErrExists) {
				return err
			}
			if _, taken := s.records.Get(ctx, rec.Kind, rec.Key); taken == nil {
				// The token exists already, and not only the family.
				return err
			}
			continue
		case err != nil:
			return err
		case have.State != storage.Active:
			return errLost
		}

		if have.ExpiresAt.Before(rec.ExpiresAt) {
			have.ExpiresAt = rec.ExpiresAt
		}

		// This write leaves the family Active. It fails if the family has ended
		// meanwhile, and a later end of the family also ends the added record.
		if err = s.records.Advance(ctx, storage.Active, have, rec); errors.Is(err, storage.ErrConflict) {
			return errLost
		}
		return err
	}
}

// spend spends a code or a refresh token for exactly one caller. Every other caller ends
// the family.
func (s *Storage) spend(ctx context.Context, kind storage.Kind, at string) error {
	rec, err := s.records.Get(ctx, kind, at)
	if err != nil {
		return notFound(err)
	}

	// A spent record stays longer than it is valid, so that a second use is recognized.
	if rec.State == storage.Active {
		rec.State = storage.Spent
		if end := time.Now().UTC().Add(spentLifetime); rec.ExpiresAt.Before(end) {
			rec.ExpiresAt = end
		}
		if err = s.records.Advance(ctx, storage.Active, rec); !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}

	// A code or token that is used twice may have been stolen (RFC 9700 section
	// 4.14.2). Revoke ends what the first caller got, and what it still gets.
	if err := s.records.Revoke(ctx, rec.GrantID); err != nil {
		return err
	}
	return errLost
}

// spendAlone spends a record that no family belongs to. It is not found for every caller
// but the first.
func (s *Storage) spendAlone(ctx context.Context, kind storage.Kind, at string) error {
	rec, err := s.records.Get(ctx, kind, at)
	if err != nil {
		return notFound(err)
	}
	if rec.State != storage.Active {
		return fosite.ErrNotFound
	}

	// The content is needed no more, so it is removed.
	rec.State = storage.Spent
	rec.Data = []byte("{}")
	if err = s.records.Advance(ctx, storage.Active, rec); errors.Is(err, storage.ErrConflict) {
		return fosite.ErrNotFound
	}
	return err
}

// notFound returns fosite's error for a record or client that does not exist.
func notFound(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return fosite.ErrNotFound.WithWrap(err)
	}
	return err
}
