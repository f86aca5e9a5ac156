package authorize

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/event"
	"github.com/grantwell/grantwell/internal/frame/browser"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// Approve answers a request for the user who approved it.
func (r *Room) Approve(w http.ResponseWriter, req *http.Request, to *Request, a Approval) {
	e := to.event
	e.Time = browser.Now()
	r.Frame.Page(w, req, &e, func(ctx context.Context) error { return r.allow(ctx, w, &e, to, a) })
}

// allow is Approve inside a page.
func (r *Room) allow(ctx context.Context, w http.ResponseWriter, e *event.Event, to *Request, a Approval) error {
	e.Subject = a.Subject
	if to.answered.Swap(true) {
		return answered()
	}

	x := &approval{Room: r, to: to, given: a, event: e}
	for _, s := range approvalSteps() {
		if err := s.do(x, ctx); err != nil {
			if gone := new(goneError); errors.As(err, &gone) {
				return r.again(ctx, w, e, to, gone)
			}
			return &seam.Redirected{Err: err, To: to.Authorization}
		}
	}
	e.Status = r.Frame.Respond(w, to.Authorization, x.out.Params)

	return nil
}

// approval is an approval on its way to its answer.
type approval struct {
	*Room
	to    *Request
	given Approval
	event *event.Event

	approved seam.Approved
	out      seam.Answer
}

// approvalStep is one step on the way.
type approvalStep struct {
	name string
	do   func(x *approval, ctx context.Context) error
}

// approvalSteps returns the steps in their order. Nothing is stored before all of
// the answer is made; one write then ends the request and stores the answer.
func approvalSteps() [8]approvalStep {
	return [...]approvalStep{
		{"client", (*approval).findClient},
		{"hook", (*approval).askHost},
		{"scope", (*approval).checkScope},
		{"user", (*approval).checkUser},
		{"consent", (*approval).remember},
		{"answer", (*approval).respond},
		{"write", (*approval).write},
		{"after", (*approval).after},
	}
}

// findClient looks the client up again: it may have been disabled while the user
// decided.
func (x *approval) findClient(ctx context.Context) error {
	client, err := x.Live.Clients.Client(ctx, x.to.Client.ID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && client.Disabled {
		return gone("The client is no longer registered.", grants.ReasonClientDisabled)
	} else if err != nil {
		return grants.Unavailable(err)
	}
	x.approved.Client = client

	return nil
}

// askHost lets the host change the approval, within the rules that follow.
func (x *approval) askHost(ctx context.Context) error {
	if x.given.Scope == nil {
		x.given.Scope = x.to.Scope
	}
	if x.given.AuthTime.IsZero() {
		x.given.AuthTime = x.event.Time
	}
	if x.Before != nil {
		if err := x.Before(ctx, x.to, &x.given); err != nil {
			return err
		}
	}
	if x.given.Subject == "" {
		return errors.New("grantwell: Approval.Subject is empty")
	}
	x.event.Subject = x.given.Subject

	return nil
}

// checkScope refuses an approval of what was not requested.
func (x *approval) checkScope(context.Context) error {
	for _, v := range x.given.Scope {
		if !slices.Contains(x.to.Scope, v) {
			return errors.New("grantwell: Approval.Scope has a scope that was not requested")
		}
	}
	if len(x.given.Scope) == 0 && len(x.to.Scope) > 0 {
		return grants.AccessDenied("The user granted nothing.")
	}

	// In the order of the request.
	x.given.Scope = slices.DeleteFunc(slices.Clone(x.to.Scope), func(v string) bool {
		return !slices.Contains(x.given.Scope, v)
	})

	return nil
}

// checkUser refuses a user who may not have tokens.
func (x *approval) checkUser(ctx context.Context) error {
	err := x.Live.CheckUser(ctx, x.given.Subject)
	if err == nil {
		err = x.Live.CheckSubject(ctx, "", x.given.Subject)
	}
	if err == nil {
		return nil
	}

	e := grants.ErrorOf(err)
	if e.Status >= http.StatusInternalServerError {
		return err
	}

	return grants.AccessDenied("The user may not use this service.").For(e.Reason).Because("%w", err)
}

// remember stores the consent, where the host asks for it.
func (x *approval) remember(ctx context.Context) error {
	generation, err := x.Live.Consents.Remember(
		ctx, x.approved.Client, x.given.Subject, x.given.Scope, x.to.Audience, x.given.Remember, x.event.Time)
	if err != nil {
		return grants.Unavailable(err)
	}
	x.approved.Consent = generation

	return nil
}

// respond makes the answer: each word of the response type in its order.
func (x *approval) respond(ctx context.Context) error {
	x.approved.Request = x.to.Authorization
	x.approved.Subject = x.given.Subject
	x.approved.Scope = x.given.Scope
	x.approved.Claims = x.given.Claims
	x.approved.AuthTime = x.given.AuthTime
	x.approved.Now = x.event.Time
	x.event.Scope = x.given.Scope

	x.out.Params = make(seam.Params, 0, 6)
	for _, t := range x.Types {
		if !slices.Contains(x.to.Types, t.ResponseType()) {
			continue
		}
		if err := t.Respond(ctx, &x.approved, &x.out); err != nil {
			return err
		}
	}
	x.event.GrantID = x.out.GrantID

	return nil
}

// write ends the request and stores its answer.
func (x *approval) write(ctx context.Context) error {
	return x.end(ctx, x.to, x.out.GrantID, x.out.Records, x.out.Params)
}

// after runs what follows the write. If it fails or panics, the user's browser gets an
// error, so what was issued is withdrawn.
func (x *approval) after(ctx context.Context) (err error) {
	failed := true
	defer func() {
		if !failed {
			return
		}
		if down := x.withdraw(ctx); down != nil {
			err = grants.Unavailable(errors.Join(err, down))
		}
	}()
	err = x.runAfter(ctx)
	failed = err != nil

	return err
}

// withdraw ends what was issued. The form that is posted again must not get the answer.
func (x *approval) withdraw(ctx context.Context) error {
	// The request may be over by now, but the code must not stay.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), x.Frame.Timeout)
	defer cancel()

	err := x.Live.Records.Revoke(ctx, x.out.GrantID)
	if x.to.waiting != nil && x.to.form != nil {
		done := *x.to.waiting
		done.State = storage.Spent
		err = errors.Join(err, x.Live.Records.Advance(ctx, storage.Spent, done))
	}

	return err
}

func (x *approval) runAfter(ctx context.Context) error {
	for _, stored := range x.out.Stored {
		if err := stored(ctx); err != nil {
			return err
		}
	}
	if x.After != nil {
		return x.After(ctx, x.to, x.given)
	}

	return nil
}

// end stores the records of an answer and, in the same write, ends the interaction
// and spends what may be used once: one request is answered once. The interaction keeps
// params, sealed, for a form that is posted again.
func (r *Room) end(ctx context.Context, to *Request, grantID string, recs []storage.Record, params seam.Params) error {
	if once := to.Once; once != nil {
		if grantID == "" { // an error answers the request, so the identifier begins a grant of its own
			grantID = r.Live.Families.New()
		}
		recs = append(recs, storage.Record{
			Kind:      storage.Used,
			Key:       once.Key,
			State:     storage.Spent,
			GrantID:   grantID,
			ClientID:  to.Client.ID,
			IssuedAt:  browser.Now(),
			ExpiresAt: once.Until,
		})
	}

	var err error
	switch {
	case to.waiting != nil:
		done := *to.waiting
		done.State = storage.Spent
		if done.Data, err = to.seal(params, browser.Now()); err != nil {
			return err
		}
		err = r.Live.Records.Advance(ctx, storage.Active, done, recs...)
	case len(recs) > 0:
		err = r.Live.Records.Insert(ctx, recs...)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrNotFound),
		errors.Is(err, storage.ErrExists) && to.Once != nil:
		return answered()
	}

	return grants.Unavailable(err)
}

