// Package browser is the frame of the endpoints that a user's browser opens: bounds,
// deadline, panics, the error page, the redirect back to the client, the cookie and
// the anti-forgery token.
package browser

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/deadline"
	"github.com/grantwell/grantwell/internal/base/form"
	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/event"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/seam"
)

// Frame serves pages. It is safe for concurrent use.
type Frame struct {
	frame.Settings
	// ErrorPage replaces the error page; nil: the built-in one.
	ErrorPage func(w http.ResponseWriter, r *http.Request, status int, code, description string)
	// Encoders send the response of the authorization endpoint, by response mode.
	Encoders map[string]seam.Encoder
	Cookie   Cookie
	// Texts choose the language of the built-in pages; nil: the built-in ones.
	Texts *pages.Texts
}

// Now returns the time of a new request.
func Now() time.Time { return time.Now().UTC() }

// Event returns the event of a new request.
func Event(endpoint string) event.Event {
	return event.Event{Time: Now(), Endpoint: endpoint, Status: http.StatusOK}
}

// Page does what every page needs, from the time of the event on: method, deadline,
// panics, the two ways that an error can go, and the event. It reports whether do
// succeeded.
func (f *Frame) Page(w http.ResponseWriter, r *http.Request, e *event.Event, do func(ctx context.Context) error) bool {
	ctx := &deadline.Context{Parent: r.Context(), At: e.Time.Add(f.Timeout)}
	defer ctx.End()
	if r.Method != http.MethodPost {
		frame.BoundUnread(w, r, ctx.At) // it has no body that is read
	}

	pages.Headers(w.Header())
	err := f.guarded(ctx, w, r, do)
	frame.BoundUnread(w, r, ctx.At)
	if err == nil {
		// A request that was only parsed, or sent to another page, has no outcome yet.
		if e.Subject != "" {
			f.Events.Emit(ctx, r, e)
		}
		return true
	}

	p := grants.ErrorOf(err)
	e.Fail(p)
	f.Events.Name(w.Header(), r, e)
	pages.Headers(w.Header()) // do may have prepared another page
	var back *seam.Redirected
	var over *Over
	switch {
	case errors.As(err, &back):
		e.Status = f.Respond(w, back.To, f.Refusal(p))
	case errors.As(err, &over):
		e.Status = f.lead(w, r, over.To, p, e.RequestID)
	default:
		f.showError(w, r, p, "", e.RequestID)
	}
	f.Events.Emit(ctx, r, e)

	return false
}

// guarded turns a panic into an error, and refuses what no page takes.
func (f *Frame) guarded(
	ctx context.Context,
	w http.ResponseWriter,
	r *http.Request,
	do func(context.Context) error,
) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = frame.Panicked(p)
		}
	}()

	// A HEAD would approve what a GET approves, and its answer would be lost.
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return frame.MethodNotAllowed(w, "GET, POST")
	}
	if err := f.CheckTLS(r); err != nil {
		return err
	}

	return do(ctx)
}

// Codes are the error codes that the authorization endpoint may send to a client:
// RFC 6749 sections 4.1.2.1 and 4.2.2.1, RFC 8707 section 2, OpenID Connect Core
// section 3.1.2.6.
func Codes() []string {
	return []string{
		"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type",
		"invalid_scope", "server_error", "temporarily_unavailable", "invalid_target",
		"login_required", "consent_required", "interaction_required", "account_selection_required",
		"request_not_supported", "request_uri_not_supported", "registration_not_supported",
	}
}

// Refusal returns an error as parameters of the response. A code of another endpoint,
// which a hook may have returned, becomes one of this endpoint.
func (f *Frame) Refusal(p *grants.Error) seam.Params {
	code := p.Code
	if !slices.Contains(Codes(), code) {
		code = "access_denied"
		if p.Status >= http.StatusInternalServerError {
			code = "server_error"
		}
	}

	description, uri := f.Text(p)
	params := make(seam.Params, 0, 5)
	params.Add("error", code)
	params.Add("error_description", frame.Printable(description, frame.MaxDescription))
	if uri != "" {
		params.Add("error_uri", frame.Printable(uri, frame.MaxURI))
	}

	return params
}

// language returns the language for the user of a request.
func (f *Frame) language(r *http.Request) pages.Language {
	locales := r.Form.Get("ui_locales")
	if locales == "" && len(r.URL.RawQuery) <= maxQuery {
		locales = r.URL.Query().Get("ui_locales")
	}

	return f.Texts.In(locales, r.Header.Get("Accept-Language"))
}

// Language returns the language for the user of an authorization request.
func (f *Frame) Language(to *seam.Authorization, r *http.Request) pages.Language {
	return f.Texts.In(to.Params.Get("ui_locales"), r.Header.Get("Accept-Language"))
}

// showError shows the user what the client cannot be sent. It never redirects. Back, if
// it is not empty, is where a link to the client leads. ID
// names the request.
func (f *Frame) showError(w http.ResponseWriter, r *http.Request, e *grants.Error, back, id string) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", "1")
	}
	description, _ := f.Text(e)
	description = frame.Printable(description, frame.MaxDescription)
	if f.ErrorPage == nil {
		pages.Error(w, f.language(r), e.Status, e.Code, description, back, id)
		return
	}

	defer func() {
		if recover() != nil {
			pages.Error(w, f.language(r), http.StatusInternalServerError, "server_error", "", "", id)
		}
	}()
	f.ErrorPage(w, r, e.Status, e.Code, description)
}

// Form returns the parameters of a page: the form of a POST, the query of a GET.
// Those in multi may occur several times.
func (f *Frame) Form(w http.ResponseWriter, r *http.Request, multi ...string) (url.Values, error) {
	text, err := f.text(w, r)
	if err != nil {
		return nil, err
	}

	return form.Parse(text, multi...)
}

// FormAll is Form for a request whose repetitions are judged later.
func (f *Frame) FormAll(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	text, err := f.text(w, r)
	if err != nil {
		return nil, err
	}

	return form.ParseAll(text)
}

// text returns the form that a request carries, undecoded.
func (f *Frame) text(w http.ResponseWriter, r *http.Request) (string, error) {
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		if err := frame.CheckForm(r); err != nil {
			return "", err
		}
		var err error
		if text, err = f.Body(w, r, f.MaxBody, time.Now().Add(f.Timeout)); err != nil {
			return "", err
		}
	}
	if int64(len(text)) > f.MaxBody {
		return "", frame.TooLarge()
	}

	return text, nil
}
