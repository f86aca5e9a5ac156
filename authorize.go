package grantwell

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/form"
	"github.com/grantwell/grantwell/internal/frontchannel"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// AuthorizeRequest is a valid authorization request: its client exists, its redirect URI is registered, its scope may be granted.
type AuthorizeRequest struct {
	Client       storage.Client
	ResponseType string // "code" or "token"
	RedirectURI  string // verified
	State        string
	Scope        []string // what may be granted, after the scope rules; show these
	Audience     []string
	Prompt       []string // prompt of OpenID Connect Core section 3.1.2.1: "none", "login", "consent"
	LoginHint    string   // unverified text of the client's; empty if none
	MaxAge       time.Duration
	HasMaxAge    bool
	StartedAt    time.Time // when the request first came

	front    *frontchannel.Request
	waiting  *storage.Record // the interaction that it waited in
	handle   string          // of that interaction
	answered *atomic.Bool
	event    Event
}

// Approval is the user's yes.
type Approval struct {
	Subject  string         // who the user is: stable and unique. Required
	Scope    []string       // what the user allows, a part of the request's; nil: all of it
	Claims   map[string]any // stored with the code and the tokens
	AuthTime time.Time      // when the user authenticated; zero: now
	Remember bool           // store the consent, so that the same scopes are not asked for again
	consent  int
}

// ParseAuthorize reads and validates an authorization request (RFC 6749 sections 4.1.1 and 4.2.1), by GET or
// POST. When it returns false the answer has been written: an error page if the client or its redirect URI are
// not known for certain, a redirect with the error otherwise.
func (s *Server) ParseAuthorize(w http.ResponseWriter, r *http.Request) (*AuthorizeRequest, bool) {
	e := s.newEvent("authorize")
	var req *AuthorizeRequest
	ok := s.page(w, r, &e, func(ctx context.Context) error {
		text := r.URL.RawQuery
		if r.Method == http.MethodPost {
			var err error
			if text, err = s.pageBody(w, r); err != nil {
				return err
			}
		}
		if len(text) > int(s.cfg.MaxBody) {
			return tooLarge()
		}
		values, err := form.Parse(text, "resource", "audience")
		if errors.Is(err, form.ErrRepeated) {
			return grants.InvalidRequest("A parameter is repeated.")
		} else if err != nil {
			return grants.InvalidRequest("The parameters are malformed or too many.").Because("%w", err)
		}
		req, err = s.parseAuthorize(ctx, w, &e, values)
		return err
	})
	return req, ok && req != nil
}

// parseAuthorize validates parameters, wherever they came from.
func (s *Server) parseAuthorize(ctx context.Context, w http.ResponseWriter, e *Event, values url.Values) (*AuthorizeRequest, error) {
	if s.front == nil {
		return nil, grants.InvalidRequest("This server has no grant that begins here.")
	}
	front, ferr := s.front.Parse(ctx, values)
	if ferr != nil {
		err := &grants.Error{Code: ferr.Code, Description: sentence(ferr.Description), Status: ferr.Status, Err: ferr.Err}
		if err.Status == http.StatusServiceUnavailable {
			err.RetryAfter = time.Second
		}
		if ferr.Request == nil {
			return nil, err
		}
		e.ClientID = ferr.Request.Client.ID
		return nil, &redirected{err, ferr.Request}
	}
	e.ClientID, e.GrantType = front.Client.ID, responseGrant(front.ResponseType)
	req := &AuthorizeRequest{Client: front.Client.Clone(), ResponseType: front.ResponseType, RedirectURI: front.RedirectURI, State: front.State,
		Audience: front.Audience, Prompt: strings.Fields(values.Get("prompt")), LoginHint: values.Get("login_hint"), StartedAt: e.Time, front: front,
		answered: new(atomic.Bool), event: *e}
	if age := values.Get("max_age"); age != "" {
		n, err := strconv.ParseUint(age, 10, 31)
		if err != nil {
			return nil, &redirected{grants.InvalidRequest("max_age is not a number of seconds."), front}
		}
		req.MaxAge, req.HasMaxAge = time.Duration(n)*time.Second, true
	}
	if len(req.Prompt) > 1 && slices.Contains(req.Prompt, "none") {
		return nil, &redirected{grants.InvalidRequest("prompt none stands alone."), front}
	}
	requested, err := s.cfg.Scopes.parse(values.Get("scope"))
	if err == nil {
		req.Scope, err = s.cfg.Scopes.decide(ctx, asked{grantType: e.GrantType, client: &front.Client, requested: requested}, nil)
	}
	if err != nil {
		return nil, &redirected{err, front}
	}
	return req, nil
}