// goneError is for the user alone. It is not redirected, although the redirect URI
// was valid once.
type goneError struct{ protocol *grants.Error }

func gone(description string, reason grants.Reason) error {
	return &goneError{grants.InvalidRequest(description).For(reason)}
}

// Error and Unwrap are those of the protocol error inside.
func (e *goneError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the protocol error.
func (e *goneError) Unwrap() error { return e.protocol }

// answered refuses a second answer to one request.
func answered() error {
	return gone("This page was answered already. Go back to the application and begin again.", grants.ReasonAnswered)
}

// Deny answers a request with an error; nil is access_denied.
func (r *Room) Deny(w http.ResponseWriter, req *http.Request, to *Request, with *grants.Error) {
	if with == nil {
		with = Denied()
	}
	e := to.event
	e.Time = browser.Now()
	r.Frame.Page(w, req, &e, func(ctx context.Context) error { return r.refuse(ctx, w, &e, to, with) })
}

// Denied returns the error for a user who denied a request (RFC 6749 section
// 4.1.2.1).
func Denied() *grants.Error { return grants.AccessDenied("The user denied the request.") }

// refuse is Deny inside a page.
func (r *Room) refuse(ctx context.Context, w http.ResponseWriter, e *event.Event, to *Request, with *grants.Error) error {
	if to.answered.Swap(true) {
		return answered()
	}

	err := r.end(ctx, to, "", nil, r.Frame.Refusal(with))
	var gone *goneError
	switch {
	case err == nil:
		err = with
	case errors.As(err, &gone):
		return r.again(ctx, w, e, to, gone)
	}

	return &seam.Redirected{Err: err, To: to.Authorization}
}

// again handles a request that was answered before or at the same moment. The form that
// was answered gets its answer again; every other one gets an error page.
func (r *Room) again(ctx context.Context, w http.ResponseWriter, e *event.Event, to *Request, gone *goneError) error {
	if gone.protocol.Reason != grants.ReasonAnswered {
		return gone
	}
	over := &browser.Over{Err: gone, To: to.Authorization}
	if to.form == nil {
		return over
	}

	rec, err := r.Live.Records.Get(ctx, storage.Interaction, to.waiting.Key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return over
	case err != nil:
		// A page and not the error of the client: the form may be posted again, and
		// gets its answer then.
		return grants.Unavailable(err)
	case json.Unmarshal(rec.Data, &to.wait) != nil:
		return over
	}
	sent, ok := to.replay(browser.Now())
	if !ok {
		return over
	}
	e.Status = r.Frame.Respond(w, to.Authorization, sent)

	return nil
}
