package grantwell_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
)

// Package golang.org/x/oauth2 works unchanged: code with PKCE, refresh by its
// token source, client credentials and password.
//
// Holds: RFC 6749 section 6; RFC 6750 section 3.1; RFC 9068 section 2.
func TestOAuth2Client_WorksUnchanged(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, nil).Listen()
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, r.Client())
	cfg := oauth2.Config{
		ClientID:     "conf",
		ClientSecret: servertest.Secret,
		RedirectURL:  servertest.Redirect,
		Scopes:       []string{"read", "write"},
		Endpoint:     oauth2.Endpoint{AuthURL: r.URL + "/authorize", TokenURL: r.URL + "/token"},
	}

	pkce := oauth2.GenerateVerifier()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		cfg.AuthCodeURL("state", oauth2.S256ChallengeOption(pkce)), nil)
	require.NoError(t, err)
	answer := r.Do(req).Params(t)
	require.Equal(t, "state", answer.Get("state"))
	token, err := cfg.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(pkce))
	require.NoError(t, err)
	require.True(t, token.Valid())
	require.Equal(t, "Bearer", token.Type())
	require.WithinDuration(t, time.Now().Add(time.Hour), token.Expiry, time.Minute)
	require.Equal(t, "read write", token.Extra("scope"))
	require.True(t, r.Live(token.AccessToken))

	_, err = cfg.Exchange(ctx, "no code", oauth2.VerifierOption(pkce))
	var refusal *oauth2.RetrieveError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "invalid_grant", refusal.ErrorCode)

	stale := *token
	stale.Expiry = time.Now().Add(-time.Minute)
	fresh, err := cfg.TokenSource(ctx, &stale).Token()
	require.NoError(t, err)
	require.NotEqual(t, token.AccessToken, fresh.AccessToken)
	require.NotEqual(t, token.RefreshToken, fresh.RefreshToken)
	require.True(t, r.Live(fresh.AccessToken))

	machine := clientcredentials.Config{
		ClientID:     "conf",
		ClientSecret: servertest.Secret,
		TokenURL:     r.URL + "/token",
		Scopes:       []string{"read"},
	}
	own, err := machine.Token(ctx)
	require.NoError(t, err)
	require.True(t, r.Live(own.AccessToken))
	require.Empty(t, own.RefreshToken)
	machine.AuthStyle, machine.ClientID = oauth2.AuthStyleInParams, "post"
	_, err = machine.Token(ctx)
	require.NoError(t, err)

	user, err := cfg.PasswordCredentialsToken(ctx, "johndoe", "A3ddj3w")
	require.NoError(t, err)
	require.True(t, r.Live(user.AccessToken))

	guarded := introspect.Guard{
		Introspector: r.AS,
		Audience:     []string{servertest.Issuer},
	}.Require("read")(http.HandlerFunc(servertest.ShowToken))
	require.Equal(t, 200, servertest.Bearer(guarded, user.AccessToken).Status)
}
