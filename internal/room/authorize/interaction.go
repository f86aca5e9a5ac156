package authorize

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/event"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/frame/browser"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// waiting is what the record of an interaction keeps: the resolved request, and the
// browser that it belongs to.
type waiting struct {
	Params  url.Values `json:"params"`
	Source  string     `json:"source,omitempty"`
	Once    *seam.Once `json:"once,omitempty"`
	Browser string     `json:"browser"` // storage.Key of the cookie

	// LoggedIn is when the user of the session had authenticated who was sent to the
	// login page, in nanoseconds since 1970; 0: no user was signed in.
	LoggedIn int64 `json:"logged_in,omitempty"`
	// Answer is the sealed answer, after the request was answered.
	Answer []byte `json:"answer,omitempty"`
}

// parameters are those that the endpoint itself reads. An interaction keeps these,
// those of the specifications, and no others.
var parameters = []string{
	"client_id", "response_type", "redirect_uri", "scope", "state", "response_mode",
	"code_challenge", "code_challenge_method", "resource", "audience", "nonce",
	"prompt", "login_hint", "max_age", "display", "ui_locales", "acr_values", "request", "request_uri", "registration",
}

// Suspend puts a valid request aside and returns the handle by which [Room.Resume]
// finds it. The handle works only in this browser, which gets a cookie.
func (r *Room) Suspend(w http.ResponseWriter, req *http.Request, to *Request) (string, error) {
	if to.waiting != nil {
		return to.handle, nil
	}

	data, err := json.Marshal(waiting{
		Params:   r.kept(to.Params),
		Source:   to.Source,
		Once:     to.Once,
		Browser:  storage.Key(r.Frame.EnsureBrowser(w, req)),
		LoggedIn: to.loggedIn,
	})
	if err != nil {
		return "", err
	}
	handle := ids.New() + ids.New()
	rec := storage.Record{
		Kind:      storage.Interaction,
		Key:       storage.Key(handle),
		State:     storage.Active,
		ClientID:  to.Client.ID,
		IssuedAt:  to.StartedAt,
		ExpiresAt: to.StartedAt.Add(r.InteractionLifetime),
		Data:      data,
	}
	ctx, cancel := context.WithTimeout(req.Context(), r.Frame.Timeout)
	defer cancel()
	// Each request that waits is stored, and any caller can send it.
	if err := r.Limit.Spend(ctx, "waiting:", req); err != nil {
		return "", err
	}
	if err := r.Live.Records.Insert(ctx, rec); err != nil {
		return "", err
	}
	to.waiting = &rec
	to.handle = handle

	return handle, nil
}

// kept returns those parameters that are read.
func (r *Room) kept(sent url.Values) url.Values {
	out := make(url.Values, len(sent))
	for name, values := range sent {
		if r.keeps(name) {
			out[name] = values
		}
	}

	return out
}

func (r *Room) keeps(name string) bool {
	return slices.Contains(parameters, name) || slices.Contains(r.Parameters, name) || slices.Contains(r.Own, name)
}

// Resume finds a suspended request by the parameter interaction, in the query or in
// the posted form, and judges it anew. If it returns nil, the answer has been
// written.
func (r *Room) Resume(w http.ResponseWriter, req *http.Request) *Request {
	e := browser.Event("authorize")
	var out *Request
	r.Frame.Page(w, req, &e, func(ctx context.Context) (err error) {
		if err = r.readForm(w, req); err != nil {
			return err
		}
		out, err = r.resume(ctx, w, req, &e, req.Form.Get("interaction"))
		if out != nil {
			pages.BeforeForm(w.Header())
		}
		return err
	})

	return out
}

// readForm parses a posted form, or the query of a GET, once. Later readers find it
// in req.Form.
func (r *Room) readForm(w http.ResponseWriter, req *http.Request) error {
	if req.Form != nil {
		return nil
	}

	values, err := r.Frame.Form(w, req, "scope")
	var e *grants.Error
	switch {
	case errors.As(err, &e):
		return err
	case err != nil:
		return frame.Malformed(err)
	}
	req.Form = values
	req.PostForm = values

	return nil
}

// maxHandle bounds a handle that is sent, in bytes.
const maxHandle = 64

// resume finds the request. It returns neither a request nor an error if it has sent
// the answer again that the same form was given before.
func (r *Room) resume(
	ctx context.Context,
	w http.ResponseWriter,
	req *http.Request,
	e *event.Event,
	handle string,
) (*Request, error) {
	if handle == "" || len(handle) > maxHandle {
		return nil, over("the parameter interaction is missing or malformed")
	}
	rec, err := r.Live.Records.Get(ctx, storage.Interaction, storage.Key(handle))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, over("the interaction is unknown")
	} else if err != nil {
		return nil, grants.Unavailable(err)
	}

	var wait waiting
	if err := json.Unmarshal(rec.Data, &wait); err != nil {
		return nil, err
	}
	browserKey := r.Frame.Owner(req, wait.Browser)
	if browserKey == "" {
		return nil, elsewhere(r.Frame.Browser(req) != "")
	}

	out, err := r.request(ctx, e, seam.Authorization{
		Params:         wait.Params,
		Source:         wait.Source,
		Once:           wait.Once,
		StartedAt:      rec.IssuedAt,
		AcceptLanguage: req.Header.Get("Accept-Language"),
	})
	if err != nil {
		return nil, err
	}
	out.waiting = &rec
	out.wait = wait
	out.handle = handle
	out.browser = browserKey
	out.form = formDigest(req)
	out.resumed = true

	switch {
	case rec.State != storage.Active:
		if sent, ok := out.replay(e.Time); ok {
			e.Status = r.Frame.Respond(w, out.Authorization, sent)
			return nil, nil
		}
		return nil, &browser.Over{Err: over("the interaction is answered"), To: out.Authorization}
	case rec.Expired(e.Time):
		late := grants.InvalidRequest("This sign-in took too long. Go back to the application and begin again.").
			For(grants.ReasonInteraction).Because("grantwell: the interaction is expired")
		return nil, &browser.Over{Err: late, To: out.Authorization}
	}

	return out, nil
}

func over(cause string) *grants.Error {
	return grants.InvalidRequest("This sign-in is over. Go back to the application and begin again.").
		For(grants.ReasonInteraction).Because("grantwell: %s", cause)
}

// elsewhere refuses a request that the browser did not begin, or whose cookie it has
// lost. Cookies says that it sent another one of the server's.
func elsewhere(cookies bool) *grants.Error {
	text := "Your browser sent no cookie. Allow cookies for this site, then go back to the application and begin again."
	if cookies {
		text = "This sign-in was begun elsewhere. Go back to the application and begin again."
	}
	refusal := grants.InvalidRequest(text).
		For(grants.ReasonInteraction).Because("grantwell: the interaction belongs to another browser")
	refusal.Status = http.StatusForbidden

	return refusal
}
