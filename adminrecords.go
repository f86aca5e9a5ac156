package grantwell

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// recordRoutes are those that administrators and users share.
var recordRoutes = []route{
	{"GET", "/grants", "grant.list", []string{"subject", "client_id", "kind", "scope", "after", "limit"}, listGrants},
	{"DELETE", "/grants/{}", "grant.revoke", nil, revokeGrant},
	{"GET", "/consents", "consent.list", []string{"subject", "client_id", "scope", "after", "limit"}, listConsents},
}

// grantView is a live record of a grant: a code, an access or a refresh token, but not its text, which nobody has.
type grantView struct {
	GrantID   string       `json:"grant_id"`
	Kind      storage.Kind `json:"kind"`
	ClientID  string       `json:"client_id"`
	Subject   string       `json:"subject"`
	Scope     []string     `json:"scope,omitempty"`
	Audience  []string     `json:"audience,omitempty"`
	IssuedAt  time.Time    `json:"issued_at,omitzero"`
	ExpiresAt time.Time    `json:"expires_at,omitzero"`
}

type consentView struct {
	ClientID  string    `json:"client_id"`
	Subject   string    `json:"subject"`
	Scope     []string  `json:"scope,omitempty"`
	GrantedAt time.Time `json:"granted_at,omitzero"`
}

// whose reads of whom the records are: always the user's own, if it is a user who asks.
func (c *act) whose() (storage.Query, error) {
	q := storage.Query{Subject: c.req.Form.Get("subject"), ClientID: c.req.Form.Get("client_id"), After: c.req.Form.Get("after")}
	if c.api.own {
		if q.Subject != "" && q.Subject != c.actor {
			return q, grants.AccessDenied("This is not allowed.")
		}
		q.Subject = c.actor
	}
	if q.Subject == "" && q.ClientID == "" {
		return q, grants.InvalidRequest("Send subject or client_id.")
	}
	if len(q.Subject) > maxActor || len(q.ClientID) > 255 || len(q.After) > 1024 {
		return q, grants.InvalidRequest("A parameter is too long.")
	}
	c.event.Subject = q.Subject
	if !c.api.own { // what any user may send is no client yet
		c.event.ClientID = q.ClientID
	}
	var err error
	q.Limit, err = c.limit(100)
	return q, err
}

// page lists the query's records that are live.
func (c *act) page(ctx context.Context, q storage.Query) (live []storage.Record, next string, err error) {
	recs, next, err := c.api.records.List(ctx, q)
	if err != nil && q.After != "" {
		// A store does not say whether it failed or did not make the cursor. If it answers without one, the cursor is at fault.
		if _, _, again := c.api.records.List(ctx, storage.Query{Kind: q.Kind, ClientID: q.ClientID, Subject: q.Subject, Limit: 1}); again == nil {
			return nil, "", grants.InvalidRequest("after is not what an earlier page had as next.").Because("%w", err)
		}
	}
	if err != nil {
		return nil, "", grants.Unavailable(err)
	}
	scope := c.req.Form.Get("scope")
	live = slices.DeleteFunc(recs, func(r storage.Record) bool {
		return r.State != storage.Active && r.State != storage.Pending || r.Expired(c.req.Now) || scope != "" && !slices.Contains(r.Scope, scope)
	})
	return live, next, nil
}

// kinds are the records that give access.
var kinds = []storage.Kind{storage.Refresh, storage.Access, storage.Code}

func listGrants(ctx context.Context, c *act) error {
	q, err := c.whose()
	if err != nil {
		return err
	}
	if q.Kind = storage.Kind(c.req.Form.Get("kind")); q.Kind == "" {
		q.Kind = storage.Refresh
	}
	if !slices.Contains(kinds, q.Kind) {
		return grants.InvalidRequest("The kind is refresh, access or code.")
	}
	recs, next, err := c.page(ctx, q)
	if err != nil {
		return err
	}
	out := struct {
		Grants []grantView `json:"grants"`
		Next   string      `json:"next,omitempty"`
	}{make([]grantView, len(recs)), next}
	for i, r := range recs {
		out.Grants[i] = grantView{r.GrantID, r.Kind, r.ClientID, r.Subject, r.Scope, r.Audience, r.IssuedAt, r.ExpiresAt}
	}
	return c.write(http.StatusOK, out)
}

// revokeGrant ends a family. A user can end no other's, nor learn whether it exists.
func revokeGrant(ctx context.Context, c *act) error {
	if c.api.own {
		c.event.Subject = c.actor
		recs, _, err := c.api.records.List(ctx, storage.Query{GrantID: c.id, Subject: c.actor, Limit: 1})
		if err != nil {
			return grants.Unavailable(err)
		}
		if len(recs) == 0 {
			return notFound("There is no such grant.")
		}
	}
	c.event.GrantID = c.id
	if err := c.s.RevokeGrant(ctx, c.id); err != nil {
		return grants.Unavailable(err)
	}
	return c.done()
}

// revokeGrants ends the families on one page, which bounds it: whoever has millions of them has many pages.
func revokeGrants(ctx context.Context, c *act) error {
	q, err := c.whose()
	if err != nil {
		return err
	}
	recs, next, err := c.page(ctx, q)
	if err != nil {
		return err
	}
	ended := make(map[string]bool)
	for _, r := range recs {
		if r.GrantID == "" || ended[r.GrantID] || !slices.Contains(kinds, r.Kind) {
			continue
		}
		// Each has its own time: the page is bounded, and half of it done is to be done again.
		one, cancel := context.WithTimeout(c.r.Context(), c.s.cfg.Timeout)
		err := c.s.RevokeGrant(one, r.GrantID)
		cancel()
		if err != nil {
			return grants.Unavailable(err)
		}
		ended[r.GrantID] = true
	}
	return c.write(http.StatusOK, struct {
		Revoked int    `json:"revoked"`
		Next    string `json:"next,omitempty"`
	}{len(ended), next})
}

func listConsents(ctx context.Context, c *act) error {
	q, err := c.whose()
	if err != nil {
		return err
	}
	q.Kind = storage.Consent
	recs, next, err := c.page(ctx, q)
	if err != nil {
		return err
	}
	out := struct {
		Consents []consentView `json:"consents"`
		Next     string        `json:"next,omitempty"`
	}{make([]consentView, len(recs)), next}
	for i, r := range recs {
		out.Consents[i] = consentView{r.ClientID, r.Subject, r.Scope, r.IssuedAt}
	}
	return c.write(http.StatusOK, out)
}

func revokeConsent(ctx context.Context, c *act) error {
	q, err := c.whose()
	if err != nil {
		return err
	}
	if q.ClientID == "" || q.Subject == "" {
		return grants.InvalidRequest("Send both subject and client_id.")
	}
	if err := c.s.RevokeConsent(ctx, q.ClientID, q.Subject); err != nil {
		return grants.Unavailable(err)
	}
	if _, err := c.s.known.Client(ctx, q.ClientID); err == nil {
		c.event.ClientID = q.ClientID
	}
	return c.done()
}
