package grantwell_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// A token that is bound to a key stays bound in every answer about it, also where the store
// knows nothing of the token.
//
// Holds: RFC 7662 section 2.2.
func TestConfirmation_IsInTheAnswer(t *testing.T) {
	t.Parallel()
	keys := servertest.Keys(t)
	bound := servertest.HostGrant(func(context.Context, *grants.Request) (*grants.Grant, error) {
		return &grants.Grant{Subject: "bob", Confirmation: map[string]string{"jkt": "thumbprint"}}, nil
	})
	for name, change := range map[string]func(*grantwell.Config){
		"opaque": func(*grantwell.Config) {}, "signed": servertest.Signed(keys), "unrecorded": servertest.Unrecorded(keys),
	} {
		s := servertest.New(t, func(cfg *grantwell.Config) {
			change(cfg)
			cfg.Grants = append(cfg.Grants, bound)
		})
		s.ChangeClient("conf", func(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, servertest.HostGrantType) })
		token := s.Post("/token", servertest.Conf, "grant_type", servertest.HostGrantType).String("access_token")
		res := s.Introspect("conf", token)
		require.True(t, res.Active(), name)
		require.Equal(t, map[string]any{"jkt": "thumbprint"}, res.JSON["cnf"], name)
	}
}

// early is a strategy whose tokens hold from a later time on, by their own word.
type early struct {
	claims *tokens.Claims
	asked  *int
}

func (e early) Mint(_ context.Context, c tokens.Claims) (string, error) {
	*e.claims = c
	e.claims.NotBefore = c.IssuedAt.Add(time.Minute)
	return "own-token", nil
}

func (e early) Verify(context.Context, string) (tokens.Claims, error) {
	*e.asked++
	return *e.claims, nil
}

// A strategy of the host may leave its tokens out of the store, whatever the format of the
// server's own. It is asked what they say, and not about a text that is too long.
//
// Holds: house: token settings; house: bounded tokens.
func TestStrategy_OfTheHostIsAskedWhatATokenSays(t *testing.T) {
	t.Parallel()
	asked := 0
	s := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Strategy = early{&tokens.Claims{}, &asked}
		cfg.Unrecorded = true
	})
	token := s.Token(servertest.Conf)
	require.Equal(t, "own-token", token)
	require.Zero(t, s.CountOf(storage.Access))
	found, err := s.AS.Introspect(t.Context(), token)
	require.NoError(t, err)
	require.True(t, found.Active)
	require.Equal(t, found.IssuedAt.Add(time.Minute), found.NotBefore)

	asked = 0
	for size, want := range map[int]bool{16 << 10: true, 16<<10 + 1: false} {
		before := asked
		require.Equal(t, want, s.Valid(strings.Repeat("x", size)), size)
		require.Equal(t, want, asked > before, size)
	}
}

// What another server says beside its own members stays. An outage while its client is looked
// up is an error, and not a token that has ended.
//
// Holds: house: foreign tokens; house: store fails closed.
func TestExternal_KeepsFurtherMembersAndFailsClosed(t *testing.T) {
	t.Parallel()
	s, store := servertest.NewHooked(t, nil)
	require.NoError(t, s.Store.PutClient(t.Context(), storage.Client{
		ID: storage.ExternalID(partner, "app"), AuthMethod: storage.AuthExternal, AliasOf: "conf",
	}))
	ask := func() (*introspect.Token, error) {
		return s.AS.External(partner, elsewhere{token: &introspect.Token{
			Active: true, ClientID: "app", Scope: []string{"read"}, Extra: map[string]any{"a": "b"},
		}}).Introspect(t.Context(), "x")
	}
	found, err := ask()
	require.NoError(t, err)
	require.True(t, found.Active)
	require.Equal(t, map[string]any{"a": "b", "external_client_id": "app"}, found.Extra)
	for fails := 1; fails <= 2; fails++ {
		calls := 0
		store.Before(func(_ context.Context, call servertest.Call) error {
			if calls++; call.Name == "Client" && calls == fails {
				return errors.New(servertest.StoreFault)
			}
			return nil
		})
		_, err := ask()
		require.Error(t, err, fails)
		store.Pass()
	}
	_, err = s.AS.External(partner, elsewhere{err: errors.New("down")}).Introspect(t.Context(), "x")
	require.Error(t, err)
}
