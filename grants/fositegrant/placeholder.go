package fositegrant

import (
	"context"
	"errors"

	"github.com/ory/fosite"
)

// The tokens of a [Placeholder]. They are valid at no server, and never leave this one.
const (
	placeholderAccess  = "placeholder for an access token"
	placeholderRefresh = "placeholder for a refresh token"
)

// errOutside is the error of a Placeholder in a fosite server, where it must not pass for
// a strategy.
var errOutside = errors.New(
	"fositegrant: Placeholder makes and stores nothing: use it only in handlers that are given to New",
)

// Placeholder stands in the fields where a fosite handler wants the strategies and the
// storage of its tokens: oauth2.AccessTokenStrategy, RefreshTokenStrategy,
// AccessTokenStorage and RefreshTokenStorage. The server issues and stores the tokens, so
// that Placeholder makes and stores none. A placeholder token in the handler's response
// says that the handler wants a token there, and the server puts its own in its place:
//
//	&oauth2.HandleHelper{
//		AccessTokenStrategy: fositegrant.Placeholder{},
//		AccessTokenStorage:  fositegrant.Placeholder{},
//		Config:              cfg,
//	}
//
// The factories of fosite's compose package accept it as strategy and as storage. For a
// handler that needs more of its storage than tokens, embed Placeholder in a struct that
// has the rest, for example struct{ fositegrant.Placeholder; Users }.
type Placeholder struct{}

// isPlaceholder marks a Placeholder, and a struct that embeds one, for New.
func (Placeholder) isPlaceholder() {}

// runningKey is the context key of a request that a handler serves for New.
type runningKey struct{}

// within returns the context of a request that a handler serves for New.
func within(ctx context.Context) context.Context {
	return context.WithValue(ctx, runningKey{}, true)
}

// check returns an error if the handler serves a request of a fosite server.
func check(ctx context.Context) error {
	if ctx.Value(runningKey{}) == nil {
		return errOutside
	}
	return nil
}

// GenerateAccessToken returns the placeholder for an access token.
func (Placeholder) GenerateAccessToken(
	ctx context.Context,
	_ fosite.Requester,
) (token, signature string, err error) {
	return placeholderAccess, placeholderAccess, check(ctx)
}

// GenerateRefreshToken returns the placeholder for a refresh token.
func (Placeholder) GenerateRefreshToken(
	ctx context.Context,
	_ fosite.Requester,
) (token, signature string, err error) {
	return placeholderRefresh, placeholderRefresh, check(ctx)
}

// AccessTokenSignature returns "", because no token of a Placeholder exists.
func (Placeholder) AccessTokenSignature(context.Context, string) string {
	return ""
}

// RefreshTokenSignature returns "", because no token of a Placeholder exists.
func (Placeholder) RefreshTokenSignature(context.Context, string) string {
	return ""
}

// ValidateAccessToken refuses every token.
func (Placeholder) ValidateAccessToken(context.Context, fosite.Requester, string) error {
	return fosite.ErrInactiveToken
}

// ValidateRefreshToken refuses every token.
func (Placeholder) ValidateRefreshToken(context.Context, fosite.Requester, string) error {
	return fosite.ErrInactiveToken
}

// CreateAccessTokenSession stores nothing.
func (Placeholder) CreateAccessTokenSession(
	ctx context.Context,
	_ string,
	_ fosite.Requester,
) error {
	return check(ctx)
}

// CreateRefreshTokenSession stores nothing.
func (Placeholder) CreateRefreshTokenSession(
	ctx context.Context,
	_, _ string,
	_ fosite.Requester,
) error {
	return check(ctx)
}

// GetAccessTokenSession finds nothing.
func (Placeholder) GetAccessTokenSession(
	context.Context,
	string,
	fosite.Session,
) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

// GetRefreshTokenSession finds nothing.
func (Placeholder) GetRefreshTokenSession(
	context.Context,
	string,
	fosite.Session,
) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

// DeleteAccessTokenSession has nothing to delete.
func (Placeholder) DeleteAccessTokenSession(ctx context.Context, _ string) error {
	return check(ctx)
}

// DeleteRefreshTokenSession has nothing to delete.
func (Placeholder) DeleteRefreshTokenSession(ctx context.Context, _ string) error {
	return check(ctx)
}

// RotateRefreshToken finds nothing to rotate.
func (Placeholder) RotateRefreshToken(context.Context, string, string) error {
	return fosite.ErrNotFound
}
