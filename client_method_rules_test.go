package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// A client whose method is not among Config.AuthMethods cannot authenticate, although
// it is registered for the method and its secret is right.
func TestClientMethod_MustBeEnabled(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.AuthMethods = []string{storage.AuthClientSecretBasic}
	})
	require.Equal(t, 200, l.ClientCredentials(servertest.Conf).Status)
	as, id := servertest.Credentials("post")
	l.ClientCredentials(as, id...).Fails(t, 401, "invalid_client")
	require.Equal(t, grants.ReasonClientMethod, l.LastEvent().Reason)
	l.Post("/token", "", "grant_type", "password", "client_id", "public",
		"username", servertest.Username, "password", servertest.Password).Fails(t, 401, "invalid_client")
}

// headerAuth is a method of a host: the header X-Client names the client, and is
// enough.
type headerAuth struct{ err error }

// Methods implements grantwell.ClientAuthenticator.
func (headerAuth) Methods() []string { return []string{storage.AuthTLS} }

// Presented implements grantwell.ClientAuthenticator.
func (headerAuth) Presented(r *http.Request, _ url.Values) (string, bool) {
	id := r.Header.Get("X-Client")
	return id, id != ""
}

// Verify implements grantwell.ClientAuthenticator. It writes into the client.
func (a headerAuth) Verify(_ context.Context, _ *http.Request, _ url.Values, c storage.Client) error {
	c.Scope[0] = "admin"
	return a.err
}

// withHeader adds headerAuth to the methods of a server.
func withHeader(err error) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) {
		cfg.ClientAuth = []grantwell.ClientAuthenticator{headerAuth{err}}
	}
}

// byHeader asks for a token as a client that the header names.
func byHeader(l *servertest.Server, client string, pairs ...string) servertest.Reply {
	req := servertest.Request("/token", "", servertest.Form(append(pairs, "grant_type", "client_credentials")...))
	req.Header.Set("X-Client", client)
	return l.Do(req)
}

// A host's ClientAuthenticator authenticates the clients that are registered for its
// methods and no others, whatever it would accept. It works on a copy of the client.
//
// Holds: RFC 6749 section 2.3; RFC 7591 section 2.
func TestClientAuthenticator_ServesItsOwnMethodsOnly(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, withHeader(nil))
	l.AddClient("cert", func(c *storage.Client) {
		c.AuthMethod = storage.AuthTLS
		c.Secrets = nil
	})
	l.AddClient("self", func(c *storage.Client) {
		c.AuthMethod = storage.AuthSelfSignedTLS
		c.Secrets = nil
	})

	res := byHeader(l, "cert", "client_id", "cert")
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, "read", res.String("scope"), "the host wrote into its copy")
	require.Equal(t, "read", byHeader(l, "cert").String("scope"))
	for _, client := range []string{"conf", "post", "public", "self"} {
		byHeader(l, client).Fails(t, 401, "invalid_client")
		require.Equal(t, grants.ReasonClientMethod, l.LastEvent().Reason, client)
	}
	byHeader(l, "nobody").Fails(t, 401, "invalid_client")

	// Beside another method it is one method too many (RFC 6749 section 2.3).
	req := servertest.Request("/token", servertest.Conf, cc)
	req.Header.Set("X-Client", "conf")
	l.Do(req).Fails(t, 401, "invalid_client")
	byHeader(l, "cert", "client_id", "conf").Fails(t, 401, "invalid_client")
}

// What a ClientAuthenticator could not decide is status 503, and every other error a
// failed authentication.
//
// Holds: house: errors never grant; house: store fails closed.
func TestClientAuthenticator_ErrorsRefuse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"plain":       {errors.New("no"), 401, "invalid_client"},
		"refusal":     {grants.InvalidGrant("no"), 401, "invalid_client"},
		"unavailable": {grantwell.Unavailable(errors.New("down")), 503, "temporarily_unavailable"},
	} {
		l := servertest.New(t, withHeader(tt.err))
		l.AddClient("cert", func(c *storage.Client) {
			c.AuthMethod = storage.AuthTLS
			c.Secrets = nil
		})
		res := byHeader(l, "cert")
		res.Fails(t, tt.status, tt.code)
		require.Equal(t, tt.status == 503, res.Header.Get("Retry-After") != "", name)
	}
}

