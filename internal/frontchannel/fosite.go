package frontchannel

import (
	"context"
	"errors"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/storage"
)

// errTarget is how the audience rule is told from fosite's other reasons for invalid_request.
var errTarget = errors.New("audience is not registered for the client")

// anyState stands in for the client's state, which fosite measures and has no use for: RFC 6749 only
// recommends one, and with PKCE a request is safe without.
const anyState = "not-the-state-of-the-request"

// newEngine fills every field that fosite would otherwise fill while it serves, without a lock.
func newEngine(anyScope bool) *fosite.Fosite {
	scopes := fosite.ExactScopeStrategy
	if anyScope {
		scopes = func([]string, string) bool { return true }
	}
	return fosite.NewOAuth2Provider(lookup{}, &fosite.Config{
		ScopeStrategy: scopes,
		AudienceMatchingStrategy: func(registered, requested []string) error {
			for _, a := range requested {
				if !slices.Contains(registered, a) {
					return errTarget
				}
			}
			return nil
		},
		ClientSecretsHasher:   noSecrets{},
		JWKSFetcherStrategy:   noKeys{},
		RedirectSecureChecker: fosite.IsRedirectURISecure,
		MinParameterEntropy:   fosite.MinParameterEntropy,
		RefreshTokenScopes:    []string{},
	})
}

// ask has fosite check the request as a whole. It sees the values that Parse resolved and not the raw
// parameters, so the two cannot read the same request differently.
func (f *FrontChannel) ask(ctx context.Context, r *Request) *Error {
	one := [...]string{r.Client.ID, r.RedirectURI, r.ResponseType, r.ResponseMode, strings.Join(r.Scope, " "), anyState}
	form := url.Values{
		"client_id":     one[0:1:1],
		"redirect_uri":  one[1:2:2],
		"response_type": one[2:3:3],
		"response_mode": one[3:4:4],
		"scope":         one[4:5:5],
		"state":         one[5:6:6],
		"audience":      r.Audience,
		"registration":  r.Form["registration"],
	}
	ctx = context.WithValue(ctx, clientKey{}, &client{r: r, modes: f.engineModes})
	// An empty MultipartForm says that the body was read.
	got, err := f.engine.NewAuthorizeRequest(ctx, &http.Request{
		Method: http.MethodGet, Form: form, MultipartForm: &multipart.Form{},
	})
	if err == nil {
		return nil
	}
	e := translate(err)
	if got == nil || got.GetRedirectURI() == nil {
		// It did not accept the redirect URI, so nothing goes there.
		e.page = true
	}
	return e
}

// translate gives fosite's errors the codes of the RFCs and fixed texts: its own texts repeat the request.
func translate(err error) *Error {
	var known *fosite.RFC6749Error
	var e *Error
	switch {
	case errors.Is(err, errTarget):
		e = refuse(codeInvalidTarget, "a requested resource is not registered for this client")
	case !errors.As(err, &known):
		e = refuse(codeServerError, "the request could not be checked")
	default:
		switch known.ErrorField {
		case fosite.ErrInvalidScope.ErrorField:
			e = refuse(codeInvalidScope, "a requested scope is not registered for this client")
		case fosite.ErrUnsupportedResponseType.ErrorField: // the server has it: the client has not
			e = refuse(codeUnauthorized, "the client is not registered for this response_type")
		case fosite.ErrUnsupportedResponseMode.ErrorField:
			e = refuse(codeInvalidRequest, "response_mode is not supported")
		case fosite.ErrRegistrationNotSupported.ErrorField:
			e = refuse("registration_not_supported", "the parameter registration is not accepted")
		case fosite.ErrInvalidRequest.ErrorField, fosite.ErrInvalidState.ErrorField:
			e = refuse(codeInvalidRequest, "the request is malformed")
		default:
			e = refuse(codeServerError, "the request could not be checked")
		}
	}
	return e.because("fosite: %w", err)
}

// client shows a registered client to fosite.
type client struct {
	r     *Request
	modes []fosite.ResponseModeType
}

type clientKey struct{}

var (
	_ fosite.Client             = (*client)(nil)
	_ fosite.ResponseModeClient = (*client)(nil)
)

func (c *client) GetID() string               { return c.r.Client.ID }
func (c *client) GetHashedSecret() []byte     { return nil }
func (c *client) IsPublic() bool              { return c.r.Client.Public() }
func (c *client) GetScopes() fosite.Arguments { return c.r.Client.Scope }

// GetAudience returns what tokens of the client may be meant for.
func (c *client) GetAudience() fosite.Arguments { return c.r.Client.Audience }

// GetRedirectURIs returns the verified URI alone: with the registered ones,
// fosite would apply a loopback rule that ignores scheme and user information.
func (c *client) GetRedirectURIs() []string { return []string{c.r.RedirectURI} }

func (c *client) GetGrantTypes() fosite.Arguments {
	if len(c.r.Client.GrantTypes) == 0 {
		return fosite.Arguments{"authorization_code"}
	}
	return c.r.Client.GrantTypes
}

func (c *client) GetResponseTypes() fosite.Arguments {
	if len(c.r.Client.ResponseTypes) == 0 {
		return fosite.Arguments{typeCode}
	}
	return c.r.Client.ResponseTypes
}

func (c *client) GetResponseModes() []fosite.ResponseModeType { return c.modes }

// lookup is fosite's storage: the client that Parse has found already. One request asks the store once.
type lookup struct{}

func (lookup) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	c, ok := ctx.Value(clientKey{}).(*client)
	if !ok || c.GetID() != id {
		return nil, fosite.ErrNotFound.WithWrap(storage.ErrNotFound)
	}
	return c, nil
}

var errNotHere = errors.New("frontchannel: clients do not authenticate at the authorization endpoint")

func (lookup) ClientAssertionJWTValid(context.Context, string) error { return errNotHere }

func (lookup) SetClientAssertionJWT(context.Context, string, time.Time) error { return errNotHere }

// noSecrets and noKeys fill the parts of fosite that authenticate clients. Nothing here calls them;
// if something ever does, it is refused.
type noSecrets struct{}

func (noSecrets) Compare(context.Context, []byte, []byte) error { return errNotHere }

func (noSecrets) Hash(context.Context, []byte) ([]byte, error) { return nil, errNotHere }

// noKeys has no method of its own: an OpenID Connect client would be needed to reach it, which client is not.
type noKeys struct{ fosite.JWKSFetcherStrategy }
