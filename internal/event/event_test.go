package event_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/event"
	"github.com/grantwell/grantwell/storage"
)

// An error of the caller is refused, one of the server failed, and the cause stays
// for the operator.
func TestFail_SortsByFault(t *testing.T) {
	t.Parallel()
	var e event.Event
	e.Fail(grants.ErrorOf(grants.InvalidGrant("the cause").For(grants.ReasonCodeSpent)))
	require.Equal(t, event.Event{
		Error:   "invalid_grant",
		Status:  http.StatusBadRequest,
		Outcome: event.Refused,
		Reason:  grants.ReasonCodeSpent,
		Cause:   "the cause",
	}, e)

	e = event.Event{}
	e.Fail(grants.ErrorOf(grants.InvalidScope("The description.")))
	require.Equal(t, "The description.", e.Cause, "an error without a cause")
	e.Fail(grants.ErrorOf(errors.New("pq")))
	require.Equal(t, event.Failed, e.Outcome)
	require.Equal(t, "pq", e.Cause)
}

// A caller cannot fill the log: the cause is bounded, and is cut between characters.
func TestFail_CauseIsBounded(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"x", "ü", "💚"} {
		for shift := range 4 {
			long := strings.Repeat("a", shift) + strings.Repeat(unit, 10_000)
			for _, err := range []*grants.Error{
				{Code: "x", Err: errors.New(long)},
				{Code: "x", Description: long},
			} {
				var e event.Event
				e.Fail(err)
				require.LessOrEqual(t, len(e.Cause), 512+len("…"))
				require.True(t, utf8.ValidString(e.Cause))
				require.True(t, strings.HasSuffix(e.Cause, "…"))
			}
		}
	}
}

// The log line has every field that is set, and none that is empty.
func TestAttrs_HaveWhatIsSet(t *testing.T) {
	t.Parallel()
	names := func(e event.Event) map[string]string {
		out := map[string]string{}
		for _, a := range e.Attrs() {
			out[a.Key] = a.Value.String()
		}
		return out
	}
	require.Equal(t, map[string]string{"endpoint": "", "outcome": "", "status": "0", "duration": "0s"}, names(event.Event{}))

	e := event.Event{
		Endpoint: "token", Outcome: event.OK, Status: 200, Duration: time.Second,
		ClientID: "app", Subject: "alice", GrantType: "password", GrantID: "g", Scope: []string{"read", "write"},
		Error: "e", Reason: grants.ReasonGrant, Cause: "c", RequestID: "r", Actor: "root", Action: "client.create",
		Remote:  netip.MustParseAddr("192.0.2.1"),
		Details: map[string]string{"b": "2", "a": "1"},
		Before:  &storage.Client{ID: "before"},
	}
	require.Equal(t, map[string]string{
		"endpoint": "token", "outcome": "ok", "status": "200", "duration": "1s",
		"client_id": "app", "subject": "alice", "grant_type": "password", "grant_id": "g", "scope": "read write",
		"error": "e", "reason": "grant", "cause": "c", "request_id": "r", "actor": "root", "action": "client.create",
		"remote": "192.0.2.1", "a": "1", "b": "2",
	}, names(e))

	// The face adds before and after by what changed. Every other field is in the line.
	for i := range reflect.TypeFor[event.Event]().NumField() {
		field := reflect.TypeFor[event.Event]().Field(i).Name
		switch field {
		case "Time", "Before", "After": // the line has a time of its own
			continue
		}
		require.False(t, reflect.ValueOf(e).Field(i).IsZero(), "the test sets %s", field)
	}
}

func TestLevel_IsThatOfTheOutcome(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[string]slog.Level{
		"": slog.LevelInfo, event.OK: slog.LevelInfo, event.Refused: slog.LevelWarn, event.Failed: slog.LevelError,
	} {
		require.Equal(t, want, (&event.Event{Outcome: outcome}).Level(), outcome)
	}
}

// sink returns a sink to a function.
func sink(send func(ctx context.Context, e event.Event)) *event.Sink {
	return &event.Sink{
		Send:      send,
		Addr:      func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.1") },
		RequestID: func(*http.Request) string { return "r" },
	}
}

// An event is completed when it is sent, and the request's own event stays as it is.
func TestEmit_CompletesACopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got event.Event
		own := event.Event{Time: time.Now(), Endpoint: "token"}
		time.Sleep(3 * time.Second)
		before := own
		sink(func(_ context.Context, e event.Event) { got = e }).Emit(t.Context(), httptest.NewRequest(http.MethodGet, "/", nil), &own)
		require.Equal(t, before, own)
		require.Equal(t, event.Event{
			Time: own.Time, Endpoint: "token", Outcome: event.OK, Duration: 3 * time.Second,
			Remote: netip.MustParseAddr("192.0.2.1"), RequestID: "r",
		}, got)

		own.Outcome = event.Refused
		sink(func(_ context.Context, e event.Event) { got = e }).Emit(t.Context(), httptest.NewRequest(http.MethodGet, "/", nil), &own)
		require.Equal(t, event.Refused, got.Outcome)
	})
}

// A host that panics loses the event, and the request is still answered.
func TestEmit_SurvivesTheHost(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	panics := func(*http.Request) string { panic("request ID") }
	require.NotPanics(t, func() {
		sink(func(context.Context, event.Event) { panic("log") }).Emit(t.Context(), r, &event.Event{})
		sent := false
		s := sink(func(context.Context, event.Event) { sent = true })
		s.RequestID = panics
		s.Emit(t.Context(), r, &event.Event{})
		require.False(t, sent)
		var none *event.Sink
		none.Emit(t.Context(), r, &event.Event{})
	})
}
