package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// recordRoutes are those of administrators and of users.
func recordRoutes() []route {
	return []route{
		{"GET /grants", "grant.list", []string{"subject", "client_id", "kind", "scope", "after", "limit"}, listGrants},
		{"DELETE /grants/{id}", "grant.revoke", nil, revokeGrant},
		{"GET /consents", "consent.list", []string{"subject", "client_id", "scope", "after", "limit"}, listConsents},
	}
}

func adminRecordRoutes() []route {
	return []route{
		{"DELETE /grants", "grant.revoke", []string{"subject", "client_id", "after", "limit"}, revokeGrants},
		{"DELETE /consents", "consent.revoke", []string{"subject", "client_id"}, revokeConsent},
	}
}

func accountRoutes() []route {
	return []route{
		{"DELETE /consents", "consent.revoke", []string{"client_id"}, revokeConsent},
	}
}

// grantView is a live record of a grant: a code, an access or a refresh token, but
// not its text, which the store does not have.
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

// query reads which records a request is about. Those of a user are always the
// user's own.
func (c *act) query() (storage.Query, error) {
	q := storage.Query{
		Subject:  c.Form.Get("subject"),
		ClientID: c.Form.Get("client_id"),
		After:    c.Form.Get("after"),
	}
	if c.own {
		if q.Subject != "" && q.Subject != c.actor {
			return q, notAllowed()
		}
		q.Subject = c.actor
	}
	if q.Subject == "" && q.ClientID == "" {
		return q, grants.InvalidRequest("Send subject or client_id.")
	}
	if len(q.Subject) > maxActor || len(q.ClientID) > 255 || len(q.After) > 1024 {
		return q, grants.InvalidRequest("A parameter is too long.")
	}

	c.reply.Event.Subject = q.Subject
	if !c.own { // any text that a user sends is not yet a client
		c.reply.Event.ClientID = q.ClientID
	}
	var err error
	q.Limit, err = c.limit(100)

	return q, err
}

// page lists those records of a query that are live.
func (c *act) page(ctx context.Context, q storage.Query) (live []storage.Record, next string, err error) {
	recs, next, err := c.records.List(ctx, q)
	if err != nil && q.After != "" {
		// A store does not say whether it failed or did not make the cursor. If it
		// answers without the cursor, the cursor is at fault.
		first := q
		first.After = ""
		first.Limit = 1
		if _, _, again := c.records.List(ctx, first); again == nil {
			return nil, "", grants.InvalidRequest("after is not what an earlier page had as next.").Because("%w", err)
		}
	}
	if err != nil {
		return nil, "", grants.Unavailable(err)
	}

	scope := c.Form.Get("scope")
	live = slices.DeleteFunc(recs, func(r storage.Record) bool {
		return r.State != storage.Active && r.State != storage.Pending || r.Expired(c.Now) ||
			scope != "" && !slices.Contains(r.Scope, scope)
	})

	return live, next, nil
}

// givesAccess reports whether records of a kind give access.
func givesAccess(k storage.Kind) bool {
	return k == storage.Refresh || k == storage.Access || k == storage.Code
}

func listGrants(ctx context.Context, c *act) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	if q.Kind = storage.Kind(c.Form.Get("kind")); q.Kind == "" {
		q.Kind = storage.Refresh
	}
	if !givesAccess(q.Kind) {
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
		out.Grants[i] = grantView{
			GrantID:   r.GrantID,
			Kind:      r.Kind,
			ClientID:  r.ClientID,
			Subject:   r.Subject,
			Scope:     r.Scope,
			Audience:  r.Audience,
			IssuedAt:  r.IssuedAt,
			ExpiresAt: r.ExpiresAt,
		}
	}

	return c.write(http.StatusOK, out)
}

// revokeGrant ends a family. A user can end no grant of another user, nor learn
// whether it exists.
func revokeGrant(ctx context.Context, c *act) error {
	if c.own {
		c.reply.Event.Subject = c.actor
		recs, _, err := c.records.List(ctx, storage.Query{GrantID: c.id, Subject: c.actor, Limit: 1})
		if err != nil {
			return grants.Unavailable(err)
		}
		if len(recs) == 0 {
			return notFound("There is no such grant.")
		}
	}
	c.reply.Event.GrantID = c.id
	if err := c.Live.Records.Revoke(ctx, c.id); err != nil {
		return grants.Unavailable(err)
	}

	return c.done()
}

// revokeGrants ends the families on one page, which bounds the work of one request.
func revokeGrants(ctx context.Context, c *act) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	recs, next, err := c.page(ctx, q)
	if err != nil {
		return err
	}

	ended := make(map[string]bool)
	for _, r := range recs {
		if r.GrantID == "" || ended[r.GrantID] || !givesAccess(r.Kind) {
			continue
		}
		if err := c.revokeApart(r.GrantID); err != nil {
			return grants.Unavailable(err)
		}
		ended[r.GrantID] = true
	}

	return c.write(http.StatusOK, struct {
		Revoked int    `json:"revoked"`
		Next    string `json:"next,omitempty"`
	}{len(ended), next})
}

// revokeApart ends a family within a time of its own: the page is bounded, and a page
// of which half is done has to be sent again.
func (c *act) revokeApart(grantID string) error {
	ctx, cancel := context.WithTimeout(c.Request.Context(), c.Frame.Timeout)
	defer cancel()

	return c.Live.Records.Revoke(ctx, grantID)
}

func listConsents(ctx context.Context, c *act) error {
	q, err := c.query()
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
		out.Consents[i] = consentView{
			ClientID:  r.ClientID,
			Subject:   r.Subject,
			Scope:     r.Scope,
			GrantedAt: r.IssuedAt,
		}
	}

	return c.write(http.StatusOK, out)
}

func revokeConsent(ctx context.Context, c *act) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	if q.ClientID == "" || q.Subject == "" {
		return grants.InvalidRequest("Send both subject and client_id.")
	}
	if err := c.Live.Consents.Revoke(ctx, q.ClientID, q.Subject); err != nil {
		return grants.Unavailable(err)
	}
	if _, err := c.Live.Clients.Client(ctx, q.ClientID); err == nil {
		c.reply.Event.ClientID = q.ClientID
	}

	return c.done()
}
