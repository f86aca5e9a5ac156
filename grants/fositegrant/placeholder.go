package fositegrant

import (
	"context"
	"errors"

	"github.com/ory/fosite"
)

// What [Placeholder] hands to a handler in place of tokens. They mean nothing anywhere, and never leave the server.
const (
	placeholderAccess  = "placeholder for an access token"
	placeholderRefresh = "placeholder for a refresh token"
)

// errOutside is what a Placeholder answers in a server of fosite's: it must not be taken for a strategy there.
var errOutside = errors.New("fositegrant: Placeholder mints and stores nothing: it is for handlers that are given to New")

// Placeholder stands where a fosite handler wants the strategies and the storage of its tokens
// (oauth2.AccessTokenStrategy, RefreshTokenStrategy, AccessTokenStorage and RefreshTokenStorage), which are the server's here.
// It mints and stores nothing. What a handler got from it and puts into its response says that a token is
// wished for; the server's own takes its place:
//
//	&oauth2.HandleHelper{AccessTokenStrategy: fositegrant.Placeholder{}, AccessTokenStorage: fositegrant.Placeholder{}, Config: cfg}
//
// The factories of fosite's compose package take it both as strategy and as storage. A handler that wants more
// of its storage than tokens gets a struct that embeds Placeholder and has the rest, for example
// struct{ fositegrant.Placeholder; Users }.
type Placeholder struct{}

// standIn tells New that a value is a Placeholder, or a struct that embeds one.
func (Placeholder) standIn() {}

type running struct{}

// within marks the context of a request that a handler serves for New.
func within(ctx context.Context) context.Context { return context.WithValue(ctx, running{}, true) }

func check(ctx context.Context) error {
	if ctx.Value(running{}) == nil {
		return errOutside
	}
	return nil
}

// GenerateAccessToken returns what stands for the access token.
func (Placeholder) GenerateAccessToken(ctx context.Context, _ fosite.Requester) (token, signature string, err error) {
	return placeholderAccess, placeholderAccess, check(ctx)
}

// GenerateRefreshToken returns what stands for the refresh token.
func (Placeholder) GenerateRefreshToken(ctx context.Context, _ fosite.Requester) (token, signature string, err error) {
	return placeholderRefresh, placeholderRefresh, check(ctx)
}

// AccessTokenSignature returns nothing, as no token of a Placeholder's exists.
func (Placeholder) AccessTokenSignature(context.Context, string) string { return "" }

// RefreshTokenSignature returns nothing, as no token of a Placeholder's exists.
func (Placeholder) RefreshTokenSignature(context.Context, string) string { return "" }

// ValidateAccessToken refuses every token.
func (Placeholder) ValidateAccessToken(context.Context, fosite.Requester, string) error {
	return fosite.ErrInactiveToken
}

// ValidateRefreshToken refuses every token.
func (Placeholder) ValidateRefreshToken(context.Context, fosite.Requester, string) error {
	return fosite.ErrInactiveToken
}

// CreateAccessTokenSession stores nothing.
func (Placeholder) CreateAccessTokenSession(ctx context.Context, _ string, _ fosite.Requester) error {
	return check(ctx)
}

// CreateRefreshTokenSession stores nothing.
func (Placeholder) CreateRefreshTokenSession(ctx context.Context, _, _ string, _ fosite.Requester) error {
	return check(ctx)
}

// GetAccessTokenSession finds nothing.
func (Placeholder) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

// GetRefreshTokenSession finds nothing.
func (Placeholder) GetRefreshTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

// DeleteAccessTokenSession has nothing to delete.
func (Placeholder) DeleteAccessTokenSession(ctx context.Context, _ string) error { return check(ctx) }

// DeleteRefreshTokenSession has nothing to delete.
func (Placeholder) DeleteRefreshTokenSession(ctx context.Context, _ string) error { return check(ctx) }

// RotateRefreshToken refuses: there is nothing to rotate.
func (Placeholder) RotateRefreshToken(context.Context, string, string) error {
	return fosite.ErrNotFound
}
