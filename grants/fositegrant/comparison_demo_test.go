package fositegrant_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// The values that both servers of the comparison share.
const (
	demoSecret    = servertest.Secret
	demoBasic     = servertest.Conf
	demoRedirect  = servertest.Redirect
	demoVerifier  = servertest.Verifier
	demoChallenge = servertest.Challenge
	demoIssuer    = servertest.Issuer
	demoIDP       = "https://idp.example"
)

// demoKeys returns the keys of the clients, of the identity provider and of the server.
// They are made once.
var demoKeys = sync.OnceValue(func() (k struct {
	client, idp, server *ecdsa.PrivateKey
	rsa                 *rsa.PrivateKey
}) {
	for _, p := range []**ecdsa.PrivateKey{&k.client, &k.idp, &k.server} {
		*p, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	return k
})

// demoClients returns the clients that both servers register. The secret of each client
// that has one is demoSecret. The client "remote" has its key set at jwksURI.
func demoClients(jwksURI string) []storage.Client {
	conf := storage.Client{
		ID:      "conf",
		Secrets: []storage.Secret{storage.HashSecret(demoSecret)},
		GrantTypes: []string{
			"authorization_code", "client_credentials", "refresh_token", assertion.GrantJWT,
		},
		ResponseTypes: []string{"code", "code id_token"},
		RedirectURIs:  []string{demoRedirect},
		Scope:         []string{"read", "write", "offline", "openid"},
		DefaultScope:  []string{"read"},
		Audience:      []string{"https://api.example"},
	}
	other := conf.Clone()
	other.ID = "other"
	wild := conf.Clone()
	wild.ID = "wild"
	wild.Scope = []string{"photos.*", "read"}

	public := conf.Clone()
	public.ID = "public"
	public.AuthMethod = storage.AuthNone
	public.Secrets = nil
	public.GrantTypes = []string{"authorization_code", "refresh_token"}
	native := public.Clone()
	native.ID = "native"
	native.RedirectURIs = []string{"com.example.app:/cb"}
	loop := public.Clone()
	loop.ID = "loop"
	loop.RedirectURIs = []string{"https://127.0.0.1/cb", "http://127.0.0.1/native"}

	signer := storage.Client{
		ID:             "signer",
		AuthMethod:     storage.AuthPrivateKeyJWT,
		JWKS:           demoJWKS(&demoKeys().client.PublicKey),
		AuthSigningAlg: "ES256",
		GrantTypes:     []string{"client_credentials", assertion.GrantJWT},
		Scope:          []string{"read"},
		DefaultScope:   []string{"read"},
	}
	second := signer.Clone()
	second.ID = "second"
	remote := signer.Clone()
	remote.ID = "remote"
	remote.JWKS = nil
	remote.JWKSURI = jwksURI

	return []storage.Client{conf, other, wild, public, native, loop, signer, second, remote}
}

// demoClient returns one of the demo clients by its ID.
func demoClient(id string) storage.Client {
	for _, c := range demoClients("https://unused.example") {
		if c.ID == id {
			return c
		}
	}
	panic(fmt.Sprintf("no demo client %q", id))
}

// demoJWKS returns a key set with one key, whose ID is k1.
func demoJWKS(public any) json.RawMessage {
	key := jose.JSONWebKey{Key: public, KeyID: "k1", Use: "sig"}
	b, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	return b
}

// signDemo signs a JWT with ES256.
func signDemo(key any, kid string, claims map[string]any) string {
	signing := jose.SigningKey{
		Algorithm: jose.ES256,
		Key:       jose.JSONWebKey{Key: key, KeyID: kid},
	}
	s, err := jose.NewSigner(signing, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic(err)
	}
	out, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		panic(err)
	}
	return out
}
