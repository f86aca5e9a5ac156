package grantwell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/frontchannel"
	"github.com/grantwell/grantwell/internal/pages"
)

// redirected is an error that goes back to the client, because its redirect URI is verified.
type redirected struct {
	err error
	to  *frontchannel.Request
}

func (e *redirected) Error() string { return e.err.Error() }
func (e *redirected) Unwrap() error { return e.err }

func nowUTC() time.Time { return time.Now().UTC() }

func (s *Server) newEvent(endpoint string) Event {
	return Event{Time: nowUTC(), Endpoint: endpoint, Status: http.StatusOK}
}

// page wraps, from the event's time on, what all pages have in common: method, deadline, panics, the two ways that an error can go, and the event.
// It returns whether do succeeded.
func (s *Server) page(w http.ResponseWriter, r *http.Request, e *Event, do func(ctx context.Context) error) bool {
	ctx := &deadline{Context: r.Context(), at: e.Time.Add(s.cfg.Timeout)}
	defer ctx.end()
	pages.Headers(w.Header())
	err := s.guarded(ctx, w, r, do)
	if err == nil {
		if e.Subject != "" { // a request that was only parsed, or sent to another page, has no outcome yet
			s.emit(ctx, r, *e)
		}
		return true
	}
	p := protocol(err)
	e.fail(p)
	var back *redirected
	if errors.As(err, &back) {
		code := p.Code
		if !slices.Contains(frontCodes, code) { // a code of the token endpoint's, from a hook
			code = "access_denied"
			if p.Status >= 500 {
				code = "server_error"
			}
		}
		description, uri := p.Description, p.URI
		if s.cfg.ErrorText != nil {
			description, uri = s.errorText(p)
		}
		params := answerParams("error", code, "error_description", printable(description, 256))
		if uri != "" {
			params.Add("error_uri", printable(uri, 512))
		}
		e.Status = s.front.Respond(w, back.to, params)
	} else {
		s.errorPage(w, r, p)
	}
	s.emit(ctx, r, *e)
	return false
}

// frontCodes are the error codes of RFC 6749 sections 4.1.2.1 and 4.2.2.1, RFC 8707 and OpenID Connect Core section 3.1.2.6.
var frontCodes = []string{"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope", "server_error",
	"temporarily_unavailable", "invalid_target", "login_required", "consent_required", "interaction_required", "account_selection_required",
	"request_not_supported", "request_uri_not_supported", "registration_not_supported"}

func (s *Server) guarded(ctx context.Context, w http.ResponseWriter, r *http.Request, do func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = panicked(p)
		}
	}()
	// No HEAD: it would approve what a GET approves, and nobody would have the answer.
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		return &grants.Error{Code: "invalid_request", Description: "The method is not allowed here.", Status: http.StatusMethodNotAllowed}
	}
	if s.cfg.RequireTLS && !s.secure(r) {
		return grants.InvalidRequest("TLS is required.")
	}
	return do(ctx)
}

// errorPage tells the user what the client cannot be told. It never redirects.
func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, e *grants.Error) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", "1")
	}
	description := e.Description
	if s.cfg.ErrorText != nil {
		description, _ = s.errorText(e)
	}
	if s.cfg.ErrorPage != nil {
		defer func() {
			if recover() != nil {
				pages.Error(w, http.StatusInternalServerError, "server_error", "")
			}
		}()
		s.cfg.ErrorPage(w, r, e.Status, e.Code, printable(description, 256))
		return
	}
	pages.Error(w, e.Status, e.Code, printable(description, 256))
}

// pageBody reads a form that a browser posted.
func (s *Server) pageBody(w http.ResponseWriter, r *http.Request) (string, error) {
	if err := isForm(r); err != nil {
		return "", err
	}
	var b strings.Builder
	if _, err := io.Copy(&b, http.MaxBytesReader(w, r.Body, s.cfg.MaxBody)); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return "", tooLarge()
		}
		return "", fmt.Errorf("grantwell: body: %w", grants.InvalidRequest("The body could not be read."))
	}
	return b.String(), nil
}

// ShowCodeHandler returns a page that shows the code of the redirect that led to it, for a client without a web
// address of its own: register the page's URL as its redirect URI. Off unless Paths.ShowCode is set; a loopback
// redirect or the device grant is the better way.
func (s *Server) ShowCodeHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := s.newEvent("showcode")
		s.page(w, r, &e, func(context.Context) error {
			q := r.URL.Query()
			code := q.Get("code")
			if _, err := s.cfg.Codes.Verify(r.Context(), code); err == nil && q.Get("iss") == s.cfg.Issuer {
				pages.Code(w, code)
				return nil
			}
			if refusal := q.Get("error"); slices.Contains(frontCodes, refusal) {
				return &grants.Error{Code: refusal, Description: "The application was not given access.", Status: http.StatusBadRequest}
			}
			return grants.InvalidRequest("There is no code to show.")
		})
	})
}
