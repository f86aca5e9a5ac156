package grantwell_test

import (
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// What a caller names in an assertion has one answer, until the signature is verified:
// for a client that is unknown, disabled, without keys, without the grant, and for one
// whose keys do not verify it (RFC 7521 section 4.1.1).
func TestAssertion_NamingAClientTellsNothing(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	servertest.Register(t, store, servertest.Clients()...)
	s := servertest.On(t, store, func(cfg *grantwell.Config) {
		jwt, err := assertion.NewJWT(assertion.JWTConfig{
			Issuer:  servertest.Issuer,
			Issuers: grants.ClientIssuers{Clients: store},
			Replay:  grants.Replay{Records: store},
		})
		require.NoError(t, err)
		saml, err := assertion.NewSAML(assertion.SAMLConfig{
			Issuers:    grants.ClientIssuers{Clients: store},
			Audiences:  []string{servertest.Issuer},
			Recipients: []string{servertest.Issuer + "/token"},
			Replay:     grants.Replay{Records: store},
		})
		require.NoError(t, err)
		proof, err := assertion.NewJWT(assertion.JWTConfig{
			Issuer:  servertest.Issuer,
			Clients: grants.RegisteredKeys{Clients: store},
			Replay:  grants.Replay{Records: store},
		})
		require.NoError(t, err)
		cfg.Grants = append(cfg.Grants, grants.JWTBearer{Verifier: jwt}, grants.SAMLBearer{Verifier: saml})
		cfg.ClientAuth = []grantwell.ClientAuthenticator{grantwell.AssertionAuth{Verifier: proof}}
	})
	stranger := servertest.RSAKey(t)
	grant := []string{assertion.GrantJWT, assertion.GrantSAML2}
	base := storage.Client{AuthMethod: storage.AuthClientSecretBasic, Scope: []string{"read"}, GrantTypes: grant,
		Secrets: []storage.Secret{storage.HashSecret(servertest.Secret)}}
	for id, change := range map[string]func(*storage.Client){
		"keyless":  func(*storage.Client) {},
		"remote":   func(c *storage.Client) { c.JWKSURI = "https://app.example/jwks" },
		"odd":      func(c *storage.Client) { c.JWKS = []byte(`{"keys":[]}`) },
		"disabled": func(c *storage.Client) { c.Disabled = true },
		"no-grant": func(c *storage.Client) { c.GrantTypes = []string{"client_credentials"} },
	} {
		c := base
		c.ID = id
		change(&c)
		require.NoError(t, store.PutClient(t.Context(), c))
	}

	var first, firstProof string
	for _, id := range []string{"unknown", "keyless", "remote", "odd", "disabled", "no-grant", "conf", "public"} {
		forged := servertest.SignJWT(t, jose.HS256, []byte(strings.Repeat("k", 32)),
			servertest.AssertionClaims(id, id, servertest.Issuer))
		res := s.Post("/token", "", "grant_type", assertion.GrantJWT, "assertion", forged)
		res.Fails(t, 400, "invalid_grant")
		if first == "" {
			first = res.Body
		}
		require.Equal(t, first, res.Body, id)

		saml := servertest.SAMLAssertion(t, stranger, func(xml string) string {
			return strings.Replace(xml, ">"+servertest.IDP+"<", ">"+id+"<", 1)
		})
		res = s.Post("/token", "", "grant_type", assertion.GrantSAML2, "assertion", saml)
		res.Fails(t, 400, "invalid_grant")
		require.Equal(t, first, res.Body, "SAML: %s", id)

		res = s.Post("/token", "", "grant_type", "client_credentials",
			"client_assertion_type", assertion.ClientJWT, "client_assertion", forged)
		res.Fails(t, 401, "invalid_client")
		if firstProof == "" {
			firstProof = res.Body
		}
		require.Equal(t, firstProof, res.Body, "proof: %s", id)
	}
}
