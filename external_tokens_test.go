package grantwell_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// elsewhere is an introspector that knows one token.
type elsewhere struct {
	token *introspect.Token
	err   error
}

const partner = "https://partner.example"

func (e elsewhere) Introspect(context.Context, string) (*introspect.Token, error) {
	return e.token, e.err
}

// A client of another server can be attached to one that is registered here.
// That server's tokens then belong to the registered client, with no more
// scope than it may have, while both are enabled.
//
// Holds: house: credentials apart; house: foreign tokens.
func TestExternal_TokensResolveToTheClient(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	other := servertest.New(t, func(c *grantwell.Config) {
		c.Issuer = partner
		servertest.Signed(servertest.Keys(t))(c)
	})
	require.NoError(t, other.Store.PutClient(t.Context(), storage.Client{
		ID:         "a b/c",
		Secrets:    []storage.Secret{storage.HashSecret(servertest.Secret)},
		GrantTypes: []string{"client_credentials"},
		Scope:      []string{"read", "write", "admin"},
	}))
	issue := func() string {
		res := other.ClientCredentials("a b/c:"+servertest.Secret, "scope", "read admin")
		require.Equal(t, 200, res.Status, res.Body)
		return res.String("access_token")
	}
	from := o.AS.External(partner, other.AS)
	ask := func(token string) *introspect.Token {
		t.Helper()
		tok, err := from.Introspect(t.Context(), token)
		require.NoError(t, err)
		return tok
	}
	early := issue()
	require.Equal(t, &introspect.Token{Reason: introspect.ReasonClient}, ask(early),
		"attached to nothing")

	const path = "/clients/external:https:%2F%2Fpartner.example%20a%20b%2Fc"
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // what a JWT says of time has whole seconds
	made := o.Admin("POST", "/clients",
		`{"client_id":"external:https://partner.example a b/c","token_endpoint_auth_method":"external","alias_of":"conf","client_name":"At the partner"}`)
	require.Equal(t, 201, made.Status, made.Body)
	require.NotContains(t, made.JSON, "client_secret")
	require.Equal(t, "client.create", o.LastEvent().Action)
	require.Equal(t, "conf", o.LastEvent().After.AliasOf)
	require.Equal(t, "conf", o.Admin("GET", path, "").String("alias_of"))
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))

	token := issue()
	got := ask(token)
	require.True(t, got.Active, got.Reason)
	require.Equal(t, []any{"conf", partner, "a b/c"},
		[]any{got.ClientID, got.Issuer, got.Extra["external_client_id"]})
	require.Equal(t, []string{"read"}, got.Scope, "conf may not have admin")
	require.False(t, ask(early).Active, "issued before it was attached")
	require.False(t, ask("garbage").Active)

	// No other endpoint takes it as a client.
	const id = "external:https://partner.example a b/c"
	o.ClientCredentials("", "client_id", id).Fails(t, 401, "invalid_client")
	o.ClientCredentials("", "client_id", id, "client_secret", servertest.Secret).Fails(t, 401,
		"invalid_client")
	o.Post("/introspect", "", "token", token, "client_id", id).Fails(t, 401, "invalid_client")
	require.Equal(t, 400, o.Authorize(grantwell.Approval{Subject: "alice"}, "client_id", id,
		"scope", "read").Status)

	for _, at := range []string{path, "/clients/conf"} {
		require.Equal(t, 200, o.Admin("POST", at+"/disable", "").Status)
		require.Equal(t, introspect.ReasonClient, ask(token).Reason, at)
		require.Equal(t, 200, o.Admin("POST", at+"/enable", "").Status)
		require.True(t, ask(token).Active)
	}
	o.ChangeClient("conf", func(c *storage.Client) {
		c.TokensNotBefore = time.Now().Add(time.Hour)
	})
	require.False(t, ask(token).Active, "the client's tokens have ended")
	o.ChangeClient("conf", func(c *storage.Client) { c.TokensNotBefore = time.Time{} })
	require.True(t, ask(token).Active)
	require.NoError(t, o.Store.DeleteClient(t.Context(), "conf"))
	require.False(t, ask(token).Active, "the client is gone")
	require.NoError(t, o.Store.PutClient(t.Context(), servertest.Clients()[0]))
	require.True(t, ask(token).Active)
	require.Equal(t, 204, o.Admin("DELETE", path, "").Status)
	require.False(t, ask(token).Active, "detached")
}

