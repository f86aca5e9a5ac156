package grants

import (
	"context"
	"errors"
	"net/netip"

	"github.com/grantwell/grantwell/storage"
)

// ErrWrongPassword is what an [Authenticator] returns for a wrong password and for a
// user who is unknown, locked or disabled. It is one error for all of them, so that
// a caller cannot learn which it is.
var ErrWrongPassword = errors.New("grants: wrong username or password")

// Authenticator verifies a user's password. It should take as long for an unknown
// user as for a wrong password.
type Authenticator interface {
	// Authenticate returns the user, or [ErrWrongPassword]. Every other error is a
	// failure of the host's user store and is answered with status 503.
	Authenticate(ctx context.Context, l Login) (User, error)
}

// Login is one attempt to sign in.
type Login struct {
	Username string
	Password string
	Client   storage.Client // through which the user signs in
	Scope    []string       // requested
	Remote   netip.Addr     // from where; the zero value if unknown
}

// User is a user who signed in.
type User struct {
	// Subject is stable and unique. It may differ from the username.
	Subject string
	// Claims are stored with the tokens.
	Claims map[string]any
}

// Password exchanges a user's password for a token (RFC 6749 section 4.3). RFC 9700
// section 2.4 forbids it for new clients: it teaches users to type their password
// into programs of other people, and a second factor does not fit in. The server
// serves it only if it is listed, and only to clients that are registered for it.
type Password struct {
	// Authenticator verifies passwords. Required.
	Authenticator Authenticator
	// NoRefresh leaves out the refresh token.
	NoRefresh bool
}

// GrantType returns "password".
func (Password) GrantType() string { return "password" }

// Check refuses a Password without an Authenticator. The server calls it when it is
// built.
func (g Password) Check() error {
	if g.Authenticator == nil {
		return errors.New("grants: Password.Authenticator is missing")
	}

	return nil
}

// Handle asks the authenticator, within the limits on guesses for the user and for
// the address.
func (g Password) Handle(ctx context.Context, r *Request) (*Grant, error) {
	username := r.Form.Get("username")
	password := r.Form.Get("password")
	if username == "" || password == "" {
		return nil, InvalidRequest("The parameters username and password are needed.")
	}

	user, err := Guess(ctx, r.Limiter, username, r.Remote, func() (User, error) {
		return g.Authenticator.Authenticate(ctx, Login{
			Username: username,
			Password: password,
			Client:   r.Client.Clone(),
			Scope:    r.Scope,
			Remote:   r.Remote,
		})
	})
	if err != nil {
		return nil, err
	}
	if user.Subject == "" {
		return nil, errors.New("grants: the authenticator returned no subject")
	}
	if user.Subject == r.Client.ID { // RFC 9700 section 4.15
		return nil, InvalidGrant("the user's subject is the client's ID").For(ReasonSubjectIsClient)
	}

	return &Grant{
		Subject:      user.Subject,
		Claims:       user.Claims,
		Refresh:      !g.NoRefresh,
		AuthTime:     r.Now,
		Confirmation: r.Confirmation,
	}, nil
}
