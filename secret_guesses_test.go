package grantwell_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// chosenSecret is a secret of a person, long enough for a file of clients.
const chosenSecret = "sixteen letters!"

// secretKinds are clients with the same method whose secrets are stored in each form.
func secretKinds(t *testing.T) map[string]storage.Secret {
	t.Helper()
	file, err := grantwell.ReadClients(strings.NewReader(`[{"client_id":"a","client_secret":"` + chosenSecret + `","grant_types":["client_credentials"]}]`))
	require.NoError(t, err)
	imported, err := storage.ImportSecret(strings.TrimPrefix(storage.HashSecret(chosenSecret).Hash, "sha256:"))
	require.NoError(t, err)

	return map[string]storage.Secret{
		"generated": storage.HashSecret(chosenSecret),
		"file":      file[0].Secrets[0],
		"imported":  imported,
		"bcrypt":    {Hash: servertest.BcryptHash(t, chosenSecret)},
	}
}

// Past the limit the right secret is refused too, or a caller would go on until it
// works; only a secret that the server generated cannot be guessed (RFC 6749 section
// 2.3.1). A secret from a file of clients is one that a person may have chosen.
//
// Holds: RFC 6749 section 2.3.1.
func TestSecretGuesses_PastTheLimitTheRightOneIsRefused(t *testing.T) {
	t.Parallel()
	for kind, stored := range secretKinds(t) {
		s := servertest.New(t, nil)
		s.AddClient("conf", func(c *storage.Client) { c.ID, c.Secrets = "app", []storage.Secret{stored} })
		require.Equal(t, 200, s.ClientCredentials("app:"+chosenSecret).Status, kind)
		for i := range 20 {
			s.ClientCredentials(fmt.Sprintf("app:%s%d", chosenSecret, i)).Fails(t, 401, "invalid_client")
		}
		s.ClientCredentials("app:guess").Fails(t, 429, "temporarily_unavailable")
		want := 429
		if kind == "generated" {
			want = 200
		}
		require.Equal(t, want, s.ClientCredentials("app:"+chosenSecret).Status, kind)
	}
}

// A right secret is no guess, wherever it stands and whatever else refuses the request:
// libraries try the header and then the body, and a client that was disabled goes on.
func TestSecretGuesses_ARightSecretNeverCounts(t *testing.T) {
	t.Parallel()
	for kind, stored := range secretKinds(t) {
		for name, with := range map[string]struct {
			client func(*storage.Client)
			config func(*grantwell.Config)
		}{
			"in the wrong place": {client: func(c *storage.Client) { c.AuthMethod = storage.AuthClientSecretPost }},
			"disabled":           {client: func(c *storage.Client) { c.Disabled = true }},
			"method off": {config: func(c *grantwell.Config) {
				c.AuthMethods = []string{storage.AuthClientSecretPost}
			}},
		} {
			s := servertest.New(t, with.config)
			s.AddClient("conf", func(c *storage.Client) {
				c.ID, c.Secrets = "app", []storage.Secret{stored}
				if with.client != nil {
					with.client(c)
				}
			})
			for range 21 {
				require.Equal(t, 401, s.ClientCredentials("app:"+chosenSecret).Status, "%s, %s", kind, name)
			}
			for range 20 {
				s.ClientCredentials("app:guess").Fails(t, 401, "invalid_client")
			}
			s.ClientCredentials("app:guess").Fails(t, 429, "temporarily_unavailable")
		}
	}
}

