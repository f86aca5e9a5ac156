package grantstest_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/grantstest"
)

// Ticket is a grant of a host: a ticket buys a token for its seat.
type Ticket struct{ Seats map[string]string }

// GrantType implements [grants.Handler].
func (Ticket) GrantType() string { return "https://example.com/grants/ticket" }

// Handle implements [grants.Handler].
func (t Ticket) Handle(_ context.Context, r *grants.Request) (*grants.Grant, error) {
	seat, ok := t.Seats[r.Form.Get("ticket")]
	if !ok {
		return nil, grants.InvalidGrant("no such ticket")
	}

	return &grants.Grant{Subject: "guest:" + seat}, nil
}

// In a test of a host, Run holds the grant to its contract.
func ExampleRun() {
	run := func(t *testing.T) {
		grantstest.Run(t, grantstest.Config{
			New: func() grants.Handler { return Ticket{Seats: map[string]string{"t-1": "12A"}} },
			Good: func(_ testing.TB, _ grants.Handler, r *grants.Request) {
				r.Form.Set("ticket", "t-1")
			},
		})
	}
	_ = run // go test calls it
}

func TestTicket(t *testing.T) {
	t.Parallel()
	grantstest.Run(t, grantstest.Config{
		New:  func() grants.Handler { return Ticket{Seats: map[string]string{"t-1": "12A"}} },
		Good: func(_ testing.TB, _ grants.Handler, r *grants.Request) { r.Form.Set("ticket", "t-1") },
	})
}

// A test of the host's own sends one request to the grant.
func ExampleRequest() {
	test := func(t *testing.T) {
		r := grantstest.Request(t, url.Values{"ticket": {"t-1"}}, func(r *grants.Request) {
			r.Authenticated = false // as from a public client
		})
		g, err := Ticket{Seats: map[string]string{"t-1": "12A"}}.Handle(t.Context(), r)
		require.NoError(t, err)
		fmt.Println(g.Subject)
	}
	_ = test // go test calls it
}

// A request is complete: each call has a store, a limiter and a client of its own.
func TestRequest_IsComplete(t *testing.T) {
	t.Parallel()
	r := grantstest.Request(t, url.Values{"scope": {"read  write"}})
	other := grantstest.Request(t, nil)
	require.Equal(t, []string{"read", "write"}, r.Scope)
	require.NotNil(t, other.Form)
	require.NotSame(t, r.Client, other.Client)
	require.NotSame(t, r.Records, other.Records)
	require.NotNil(t, r.Limiter)
	require.True(t, r.Remote.IsValid())
	require.Equal(t, "https://as.example/token", r.TokenEndpoint)
	client := grantstest.Client()
	require.NoError(t, client.Validate())
}

// A code rests on what the form says when it is made, and works at its grant.
func TestCode_RestsOnTheForm(t *testing.T) {
	t.Parallel()
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	r := grantstest.Request(t, url.Values{"redirect_uri": {grantstest.RedirectURI}, "code_verifier": {verifier}})
	r.Form.Set("code", grantstest.Code(t, r, "alice", "read"))
	g, err := grants.AuthorizationCode{RequirePKCE: true}.Handle(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "alice", g.Subject)
	require.Equal(t, []string{"read"}, g.Scope)
	for _, name := range []string{"redirect_uri", "code_verifier"} {
		kept := r.Form.Get(name)
		r.Form.Del(name)
		_, err = grants.AuthorizationCode{}.Handle(t.Context(), r)
		require.Error(t, err, name)
		r.Form.Set(name, kept)
	}
}
