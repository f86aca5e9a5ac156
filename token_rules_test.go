package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/room/token"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// hosted builds a server with a grant of the host, for which the client "conf" is
// registered, and returns a function that asks for it.
func hosted(t *testing.T, handle servertest.HostGrant) func(pairs ...string) servertest.Reply {
	t.Helper()
	s := servertest.New(t, func(cfg *grantwell.Config) { cfg.Grants = append(cfg.Grants, handle) })
	s.ChangeClient("conf", func(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, servertest.HostGrantType) })
	return func(pairs ...string) servertest.Reply {
		return s.Post("/token", servertest.Conf, append(pairs, "grant_type", servertest.HostGrantType)...)
	}
}

// A resource that is named several times is one resource. A grant for two resources is not
// one for either.
//
// Holds: RFC 8707 section 2.
func TestTokenRequest_ResourceIsOne(t *testing.T) {
	t.Parallel()
	const a, b = "https://a.example", "https://b.example"
	d := servertest.New(t, nil)
	d.ChangeClient("conf", func(c *storage.Client) { c.Audience = []string{a, b} })
	res := d.ClientCredentials(servertest.Conf, "resource", b, "resource", b, "audience", b, "audience", b)
	require.Equal(t, http.StatusOK, res.Status, res.Body)
	require.Equal(t, b, d.Introspect("conf", res.String("access_token")).String("aud"))

	code := d.Get(servertest.AuthorizeURL(), "resource", a, "resource", b).Param("code")
	for _, resource := range []string{a, b} {
		d.Redeem("conf", code, "resource", resource).Fails(t, 400, "invalid_target")
	}
	require.Equal(t, http.StatusOK, d.Redeem("conf", code).Status)
}

// A grant of the host gives resource and audience a meaning of its own.
//
// Holds: house: grants of the host.
func TestHostGrant_ReadsItsOwnTargets(t *testing.T) {
	t.Parallel()
	var sent []string
	ask := hosted(t, func(_ context.Context, r *grants.Request) (*grants.Grant, error) {
		sent = slices.Concat(r.Form["resource"], r.Form["audience"])
		return &grants.Grant{Subject: "bob"}, nil
	})
	res := ask("resource", "https://unknown.example", "audience", "other")
	require.Equal(t, http.StatusOK, res.Status, res.Body)
	require.Equal(t, []string{"https://unknown.example", "other"}, sent)
}

// A grant that lost to another request looks again, once. Then it is refused, and the store
// is not said to be down.
//
// Holds: house: one winner.
func TestHostGrant_LosesToAnotherRequest(t *testing.T) {
	t.Parallel()
	calls, lost := 0, 0
	ask := hosted(t, func(context.Context, *grants.Request) (*grants.Grant, error) {
		if calls++; calls <= lost {
			return nil, storage.ErrConflict
		}
		return &grants.Grant{Subject: "bob"}, nil
	})
	for _, c := range []struct{ lost, status, calls int }{{0, 200, 1}, {1, 200, 2}, {2, 400, 2}, {9, 400, 2}} {
		calls, lost = 0, c.lost
		res := ask()
		require.Equal(t, c.status, res.Status, res.Body)
		require.Equal(t, c.calls, calls)
		if c.status != 200 {
			res.Fails(t, 400, "invalid_grant")
		}
	}
}

// An assertion that could not be judged, because the store failed, is no failed one.
//
// Holds: house: store fails closed.
func TestAssertion_OutageIsNotCounted(t *testing.T) {
	t.Parallel()
	var parties servertest.Parties
	s, store := servertest.NewHooked(t, func(cfg *grantwell.Config) {
		parties = servertest.NewParties(t)
		parties.Trust(t, cfg)
		cfg.Limiter = limit.NewMemory(map[string]limit.Limit{"assertion": {Failures: 2, Window: time.Hour}})
	})
	parties.Register(t, s.Store)
	for kind, fresh := range bearers(t, parties) {
		as, form := fresh()
		post := func() servertest.Reply { return s.Do(servertest.Request("/token", as, form.Encode())) }
		store.Before(func(_ context.Context, call servertest.Call) error {
			if call.Kind == storage.Used {
				return errors.New(servertest.StoreFault)
			}
			return nil
		})
		for range 4 {
			require.Equal(t, 503, post().Status, kind)
		}
		store.Pass()
		require.Equal(t, 200, post().Status, kind)
	}
}

// nameless is a grant without a grant type.
type nameless struct{ grants.ClientCredentials }

func (nameless) GrantType() string { return "" }

// A grant without a type is refused, because a request without grant_type would ask for it.
//
// Holds: house: configuration errors.
func TestConfig_GrantWithoutAType(t *testing.T) {
	t.Parallel()
	require.NoError(t, token.Check([]grants.Handler{grants.ClientCredentials{}}))
	require.ErrorContains(t, token.Check([]grants.Handler{grants.ClientCredentials{}, nameless{}}), "Grants[1]")
}
