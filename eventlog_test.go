package grantwell_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
)

// The adapter writes what the logger of the configuration writes, at a level that tells whose fault it was.
// Holds S183.
func TestLogEvents(t *testing.T) {
	t.Parallel()
	var own, adapted bytes.Buffer
	untimed := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "time" {
			return slog.Attr{}
		}
		return a
	}}
	var store *servertest.Hooked
	d := servertest.New(t, func(cfg *grantwell.Config) {
		store = servertest.HookRecords(cfg)
		cfg.Logger = slog.New(slog.NewTextHandler(&own, untimed))
		cfg.Events = grantwell.LogEvents(slog.New(slog.NewTextHandler(&adapted, untimed)))
	})
	own.Reset() // of the warning about the implicit grant
	d.Post("/token", servertest.Conf, "grant_type", "client_credentials")
	d.Post("/token", "conf:wrong", "grant_type", "client_credentials")
	store.Fail(errors.New(servertest.StoreFault))
	d.Post("/token", servertest.Conf, "grant_type", "client_credentials")
	require.Equal(t, own.String(), adapted.String())
	lines := strings.Split(strings.TrimSpace(own.String()), "\n")
	require.Len(t, lines, 3)
	for i, start := range []string{"level=INFO msg=oauth event.endpoint=token event.outcome=ok event.status=200", "level=WARN msg=oauth event.endpoint=token event.outcome=refused event.status=401",
		"level=ERROR msg=oauth event.endpoint=token event.outcome=failed event.status=503"} {
		require.True(t, strings.HasPrefix(lines[i], start), lines[i])
	}
}

// What a stranger sends does not fill the log: a reason has an end.
// Holds S186.
func TestEvents_ReasonsAreBounded(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, func(cfg *grantwell.Config) {
		servertest.HookRecords(cfg).Fail(errors.New(strings.Repeat("ü", 30_000)))
	})
	d.Post("/token", servertest.Conf, "grant_type", "client_credentials", "scope", "read "+strings.Repeat("x", 30_000))
	d.Post("/token", servertest.Conf, "grant_type", "client_credentials")
	for _, e := range d.Events() {
		require.NotEmpty(t, e.Reason)
		require.LessOrEqual(t, len(e.Reason), 520)
		require.True(t, utf8.ValidString(e.Reason))
	}
	require.Len(t, d.Events(), 2)
}
