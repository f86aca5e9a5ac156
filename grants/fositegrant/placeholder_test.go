package fositegrant_test

import (
	"testing"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants/fositegrant"
)

// A Placeholder in a fosite server makes, stores and accepts no token.
func TestPlaceholder_MakesNothingInAFositeServer(t *testing.T) {
	t.Parallel()
	var p interface {
		oauth2.AccessTokenStrategy
		oauth2.RefreshTokenStrategy
		oauth2.AccessTokenStorage
		oauth2.RefreshTokenStorage
	} = fositegrant.Placeholder{}
	ctx := t.Context()
	r := fosite.NewRequest()

	_, _, err := p.GenerateAccessToken(ctx, r)
	require.ErrorContains(t, err, "Placeholder")
	_, _, err = p.GenerateRefreshToken(ctx, r)
	require.Error(t, err)
	require.Error(t, p.CreateAccessTokenSession(ctx, "s", r))
	require.Error(t, p.CreateRefreshTokenSession(ctx, "s", "a", r))
	require.Error(t, p.DeleteAccessTokenSession(ctx, "s"))
	require.Error(t, p.DeleteRefreshTokenSession(ctx, "s"))
	require.Error(t, p.RotateRefreshToken(ctx, "id", "s"))
	require.Error(t, p.ValidateAccessToken(ctx, r, "placeholder for an access token"))
	require.Error(t, p.ValidateRefreshToken(ctx, r, "placeholder for a refresh token"))
	require.Empty(t, p.AccessTokenSignature(ctx, "x")+p.RefreshTokenSignature(ctx, "x"))
	_, err = p.GetAccessTokenSession(ctx, "s", nil)
	require.ErrorIs(t, err, fosite.ErrNotFound)
	_, err = p.GetRefreshTokenSession(ctx, "s", nil)
	require.ErrorIs(t, err, fosite.ErrNotFound)
}

// A handler for New that is given to a fosite server issues nothing there.
func TestPlaceholder_StopsAHandlerInAFositeServer(t *testing.T) {
	t.Parallel()
	handler := exchange{HandleHelper: placeholders(&fosite.Config{})}
	provider := &fosite.Fosite{Config: &fosite.Config{
		TokenEndpointHandlers: fosite.TokenEndpointHandlers{handler},
	}}
	ar := fosite.NewAccessRequest(&fosite.DefaultSession{})
	ar.GrantTypes = fosite.Arguments{urnExchange}
	_, err := provider.NewAccessResponse(t.Context(), ar)
	require.Error(t, err)
}
