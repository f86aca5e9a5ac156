package grantwell

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/room/authorize"
	"github.com/grantwell/grantwell/storage"
)

// AuthorizeRequest is a valid authorization request: its client exists, its redirect
// URI is registered, and its scope may be granted.
type AuthorizeRequest struct {
	Client       storage.Client
	ResponseType string // "code" or "token"
	RedirectURI  string // verified
	State        string
	Scope        []string // what may be granted, after the scope rules: show these
	Audience     []string
	Prompt       []string // prompt of OpenID Connect Core section 3.1.2.1: "none", "login", "consent"
	LoginHint    string   // text of the client, not verified; empty if there is none
	MaxAge       time.Duration
	HasMaxAge    bool
	Nonce        string            // nonce, display, ui_locales and acr_values: texts of the client, not verified
	Display      string            //
	UILocales    []string          // in the order of preference
	ACRValues    []string          // in the order of preference
	Parameters   map[string]string // those of Config.AuthorizeParameters that were sent
	StartedAt    time.Time         // when the request first came

	room *authorize.Request
}

// faceOf returns the request as the host sees it: a copy of what the server works
// with. It is the same value each time.
func faceOf(r *authorize.Request) *AuthorizeRequest {
	if r == nil {
		return nil
	}
	if f, ok := r.Face.(*AuthorizeRequest); ok {
		return f
	}

	f := &AuthorizeRequest{
		Client:       r.Client.Clone(),
		ResponseType: r.ResponseType,
		RedirectURI:  r.RedirectURI,
		State:        r.State,
		Scope:        slices.Clone(r.Scope),
		Audience:     append([]string(nil), r.Audience...),
		Prompt:       r.Prompt,
		LoginHint:    r.LoginHint,
		MaxAge:       r.MaxAge,
		HasMaxAge:    r.HasMaxAge,
		Nonce:        r.Params.Get("nonce"),
		Display:      r.Params.Get("display"),
		UILocales:    strings.Fields(r.Params.Get("ui_locales")),
		ACRValues:    strings.Fields(r.Params.Get("acr_values")),
		Parameters:   r.Own,
		StartedAt:    r.StartedAt,
		room:         r,
	}
	r.Face = f

	return f
}

// Approval is the user's approval of a request.
type Approval struct {
	Subject  string         // the user: stable and unique. Required
	Scope    []string       // what the user allows, a part of the request's; nil: all of it
	Claims   map[string]any // stored with the code and the tokens
	AuthTime time.Time      // when the user authenticated; zero: now
	Remember bool           // store the consent, so that the same scopes are not asked for again
}

// ParseAuthorize reads and judges an authorization request (RFC 6749 sections 4.1.1
// and 4.2.1), by GET or POST. If it returns false, the answer has been written: an
// error page if the client or its redirect URI are not known for certain, and a
// redirect with the error otherwise.
func (s *Server) ParseAuthorize(w http.ResponseWriter, r *http.Request) (*AuthorizeRequest, bool) {
	req := faceOf(s.authorize.Parse(w, r))

	return req, req != nil
}

// Approve answers the request with a code or, in the implicit grant, with a token for
// the user who approved. It may be called once for a request. The server looks the
// client up again: it may have been disabled while the user decided.
func (s *Server) Approve(w http.ResponseWriter, r *http.Request, req *AuthorizeRequest, a Approval) {
	s.authorize.Approve(w, r, req.room, authorize.Approval(a))
}

// Deny answers the request with access_denied (RFC 6749 section 4.1.2.1).
func (s *Server) Deny(w http.ResponseWriter, r *http.Request, req *AuthorizeRequest) {
	s.authorize.Deny(w, r, req.room, nil)
}

// DenyError answers the request with an error of the host's choice, for example
// [LoginRequired]; nil is access_denied.
func (s *Server) DenyError(w http.ResponseWriter, r *http.Request, req *AuthorizeRequest, err *Error) {
	s.authorize.Deny(w, r, req.room, err)
}

// Suspend puts a valid request aside while the user signs in or decides, and returns
// the handle by which [Server.Resume] finds it. The handle works in this browser only,
// which gets a cookie, and until Config.InteractionLifetime has passed. Put it into the
// URL of your login page as the parameter interaction. Status 429: too many of one address.
func (s *Server) Suspend(w http.ResponseWriter, r *http.Request, req *AuthorizeRequest) (handle string, err error) {
	return s.authorize.Suspend(w, r, req.room)
}

// Resume finds a suspended request by the parameter interaction, in the query or in the
// posted form, and judges it anew. If it returns false, the answer has been written.
//
// Your page must not send a Content-Security-Policy with form-action, nor may a
// middleware add it: browsers apply it to every redirect after the form, which end at
// the client and wherever the client leads, and stop there.
func (s *Server) Resume(w http.ResponseWriter, r *http.Request) (*AuthorizeRequest, bool) {
	req := faceOf(s.authorize.Resume(w, r))

	return req, req != nil
}
