package fositegrant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"

	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Storage keeps what fosite's own handlers store among Grantwell's records. Make one with [Store].
//
// It holds what fosite's interfaces leave to the store: every call returns new objects; a code and a refresh token are consumed by
// exactly one caller, and the loser ends the family; after a family has ended nothing new joins it, although
// fosite stores a code's tokens one after the other; the PKCE challenge lives in the code's record, and nothing
// detaches it; a used refresh token stays known; keys are digests.
//
// What it cannot hold: fosite spends a code first and stores its tokens afterwards, so that a crash between the two costs the
// user a new login; and it asks the store about the jti of a client assertion without saying whose it is, so that all
// clients share one namespace. fosite's pushed authorization requests take the client from the form after another one
// authenticated: mount that endpoint only behind a check that client_id, if it is sent, names the client that authenticates.
// private_key_jwt, and storage for fosite's jwt-bearer and verifiable-credential handlers, are not offered: use
// grants.JWTBearer and the client authentication of Grantwell.
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

// Store puts Grantwell's records and clients under fosite's handlers. Give the configuration to [Configure] and wrap the provider
// with [Provider].
func Store(records storage.Records, clients storage.Clients) *Storage {
	return &Storage{records: records, clients: clients}
}

// The kinds that only fosite's handlers need.
const (
	kindFamily storage.Kind = "fosite_family" // Active as long as tokens may join the family
	kindPushed storage.Kind = "fosite_pushed"
	kindOpenID storage.Kind = "fosite_openid"
)

// remembered is how long a spent code is told from garbage at least; a refresh token until it would have expired.
const remembered = 24 * time.Hour

// errLost is what the loser of a race gets; fosite makes a server_error of it, and Provider an invalid_grant of that.
var errLost = errors.New("fositegrant: consumed by another request; the family has ended")

// data is what a record keeps: what Grantwell reads of its own records, so that its endpoints serve these tokens too
// (tokens.FositeHMAC in grantwell.Config.Imported), and what fosite wants back.
type data struct {
	record.Data
	Fosite kept `json:"fosite"`
}

type kept struct {
	Session           json.RawMessage `json:"session,omitempty"` // the host's session type, as JSON
	Expires           time.Time       `json:"expires,omitzero"`
	Form              url.Values      `json:"form,omitempty"`
	RequestedAt       time.Time       `json:"requested_at,omitzero"`
	RequestedScope    []string        `json:"requested_scope,omitempty"`
	RequestedAudience []string        `json:"requested_audience,omitempty"`
	GrantedScope      []string        `json:"granted_scope,omitempty"`
	GrantedAudience   []string        `json:"granted_audience,omitempty"`
}

// key is where a code or token of this signature is found. fosite's opaque tokens get the key of an imported one.
func key(kind storage.Kind, signature string) string {
	if kind == storage.Access || kind == storage.Refresh {
		if digest, err := (tokens.FositeHMAC{}).Stored(signature); err == nil {
			return storage.ImportedKey(digest)
		}
	}
	return storage.JoinKey("fosite", string(kind), signature)
}

// recordOf makes the record of a request. until is when it expires.
func recordOf(kind storage.Kind, at string, r fosite.Requester, until time.Time) (storage.Record, data, error) {
	d := data{Fosite: kept{Expires: until, RequestedAt: r.GetRequestedAt(), RequestedScope: r.GetRequestedScopes(), RequestedAudience: r.GetRequestedAudience(),
		GrantedScope: r.GetGrantedScopes(), GrantedAudience: r.GetGrantedAudience()}}
	rec := storage.Record{Kind: kind, Key: at, State: storage.Active, GrantID: r.GetID(), ClientID: r.GetClient().GetID(), Scope: r.GetGrantedScopes(),
		Audience: r.GetGrantedAudience(), IssuedAt: time.Now().UTC(), ExpiresAt: until}
	if s := r.GetSession(); s != nil {
		text, err := json.Marshal(s)
		if err != nil {
			return rec, d, fmt.Errorf("fositegrant: a session of type %T has no JSON form: %w", s, err)
		}
		d.Fosite.Session, rec.Subject = text, s.GetSubject()
		if extra, ok := s.(fosite.ExtraClaimsSession); ok {
			d.Claims = extra.GetExtraClaims()
		}
	}
	return rec, d, nil
}

func encode(rec storage.Record, d data) (storage.Record, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return rec, fmt.Errorf("fositegrant: record data: %w", err)
	}
	rec.Data = text
	return rec, nil
}

