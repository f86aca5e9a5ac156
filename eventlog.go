package grantwell

import (
	"context"
	"log/slog"
	"strings"
)

// LogEvents returns a function for Config.Events that writes one line for each event: at level Info if it is ok, Warn if it
// was refused, Error if it failed. The message is "oauth", the fields are a group named "event". Config.Logger does
// the same; this is for hosts that do more with their events, or choose among them.
func LogEvents(l *slog.Logger) func(ctx context.Context, e Event) {
	return func(ctx context.Context, e Event) {
		level := slog.LevelInfo
		switch e.Outcome {
		case "refused":
			level = slog.LevelWarn
		case "failed":
			level = slog.LevelError
		}
		l.LogAttrs(ctx, level, "oauth", slog.Any("event", e))
	}
}

// maxReason bounds a reason in bytes: a part of it may come from whoever is refused, who would otherwise fill the log.
const maxReason = 512

func bounded(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "") + "…"
}