// sentence makes a sentence of a fragment, because users read it.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

func responseGrant(responseType string) string {
	if responseType == "token" {
		return "implicit"
	}
	return "authorization_code"
}

// Approve answers the request with a code, or in the implicit grant with a token, for the user who approved.
// It may be called once for a request. The client is looked at again: it may have been disabled while the user thought.
func (s *Server) Approve(w http.ResponseWriter, r *http.Request, req *AuthorizeRequest, a Approval) {
	e := req.event
	e.Time = nowUTC()
	s.page(w, r, &e, func(ctx context.Context) error { return s.allow(ctx, w, &e, req, a) })
}

// allow is Approve inside a page.
func (s *Server) allow(ctx context.Context, w http.ResponseWriter, e *Event, req *AuthorizeRequest, a Approval) error {
	e.Subject = a.Subject
	if req.answered.Swap(true) {
		return answered()
	}
	params, err := s.approve(ctx, e, req, a)
	if err != nil {
		if errors.As(err, new(*goneError)) {
			return err
		}
		return &redirected{err, req.front}
	}
	e.Status = s.front.Respond(w, req.front, params)
	return nil
}

func (s *Server) approve(ctx context.Context, e *Event, req *AuthorizeRequest, a Approval) (frontchannel.Params, error) {
	client, err := s.known.Client(ctx, req.Client.ID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && client.Disabled {
		return nil, gone("The client is no longer registered.")
	} else if err != nil {
		return nil, grants.Unavailable(err)
	}
	if a.Scope == nil {
		a.Scope = req.Scope
	}
	if a.AuthTime.IsZero() {
		a.AuthTime = e.Time
	}
	if h := s.cfg.Hooks.Authorize; h != nil {
		shown := a // what a hook may change lives longer than a
		if err := h(ctx, req, &shown); err != nil {
			return nil, err
		}
		a = shown
	}
	// After the hook, which may change the approval, and is bound by the same rules.
	if a.Subject == "" {
		return nil, errors.New("grantwell: Approval.Subject is empty")
	}
	e.Subject = a.Subject
	for _, v := range a.Scope {
		if !slices.Contains(req.Scope, v) {
			return nil, errors.New("grantwell: Approval.Scope has a scope that was not requested")
		}
	}
	if len(a.Scope) == 0 && len(req.Scope) > 0 {
		return nil, grants.AccessDenied("The user granted nothing.")
	}
	a.Scope = slices.DeleteFunc(slices.Clone(req.Scope), func(v string) bool { return !slices.Contains(a.Scope, v) })
	if err = s.notAClient(ctx, a.Subject); err == nil {
		err = s.checkSubject(ctx, "", a.Subject)
	}
	if err != nil && protocol(err).Status >= http.StatusInternalServerError {
		return nil, err
	} else if err != nil {
		return nil, grants.AccessDenied("The user may not use this service.").Because("%w", err)
	}
	if a.consent, err = s.rememberConsent(ctx, &client, &a); err != nil {
		return nil, grants.Unavailable(err)
	}
	e.Scope = a.Scope
	var recs []storage.Record
	var params frontchannel.Params
	if strings.Contains(req.ResponseType, "code") {
		code, rec, err := s.newCode(ctx, e.Time, req, &client, &a)
		if err != nil {
			return nil, err
		}
		params.Add("code", code)
		recs = append(recs, rec)
	}
	if err := s.finish(ctx, req, recs...); err != nil {
		return nil, err
	}
	if strings.Contains(req.ResponseType, "token") {
		err = s.addToken(ctx, e, req, &client, &a, &params)
	}
	if len(recs) > 0 {
		e.GrantID = recs[0].GrantID
	}
	if err == nil && s.cfg.Hooks.Authorized != nil {
		err = s.cfg.Hooks.Authorized(ctx, req, a)
	}
	return params, err
}

// goneError is for the user alone: it is not redirected, although the redirect URI was valid once.
type goneError struct{ protocol *grants.Error }

func gone(description string) error { return &goneError{grants.InvalidRequest(description)} }

// Error and Unwrap are those of the protocol error inside.
func (e *goneError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the protocol error.
func (e *goneError) Unwrap() error { return e.protocol }

// answered is what a second answer to one request is told.
func answered() error {
	return gone("This page was answered already. Go back to the application and begin again.")
}

func (s *Server) newCode(ctx context.Context, now time.Time, req *AuthorizeRequest, client *storage.Client, a *Approval) (string, storage.Record, error) {
	code, err := s.cfg.Codes.Mint(ctx, tokens.Claims{})
	if err != nil {
		return "", storage.Record{}, err
	}
	life := s.cfg.CodeLifetime
	if client.CodeLifetime > 0 {
		life = client.CodeLifetime
	}
	d := grants.Data{RedirectURI: req.RedirectURI, RedirectURIGiven: req.front.RedirectURIGiven, Challenge: req.front.Challenge,
		ChallengeMethod: req.front.ChallengeMethod, Nonce: req.front.Form.Get("nonce"), GrantType: "authorization_code", Claims: a.Claims,
		AuthTime: a.AuthTime.Unix(), Consent: a.consent}
	data, err := d.Encode()
	return code, storage.Record{Kind: storage.Code, Key: storage.Key(code), State: storage.Active, GrantID: newID(), ClientID: client.ID, Subject: a.Subject,
		Scope: a.Scope, Audience: req.Audience, IssuedAt: now, ExpiresAt: now.Add(life), Data: data}, err
}

// addToken issues the token of the front channel, in a family of its own: it and what the code buys are revoked apart.
func (s *Server) addToken(ctx context.Context, e *Event, req *AuthorizeRequest, client *storage.Client, a *Approval, params *frontchannel.Params) error {
	g := &grants.Grant{Subject: a.Subject, Scope: a.Scope, Audience: req.Audience, Claims: a.Claims, AuthTime: a.AuthTime, Consent: a.consent}
	if g.Scope == nil {
		g.Scope = []string{}
	}
	c := *client // what is issued with lives longer than client
	res, err := s.issue(ctx, e, issuing{client: &c, grant: g, grantType: "implicit", now: e.Time, public: true})
	if err != nil {
		return err
	}
	*params = append(*params, answerParams("access_token", res.AccessToken, "token_type", res.TokenType,
		"expires_in", strconv.FormatInt(int64(res.ExpiresAt.Sub(e.Time)/time.Second), 10), "scope", strings.Join(res.Scope, " "))...)
	return nil
}

// answerParams makes response parameters of names and values in turn.
func answerParams(pairs ...string) frontchannel.Params {
	var p frontchannel.Params
	for i := 0; i+1 < len(pairs); i += 2 {
		p.Add(pairs[i], pairs[i+1])
	}
	return p
}

// finish stores what the approval made and, in the same write, ends the interaction: one page is approved once.
func (s *Server) finish(ctx context.Context, req *AuthorizeRequest, recs ...storage.Record) error {
	var err error
	switch {
	case req.waiting != nil:
		done := *req.waiting
		done.State = storage.Spent
		err = s.cfg.Records.Advance(ctx, storage.Active, done, recs...)
	case len(recs) > 0:
		err = s.cfg.Records.Insert(ctx, recs...)
	}
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
		return answered()
	} else if err != nil {
		return grants.Unavailable(err)
	}
	return nil
}

// Deny answers the request with access_denied (RFC 6749 section 4.1.2.1).
func (s *Server) Deny(w http.ResponseWriter, r *http.Request, req *AuthorizeRequest) {
	s.DenyWith(w, r, req, denied())
}

func denied() *grants.Error { return grants.AccessDenied("The user denied the request.") }

// DenyWith answers the request with an error of the host's choice, for example login_required; nil is access_denied.
func (s *Server) DenyWith(w http.ResponseWriter, r *http.Request, req *AuthorizeRequest, err *grants.Error) {
	if err == nil {
		err = denied()
	}
	e := req.event
	e.Time = nowUTC()
	s.page(w, r, &e, func(ctx context.Context) error { return s.refuse(ctx, req, err) })
}

// refuse is DenyWith inside a page.
func (s *Server) refuse(ctx context.Context, req *AuthorizeRequest, with *grants.Error) error {
	if req.answered.Swap(true) {
		return answered()
	}
	err := s.finish(ctx, req)
	switch {
	case err == nil:
		err = with
	case errors.As(err, new(*goneError)):
		return err
	}
	return &redirected{err, req.front}
}
