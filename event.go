package grantwell

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
)

// Event is the outcome of one request. It never holds a token, a code, a secret, a password or an assertion.
type Event struct {
	Time      time.Time
	Endpoint  string // "authorize", "consent", "token", "revoke", "introspect", "tokeninfo", "admin", "account"
	Outcome   string // "ok", "refused" (the caller's fault) or "failed" (ours)
	ClientID  string // as far as it is known; a registered client's
	Subject   string
	GrantType string
	GrantID   string
	Scope     []string
	Error     string // OAuth error code; empty when ok
	Reason    string // which check failed, for operators; never sent to the client
	Status    int
	Duration  time.Duration
	Remote    netip.Addr
	RequestID string
	Admin     *AdminAct // what an administrator or a user did; nil for all other requests
}

// LogValue groups the event's non-empty fields.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("endpoint", e.Endpoint), slog.String("outcome", e.Outcome), slog.Int("status", e.Status), slog.Duration("duration", e.Duration)}
	for _, a := range []struct{ k, v string }{
		{"client_id", e.ClientID}, {"subject", e.Subject}, {"grant_type", e.GrantType}, {"grant_id", e.GrantID},
		{"scope", strings.Join(e.Scope, " ")}, {"error", e.Error}, {"reason", e.Reason}, {"request_id", e.RequestID},
	} {
		if a.v != "" {
			attrs = append(attrs, slog.String(a.k, a.v))
		}
	}
	if e.Admin != nil {
		attrs = append(attrs, slog.Any("admin", e.Admin))
	}
	if e.Remote.IsValid() {
		attrs = append(attrs, slog.String("remote", e.Remote.String()))
	}
	return slog.GroupValue(attrs...)
}

// emit is the only place that events leave from. A hook that panics here loses its event, not the answer.
func (s *Server) emit(ctx context.Context, r *http.Request, e Event) {
	if s.cfg.Events == nil && s.cfg.Logger == nil {
		return
	}
	defer func() { _ = recover() }()
	e.Duration = time.Since(e.Time)
	e.Remote = s.RemoteAddr(r)
	e.RequestID = s.requestID(r)
	if e.Outcome == "" {
		e.Outcome = "ok"
	}
	if s.cfg.Logger != nil {
		LogEvents(s.cfg.Logger)(ctx, e)
	}
	if s.cfg.Events != nil {
		s.cfg.Events(ctx, e)
	}
}

// fail records in an event what went wrong.
func (e *Event) fail(err *grants.Error) {
	e.Error, e.Status, e.Outcome = err.Code, err.Status, "refused"
	if err.Status >= 500 {
		e.Outcome = "failed"
	}
	e.Reason = bounded(err.Description)
	if err.Err != nil {
		e.Reason = bounded(err.Err.Error())
	}
}

func (s *Server) requestID(r *http.Request) string {
	if s.cfg.RequestID != nil {
		return s.cfg.RequestID(r)
	}
	if id := r.Header.Get("X-Request-Id"); id != "" && len(id) <= 64 && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == "" {
		return id
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// protocol turns any error into what the client is told. What is not a protocol error is a fault of ours.
func protocol(err error) *grants.Error {
	var e *grants.Error
	if errors.As(err, &e) && e.Code != "" {
		c := *e
		if c.Status < 400 || c.Status > 599 { // 0, or no status of an error's
			c.Status = http.StatusBadRequest
			if c.Code == "invalid_client" {
				c.Status = http.StatusUnauthorized
			}
		}
		return &c
	}
	return &grants.Error{Code: "server_error", Description: "The server met an unexpected condition.", Status: http.StatusInternalServerError, Err: err}
}
