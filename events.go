package grantwell

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/internal/event"
	"github.com/grantwell/grantwell/storage"
)

// Event is the outcome of one request. It never holds a token, a code, a secret, a
// password or an assertion.
type Event struct {
	Time      time.Time
	Endpoint  string // "authorize", "consent", "token", "revoke", "introspect", "tokeninfo", "par", "admin", "account"
	Outcome   string // "ok", "refused" (the caller's fault) or "failed" (a fault of the server, its store or a hook)
	ClientID  string // as far as it is known; that of a registered client
	Subject   string
	GrantType string
	GrantID   string
	Scope     []string
	Error     string // OAuth error code; empty if ok
	Reason    Reason // the check that refused the request: stable, fit for a metric's label; empty if ok, except about a token that is not live
	Cause     string // the same for people: a text that may change; never sent to the client
	Status    int
	Duration  time.Duration
	Remote    netip.Addr
	RequestID string

	// Actor and Action are the administrator or user who called [Server.Admin] or
	// [Server.Account], and what they did: "client.create", "grant.revoke",
	// "registry.export". Both are empty for all other requests.
	Actor  string
	Action string
	// Before and After are the client as it was and as it is, if the action changed
	// one. They hold no secret and no hash of one: an ID stands for each hash.
	Before *storage.Client
	After  *storage.Client

	// Details are further facts, by name, bounded and printable: "sent_client_id" of a
	// client that is not known, "sent_redirect_uri" of one that is not registered.
	Details map[string]string
}

// Changed returns the names of the JSON members of [storage.Client] in which Before
// and After differ; nil unless there are both.
func (e Event) Changed() []string { return clientmeta.Changed(e.Before, e.After) }

// LogValue groups the fields of the event that are not empty.
func (e Event) LogValue() slog.Value {
	inner := event.Event(e)
	attrs := inner.Attrs()
	if names := e.Changed(); len(names) > 0 {
		attrs = append(attrs, slog.Any("changed", names))
	}

	return slog.GroupValue(attrs...)
}

// LogEvents returns a function for Config.Events that writes one line for each event:
// at level Info if it is ok or a user decided, Debug if a resource server asked about a
// token, Warn if it was refused, Error if it failed. The message is "oauth", the fields
// are a group named "event". Config.Logger does the same; this is for hosts that do more.
func LogEvents(l *slog.Logger) func(ctx context.Context, e Event) {
	return func(ctx context.Context, e Event) {
		inner := event.Event(e)
		l.LogAttrs(ctx, inner.Level(), "oauth", slog.Any("event", e))
	}
}

// sink returns where events go; nil: nowhere.
func (c *Config) sink() *event.Sink {
	sink := &event.Sink{Addr: c.peers.Addr, RequestID: c.RequestID}
	if c.Events == nil && c.Logger == nil {
		return sink
	}
	sink.Send = func(ctx context.Context, e event.Event) {
		if c.Logger != nil {
			LogEvents(c.Logger)(ctx, Event(e))
		}
		if c.Events != nil {
			c.Events(ctx, Event(e))
		}
	}

	return sink
}
