package grantwell

import (
	"log/slog"

	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

// AdminAct is what somebody did with [Server.Admin] or [Server.Account], as an event tells it. It holds no secret and no
// hash of one: in Before and After an ID stands for each hash, and SharedKey is never set.
type AdminAct struct {
	Actor  string          // as Authorize named them
	Action string          // "client.create", "grant.revoke", "registry.export"; empty when the request did not get so far
	Before *storage.Client // the client as it was, if the act changed one; nil: there was none
	After  *storage.Client // and as it is now; nil: there is none
}

// LogValue tells who did what, and the names of a client's members that it changed.
func (a *AdminAct) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("actor", a.Actor), slog.String("action", a.Action)}
	if fields := a.Changed(); len(fields) > 0 {
		attrs = append(attrs, slog.Any("changed", fields))
	}
	return slog.GroupValue(attrs...)
}

// Changed returns the names of the JSON members of [storage.Client] in which Before and After differ; nil unless there are both.
func (a *AdminAct) Changed() []string { return clientmeta.Changed(a.Before, a.After) }