// The server uses from another introspector's answer only what it asked for.
func TestExternal_AnswersAreChecked(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	attach := func(id, to string) {
		require.NoError(t, l.Store.PutClient(t.Context(), storage.Client{
			ID:         storage.ExternalID(partner, id),
			AuthMethod: storage.AuthExternal,
			AliasOf:    to,
		}))
	}
	attach("app", "conf")
	attach("chained", storage.ExternalID(partner, "app"))
	// A client that was registered with such an ID is no alias.
	require.NoError(t, l.Store.PutClient(t.Context(), storage.Client{
		ID:           storage.ExternalID(partner, "plain"),
		AuthMethod:   storage.AuthNone,
		RedirectURIs: []string{servertest.Redirect},
	}))
	for name, c := range map[string]struct {
		in  introspect.Token
		why introspect.Reason
	}{
		"live": {introspect.Token{
			Active:   true,
			ClientID: "app",
			Scope:    []string{"read", "admin"},
		}, ""},
		"of the issuer": {introspect.Token{
			Active:   true,
			ClientID: "app",
			Issuer:   partner,
			Extra:    map[string]any{"a": "b"},
		}, ""},
		"of another": {introspect.Token{
			Active:   true,
			ClientID: "app",
			Issuer:   partner + "/",
		}, introspect.ReasonIssuer},
		"of ours": {introspect.Token{
			Active:   true,
			ClientID: "conf",
			Issuer:   "https://as.example",
		}, introspect.ReasonIssuer},
		"dead": {introspect.Token{
			ClientID: "app",
			Reason:   introspect.ReasonExpired,
		}, introspect.ReasonExpired},
		"of a client": {introspect.Token{
			Active:   true,
			ClientID: "conf",
		}, introspect.ReasonClient},
		"without a subject or client": {introspect.Token{Active: true}, introspect.ReasonClient},
		"chained": {introspect.Token{
			Active:   true,
			ClientID: "chained",
		}, introspect.ReasonClient},
		"of no alias": {introspect.Token{
			Active:   true,
			ClientID: "plain",
		}, introspect.ReasonClient},
		"of a long ID": {introspect.Token{
			Active:   true,
			ClientID: strings.Repeat("x", 300),
		}, introspect.ReasonClient},
		"of an ugly ID": {introspect.Token{
			Active:   true,
			ClientID: "app\x00",
		}, introspect.ReasonClient},
		"of an other one": {introspect.Token{
			Active:   true,
			ClientID: "APP",
		}, introspect.ReasonClient},
	} {
		got, err := l.AS.External(partner, elsewhere{token: &c.in}).Introspect(t.Context(), "x")
		require.NoError(t, err, name)
		require.Equal(t, c.why == "", got.Active, name)
		require.Equal(t, c.why, got.Reason, name)
		if got.Active {
			require.Equal(t, []any{"conf", partner, "app"},
				[]any{got.ClientID, got.Issuer, got.Extra["external_client_id"]}, name)
		}
	}
	for _, e := range []elsewhere{{}, {err: errors.New("away")}} {
		_, err := l.AS.External(partner, e).Introspect(t.Context(), "x")
		require.Error(t, err)
	}
	lax := servertest.New(t, func(c *grantwell.Config) { c.Clients = laxClients{l.Store} })
	got, err := lax.AS.External(partner, elsewhere{token: &introspect.Token{
		Active:   true,
		ClientID: "APP",
	}}).Introspect(t.Context(), "x")
	require.NoError(t, err)
	require.False(t, got.Active, "the store compares without regard to case")
	broken := servertest.New(t, func(c *grantwell.Config) { c.Clients = brokenClients{} })
	_, err = broken.AS.External(partner, elsewhere{token: &introspect.Token{
		Active:   true,
		ClientID: "app",
	}}).Introspect(t.Context(), "x")
	require.ErrorIs(t, err, errTenant)
}

// laxClients finds another client than the one that was asked for.
type laxClients struct{ storage.Clients }

func (c laxClients) Client(ctx context.Context, id string) (storage.Client, error) {
	return c.Clients.Client(ctx, strings.Replace(id, "APP", "app", 1))
}

// brokenClients fails.
type brokenClients struct{}

func (brokenClients) Client(context.Context, string) (storage.Client, error) {
	return storage.Client{}, errTenant
}
