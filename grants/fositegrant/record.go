package fositegrant

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// The kinds of records that only fosite's handlers need. A record of kindFamily is Active
// as long as tokens may join its family.
const (
	kindFamily storage.Kind = "fosite_family"
	kindPushed storage.Kind = "fosite_pushed"
	kindOpenID storage.Kind = "fosite_openid"
)

// data is the content of a record. The first half is what Grantwell keeps in its own
// records, so that its endpoints can serve these tokens too (see tokens.FositeHMAC). The
// second half is what fosite wants back.
type data struct {
	record.Data
	Fosite kept `json:"fosite"`
}

// kept is a fosite request as it is stored.
type kept struct {
	Session           json.RawMessage `json:"session,omitempty"` // the host's session type as JSON
	Expires           time.Time       `json:"expires,omitzero"`
	Form              url.Values      `json:"form,omitempty"`
	RequestedAt       time.Time       `json:"requested_at,omitzero"`
	RequestedScope    []string        `json:"requested_scope,omitempty"`
	RequestedAudience []string        `json:"requested_audience,omitempty"`
	GrantedScope      []string        `json:"granted_scope,omitempty"`
	GrantedAudience   []string        `json:"granted_audience,omitempty"`
}

// key returns the store key of the code or token with this signature. An opaque token of
// fosite has the key of an imported token, under which Grantwell's endpoints look for it.
func key(kind storage.Kind, signature string) string {
	if kind == storage.Access || kind == storage.Refresh {
		if digest, err := (tokens.FositeHMAC{}).Stored(signature); err == nil {
			return storage.ImportedKey(digest)
		}
	}
	return storage.JoinKey("fosite", string(kind), signature)
}

// recordOf returns the record of a fosite request under a store key. The record expires at
// until.
func recordOf(
	kind storage.Kind,
	at string,
	r fosite.Requester,
	until time.Time,
) (storage.Record, data, error) {
	d := data{Fosite: kept{
		Expires:           until,
		RequestedAt:       r.GetRequestedAt(),
		RequestedScope:    r.GetRequestedScopes(),
		RequestedAudience: r.GetRequestedAudience(),
		GrantedScope:      r.GetGrantedScopes(),
		GrantedAudience:   r.GetGrantedAudience(),
	}}
	rec := storage.Record{
		Kind:      kind,
		Key:       at,
		State:     storage.Active,
		GrantID:   r.GetID(),
		ClientID:  r.GetClient().GetID(),
		Scope:     r.GetGrantedScopes(),
		Audience:  r.GetGrantedAudience(),
		IssuedAt:  time.Now().UTC(),
		ExpiresAt: until,
	}

	// A session is stored whole, because only the host knows its type.
	s := r.GetSession()
	if s == nil {
		return rec, d, nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return rec, d, fmt.Errorf("fositegrant: a session of type %T has no JSON form: %w", s, err)
	}
	d.Fosite.Session = text
	rec.Subject = s.GetSubject()
	if extra, ok := s.(fosite.ExtraClaimsSession); ok {
		d.Claims = extra.GetExtraClaims()
	}
	return rec, d, nil
}

// encode returns the record with its content.
func encode(rec storage.Record, d data) (storage.Record, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return rec, fmt.Errorf("fositegrant: record data: %w", err)
	}
	rec.Data = text
	return rec, nil
}

// request returns the fosite request that the content of a record stands for. into, if it
// is not nil, becomes its session and is filled in place. of is the type of token whose
// expiry the session gets; it may be empty.
func (d data) request(
	rec storage.Record,
	c client,
	of fosite.TokenType,
	into fosite.Session,
) (*fosite.Request, error) {
	r := &fosite.Request{
		ID:                rec.GrantID,
		RequestedAt:       d.Fosite.RequestedAt,
		Client:            c,
		Form:              url.Values{},
		RequestedScope:    d.Fosite.RequestedScope,
		RequestedAudience: d.Fosite.RequestedAudience,
		GrantedScope:      d.Fosite.GrantedScope,
		GrantedAudience:   d.Fosite.GrantedAudience,
	}
	// fosite writes to the form, so it gets a new one.
	for name, values := range d.Fosite.Form {
		r.Form[name] = values
	}

	if into == nil {
		return r, nil
	}
	if len(d.Fosite.Session) > 0 {
		if err := json.Unmarshal(d.Fosite.Session, into); err != nil {
			return nil, fmt.Errorf(
				"fositegrant: a stored session does not decode into %T: %w",
				into,
				err,
			)
		}
	}
	if of != "" {
		// This is not the expiry of the record, which is later if it was spent.
		into.SetExpiresAt(of, d.Fosite.Expires)
	}
	r.Session = into
	return r, nil
}

// expiry returns when a token of this type expires by the session. A session without an
// expiry is refused, because the token would never expire.
func expiry(r fosite.Requester, of fosite.TokenType) (time.Time, error) {
	if s := r.GetSession(); s != nil {
		if until := s.GetExpiresAt(of); !until.IsZero() {
			return until.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("fositegrant: the session has no expiry for the %s", of)
}

// withoutSecrets returns a form without the parameters that must not be stored:
// credentials, and codes and tokens, of which the signature is enough.
func withoutSecrets(form url.Values) url.Values {
	out := url.Values{}
	for name, values := range form {
		switch name {
		case "code", "refresh_token", "code_verifier":
		case "client_secret", "client_assertion", "client_assertion_type":
		case "password", "assertion":
		default:
			out[name] = values
		}
	}
	return out
}