// Guesses at many clients from one address are limited together, before anything is
// compared, and elsewhere nothing changes. Secrets that are not sent are no guesses.
func TestSecretGuesses_AnAddressIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		s.AddClient("conf", func(c *storage.Client) {
			c.ID, c.Secrets = "app", []storage.Secret{{Hash: servertest.BcryptHash(t, chosenSecret)}}
		})
		from := func(addr, as string) servertest.Reply {
			req := servertest.Request("/token", as, cc)
			req.RemoteAddr = addr
			return s.Do(req)
		}
		for i := range 100 {
			from("192.0.2.1:1", fmt.Sprintf("name%d:", i)).Fails(t, 401, "invalid_client")
			from("192.0.2.1:1", fmt.Sprintf("name%d:guess", i)).Fails(t, 401, "invalid_client")
		}
		from("192.0.2.1:1", "another:guess").Fails(t, 429, "temporarily_unavailable")
		from("192.0.2.1:1", "app:"+chosenSecret).Fails(t, 429, "temporarily_unavailable")
		require.Equal(t, 200, from("192.0.2.1:1", servertest.Conf).Status)
		require.Equal(t, 200, from("192.0.2.2:1", "app:"+chosenSecret).Status)
		time.Sleep(time.Minute)
		require.Equal(t, 200, from("192.0.2.1:1", "app:"+chosenSecret).Status)
	})
}

// Requests without an address are not counted together: one caller could lock out all
// others.
func TestSecretGuesses_NoAddressIsNoneForAll(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	s.AddClient("conf", func(c *storage.Client) {
		c.ID, c.Secrets = "app", []storage.Secret{{Hash: servertest.BcryptHash(t, chosenSecret)}}
	})
	from := func(as, form string) servertest.Reply {
		req := servertest.Request("/token", as, form)
		req.RemoteAddr = "@"
		return s.Do(req)
	}
	for i := range 101 {
		from(fmt.Sprintf("name%d:guess", i), cc).Fails(t, 401, "invalid_client")
		from(servertest.Conf, servertest.Form("grant_type", "password", "username", fmt.Sprint("u", i), "password", "guess")).
			Fails(t, 400, "invalid_grant")
	}
	require.Equal(t, 200, from("app:"+chosenSecret, cc).Status)
	require.Equal(t, 200, from(servertest.Conf, servertest.Form("grant_type", "password",
		"username", servertest.Username, "password", servertest.Password)).Status)
}

// Assertions that do not hold cost work before that is known. They are counted by
// address, for client authentication and grants together; those that hold are not, nor
// what another part could not decide.
func TestSecretGuesses_ForgedProofsAreLimited(t *testing.T) {
	t.Parallel()
	s, parties := servertest.NewAssertion(t, func(cfg *grantwell.Config) {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		cfg.Limiter = limit.NewMemory(map[string]limit.Limit{"assertion": {Failures: 40, Window: time.Minute}})
	})
	from := func(addr, form string) servertest.Reply {
		req := servertest.Request("/token", "", form)
		req.RemoteAddr = "10.0.0.1:1"
		req.Header.Set("X-Forwarded-For", addr)
		return s.Do(req)
	}
	stranger := servertest.ECKey(t)
	proof := func(key any) string {
		return servertest.Form("grant_type", "client_credentials", "client_assertion_type", assertion.ClientJWT,
			"client_assertion", servertest.SignJWT(t, jose.ES256, key, servertest.AssertionClaims("signer", "signer", servertest.Issuer)))
	}
	grant := func(key any) string {
		return servertest.Form("grant_type", assertion.GrantJWT,
			"assertion", servertest.SignJWT(t, jose.ES256, key, servertest.AssertionClaims("signer", "signer", servertest.Issuer)))
	}
	for range 20 {
		require.Equal(t, 200, from("192.0.2.1", proof(parties.Client)).Status)
		require.Equal(t, 200, from("192.0.2.1", grant(parties.Client)).Status)
		from("192.0.2.1", proof(stranger)).Fails(t, 401, "invalid_client")
		from("192.0.2.1", grant(stranger)).Fails(t, 400, "invalid_grant")
	}
	for _, form := range []string{proof(stranger), grant(stranger), proof(parties.Client), grant(parties.Client)} {
		res := from("192.0.2.1", form)
		res.Fails(t, 429, "temporarily_unavailable")
		require.NotEmpty(t, res.Header.Get("Retry-After"))
	}
	require.Equal(t, 200, from("192.0.2.2", proof(parties.Client)).Status)
	require.Equal(t, 200, from("192.0.2.2", grant(parties.Client)).Status)
}
