package fositegrant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/storage"
)

// pushed is what a pushed request has besides other requests.
type pushed struct {
	data
	ResponseTypes []string `json:"response_types"`
	RedirectURI   string   `json:"redirect_uri_pushed"`
	State         string   `json:"state"`
	ResponseMode  string   `json:"response_mode"`
	DefaultMode   string   `json:"default_response_mode"`
}

// pushedLife is how long a request waits whose session has no expiry (RFC 9126 section 2.2 recommends 5 to 600 seconds).
const pushedLife = 5 * time.Minute

// CreatePARSession implements [fosite.PARStorage]. No credential of the request is stored.
func (s *Storage) CreatePARSession(ctx context.Context, requestURI string, r fosite.AuthorizeRequester) error {
	until, err := expiry(r, fosite.PushedAuthorizeRequestContext)
	if err != nil {
		until = time.Now().UTC().Add(pushedLife)
	}
	rec, d, err := recordOf(kindPushed, key(kindPushed, requestURI), r, until)
	if err != nil {
		return err
	}
	rec.GrantID = "" // no family yet: what it becomes has an ID of its own
	p := pushed{data: d, ResponseTypes: r.GetResponseTypes(), State: r.GetState(), ResponseMode: string(r.GetResponseMode()),
		DefaultMode: string(r.GetDefaultResponseMode())}
	if u := r.GetRedirectURI(); u != nil {
		p.RedirectURI = u.String()
	}
	p.Fosite.Form = harmless(r.GetRequestForm())
	if rec.Data, err = json.Marshal(p); err != nil {
		return fmt.Errorf("fositegrant: record data: %w", err)
	}
	return s.records.Insert(ctx, rec)
}

// GetPARSession implements [fosite.PARStorage]. A request that expired or was used is not found.
func (s *Storage) GetPARSession(ctx context.Context, requestURI string) (fosite.AuthorizeRequester, error) {
	rec, _, r, err := s.find(ctx, kindPushed, key(kindPushed, requestURI), "", nil)
	if err != nil {
		return nil, err
	}
	var p pushed
	if err := json.Unmarshal(rec.Data, &p); err != nil {
		return nil, fmt.Errorf("fositegrant: %s record data: %w", kindPushed, err)
	}
	if rec.State != storage.Active || rec.Expired(time.Now()) {
		return nil, fosite.ErrNotFound
	}
	out := fosite.NewAuthorizeRequest()
	out.Request = *r
	out.ResponseTypes, out.State = p.ResponseTypes, p.State
	out.ResponseMode, out.DefaultResponseMode = fosite.ResponseModeType(p.ResponseMode), fosite.ResponseModeType(p.DefaultMode)
	if p.RedirectURI != "" {
		if out.RedirectURI, err = url.Parse(p.RedirectURI); err != nil {
			return nil, fmt.Errorf("fositegrant: redirect URI of a pushed request: %w", err)
		}
	}
	return out, nil
}

// DeletePARSession implements [fosite.PARStorage]: of any number of callers one succeeds, and its request goes on.
func (s *Storage) DeletePARSession(ctx context.Context, requestURI string) error {
	return s.use(ctx, kindPushed, key(kindPushed, requestURI))
}

// CreateOpenIDConnectSession implements openid.OpenIDConnectRequestStorage. fosite passes the code itself; a digest is stored.
func (s *Storage) CreateOpenIDConnectSession(ctx context.Context, code string, r fosite.Requester) error {
	until, err := expiry(r, fosite.AuthorizeCode)
	if err != nil {
		return err
	}
	rec, d, err := recordOf(kindOpenID, key(kindOpenID, code), r, until)
	if err != nil {
		return err
	}
	d.Fosite.Form = harmless(r.GetRequestForm())
	if rec, err = encode(rec, d); err != nil {
		return err
	}
	return s.join(ctx, rec)
}

// GetOpenIDConnectSession implements openid.OpenIDConnectRequestStorage.
func (s *Storage) GetOpenIDConnectSession(ctx context.Context, code string, r fosite.Requester) (fosite.Requester, error) {
	var into fosite.Session
	if r != nil && r.GetSession() != nil {
		into = r.GetSession().Clone()
	}
	rec, _, got, err := s.find(ctx, kindOpenID, key(kindOpenID, code), fosite.AuthorizeCode, into)
	if err != nil {
		return nil, err // a failing store is not a missing session: fosite would leave the ID token out and say nothing
	}
	if rec.State != storage.Active {
		return nil, fosite.ErrNotFound
	}
	return got, nil
}

// DeleteOpenIDConnectSession implements openid.OpenIDConnectRequestStorage.
func (s *Storage) DeleteOpenIDConnectSession(ctx context.Context, code string) error {
	return s.use(ctx, kindOpenID, key(kindOpenID, code))
}

// use spends a record that has nothing to revoke. All but one caller are told that it is not there.
func (s *Storage) use(ctx context.Context, kind storage.Kind, at string) error {
	rec, err := s.records.Get(ctx, kind, at)
	if err != nil {
		return notFound(err)
	}
	if rec.State != storage.Active {
		return fosite.ErrNotFound
	}
	rec.State, rec.Data = storage.Spent, []byte("{}") // what it held is of no more use
	if err = s.records.Advance(ctx, storage.Active, rec); errors.Is(err, storage.ErrConflict) {
		return fosite.ErrNotFound
	}
	return err
}
