package event

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/base/ids"
)

// Sink sends events to the host. A nil Sink sends none.
type Sink struct {
	// Send is the host's function. It runs before the request's handler returns. Nil:
	// no events are sent.
	Send func(ctx context.Context, e Event)
	// Addr returns the address that a request came from.
	Addr func(r *http.Request) netip.Addr
	// RequestID returns the name of a request; nil: its X-Request-Id header if that is
	// short and plain, or else a random name.
	RequestID func(r *http.Request) string
}

// Emit completes the event of a request and sends it. If the host's function panics,
// the event is lost, but not the answer.
func (s *Sink) Emit(ctx context.Context, r *http.Request, e *Event) {
	if s == nil || s.Send == nil {
		return
	}
	defer func() { _ = recover() }()

	out := *e
	out.Duration = time.Since(e.Time)
	out.Remote = s.Addr(r)
	if out.RequestID == "" {
		out.RequestID = s.requestID(r)
	}
	if out.Outcome == "" {
		out.Outcome = OK
	}
	s.Send(ctx, out)
}

// Header is the response header that names a request.
const Header = "X-Request-Id"

// Name gives the request of an event its name, which the response carries too: a
// user's error page and a line of the log can then be joined.
func (s *Sink) Name(h http.Header, r *http.Request, e *Event) {
	if s == nil || e.RequestID != "" {
		return
	}
	defer func() { _ = recover() }()

	e.RequestID = s.requestID(r)
	if name := plain(e.RequestID); name != "" {
		h[Header] = []string{name}
	}
}

// The bounds of a request's name that a caller sends.
const (
	maxRequestID    = 64
	plainCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
)

func (s *Sink) requestID(r *http.Request) string {
	if s.RequestID != nil {
		return s.RequestID(r)
	}
	id := r.Header.Get("X-Request-Id")
	if id != "" && len(id) <= maxRequestID && strings.Trim(id, plainCharacters) == "" {
		return id
	}

	return ids.Short()
}