// Compat.AnySecretPlace takes the secret in the header and in the body, for both
// methods. It lets no client go without its secret.
func TestAnySecretPlace_TakesTheSecretInEitherPlace(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		withHeader(nil)(cfg)
		cfg.Compat.AnySecretPlace = true
	})
	for _, client := range []string{"conf", "post"} {
		body := []string{"client_id", client, "client_secret", servertest.Secret}
		require.Equal(t, 200, l.ClientCredentials(client+":"+servertest.Secret).Status, client)
		require.Equal(t, 200, l.ClientCredentials("", body...).Status, client)

		l.ClientCredentials(client+":wrong").Fails(t, 401, "invalid_client")
		l.ClientCredentials("", "client_id", client, "client_secret", "wrong").Fails(t, 401, "invalid_client")
		l.ClientCredentials("", "client_id", client).Fails(t, 401, "invalid_client")
		l.ClientCredentials(client+":"+servertest.Secret, body...).Fails(t, 400, "invalid_request")
	}
	login := []string{"grant_type", "password", "username", servertest.Username, "password", servertest.Password}
	require.Equal(t, 200, l.Post("/token", "", append(login, "client_id", "public")...).Status)
	l.Post("/token", "public:x", login...).Fails(t, 401, "invalid_client")
	l.Post("/token", "", append(login, "client_id", "public", "client_secret", "x")...).Fails(t, 401, "invalid_client")

	// A client of another method does not become one with a secret.
	l.AddClient("cert", func(c *storage.Client) {
		c.AuthMethod = storage.AuthTLS
	})
	l.ClientCredentials("cert:"+servertest.Secret).Fails(t, 401, "invalid_client")
	l.ClientCredentials("", "client_id", "cert", "client_secret", servertest.Secret).Fails(t, 401, "invalid_client")
	l.ClientCredentials("", "client_id", "cert").Fails(t, 401, "invalid_client")
}

// Without Compat.AnySecretPlace the secret has its one place.
//
// Holds: RFC 7591 section 2.
func TestAnySecretPlace_IsOffByDefault(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	l.ClientCredentials("post:"+servertest.Secret).Fails(t, 401, "invalid_client")
	l.ClientCredentials("", "client_id", "conf", "client_secret", servertest.Secret).Fails(t, 401, "invalid_client")
}

// Malformed credentials are refused, also where the grant could do without a client
// that authenticates.
//
// Holds: RFC 6749 section 5.2; RFC 7521 section 4.1.
func TestCredentials_MalformedAreNotOverlooked(t *testing.T) {
	t.Parallel()
	l, p := servertest.NewAssertion(t, nil)
	ask := func(header string, pairs ...string) servertest.Reply {
		jwt := servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "", servertest.Issuer))
		req := servertest.Request("/token", "",
			servertest.Form(append(pairs, "grant_type", assertion.GrantJWT, "assertion", jwt)...))
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		return l.Do(req)
	}
	require.Equal(t, 200, ask("").Status)
	for _, header := range []string{"Basic !!", "Basic ", "Basic", "Bearer x", "x"} {
		res := ask(header)
		res.Fails(t, 401, "invalid_client")
		require.NotEmpty(t, res.Header.Get("WWW-Authenticate"), header)
		require.Equal(t, grants.ReasonCredentials, l.LastEvent().Reason, header)
	}
}

// A client_assertion of a type that is not enabled, or without a type, is refused
// beside everything else that the request carries.
//
// Holds: RFC 7521 section 4.2; RFC 7521 section 4.2.1.
func TestClientAssertion_NeedsItsType(t *testing.T) {
	t.Parallel()
	const saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
	l, p := servertest.NewAssertion(t, nil)
	plain := servertest.New(t, nil)
	login := []string{"grant_type", "password", "username", servertest.Username,
		"password", servertest.Password, "client_id", "public"}
	require.Equal(t, 200, plain.Post("/token", "", login...).Status)

	for name, kind := range map[string]string{"none": "", "SAML": saml, "unknown": "x", "JWT": assertion.ClientJWT} {
		jwt := servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "signer", servertest.Issuer))
		pairs := []string{"client_assertion", jwt}
		if kind != "" {
			pairs = append(pairs, "client_assertion_type", kind)
		}
		res := l.ClientCredentials("", append(pairs, "client_id", "signer")...)
		if kind == assertion.ClientJWT {
			require.Equal(t, 200, res.Status, res.Body)
		} else {
			res.Fails(t, 401, "invalid_client")
			require.Equal(t, grants.ReasonCredentials, l.LastEvent().Reason, name)
		}

		// A server without ClientAuth does not overlook it.
		plain.Post("/token", "", append(login, pairs...)...).Fails(t, 401, "invalid_client")
		plain.ClientCredentials(servertest.Conf, pairs...).Fails(t, 401, "invalid_client")
	}
	plain.Post("/token", "", append(login, "client_assertion_type", assertion.ClientJWT)...).Fails(t, 401, "invalid_client")
}
