// Package event describes the outcome of a request to the server, and sends it to
// the host.
package event

import (
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// Event is the outcome of one request. It never holds a token, a code, a secret, a
// password or an assertion. The face has the same type and documents its fields; the
// two are converted into each other, so the fields must stay the same.
type Event struct {
	Time      time.Time
	Endpoint  string
	Outcome   string
	ClientID  string
	Subject   string
	GrantType string
	GrantID   string
	Scope     []string
	Error     string
	Reason    grants.Reason
	Cause     string
	Status    int
	Duration  time.Duration
	Remote    netip.Addr
	RequestID string

	Actor  string
	Action string
	Before *storage.Client
	After  *storage.Client

	Details map[string]string
}

// The outcomes of an event.
const (
	OK      = "ok"
	Refused = "refused" // the caller's fault
	Failed  = "failed"  // a fault of the server, its store or a hook
)

// Fail records in an event why its request was not answered.
func (e *Event) Fail(err *grants.Error) {
	e.Error = err.Code
	e.Status = err.Status
	e.Outcome = Refused
	if err.Status >= http.StatusInternalServerError {
		e.Outcome = Failed
	}
	e.Reason = err.Reason
	e.Cause = bounded(err.Description)
	if err.Err != nil {
		e.Cause = bounded(err.Err.Error())
	}
	for name, value := range err.Details {
		if e.Details == nil {
			e.Details = make(map[string]string, len(err.Details))
		}
		e.Details[name] = plain(value)
	}
}

// plain keeps the visible ASCII characters and the space of a text that a caller
// sent, at most maxDetail of them, so that it cannot forge or fill a log.
func plain(text string) string {
	var b strings.Builder
	for i := 0; i < len(text) && b.Len() < maxDetail; i++ {
		if c := text[i]; c >= 0x20 && c <= 0x7e {
			b.WriteByte(c)
		}
	}

	return b.String()
}

const maxDetail = 256

// maxCause bounds the text of a cause in bytes. A part of it may come from the
// caller, who must not be able to fill the log.
const maxCause = 512

func bounded(text string) string {
	if len(text) <= maxCause {
		return text
	}

	return strings.ToValidUTF8(text[:maxCause], "") + "…"
}

// Attrs returns the fields that are not empty.
func (e *Event) Attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("endpoint", e.Endpoint),
		slog.String("outcome", e.Outcome),
		slog.Int("status", e.Status),
		slog.String("duration", e.Duration.Round(time.Microsecond).String()),
	}
	for _, a := range []struct{ name, value string }{
		{"client_id", e.ClientID},
		{"subject", e.Subject},
		{"grant_type", e.GrantType},
		{"grant_id", e.GrantID},
		{"scope", strings.Join(e.Scope, " ")},
		{"error", e.Error},
		{"reason", string(e.Reason)},
		{"cause", e.Cause},
		{"request_id", e.RequestID},
		{"actor", e.Actor},
		{"action", e.Action},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.name, a.value))
		}
	}
	if e.Remote.IsValid() {
		attrs = append(attrs, slog.String("remote", e.Remote.String()))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		attrs = append(attrs, slog.String(name, e.Details[name]))
	}

	return attrs
}

// Level returns the level of an event's log line: Info if the request was answered,
// Warn if it was refused, Error if it failed. What resource servers ask is Debug, and
// the decision of a user is not a warning.
func (e *Event) Level() slog.Level {
	switch e.Outcome {
	case Failed:
		return slog.LevelError
	case Refused:
		switch e.Reason {
		case grants.ReasonDenied, grants.ReasonLoginRequired, grants.ReasonConsentRequired:
			return slog.LevelInfo
		}
		return slog.LevelWarn
	}
	if e.Endpoint == "introspect" || e.Endpoint == "tokeninfo" {
		return slog.LevelDebug
	}

	return slog.LevelInfo
}
