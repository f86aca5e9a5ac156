package servertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// The values that all tests share.
const (
	// Issuer is the issuer of every server, and the audience that tokens have
	// by default.
	Issuer = "https://as.example"

	// Secret is the secret of every confidential client.
	Secret = "6808d4b6-ef09-4b0d-8f28-3b05da9c48ec"

	// Conf is the client "conf" with its secret, as [Server.Post] takes it.
	Conf = "conf:" + Secret

	// Redirect is the redirect URI of every client but those of [PageClients].
	Redirect = "https://app.example/cb"

	// Verifier is the PKCE verifier of RFC 7636 appendix B.
	Verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

	// Challenge is the S256 challenge of Verifier.
	Challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

	// State is the state parameter of an authorization request.
	State = "st"

	// Subject is the user who approves authorization requests by default.
	Subject = "alice"

	// Username and Password are the credentials of the one user of the
	// password grant. That user's subject is "sub-johndoe".
	Username = "johndoe"
	Password = "A3ddj3w"
)

// GrantTypes lists the grant types of the client "conf". A new slice is
// returned on every call.
func GrantTypes() []string {
	return []string{
		"authorization_code",
		"implicit",
		"password",
		"client_credentials",
		"refresh_token",
	}
}

// Clients returns the clients that every server registers. They may use the
// scopes read and write, and get read when they ask for none:
//
//   - conf is confidential and authenticates with client_secret_basic;
//   - other is a second client of the same kind, without an origin;
//   - post authenticates with client_secret_post;
//   - public has no secret and no client credentials grant.
func Clients() []storage.Client {
	conf := storage.Client{
		ID:            "conf",
		Name:          "Sample",
		Secrets:       []storage.Secret{storage.HashSecret(Secret)},
		GrantTypes:    GrantTypes(),
		ResponseTypes: []string{"code", "token"},
		RedirectURIs:  []string{Redirect},
		Scope:         []string{"read", "write"},
		DefaultScope:  []string{"read"},
		Origins:       []string{"https://app.example"},
	}

	other := conf.Clone()
	other.ID = "other"
	other.Origins = nil

	post := conf.Clone()
	post.ID = "post"
	post.AuthMethod = storage.AuthClientSecretPost

	public := conf.Clone()
	public.ID = "public"
	public.AuthMethod = storage.AuthNone
	public.Secrets = nil
	public.GrantTypes = []string{"authorization_code", "implicit", "password", "refresh_token"}

	return []storage.Client{conf, other, post, public}
}

// Credentials returns how a client of [Clients] or [PageClients] authenticates:
// the argument "as" of [Server.Post], and further parameters of the form.
func Credentials(client string) (as string, pairs []string) {
	switch client {
	case "public", "native":
		return "", []string{"client_id", client}
	case "post":
		return "", []string{"client_id", client, "client_secret", Secret}
	}
	return client + ":" + Secret, nil
}

// Users authenticates users by name and password. The subject of the user
// "johndoe" is "sub-johndoe".
type Users map[string]string

// Authenticate implements [grants.Authenticator].
func (u Users) Authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	if password, ok := u[l.Username]; !ok || password != l.Password {
		return grants.User{}, grants.ErrWrongPassword
	}
	return grants.User{Subject: "sub-" + l.Username}, nil
}

// AuthenticatorFunc is a [grants.Authenticator] made of a function.
type AuthenticatorFunc func(ctx context.Context, l grants.Login) (grants.User, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, l grants.Login) (grants.User, error) {
	return f(ctx, l)
}

// HostGrantType is the grant type of a [HostGrant].
const HostGrantType = "urn:example:host"

// HostGrant is a grant of the host's own, made of a function.
type HostGrant func(ctx context.Context, r *grants.Request) (*grants.Grant, error)

// GrantType implements [grants.Handler].
func (HostGrant) GrantType() string { return HostGrantType }

// Handle calls g.
func (g HostGrant) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	return g(ctx, r)
}

// BcryptHash hashes a secret at the lowest cost.
func BcryptHash(t testing.TB, secret string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	require.NoError(t, err)
	return string(hash)
}
