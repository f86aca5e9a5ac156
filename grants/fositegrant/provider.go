package fositegrant

import (
	"context"
	"errors"
	"net/http"

	"github.com/ory/fosite"
)

// Provider wraps a fosite provider so that the errors of [Store] reach the client with the
// codes of RFC 6749 section 5.2. fosite alone answers server_error for a code that another
// request redeemed first, and invalid_request for a refresh token that is used twice.
func Provider(p fosite.OAuth2Provider) fosite.OAuth2Provider {
	return provider{p}
}

type provider struct{ fosite.OAuth2Provider }

// WriteAccessError implements [fosite.OAuth2Provider].
func (p provider) WriteAccessError(
	ctx context.Context,
	w http.ResponseWriter,
	r fosite.AccessRequester,
	err error,
) {
	p.OAuth2Provider.WriteAccessError(ctx, w, r, Remap(err))
}

// notUsable are the errors of a code or a refresh token that cannot be used.
var notUsable = []error{
	errLost,
	fosite.ErrInvalidatedAuthorizeCode,
	fosite.ErrInactiveToken,
	fosite.ErrTokenExpired,
	fosite.ErrTokenSignatureMismatch,
	fosite.ErrInvalidTokenFormat,
}

// Remap returns an error of the token endpoint with the code of RFC 6749 section 5.2. A
// host that writes errors itself calls it in place of [Provider].
func Remap(err error) error {
	// An error of client authentication may wrap one of a token, and stays what it is.
	if errors.Is(err, fosite.ErrInvalidClient) {
		return err
	}
	for _, cause := range notUsable {
		if errors.Is(err, cause) {
			return fosite.ErrInvalidGrant.WithWrap(err)
		}
	}
	return err
}