// expiry is when a token of this type ends by the session; a session without an expiry is refused: it would never end.
func expiry(r fosite.Requester, of fosite.TokenType) (time.Time, error) {
	if s := r.GetSession(); s != nil {
		if until := s.GetExpiresAt(of); !until.IsZero() {
			return until.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("fositegrant: the session has no expiry for the %s", of)
}

// find returns a record and the request that it stands for. The session, which may be nil, is filled in place.
func (s *Storage) find(ctx context.Context, kind storage.Kind, at string, of fosite.TokenType, into fosite.Session) (storage.Record, data, *fosite.Request, error) {
	var d data
	rec, err := s.records.Get(ctx, kind, at)
	if err != nil {
		return rec, d, nil, notFound(err)
	}
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return rec, d, nil, fmt.Errorf("fositegrant: %s record data: %w", kind, err)
	}
	c, err := s.clients.Client(ctx, rec.ClientID)
	switch {
	case err != nil:
		return rec, d, nil, notFound(err)
	case c.Disabled || c.Ended(rec.IssuedAt):
		return rec, d, nil, fosite.ErrNotFound.WithWrap(errors.New("fositegrant: the client is disabled, or what it had has ended"))
	}
	r := &fosite.Request{ID: rec.GrantID, RequestedAt: d.Fosite.RequestedAt, Client: client{grantClient{c}}, Form: url.Values{},
		RequestedScope: d.Fosite.RequestedScope, RequestedAudience: d.Fosite.RequestedAudience, GrantedScope: d.Fosite.GrantedScope, GrantedAudience: d.Fosite.GrantedAudience}
	for name, values := range d.Fosite.Form {
		r.Form[name] = values
	}
	if into != nil {
		if len(d.Fosite.Session) > 0 {
			if err := json.Unmarshal(d.Fosite.Session, into); err != nil {
				return rec, d, nil, fmt.Errorf("fositegrant: a session of type %T was stored in another form: %w", into, err)
			}
		}
		if of != "" {
			into.SetExpiresAt(of, d.Fosite.Expires) // not rec.ExpiresAt, which a spent record outlives
		}
		r.Session = into
	}
	return rec, d, r, nil
}

// join stores a record of a family, unless the family has ended. The first one brings the record that tells.
func (s *Storage) join(ctx context.Context, rec storage.Record) error {
	family := storage.Record{Kind: kindFamily, Key: storage.JoinKey("fosite family", rec.GrantID), State: storage.Active, GrantID: rec.GrantID, ClientID: rec.ClientID,
		Subject: rec.Subject, IssuedAt: rec.IssuedAt, ExpiresAt: rec.ExpiresAt}
	for {
		have, err := s.records.Get(ctx, kindFamily, family.Key)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			if err = s.records.Insert(ctx, family, rec); !errors.Is(err, storage.ErrExists) {
				return err
			}
			if _, taken := s.records.Get(ctx, rec.Kind, rec.Key); taken == nil {
				return err // not the family: the token itself
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
		// From Active to Active: it fails if the family ended meanwhile, and what it adds ends with the family.
		if err = s.records.Advance(ctx, storage.Active, have, rec); errors.Is(err, storage.ErrConflict) {
			return errLost
		}
		return err
	}
}

// consume spends a record for exactly one caller. The others end the family.
func (s *Storage) consume(ctx context.Context, kind storage.Kind, at string) error {
	rec, err := s.records.Get(ctx, kind, at)
	if err != nil {
		return notFound(err)
	}
	if rec.State == storage.Active {
		rec.State = storage.Spent
		if end := time.Now().UTC().Add(remembered); rec.ExpiresAt.Before(end) {
			rec.ExpiresAt = end
		}
		if err = s.records.Advance(ctx, storage.Active, rec); !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	if err := s.records.Revoke(ctx, rec.GrantID); err != nil {
		return err
	}
	return errLost
}

// harmless copies a form without what must not be stored: credentials, and codes, whose signatures are enough.
func harmless(form url.Values) url.Values {
	out := url.Values{}
	for name, values := range form {
		switch name {
		case "code", "client_secret", "client_assertion", "client_assertion_type", "password", "assertion", "refresh_token", "code_verifier":
		default:
			out[name] = values
		}
	}
	return out
}

func notFound(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return fosite.ErrNotFound.WithWrap(err)
	}
	return err
}
