package grants

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// ErrWrongPassword is what an [Authenticator] returns for a wrong password, an unknown, locked or disabled user: one
// error for all, so that nobody learns which.
var ErrWrongPassword = errors.New("grants: wrong username or password")

// Authenticator verifies a user's password. It alone decides. It should take as long
// for an unknown user as for a wrong password.
type Authenticator interface {
	// Authenticate returns who the user is, or [ErrWrongPassword]. Any other error is a failure of the host's
	// user store and is answered with 503.
	Authenticate(ctx context.Context, l Login) (User, error)
}

// Login is one attempt.
type Login struct {
	Username, Password string
	Client             storage.Client
	Scope              []string // requested
	Remote             netip.Addr
}

// User is who logged in.
type User struct {
	Subject string // stable, unique; may differ from the username
	Claims  map[string]any
}

// Password exchanges a user's password for a token (RFC 6749 section 4.3). RFC 9700 section 2.4 forbids it for new
// clients: it teaches users to type their password into other people's programs, and no
// second factor fits in. It is off unless listed, and per client.
type Password struct {
	Authenticator Authenticator // required
	// NoRefresh leaves out the refresh token.
	NoRefresh bool
}

// GrantType returns "password".
func (Password) GrantType() string { return "password" }

// Check refuses a Password without an Authenticator. The server calls it when it is built.
func (g Password) Check() error {
	if g.Authenticator == nil {
		return errors.New("grants: Password.Authenticator is missing")
	}
	return nil
}

// Handle asks the authenticator, within the limits on guesses for the user and the address.
func (g Password) Handle(ctx context.Context, r *Request) (*Grant, error) {
	username, password := r.Form.Get("username"), r.Form.Get("password")
	if username == "" || password == "" {
		return nil, InvalidRequest("The parameters username and password are needed.")
	}
	user, err := Guess(ctx, r.Limiter, username, r.Remote, func() (User, error) {
		return g.Authenticator.Authenticate(ctx, Login{Username: username, Password: password, Client: r.Client.Clone(), Scope: r.Scope, Remote: r.Remote})
	})
	if err != nil {
		return nil, err
	}
	if user.Subject == "" {
		return nil, errors.New("grants: the authenticator returned no subject")
	}
	if user.Subject == r.Client.ID {
		return nil, InvalidGrant("the user's subject is the client's ID") // RFC 9700 section 4.15
	}
	return &Grant{Subject: user.Subject, Claims: user.Claims, Refresh: !g.NoRefresh, AuthTime: r.Now, Confirmation: r.Confirmation}, nil
}

// Guess runs one attempt at a user's password within the limits of l, for the user and for the address.
// A login page of the host's should use it too, so that both ways in share one limit.
// It returns a *Error: invalid_grant for a wrong password, 429 past a limit, 503 when the user store failed.
func Guess(ctx context.Context, l Limiter, username string, remote netip.Addr, attempt func() (User, error)) (User, error) {
	var dones []func(bool)
	finish := func(ok bool) {
		for _, d := range dones {
			d(ok)
		}
	}
	// The address first: one that is past its limit costs nothing for any name that it thinks of.
	for _, key := range []string{"addr:" + Neighbourhood(remote), "user:" + canonical(username)} {
		done, wait, err := l.Attempt(ctx, key)
		if err != nil || wait > 0 {
			finish(true) // no guess was made, so none is counted
			if err != nil {
				return User{}, Unavailable(err)
			}
			return User{}, TooManyTries(wait)
		}
		dones = append(dones, done)
	}
	ok := false
	defer func() { finish(ok) }() // also when the attempt panics
	user, err := attempt()
	switch {
	case errors.Is(err, ErrWrongPassword):
		return User{}, InvalidGrant("%w", err)
	case err != nil:
		ok = true
		return User{}, Unavailable(fmt.Errorf("grants: authenticator: %w", err))
	}
	ok = true
	return user, nil
}

// canonical folds the spellings of a user name, so that a limit cannot be passed by varying them.
func canonical(username string) string {
	return storage.Key(strings.ToLower(strings.Join(strings.Fields(username), " ")))
}

// Neighbourhood is what a limit counts as one address: an IPv4 address, or the /64 that one IPv6 customer has.
func Neighbourhood(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		p, err := a.WithZone("").Prefix(64)
		if err == nil {
			return p.String()
		}
	}
	return a.String()
}
