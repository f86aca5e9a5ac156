package fositegrant

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/storage"
)

// pushed is the content of a pushed request's record.
type pushed struct {
	data
	ResponseTypes []string `json:"response_types"`
	RedirectURI   string   `json:"redirect_uri_pushed"`
	State         string   `json:"state"`
	ResponseMode  string   `json:"response_mode"`
	DefaultMode   string   `json:"default_response_mode"`
}

// pushedLifetime is the lifetime of a pushed request whose session has no expiry. RFC 9126
// section 2.2 expects 5 to 600 seconds.
const pushedLifetime = 5 * time.Minute

// CreatePARSession implements [fosite.PARStorage]. It stores none of the credentials in
// the request.
func (s *Storage) CreatePARSession(
	ctx context.Context,
	requestURI string,
	r fosite.AuthorizeRequester,
) error {
	until, err := expiry(r, fosite.PushedAuthorizeRequestContext)
	if err != nil {
		until = time.Now().UTC().Add(pushedLifetime)
	}
	rec, d, err := recordOf(kindPushed, key(kindPushed, requestURI), r, until)
	if err != nil {
		return err
	}

	// The request belongs to no family. The grant that it leads to gets an ID of its own.
	rec.GrantID = ""
	p := pushed{
		data:          d,
		ResponseTypes: r.GetResponseTypes(),
		State:         r.GetState(),
		ResponseMode:  string(r.GetResponseMode()),
		DefaultMode:   string(r.GetDefaultResponseMode()),
	}
	if u := r.GetRedirectURI(); u != nil {
		p.RedirectURI = u.String()
	}
	p.Fosite.Form = withoutSecrets(r.GetRequestForm())

	if rec.Data, err = json.Marshal(p); err != nil {
		return fmt.Errorf("fositegrant: record data: %w", err)
	}
	return s.records.Insert(ctx, rec)
}

// GetPARSession implements [fosite.PARStorage]. A request that has expired or was used is
// not found.
func (s *Storage) GetPARSession(
	ctx context.Context,
	requestURI string,
) (fosite.AuthorizeRequester, error) {
	rec, _, r, err := s.find(ctx, kindPushed, requestURI, nil)
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

	// fosite continues with this request in place of the parameters that the browser sent.
	out := fosite.NewAuthorizeRequest()
	out.Request = *r
	out.ResponseTypes = p.ResponseTypes
	out.State = p.State
	out.ResponseMode = fosite.ResponseModeType(p.ResponseMode)
	out.DefaultResponseMode = fosite.ResponseModeType(p.DefaultMode)
	if p.RedirectURI != "" {
		if out.RedirectURI, err = url.Parse(p.RedirectURI); err != nil {
			return nil, fmt.Errorf("fositegrant: redirect URI of a pushed request: %w", err)
		}
	}
	return out, nil
}

// DeletePARSession implements [fosite.PARStorage]. It succeeds for one caller, whose
// authorization request goes on.
func (s *Storage) DeletePARSession(ctx context.Context, requestURI string) error {
	return s.spendAlone(ctx, kindPushed, key(kindPushed, requestURI))
}
